// SPDX-License-Identifier: MIT
// Linked into every test program: the umbrella and nothing else.
#include <batchwright/batchwright.hpp>
