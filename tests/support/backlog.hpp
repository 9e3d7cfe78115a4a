// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_BACKLOG_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_BACKLOG_HPP

#include <batchwright/detail/backlog.hpp>
#include <batchwright/detail/lane_order.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace batchwright_test {

struct NamedHeader : batchwright::detail::RequestHeader {
  std::string name;
};

/// A backlog and the requests in it, for the tests of the parts that look at one.
class BacklogRig {
 public:
  explicit BacklogRig(batchwright::detail::SchedulerLimits its_limits = {})
      : limits(std::move(its_limits)), backlog(limits), order(backlog.shares()) {}

  batchwright::detail::Flow& flow(batchwright::detail::Tenant& tenant,
                                  batchwright::detail::Lane& lane) {
    batchwright::detail::Flow& flow = flows_.emplace_back();
    flow.tenant = &tenant;
    flow.lane = &lane;
    return flow;
  }

  NamedHeader& enter(const std::string& name, int priority = 0, std::uint32_t weight = 1,
                     batchwright::detail::Flow* flow = nullptr) {
    NamedHeader& request = requests_.emplace_back();
    request.name = name;
    request.priority = priority;
    request.weight = weight;
    request.flow = flow;
    backlog.enter(request);
    return request;
  }

  /// The lane in the order in which a batch would take it.
  std::string walk(const batchwright::detail::Lane& lane) {
    std::string names;
    for (const auto* request = &order.begin(lane); request != nullptr; request = order.next()) {
      names += static_cast<const NamedHeader&>(*request).name;
    }
    return names;
  }

  const batchwright::detail::SchedulerLimits limits;
  batchwright::detail::Backlog backlog;
  batchwright::detail::LaneOrder order;

 private:
  std::deque<NamedHeader> requests_;
  std::deque<batchwright::detail::Flow> flows_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_BACKLOG_HPP
