// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_ARRIVAL_NEWS_HPP
#define BATCHWRIGHT_DETAIL_ARRIVAL_NEWS_HPP

#include "../policy.hpp"
#include "request_header.hpp"

#include <algorithm>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Whether a policy is to be told of arrivals.
template <class Policy>
bool hears_arrivals([[maybe_unused]] const Policy& policy) noexcept {
  if constexpr (requires { policy.hears_arrivals(); }) {
    return policy.hears_arrivals();
  } else {
    return HearsArrivals<Policy>;
  }
}

/// Tells a policy of arrivals: of each at once if it needs that, else in bulk when it is asked next.
template <class Policy>
class ArrivalNews {
 public:
  void note([[maybe_unused]] Policy& policy, [[maybe_unused]] const RequestHeader& request,
            [[maybe_unused]] bool each) noexcept {
    if constexpr (HearsArrivals<Policy>) {
      if (each) {
        policy.on_arrivals({1, request.weight, request.enqueued, request.enqueued});
        return;
      }
      if (untold_.count++ == 0) untold_.first = untold_.last = request.enqueued;
      untold_.size += request.weight;
      untold_.first = std::min(untold_.first, request.enqueued);
      untold_.last = std::max(untold_.last, request.enqueued);
    }
  }

  void tell([[maybe_unused]] Policy& policy) noexcept {
    if constexpr (HearsArrivals<Policy>) {
      if (untold_.count > 0) policy.on_arrivals(std::exchange(untold_, {}));
    }
  }

 private:
  ArrivalReport untold_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_ARRIVAL_NEWS_HPP
