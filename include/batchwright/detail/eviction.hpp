// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_EVICTION_HPP
#define BATCHWRIGHT_DETAIL_EVICTION_HPP

#include "flow.hpp"
#include "request_header.hpp"

#include <cstddef>

namespace batchwright::inline v0_1::detail {

/// Chooses which queued requests of a tenant give way to one of higher priority: its order backwards, as
/// many as make the room that is asked for, one at least. Of strictly lower priorities only, and nobody
/// at the overtaking bound. The choice is made before anything is evicted: if all of them do not suffice
/// there are no victims. The first of them, linked by `next_picked`; null if there are none.
/// O(victims x (lanes of the tenant + log levels)).
inline RequestHeader* choose_victims(const Tenant& tenant, std::size_t count, std::size_t bytes,
                                     int priority) noexcept {
  using Flows = IntrusiveList<&Flow::in_tenant>;
  for (Flow* flow = tenant.flows.front(); flow != nullptr; flow = Flows::next(*flow)) {
    flow->candidate = flow->queue.back();
  }
  RequestHeader* first = nullptr;
  RequestHeader** link = &first;
  std::size_t victims = 0;
  std::size_t freed = 0;
  while (victims < count || freed < bytes || victims == 0) {
    Flow* last = nullptr;
    for (Flow* flow = tenant.flows.front(); flow != nullptr; flow = Flows::next(*flow)) {
      if (flow->candidate == nullptr || flow->candidate->priority >= priority) continue;
      if (last == nullptr || PriorityQueue::before(*last->candidate, *flow->candidate)) last = flow;
    }
    if (last == nullptr) return nullptr;
    RequestHeader* const victim = last->candidate;
    last->candidate = last->queue.previous(*victim);
    ++victims;
    freed += victim->bytes;
    *link = victim;
    link = &victim->next_picked;
    *link = nullptr;
  }
  return first;
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_EVICTION_HPP
