// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP

#include "reference_executors.hpp"
#include "reference_queue.hpp"
#include "reference_service.hpp"

#include <batchwright/outcome.hpp>
#include <batchwright/policy.hpp>
#include <batchwright/scheduling.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace batchwright_test {

/// The scheduler a second time, slow and obvious: plain vectors, scanned and sorted anew for every
/// question. It is written from the rules, which its comments quote, and shares no code with
/// batchwright/detail/scheduler.hpp; the random test compares the two action by action.
class ReferenceModel {
 public:
  using TimePoint = batchwright::TimePoint;
  using Duration = batchwright::Duration;
  using Request = ReferenceRequest;
  using Requests = ReferenceRequests;

  /// A policy is a function of the view, nothing more.
  using Policy = std::function<batchwright::Decision(const batchwright::QueueView&)>;

  struct Limits {
    std::size_t max_batch_size = 32;
    std::size_t executors = 1;
    std::size_t max_in_flight = 1;
    Duration max_wait = std::chrono::seconds(1);
    std::uint64_t overtaking_bound = 1000;
    std::size_t capacity = batchwright::kNoCount;  ///< So many may be queued, and no more.
    batchwright::QueueOrder order = batchwright::QueueOrder::fifo;
    batchwright::SizeRule size_rule = batchwright::SizeRule::sum;
    std::vector<std::size_t> preferred_sizes{};
    std::vector<std::size_t> allowed_sizes{};
    batchwright::FitRule fit = batchwright::FitRule::pad_up;
    bool forecasts = false;
    bool leased = false;
    bool keyed_lanes = false;
    std::vector<std::uint64_t> shares{1};                            ///< By tenant.
    std::vector<std::size_t> lane_executors{batchwright::kNoCount};  ///< By lane.
  };

  enum class Kind { idle, wait, dispatch, fail };

  /// What the sizes made of a batch.
  enum class Cut { plain, preferred, trimmed, kept };

  struct Action {
    Kind kind = Kind::idle;
    batchwright::Outcome outcome = batchwright::Outcome::ok;
    batchwright::ReleaseReason reason = batchwright::ReleaseReason::size;
    std::size_t executor = 0;
    std::uint64_t batch_id = 0;
    TimePoint until = batchwright::kNever;
    std::size_t missing = batchwright::kNoCount;
    bool wants_executor = false;
    TimePoint oldest{};
    std::size_t padded_size = 0;
    std::optional<double> forecast_ns{};
    Requests requests{};
    std::size_t size = 0;  ///< Of a batch, before it is padded up.
    Cut cut = Cut::plain;  ///< `kept`: both means are known, and say that trimming costs more.
    bool crowded = false;  ///< It left because the queue was full, and for no other reason.
    bool dropped = false;  ///< The policy gave up on them.
  };

  /// `asks_service`: the policy wants to be shown what was measured.
  ReferenceModel(Policy policy, bool asks_service, const Limits& limits)
      : policy_(std::move(policy)),
        asks_service_(asks_service),
        limits_(limits),
        queue_(limits.order, limits.overtaking_bound, limits.shares),
        executors_(limits.executors, limits.max_in_flight, limits.leased),
        service_(limits.max_batch_size),
        times_(limits.max_batch_size) {
    set_cap(limits.max_batch_size);
  }

  // Events only mutate.

  std::uint64_t arrive(const Request& request) {
    queue_.arrive(request);
    return queue_.accepted();
  }

  /// Whether the forecast says that a newcomer meets its deadline. It is `unclear` where that hangs on
  /// how a mean was rounded: then it is as the scheduler says.
  enum class Hope { meets, misses, unclear };

