// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_LINE_FIT_HPP
#define BATCHWRIGHT_DETAIL_AUTO_LINE_FIT_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace batchwright::inline v0_1::detail {

/// The batches of one class of sizes.
struct ClassMean {
  double count = 0;  ///< So many that the mean is as good as that of so many.
  double size = 0;
  double time = 0;
};

/// The straight line through the means of some classes, and how far from it these are when the noise of
/// a batch is taken out (DerSimonian and Laird's moments). Where that is nothing, what a class's own mean
/// says against the line is chance; where it is much, the line says nothing about a class.
struct LineFit {
  bool known = false;  ///< Three classes have been seen.
  double fixed = 0;
  double slope = 0;
  double misfit = 0;  ///< Variance of a class's relative distance from the line.
  double noise = 0;   ///< Relative variance of the time of one batch.

  /// Classes of which none was seen count nothing. O(classes).
  static LineFit through(std::span<const ClassMean> means, double noise) noexcept {
    double n = 0, x = 0, y = 0, through = 0, square = 0;
    int classes = 0;
    for (const ClassMean& mean : means) {
      if (mean.count == 0) continue;
      // The noise is in proportion to the time.
      const double weight = mean.count / (mean.time * mean.time);
      n += weight;
      x += weight * mean.size;
      y += weight * mean.time;
      square += weight * mean.size * mean.size;
      through += weight * mean.size * mean.time;
      ++classes;
    }
    LineFit fit;
    fit.noise = noise;
    if (classes < 3) return fit;
    fit.known = true;
    fit.weight_ = n;
    fit.middle_ = x / n;
    fit.spread_ = square - x * x / n;
    fit.slope = std::max((through - x * y / n) / fit.spread_, 0.0);
    fit.fixed = y / n - fit.slope * fit.middle_;
    if (fit.fixed < 0) {
      fit.fixed = 0;
      fit.slope = through / square;
    }
    double q = 0, w = 0, ww = 0;
    for (const ClassMean& mean : means) {
      if (mean.count == 0) continue;
      const double off = mean.time / fit(mean.size) - 1;
      q += mean.count * off * off;
      w += mean.count;
      ww += mean.count * mean.count;
    }
    fit.misfit = std::max(0.0, (q - noise * (classes - 2)) / (w - ww / w));
    return fit;
  }

  double operator()(double size) const noexcept { return fixed + slope * size; }

  /// The most likely time of the class.
  double time_of(const ClassMean& mean) const noexcept {
    if (!known) return mean.time;
    const double line = (*this)(mean.size);
    return line + own(mean) * (mean.time - line);
  }

  /// Relative deviation of that from the true time.
  double doubt_of(const ClassMean& mean) const noexcept {
    if (!known) return std::sqrt(noise / std::max(mean.count, 1.0));
    const double line = (*this)(mean.size);
    const double from = mean.size - middle_;
    const double its = noise * (1 / weight_ + from * from / spread_) / (line * line);
    const double part = own(mean);
    return std::sqrt(misfit * (1 - part) + (1 - part) * (1 - part) * its);
  }

 private:
  double own(const ClassMean& mean) const noexcept {
    return misfit > 0 ? misfit / (misfit + noise / mean.count) : 0;
  }

  double weight_ = 0;
  double middle_ = 0;
  double spread_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_LINE_FIT_HPP
