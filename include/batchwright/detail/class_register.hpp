// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CLASS_REGISTER_HPP
#define BATCHWRIGHT_DETAIL_CLASS_REGISTER_HPP

#include "../class_metrics.hpp"
#include "../runtime.hpp"
#include "class_id.hpp"
#include "class_names.hpp"
#include "owned.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace batchwright::inline v0_1::detail {

/// Which classes of requests are counted, and how many requests of each are queued: those that were
/// accepted, by whoever did that, less those that have left the queue, by the dispatcher. What became of
/// them is counted with everything else (see MetricsRecorder). All memory is allocated at construction,
/// but for labels.
template <Runtime R>
class ClassRegister {
 public:
  ClassRegister(const R& runtime, const MetricsOptions& options) : max_(options.max_classes) {
    const bool wanted[kClassKinds] = {options.per_priority, options.per_lane, options.per_tenant};
    for (std::size_t kind = 0; kind < kClassKinds; ++kind) {
      if (!wanted[kind]) continue;
      names_[kind].emplace(runtime, max_);
      first_[kind] = size_;
      size_ += max_ + 1;
    }
    if (size_ == 0) return;
    accepted_ = OwnedArray<Accepted>(size_);
    left_ = OwnedArray<std::atomic<std::uint64_t>>(size_);
  }

  /// How many counts there are, over all kinds; 0 if nothing is counted by class.
  std::size_t size() const noexcept { return size_; }
  bool in_use() const noexcept { return size_ > 0; }
  bool counts(ClassKind kind) const noexcept { return names_[index(kind)].has_value(); }

  /// The class of a label or a priority; kNoClass if that kind is not counted. From any thread; see
  /// ClassNames.
  ClassId find(ClassKind kind, std::string_view label) {
    return counts(kind) ? id(kind, names_[index(kind)]->number_of(label)) : kNoClass;
  }
  ClassId find(int priority) noexcept {
    constexpr ClassKind kKind = ClassKind::priority;
    return counts(kKind) ? id(kKind, names_[index(kKind)]->number_of(priority)) : kNoClass;
  }

  /// A request is about to be handed over. From any thread.
  void accepted(const ClassIds& classes) noexcept {
    for (const ClassId one : classes) {
      if (one != kNoClass) accepted_[one].count.fetch_add(1, std::memory_order_relaxed);
    }
  }

  /// A request has left the queue. By whoever has the dispatcher's role, so nobody else writes. What is
  /// seen to have left is seen to have been accepted.
  void left(const ClassIds& classes) noexcept {
    for (const ClassId one : classes) {
      if (one == kNoClass) continue;
      const std::uint64_t count = left_[one].load(std::memory_order_relaxed);
      left_[one].store(count + 1, std::memory_order_release);
    }
  }

  /// The classes of one kind, with what was counted of each. `counts` was read before, so no class has
  /// more answers than acceptances. Throws std::bad_alloc.
  ClassesMetrics metrics(ClassKind kind, std::span<const ClassCounts> counts) const {
    ClassesMetrics all;
    if (!this->counts(kind)) return all;
    const ClassNames<R>& names = *names_[index(kind)];
    const std::size_t count = names.count();
    all.reserve(count + 1);
    for (std::size_t number = 0; number <= count; ++number) {
      const std::size_t place = number < count ? number : max_;
      const ClassId one = id(kind, place);
      ClassMetrics& metrics = all.emplace_back(ClassMetrics{counts[one], {}});
      metrics.label = names.label(place);
      const std::uint64_t left = left_[one].load(std::memory_order_acquire);
      metrics.accepted = accepted_[one].count.load(std::memory_order_relaxed);
      metrics.queued = metrics.accepted - left;
    }
    return all;
  }

 private:
  // Each on a line of its own: submitters of different classes do not meet.
  struct alignas(64) Accepted {
    std::atomic<std::uint64_t> count{0};
  };

  static std::size_t index(ClassKind kind) noexcept { return static_cast<std::size_t>(kind); }
  ClassId id(ClassKind kind, std::size_t number) const noexcept {
    return static_cast<ClassId>(first_[index(kind)] + number);
  }

  const std::size_t max_;
  std::array<std::optional<ClassNames<R>>, kClassKinds> names_;
  std::array<std::size_t, kClassKinds> first_{};
  std::size_t size_ = 0;
  OwnedArray<Accepted> accepted_;
  OwnedArray<std::atomic<std::uint64_t>> left_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CLASS_REGISTER_HPP
