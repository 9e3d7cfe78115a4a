// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_LEARNED_CURVE_HPP
#define BATCHWRIGHT_DETAIL_AUTO_LEARNED_CURVE_HPP

#include "line_fit.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace batchwright::inline v0_1::detail {

/// The time of a batch as a function of its size, learned from finished batches: the mean of each class
/// of sizes, straight between them, and never falling. Any curve of that kind can be learned, not a
/// line alone. Times are nanoseconds. Fixed memory; an observation is O(classes), a look-up O(1).
///
/// Larger batches than any that was seen are taken for cheap: their slope is the least of the last
/// piece's, of the chord's and of half of proportional. Who never tries a larger batch would never learn
/// that it pays.
class LearnedCurve {
 public:
  /// Time of a batch of `size`; zero before the first observation.
  double operator()(std::size_t size) const noexcept {
    if (knots_ == 0) return 0;
    return at(std::min(class_of(size), kClasses - 1), static_cast<double>(size));
  }

  /// The same straight between the sizes.
  double between(double size) const noexcept {
    if (knots_ == 0) return 0;
    size = std::max(size, 1.0);
    return at(std::min(class_of(static_cast<std::size_t>(size)), kClasses - 1), size);
  }

  /// Relative deviation of that from the true time, as far as it is known.
  double doubt(std::size_t size) const noexcept {
    if (knots_ == 0) return 1;
    const std::size_t piece = piece_of_[std::min(class_of(size), kClasses - 1)];
    const Knot& knot = knot_[piece];
    const auto x = static_cast<double>(size);
    if (x >= knot.size) return x < knot.size + 1 ? knot.doubt : knot.between;
    if (piece == 0 || x > knot.size - 1) return knot.doubt;
    return knot_[piece - 1].between;
  }

  std::uint64_t samples() const noexcept { return samples_; }
  /// Relative deviation of a batch from the curve.
  double deviation() const noexcept { return std::sqrt(squared_error_); }
  /// Changes whenever the curve does.
  std::uint64_t drawn() const noexcept { return drawn_; }
  /// Largest size of which a batch was seen.
  std::size_t largest() const noexcept { return largest_; }

  void observe(std::size_t size, double time) noexcept {
    if (size == 0 || !(time > 0)) return;
    const std::size_t c = std::min(class_of(size), kClasses - 1);
    ClassMean& mean = mean_[c];
    Before& before = before_[c];
    if (before.usual != usual_) before = {usual_, mean.time, mean.time, mean.count};
    // Held against the mean of its own class: what other sizes have learned of a drift draws the curve
    // along.
    const bool old = before.count > 0;
    const double count = old ? before.count : mean.count;
    if (count >= (old || usual_ == 0 ? 1 : kSettled)) {
      const double here = at(c, static_cast<double>(size)) / at(c, mean.size);
      const double error = std::log(time / ((old ? before.mean : mean.time) * here));
      // One that was first seen when others were off already says nothing of how it was before. But
      // where there are none but those it is not waited for the others for ever.
      if (!old && usual_ > 0 && streak_ > 0 && ++silent_ <= kSilent) {
        const double square = std::min(error * error, 20 * squared_error_);
        add_noise(square * count / (count + 1), 1);
      } else {
        silent_ = 0;
        watch_drift(error, 1 + 1 / count);
      }
    }
    ++samples_;
    largest_ = std::max(largest_, size);
    // A mean with a gain of g is as good as that of 2 / g - 1.
    mean.count = std::min(mean.count + 1, 2 / kGain - 1);
    const double gain = std::max(1 / mean.count, kGain);
    mean.size += gain * (static_cast<double>(size) - mean.size);
    mean.time += gain * (time - mean.time);
    before.part *= 1 - gain;
    if (mean.count < kSettled || ++undrawn_ >= kEvery) draw();
  }

