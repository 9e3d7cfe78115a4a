// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LANE_CURSOR_HPP
#define BATCHWRIGHT_DETAIL_LANE_CURSOR_HPP

#include "../policy.hpp"
#include "flow.hpp"
#include "lane_order.hpp"
#include "lone_request.hpp"
#include "request_header.hpp"

namespace batchwright::inline v0_1::detail {

/// Lets a policy walk the lane that it is asked about.
class LaneCursor {
 public:
  explicit LaneCursor(LaneOrder& order) noexcept : order_(order) {}
  LaneCursor(const LaneCursor&) = delete;
  LaneCursor& operator=(const LaneCursor&) = delete;

  QueueCursor at(const Lane& lane) noexcept {
    lane_ = &lane;
    return QueueCursor(this, &step);
  }

 private:
  // There is one walk, so a cursor that is not where the walk stands begins it anew.
  static const void* step(const void* cursor, const void* position, QueuedRequest& out) noexcept {
    const auto& self = *static_cast<const LaneCursor*>(cursor);
    const RequestHeader* request = nullptr;
    if (position == nullptr) {
      request = &self.order_.begin(*self.lane_);
    } else {
      if (self.order_.last() != position) {
        request = &self.order_.begin(*self.lane_);
        while (request != position) request = self.order_.next();
      }
      request = self.order_.next();
    }
    if (request != nullptr) out = as_queued(*request);
    return request;
  }

  LaneOrder& order_;
  const Lane* lane_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LANE_CURSOR_HPP
