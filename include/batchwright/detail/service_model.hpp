// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SERVICE_MODEL_HPP
#define BATCHWRIGHT_DETAIL_SERVICE_MODEL_HPP

#include "../policy.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Learns the service time as a function of the batch size, online: a straight line by least squares
/// with exponentially decaying weights, and the mean of each size. Memory is fixed at construction;
/// an observation is O(classes seen), some tens at most, once per batch.
class ServiceModel {
 public:
  explicit ServiceModel(std::size_t max_batch_size)
      : place_(class_of(max_batch_size) + 1, kAbsent) {
    means_.reserve(place_.size());
  }

  void observe(std::size_t size, Duration service_time) noexcept {
    const double x = static_cast<double>(size);
    const double y = static_cast<double>(std::max(service_time, Duration::zero()).count());
    if (samples_ > 0) {
      const double error = y - (intercept_ + slope_ * x);
      squared_error_ += (error * error - squared_error_) * std::max(kGain, 1.0 / double(samples_));
    }
    ++samples_;
    fit(x, y);
    // One that was larger than the cap, and so ran alone, is of no size that could be chosen.
    if (const std::size_t size_class = class_of(size); size_class < place_.size()) {
      update_mean(size_class, x, y);
    }
  }

  /// Knows nothing any more.
  void reset() noexcept {
    means_.clear();
    std::fill(place_.begin(), place_.end(), kAbsent);
    samples_ = 0;
    mean_x_ = mean_y_ = variance_x_ = covariance_ = 0;
    squared_error_ = intercept_ = slope_ = 0;
  }

  /// The mean of the batches of about this size; null if there was none.
  const SizeMean* mean_of(std::size_t size) const noexcept {
    const std::size_t size_class = class_of(size);
    if (size_class >= place_.size() || place_[size_class] == kAbsent) return nullptr;
    return &means_[place_[size_class]];
  }

  /// What a batch of this size should take: the mean of those of about this size, or the line's value
  /// where there was none. Nothing before the first batch.
  std::optional<Duration> expected(std::size_t size) const noexcept {
    if (samples_ == 0) return std::nullopt;
    const SizeMean* const mean = mean_of(size);
    const double ns =
        mean != nullptr ? mean->mean_ns : intercept_ + slope_ * static_cast<double>(size);
    return Duration(std::llround(ns));
  }

  ServiceEstimate estimate() const noexcept {
    return {.intercept_ns = intercept_,
            .slope_ns = slope_,
            .deviation_ns = std::sqrt(squared_error_),
            .samples = samples_,
            .means = means_};
  }

 private:
  static constexpr double kGain = 1.0 / 64;      // Of the line: remembers about 64 batches.
  static constexpr double kMeanGain = 1.0 / 16;  // Of one size's mean.
  static constexpr std::size_t kExact = 16;      // Sizes up to here have a class each,
  static constexpr std::size_t kPerOctave = 8;   // above there are this many in an octave.
  static constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

  static std::size_t class_of(std::size_t size) noexcept {
    if (size <= kExact) return size;
    const auto octave = static_cast<std::size_t>(std::bit_width(size - 1)) - 1;  // 17..32 -> 4
    const std::size_t step = (size - 1 - (std::size_t{1} << octave)) >> (octave - 3);
    return kExact + 1 + (octave - 4) * kPerOctave + step;
  }

  // Weighted least squares by decayed moments about the running means, which keeps the differences of
  // large sums out of it. With one size seen the slope is unknown: the line is flat through the mean.
  void fit(double x, double y) noexcept {
    const double gain = std::max(kGain, 1.0 / static_cast<double>(samples_));
    const double dx = x - mean_x_;
    const double dy = y - mean_y_;
    mean_x_ += gain * dx;
    mean_y_ += gain * dy;
    variance_x_ = (1 - gain) * (variance_x_ + gain * dx * dx);
    covariance_ = (1 - gain) * (covariance_ + gain * dx * dy);
    slope_ = variance_x_ > 1e-9 ? std::max(0.0, covariance_ / variance_x_) : 0.0;
    intercept_ = mean_y_ - slope_ * mean_x_;
    if (intercept_ < 0) {  // No batch takes less than no time: the line through the origin instead.
      intercept_ = 0;
      slope_ = mean_x_ > 0 ? mean_y_ / mean_x_ : 0;
    }
  }

  void update_mean(std::size_t cls, double x, double y) noexcept {
    if (place_[cls] == kAbsent) {
      // First of its class: keep the list sorted. It was reserved for all classes.
      std::size_t position = 0;
      for (std::size_t lower = 0; lower < cls; ++lower) position += place_[lower] != kAbsent;
      for (std::size_t above = cls + 1; above < place_.size(); ++above) {
        if (place_[above] != kAbsent) ++place_[above];
      }
      place_[cls] = position;
      means_.insert(means_.begin() + static_cast<std::ptrdiff_t>(position), SizeMean{x, y, 0});
    }
    SizeMean& mean = means_[place_[cls]];
    ++mean.samples;
    const double gain = std::max(kMeanGain, 1.0 / static_cast<double>(mean.samples));
    mean.mean_ns += gain * (y - mean.mean_ns);
    mean.size += gain * (x - mean.size);
  }

  std::vector<std::size_t> place_;  // Class -> index in means_.
  std::vector<SizeMean> means_;
  std::uint64_t samples_ = 0;
  double mean_x_ = 0;
  double mean_y_ = 0;
  double variance_x_ = 0;
  double covariance_ = 0;
  double squared_error_ = 0;
  double intercept_ = 0;
  double slope_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SERVICE_MODEL_HPP
