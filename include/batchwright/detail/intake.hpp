// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_INTAKE_HPP
#define BATCHWRIGHT_DETAIL_INTAKE_HPP

#include "../runtime.hpp"
#include "bell.hpp"
#include "deferred_wakes.hpp"
#include "idle_waiters.hpp"
#include "inbox.hpp"
#include "left_wakes.hpp"
#include "loan.hpp"
#include "lock.hpp"
#include "request.hpp"
#include "waiting_room.hpp"
#include "wish.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// The hand-over to the dispatcher, and where it sleeps. Everything here is a bounded critical section or
/// one atomic operation, but for the wakes of those who wait for idleness or the end.
///
/// Waking. While the dispatcher sleeps, the wish that it left behind says what would change its mind:
/// so much weight of arrivals, a deadline before its instant, a finished batch. Whoever brings that
/// takes `role_` from `free` to `dispatcher` and wakes it: one such wake per sleep. Cancellations come
/// without the lock, from stop callbacks; there the dispatcher announces its sleep first and looks at
/// the list afterwards, they push first and look at `role_` afterwards, so one of the two sees.
///
/// The role. Whoever has it is the only caller of the scheduler: the dispatcher while it is awake, or who
/// was lent the sleeping dispatcher's role: an executor when it brought its report, so that it goes from
/// batch to batch without waking anybody, or a submitter when he brought what was awaited, so that an
/// executor is woken by him and not by a dispatcher that he would have to wake. Nothing that comes wakes
/// the dispatcher while its role is lent; whoever gives the role back looks for what would have.
///
/// The bell. The dispatcher sleeps on it, not on `role_`: an executor also rings to leave it callers to
/// be woken, without the role. Who has rung and unlocked may only unpark: the batcher may be gone.
template <class Batch, Runtime R>
class Intake {
 public:
  /// `spin`: how long the dispatcher looks out before it sleeps, see AdaptiveSpin.
  Intake(const R& runtime, std::size_t executors, Duration spin = {})
      : runtime_(runtime), lock_(runtime), bell_(runtime, spin) {
    box_.reserve(executors);
  }

  // From any thread.

  /// Hands requests over, all at once. Room was reserved for them, so the dispatcher has not ended. If
  /// this would wake it, the caller may be lent its role instead.
  Lent push(const RequestChain& requests, TimePoint earliest, Loan loan = Loan::none) noexcept {
    bool wakes = false;
    {
      const LockGuard guard(lock_);
      box_.arrivals.splice(requests);
      if (earliest < earliest_deadline_) earliest_deadline_ = earliest;
      wakes = box_.arrivals.chain.size >= wish_.missing || earliest < wish_.until ||
              (wish_.by_lane != nullptr && role_.load(std::memory_order_relaxed) == kFree &&
               wish_.uses_up_a_quota(requests, takes_));  // With the role they are another's.
      const Lent lent = wakes && loan != Loan::none ? lend(loan) : Lent::nothing;
      if (lent != Lent::nothing) return lent;
      wakes = wakes && elected();
    }
    if (wakes) wake_dispatcher();
    return Lent::nothing;
  }

  /// Hands over requests that wait for capacity. False, and nothing happened, once closed.
  bool push_waiting(WaitingGroup& group) noexcept {
    bool wakes = false;
    {
      const LockGuard guard(lock_);
      if (box_.closing != Closing::open) return false;
      group.next = std::exchange(box_.waiting, &group);
      wakes = elected();
    }
    if (wakes) wake_dispatcher();
    return true;
  }

  /// A batch is finished (or null), an executor is vacant again (or kNoCount).
  void push_finished(Batch* batch, std::size_t executor) noexcept {
    bool wakes = false;
    {
      const LockGuard guard(lock_);
      add_report(batch, executor);
      wakes = (wish_.reports || !idle_waiters_.empty()) && elected();
    }
    if (wakes) wake_dispatcher();
  }

  /// A lease of an executor was granted.
  void push_granted(std::size_t executor) noexcept {
    change([&] { box_.granted.push_back(executor); });
  }