  Hope hope(const Request& newcomer) const {
    if (!limits_.forecasts) return Hope::meets;
    if (newcomer.deadline == batchwright::kNever && newcomer.expiry == batchwright::kNever) {
      return Hope::meets;
    }
    // "A request that finds the batcher idle is never refused, and until eight batches have been
    // measured none is."
    if (service_.samples() < 8) return Hope::meets;
    if (queue_.empty() && executors_.running().empty()) return Hope::meets;

    // "What goes before the request, of its tenant and of the others by their shares, in full batches",
    // then "the request's own batch". "Under the padded rule the work of others is counted by their
    // number at the newcomer's length."
    const bool padded = limits_.size_rule == batchwright::SizeRule::padded;
    const std::uint64_t before = queue_.weight_before(newcomer);
    const std::uint64_t size = padded ? (before + 1) * newcomer.length : before + newcomer.weight;
    const std::uint64_t full = (size - 1) / cap_;
    const double each_ns = service_.expected_ns(cap_);
    const double own_ns = service_.expected_ns(static_cast<std::size_t>(size - full * cap_));
    const auto misses = [&](double slack) {
      const Duration each(static_cast<std::int64_t>(each_ns + slack));
      const Duration own(static_cast<std::int64_t>(own_ns + slack));
      const TimePoint start = executors_.expected_vacant(full, each, newcomer.enqueued);
      // "If the forecast answer comes after its deadline, or the forecast entry of the predictor after
      // its timeout."
      return start + own > newcomer.deadline || start > newcomer.expiry;
    };
    const bool at_least = misses(-kRounding);
    if (at_least != misses(kRounding)) return Hope::unclear;
    return at_least ? Hope::misses : Hope::meets;
  }

  /// Turns a newcomer away that would not meet its deadline.
  void turn_away(const Request& newcomer) { hopeless_.push_back(newcomer); }

  void cancel(std::size_t id) {
    const auto turned_away = std::find_if(hopeless_.begin(), hopeless_.end(),
                                          [id](const Request& one) { return one.id == id; });
    if (turned_away == hopeless_.end()) {
      cancelled_.push_back(queue_.take(id));
    } else {
      cancelled_.push_back(*turned_away);
      hopeless_.erase(turned_away);
    }
  }

  /// A queued request has another rank from now on, and expires no more.
  void rerank(std::size_t id, int priority, TimePoint deadline, TimePoint delay_at) {
    queue_.rerank(id, priority, deadline, delay_at);
  }

  /// "A policy sees the last deadline of those who wait for it."
  void set_latest(std::size_t id, TimePoint latest) { queue_.find(id).latest = latest; }

  /// Takes a request back that was queued or turned away, as if it had never come.
  void withdraw(std::size_t id) {
    if (std::erase_if(hopeless_, [id](const Request& one) { return one.id == id; }) == 0) {
      queue_.take(id);
    }
  }

  /// So many others hold room of the capacity.
  void share_room(std::size_t others) { others_ = others; }

  /// Who was evicted; nobody if all that may be evicted does not suffice.
  Requests evict(std::size_t count, std::size_t bytes, int priority, std::size_t tenant) {
    const Requests victims = queue_.victims(count, bytes, priority, tenant);
    if (victims.empty()) return victims;
    queue_.remove(victims);
    evicted_.insert(evicted_.end(), victims.begin(), victims.end());
    return victims;
  }

  /// All requests of a batch have been answered.
  void report(const batchwright::BatchReport& report) {
    executors_.finish(report);
    // "One of size zero was not computed, because all of it had expired or been cancelled by then,
    // and teaches nothing." One that failed teaches nothing either, and nothing is learned that nobody
    // wants to know.
    if (report.size == 0 || report.failed || !learns()) return;
    service_.observe(report.size, report.finished - report.dispatched);
    times_.observe(std::max(report.size, report.padded_size), report.finished - report.dispatched);
  }

  void vacate(std::size_t executor) { executors_.vacate(executor); }
  void grant(std::size_t executor) { executors_.grant(executor); }
  std::size_t revoke() { return executors_.revoke(); }
  void reserve(std::size_t executor) { executors_.reserve(executor); }

  /// "With `new_predictor` the service times of before mean nothing any more."
  bool begin_errand(std::size_t executor, bool new_predictor) {
    if (!executors_.begin_errand(executor, new_predictor)) return false;
    if (new_predictor) {
      service_.forget();
      times_.forget();
    }
    return true;
  }

  /// "At most what the limits say, and one of the allowed sizes where there are such."
  void set_cap(std::size_t cap) {
    cap_ = cap;
    for (const std::size_t allowed : limits_.allowed_sizes) {
      if (allowed <= cap) cap_ = allowed;
    }
    // Batches are at most so large from now on, so what is larger is no size that could be preferred.
    preferred_.clear();
    for (const std::size_t size : limits_.preferred_sizes) {
      if (size <= cap_) preferred_.push_back(size);
    }
  }

