// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_THREAD_SANITIZER_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_THREAD_SANITIZER_HPP

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BATCHWRIGHT_TEST_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define BATCHWRIGHT_TEST_THREAD_SANITIZER 1
#endif

namespace batchwright_test {

/// Whether this program runs under the thread sanitizer, which cannot do all that a program may.
#ifdef BATCHWRIGHT_TEST_THREAD_SANITIZER
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_THREAD_SANITIZER_HPP
