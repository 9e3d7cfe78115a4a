// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_QUEUE_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_QUEUE_HPP

#include <batchwright/policy.hpp>
#include <batchwright/scheduling.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

namespace batchwright_test {

/// A request as the reference model knows it. Tenants and lanes are numbers; 0 is the default.
struct ReferenceRequest {
  std::size_t id = 0;
  batchwright::TimePoint enqueued{};
  batchwright::TimePoint deadline = batchwright::kNever;
  batchwright::TimePoint latest = batchwright::kNever;  ///< What policies see as its deadline.
  batchwright::TimePoint expiry = batchwright::kNever;
  batchwright::TimePoint delay_at = batchwright::kNever;
  int priority = 0;
  std::size_t weight = 1;
  std::size_t length = 1;
  std::size_t bytes = 0;
  std::size_t tenant = 0;
  std::size_t lane = 0;

  std::uint64_t sequence = 0;   ///< The order of acceptance, from 1.
  std::uint64_t overtaken = 0;  ///< How often, so far.
  bool at_bound = false;        ///< As often as is allowed, as of the last dispatch.
  batchwright::TimePoint rank_deadline = batchwright::kNever;  ///< What it is ordered by.
  std::uint64_t delayed_as = 0;  ///< The order in which requests were delayed; 0: it was not.

  bool delayed() const { return delayed_as != 0; }
};

using ReferenceRequests = std::vector<ReferenceRequest>;

/// What is queued in the reference model, and in which order it leaves: one plain vector, in the
/// order of acceptance, that is searched anew for every question.
class ReferenceQueue {
 public:
  using TimePoint = batchwright::TimePoint;

  ReferenceQueue(batchwright::QueueOrder order, std::uint64_t overtaking_bound,
                 std::vector<std::uint64_t> shares)
      : order_(order),
        overtaking_bound_(overtaking_bound),
        shares_(std::move(shares)),
        tags_(shares_.size()) {}

  const ReferenceRequests& all() const { return queued_; }
  bool empty() const { return queued_.empty(); }
  std::uint64_t accepted() const { return accepted_; }

  /// The lanes in which something is queued, in the order in which they became non-empty.
  const std::vector<std::size_t>& lanes() const { return lanes_; }

  void arrive(ReferenceRequest request) {
    request.sequence = ++accepted_;
    request.rank_deadline = request.deadline;
    queued_.push_back(request);
    enlist(tenants_, request.tenant);
    enlist(lanes_, request.lane);
  }

  ReferenceRequest take(std::size_t id) {
    const ReferenceRequest request = find(id);
    remove({request});
    return request;
  }

  ReferenceRequest& find(std::size_t id) {
    return *std::find_if(queued_.begin(), queued_.end(),
                         [id](const auto& queued) { return queued.id == id; });
  }

  /// Its rank is another from now on. "A work has its place in time from its first member, and keeps
  /// it", so nothing else changes; "it never expires by itself".
  void rerank(std::size_t id, int priority, TimePoint deadline, TimePoint delay_at) {
    ReferenceRequest& request = find(id);
    request.priority = priority;
    request.rank_deadline = deadline;
    request.deadline = request.expiry = batchwright::kNever;
    // "`delay` puts it behind the others when the last timeout of its members has passed": if there is
    // another one to wait for, it is live again.
    if (request.delay_at != delay_at) request.delayed_as = 0;
    request.delay_at = delay_at;
  }

  void remove(const ReferenceRequests& leaving) {
    std::erase_if(queued_, [&leaving](const ReferenceRequest& queued) {
      return std::any_of(leaving.begin(), leaving.end(),
                         [&queued](const auto& gone) { return gone.id == queued.id; });
    });
    std::erase_if(tenants_, [this](std::size_t tenant) { return of_tenant(tenant).empty(); });
    std::erase_if(lanes_, [this](std::size_t lane) { return of_lane(lane).empty(); });
    // "When the queue becomes empty, by whatever event, V = the largest tag that any tenant ever
    // had": tags never fall.
    if (queued_.empty()) virtual_time_ = *std::max_element(tags_.begin(), tags_.end());
  }

  /// "All queued with delay_at <= now, not yet delayed, become delayed, by (delay_at, sequence)."
  /// What has expired by then just expires.
  void delay(TimePoint now) {
    std::vector<ReferenceRequest*> due;
    for (ReferenceRequest& request : queued_) {
      if (request.delay_at <= now && request.expiry > now && !request.delayed()) {
        due.push_back(&request);
      }
    }
    std::stable_sort(due.begin(), due.end(),
                     [](const auto* a, const auto* b) { return a->delay_at < b->delay_at; });
    for (ReferenceRequest* request : due) request->delayed_as = ++delayed_;
  }

