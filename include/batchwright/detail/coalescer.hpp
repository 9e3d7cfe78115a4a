// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_COALESCER_HPP
#define BATCHWRIGHT_DETAIL_COALESCER_HPP

#include "../coalescing.hpp"
#include "../errors.hpp"
#include "../runtime.hpp"
#include "admission.hpp"
#include "batch_state.hpp"
#include "block_pool.hpp"
#include "intake.hpp"
#include "lock.hpp"
#include "owned.hpp"
#include "request.hpp"
#include "shared_seats.hpp"
#include "shared_work.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Lets requests with one key share a computation, their SharedWork.
///
/// A work belongs to the scheduler, then to its batch. Whoever takes it from there ends it: the dispatcher
/// one that was not dispatched, the executor at the predictor's entry one that nobody wants any more,
/// and whoever has the result all others.
///
/// | seat     | its work        | leaves by                                                     |
/// |----------|-----------------|---------------------------------------------------------------|
/// | queued   | is queued       | `take_expired`, `leave`, `unfold`, `board`                    |
/// | boarded  | was dispatched  | `leave`, or at `enter` its claim: it enters, expires, is lost |
/// | entered  | is computed     | `end`; `unwanted` if it was cancelled too late                |
/// | riding   | was dispatched  | `take_expired`, `leave`, `abandon`, or its claim at `end`     |
///
/// One that is lost to a cancellation is let go of: it has no work any more, and the dispatcher answers
/// it when the cancellation reaches it. A rider holds its room in the queue until it leaves.
///
/// The lock is a leaf, held over no user code. It guards all works and their members from the dispatch
/// on, and the open work of each key; what is queued only the dispatcher's role changes.
template <class TIn, class TOut, Runtime R>
class Coalescer {
 public:
  using Item = Request<TIn, TOut>;

  /// Null without the option.
  static Owned<Coalescer> make(const R& runtime, const Coalescing<TIn>& option,
                               Admission& admission, Intake<BatchState<TIn, TOut>, R>& intake) {
    if (!option) return nullptr;
    return make_owned<Coalescer>(runtime, option.copier(), admission, intake);
  }

  Coalescer(const R& runtime, const ResultCopier& copier, Admission& admission,
            Intake<BatchState<TIn, TOut>, R>& intake)
      : lock_(runtime),
        seats_(admission),
        copy_(copier.copy),
        admission_(admission),
        intake_(intake) {}

  /// Where those are counted whose cancellation the dispatcher is to answer.
  void count_lost_in(std::atomic<std::int64_t>& lost) noexcept { lost_ = &lost; }

  // From the dispatcher's role.

  /// A request with a key has been taken in: it joins the open work of its key, or begins one, which
  /// arrives in the scheduler. Without memory for that it arrives itself. Before it begins to ride
  /// `ride(request)` is called: from then on its answer may come, and it be gone.
  template <class Scheduler, class States, class Ride>
  void arrive(Item& request, Scheduler& scheduler, States& states, Ride&& ride) noexcept {
    SharedWork* work = nullptr;
    bool lifted = false;
    bool later = false;
    {
      const LockGuard guard(lock_);
      work = request.shared_key->open;
      if (work != nullptr && work->dispatched && !joinable(*work, request, states)) {
        seats_.close(*work);
        work = nullptr;
      }
      if (work != nullptr) {
        if (work->dispatched) ride(request);
        seats_.seat(*work, request);
        if (work->dispatched) return;
        work->urgency.delay_at = std::max(work->urgency.delay_at, request.delay_at);
        lifted = work->lifted();
        later = request.deadline > work->latest;
      }
    }
    if (work == nullptr) return begin(request, scheduler);
    if (lifted) rerank(*work, scheduler);
    if (later) scheduler.set_latest(*work, request.deadline);
  }

  /// A cancellation of this request has won. The seat that it has left; none if it was let go of before.
  template <class Scheduler, class States>
  Seat leave(RequestBase& request, Scheduler& scheduler, States& states) noexcept {
    Seat left = Seat::none;
    SharedWork* work = nullptr;
    std::uint64_t forsaken = 0;
    {
      const LockGuard guard(lock_);
      left = request.seat;
      if (left == Seat::none) return left;
      work = request.work;
      seats_.unseat(request);
      if (work->dispatched) forsaken = watch(*work, request, states);
    }
    left == Seat::queued ? settle(*work, request, scheduler) : states.unwanted(forsaken);
    return left;
  }

