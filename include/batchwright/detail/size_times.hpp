// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SIZE_TIMES_HPP
#define BATCHWRIGHT_DETAIL_SIZE_TIMES_HPP

#include "../policy.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// What a batch of each allowed size takes, padding included: a mean that remembers about 16 batches.
/// Other than ServiceModel, which learns what a batch of so many requests takes, it is asked about sizes
/// to which batches are padded. Memory is fixed at construction; all is O(log sizes).
class SizeTimes {
 public:
  /// `sizes` ascend.
  explicit SizeTimes(const std::vector<std::size_t>& sizes) {
    entries_.reserve(sizes.size());
    for (const std::size_t size : sizes) entries_.push_back({.size = size});
  }

  /// A batch of that size, padding included, has taken so long. Of no allowed size it teaches nothing.
  void observe(std::size_t size, Duration time) noexcept {
    const std::size_t place = place_of(size);
    if (place == entries_.size()) return;
    Entry& entry = entries_[place];
    ++entry.samples;
    const double gain = std::max(kGain, 1.0 / static_cast<double>(entry.samples));
    const auto ns = static_cast<double>(std::max(time, Duration::zero()).count());
    entry.mean_ns += gain * (ns - entry.mean_ns);
  }

  /// Knows nothing any more.
  void reset() noexcept {
    for (Entry& entry : entries_) entry = {.size = entry.size};
  }

  /// Nothing if no batch of that size was measured.
  std::optional<double> mean_ns(std::size_t size) const noexcept {
    const std::size_t place = place_of(size);
    if (place == entries_.size() || entries_[place].samples == 0) return std::nullopt;
    return entries_[place].mean_ns;
  }

 private:
  static constexpr double kGain = 1.0 / 16;

  struct Entry {
    std::size_t size = 0;
    std::uint64_t samples = 0;
    double mean_ns = 0;
  };

  // The number of sizes if it is none of them.
  std::size_t place_of(std::size_t size) const noexcept {
    const auto entry =
        std::lower_bound(entries_.begin(), entries_.end(), size,
                         [](const Entry& one, std::size_t wanted) { return one.size < wanted; });
    if (entry == entries_.end() || entry->size != size) return entries_.size();
    return static_cast<std::size_t>(entry - entries_.begin());
  }

  std::vector<Entry> entries_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SIZE_TIMES_HPP
