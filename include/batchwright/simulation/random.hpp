// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_RANDOM_HPP
#define BATCHWRIGHT_SIMULATION_RANDOM_HPP

#include "../policy.hpp"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1 {
namespace detail {

/// Finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection that leaves no pattern of its input.
constexpr std::uint64_t mix(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/// The seed of one of many things that are to be independent of each other.
constexpr std::uint64_t derived_seed(std::uint64_t seed, std::uint64_t index) noexcept {
  return mix(mix(seed + 0x9e3779b97f4a7c15U) ^ (index + 1) * 0xd1342543de82ef95U);
}

/// e^x for |x| up to about 20, to 10^-6: the same bits everywhere. No product in it meets a sum that
/// would round, so it makes no difference whether a compiler fuses them; std::exp differs by library.
inline double portable_exp(double x) noexcept {
  const double half = x * 0x1p-16;
  double power = (1 + half) / (1 - half);  // e^(x / 2^15)
  for (int i = 0; i < 15; ++i) power *= power;
  return power;
}

/// Nanoseconds, rounded; Duration::max() for what is too long.
inline Duration to_duration(double nanoseconds) noexcept {
  if (!(nanoseconds < 9e18)) return Duration::max();
  return Duration(static_cast<std::int64_t>(std::llround(nanoseconds)));
}

}  // namespace detail

namespace simulation {

/// Where a simulation's chance comes from: xoshiro256++ (Blackman and Vigna 2019). A seed gives the same
/// numbers with every compiler and standard library: the samplers use only operations that IEEE 754
/// defines to the last bit, which the standard's distributions and std::log do not.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : seed_(seed) {
    for (std::uint64_t& word : state_) word = detail::mix(seed += 0x9e3779b97f4a7c15U);
  }

  /// A source that is independent of this one, and of its other streams. It depends on the seed alone,
  /// not on what has been drawn.
  Random stream(std::uint64_t index) const noexcept {
    return Random(detail::derived_seed(seed_, index));
  }

  std::uint64_t bits() noexcept {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// Uniform in [0, 1).
  double unit() noexcept { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  bool chance(double probability) noexcept { return unit() < probability; }

  /// Exponential with mean 1, by comparing uniform numbers alone (von Neumann 1951): a run of falling
  /// numbers from u is of odd length with probability e^-u. Takes 4.3 numbers in the mean.
  double exponential() noexcept {
    for (double whole = 0;; ++whole) {
      const std::uint64_t first = bits();
      bool odd = true;
      std::uint64_t last = first;
      for (std::uint64_t next = bits(); next < last; next = bits()) {
        last = next;
        odd = !odd;
      }
      if (odd) return whole + static_cast<double>(first >> 11) * 0x1p-53;
    }
  }

  /// Normal with mean 0 and deviation 1, from exponentials by rejection (Kahn 1956).
  double normal() noexcept {
    for (;;) {
      const double size = exponential();
      const double off = size - 1;
      if (exponential() >= off * off * 0.5) return bits() >> 63 == 0 ? size : -size;
    }
  }

  /// Lognormal with mean 1; `sigma` is the deviation of its logarithm.
  double lognormal(double sigma) noexcept {
    return detail::portable_exp(sigma * (normal() - sigma * 0.5));
  }

  /// Geometric on 1, 2, ... with that mean, which is at least 1.
  std::size_t geometric(double mean) noexcept {
    std::size_t count = 1;
    while (chance(1 - 1 / mean)) ++count;
    return count;
  }

 private:
  std::uint64_t seed_;
  std::uint64_t state_[4];
};

}  // namespace simulation
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_RANDOM_HPP
