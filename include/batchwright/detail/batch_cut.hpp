// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BATCH_CUT_HPP
#define BATCHWRIGHT_DETAIL_BATCH_CUT_HPP

#include "batch_size.hpp"
#include "flow.hpp"
#include "lane_order.hpp"
#include "request_header.hpp"
#include "scheduler_limits.hpp"
#include "size_times.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// How much of a lane, in its order, makes the next batch: as much as the limit lets, then cut to the
/// sizes that the model likes.
class BatchCut {
 public:
  /// The first `count` requests, linked by `next_picked` from `first`; or, with a `last`, the first ones
  /// of the lane's only flow, up to that one, of a share of 1.
  struct Cut {
    RequestHeader* first = nullptr;
    RequestHeader* last = nullptr;
    bool accepted_first = false;  // With a `last`: and the first by acceptance, in this order,
    bool oldest = false;          // and by age.
    std::size_t count = 0;
    std::size_t size = 0;
    std::size_t padded_size = 0;
  };

  explicit BatchCut(const SchedulerLimits& limits)
      : rule_(limits.size_rule),
        cap_(limits.cap()),
        all_preferred_(limits.preferred_sizes),
        preferred_(all_preferred_),
        allowed_(limits.allowed_sizes),
        fit_(limits.fit),
        lists_(!limits.preferred_sizes.empty() || !limits.allowed_sizes.empty()),
        sums_(limits.size_rule == SizeRule::sum) {}

  BatchCut(const BatchCut&) = delete;
  BatchCut& operator=(const BatchCut&) = delete;

  std::size_t cap() const noexcept { return cap_; }

  /// The allowed size to which a batch of `size` is padded.
  std::size_t padded(std::size_t size) const noexcept { return padded_to(allowed_, size); }

  /// One of the allowed sizes where there are such. Preferred sizes above it are not preferred then.
  void set_cap(std::size_t cap) noexcept {
    cap_ = cap;
    const auto end = std::upper_bound(all_preferred_.begin(), all_preferred_.end(), cap);
    preferred_ =
        std::span(all_preferred_).first(static_cast<std::size_t>(end - all_preferred_.begin()));
  }

  /// Whether a lane is due because a preferred size can be had, or cannot be had any more. O(batch).
  bool preferred_reached(LaneOrder& order, const Lane& lane) const noexcept {
    if (preferred_.empty()) return false;
    if (lane.size(rule_) > preferred_.back()) return true;
    if (lane.size(rule_) < preferred_.front()) return false;
    return pick(order, lane, cap_).preferred.count > 0;
  }

  /// Whether that may change while the lane does not, because its tenants' turns do.
  bool depends_on_turns(const Lane& lane) const noexcept {
    return !preferred_.empty() && lane.flows.front() != lane.flows.back() &&
           (rule_ != SizeRule::sum || lane.weight != lane.count);
  }

  /// How much more has to come until a preferred size may be reached: any request may do it once the
  /// smallest of them is passed, because it may be of a weight, or take a place, that makes a sum hit.
  std::size_t missing_to_preferred(std::size_t queued) const noexcept {
    if (preferred_.empty()) return kNoCount;
    return queued < preferred_.front() ? preferred_.front() - queued : 1;
  }

  /// A batch of at most `limit`, and at least one request. O(batch).
  Cut cut(LaneOrder& order, const Lane& lane, std::size_t limit,
          const SizeTimes& times) const noexcept {
    Picked picked = sums_ ? pick_front(lane, limit) : Picked();
    if (picked.first == nullptr) picked = pick(order, lane, limit);
    if (picked.preferred.count > 0) return cut_at(picked, picked.preferred);
    if (fits(picked, times)) return cut_at(picked, picked.longest);
    return cut_at(picked, picked.allowed);
  }

 private:
  struct Prefix {
    std::size_t count = 0;
    std::size_t size = 0;
    RequestHeader* last = nullptr;  // As of the Cut.
  };

  // The longest prefix within the limit, and the longest in it that have just a preferred and an
  // allowed size, if there are such.
  struct Picked {
    RequestHeader* first = nullptr;
    Prefix longest;
    Prefix preferred;
    Prefix allowed;
    bool accepted_first = false;  // As of the Cut.
    bool oldest = false;
  };

