// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_AUTO_OVERLAP_HPP
#define BATCHWRIGHT_DETAIL_AUTO_OVERLAP_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// How many batches of one executor are really computed at once, where its predictor returns before they
/// are finished, and how long before the end of one the next has to be there so that nothing is lost
/// between them. Learned from the instants at which batches were dispatched and finished.
///
/// Of a batch beside `width` others it is known how long it was until the first of them had ended. If it
/// has to wait for that, it takes longer by just as much than a batch alone; if there is a stream more,
/// by nothing; if it shares with the others what one of them would have, by a half. So the regression of
/// how much longer it took on that time tells. First some batches go alone; then one more is dispatched
/// until it is clear whether less than `kMostLost` of the time is lost, and again after ever more batches.
/// What is saved although a batch had to wait is what is done for it before it can be computed, a
/// hand-over.
///
/// Until batches of one executor overlap nothing is known and nothing is held back. It does not find out
/// that streams have become fewer. Nanoseconds; fixed memory; O(batches finished during this one).
class Overlap {
 public:
  struct Batch {
    std::size_t executor = 0;
    double dispatched = 0;
    double finished = 0;
    double expected = 0;   ///< How long it should have been computed; 0: not known.
    bool trusted = false;  ///< And that is known well.
  };

  /// Has to hear of all, in the order in which they end. How long it was computed, without what can be
  /// done for it before; 0 if it does not tell.
  double observe(const Batch& batch) noexcept {
    const double time = batch.finished - batch.dispatched;
    const Company company = company_of(batch, std::max<std::size_t>(width_, 1));
    add(batch);
    if (!known()) {
      if (company.time() <= kOverlaps * time) return time;
      width_ = 1;
    }
    ++batches_;
    if (company.time() <= 0) ++lone_;
    const double told = told_by(time, company.time());
    if (tries()) {
      if (batch.expected > 0) learn(batch, time, company);
    } else if (trials_ == 0 ? lone_ >= kLone : batches_ >= next_trial_) {
      begin_trial();
    }
    return told;
  }

  /// Whether batches of one executor have been seen to overlap.
  bool known() const noexcept { return width_ > 0; }
  /// So many of an executor are computed at once; 0 if nothing is known.
  std::size_t width() const noexcept { return width_; }
  /// One more than that is to be dispatched, to see.
  bool tries() const noexcept { return known() && !settled_; }

  /// Whether it has been tried, and another one would have to wait.
  bool settled() const noexcept { return known() && settled_ && trials_ > 0; }

  /// How long before it can be computed a batch should be dispatched.
  double lead() const noexcept { return lead_; }

  /// Since when a batch that is not finished is being computed.
  double begun(std::size_t executor, double dispatched) const noexcept {
    if (!known()) return dispatched;
    const Company company = company_of({.executor = executor, .dispatched = dispatched}, width_);
    return std::max(dispatched + lead_, company.free);
  }

 private:
  static constexpr std::size_t kKept =
      16;  // Of all executors: who ended before these is no company.
  static constexpr std::size_t kWidest = 16;
  static constexpr double kOverlaps =
      0.1;                              // Of its time: less is no more than a report's being late.
  static constexpr double kLong = 0.3;  // Of a batch's time: most of a hand-over fits in.
  static constexpr double kMostLost = 0.4;  // Of the time beside others, for another stream.
  static constexpr double kSurely = 2.5;    // Deviations.
  static constexpr double kAsGoodAs = 3;    // Batches alone is what is known of them in a trial.
  static constexpr double kLeastBatches = 8;
  static constexpr double kLeastForMore = 12;
  static constexpr double kLeastBeside = 4;
  static constexpr double kMostBatches = 128;  // Of a trial.
  static constexpr std::uint64_t kLone = 8;    // Batches before the first one.
  static constexpr double kLeastSaved = 8;     // Batches that tell of the lead.
  static constexpr double kMostSaved = 64;
  static constexpr std::uint64_t kFirstPause = 32;  // Batches until the next trial.
  static constexpr std::uint64_t kLastPause = 2048;

  struct Span {
    std::size_t executor = 0;
    double dispatched = 0;
    double finished = 0;
    double more = 0;             // As in Regression,
    std::uint64_t alone_in = 0;  // in that trial, since nothing is known to have been beside it.
  };

  struct Company {
    std::size_t others = 0;  // In flight when it was dispatched.
    double full = 0;         // From then on there were `width` others at least,
    double free = 0;         // until one of them had ended. 0: there were fewer.

    double time() const noexcept { return std::max(free - full, 0.0); }
  };

  // What batches took more than they should have, against the time that they were beside others; both in
  // times of a batch.
  struct Regression {
    double count = 0;
    double beside_count = 0;
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;

    void add(double beside, double more, double times = 1) noexcept {
      count += times;
      if (beside > 0) beside_count += times;
      x += times * beside;
      y += times * more;
      xx += times * beside * beside;
      xy += times * beside * more;
      yy += times * more * more;
    }