  /// From now on another policy decides.
  void set_policy(Policy policy, bool asks_service) {
    policy_ = std::move(policy);
    asks_service_ = asks_service;
  }

  /// "`flush()` marks all that is queued as due."
  void flush() { flushed_ = queue_.accepted(); }

  /// "`pause()` stops dispatch only, deadlines and refusals go on."
  void pause() { paused_ = !draining_; }
  void resume() { paused_ = false; }

  /// From now on everything is due. "Drain ends a pause."
  void drain() {
    draining_ = true;
    paused_ = false;
  }

  /// From now on everything that is queued, or comes, fails as stopped.
  void abandon() { abandoning_ = true; }

  std::size_t queued() const { return queue_.all().size(); }
  std::size_t running() const { return executors_.running().size(); }
  const ReferenceExecutors& executors() const { return executors_; }
  const ReferenceService& service() const { return service_; }
  bool paused() const { return paused_; }

  TimePoint oldest_dispatch() const { return executors_.oldest_dispatch(); }

  /// The earliest enqueue time: callers stamp it, so it need not be that of the first accepted.
  TimePoint oldest() const { return oldest_of(queue_.all()); }

  /// "Batch reports, then arrivals, then cancellations, then expiries (now >= expiry), then
  /// dispatch": the first three have been given as events, the rest is decided here.
  Action next(TimePoint now) {
    using batchwright::Outcome;
    if (!cancelled_.empty()) return fail(Outcome::cancelled, std::exchange(cancelled_, {}));
    if (!hopeless_.empty()) return fail(Outcome::would_expire, std::exchange(hopeless_, {}));
    if (!evicted_.empty()) return fail(Outcome::evicted, std::exchange(evicted_, {}));
    if (abandoning_ && !queue_.empty()) return fail_queued(Outcome::stopped, queue_.by_activity());
    queue_.delay(now);
    const Requests expired = queue_.expired(now);
    if (!expired.empty()) return fail_queued(Outcome::expired, expired);
    if (queue_.empty()) return {};
    const bool available = executors_.available() > 0;
    if (paused_ || (!available && !executors_.more_would_help())) {
      return wait(queue_.wake(), batchwright::kNoCount);
    }

    std::vector<Verdict> due;
    std::vector<Verdict> waiting;
    for (const std::size_t lane : queue_.lanes()) {
      // "A lane bound to an occupied executor is not looked at and contributes nothing."
      const std::size_t executor = limits_.lane_executors[lane];
      if (executor != batchwright::kNoCount && !executors_.usable(executor)) continue;
      Verdict verdict = judge(lane, now);
      (verdict.due ? due : waiting).push_back(std::move(verdict));
    }
    if (due.empty() && full() && !waiting.empty()) {
      // A full queue does "not wait for company, because none can come, whatever the policy": "if no
      // lane is due, that of the oldest request is, of those that are looked at."
      const auto oldest = std::min_element(
          waiting.begin(), waiting.end(),
          [](const auto& a, const auto& b) { return first_come(a.order) < first_come(b.order); });
      oldest->due = oldest->crowded = true;
      oldest->size = cap_;
      due.push_back(*oldest);
    }
    if (!due.empty()) {
      // "Of the due lanes, the one whose first request is first by the order is dispatched."
      const auto first =
          std::min_element(due.begin(), due.end(), [this](const auto& a, const auto& b) {
            return queue_.precedes(a.order.front(), b.order.front());
          });
      // "The first `count` requests, in order, end as `Outcome::would_expire`."
      if (first->dropped > 0) {
        const std::size_t count = std::min(first->dropped, first->order.size());
        Action action = fail_queued(Outcome::would_expire, prefix(first->order, count));
        action.dropped = true;
        return action;
      }
      if (available) return dispatch(*first, now);
      // "A batch is due, and nothing but an executor is missing."
      Action action = wait(queue_.wake(), batchwright::kNoCount);
      action.wants_executor = true;
      return action;
    }
    TimePoint until = queue_.wake();
    std::size_t missing = batchwright::kNoCount;
    for (const Verdict& verdict : waiting) {
      until = std::min(until, verdict.until);
      missing = std::min(missing, verdict.missing);
    }
    // One arrival may open a lane of its own, which nobody has asked the policy about.
    return wait(until, limits_.keyed_lanes ? 1 : missing);
  }