  /// As `push_finished`, from an executor. True if it has the dispatcher's role now.
  bool push_finished_and_borrow(Batch* batch, std::size_t executor) noexcept {
    return borrow([&] { add_report(batch, executor); });
  }

  /// As `push_finished`, but wakes nobody: `borrow_with_grant` has to follow.
  void push_finished_quietly(Batch* batch, std::size_t executor) noexcept {
    const LockGuard guard(lock_);
    add_report(batch, executor);
  }

  /// As `push_granted`, unless kNoCount, from an executor. True if it has the dispatcher's role now.
  bool borrow_with_grant(std::size_t granted) noexcept {
    return borrow([&] {
      if (granted != kNoCount) box_.granted.push_back(granted);
    });
  }

  /// The request's cancellation has won. No lock, no interleaving point: see CancelSink.
  void push_cancelled(RequestBase& request) noexcept {
    RequestBase* first = cancelled_.load(std::memory_order_relaxed);
    do {
      request.next_cancelled = first;
    } while (!cancelled_.compare_exchange_weak(first, &request, std::memory_order_seq_cst,
                                               std::memory_order_relaxed));
    if (elected()) wake_dispatcher();
  }

  /// Keeps the dispatcher from ending, so that errands can be sent. False, and it does not, once closed.
  bool hold() noexcept {
    const LockGuard guard(lock_);
    if (box_.closing != Closing::open) return false;
    ++box_.holds;
    return true;
  }
  void let_go() noexcept {
    change([this] { --box_.holds; });
  }

  /// Hands an errand over. Requires a hold.
  void push_errand(Batch& errand) noexcept {
    change([&] { errand.next = std::exchange(box_.errands, &errand); });
  }

  /// Makes the dispatcher look again.
  void nudge() noexcept {
    change([] {});
  }

  void flush() noexcept {
    change([this] { box_.flush = true; });
  }
  void set_paused(bool paused) noexcept {
    change([&] { box_.paused = paused; });
  }
  void close(Closing closing) noexcept {
    change([&] { box_.closing = std::max(box_.closing, closing); });
  }

  Closing closing() noexcept {
    const LockGuard guard(lock_);
    return box_.closing;
  }

  /// Requests handed over so far, without those that had to wait for capacity.
  std::uint64_t accepted() noexcept {
    const LockGuard guard(lock_);
    return taken_ + box_.arrivals.chain.count;
  }

  /// When the first request came that the dispatcher has not looked at; kNever if there is none.
  TimePoint oldest_arrival() noexcept {
    const LockGuard guard(lock_);
    return box_.arrivals.oldest();
  }

  void add(IdleWaiter& waiter) noexcept {
    change([&] {
      idle_waiters_.add(waiter);
      if (exited_) idle_waiters_.tell(runtime_);
    });
  }
  /// As `add`, but told only when the dispatcher has ended.
  void add_exit(IdleWaiter& waiter) noexcept {
    const LockGuard guard(lock_);
    exit_waiters_.add(waiter);
    if (exited_) exit_waiters_.tell(runtime_);
  }
  void remove(IdleWaiter& waiter) noexcept {
    const LockGuard guard(lock_);
    idle_waiters_.remove(waiter);
    exit_waiters_.remove(waiter);
  }

  // From the dispatcher.

  /// The inbox into which `Lent::look` puts what came. Outlives the threads that submit.
  void lend_into(Inbox<Batch>& inbox) noexcept { inbox_ = &inbox; }

  /// Swaps what came into `inbox`, whose lists the dispatcher has emptied.
  void take(Inbox<Batch>& inbox) noexcept {
    // Before the arrivals: what can be cancelled was handed over before, to this inbox or an earlier one.
    inbox.cancelled = nullptr;
    if (cancelled_.load(std::memory_order_seq_cst) != nullptr) {  // Submitters look at its line.
      inbox.cancelled = cancelled_.exchange(nullptr, std::memory_order_seq_cst);
    }
    const LockGuard guard(lock_);
    take_most(inbox);
    inbox.waiting = std::exchange(box_.waiting, nullptr);
    std::swap(inbox.granted, box_.granted);
    inbox.errands = std::exchange(box_.errands, nullptr);
    inbox.flush = std::exchange(box_.flush, false);
    inbox.holds = box_.holds;
    inbox.paused = box_.paused;
    inbox.closing = box_.closing;
    changed_ = false;
  }