    bool tells() const noexcept {
      return count >= kLeastBatches && beside_count >= kLeastBeside && spread() > 0;
    }
    double spread() const noexcept { return xx - x * x / count; }
    double slope() const noexcept { return (xy - x * y / count) / spread(); }

    // Above zero: more is lost than that, for certain; below: less. Zero: that is not clear.
    int compare(double lost) const noexcept {
      if (!tells()) return 0;
      const double rest = std::max(yy - y * y / count - slope() * slope() * spread(), 0.0);
      const double deviation = std::sqrt(rest / (count - 2) / spread());
      if (std::abs(slope() - lost) <= kSurely * deviation) return 0;
      return slope() > lost ? 1 : -1;
    }
  };

  Company company_of(const Batch& batch, std::size_t width) const noexcept {
    Company found{.full = batch.dispatched};
    for (std::size_t i = 1; i <= std::min(kept_, kKept); ++i) {
      const Span& other = spans_[(kept_ - i) % kKept];
      if (other.finished <= batch.dispatched) break;
      if (other.executor != batch.executor) continue;
      if (other.dispatched <= batch.dispatched) ++found.others;
      if (width == 0) continue;
      found.full = std::max(found.full, other.dispatched);
      if (--width == 0) found.free = other.finished;
    }
    return found;
  }

  void add(const Batch& batch) noexcept {
    spans_[kept_ % kKept] = {
        .executor = batch.executor, .dispatched = batch.dispatched, .finished = batch.finished};
    ++kept_;
  }

  double told_by(double time, double beside) const noexcept {
    if (beside <= 0) return std::max(time - lead_, 0.0);
    if (tries()) return 0;
    // As long as it may be wrong that it had to wait, it must not make that seem right.
    const bool waited = beside - lead_ > kOverlaps * time;
    return waited && failures_ < 2 ? 0 : time - std::max(beside, lead_);
  }

  void learn(const Batch& batch, double time, const Company& company) noexcept {
    const double alone = batch.expected + lead_;
    const double beside = company.time();
    const double more = (time - alone) / alone;
    if (beside > 0) forget_beside(batch);
    if (company.others > width_) return;
    if (beside <= 0) {
      Span& own = spans_[(kept_ - 1) % kKept];
      own.more = more;
      own.alone_in = trials_;
    }
    trial_.add(beside / alone, more);
    if (batch.trusted && beside >= kLong * alone) {
      const double saved = alone - (time - beside);
      saved_ += saved;
      saved_squares_ += saved * saved;
      saved_count_ += 1;
    }
    const int waits = trial_.compare(kMostLost);
    if (waits > 0 || trial_.count >= kMostBatches) {
      settle();
    } else if (waits < 0 && trial_.count >= kLeastForMore && width_ < kWidest) {
      ++width_;
      failures_ = 0;
      saved_ = saved_squares_ = saved_count_ = lead_ = 0;
      begin_trial();
    }
  }

  // Those that ended before this one and were beside it were not alone either, and may have taken longer
  // for it.
  void forget_beside(const Batch& batch) noexcept {
    for (std::size_t i = 2; i <= std::min(kept_, kKept); ++i) {
      Span& other = spans_[(kept_ - i) % kKept];
      if (other.finished <= batch.dispatched) break;
      if (other.executor != batch.executor || other.alone_in != trials_) continue;
      trial_.add(0, other.more, -1);
      other.alone_in = 0;
    }
  }

  void begin_trial() noexcept {
    trial_ = {};
    ++trials_;
    settled_ = false;
    trial_.add(0, 0, kAsGoodAs);
  }

  void settle() noexcept {
    settled_ = true;
    next_trial_ = batches_ + std::min(kFirstPause << 2 * std::min(failures_, 3U), kLastPause);
    ++failures_;
    if (saved_count_ < kLeastSaved) return;
    const double mean = saved_ / saved_count_;
    const double variance = std::max(saved_squares_ / saved_count_ - mean * mean, 0.0);
    const double doubt = std::sqrt(variance / saved_count_);
    lead_ = mean > kSurely * doubt ? mean : 0;
    if (saved_count_ < kMostSaved) return;
    saved_ /= 2;
    saved_squares_ /= 2;
    saved_count_ /= 2;
  }

  std::array<Span, kKept> spans_{};  // As they ended, the oldest first, in a ring.
  std::size_t kept_ = 0;
  std::size_t width_ = 0;
  bool settled_ = true;
  std::uint64_t lone_ = 0;  // Batches that were beside no others.
  std::uint64_t trials_ = 0;
  unsigned failures_ = 0;      // Trials in a row.
  std::uint64_t batches_ = 0;  // Since it is known.
  std::uint64_t next_trial_ = 0;
  Regression trial_;
  double lead_ = 0;
  double saved_ = 0;  // Though they waited: sums over batches.
  double saved_squares_ = 0;
  double saved_count_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_AUTO_OVERLAP_HPP
