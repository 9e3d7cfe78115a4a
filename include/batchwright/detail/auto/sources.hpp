// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_SOURCES_HPP
#define BATCHWRIGHT_DETAIL_AUTO_SOURCES_HPP

#include "hazard.hpp"
#include "returns.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// What the arrivals are most like.
enum class Source : std::uint8_t {
  independent,  ///< Many callers that know nothing of each other: a Poisson process.
  renewal,      ///< Gaps of any distribution: a clock, or groups.
  returning,    ///< A closed loop: callers that come back after an answer.
};

/// Which of the three explains the arrivals best: each is scored by the logarithm of the likelihood that
/// it gave to an arrival before it came. Nanoseconds. O(1), and O(batches kept) for the arrivals that
/// are scored: the first ones, then each fourth.
class Sources {
 public:
  /// `rate()` is what was to be expected of late, in which bursts show.
  template <class Rate>
  void arrive(double at, double count, Rate&& rate) noexcept {
    if (last_ >= 0) {
      const double gap = std::max(at - last_, 0.0);
      ++arrivals_;
      attend();
      if (attends_ && (arrivals_ <= kAll || arrivals_ % kEvery == 0)) score(at, gap, rate());
      if (attends_ || source_ == Source::renewal) gaps_.end(gap);
    }
    last_ = std::max(last_, at);
    if (attends_) returns_.arrive(at, count);
  }

  void answer(double at, double count) noexcept {
    if (attends_) returns_.answer(at, count);
  }

  Source source() const noexcept { return source_; }
  const Hazard& gaps() const noexcept { return gaps_; }
  const Returns& returns() const noexcept { return returns_; }
  double last() const noexcept { return last_; }
  std::uint64_t arrivals() const noexcept { return arrivals_; }

 private:
  static constexpr std::uint64_t kAll = 256;
  static constexpr std::uint64_t kEvery = 4;
  static constexpr std::uint64_t kLongLook = 1024;
  static constexpr std::uint64_t kLeast = 24;  // So many are learned from before any is scored.
  static constexpr double kGain = 1.0 / 64;

  // Once no loop is seen it is looked for in an eighth of the time only.
  void attend() noexcept {
    if (arrivals_ < kLongLook || source_ == Source::returning) {
      attends_ = true;
      return;
    }
    const bool attends = arrivals_ % kLongLook < kLongLook / 8;
    if (attends && !attends_) {
      returns_.clear();
      looked_from_ = arrivals_;
    }
    attends_ = attends;
  }

  void score(double at, double gap, double recent) noexcept {
    const double usual = 1 / std::max(gaps_.mean(), 1.0);
    if (arrivals_ - looked_from_ < kLeast) return;
    // A part of each is the process without memory, so that none is ever surprised for good.
    const double renewal = 0.98 * gaps_.rate(gap) + 0.02 * usual;
    const double returning = returns_.intensity(at) + 0.02 * usual;
    const double from = at - gap;
    scored_ += 1;
    const double gain = std::max(kGain, 1 / scored_);
    const auto add = [gain](double& sum, double value) { sum += gain * (value - sum); };
    add(score_[0], std::log(usual) - usual * gap);
    const double modulated = 0.98 * recent + 0.02 * usual;
    add(modulated_, std::log(modulated) - modulated * gap);
    add(score_[1], std::log(renewal) - (0.02 * usual * gap - 0.98 * std::log(gaps_.outlasts(gap))));
    add(score_[2], std::log(returning) - (returns_.expected(from, at) + 0.02 * usual * gap));
    if (scored_ >= 16) choose();
  }

  void choose() noexcept {
    // Taking a closed loop for an open process costs more than the other way round.
    constexpr std::array<double, 3> kFavour = {0.1, 0.0, 0.15};
    double best = -1e300;
    Source choice = source_;
    for (std::size_t i = 0; i < score_.size(); ++i) {
      const auto one = static_cast<Source>(i);
      const double score = i == 0 ? std::max(score_[0], modulated_) : score_[i];
      const double value = score + kFavour[i] + (one == source_ ? 0.05 : 0);
      if (value > best) {
        best = value;
        choice = one;
      }
    }
    source_ = choice;
  }

  Hazard gaps_;
  Returns returns_;
  std::array<double, 3> score_{};
  double modulated_ = 0;  // Of an independent source whose rate varies.
  double scored_ = 0;
  double last_ = -1;
  std::uint64_t arrivals_ = 0;
  std::uint64_t looked_from_ = 0;
  bool attends_ = true;
  Source source_ = Source::independent;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_SOURCES_HPP