  /// "All queued with expiry <= now, by (expiry, sequence)."
  ReferenceRequests expired(TimePoint now) const {
    ReferenceRequests due =
        filtered([now](const ReferenceRequest& request) { return request.expiry <= now; });
    std::stable_sort(due.begin(), due.end(),
                     [](const auto& a, const auto& b) { return a.expiry < b.expiry; });
    return due;
  }

  /// The next instant at which something expires or is delayed.
  TimePoint wake() const {
    TimePoint earliest = batchwright::kNever;
    for (const ReferenceRequest& request : queued_) {
      earliest = std::min(earliest, request.expiry);
      if (!request.delayed()) earliest = std::min(earliest, request.delay_at);
    }
    return earliest;
  }

  /// "Tenants in the order in which they became active (got their first queued request), within a
  /// tenant by sequence."
  ReferenceRequests by_activity() const {
    ReferenceRequests order;
    for (const std::size_t tenant : tenants_) {
      const ReferenceRequests requests = of_tenant(tenant);
      order.insert(order.end(), requests.begin(), requests.end());
    }
    return order;
  }

  /// "Victims are taken in the reverse of the tenant's order by rules 3 to 6, strictly lower
  /// priorities only; those at their overtaking bound are never victims", "as many (at least one)
  /// until their number is >= count and their bytes >= bytes. If all together do not suffice",
  /// there are none.
  ReferenceRequests victims(std::size_t count, std::size_t bytes, int priority,
                            std::size_t tenant) const {
    ReferenceRequests candidates = filtered([&](const ReferenceRequest& request) {
      return request.tenant == tenant && request.priority < priority && !request.at_bound;
    });
    std::sort(candidates.begin(), candidates.end(),
              [this](const auto& a, const auto& b) { return ranks_before(b, a); });
    ReferenceRequests chosen;
    std::size_t chosen_bytes = 0;
    for (const ReferenceRequest& request : candidates) {
      chosen.push_back(request);
      chosen_bytes += request.bytes;
      if (chosen.size() >= count && chosen_bytes >= bytes) return chosen;
    }
    return {};
  }

  ReferenceRequests of_lane(std::size_t lane) const {
    return filtered([lane](const ReferenceRequest& request) { return request.lane == lane; });
  }

  /// The lane's requests in the order in which a batch takes them: "repeatedly take the first of
  /// the lane, where each taken request's weight is charged to its tenant's tag, so tenants
  /// alternate inside a batch".
  ReferenceRequests order_of(std::size_t lane) const {
    ReferenceRequests waiting = of_lane(lane);
    std::sort(waiting.begin(), waiting.end(),
              [this](const auto& a, const auto& b) { return precedes_within_tenant(a, b); });
    ReferenceRequests order;
    std::vector<std::uint64_t> tags = tags_;
    while (!waiting.empty()) {
      // Of one tenant, the first stays the first: they are sorted.
      auto first = waiting.begin();
      for (auto other = first + 1; other != waiting.end(); ++other) {
        if (other->tenant != first->tenant && tenant_precedes(other->tenant, first->tenant, tags)) {
          first = other;
        }
      }
      charge(*first, tags, virtual_time_);
      order.push_back(*first);
      waiting.erase(first);
    }
    return order;
  }

  /// Whether `a` goes before `b`, of whatever tenants and lanes they are.
  bool precedes(const ReferenceRequest& a, const ReferenceRequest& b) const {
    return a.tenant == b.tenant ? precedes_within_tenant(a, b)
                                : tenant_precedes(a.tenant, b.tenant, tags_);
  }

  /// How much leaves before a newcomer does: of its tenant what goes before it, and of each other tenant
  /// what its share lets pass meanwhile.
  std::uint64_t weight_before(const ReferenceRequest& newcomer) const {
    ReferenceRequest last = newcomer;
    last.sequence = accepted_ + 1;
    last.rank_deadline = newcomer.deadline;
    std::uint64_t own = 0;
    std::vector<std::uint64_t> others(shares_.size());
    for (const ReferenceRequest& request : queued_) {
      if (request.tenant != newcomer.tenant) {
        others[request.tenant] += request.weight;
      } else if (precedes_within_tenant(request, last)) {
        own += request.weight;
      }
    }
    std::uint64_t all = own;
    for (std::size_t tenant = 0; tenant < shares_.size(); ++tenant) {
      all += std::min(others[tenant], own * shares_[tenant] / shares_[newcomer.tenant]);
    }
    return all;
  }

