// SPDX-License-Identifier: MIT
// Owns the precompiled header that tests of the shell share, and what they would instantiate again and
// again.
#include "shell_instances.hpp"

#define BATCHWRIGHT_NOTHING
BATCHWRIGHT_TEST_INSTANCES(BATCHWRIGHT_NOTHING)
