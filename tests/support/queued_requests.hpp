// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_QUEUED_REQUESTS_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_QUEUED_REQUESTS_HPP

#include "queue_view.hpp"

#include <batchwright/policy.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace batchwright_test {

/// A queue that a policy can walk, of requests that all came at kOldest, and what it knows of service
/// times: l(b) = fixed + per_item b, or some measured means. Has to outlive its views.
class QueuedRequests {
 public:
  explicit QueuedRequests(std::vector<batchwright::QueuedRequest> requests)
      : queue_{std::move(requests)} {
    for (batchwright::QueuedRequest& request : queue_.requests) request.enqueued = kOldest;
  }

  /// One request of weight 1 for each deadline.
  static QueuedRequests with_deadlines(const std::vector<batchwright::TimePoint>& deadlines) {
    std::vector<batchwright::QueuedRequest> requests;
    for (const batchwright::TimePoint deadline : deadlines) {
      requests.push_back({.deadline = deadline});
    }
    return QueuedRequests(std::move(requests));
  }

  QueuedRequests& line(batchwright::Duration fixed, batchwright::Duration per_item,
                       batchwright::Duration deviation = {}) {
    service_.intercept_ns = static_cast<double>(fixed.count());
    service_.slope_ns = static_cast<double>(per_item.count());
    service_.deviation_ns = static_cast<double>(deviation.count());
    service_.samples = 100;
    return *this;
  }

  QueuedRequests& means(std::vector<batchwright::SizeMean> means) {
    means_ = std::move(means);
    return *this;
  }

  batchwright::QueueView view(batchwright::Duration age = {}, std::size_t cap = 32) {
    std::size_t size = 0;
    for (const batchwright::QueuedRequest& request : queue_.requests) size += request.weight;
    batchwright::QueueView view = view_of(size, age, cap);
    view.count = queue_.requests.size();
    view.queue = queue_.cursor();
    service_.means = means_;
    view.service = &service_;
    return view;
  }

  const batchwright::ServiceEstimate& service() {
    service_.means = means_;
    return service_;
  }

 private:
  ListedQueue queue_;
  std::vector<batchwright::SizeMean> means_;
  batchwright::ServiceEstimate service_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_QUEUED_REQUESTS_HPP
