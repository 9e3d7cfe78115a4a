// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_INBOX_HPP
#define BATCHWRIGHT_DETAIL_INBOX_HPP

#include "request.hpp"
#include "waiting_room.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// How far a shutdown has gone. It only ever goes further.
enum class Closing : std::uint8_t { open, drain, abandon };

/// A thread that waits until nothing is queued or executing, or until the dispatcher has ended. It lies on that thread's stack.
struct IdleWaiter {
  std::atomic<std::uint32_t> idle{0};
  IdleWaiter* next = nullptr;
};

/// What reached the dispatcher since it last looked.
template <class Batch>
struct Inbox {
  RequestChain arrivals;
  WaitingGroup* waiting = nullptr;  // Newest first.
  Batch* finished = nullptr;
  std::vector<std::size_t> vacated;  // Executors. Reserved for all of them.
  RequestBase* cancelled = nullptr;  // Newest first.
  Batch* errands = nullptr;          // Newest first.
  std::size_t holds = 0;             // Of those who send errands.
  bool flush = false;
  bool paused = false;
  Closing closing = Closing::open;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_INBOX_HPP
