// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_FORECAST_HPP
#define BATCHWRIGHT_DETAIL_FORECAST_HPP

#include "../policy.hpp"
#include "batch_size.hpp"
#include "executor_table.hpp"
#include "flow.hpp"
#include "intrusive_list.hpp"
#include "request_header.hpp"
#include "scheduler_limits.hpp"
#include "service_model.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Whether a request that comes now can still be answered by its deadline. See Forecast for what it
/// counts. Under the padded rule the work of others is counted by their number at the newcomer's length.
class RequestForecast {
 public:
  explicit RequestForecast(const SchedulerLimits& limits) noexcept
      : refuses_(limits.forecast == Forecast::refuse), rule_(limits.size_rule) {}

  bool refuses() const noexcept { return refuses_; }

  /// Requires that the request's tenant is known and that it is not queued yet. `tenants`: of all that
  /// have something queued the first. O(levels before it + flows), and ExecutorTable::expected_vacant.
  template <class Tenants>
  bool hopeless(const RequestHeader& request, const Tenants& tenants, std::size_t cap,
                const ServiceModel& service, ExecutorTable& executors) const noexcept {
    if (request.deadline == kNever && request.expiry == kNever) return false;
    const TimePoint now = request.enqueued;
    const ServiceEstimate estimate = service.estimate();
    if (estimate.samples < kLeastSamples) return false;
    if (tenants.front() == nullptr && executors.running().empty()) return false;

    const std::uint64_t own = BatchSize::of(rule_, 1, request.weight, request.length);
    const std::uint64_t unit = rule_ == SizeRule::padded ? request.length : 1;
    const std::uint64_t total = unit * weight_before(request, tenants) + own;
    const std::uint64_t full = (total - 1) / cap;
    const auto last = static_cast<std::size_t>(total - full * cap);
    const TimePoint start = executors.expected_vacant(full, time_of(cap, service, estimate), now);
    const TimePoint finish = saturating_add(start, time_of(last, service, estimate));
    return finish > request.deadline || start > request.expiry;
  }

 private:
  static constexpr std::uint64_t kLeastSamples = 8;
  static constexpr std::uint64_t kEverything = static_cast<std::uint64_t>(-1);

  static Duration time_of(std::size_t size, const ServiceModel& service,
                          const ServiceEstimate& estimate) noexcept {
    const SizeMean* const mean = service.mean_of(size);
    return mean != nullptr ? Duration(static_cast<std::int64_t>(mean->mean_ns))
                           : estimate.expected(size);
  }

  // Weight that leaves before the request does: of its tenant what precedes it, and of each other what
  // its share lets pass meanwhile.
  template <class Tenants>
  static std::uint64_t weight_before(const RequestHeader& request,
                                     const Tenants& tenants) noexcept {
    const Tenant& own = *request.flow->tenant;
    std::uint64_t before = 0;
    for (const Flow* flow = own.flows.front(); flow != nullptr; flow = next_flow(*flow)) {
      for (const RequestHeader* one = flow->at_bound.front(); one != nullptr;
           one = decltype(flow->at_bound)::next(*one)) {
        before += one->weight;
      }
      before += flow->queue.weight_before(request, kEverything);
    }
    std::uint64_t all = before;
    for (const Tenant* tenant = tenants.front(); tenant != nullptr;
         tenant = Tenants::next(*tenant)) {
      if (tenant == &own) continue;
      std::uint64_t queued = 0;
      for (const Flow* flow = tenant->flows.front(); flow != nullptr; flow = next_flow(*flow)) {
        queued += flow->weight;
      }
      all += std::min(queued, before * tenant->share / own.share);
    }
    return all;
  }

  static const Flow* next_flow(const Flow& flow) noexcept {
    return IntrusiveList<&Flow::in_tenant>::next(flow);
  }

  bool refuses_;
  SizeRule rule_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_FORECAST_HPP