 private:
  /// Far more than what two ways of adding up differ by.
  static constexpr double kRounding = 1e-6;

  /// What one lane may do now.
  struct Verdict {
    std::size_t lane = 0;
    Requests order;  ///< All of the lane, as a batch would take it.
    bool due = false;
    std::size_t size = 0;  ///< If due: what may leave at most, and why.
    batchwright::ReleaseReason reason = batchwright::ReleaseReason::size;
    bool crowded = false;
    std::size_t dropped = 0;  ///< Above zero: these are given up on, and no batch leaves.
    TimePoint until = batchwright::kNever;  ///< If not: what it waits for.
    std::size_t missing = batchwright::kNoCount;
  };

  static Action fail(batchwright::Outcome outcome, Requests requests) {
    Action action;
    action.kind = Kind::fail;
    action.outcome = outcome;
    action.requests = std::move(requests);
    return action;
  }

  Action fail_queued(batchwright::Outcome outcome, const Requests& requests) {
    queue_.remove(requests);
    return fail(outcome, requests);
  }

  static Action wait(TimePoint until, std::size_t missing) {
    Action action;
    action.kind = Kind::wait;
    action.until = until;
    action.missing = missing;
    return action;
  }

  /// "What no policy needs is not computed"; `cheapest` and the forecast need it too.
  bool learns() const {
    return asks_service_ || limits_.forecasts || limits_.fit == batchwright::FitRule::cheapest;
  }

  /// "`sum`: the size of a set of requests is the sum of weights. `padded`: count x the longest
  /// length."
  std::size_t size_of(const Requests& requests) const {
    std::size_t weight = 0;
    std::size_t longest = 0;
    for (const Request& request : requests) {
      weight += request.weight;
      longest = std::max(longest, request.length);
    }
    return limits_.size_rule == batchwright::SizeRule::sum ? weight : requests.size() * longest;
  }

  /// "Requests that may be queued": "each member counts against the capacities", also the others of a
  /// work, and those who wait for what is being computed.
  std::size_t taken() const { return queue_.all().size() + others_; }
  bool full() const { return taken() >= limits_.capacity; }