  // Tells which of ever larger sizes are among some that are listed.
  class Ascent {
   public:
    explicit Ascent(std::span<const std::size_t> sizes) noexcept
        : next_(sizes.data()), end_(next_ + sizes.size()), size_(next()) {}

    bool meets(std::size_t size) noexcept {
      if (size < size_) return false;
      while (size_ < size) {
        ++next_;
        size_ = next();
      }
      return size_ == size;
    }

   private:
    std::size_t next() const noexcept { return next_ == end_ ? kNoCount : *next_; }

    const std::size_t* next_;
    const std::size_t* end_;
    std::size_t size_;  // The next one.
  };

  // As `pick`, of what most batches are: the front of one flow, which leaves level by level. Without a
  // first one if it is not like that.
  Picked pick_front(const Lane& lane, std::size_t limit) const noexcept {
    const Flow& flow = *lane.flows.front();
    if (&flow != lane.flows.back() || flow.tenant->share != 1 || lane.flushed > 0) return {};
    if (!preferred_.empty()) limit = std::min(limit, preferred_.back());
    Ascent preferred(preferred_);
    Ascent allowed(allowed_);
    FlowWalk walk(flow);
    Picked picked;
    picked.first = walk.at();
    // Who would be next, as long as the order is the same.
    const RequestHeader* accepted = flow.tenant->ledger.first();
    const RequestHeader* oldest = lane.ages.first();
    Prefix all;
    RequestHeader* one = picked.first;
    do {
      all = {all.count + 1, all.size + one->weight, one};
      accepted = one == accepted ? OvertakingLedger::next(*one) : one;
      oldest = one == oldest ? AgeList::next(*one) : one;
      if (lists_) {
        if (preferred.meets(all.size)) picked.preferred = all;
        if (allowed.meets(all.size)) picked.allowed = all;
      }
      one = walk.next();
    } while (one != nullptr && all.size + one->weight <= limit);
    picked.accepted_first = accepted == OvertakingLedger::next(*all.last);
    picked.oldest = oldest == AgeList::next(*all.last);
    picked.longest = all;
    return picked;
  }

  Picked pick(LaneOrder& order, const Lane& lane, std::size_t limit) const noexcept {
    if (!preferred_.empty()) limit = std::min(limit, preferred_.back());
    BatchSize size(rule_);
    RequestHeader* request = &order.begin(lane);
    Ascent preferred(preferred_);
    Ascent allowed(allowed_);
    Picked picked;
    picked.first = request;
    RequestHeader** link = &picked.first;
    for (; request != nullptr; request = order.next()) {
      size.add(request->weight, request->length);
      if (size.value() > limit && picked.longest.count > 0) break;
      *link = request;
      link = &request->next_picked;
      picked.longest = {.count = size.count(), .size = size.value()};
      if (preferred.meets(size.value())) picked.preferred = picked.longest;
      if (allowed.meets(size.value())) picked.allowed = picked.longest;
    }
    return picked;
  }

  // Whether the longest prefix is better than the next smaller one of allowed size.
  bool fits(const Picked& picked, const SizeTimes& times) const noexcept {
    if (fit_ == FitRule::pad_up || picked.allowed.count == 0) return true;
    const std::size_t size = picked.longest.size;
    if (picked.allowed.size == size || size > cap_) return true;
    if (fit_ == FitRule::trim_down) return false;
    const std::optional<double> down = times.mean_ns(picked.allowed.size);
    const std::optional<double> up = times.mean_ns(padded_to(allowed_, size));
    return !down || !up ||
           *down / static_cast<double>(picked.allowed.size) > *up / static_cast<double>(size);
  }

  Cut cut_at(const Picked& picked, const Prefix& prefix) const noexcept {
    return {.first = picked.first,
            .last = prefix.last,
            .accepted_first = picked.accepted_first,
            .oldest = picked.oldest,
            .count = prefix.count,
            .size = prefix.size,
            .padded_size = padded(prefix.size)};
  }

  SizeRule rule_;
  std::size_t cap_;
  std::vector<std::size_t> all_preferred_;
  std::span<const std::size_t> preferred_;  // Those that are not above the cap.
  std::vector<std::size_t> allowed_;
  FitRule fit_;
  bool lists_;  // Some sizes are preferred or allowed.
  bool sums_;   // Sizes are sums.
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BATCH_CUT_HPP
