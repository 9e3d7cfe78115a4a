// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LONE_REQUEST_HPP
#define BATCHWRIGHT_DETAIL_LONE_REQUEST_HPP

#include "../policy.hpp"
#include "request_header.hpp"

namespace batchwright::inline v0_1::detail {

/// What a policy knows of a request.
inline QueuedRequest as_queued(const RequestHeader& request) noexcept {
  return {request.enqueued, request.shared ? request.latest : request.deadline, request.weight,
          request.priority};
}

/// A queue of one request that is in no queue.
struct LoneRequest {
  static QueueCursor cursor(const RequestHeader& request) noexcept {
    return QueueCursor(&request, &step);
  }

 private:
  static const void* step(const void* queue, const void* position, QueuedRequest& out) noexcept {
    if (position != nullptr) return nullptr;
    out = as_queued(*static_cast<const RequestHeader*>(queue));
    return queue;
  }
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LONE_REQUEST_HPP
