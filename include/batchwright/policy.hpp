// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICY_HPP
#define BATCHWRIGHT_POLICY_HPP

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

namespace batchwright::inline v0_1 {

/// All times of the library: monotonic, nanoseconds. Every runtime uses these types, so a policy
/// never needs to know which runtime drives it.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

/// "Never" as an instant and "no such count" as a size.
inline constexpr TimePoint kNever = TimePoint::max();
inline constexpr std::size_t kNoCount = std::numeric_limits<std::size_t>::max();

/// Why a batch left the queue.
enum class ReleaseReason : std::uint8_t {
  size,    ///< It was full, or had reached a preferred size or the one that the policy waited for.
  time,    ///< The policy's instant came.
  greedy,  ///< An executor was free and the policy does not wait.
  deadline,   ///< A policy released it to meet a deadline.
  flush,      ///< `flush()` had marked a request in it as due.
  drain,      ///< The batcher was shutting down.
  net,        ///< `max_wait` caught a request that the policy would have kept waiting.
  overtaken,  ///< Its first request had been overtaken as often as is allowed.
  split,      ///< The policy took a part of the queue, so that the first are answered sooner.
  returns,    ///< The callers that the policy waited for had come back.
  paced,      ///< The policy had held it, to keep the dispatches to several executors apart.
};

inline constexpr std::size_t kReleaseReasonCount = 11;

/// The enumerator's name, a string with static lifetime.
constexpr const char* to_string(ReleaseReason reason) noexcept {
  constexpr const char* kNames[kReleaseReasonCount] = {"size",  "time",    "greedy", "deadline",
                                                       "flush", "drain",   "net",    "overtaken",
                                                       "split", "returns", "paced"};
  return kNames[static_cast<std::size_t>(reason)];
}

/// What a finished batch teaches. Sizes are in weight units (a request weighs 1 unless told
/// otherwise). `service_time()` runs from the dispatch to the answer, so it includes the hand-over
/// to the executor: that is the time which a dispatch decision buys.
struct BatchReport {
  std::uint64_t batch_id = 0;
  std::size_t executor = 0;
  std::size_t size = 0;   ///< What was computed, as the cap counts it.
  std::size_t count = 0;  ///< Requests that were computed.

  /// What `size` was padded to where there are allowed sizes; otherwise `size`. 0 counts as `size`.
  std::size_t padded_size = 0;

  TimePoint oldest{};      ///< Enqueue time of its oldest request.
  TimePoint dispatched{};  ///< When the scheduler released it.
  TimePoint started{};     ///< When the predictor was entered.
  TimePoint finished{};    ///< When the last of its requests was answered.
  bool failed = false;     ///< The predictor threw or gave a wrong number of results, if only once.

  Duration service_time() const noexcept { return finished - dispatched; }
};

/// Requests that came since the policy was last told. `count` > 0.
struct ArrivalReport {
  std::size_t count = 0;
  std::size_t size = 0;  ///< Their weight.
  TimePoint first{};     ///< Earliest enqueue time among them.
  TimePoint last{};      ///< Latest enqueue time among them.
};

/// A batch that is being computed.
struct RunningBatch {
  std::uint64_t batch_id = 0;
  std::size_t executor = 0;
  std::size_t size = 0;
  TimePoint dispatched{};
  TimePoint expected_finish{};  ///< `dispatched` plus the mean of the executor's recent batches.
};

/// Mean service time of the batches of one size, or of one range of sizes above 16.
struct SizeMean {
  double size = 0;  ///< Mean size of the samples.
  double mean_ns = 0;
  std::uint64_t samples = 0;
};

/// The service time as a function of the batch size, fitted online by exponentially weighted least
/// squares. Filled only for a policy whose needs ask for it.
struct ServiceEstimate {
  double intercept_ns = 0;  ///< t0 of l(b) = t0 + a b
  double slope_ns = 0;      ///< a
  double deviation_ns = 0;  ///< Root mean square of the residuals.
  std::uint64_t samples = 0;
  std::span<const SizeMean> means;  ///< By ascending size; only those with samples.

