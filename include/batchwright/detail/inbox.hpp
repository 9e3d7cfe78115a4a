// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_INBOX_HPP
#define BATCHWRIGHT_DETAIL_INBOX_HPP

#include "owned.hpp"
#include "request.hpp"
#include "waiting_room.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// How far a shutdown has gone. It only ever goes further.
enum class Closing : std::uint8_t { open, drain, abandon };

/// Requests that were handed over, and where the first of them lie: to go from each to the next, fetching
/// it on the way, would take as long as a cache line travels for each of them.
class Arrivals {
 public:
  RequestChain chain;

  void splice(const RequestChain& requests) noexcept {
    if (calls_ < kListed) {
      if (calls_ % 8 == 0) prefetch(listed_->data() + calls_ + 8);  // The next line.
      (*listed_)[calls_++] = requests.first;
    }
    requests.first->by_rank.previous = chain.last;
    (chain.last == nullptr ? chain.first : chain.last->by_rank.next) = requests.first;
    chain.last = requests.last;
    chain.count += requests.count;
    chain.size += requests.size;
  }

  /// Gives all of it to `other`, in place of what that has.
  void give_to(Arrivals& other) noexcept {
    other.chain = std::exchange(chain, {});
    other.calls_ = std::exchange(calls_, 0);
    std::swap(other.listed_, listed_);
  }

  /// When the first of them came; kNever if there is none.
  TimePoint oldest() const noexcept { return chain.empty() ? kNever : chain.first->enqueued; }

  /// Takes out the only one.
  RequestHeader& take_only() noexcept {
    calls_ = 0;
    return *std::exchange(chain, {}).first;
  }

  /// Calls `visit(request)` for each, in order, and takes all out. Some are fetched before their turn.
  template <class Item, class Visit>
  void take_all(Visit&& visit) noexcept {
    const auto fetch = [](const RequestHeader* request) {
      if (request != nullptr) static_cast<const Item*>(request)->prefetch();
    };
    const auto listed = [this](std::size_t call) {
      return call < calls_ ? (*listed_)[call] : nullptr;
    };
    for (std::size_t call = 0; call < kAhead; ++call) fetch(listed(call));
    std::size_t call = kAhead;
    std::exchange(chain, {}).template each<Item>([&](Item& request) {
      const RequestHeader* const ahead = listed(call++);
      fetch(ahead != nullptr ? ahead : RequestChain::next(request));
      visit(request);
    });
  }

 private:
  static constexpr std::size_t kListed = 128;
  static constexpr std::size_t kAhead = 4;

  std::size_t calls_ = 0;
  Owned<std::array<RequestHeader*, kListed>> listed_ =
      make_owned<std::array<RequestHeader*, kListed>>();
};

/// What reached the dispatcher since it last looked.
template <class Batch>
struct Inbox {
  Arrivals arrivals;
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
