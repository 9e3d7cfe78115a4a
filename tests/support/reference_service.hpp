// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_SERVICE_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_SERVICE_HPP

#include <batchwright/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace batchwright_test {

/// How long batches take, by their size, in the reference model: it keeps all samples and fits them anew
/// for every question. It knows no size classes, so sizes above 16 are beyond it.
class ReferenceService {
 public:
  struct Mean {
    double ns = 0;
    std::uint64_t samples = 0;
  };

  explicit ReferenceService(std::size_t max_batch_size) : max_batch_size_(max_batch_size) {}

  void observe(std::size_t size, batchwright::Duration time) {
    const double ns = static_cast<double>(std::max<std::int64_t>(time.count(), 0));
    samples_.push_back({static_cast<double>(size), ns});
    // "One that was larger than the cap, and so ran alone, is of no size that could be chosen."
    if (size > max_batch_size_) return;
    Mean& mean = means_[size];
    ++mean.samples;
    const double gain = std::max(1.0 / 16, 1.0 / static_cast<double>(mean.samples));
    mean.ns += gain * (ns - mean.ns);
  }

  void forget() {
    samples_.clear();
    means_.clear();
  }

  std::size_t samples() const { return samples_.size(); }
  const std::map<std::size_t, Mean>& means() const { return means_; }

  std::optional<double> mean_of(std::size_t size) const {
    const auto found = means_.find(size);
    return found == means_.end() ? std::nullopt : std::optional(found->second.ns);
  }

  /// "The mean of those of this size, or the line's value where there was none." Needs a sample.
  double expected_ns(std::size_t size) const {
    if (const std::optional<double> mean = mean_of(size)) return *mean;
    const Line line = fit();
    return line.intercept + line.slope * static_cast<double>(size);
  }

  struct Line {
    double intercept = 0;
    double slope = 0;
  };

  /// "A straight line by least squares with exponentially decaying weights": all weigh the same up to 64
  /// samples, then each new one takes 1/64. A larger batch takes no less than a smaller one, and none
  /// less than no time: "the line through the origin instead". Needs a sample.
  Line fit() const {
    std::vector<double> weights(samples_.size());
    double rest = 1;
    for (std::size_t i = samples_.size(); i-- > 0;) {
      const double gain = std::max(1.0 / 64, 1.0 / static_cast<double>(i + 1));
      weights[i] = rest * gain;
      rest *= 1 - gain;
    }
    Sample mean;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      mean.size += weights[i] * samples_[i].size;
      mean.ns += weights[i] * samples_[i].ns;
    }
    double variance = 0;
    double covariance = 0;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      const double distance = samples_[i].size - mean.size;
      variance += weights[i] * distance * distance;
      covariance += weights[i] * distance * (samples_[i].ns - mean.ns);
    }
    const bool of_one_size =
        std::all_of(samples_.begin(), samples_.end(),
                    [this](const Sample& one) { return one.size == samples_.front().size; });
    Line line;
    line.slope = of_one_size ? 0 : std::max(0.0, covariance / variance);
    line.intercept = mean.ns - line.slope * mean.size;
    if (line.intercept < 0) line = {0, mean.ns / mean.size};
    return line;
  }

 private:
  struct Sample {
    double size = 0;
    double ns = 0;
  };

  std::size_t max_batch_size_;
  std::vector<Sample> samples_;
  std::map<std::size_t, Mean> means_;  // By size.
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_SERVICE_HPP