  /// Takes out whose time is up.
  template <class Scheduler, class States>
  RequestChain take_expired(TimePoint now, Scheduler& scheduler, States& states) noexcept {
    RequestChain expired;
    for (;;) {
      RequestBase* first = nullptr;
      SharedWork* work = nullptr;
      std::uint64_t forsaken = 0;
      {
        const LockGuard guard(lock_);
        first = seats_.first_due();
        if (first == nullptr || first->due > now) return expired;
        RequestBase& request = *first;
        work = request.work;
        const bool queued = request.seat == Seat::queued;
        seats_.unseat(request);
        expired.append(request);
        if (!queued) {
          forsaken = watch(*work, request, states);
          work = nullptr;
        }
      }
      work != nullptr ? settle(*work, *first, scheduler) : states.unwanted(forsaken);
    }
  }

  /// Those who wait for what the scheduler has handed out to be failed.
  RequestChain unfold(const RequestChain& handed_out) noexcept {
    RequestChain requests;
    handed_out.each<RequestHeader>([&](RequestHeader& one) {
      if (!one.shared) return requests.append(one);
      auto& work = static_cast<SharedWork&>(one);
      {
        const LockGuard guard(lock_);
        while (RequestHeader* const member = work.members.front()) {
          seats_.unseat(SharedWork::member(*member));
          requests.append(*member);
        }
      }
      pool_delete(&work);
    });
    return requests;
  }

  /// A work is dispatched: `board(request)` is called for each that boards. Returns their number.
  template <class Board>
  std::size_t board(SharedWork& work, std::uint64_t batch_id, Board&& board) noexcept {
    const LockGuard guard(lock_);
    seats_.board(work, batch_id);
    each(work, Seat::boarded, board);
    return work.wanted;
  }

  /// Somebody who has entered was cancelled, too late; or has been let go of.
  template <class States>
  void unwanted(RequestBase& request, States& states) noexcept {
    std::uint64_t forsaken = 0;
    {
      const LockGuard guard(lock_);
      forsaken = request.sequence;
      if (request.work != nullptr) {
        if (request.seat != Seat::entered) return;
        request.seat = Seat::unwanted;
        --request.work->wanted;
        forsaken = watch(*request.work, request, states);
      }
    }
    states.unwanted(forsaken);
  }

  /// From now on nobody joins what runs. Takes the riders out.
  RequestChain abandon() noexcept {
    RequestChain riders;
    const LockGuard guard(lock_);
    if (std::exchange(abandoned_, true)) return riders;
    seats_.each_dispatched([&](SharedWork& work) {
      each(work, Seat::riding, [&](Item& request) {
        seats_.unseat(request);
        riders.append(request);
      });
    });
    return riders;
  }

  /// How many hold room in the queue though the scheduler does not know them.
  std::size_t unknown() const noexcept { return seats_.besides(); }

  /// When the time of a member is up, and whether one who comes may find something to join that runs.
  struct Outlook {
    TimePoint earliest = kNever;
    bool joinable = false;
  };
  Outlook outlook() noexcept {
    const LockGuard guard(lock_);
    const RequestBase* const first = seats_.first_due();
    return {first == nullptr ? kNever : first->due, seats_.joinable() > 0};
  }

  // From whoever has the batch.

  /// Who of a work enters the predictor: the first of them leads, and takes the others along. Those whom
  /// a cancellation has won, and those whose time is up, are on lists.
  struct Entry {
    Item* leader = nullptr;
    std::size_t late = 0;  ///< How many boarded only now.
    RequestChain lost;
    RequestChain expired;
  };
  Entry enter(SharedWork& work, TimePoint now) noexcept {
    Entry entry;
    bool over = false;
    {
      const LockGuard guard(lock_);
      each(work, Seat::boarded, [&](Item& request) { enter(request, now, entry); });
      each(work, Seat::riding, [&](Item& request) {
        if (entry.leader != nullptr) return;
        seats_.board(request);
        ++entry.late;
        enter(request, now, entry);
      });
      over = entry.leader == nullptr;
      if (over) {
        // Their cancellations tell that nobody wants the work.
        entry.lost.template each<Item>([&](Item& request) { request.sequence = work.sequence; });
        seats_.over(work);
      }
    }
    if (over) pool_delete(&work);
    if (entry.late > 0) offer_room();
    return entry;
  }