  /// The dispatcher looks no more: from now on everything is idle.
  void exit() noexcept {
    const LockGuard guard(lock_);
    exited_ = true;
    idle_waiters_.tell(runtime_);
    exit_waiters_.tell(runtime_);
  }

  /// Sleeps unless something came since `take`. Who waits for idleness is told first, if it is `idle`.
  void sleep(const Wish& wish, bool idle) noexcept {
    if (lie_down(wish, idle)) rest(wish.until);
    // With the role again: user code may run next, and it may depend on those who wait.
    left_wakes_.see_to();
  }

  // From the executor, or the submitter, that has the role.

  /// Gives the role back, unless something came that has to be looked at first: then false. With
  /// `hand_over`, because the executor has a batch to run or a shutdown has begun, it always gives it
  /// back, and wakes the dispatcher if there is something for it to look at. If there is not, several
  /// `wakes` (unless null) are left to it, if it has no others and they are not too many: the list is
  /// empty then. It is woken for them, but needs no role.
  bool give_back(const Wish& wish, bool idle, bool hand_over, WakeList* wakes) noexcept {
    bool rings = false;
    {
      const LockGuard guard(lock_);
      const bool reports = wish.reports || !idle_waiters_.empty();
      const bool news = changed_ || (reported_ && reports) || box_.waiting != nullptr ||
                        wish.broken_by(box_.arrivals.chain) || earliest_deadline_ < wish.until;
      if (news && !hand_over) return false;
      if (idle && !news) idle_waiters_.tell(runtime_);
      wish_.become(wish);
      const bool rang = std::exchange(wanted_back_, false);
      const bool to_dispatcher =
          news || rang || wish.until < alarm_ || box_.closing != Closing::open;
      // Before the role: whoever gets that next sees to them before anything else.
      const bool leaves_wakes = !to_dispatcher && wakes != nullptr && left_wakes_.takes(*wakes);
      if (leaves_wakes) left_wakes_.leave(*wakes);
      role_.store(to_dispatcher ? kDispatcher : kFree, std::memory_order_seq_cst);
      rings = (to_dispatcher || leaves_wakes) && bell_.ring();
    }
    runtime_.interleave("gave the role back");
    if (cancelled_.load(std::memory_order_seq_cst) != nullptr && elected()) rings = true;
    if (rings) wake_dispatcher();
    return true;
  }

 private:
  template <class Change>
  void change(Change make) noexcept {
    bool wakes = false;
    {
      const LockGuard guard(lock_);
      make();
      changed_ = true;
      wakes = elected();
    }
    if (wakes) wake_dispatcher();
  }

  void add_report(Batch* batch, std::size_t executor) noexcept {
    if (batch != nullptr) batch->next = std::exchange(box_.finished, batch);
    if (executor != kNoCount) box_.vacated.push_back(executor);
    reported_ = true;
    if (batch != nullptr && executor != kNoCount && box_.arrivals.chain.empty()) wish_.settle();
  }

  template <class Add>
  bool borrow(Add add) noexcept {
    bool wakes = false;
    {
      const LockGuard guard(lock_);
      add();
      reported_ = true;
      if (!wish_.reports && idle_waiters_.empty()) return false;
      // A shutdown is the dispatcher's own affair.
      if (box_.closing == Closing::open && pass(kFree, kLent)) return true;
      wakes = elected();
    }
    if (wakes) wake_dispatcher();
    return false;
  }

  // Under the lock. To ring who only looks out is cheaper than a round. Cancellations wait for its end.
  Lent lend(Loan loan) noexcept {
    if (box_.closing != Closing::open) return Lent::nothing;
    const bool looks = wish_.plain && !changed_ && box_.waiting == nullptr;
    if (loan == Loan::to_dispatch && !(looks && bell_.asleep())) return Lent::nothing;
    if (!pass(kFree, kLent)) return Lent::nothing;
    if (!looks) return Lent::role;
    take_most(*inbox_);
    return Lent::look;
  }

