// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_INBOX_HPP
#define BATCHWRIGHT_DETAIL_INBOX_HPP

#include "request.hpp"
#include "waiting_room.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// How far a shutdown has gone. It only ever goes further.
enum class Closing : std::uint8_t { open, drain, abandon };

/// What reached the dispatcher since it last looked.
template <class Batch>
struct Inbox {
  RequestChain arrivals;
  WaitingGroup* waiting = nullptr;  // Newest first.
  Batch* finished = nullptr;
  std::vector<std::size_t> vacated;  // Executors. Reserved for all of them.
  std::vector<std::size_t> granted;  // Leases of executors. Likewise.
  RequestBase* cancelled = nullptr;  // Newest first.
  Batch* errands = nullptr;          // Newest first.
  std::size_t holds = 0;             // Of those who send errands.
  bool flush = false;
  bool paused = false;
  Closing closing = Closing::open;

  void reserve(std::size_t executors) {
    vacated.reserve(executors);
    granted.reserve(executors);
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_INBOX_HPP