 private:
  static constexpr std::size_t kExact = 8;     // Sizes up to here have a class each,
  static constexpr std::size_t kClasses = 36;  // above there are four in an octave.
  static constexpr double kGain = 0.05;        // Of a class: it remembers about 20 batches.
  static constexpr double kErrorGain = 1.0 / 32;
  static constexpr double kLeastNoise = 0.01;  // Variance.
  static constexpr int kStreak = 4;
  static constexpr int kLongest = 8;  // A streak that has not shown a drift by then shows none.
  static constexpr int kSilent = 32;  // Batches.
  static constexpr double kStraight = 0.003;  // With no more misfit than that it is a line.
  static constexpr double kCurious = 30;      // Batches.
  static constexpr double kMostDoubt = 0.3;
  static constexpr double kSettled = 8;  // A class that has seen so many changes little:
  static constexpr int kEvery = 8;       // it is drawn anew after so many batches.

  struct Knot {
    double size = 0;
    double time = 0;
    double slope = 0;  // Of the piece that follows.
    double doubt = 0;
    double between = 0;  // Doubt there.
  };

  // A class before the last batch that was as usual, and how much of its mean time is from then.
  struct Before {
    std::uint64_t usual = 0;  // That batch.
    double mean = 0;
    double part = 0;
    double count = 0;
  };

  // 1, 2, .. 8, 9..10, 11..12, 13..14, 15..16, 17..20, ...
  static constexpr std::size_t class_of(std::size_t size) noexcept {
    if (size <= kExact) return size == 0 ? 0 : size - 1;
    const auto octave = static_cast<std::size_t>(std::bit_width(size - 1)) - 1;  // 9..16 -> 3
    const std::size_t quarter = ((size - 1) >> (octave - 2)) & 3;
    return kExact + 4 * (octave - 3) + quarter;
  }

  // The curve at a size of that class.
  double at(std::size_t c, double size) const noexcept {
    const std::size_t piece = piece_of_[c];
    const Knot* knot = &knot_[piece];
    if (size >= knot->size) return knot->time + knot->slope * (size - knot->size);
    if (piece == 0) return knot->time + slope_below_ * (size - knot->size);
    --knot;  // The knot of a class lies at the mean of the sizes seen, which may be on either side.
    return knot->time + knot->slope * (size - knot->size);
  }

  // Several batches in a row that are all off to the same side are no noise: the model has become
  // faster or slower, and so has every size.
  // `doubled`: so many times the variance of a batch is that of the error.
  void watch_drift(double error, double doubled) noexcept {
    const double least = std::sqrt(doubled * std::max(kLeastNoise, 1.5 * 1.5 * squared_error_));
    const bool goes_on = streak_ == 0 || (error > 0) == (streak_sum_ > 0);
    if (std::abs(error) <= least || !goes_on || streak_ >= kLongest) end_streak();
    // One that is far off counts for less.
    const double square = std::min(error * error, 9 * least * least) / doubled;
    if (std::abs(error) <= least || !goes_on) usual_ = samples_ + 1;
    if (std::abs(error) <= least) {
      add_noise(square, 1);
      return;
    }
    streak_sum_ += error;
    streak_least_ += least;
    streak_squares_ += square;
    ++streak_;
    if (streak_ < kStreak || std::abs(streak_sum_) <= 1.8 * streak_least_) return;
    const double factor = std::exp(streak_sum_ / streak_);
    for (std::size_t c = 0; c < kClasses; ++c) {
      ClassMean& mean = mean_[c];
      // A size that was seen for the first time since has no share in it.
      mean.time += (factor - 1) * (before_[c].usual == usual_ ? before_[c].part : mean.time);
      mean.count = std::min(mean.count, 4.0);  // What is left over is soon learned.
    }
    usual_ = samples_ + 1;
    streak_ = 0;
    streak_sum_ = streak_least_ = streak_squares_ = 0;
  }

  // It was noise: while it ran it could have been drift, and would have raised the noise against which
  // it is held.
  void end_streak() noexcept {
    if (streak_ > 0) add_noise(streak_squares_ / streak_, streak_);
    streak_ = 0;
    streak_sum_ = streak_least_ = streak_squares_ = 0;
  }

