// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_BATCH_SIZE_HPP
#define BATCHWRIGHT_DETAIL_BATCH_SIZE_HPP

#include "../scheduling.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// The size of a set of requests that grows one by one: what the cap counts.
class BatchSize {
 public:
  explicit BatchSize(SizeRule rule = SizeRule::sum) noexcept : rule_(rule) {}

  void add(std::size_t weight, std::size_t length) noexcept {
    ++count_;
    weight_ += weight;
    lengths_ += length;
    longest_ = std::max(longest_, length);
  }

  std::size_t count() const noexcept { return count_; }
  std::size_t value() const noexcept { return of(rule_, count_, weight_, longest_); }

  /// What of it is no padding to the longest.
  std::size_t useful() const noexcept { return rule_ == SizeRule::sum ? weight_ : lengths_; }

  static std::size_t of(SizeRule rule, std::size_t count, std::size_t weight,
                        std::size_t longest) noexcept {
    return rule == SizeRule::sum ? weight : count * longest;
  }

 private:
  SizeRule rule_;
  std::size_t count_ = 0;
  std::size_t weight_ = 0;
  std::size_t lengths_ = 0;
  std::size_t longest_ = 0;
};

/// The smallest allowed size that is not below `size`; `size` itself if there is none.
inline std::size_t padded_to(const std::vector<std::size_t>& allowed, std::size_t size) noexcept {
  const auto up = std::lower_bound(allowed.begin(), allowed.end(), size);
  return up == allowed.end() ? size : *up;
}

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_BATCH_SIZE_HPP
