// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_RANDOM_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_RANDOM_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace batchwright_test {

/// SplitMix64: a seed names the same sequence with every compiler and library, which the standard's
/// distributions do not promise.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t bits() noexcept { return mix(state_ += 0x9E3779B97F4A7C15u); }

  static std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, bound); `bound` > 0.
  std::size_t below(std::size_t bound) noexcept { return static_cast<std::size_t>(bits() % bound); }

  /// Uniform in [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    return low + static_cast<std::int64_t>(below(static_cast<std::size_t>(high - low) + 1));
  }

  bool chance(unsigned percent) noexcept { return below(100) < percent; }

  /// Uniform in [0, 1).
  double unit() noexcept { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }

  /// Exponential with mean 1.
  double exponential() noexcept { return -std::log(1.0 - unit()); }

  template <class TContainer>
  auto& pick(TContainer& values) noexcept {
    return values[below(std::size(values))];
  }

 private:
  std::uint64_t state_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_RANDOM_HPP