  void add_noise(double square, double batches) noexcept {
    errors_ += batches;
    const double gain = std::max(kErrorGain * batches, batches / errors_);
    squared_error_ += std::min(gain, 1.0) * (square - squared_error_);
  }

  // The knots anew: each class between its own mean and the line, by what chance would explain of their
  // distance; neighbours that fall are pooled (isotonic regression).
  void draw() noexcept {
    undrawn_ = 0;
    ++drawn_;
    const std::size_t classes = std::min(class_of(largest_), kClasses - 1) + 1;
    const LineFit line = LineFit::through(std::span(mean_).first(classes), squared_error_);
    const bool straight = line.known && line.misfit < kStraight;
    std::array<double, kClasses> weight;
    std::array<std::uint8_t, kClasses> first_class;
    std::array<std::uint8_t, kClasses> last_class;
    std::size_t count = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      const ClassMean& mean = mean_[c];
      if (mean.count == 0) continue;
      knot_[count] = {mean.size, line.time_of(mean), 0, line.doubt_of(mean)};
      weight[count] = mean.count;
      first_class[count] = last_class[count] = static_cast<std::uint8_t>(c);
      ++count;
      while (count > 1 && knot_[count - 1].time < knot_[count - 2].time) {
        Knot& into = knot_[count - 2];
        const Knot& from = knot_[count - 1];
        const double total = weight[count - 2] + weight[count - 1];
        const double part = weight[count - 1] / total;
        into.size += part * (from.size - into.size);
        into.time += part * (from.time - into.time);
        weight[count - 2] = total;
        last_class[count - 2] = last_class[count - 1];
        --count;
      }
    }
    // Of a class of which none was seen between two others it is known that it lies between them. It is
    // taken for cheap at first, or a step of the curve there would never be found.
    const double gap = line.known ? std::min(std::sqrt(line.misfit), kMostDoubt) : kMostDoubt;
    const double curious = straight ? 0 : kCurious / (kCurious + static_cast<double>(samples_)) / 2;
    double last_slope = 0;
    std::size_t c = 0;
    for (std::size_t k = 0; k < count; ++k) {
      for (; c <= last_class[k]; ++c) piece_of_[c] = static_cast<std::uint8_t>(k);
      Knot& knot = knot_[k];
      knot.between = knot.doubt;
      if (k + 1 == count) continue;
      const Knot& next = knot_[k + 1];
      const bool seen = first_class[k + 1] <= c;
      last_slope = (next.time - knot.time) / std::max(next.size - knot.size, 1e-9);
      knot.slope = seen ? last_slope : last_slope * (1 - curious);
      knot.between = std::max({knot.doubt, next.doubt, seen || straight ? 0 : gap});
    }
    for (; c < kClasses; ++c) piece_of_[c] = static_cast<std::uint8_t>(count - 1);
    knots_ = count;

    Knot& end = knot_[count - 1];
    end.slope = end.time / end.size / 2;
    if (count > 1) {
      end.slope = std::min(
          {end.slope, last_slope, (end.time - knot_[0].time) / (end.size - knot_[0].size)});
    }
    if (straight) end.slope = line.slope;
    // Half of the time of what is smaller than any that was seen is taken to be fixed.
    slope_below_ = std::min(knot_[0].slope, knot_[0].time / knot_[0].size / 2);
  }

  std::array<ClassMean, kClasses> mean_{};
  std::array<Before, kClasses> before_{};
  std::array<Knot, kClasses> knot_{};
  std::array<std::uint8_t, kClasses> piece_of_{};
  double slope_below_ = 0;
  std::size_t knots_ = 0;
  std::size_t largest_ = 0;
  std::uint64_t samples_ = 0;
  std::uint64_t drawn_ = 0;
  std::uint64_t usual_ = 0;  // The last batch that was no drift.
  double squared_error_ = 0;
  double errors_ = 0;  // Of so many batches.
  double streak_sum_ = 0;
  double streak_least_ = 0;
  double streak_squares_ = 0;
  int streak_ = 0;
  int silent_ = 0;
  int undrawn_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_LEARNED_CURVE_HPP