  /// The work of this item has its result: all others who wait for it. `entered` is how many of them had
  /// entered.
  RequestChain end(Item& leader, std::size_t& entered) noexcept {
    RequestChain others;
    RequestChain let_go;
    bool room = false;
    SharedWork& work = *leader.work;
    {
      const LockGuard guard(lock_);
      while (RequestHeader* const one = work.members.front()) {
        auto& request = static_cast<Item&>(*one);
        const bool rode = request.seat == Seat::riding;
        if (rode) seats_.board(request);
        room |= rode;
        seats_.unseat(request);
        if (&request == &leader) continue;
        if (!rode) ++entered;
        (rode && !request.claim() ? let_go : others).append(request);
      }
      leader.sequence = work.sequence;  // It may yet tell that nobody waits for the work.
      seats_.over(work);
    }
    pool_delete(&work);
    if (room) offer_room();
    let_go.each<Item>([this](Item& request) {
      lost_->fetch_add(1, std::memory_order_relaxed);
      request.release();
    });
    return others;
  }

  /// Throws what the copy throws.
  void copy(const Result<TOut>& result, std::optional<Result<TOut>>& place) const {
    copy_(&result, &place);
  }

  // From any thread.

  /// How many hold room in the queue and wait for what is being computed.
  std::size_t riding() const noexcept { return seats_.riding(); }

  /// A rider has left otherwise than by `end`.
  void rode() noexcept { seats_.rode(); }

 private:
  template <class Scheduler>
  void begin(Item& request, Scheduler& scheduler) noexcept {
    SharedWork* work = nullptr;
    guarded([&] { work = pool_new<SharedWork>(); }, [](const std::exception_ptr&) {});
    if (work == nullptr) {
      request.place = Place::scheduler;
      return scheduler.arrive(request);
    }
    static_cast<RequestHeader&>(*work) = static_cast<const RequestHeader&>(request);
    work->shared = true;
    work->latest = request.deadline;
    work->urgency = {request.priority, request.deadline, request.delay_at};
    {
      const LockGuard guard(lock_);
      work->bytes = 0;
      work->key = request.shared_key;
      work->key->open = work;
      seats_.seat(*work, request);
    }
    scheduler.arrive(*work);
    if (!work->queued) {
      // The forecast refuses it, and that was its own.
      const LockGuard guard(lock_);
      seats_.close(*work);
    } else if (work->expires() != kNever) {
      rerank(*work, scheduler);
    }
  }

  // One has left what is queued.
  template <class Scheduler>
  void settle(SharedWork& work, const RequestBase& left, Scheduler& scheduler) noexcept {
    if (work.members.empty()) {
      scheduler.withdraw(work);
      pool_delete(&work);
      return;
    }
    if (!work.queued) return;
    if (work.lifted()) rerank(work, scheduler);
    if (left.deadline >= work.latest) scheduler.set_latest(work, work.latest_deadline());
  }

  template <class Scheduler>
  static void rerank(SharedWork& work, Scheduler& scheduler) noexcept {
    scheduler.rerank(work, work.urgency);
  }

  // The rest is under the lock.

  template <class States>
  bool joinable(SharedWork& work, const RequestBase& request, States& states) noexcept {
    if (abandoned_) return false;
    work.deadline = std::max(work.deadline, request.deadline);
    return states.wanted(work.batch_id, work.sequence, work.deadline);
  }

  // One who waits for a dispatched work does no more. Its sequence number if nobody does.
  template <class States>
  std::uint64_t watch(SharedWork& work, const RequestBase& request, States& states) noexcept {
    if (work.wanted == 0) return work.sequence;
    if (request.deadline < work.deadline) return 0;
    work.deadline = work.latest_deadline();
    states.wanted(work.batch_id, work.sequence, work.deadline);
    return 0;
  }

  template <class Visit>
  static void each(SharedWork& work, Seat seat, Visit&& visit) noexcept {
    for (RequestHeader* next = work.members.front(); next != nullptr;) {
      auto& request = static_cast<Item&>(*std::exchange(next, SharedWork::Members::next(*next)));
      if (request.seat == seat) visit(request);
    }
  }

  void enter(Item& request, TimePoint now, Entry& entry) noexcept {
    const bool claimed = request.claim();
    if (claimed && request.expires() > now) {
      request.seat = Seat::entered;
      if (entry.leader == nullptr) entry.leader = &request;
      return;
    }
    seats_.unseat(request);
    (claimed ? entry.expired : entry.lost).append(request);
  }

  // Not under the lock.
  void offer_room() noexcept {
    if (admission_.waiting() > 0) intake_.nudge();
  }

  Lock<R> lock_;
  SharedSeats seats_;       // Guarded by lock_, but for the counts of who holds room.
  bool abandoned_ = false;  // Likewise.

  void (*const copy_)(const void*, void*);
  Admission& admission_;
  Intake<BatchState<TIn, TOut>, R>& intake_;
  std::atomic<std::int64_t>* lost_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_COALESCER_HPP