  // Under the lock.
  void take_most(Inbox<Batch>& inbox) noexcept {
    box_.arrivals.give_to(inbox.arrivals);
    taken_ += inbox.arrivals.chain.count;
    ++takes_;
    inbox.finished = std::exchange(box_.finished, nullptr);
    std::swap(inbox.vacated, box_.vacated);
    reported_ = false;
    earliest_deadline_ = kNever;
  }

  // Gives the role away and leaves the wish behind, unless something came since `take`.
  bool lie_down(const Wish& wish, bool idle) noexcept {
    const LockGuard guard(lock_);
    if (changed_ || reported_ || !box_.arrivals.chain.empty() || box_.waiting) return false;
    if (idle) idle_waiters_.tell(runtime_);
    wish_ = wish;
    alarm_ = wish.until;
    role_.store(kFree, std::memory_order_seq_cst);
    return true;
  }

  // Sleeps until the role is the dispatcher's again.
  void rest(TimePoint until) noexcept {
    runtime_.interleave("about to sleep");
    if (cancelled_.load(std::memory_order_seq_cst) != nullptr && pass(kFree, kDispatcher)) return;
    for (;;) {
      const std::uint32_t heard = bell_.rings();
      const std::uint32_t role = role_.load(std::memory_order_seq_cst);
      if (role == kDispatcher) return;
      left_wakes_.see_to();  // Without the role, which others may need meanwhile.
      if (runtime_.now() < until) {
        bell_.wait(heard, until);
      } else if (role == kFree) {
        if (pass(kFree, kDispatcher)) return;
      } else if (wants_back()) {  // Given back meanwhile, nobody may ring.
        bell_.wait(heard, kNever);
      }
    }
  }

  // Whether the role is lent still: then it comes back with a ring.
  bool wants_back() noexcept {
    const LockGuard guard(lock_);
    wanted_back_ = role_.load(std::memory_order_relaxed) == kLent;
    return wanted_back_;
  }

  // After the bell has been rung. The batcher may be gone by now: only the word's address is used.
  void wake_dispatcher() noexcept { runtime_.unpark(bell_.word(), 1); }

  // Who has the role. While it is free, or lent, the dispatcher sleeps, or sees to wakes.
  enum : std::uint32_t { kDispatcher, kFree, kLent };

  bool pass(std::uint32_t from, std::uint32_t to) noexcept {
    return role_.load(std::memory_order_seq_cst) == from &&
           role_.compare_exchange_strong(from, to, std::memory_order_seq_cst);
  }

  // True for the one who has to wake the dispatcher; the bell has been rung then. Under the lock, while
  // the wish is the sleeper's and the batcher is alive (a canceller is waited for otherwise, and looks at
  // no wish). The wake comes after it, because it can cost as much as a thousand critical sections.
  bool elected() noexcept { return pass(kFree, kDispatcher) && bell_.ring(); }

  [[no_unique_address]] R runtime_;
  alignas(64) Lock<R> lock_;
  // Guarded by lock_. What each submitter writes shares its line.
  bool changed_ = false, reported_ = false, exited_ = false;
  bool wanted_back_ = false;              // The dispatcher's alarm rang while its role was lent.
  TimePoint earliest_deadline_ = kNever;  // Of the arrivals in box_.
  Inbox<Batch> box_;
  std::uint64_t taken_ = 0;  // Arrivals, by the dispatcher.
  std::uint64_t takes_ = 0;  // Numbers the inbox that is filled now.
  alignas(64) Wish wish_;  // Submitters look at it: nothing is on its line that changes more often.
  TimePoint alarm_ = kNever;  // The instant to which the dispatcher sleeps.
  IdleWaiters idle_waiters_;
  IdleWaiters exit_waiters_;

  alignas(64) std::atomic<RequestBase*> cancelled_{nullptr};
  std::atomic<std::uint32_t> role_{kDispatcher};
  Bell<R> bell_;
  LeftWakes left_wakes_;
  Inbox<Batch>* inbox_ = nullptr;  // The dispatcher's: of whoever has the role.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_INTAKE_HPP
