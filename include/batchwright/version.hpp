// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_VERSION_HPP
#define BATCHWRIGHT_VERSION_HPP

/// The version of the library, the one place where it is written. The build reads it from here.
#define BATCHWRIGHT_VERSION_MAJOR 0
#define BATCHWRIGHT_VERSION_MINOR 1
#define BATCHWRIGHT_VERSION_PATCH 0

/// As one number that compares: 0.1.0 is 100, 1.2.3 is 10203.
#define BATCHWRIGHT_VERSION \
  (BATCHWRIGHT_VERSION_MAJOR * 10000 + BATCHWRIGHT_VERSION_MINOR * 100 + BATCHWRIGHT_VERSION_PATCH)

#endif  // BATCHWRIGHT_VERSION_HPP
