// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_HAZARD_HPP
#define BATCHWRIGHT_DETAIL_AUTO_HAZARD_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

inline constexpr std::size_t kHazardBins = 46;

/// Where the bins of Hazard begin, and where the last one ends: at 0, 1, 1.5, 2, 3, 4, 6, ... times 1024 ns.
inline constexpr auto kHazardEdges = [] {
  std::array<double, kHazardBins + 1> edges{};
  double octave = 1024;
  for (std::size_t bin = 1; bin <= kHazardBins; ++bin) {
    edges[bin] = bin % 2 == 1 ? octave : octave * 1.5;
    if (bin % 2 == 0) octave *= 2;
  }
  return edges;
}();

/// How likely a time that has lasted so long is to end now: the hazard of a distribution of times,
/// learned from times that ended and from such that were given up on. It is constant within each of 46
/// half octaves from 1 us to 4 s, and remembers about 256 times. Nanoseconds. Fixed memory; recording
/// and looking up are O(1), but for a pass over the bins every sixteenth time.
class Hazard {
 public:
  /// One ended at that age.
  void end(double age, double weight = 1) noexcept {
    const std::size_t bin = bin_of(age);
    weight *= unit_;
    ended_[bin] += weight;
    sum_ += weight * age;
    total_ += weight;
    grow();
  }

  /// One had not ended at that age, and is not looked at any more.
  void give_up(double age, double weight = 1) noexcept {
    weight *= unit_;
    given_up_[bin_of(age)] += weight;
    sum_ += weight * age;
    grow();
  }

  std::uint64_t samples() const noexcept { return samples_; }

  /// The hazard integrated up to that age: the time outlasts it with probability exp(-it).
  double cumulative(double age) const noexcept {
    const std::size_t bin = bin_of(age);
    return cumulative_[bin] + rate_[bin] * (age - edge(bin));
  }

  /// The hazard at that age, a nanosecond.
  double rate(double age) const noexcept { return rate_[bin_of(age)]; }

  /// That one which has lasted `from` ends before `to`.
  double ends_within(double from, double to) const noexcept {
    return 1 - std::exp(cumulative(from) - cumulative(to));
  }

  /// The mean rate: of times that ended by the time that passed.
  double mean_rate() const noexcept { return sum_ > 0 ? total_ / sum_ : 0; }

  static constexpr std::size_t kBins = kHazardBins;

  /// Where a bin begins.
  static double edge(std::size_t bin) noexcept { return kHazardEdges[bin]; }

 private:
  static constexpr double kFirst = 1024;
  static constexpr double kMemory = 256;

  static std::size_t bin_of(double age) noexcept {
    if (!(age >= kFirst)) return 0;
    const auto bits = std::bit_cast<std::uint64_t>(age);
    const auto octave = static_cast<std::size_t>((bits >> 52) - 1023 - 10);
    const auto half = static_cast<std::size_t>((bits >> 51) & 1);  // From 1.5 times the octave on.
    return std::min(1 + 2 * octave + half, kBins - 1);
  }

  // The past fades: what is new weighs more and more.
  void grow() noexcept {
    unit_ *= 1 + 1 / kMemory;
    ++samples_;
    if (unit_ > 1e9) {
      for (double& one : ended_) one /= unit_;
      for (double& one : given_up_) one /= unit_;
      sum_ /= unit_;
      total_ /= unit_;
      unit_ = 1;
    }
    if (++news_ >= 16 || samples_ <= 16) draw();
  }

  void draw() noexcept {
    news_ = 0;
    // Where little was seen the hazard is the mean rate, as if half a time more had been seen.
    const double prior = 0.5 * unit_;
    const double mean = std::max(mean_rate(), 1e-18);
    std::array<double, kBins + 1> at_risk;
    at_risk[kBins] = 0;
    for (std::size_t bin = kBins; bin-- > 0;) {
      at_risk[bin] = at_risk[bin + 1] + ended_[bin] + given_up_[bin];
    }
    double sum = 0;
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      const double width = kHazardEdges[bin + 1] - kHazardEdges[bin];
      cumulative_[bin] = sum;
      // Those that end in the bin are at risk in half of it.
      const double exposed =
          (at_risk[bin + 1] + 0.5 * (ended_[bin] + given_up_[bin]) + prior) * width;
      rate_[bin] = (ended_[bin] + prior * mean * width) / exposed;
      sum += rate_[bin] * width;
    }
  }

  std::array<double, kBins> ended_{};
  std::array<double, kBins> given_up_{};
  std::array<double, kBins> rate_{};
  std::array<double, kBins> cumulative_{};
  double sum_ = 0;
  double total_ = 0;
  double unit_ = 1;
  std::uint64_t samples_ = 0;
  int news_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_HAZARD_HPP
