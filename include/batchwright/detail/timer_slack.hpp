// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_TIMER_SLACK_HPP
#define BATCHWRIGHT_DETAIL_TIMER_SLACK_HPP

#include "../policy.hpp"
#include "../thread_info.hpp"

#include <functional>
#include <optional>
#include <utility>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace batchwright::inline v0_1::detail {

#if defined(__linux__)

inline constexpr bool kHasTimerSlack = true;

/// How late the kernel may end the calling thread's timed waits, to end several at once. At least 1 ns.
inline void set_timer_slack(Duration slack) noexcept {
  prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack.count()));
}

#else

inline constexpr bool kHasTimerSlack = false;

inline void set_timer_slack(Duration) noexcept {}

#endif

/// A start hook that also gives the dispatcher its slack, if one is set: before the hook that was given,
/// which may give it another.
inline std::function<void(const ThreadInfo&)> with_timer_slack(
    std::function<void(const ThreadInfo&)> hook, std::optional<Duration> slack) {
  if (!slack) return hook;
  return [hook = std::move(hook), slack = *slack](const ThreadInfo& thread) {
    if (thread.role == ThreadInfo::Role::dispatcher) set_timer_slack(slack);
    if (hook) hook(thread);
  };
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_TIMER_SLACK_HPP