  static Requests prefix(const Requests& order, std::size_t count) {
    return {order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  /// "The longest prefix of size <= n, at least one request (an oversized one so leaves alone)";
  /// "nothing is skipped to fill it".
  Requests longest_prefix(const Requests& order, std::size_t size) const {
    std::size_t count = 1;
    while (count < order.size() && size_of(prefix(order, count + 1)) <= size) ++count;
    return prefix(order, count);
  }

  /// The longest prefix whose size is exactly one of `sizes`; empty if there is none.
  Requests longest_exact(const Requests& order, const std::vector<std::size_t>& sizes) const {
    for (std::size_t count = order.size(); count > 0; --count) {
      if (contains(sizes, size_of(prefix(order, count)))) return prefix(order, count);
    }
    return {};
  }

  static bool contains(const std::vector<std::size_t>& sizes, std::size_t size) {
    return std::find(sizes.begin(), sizes.end(), size) != sizes.end();
  }

  /// "The smallest allowed size >= the size, or the size itself if there is none."
  std::size_t padded_up(std::size_t size) const {
    for (const std::size_t allowed : limits_.allowed_sizes) {
      if (allowed >= size) return allowed;
    }
    return size;
  }

  /// Whether the lane is due, "by the first that holds".
  Verdict judge(std::size_t lane, TimePoint now) const {
    using batchwright::ReleaseReason;
    Verdict verdict;
    verdict.lane = lane;
    verdict.order = queue_.order_of(lane);
    const auto release = [&verdict](std::size_t size, ReleaseReason reason) {
      verdict.due = true;
      verdict.size = size;
      verdict.reason = reason;
      return verdict;
    };
    const auto any = [&verdict](auto holds) {
      return std::any_of(verdict.order.begin(), verdict.order.end(), holds);
    };
    const batchwright::Decision decision = ask_policy(verdict.order, now);
    if (decision.is_release()) return release(std::min(decision.size(), cap_), decision.reason());
    if (decision.dropped() > 0) {
      verdict.due = true;
      verdict.dropped = decision.dropped();
      return verdict;
    }

    // A policy that waits is overruled once the lane is due for another reason. All of these take
    // as much as the cap allows.
    const std::size_t size = size_of(verdict.order);
    const std::size_t awaited = std::min(decision.size(), cap_);
    const TimePoint end_of_net = net_of(oldest_of(verdict.order));
    if (size >= awaited) return release(cap_, ReleaseReason::size);
    if (preferred_size_reached(verdict.order)) return release(cap_, ReleaseReason::size);
    // What is queued does "not wait for company, because none can come". Of several lanes one is enough.
    if (full() && !limits_.keyed_lanes) {
      verdict.crowded = true;
      return release(cap_, ReleaseReason::size);
    }
    if (decision.until() <= now) return release(cap_, ReleaseReason::time);
    if (draining_) return release(cap_, ReleaseReason::drain);
    if (any([this](const Request& request) { return request.sequence <= flushed_; })) {
      return release(cap_, ReleaseReason::flush);
    }
    // "At the bound it goes first and its lane is due."
    if (any([](const Request& request) { return request.at_bound; })) {
      return release(cap_, ReleaseReason::overtaken);
    }
    // "No request waits longer than `max_wait` for company, whatever a policy says. A lane's clock
    // is its oldest request, not its head."
    if (end_of_net <= now) return release(cap_, ReleaseReason::net);

    verdict.until = std::min(decision.until(), end_of_net);
    verdict.missing = awaited - size;
    // The queue is full when so many more have come, of whatever weight.
    if (limits_.capacity != batchwright::kNoCount && !full()) {
      verdict.missing = std::min(verdict.missing, limits_.capacity - taken());
    }
    // A preferred size may be reached by the first request that brings the lane to the smallest of
    // them, and by any further one.
    if (!preferred_.empty()) {
      const std::size_t smallest = preferred_.front();
      verdict.missing = std::min(verdict.missing, size < smallest ? smallest - size : 1);
    }
    return verdict;
  }

  /// "Some prefix of the lane's order, of size <= cap, has exactly a preferred size, or lane.size >
  /// the largest preferred."
  bool preferred_size_reached(const Requests& order) const {
    if (preferred_.empty()) return false;
    if (size_of(order) > preferred_.back()) return true;
    return !longest_exact(order, preferred_).empty();
  }

  /// How much of the lane, in its order, leaves.
  void cut(Action& action, const Requests& order, std::size_t limit) const {
    action.requests = longest_prefix(order, limit);
    const std::vector<std::size_t>& allowed = limits_.allowed_sizes;
    if (!preferred_.empty()) {
      // "When due by time, the largest such prefix leaves, or all if there is none", "but not past
      // the largest preferred size".
      const Requests exact = longest_exact(action.requests, preferred_);
      if (!exact.empty()) {
        action.requests = exact;
        action.cut = Cut::preferred;
        return;
      }
      action.requests = longest_prefix(order, std::min(limit, preferred_.back()));
    }

    const std::size_t whole = size_of(action.requests);
    if (allowed.empty() || limits_.fit == batchwright::FitRule::pad_up) return;
    if (contains(allowed, whole) || whole >= allowed.back()) return;
    const Requests down = longest_exact(action.requests, allowed);
    if (down.empty()) return;
    if (limits_.fit == batchwright::FitRule::cheapest) {
      // "Trims if and only if time(down)/down <= time(up)/actual by measured means; a size never
      // measured is padded up to."
      const std::optional<double> time_down = times_.mean_of(size_of(down));
      const std::optional<double> time_up = times_.mean_of(padded_up(whole));
      if (!time_down || !time_up) return;
      if (*time_down / static_cast<double>(size_of(down)) > *time_up / static_cast<double>(whole)) {
        action.cut = Cut::kept;
        return;
      }
    }
    action.requests = down;
    action.cut = Cut::trimmed;
  }

  Action dispatch(const Verdict& verdict, TimePoint now) {
    Action action;
    action.kind = Kind::dispatch;
    action.reason = verdict.reason;
    action.crowded = verdict.crowded;
    cut(action, verdict.order, verdict.size);
    action.size = size_of(action.requests);
    action.padded_size = padded_up(action.size);
    action.executor = choose_executor(verdict.lane);
    action.batch_id = ++batches_;
    action.oldest = oldest_of(action.requests);
    if (learns() && service_.samples() > 0) {
      action.forecast_ns = service_.expected_ns(action.size);
    }
    queue_.dispatch(action.requests);
    executors_.start(action.batch_id, action.executor, action.size, now);
    return action;
  }

  std::size_t choose_executor(std::size_t lane) const {
    if (limits_.lane_executors[lane] != batchwright::kNoCount) return limits_.lane_executors[lane];
    return executors_.choose();
  }

  static TimePoint oldest_of(const Requests& requests) {
    TimePoint earliest = batchwright::kNever;
    for (const Request& request : requests) earliest = std::min(earliest, request.enqueued);
    return earliest;
  }

  /// When the oldest of them came, and as which: of one instant the first accepted is the oldest.
  static std::pair<TimePoint, std::uint64_t> first_come(const Requests& requests) {
    std::pair<TimePoint, std::uint64_t> first{batchwright::kNever, UINT64_MAX};
    for (const Request& request : requests) {
      first = std::min(first, {request.enqueued, request.sequence});
    }
    return first;
  }

  /// "`duration::max()` turns it off"; what cannot be represented never comes either.
  TimePoint net_of(TimePoint oldest) const {
    if (limits_.max_wait == Duration::max()) return batchwright::kNever;
    if (oldest > TimePoint{} && limits_.max_wait > batchwright::kNever - oldest) {
      return batchwright::kNever;
    }
    return oldest + limits_.max_wait;
  }

  batchwright::Decision ask_policy(const Requests& lane, TimePoint now) const {
    std::vector<batchwright::QueuedRequest> order;
    batchwright::QueueView view;
    view.newest = lane.front().enqueued;
    for (const Request& request : lane) {
      order.push_back({request.enqueued, request.latest, request.weight, request.priority});
      view.newest = std::max(view.newest, request.enqueued);
    }
    view.now = now;
    view.count = lane.size();
    view.size = size_of(lane);
    view.oldest = oldest_of(lane);
    view.max_batch_size = cap_;
    view.executors = limits_.executors;
    // "At least one executor free": where they are leased the policy is asked before.
    view.free_executors = std::max<std::size_t>(executors_.available(), 1);
    view.running = executors_.running();
    batchwright::ServiceEstimate estimate;
    std::vector<batchwright::SizeMean> means;
    if (asks_service_) {
      if (service_.samples() > 0) {
        const ReferenceService::Line line = service_.fit();
        estimate.intercept_ns = line.intercept;
        estimate.slope_ns = line.slope;
      }
      estimate.samples = service_.samples();
      for (const auto& [size, mean] : service_.means()) {
        means.push_back({static_cast<double>(size), mean.ns, mean.samples});
      }
      estimate.means = means;
      view.service = &estimate;
    }
    view.queue = batchwright::QueueCursor(&order, &step);
    return policy_(view);
  }

  static const void* step(const void* queue, const void* position,
                          batchwright::QueuedRequest& out) noexcept {
    const auto& order = *static_cast<const std::vector<batchwright::QueuedRequest>*>(queue);
    const auto* request = position == nullptr
                              ? order.data()
                              : static_cast<const batchwright::QueuedRequest*>(position) + 1;
    if (request == order.data() + order.size()) return nullptr;
    out = *request;
    return request;
  }

  Policy policy_;
  bool asks_service_;
  Limits limits_;
  std::size_t cap_ = 0;
  std::vector<std::size_t> preferred_;  // Those that are not above the cap.
  ReferenceQueue queue_;
  Requests cancelled_;  // In order of cancellation.
  Requests hopeless_;   // In order of arrival.
  Requests evicted_;    // In order of eviction.
  ReferenceExecutors executors_;
  ReferenceService service_;
  ReferenceService times_;  // By padded size.
  std::uint64_t batches_ = 0;
  std::size_t others_ = 0;
  std::uint64_t flushed_ = 0;  // What was accepted up to here is due.
  bool paused_ = false;
  bool draining_ = false;
  bool abandoning_ = false;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_REFERENCE_MODEL_HPP