  /// The line's value for a batch of `size`; zero before the first batch.
  Duration expected(std::size_t size) const noexcept {
    return Duration(static_cast<std::int64_t>(intercept_ns + slope_ns * static_cast<double>(size)));
  }
};

/// The stream of arrivals, by exponentially weighted means over about 128 of them. Filled only for
/// a policy whose needs ask for it.
struct ArrivalEstimate {
  double rate_per_second = 0;
  double burstiness = 0;  ///< Squared coefficient of variation of the gaps: Poisson 1, regular 0.
  std::uint64_t samples = 0;
  TimePoint last{};
};

/// One queued request as a policy may see it.
struct QueuedRequest {
  TimePoint enqueued{};
  TimePoint deadline = kNever;
  std::size_t weight = 1;
  int priority = 0;
};

/// Walks a lane in the order in which a batch would take it: requests at their overtaking bound, then by
/// priority, and the tenants by their shares. Valid during `decide` only. Each step is O(log tenants in
/// the lane), amortized, and O(log levels) where a priority ends; with two cursors in turn it is O(steps so
/// far).
class QueueCursor {
 public:
  using Step = const void* (*)(const void* queue, const void* position,
                               QueuedRequest& out) noexcept;

  QueueCursor() = default;
  QueueCursor(const void* queue, Step step) noexcept : queue_(queue), step_(step) {}

  /// Fills `out` with the next request in order; false at the end.
  bool next(QueuedRequest& out) noexcept {
    if (step_ == nullptr) return false;
    position_ = step_(queue_, position_, out);
    if (position_ == nullptr) step_ = nullptr;
    return position_ != nullptr;
  }

 private:
  const void* queue_ = nullptr;
  const void* position_ = nullptr;
  Step step_ = nullptr;
};

/// What a policy decides upon: one lane of the queue at one instant, with at least one request in
/// it and at least one executor free.
struct QueueView {
  TimePoint now{};
  std::size_t count = 0;           ///< Requests queued.
  std::size_t size = 0;            ///< What the cap counts of them: the unit of every size here.
  TimePoint oldest{};              ///< Earliest enqueue time in the lane.
  TimePoint newest{};              ///< Latest enqueue time in the lane.
  std::size_t max_batch_size = 0;  ///< The cap: the largest allowed size where there are such.
  std::size_t executors = 1;
  std::size_t free_executors = 0;
  std::span<const RunningBatch> running{};    ///< One for each batch that is being computed.
  const ServiceEstimate* service = nullptr;   ///< Null unless the policy's needs ask for it.
  const ArrivalEstimate* arrivals = nullptr;  ///< Null unless the policy's needs ask for it.
  QueueCursor queue{};                        ///< The requests themselves, deadlines and all.

  Duration oldest_age() const noexcept { return now - oldest; }
};

/// What a policy answers: release a batch now, wait until an instant or a size, hold back until a batch
/// has ended, or give up on requests.
class Decision {
 public:
  /// The longest prefix of the queue, in order, of at most `size`, and at least its first request.
  /// What exceeds the hard cap is cut.
  static constexpr Decision release(std::size_t size, ReleaseReason reason) noexcept {
    Decision decision;
    decision.size_ = size;
    decision.reason_ = reason;
    decision.release_ = true;
    return decision;
  }

  /// Ask again when `until` has come or when `size` is queued, whichever comes first; the dispatcher
  /// sleeps until then. Reaching either releases the batch unless the policy releases it itself:
  /// waiting for what has come already is no wait.
  static constexpr Decision wait(TimePoint until, std::size_t size = kNoCount) noexcept {
    Decision decision;
    decision.until_ = until;
    decision.size_ = size;
    return decision;
  }

  /// Ask again when a batch has ended, and at `until`. Meanwhile not even a full batch leaves: another one
  /// in flight would only wait there, though an executor could take it. As ever it leaves if it is
  /// flushed, has waited for `max_wait` or is overtaken too often, in a shutdown, and at `until`, unless
  /// the policy decides otherwise.
  static constexpr Decision hold(TimePoint until) noexcept {
    Decision decision;
    decision.until_ = until;
    decision.hold_ = true;
    return decision;
  }

  /// The first `count` requests, in order, end as `Outcome::would_expire`, because they would only make
  /// others late too; then the policy is asked again about what is left. `count` > 0.
  static constexpr Decision drop(std::size_t count) noexcept {
    Decision decision;
    decision.dropped_ = count;
    return decision;
  }