  /// The batch leaves: its tenants pay, and those that stay have been overtaken.
  void dispatch(const ReferenceRequests& batch) {
    // "V = effective(tenant of the batch's head); then for each request of the batch in order" its
    // tenant's tag grows.
    virtual_time_ = effective(batch.front().tenant, tags_);
    for (const ReferenceRequest& request : batch) charge(request, tags_, virtual_time_);
    remove(batch);
    // "A request is overtaken once per request of its own tenant that was accepted later,
    // dispatched earlier, and is not in its own batch": what still is queued is dispatched later
    // than this batch, if ever.
    for (ReferenceRequest& left_behind : queued_) {
      for (const ReferenceRequest& gone : batch) {
        if (gone.tenant == left_behind.tenant && gone.sequence > left_behind.sequence) {
          ++left_behind.overtaken;
        }
      }
      // "Decided after each dispatched batch: a request is at the bound from then on."
      if (left_behind.overtaken >= overtaking_bound_) left_behind.at_bound = true;
    }
  }

 private:
  static void enlist(std::vector<std::size_t>& list, std::size_t member) {
    if (std::find(list.begin(), list.end(), member) == list.end()) list.push_back(member);
  }

  template <class TPredicate>
  ReferenceRequests filtered(TPredicate belongs) const {
    ReferenceRequests chosen;
    for (const ReferenceRequest& request : queued_) {
      if (belongs(request)) chosen.push_back(request);
    }
    return chosen;
  }

  ReferenceRequests of_tenant(std::size_t tenant) const {
    return filtered([tenant](const ReferenceRequest& request) { return request.tenant == tenant; });
  }

  /// "effective(t) = max(tag(t), V)."
  std::uint64_t effective(std::size_t tenant, const std::vector<std::uint64_t>& tags) const {
    return std::max(tags[tenant], virtual_time_);
  }

  /// "tag(t) = max(tag(t), V) + weight * 2^20 / share(t) (integer division)."
  void charge(const ReferenceRequest& request, std::vector<std::uint64_t>& tags,
              std::uint64_t virtual_time) const {
    std::uint64_t& tag = tags[request.tenant];
    tag = std::max(tag, virtual_time) + request.weight * (1u << 20) / shares_[request.tenant];
  }

  /// "The tenant with the smaller effective tag first; ties: the tenant whose first accepted queued
  /// request has the smaller sequence." That request may be in any lane, and one that the batch has
  /// taken already still counts: until the dispatch it is queued.
  bool tenant_precedes(std::size_t a, std::size_t b, const std::vector<std::uint64_t>& tags) const {
    const std::uint64_t tag_of_a = effective(a, tags);
    const std::uint64_t tag_of_b = effective(b, tags);
    if (tag_of_a != tag_of_b) return tag_of_a < tag_of_b;
    return first_accepted(a) < first_accepted(b);
  }

  std::uint64_t first_accepted(std::size_t tenant) const {
    return std::find_if(queued_.begin(), queued_.end(),
                        [tenant](const auto& request) { return request.tenant == tenant; })
        ->sequence;
  }

  /// "One at the overtaking bound before one that is not; two at the bound: by sequence." Then by
  /// rank.
  bool precedes_within_tenant(const ReferenceRequest& a, const ReferenceRequest& b) const {
    if (a.at_bound != b.at_bound) return a.at_bound;
    if (a.at_bound) return a.sequence < b.sequence;
    return ranks_before(a, b);
  }

  /// Rules 3 to 6: "higher priority first", "not delayed before delayed", "by the limits' order",
  /// then the order in which they came where they are: "for live ones that is the sequence, for
  /// delayed ones the order in which they were delayed".
  bool ranks_before(const ReferenceRequest& a, const ReferenceRequest& b) const {
    if (a.priority != b.priority) return a.priority > b.priority;
    if (a.delayed() != b.delayed()) return b.delayed();
    if (order_ == batchwright::QueueOrder::earliest_deadline &&
        a.rank_deadline != b.rank_deadline) {
      return a.rank_deadline < b.rank_deadline;
    }
    if (order_ == batchwright::QueueOrder::shortest_first && a.length != b.length) {
      return a.length < b.length;
    }
    return std::tie(a.delayed_as, a.sequence) < std::tie(b.delayed_as, b.sequence);
  }

  batchwright::QueueOrder order_;
  std::uint64_t overtaking_bound_;
  std::vector<std::uint64_t> shares_;  // By tenant.
  std::vector<std::uint64_t> tags_;    // By tenant.
  std::uint64_t virtual_time_ = 0;
  ReferenceRequests queued_;          // In the order of acceptance.
  std::vector<std::size_t> tenants_;  // Those with something queued, in the order they became so.
  std::vector<std::size_t> lanes_;    // The same of the lanes.
  std::uint64_t accepted_ = 0;
  std::uint64_t delayed_ = 0;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_QUEUE_HPP
