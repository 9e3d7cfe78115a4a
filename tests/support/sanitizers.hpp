// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_SANITIZERS_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_SANITIZERS_HPP

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BATCHWRIGHT_TEST_THREAD_SANITIZER 1
#endif
#if __has_feature(address_sanitizer)
#define BATCHWRIGHT_TEST_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define BATCHWRIGHT_TEST_THREAD_SANITIZER 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#define BATCHWRIGHT_TEST_ADDRESS_SANITIZER 1
#endif

namespace batchwright_test {

/// Whether this program runs under the thread sanitizer, which cannot do all that a program may.
#ifdef BATCHWRIGHT_TEST_THREAD_SANITIZER
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

/// Whether this program runs under the address sanitizer, which needs memory of its own at any time.
#ifdef BATCHWRIGHT_TEST_ADDRESS_SANITIZER
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

/// Whether this program is some ten times slower than it could be.
#ifdef __OPTIMIZE__
inline constexpr bool kSlow = kThreadSanitizer || kAddressSanitizer;
#else
inline constexpr bool kSlow = true;
#endif

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_SANITIZERS_HPP