  constexpr bool is_release() const noexcept { return release_; }
  constexpr bool is_hold() const noexcept { return hold_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr TimePoint until() const noexcept { return until_; }
  constexpr ReleaseReason reason() const noexcept { return reason_; }
  constexpr std::size_t dropped() const noexcept { return dropped_; }

 private:
  TimePoint until_ = kNever;
  std::size_t size_ = kNoCount;
  std::size_t dropped_ = 0;
  ReleaseReason reason_ = ReleaseReason::size;
  bool release_ = false;
  bool hold_ = false;
};

/// What a policy wants computed for it. What it does not ask for costs nothing.
struct PolicyNeeds {
  bool service = false;   ///< QueueView::service
  bool arrivals = false;  ///< QueueView::arrivals
  /// To be asked about every waiting lane whenever the dispatcher looks: O(waiting lanes) each time.
  /// False promises that it decides by the lane alone, so that a wait it has decided on holds, if
  /// nothing enters or leaves that lane, until its `until` comes: by count, size, oldest, newest and
  /// the requests, in whatever order the tenants' requests stand, and by no state that changes.
  bool every_look = true;
  /// `on_arrivals` is called for each request of its own, with its own instant, not in bulk.
  bool each_arrival = false;
};

/// The batcher's limits, against which a policy checks its own settings.
struct PolicyLimits {
  std::size_t max_batch_size = 0;
  Duration max_wait{};  ///< The net; Duration::max() when it is off.
  std::size_t preferred_size =
      0;  ///< The largest of the preferred sizes within the cap; 0 without one.
};

namespace detail {

template <class P>
concept HearsArrivals = requires(P& policy, const ArrivalReport& report) {
  { policy.on_arrivals(report) } noexcept;
};

template <class P>
concept HearsBatches = requires(P& policy, const BatchReport& report) {
  { policy.on_batch(report) } noexcept;
};

template <class P>
concept StatesNeeds = requires(const P& policy) {
  { policy.needs() } noexcept -> std::same_as<PolicyNeeds>;
};

template <class P>
concept ValidatesItself = requires(const P& policy, const PolicyLimits& limits) {
  { policy.validate(limits) } -> std::convertible_to<std::string>;
};

/// What is optional is right where it is there. Else a missing noexcept, say, would leave it out in
/// silence.
template <class P>
concept OptionalPartsFit =
    (HearsArrivals<P> || !requires(P& p, const ArrivalReport& report) { p.on_arrivals(report); }) &&
    (HearsBatches<P> || !requires(P& p, const BatchReport& report) { p.on_batch(report); }) &&
    (StatesNeeds<P> || !requires(P& p) { p.needs(); }) &&
    (ValidatesItself<P> || !requires(P& p, const PolicyLimits& limits) { p.validate(limits); });

}  // namespace detail

/// A release rule. A policy is a value: copied into the batcher, called by whoever dispatches (by
/// one thread at a time), so it needs no lock.
///
/// | expression                            | meaning                              | requirements |
/// |---------------------------------------|--------------------------------------|--------------|
/// | `p.decide(view)` -> Decision          | what to do with this queue now       | noexcept, no allocation, no blocking, no clock call; required |
/// | `p.on_arrivals(report)`               | requests came, in bulk               | noexcept, no allocation; optional |
/// | `p.on_batch(report)`                  | a batch finished                     | noexcept, no allocation; optional |
/// | `p.needs()` -> PolicyNeeds            | what to compute for it               | noexcept, constant over its life; optional |
/// | `p.validate(limits)` -> std::string   | empty, or what is wrong with it      | called at construction; names the setting, what is allowed and the value; optional |
///
/// An optional part that is there must be as stated: a policy whose `on_batch` may throw is no policy.
///
/// Semantic requirement: `decide` depends on the view and on what the policy was told, not on how
/// often it is asked.
template <class P>
concept BatchingPolicy =
    std::copyable<P> && detail::OptionalPartsFit<P> && requires(P& policy, const QueueView& view) {
      { policy.decide(view) } noexcept -> std::same_as<Decision>;
    };

namespace detail {

template <class P>
PolicyNeeds needs_of([[maybe_unused]] const P& policy) noexcept {
  if constexpr (StatesNeeds<P>) {
    return policy.needs();
  } else {
    return {};
  }
}

template <class P>
std::string validate_policy([[maybe_unused]] const P& policy,
                            [[maybe_unused]] const PolicyLimits& limits) {
  if constexpr (ValidatesItself<P>) {
    return policy.validate(limits);
  } else {
    return {};
  }
}

/// `start + span`, or "never" where that would overflow.
constexpr TimePoint saturating_add(TimePoint start, Duration span) noexcept {
  return span >= kNever - std::max(start, TimePoint{}) ? kNever : start + span;
}

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICY_HPP
