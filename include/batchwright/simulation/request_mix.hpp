// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_REQUEST_MIX_HPP
#define BATCHWRIGHT_SIMULATION_REQUEST_MIX_HPP

#include "../detail/admission.hpp"
#include "../detail/batch_size.hpp"
#include "../detail/flow.hpp"
#include "../detail/queue_levels.hpp"
#include "../detail/request_header.hpp"
#include "../options.hpp"
#include "../policy.hpp"
#include "classes.hpp"
#include "random.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace batchwright::inline v0_1::detail {

struct SharedKey;

/// A request as the scheduler knows it, and what the simulation has to remember of it.
struct SimulatedRequest : RequestHeader {
  std::uint64_t number = 0;
  std::size_t client = 0;
  std::size_t level = kNoCount;
  SharedKey* shared_key = nullptr;  ///< Null for what is computed alone.
  std::uint32_t request_class = 0;
  bool rides = false;  ///< Waits for what was being computed when it came.
};

/// Requests are taken from here and put back: it grows to the largest number that ever lived at once.
class RequestArena {
 public:
  SimulatedRequest& take() {
    if (free_ == nullptr) grow();
    SimulatedRequest& request = *free_;
    free_ = static_cast<SimulatedRequest*>(request.next_picked);
    return request;
  }

  void put_back(SimulatedRequest& request) noexcept {
    request.next_picked = free_;
    free_ = &request;
  }

 private:
  static constexpr std::size_t kFirstBlock = 64;

  void grow() {
    const std::size_t count = kFirstBlock << std::min<std::size_t>(blocks_.size(), 12);
    blocks_.push_back(std::make_unique<SimulatedRequest[]>(count));
    for (std::size_t i = count; i-- > 0;) put_back(blocks_.back()[i]);
  }

  std::vector<std::unique_ptr<SimulatedRequest[]>> blocks_;
  SimulatedRequest* free_ = nullptr;
};

/// What a batcher would make of a request of each class, worked out once.
class RequestMix {
 public:
  struct Kind {
    double below = 1;  ///< Drawn by a uniform number below this, and not below the one before.
    std::uint32_t index = 0;
    int priority = 0;
    std::uint32_t weight = 1;
    std::uint32_t length = 1;
    std::size_t bytes = 0;
    std::size_t level = kNoCount;
    Flow* flow = nullptr;
    TenantRoom* room = nullptr;  ///< Null where the whole queue is all that has a limit.
    Duration deadline = Duration::max();
    Duration expires_after = Duration::max();
    Duration delayed_after = Duration::max();
    bool too_large = false;
  };

  /// Settled options. `admission`, if given, says what room tenants have, and outlives it.
  template <class Options>
  RequestMix(const std::vector<simulation::RequestClass>& classes, const Options& options,
             const simulation::Random& random, Admission* admission = nullptr)
      : random_(random) {
    if (options.lane || options.tenant) make_flows(classes, options);
    if (options.tenant && admission != nullptr && admission->limits_tenants())
      make_rooms(*admission);
    double sum = 0;
    for (const simulation::RequestClass& one : classes) sum += one.proportion;
    double before = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      kinds_.push_back(kind_of(classes[i], options));
      kinds_[i].index = static_cast<std::uint32_t>(i);
      before += classes[i].proportion;
      kinds_[i].below = before / sum;
      if (!flow_of_.empty()) kinds_[i].flow = &flows_[flow_of_[i]];
      kinds_[i].room = room_of(kinds_[i].flow);
      if (kinds_[i].room == nullptr && kinds_[i].level != kNoCount && admission != nullptr) {
        kinds_[i].room = &admission->own_room();
      }
    }
  }

  const Kind& draw() noexcept {
    if (kinds_.size() == 1) return kinds_.front();
    const double at = random_.unit();
    std::size_t index = 0;
    while (index + 1 < kinds_.size() && at >= kinds_[index].below) ++index;
    return kinds_[index];
  }

  static void fill(SimulatedRequest& request, const Kind& kind, TimePoint now) noexcept {
    request.enqueued = now;
    request.deadline = saturating_add(now, kind.deadline);
    request.expiry = saturating_add(now, kind.expires_after);
    request.delay_at = saturating_add(now, kind.delayed_after);
    request.flow = kind.flow;
    request.bytes = kind.bytes;
    request.priority = kind.priority;
    request.weight = kind.weight;
    request.length = kind.length;
    request.level = kind.level;
    request.request_class = kind.index;
  }

 private:
  template <class Options>
  static Kind kind_of(const simulation::RequestClass& one, const Options& options) {
    Kind kind{.priority = one.priority,
              .weight = static_cast<std::uint32_t>(one.weight),
              .length = static_cast<std::uint32_t>(one.length),
              .bytes = options.bytes ? one.bytes : 0,
              .deadline = one.deadline};
    const QueueLevels levels(options.queue, options.levels);
    levels.check(one.priority, one.timeout);
    kind.level = levels.find(one.priority);
    (levels.policy(kind.level).on_timeout == TimeoutAction::delay ? kind.delayed_after
                                                                  : kind.expires_after) =
        levels.timeout(kind.level, one.timeout);
    const std::size_t cap =
        options.allowed_sizes.empty() ? options.max_batch_size : options.allowed_sizes.back();
    kind.too_large = options.oversized == Oversized::refuse &&
                     BatchSize::of(options.size_rule, 1, one.weight, one.length) > cap;
    return kind;
  }

  template <class Options>
  void make_flows(const std::vector<simulation::RequestClass>& classes, const Options& options) {
    std::size_t lanes = 0;
    std::size_t tenants = 0;
    for (const simulation::RequestClass& one : classes) {
      lanes = std::max(lanes, one.lane + 1);
      tenants = std::max(tenants, one.tenant + 1);
    }
    lanes_ = std::vector<Lane>(lanes);
    tenants_ = std::vector<Tenant>(tenants);
    flows_ = std::vector<Flow>(classes.size());
    if (options.sticky_lanes == StickyLanes::yes) {
      const std::size_t executors = std::max<std::size_t>(options.executors, 1);
      for (std::size_t i = 0; i < lanes; ++i) lanes_[i].executor = i % executors;
    }
    for (std::size_t i = 0; i < classes.size(); ++i) {
      flow_of_.push_back(i);
      bool named = false;
      for (std::size_t j = 0; j < i; ++j) {
        if (classes[j].tenant != classes[i].tenant) continue;
        named = true;
        if (classes[j].lane == classes[i].lane) flow_of_[i] = std::min(flow_of_[i], j);
      }
      flows_[i].lane = &lanes_[classes[i].lane];
      flows_[i].tenant = &tenants_[classes[i].tenant];
      if (!named) {
        flows_[i].tenant->share = static_cast<std::uint32_t>(classes[i].tenant_share);
      }
    }
  }

  void make_rooms(const Admission& admission) {
    rooms_ = std::vector<TenantRoom>(tenants_.size());
    for (std::size_t i = 0; i < tenants_.size(); ++i) {
      admission.open(rooms_[i], tenants_[i].share);
      tenants_[i].room = &rooms_[i];
    }
  }

  simulation::Random random_;
  std::vector<Kind> kinds_;
  std::vector<std::size_t> flow_of_;  // By class; empty where all are of the scheduler's own flow.
  std::vector<Flow> flows_;
  std::vector<Lane> lanes_;
  std::vector<Tenant> tenants_;
  std::vector<TenantRoom> rooms_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_SIMULATION_REQUEST_MIX_HPP
