// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_SHARING_HPP
#define BATCHWRIGHT_SIMULATION_SHARING_HPP

#include "../detail/action.hpp"
#include "../detail/admission.hpp"
#include "../detail/batch_state.hpp"
#include "../detail/block_pool.hpp"
#include "../detail/coalescer.hpp"
#include "../detail/intake.hpp"
#include "../detail/request.hpp"
#include "../detail/request_header.hpp"
#include "../policy.hpp"
#include "../runtime.hpp"
#include "classes.hpp"
#include "random.hpp"
#include "request_mix.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Lets simulated requests with one key share a computation, by the batcher's own Coalescer. Around it
/// stand the parts of the dispatcher and of who answers. In a simulation nobody cancels, so nobody is
/// lost to a cancellation, and no batch is told to stop.
///
/// With it each request is a batcher's Request, whose input is the simulated one, from its arrival until
/// it is taken out again; all that the scheduler has are such requests, and works. What is given out are
/// simulated ones.
class SimulatedSharing final : private SharedKeyOwner {
 public:
  using Member = Request<SimulatedRequest*, void>;

  /// Null if no class has keys.
  static std::unique_ptr<SimulatedSharing> make(
      const std::vector<simulation::RequestClass>& classes, const simulation::Random& random,
      Admission& admission) {
    const bool shares =
        std::any_of(classes.begin(), classes.end(), [](const auto& one) { return one.keys > 0; });
    return shares ? std::make_unique<SimulatedSharing>(classes, random, admission) : nullptr;
  }

  SimulatedSharing(const std::vector<simulation::RequestClass>& classes,
                   const simulation::Random& random, Admission& admission)
      : random_(random),
        intake_(SystemRuntime{}, 1),
        coalescer_(SystemRuntime{}, ResultCopier{}, admission, intake_) {
    for (const simulation::RequestClass& one : classes) {
      first_key_.push_back(keys_.size());
      keys_.resize(keys_.size() + one.keys);
    }
    first_key_.push_back(keys_.size());
    for (SharedKey& key : keys_) key.owner = this;
    coalescer_.count_lost_in(lost_);
  }

  /// Gives a request of some class its key.
  void draw_key(SimulatedRequest& request) noexcept {
    const std::size_t first = first_key_[request.request_class];
    const std::size_t count = first_key_[request.request_class + 1] - first;
    request.shared_key = count == 0 ? nullptr : &keys_[first + random_.bits() % count];
    request.rides = false;
  }

  /// A request comes for which there is room. It `rides` then if it waits for what is being computed.
  template <class Scheduler>
  void arrive(SimulatedRequest& request, Scheduler& scheduler) {
    Member& member = *pool_new<Member>(&request);
    static_cast<RequestHeader&>(member) = request;
    member.level = request.level;
    member.shared_key = request.shared_key;
    if (member.shared_key == nullptr) return scheduler.arrive(member);
    coalescer_.arrive(member, scheduler, states_, [&request](Member&) { request.rides = true; });
  }

  /// Who waits for what the scheduler has handed out to be failed.
  RequestChain unfold(const RequestChain& handed_out) noexcept {
    return take_out(coalescer_.unfold(handed_out));
  }

  /// Whose time is up: those who share.
  template <class Scheduler>
  RequestChain take_expired(TimePoint now, Scheduler& scheduler) noexcept {
    const RequestChain expired = coalescer_.take_expired(now, scheduler, states_);
    expired.each<Member>([this](Member& member) {
      if (member.place == Place::riding) coalescer_.rode();
    });
    return take_out(expired);
  }

  std::size_t unknown() const noexcept { return coalescer_.unknown(); }

  auto outlook() noexcept { return coalescer_.outlook(); }

  /// A batch is dispatched, and enters the predictor in the same instant: `leave(request)` is called for
  /// each that leaves the queue. Returns one request for each that is computed, to be given to `end`,
  /// linked by `next_picked`.
  template <class Leave>
  RequestHeader* start(const Action& action, TimePoint now, Leave&& leave) noexcept {
    RequestHeader* first = nullptr;
    RequestHeader** link = &first;
    const auto leaves = [&](Member& member) { leave(*member.input()); };
    action.requests.each<RequestHeader>([&](RequestHeader& header) {
      RequestHeader* leader = &header;
      if (header.shared) {
        auto& work = static_cast<SharedWork&>(header);
        coalescer_.board(work, action.batch_id, leaves);
        // Whose time is up has been taken out before: there is one.
        leader = coalescer_.enter(work, now).leader;
      } else {
        leaves(static_cast<Member&>(header));
      }
      *link = leader;
      link = &leader->next_picked;
    });
    *link = nullptr;
    return first;
  }

  /// The result is there: who waited for it, last the one that was computed.
  RequestChain end(RequestHeader& header) noexcept {
    auto& leader = static_cast<Member&>(header);
    RequestChain all;
    if (leader.work != nullptr) {
      std::size_t entered = 0;
      all = coalescer_.end(leader, entered);
    }
    all.append(leader);
    return take_out(all);
  }

 private:
  // Nothing looks for what nobody waits for.
  struct States {
    bool wanted(std::uint64_t, std::uint64_t, TimePoint) const noexcept { return true; }
    void unwanted(std::uint64_t) const noexcept {}
  };

  void release(SharedKey&) noexcept override {}

  static RequestChain take_out(const RequestChain& members) noexcept {
    RequestChain requests;
    members.each<Member>([&](Member& member) {
      requests.append(*member.input());
      member.release();
    });
    return requests;
  }

  simulation::Random random_;
  std::vector<SharedKey> keys_;         // Of all classes.
  std::vector<std::size_t> first_key_;  // By class, and one more.
  States states_;
  std::atomic<std::int64_t> lost_{0};
  Intake<BatchState<SimulatedRequest*, void>, SystemRuntime> intake_;  // Nobody waits for room.
  Coalescer<SimulatedRequest*, void, SystemRuntime> coalescer_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_SIMULATION_SHARING_HPP
