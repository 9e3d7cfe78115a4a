// SPDX-License-Identifier: MIT
#include "tests/support/random.hpp"
#include "tests/support/reference_model.hpp"
#include "tests/support/sanitizers.hpp"
#include "tests/support/scheduler_policies.hpp"

#include <batchwright/detail/flow.hpp>
#include <batchwright/detail/scheduler.hpp>
#include <batchwright/detail/scheduler_limits.hpp>
#include <batchwright/scheduling.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// Random schedules, given to the scheduler and to the reference model alike: every action, every
// request in it and every view that the policy gets must be the same; the bound on overtaking is held to
// its number besides. A step is one event or one
// action. BATCHWRIGHT_RANDOM_STEPS sets how many are taken, BATCHWRIGHT_RANDOM_SEED the first seed:
// a failure prints the seed of its schedule, and starting there repeats it at once.
namespace {

namespace bw = batchwright;
using batchwright_test::Random;
using batchwright_test::ReferenceExecutors;
using batchwright_test::ReferenceModel;
using bw::Duration;
using bw::TimePoint;
using bw::detail::Action;
using bw::detail::RequestHeader;

constexpr std::uint64_t kReach = 1000;

std::string show(TimePoint time) {
  return time == bw::kNever ? "never" : std::to_string(time.time_since_epoch().count());
}

std::string show(std::size_t count) {
  return count == bw::kNoCount ? "none" : std::to_string(count);
}

struct NamedRequest : RequestHeader {
  std::size_t id = 0;
  std::size_t slot = 0;    // Its index among the live ones.
  std::size_t tenant = 0;  // As the model counts them...
  std::size_t lane = 0;    // ...and lanes.
  bool withdrawn = false;  // Cancelled or evicted.
  bool refused = false;    // By the forecast.
  std::uint64_t overtaken = 0;
};

/// One view, and what it points to.
struct Sight {
  bw::QueueView view;
  std::vector<bw::QueuedRequest> order;
  std::vector<bw::RunningBatch> running;
  std::optional<bw::ServiceEstimate> service;
  std::vector<bw::SizeMean> means;
};

/// What a policy was shown and told. The scheduler copies its policy, so the copies share this.
struct Witness {
  std::size_t calls = 0;      // Since the last action: one for each lane that is looked at.
  std::vector<Sight> sights;  // The first `calls` of them; the others are kept for their memory.

  std::size_t arrivals = 0;
  std::size_t arrived_size = 0;
  TimePoint first_arrival = TimePoint::max();
  TimePoint last_arrival = TimePoint::min();
  std::size_t batches = 0;

  void see(const bw::QueueView& seen) {
    if (calls == sights.size()) sights.emplace_back();
    Sight& sight = sights[calls++];
    sight.view = seen;
    sight.running.assign(seen.running.begin(), seen.running.end());
    sight.service.reset();
    if (seen.service != nullptr) {
      sight.service = *seen.service;
      sight.means.assign(seen.service->means.begin(), seen.service->means.end());
    }
    sight.order.clear();
    bw::QueueCursor cursor = seen.queue;
    for (bw::QueuedRequest request; cursor.next(request);) sight.order.push_back(request);
    bw::QueuedRequest untouched;
    if (cursor.next(untouched)) sight.order.push_back(untouched);  // The end must stay the end.
  }
};

using AnyTestPolicy =
    std::variant<batchwright_test::ReleaseAll, batchwright_test::ReleaseSome,
                 batchwright_test::WaitForAge, batchwright_test::WaitForSize,
                 batchwright_test::WaitForEither, batchwright_test::ReleaseBeforeDeadline,
                 batchwright_test::Steadfast, batchwright_test::Whimsical>;

bw::Decision ask(const AnyTestPolicy& policy, const bw::QueueView& view) noexcept {
  return std::visit([&view](const auto& chosen) noexcept { return chosen.decide(view); }, policy);
}

/// A policy, and what it asks for.
struct Chosen {
  AnyTestPolicy policy;
  bool every_look = false;
  bool each_arrival = false;
  bool asks_service = false;
};

/// Notes what its policy is shown and told.
struct WitnessedPolicy {
  Chosen chosen;
  Witness* witness = nullptr;

  bw::Decision decide(const bw::QueueView& view) noexcept {
    witness->see(view);
    return ask(chosen.policy, view);
  }
  bw::PolicyNeeds needs() const noexcept {
    bw::PolicyNeeds needs =
        std::visit([](const auto& policy) { return bw::detail::needs_of(policy); }, chosen.policy);
    needs.every_look = needs.every_look || chosen.every_look;
    needs.each_arrival = chosen.each_arrival;
    needs.service = chosen.asks_service;
    return needs;
  }
  void on_arrivals(const bw::ArrivalReport& report) noexcept {
    witness->arrivals += report.count;
    witness->arrived_size += report.size;
    witness->first_arrival = std::min(witness->first_arrival, report.first);
    witness->last_arrival = std::max(witness->last_arrival, report.last);
  }
  void on_batch(const bw::BatchReport&) noexcept { ++witness->batches; }
};

enum Feature : std::size_t {
  kTenants,
  kLanes,
  kBoundLanes,
  kWeights,
  kPadded,
  kEarliestDeadline,
  kShortestFirst,
  kPriorities,
  kExpiry,
  kDelay,
  kPreferred,
  kPadUp,
  kTrimDown,
  kCheapest,
  kEviction,
  kCancellations,
  kFlush,
  kPause,
  kSmallBound,
  kAsynchronous,
  kExecutors,
  kForecast,
  kLeased,
  kErrands,
  kCapChanges,
  kPolicyChanges,
  kService,
  kReranks,
  kWithdrawals,
  kDrops,
  kCapacity,
  kFeatureCount,
};

constexpr const char* kFeatureNames[kFeatureCount] = {
    "tenants",           "lanes",          "bound_lanes", "weights",     "padded",
    "earliest_deadline", "shortest_first", "priorities",  "expiry",      "delay",
    "preferred",         "pad_up",         "trim_down",   "cheapest",    "eviction",
    "cancellations",     "flush",          "pause",       "small_bound", "asynchronous",
    "executors",         "forecast",       "leased",      "errands",     "cap_changes",
    "policy_changes",    "service",        "reranks",     "withdrawals", "drops",
    "capacity"};

/// The pairs of which no scheduler can have both.
bool contradict(std::size_t a, std::size_t b) {
  if (a > b) std::swap(a, b);
  const auto is_fit = [](std::size_t feature) { return feature >= kPadUp && feature <= kCheapest; };
  return (a == kPadded && b >= kPreferred && b <= kCheapest) ||
         (a == kEarliestDeadline && b == kShortestFirst) || (is_fit(a) && is_fit(b)) ||
         (a == kBoundLanes && b == kLeased);
}

using FeatureSet = std::array<bool, kFeatureCount>;

/// How often each thing has happened: a comparison of what never happens proves nothing.
struct Reach {
  std::array<std::uint64_t, bw::kOutcomeCount> outcomes{};  // Requests; `ok` stands for dispatched.
  std::array<std::uint64_t, bw::kReleaseReasonCount> reasons{};  // Batches.
  /// Dispatches and failures after both features have acted in their schedule; [i][i]: after the one has.
  std::array<std::array<std::uint64_t, kFeatureCount>, kFeatureCount> pairs{};
  /// Dispatches and failures with one tenant, one lane, plain sizes and plain order.
  std::uint64_t plain = 0;
  std::uint64_t at_bound = 0;          // Requests that went first because of their bound...
  std::uint64_t at_default_bound = 0;  // ...where that is the thousand of the default.
  std::uint64_t acted = 0;             // ...where it is less, and the batch was led by such a one.
  std::uint64_t passed_bound = 0;      // Requests that were overtaken more often than the bound...
  std::uint64_t passed_fully = 0;      // ...by all that a batch may add.
  std::uint64_t left_to_others =
      0;  // Ones at their bound, passed for their lane's executor's sake.
  std::uint64_t looked_at_several = 0;  // Actions before which the policy saw several lanes...
  std::uint64_t looked_at_fewer = 0;    // ...of which the scheduler did not have to look at all.
  std::uint64_t mixed = 0;              // Batches of several tenants.
  std::uint64_t delayed = 0;            // Dispatched requests that had been delayed.
  std::uint64_t preferred = 0;          // Batches cut to a preferred size.
  std::uint64_t trimmed_down = 0;       // Batches trimmed by `trim_down`...
  std::uint64_t trimmed_cheaper = 0;    // ...or by `cheapest`...
  std::uint64_t kept = 0;               // ...which found that it would cost more.
  std::uint64_t padded_up = 0;          // Batches padded to an allowed size.
  std::uint64_t spared = 0;             // Evictions for which there was not enough.
  std::uint64_t alone = 0;              // Requests above the cap that ran alone.
  std::uint64_t failed_reports = 0;     // Reports of batches that failed...
  std::uint64_t partial_reports = 0;    // ...and of such as lost requests on the way.
  std::uint64_t hopeful = 0;            // Newcomers with a deadline that the forecast let in...
  std::uint64_t unclear = 0;            // ...or for which it hung on how a mean was rounded.
  std::uint64_t refused_cancelled = 0;  // Newcomers that it refused, and that were cancelled then.
  std::uint64_t wanted = 0;             // Waits for an executor alone...
  std::uint64_t wanted_busy = 0;        // ...while all of them were at work here.
  std::uint64_t revoked = 0;            // Leases that were not used.
  std::uint64_t errands = 0;            // Errands begun...
  std::uint64_t errands_late = 0;       // ...after they had to wait.
  std::uint64_t below_cap = 0;          // Batches at a lowered cap.
  std::uint64_t reranked = 0;           // Requests that got another rank...
  std::uint64_t reranked_delayed = 0;   // ...while they were delayed, and stayed so...
  std::uint64_t revived = 0;            // ...or were live again...
  std::uint64_t reranked_at_bound = 0;  // ...or at their bound, where it changes nothing.
  std::uint64_t shown_anew = 0;         // ...or were shown with another deadline.
  std::uint64_t withdrawn = 0;          // Requests taken back...
  std::uint64_t withdrawn_refused = 0;  // ...that the forecast had refused.
  std::uint64_t dropped = 0;            // Requests that the policy gave up on.
  std::uint64_t crowded = 0;            // Batches that left because the queue was full...
  std::uint64_t crowded_by_others = 0;  // ...of such as are not queued, too...
  std::uint64_t crowded_lanes = 0;      // ...and others waited on in other lanes...
  std::uint64_t crowded_past = 0;       // ...an older one among them, for its own executor.
  std::uint64_t steps = 0;
  std::uint64_t schedules = 0;
};

/// One line of a schedule's history, kept as numbers: only a failure turns it into words.
struct Entry {
  const char* text;
  std::array<std::int64_t, 6> numbers;
};

/// The knobs of one schedule, all drawn from its seed.
struct Shape {
  bw::detail::SchedulerLimits limits;
  Chosen chosen;
  unsigned service_percent = 0;  // Of the policies.
  std::vector<int> priorities{0};
  std::vector<std::uint32_t> shares;        // Of the tenants with a name.
  std::vector<std::size_t> lane_executors;  // Of the lanes with a name.
  bool mixes_default = true;                // Some requests, or all, are of no flow.
  std::uint32_t max_weight = 1;
  std::uint32_t max_length = 1;
  std::size_t steps = 300;
  std::size_t queue_limit = 12;
  std::size_t burst = 2;
  std::int64_t jitter = 0;
  unsigned arrival_percent = 50;
  unsigned deadline_percent = 0;
  bool near_deadlines = false;  // Else they order requests, and never come.
  std::int64_t farthest_deadline = 25;
  unsigned delay_percent = 0;
  unsigned evict_percent = 0;
  unsigned cancel_percent = 0;
  unsigned flush_percent = 0;
  unsigned pause_percent = 0;
  unsigned errand_percent = 0;
  unsigned cap_percent = 0;
  unsigned policy_percent = 0;
  unsigned rerank_percent = 0;
  unsigned withdraw_percent = 0;
  unsigned drop_percent = 0;  // Of the decisions of the policies that decide by chance.
  unsigned finish_percent = 30;
  bool asynchronous = false;
  std::int64_t start = 0;
};

std::vector<std::size_t> draw_subset(Random& random, const std::vector<std::size_t>& sizes,
                                     std::size_t at_most) {
  std::vector<std::size_t> chosen;
  for (std::size_t n = 1 + random.below(at_most); n > 0; --n) chosen.push_back(random.pick(sizes));
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

void draw_sizes(Random& random, unsigned density, bw::detail::SchedulerLimits& limits) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size <= limits.max_batch_size; ++size) sizes.push_back(size);
  if (random.chance(density + density / 2)) {
    constexpr bw::FitRule kFits[] = {bw::FitRule::pad_up, bw::FitRule::pad_up,
                                     bw::FitRule::trim_down, bw::FitRule::cheapest};
    limits.fit = random.pick(kFits);
    // The model knows no size classes: all up to 16 are exact.
    if (limits.fit == bw::FitRule::cheapest && limits.max_batch_size > 16) {
      limits.max_batch_size = 16;
      sizes.resize(16);
    }
    limits.allowed_sizes = draw_subset(random, sizes, 4);
    sizes = limits.allowed_sizes;
  }
  if (random.chance(density / 2)) limits.preferred_sizes = draw_subset(random, sizes, 3);
}

void draw_flows(Random& random, unsigned density, Shape& shape) {
  const bool tenants = random.chance(density);
  const bool lanes = random.chance(density);
  const bool bound = random.chance(density);
  if (!tenants && !lanes && !bound && random.chance(80)) return;
  const std::size_t tenant_count = tenants ? 2 + random.below(3) : 1;
  const std::size_t lane_count = !lanes ? 1 : 2 + random.below(random.chance(20) ? 24 : 4);
  for (std::size_t i = 0; i < tenant_count; ++i) {
    shape.shares.push_back(static_cast<std::uint32_t>(1 + random.below(5)));
  }
  for (std::size_t i = 0; i < lane_count; ++i) {
    shape.lane_executors.push_back(bound && (i == 0 || random.chance(60))
                                       ? random.below(shape.limits.executors)
                                       : bw::kNoCount);
  }
  shape.mixes_default = lanes && random.chance(25);
  shape.limits.keyed_lanes = lane_count > 1 || random.chance(20);
}

Chosen draw_policy(Random& random, std::size_t max_batch_size, unsigned drop_percent) {
  const Duration window(random.between(0, 20));
  const std::size_t size = random.below(max_batch_size + 2);
  Chosen chosen;
  chosen.every_look = random.chance(20);
  chosen.each_arrival = random.chance(20);
  switch (drop_percent > 0 ? 6 + random.below(4) : random.below(10)) {
    case 0:
      chosen.policy = batchwright_test::ReleaseAll{};
      break;
    case 1:
      chosen.policy = batchwright_test::ReleaseSome{size};
      break;
    case 2:
      chosen.policy = batchwright_test::WaitForAge{window};
      break;
    case 3:
      chosen.policy = batchwright_test::WaitForSize{random.chance(20) ? bw::kNoCount : size};
      break;
    case 4:
      chosen.policy = batchwright_test::WaitForEither{size, window};
      break;
    case 5:
      chosen.policy = batchwright_test::ReleaseBeforeDeadline{window};
      break;
    case 6:
    case 7:
      chosen.policy = batchwright_test::Steadfast{
          random.bits(), static_cast<unsigned>(random.below(60)), drop_percent};
      break;
    default:
      chosen.policy = batchwright_test::Whimsical{
          random.bits(), static_cast<unsigned>(random.below(80)), drop_percent};
  }
  return chosen;
}

/// A forecast that hangs on what is queued: many of few levels, and deadlines that some of them meet.
void draw_backlog(Random& random, Shape& shape) {
  bw::detail::SchedulerLimits& limits = shape.limits;
  if (random.chance(60)) {
    limits.order = bw::QueueOrder::fifo;
    shape.flush_percent /= 4;
    if (shape.shares.size() > 1) shape.shares.resize(1);
    std::fill(shape.shares.begin(), shape.shares.end(), 1);
  }
  if (random.chance(50)) {
    limits.executors = std::max<std::size_t>(limits.executors, 2 + random.below(3));
    limits.max_in_flight = std::max(limits.max_in_flight, limits.executors);
  }
  if (limits.size_rule == bw::SizeRule::sum) {
    shape.max_weight = std::max<std::uint32_t>(shape.max_weight, 2);
  }
  shape.farthest_deadline = random.between(40, 200);
  shape.deadline_percent = std::max(shape.deadline_percent, 60u);
  shape.near_deadlines = true;
  shape.priorities = {0, 1};
  shape.burst = std::max<std::size_t>(shape.burst, 4);
  shape.queue_limit = std::max<std::size_t>(shape.queue_limit, 12);
  shape.finish_percent = std::max(shape.finish_percent, 40u);
}

/// More requests at their bound than a batch takes, and nobody who comes after them to make one due.
void draw_pile(Random& random, Shape& shape) {
  bw::detail::SchedulerLimits& limits = shape.limits;
  limits.overtaking_bound = 1 + random.below(5);
  limits.executors = limits.max_in_flight = 1;
  for (std::size_t& executor : shape.lane_executors) {
    if (executor != bw::kNoCount) executor = 0;
  }
  if (shape.shares.size() > 1) shape.shares.resize(1);
  std::fill(shape.shares.begin(), shape.shares.end(), 1);
  if (limits.size_rule == bw::SizeRule::sum) {
    limits.max_batch_size = 3 + random.below(4);
    limits.preferred_sizes.clear();
    limits.allowed_sizes = {2, limits.max_batch_size};
    limits.fit = bw::FitRule::trim_down;
    if (random.chance(30)) limits.allowed_sizes.clear();
    shape.max_weight = std::min<std::uint32_t>(shape.max_weight, 2);
  }
  shape.chosen.policy = batchwright_test::WaitForSize{};
  limits.max_wait = Duration(random.between(20, 200));
  shape.priorities = {-1, -1, 0, 5, 5};
  shape.flush_percent = 0;
  shape.arrival_percent = 30;
  shape.queue_limit = std::max(shape.queue_limit, 3 * limits.max_batch_size);
  shape.burst = 2 * limits.max_batch_size + 2;
  shape.finish_percent = 50;
}

/// Few lanes, which wait for long; little happens but what concerns all of them at once.
void draw_calm(Random& random, Shape& shape) {
  bw::detail::SchedulerLimits& limits = shape.limits;
  if (random.chance(70)) {
    shape.chosen.policy = batchwright_test::WaitForSize{};
  } else {
    shape.chosen.policy = batchwright_test::WaitForAge{Duration(random.between(5, 60))};
  }
  shape.chosen.every_look = false;
  limits.max_wait = Duration(random.between(50, 300));
  shape.lane_executors.resize(std::min<std::size_t>(shape.lane_executors.size(), 3));
  if (limits.allowed_sizes.empty()) {
    limits.max_batch_size = 4 + random.below(5);
    limits.preferred_sizes.clear();
    if (limits.size_rule == bw::SizeRule::sum && random.chance(15)) {
      limits.preferred_sizes = {2 + random.below(2)};
    }
  }
  shape.steps = 80 + random.below(120);
  shape.burst = 2;
  shape.arrival_percent = 40;
  shape.finish_percent = 90;
  shape.deadline_percent /= 4;
  shape.flush_percent /= 4;
  shape.cancel_percent = random.chance(50) ? 10 : 0;
  shape.pause_percent /= 2;
  shape.cap_percent = random.chance(50) ? 20 : 0;
  shape.policy_percent = random.chance(45) ? 8 : 0;
}

/// What may come to an executor but batches, and what may change in mid-run.
void draw_changes(Random& random, unsigned density, Shape& shape) {
  bw::detail::SchedulerLimits& limits = shape.limits;
  limits.leased_executors = random.chance(density / 2 + 5);
  // An executor that is bound to a lane is the batcher's own.
  if (limits.leased_executors) {
    std::fill(shape.lane_executors.begin(), shape.lane_executors.end(), bw::kNoCount);
  }
  if (random.chance(density / 2 + 5)) limits.forecast = bw::Forecast::refuse;
  // Requests of a batcher that pads weigh 1.
  if (limits.forecast != bw::Forecast::off && limits.size_rule == bw::SizeRule::padded) {
    shape.max_weight = 1;
  }
  const auto percent = [&](std::size_t at_most) {
    return random.chance(density / 2 + 5) ? static_cast<unsigned>(1 + random.below(at_most)) : 0;
  };
  shape.errand_percent = percent(20);
  // A new predictor, of which no time is known by which a batch would be trimmed.
  const bool cheapest = !limits.allowed_sizes.empty() && limits.fit == bw::FitRule::cheapest;
  if (cheapest && shape.errand_percent == 0 && random.chance(45)) shape.errand_percent = 5;
  shape.cap_percent = percent(20);
  // Preferred sizes that a lowered cap puts out of reach, and weights that may miss the others.
  if (shape.cap_percent > 0 && limits.size_rule == bw::SizeRule::sum &&
      limits.overtaking_bound != 1000 && random.chance(60)) {
    shape.max_weight = std::max<std::uint32_t>(shape.max_weight, 3);
    shape.chosen.policy = batchwright_test::WaitForSize{};
    const std::size_t small = limits.allowed_sizes.empty() ? 1 + random.below(limits.cap())
                                                           : limits.allowed_sizes.front();
    limits.preferred_sizes = {small};
    if (small < limits.cap()) limits.preferred_sizes.push_back(limits.cap());
  }
  shape.policy_percent = percent(15);
  shape.rerank_percent = percent(60);
  // Few levels, so that what changes its rank often comes before others of the same, and a forecast that
  // counts them all.
  if (shape.rerank_percent > 0 && limits.forecast != bw::Forecast::off) {
    shape.priorities = {0, 1};
    shape.deadline_percent = std::max(shape.deadline_percent, 50u);
    shape.near_deadlines = true;
  }
  // Many that are delayed and of one priority, so that their order among them shows.
  if (shape.rerank_percent > 0 && shape.delay_percent > 0 && random.chance(65)) {
    shape.priorities = {0, 1};
    shape.delay_percent = std::max(shape.delay_percent, 50u);
    limits.order = bw::QueueOrder::fifo;
  }
  shape.withdraw_percent = percent(20);
  if (random.chance(density / 2 + 5)) {
    shape.drop_percent = static_cast<unsigned>(1 + random.below(20));
    shape.chosen = draw_policy(random, limits.max_batch_size, shape.drop_percent);
  }
  // Some are full before a batch is.
  if (random.chance(density / 2 + 5)) {
    limits.capacity = 1 + random.below(shape.queue_limit);
    if (shape.drop_percent == 0 && random.chance(85)) {
      limits.capacity = 1 + random.below(6);
      limits.max_wait = Duration(random.between(20, 200));
      shape.chosen.policy = batchwright_test::WaitForSize{};
      // Long batches, so that the oldest request may wait for its lane's executor while others are free.
      if (shape.lane_executors.size() > 1) {
        limits.executors = std::max<std::size_t>(limits.executors, 2);
        limits.max_in_flight = std::max<std::size_t>(limits.max_in_flight, 2);
        for (std::size_t i = 0; i < shape.lane_executors.size(); i += 2) {
          shape.lane_executors[i] = limits.leased_executors ? bw::kNoCount : 0;
        }
        ++limits.capacity;
        shape.steps += 300;
        shape.finish_percent = 20;
        shape.arrival_percent = 100;
        shape.flush_percent /= 4;
        shape.burst = limits.capacity;
        if (limits.allowed_sizes.empty()) {
          limits.max_batch_size = std::max<std::size_t>(limits.max_batch_size, 8);
        }
      }
    }
  }
  if (limits.forecast != bw::Forecast::off && random.chance(80)) draw_backlog(random, shape);
  if (shape.lane_executors.size() > 1 && limits.capacity == bw::kNoCount && random.chance(45)) {
    draw_calm(random, shape);
  }
  shape.service_percent = percent(100);
  shape.chosen.asks_service = random.chance(shape.service_percent);
}

Shape draw_shape(Random& random) {
  Shape shape;
  bw::detail::SchedulerLimits& limits = shape.limits;
  // What is on is drawn more or less densely: plain schedules stay, and crowded ones come.
  constexpr unsigned kDensities[] = {0, 15, 35, 60, 60};
  const unsigned density = random.pick(kDensities);
  constexpr std::size_t kCaps[] = {1, 2, 3, 4, 5, 8, 16, 40};
  limits.max_batch_size = random.pick(kCaps);
  limits.executors = random.chance(40) ? 1 : 2 + random.below(3);
  shape.asynchronous = random.chance(50);
  limits.max_in_flight =
      shape.asynchronous ? 1 + random.below(2 * limits.executors + 1) : limits.executors;
  limits.max_wait = random.chance(15) ? Duration::max()
                                      : (random.chance(5) ? Duration::max() - Duration(1)
                                                          : Duration(random.between(1, 30)));
  constexpr std::uint64_t kBounds[] = {1, 1, 2, 3, 3, 7, 1000, 1000, UINT64_MAX};
  limits.overtaking_bound = random.pick(kBounds);

  switch (random.below(5)) {
    case 0:
      break;
    case 1:
      shape.priorities = {0, 1};
      break;
    case 2:
      shape.priorities = {INT_MIN, -1, 0, 1, INT_MAX};
      break;
    case 3:
      shape.priorities = {INT_MIN, INT_MIN, INT_MIN, INT_MAX};
      break;
    default:
      shape.priorities.clear();
      for (int i = 0; i < 40; ++i) {
        shape.priorities.push_back(static_cast<int>(random.between(INT_MIN, INT_MAX)));
      }
  }
  if (random.chance(50)) {
    // Some weigh more than any batch may, and so run alone.
    const std::size_t heaviest = limits.max_batch_size + (random.chance(30) ? 3 : 0);
    shape.max_weight =
        static_cast<std::uint32_t>(1 + random.below(std::min<std::size_t>(heaviest, 9)));
  }
  draw_flows(random, density, shape);
  if (random.chance(density + density / 3)) {
    limits.order =
        random.chance(50) ? bw::QueueOrder::earliest_deadline : bw::QueueOrder::shortest_first;
  }
  if (random.chance(50)) shape.max_length = static_cast<std::uint32_t>(1 + random.below(6));
  if (random.chance(density / 2)) {
    limits.size_rule = bw::SizeRule::padded;
  } else {
    draw_sizes(random, density, limits);
  }
  shape.delay_percent = random.chance(density) ? static_cast<unsigned>(1 + random.below(80)) : 0;
  shape.evict_percent = random.chance(density) ? static_cast<unsigned>(1 + random.below(30)) : 0;

  shape.chosen = draw_policy(random, limits.max_batch_size, 0);

  shape.steps = 50 + random.below(400);
  shape.queue_limit = 3 + random.below(22);
  if (shape.lane_executors.size() > 5) shape.queue_limit += 20;
  shape.burst = 1 + random.below(5);
  shape.jitter = random.chance(50) ? 0 : random.between(1, 15);
  shape.arrival_percent = static_cast<unsigned>(20 + random.below(81));
  shape.deadline_percent = random.chance(30) ? 0 : static_cast<unsigned>(random.below(80));
  shape.near_deadlines = random.chance(75);
  shape.cancel_percent = random.chance(30) ? 0 : static_cast<unsigned>(random.below(25));
  shape.flush_percent = random.chance(40) ? 0 : static_cast<unsigned>(random.below(40));
  shape.pause_percent = random.chance(70) ? 0 : static_cast<unsigned>(random.below(10));
  shape.finish_percent = static_cast<unsigned>(10 + random.below(91));
  shape.start = random.chance(20) ? 0 : 1'000'000'000;

  // A low priority that a patient policy leaves behind, again and again.
  if (random.chance(30)) {
    limits.overtaking_bound = 1 + random.below(3);
    limits.max_batch_size = 2 + random.below(4);
    shape.max_weight = std::min<std::uint32_t>(shape.max_weight, 2);
    shape.priorities = {-1, 0, 5, 5, 5};
    shape.chosen.policy = random.chance(50)
                              ? AnyTestPolicy(batchwright_test::Whimsical{random.bits(), 20})
                              : AnyTestPolicy(batchwright_test::WaitForSize{});
    limits.max_wait = Duration(random.between(20, 200));
    limits.preferred_sizes.clear();
    limits.allowed_sizes.clear();
    if (limits.size_rule == bw::SizeRule::sum) draw_sizes(random, density, limits);
    shape.deadline_percent /= 4;
    shape.cancel_percent /= 4;
    shape.flush_percent /= 2;
    shape.finish_percent = 90;
    shape.burst = limits.max_batch_size + 1;
  }

  // A policy that releases whatever there is, so that many a batch is between two allowed sizes.
  if (limits.size_rule == bw::SizeRule::sum && !limits.allowed_sizes.empty() &&
      random.chance(limits.order == bw::QueueOrder::fifo ? 60 : 40)) {
    limits.allowed_sizes = {1 + random.below(2), 3 + random.below(2), 5 + random.below(2)};
    limits.max_batch_size = limits.allowed_sizes.back() + (random.chance(50) ? 0 : random.below(6));
    limits.preferred_sizes.clear();
    limits.fit = random.chance(80) ? bw::FitRule::cheapest : bw::FitRule::trim_down;
    if (random.chance(limits.fit == bw::FitRule::cheapest ? 12 : 45)) {
      limits.preferred_sizes = draw_subset(random, limits.allowed_sizes, 2);
    }
    shape.chosen.policy = random.chance(50)
                              ? AnyTestPolicy(batchwright_test::ReleaseAll{})
                              : AnyTestPolicy(batchwright_test::Whimsical{random.bits(), 70});
    shape.finish_percent = static_cast<unsigned>(40 + random.below(61));
    shape.arrival_percent = std::max(shape.arrival_percent, 60u);
    shape.steps += 150;
    // What weighs more than the largest allowed size runs alone, and teaches nothing of that size.
    shape.max_weight = random.chance(25)
                           ? static_cast<std::uint32_t>(limits.allowed_sizes.back() + 2)
                           : std::min<std::uint32_t>(shape.max_weight, 2);
  }

  if (limits.overtaking_bound < 1000 && random.chance(16)) draw_pile(random, shape);
  // Few schedules are long enough for a request to be overtaken a thousand times.
  if (limits.overtaking_bound == 1000 && random.chance(15)) {
    shape.steps = 4500;
    shape.shares.clear();
    shape.lane_executors.clear();
    shape.mixes_default = true;
    limits.keyed_lanes = false;
    limits.preferred_sizes.clear();
    limits.allowed_sizes.clear();
    shape.evict_percent = 0;
    shape.priorities.assign(50, 5);
    shape.priorities.front() = 0;
    shape.arrival_percent = 100;
    shape.cancel_percent = 0;
    shape.deadline_percent = 0;
    shape.pause_percent = 0;
    shape.burst = 6;
    shape.queue_limit = 24;
    shape.max_weight = 1;
    shape.finish_percent = 90;
    limits.max_batch_size = 3;
    limits.executors = 1;
    limits.max_in_flight = 1;
  }
  // Company of the same priority, among which an order shows.
  if (limits.order != bw::QueueOrder::fifo && limits.overtaking_bound != 1000 &&
      random.chance(70)) {
    if (random.chance(50)) shape.priorities = {0, 1};
    shape.max_length = std::max<std::uint32_t>(shape.max_length, 4);
    shape.deadline_percent = std::max(shape.deadline_percent, 50u);
    shape.burst = std::max<std::size_t>(shape.burst, 4);
  }
  draw_changes(random, density, shape);
  // The model knows no size classes: all up to 16 are exact.
  if (limits.forecast != bw::Forecast::off || shape.service_percent > 0) {
    limits.max_batch_size = std::min<std::size_t>(limits.max_batch_size, 16);
    const auto too_large = [&](std::size_t size) { return size > limits.max_batch_size; };
    std::erase_if(limits.preferred_sizes, too_large);
    std::erase_if(limits.allowed_sizes, too_large);
  }
  return shape;
}

FeatureSet features_of(const Shape& shape) {
  const bw::detail::SchedulerLimits& limits = shape.limits;
  const bool allowed = !limits.allowed_sizes.empty();
  const auto is_bound = [](std::size_t executor) { return executor != bw::kNoCount; };
  FeatureSet on{};
  on[kTenants] = shape.shares.size() > 1;
  on[kLanes] = shape.lane_executors.size() > 1;
  on[kBoundLanes] = std::any_of(shape.lane_executors.begin(), shape.lane_executors.end(), is_bound);
  on[kWeights] = shape.max_weight > 1;
  on[kPadded] = limits.size_rule == bw::SizeRule::padded;
  on[kEarliestDeadline] = limits.order == bw::QueueOrder::earliest_deadline;
  on[kShortestFirst] = limits.order == bw::QueueOrder::shortest_first;
  on[kPriorities] = shape.priorities.size() > 1;
  on[kExpiry] = shape.deadline_percent > 0 && shape.near_deadlines;
  on[kDelay] = shape.delay_percent > 0;
  on[kPreferred] = !limits.preferred_sizes.empty();
  on[kPadUp] = allowed && limits.fit == bw::FitRule::pad_up;
  on[kTrimDown] = allowed && limits.fit == bw::FitRule::trim_down;
  on[kCheapest] = allowed && limits.fit == bw::FitRule::cheapest;
  on[kEviction] = shape.evict_percent > 0;
  on[kCancellations] = shape.cancel_percent > 0;
  on[kFlush] = shape.flush_percent > 0;
  on[kPause] = shape.pause_percent > 0;
  on[kSmallBound] = limits.overtaking_bound < 1000;
  on[kAsynchronous] = shape.asynchronous;
  on[kExecutors] = limits.executors > 1;
  on[kForecast] = limits.forecast != bw::Forecast::off;
  on[kLeased] = limits.leased_executors;
  on[kErrands] = shape.errand_percent > 0;
  on[kCapChanges] = shape.cap_percent > 0;
  on[kPolicyChanges] = shape.policy_percent > 0;
  on[kService] = shape.service_percent > 0;
  on[kReranks] = shape.rerank_percent > 0;
  on[kWithdrawals] = shape.withdraw_percent > 0;
  on[kDrops] = shape.drop_percent > 0;
  on[kCapacity] = limits.capacity != bw::kNoCount;
  return on;
}

/// Tenant 0 and lane 0 are the scheduler's own; those with a name follow.
ReferenceModel::Limits model_limits(const Shape& shape) {
  const bw::detail::SchedulerLimits& limits = shape.limits;
  ReferenceModel::Limits copy;
  copy.order = limits.order;
  copy.size_rule = limits.size_rule;
  copy.preferred_sizes = limits.preferred_sizes;
  copy.allowed_sizes = limits.allowed_sizes;
  copy.fit = limits.fit;
  copy.forecasts = limits.forecast != bw::Forecast::off;
  copy.leased = limits.leased_executors;
  copy.keyed_lanes = limits.keyed_lanes;
  copy.shares.insert(copy.shares.end(), shape.shares.begin(), shape.shares.end());
  copy.lane_executors.insert(copy.lane_executors.end(), shape.lane_executors.begin(),
                             shape.lane_executors.end());
  copy.max_batch_size = limits.max_batch_size;
  copy.executors = limits.executors;
  copy.max_in_flight = limits.max_in_flight;
  copy.max_wait = limits.max_wait;
  copy.overtaking_bound = limits.overtaking_bound;
  copy.capacity = limits.capacity;
  return copy;
}

/// One schedule, from its seed to its end or to the first difference.
class Schedule {
 public:
  Schedule(std::uint64_t seed, Reach& reach)
      : seed_(seed),
        random_(Random::mix(seed)),
        reach_(reach),
        shape_(draw_shape(random_)),
        features_(features_of(shape_)),
        tenants_(shape_.shares.size()),
        lanes_(shape_.lane_executors.size()),
        flows_(tenants_.size() * lanes_.size()),
        now_(Duration(shape_.start)),
        cap_(shape_.limits.cap()),
        real_(WitnessedPolicy{shape_.chosen, &seen_by_real_}, shape_.limits),
        model_(model_policy(shape_.chosen), shape_.chosen.asks_service, model_limits(shape_)) {
    for (std::size_t i = 0; i < tenants_.size(); ++i) tenants_[i].share = shape_.shares[i];
    for (std::size_t i = 0; i < lanes_.size(); ++i) lanes_[i].executor = shape_.lane_executors[i];
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      flows_[i].tenant = &tenants_[i / lanes_.size()];
      flows_[i].lane = &lanes_[i % lanes_.size()];
    }
  }

  /// False at the first difference; `failure()` then describes it.
  bool run() {
    bool ending = false;
    const bool ends_by_drain = random_.chance(65);
    for (std::size_t start = reach_.steps;
         failure_.empty() && reach_.steps - start < shape_.steps;) {
      advance();
      finish_batches();
      if (shape_.limits.leased_executors) grants();
      if (random_.chance(50)) control(ending);
      if (features_[kCapacity] && random_.chance(10)) share_room();
      arrivals();
      const bool withdraws_first = random_.chance(50);
      if (withdraws_first) withdrawals();
      cancellations();
      if (!withdraws_first) withdrawals();
      while (random_.chance(shape_.rerank_percent)) rerank();
      if (random_.chance(shape_.evict_percent)) evict();
      if (random_.chance(50)) control(ending);
      if (random_.chance(shape_.cap_percent)) change_cap();
      if (random_.chance(shape_.policy_percent)) change_policy();
      if (shape_.errand_percent > 0) errands();
      if (!ending && reach_.steps - start > shape_.steps - shape_.steps / 4) {
        ending = true;
        if (ends_by_drain) {
          note("drain");
          real_.drain();
          model_.drain();
        } else {
          note("abandon");
          real_.abandon();
          model_.abandon();
        }
      }
      take_actions();
      if (shape_.limits.leased_executors) give_back();
    }
    ++reach_.schedules;
    return failure_.empty();
  }

  std::string failure() const {
    std::ostringstream out;
    const bw::detail::SchedulerLimits& limits = shape_.limits;
    out << failure_ << "\nseed " << seed_ << ", step " << reach_.steps << " of all: cap "
        << limits.max_batch_size << ", executors " << limits.executors << ", in flight "
        << limits.max_in_flight << ", max_wait " << limits.max_wait.count() << ", bound "
        << limits.overtaking_bound << ", capacity " << show(limits.capacity) << ", first policy "
        << shape_.chosen.policy.index();
    for (std::size_t i = 0; i < kFeatureCount; ++i) {
      if (features_[i]) out << ", " << kFeatureNames[i];
    }
    out << "\nshares:";
    for (const std::uint32_t share : shape_.shares) out << ' ' << share;
    out << "; executors of the lanes:";
    for (const std::size_t executor : shape_.lane_executors) out << ' ' << show(executor);
    out << "; preferred:";
    for (const std::size_t size : limits.preferred_sizes) out << ' ' << size;
    out << "; allowed:";
    for (const std::size_t size : limits.allowed_sizes) out << ' ' << size;
    out << "\nsince all was quiet for the last time, but from 20 to 60 lines:\n";
    const std::size_t lines =
        std::min(history_.size(), std::clamp<std::size_t>(history_.size() - quiet_, 20, 60));
    for (std::size_t i = history_.size() - lines; i < history_.size(); ++i) {
      out << "  " << history_[i].text;
      for (const std::int64_t number : history_[i].numbers) {
        if (number != kBlank) out << ' ' << number;
      }
      out << '\n';
    }
    return out.str();
  }

 private:
  static constexpr std::int64_t kBlank = INT64_MIN + 7;

  /// Something else for an executor to do.
  struct Errand {
    std::size_t executor = 0;
    bool new_predictor = false;
    bool begun = false;
    bool had_to_wait = false;
  };

  struct Batch {
    bw::BatchReport report;
    std::size_t padded_size = 0;
    bool vacated = false;
    bool reported = false;
  };

  void note(const char* text, std::int64_t a = kBlank, std::int64_t b = kBlank,
            std::int64_t c = kBlank, std::int64_t d = kBlank, std::int64_t e = kBlank) {
    history_.push_back({text, {a, b, c, d, e, kBlank}});
    ++reach_.steps;
  }

  /// What has no room on the line before.
  void continue_note(const char* text, std::int64_t a, std::int64_t b, std::int64_t c,
                     std::int64_t d, std::int64_t e, std::int64_t f) {
    history_.push_back({text, {a, b, c, d, e, f}});
  }

  static std::int64_t ticks(TimePoint time) { return time.time_since_epoch().count(); }

  void advance() {
    // The instants that matter are those at which something changes, and their neighbours.
    const bool near = awaited_ > now_ && awaited_ - now_ < Duration(1000);
    switch (random_.below(8)) {
      case 0:
        break;
      case 1:
      case 2:
        now_ += Duration(random_.between(1, 8));
        break;
      case 3:
        if (near) now_ = awaited_;
        break;
      case 4:
        if (near) now_ = awaited_ - Duration(1);
        break;
      default:
        now_ += Duration(1);
    }
    history_.push_back({"now", {ticks(now_), kBlank, kBlank, kBlank, kBlank, kBlank}});
  }

  void finish_batches() {
    for (Batch& batch : batches_) {
      const bool finishes = random_.chance(shape_.finish_percent);
      if (shape_.asynchronous) {
        if (!batch.vacated && random_.chance(50)) {
          acts(kAsynchronous);
          vacate(batch);
        }
        if (finishes && !batch.reported) report(batch);
        if (!batch.vacated && random_.chance(10)) vacate(batch);
      } else if (finishes) {
        report(batch);
        vacate(batch);
      }
    }
    std::erase_if(batches_, [](const Batch& batch) { return batch.vacated && batch.reported; });
  }

  void vacate(Batch& batch) {
    batch.vacated = true;
    vacate(batch.report.executor);
  }

  void vacate(std::size_t executor) {
    note("vacate executor", static_cast<std::int64_t>(executor));
    real_.vacate(executor);
    model_.vacate(executor);
  }

  void report(Batch& batch) {
    batch.reported = true;
    // A batch may be faster than the clock can tell, or slower than the mean by any amount.
    batch.report.started = batch.report.dispatched;
    batch.report.finished =
        random_.chance(50) ? now_ : batch.report.dispatched + draw_service_time(batch);
    batch.report.padded_size = batch.padded_size;
    // Some of its requests, or all, may have expired or been cancelled before they were computed.
    if (random_.chance(10)) batch.report.size = batch.report.count = 0;
    batch.report.failed = random_.chance(10);
    if (batch.report.count > 1 && random_.chance(10)) {
      --batch.report.count;
      batch.report.size = batch.report.count;
      ++reach_.partial_reports;
    }
    reach_.failed_reports += batch.report.failed && batch.report.count > 0 ? 1 : 0;
    note("report batch, executor, size, service time",
         static_cast<std::int64_t>(batch.report.batch_id),
         static_cast<std::int64_t>(batch.report.executor),
         static_cast<std::int64_t>(batch.report.size), batch.report.service_time().count());
    real_.report(batch.report);
    model_.report(batch.report);
    if (batch.report.size > 0) ++reported_;
  }

  Duration draw_service_time(const Batch& batch) {
    // Where it decides how a batch is cut, larger ones take longer.
    if (!features_[kCheapest]) return Duration(random_.between(0, 100));
    const std::int64_t least = random_.between(0, 30);
    return Duration(least + random_.between(0, 24) * static_cast<std::int64_t>(batch.padded_size));
  }

  ReferenceModel::Policy model_policy(const Chosen& chosen) {
    return [this, policy = chosen.policy](const bw::QueueView& view) {
      seen_by_model_.see(view);
      return ask(policy, view);
    };
  }

  /// Another executor is lent: mostly because it was wanted, else it comes too late. One that is reserved
  /// may have been on its way.
  void grants() {
    for (std::size_t i = random_.below(shape_.limits.executors), n = shape_.limits.executors; n > 0;
         --n, i = (i + 1) % shape_.limits.executors) {
      const ReferenceExecutors& executors = model_.executors();
      if (executors.at_work(i) || executors.granted(i)) continue;
      if (!random_.chance(wants_executor_ ? 60 : 5)) continue;
      if (executors.reserved(i) && !random_.chance(20)) continue;
      note("grant executor", static_cast<std::int64_t>(i));
      real_.executors().grant(i);
      model_.grant(i);
      acts(kLeased);
      wants_executor_ = false;
    }
  }

  /// What is lent and not used is given back, sooner or later.
  void give_back() {
    while (failure_.empty() && random_.chance(80)) {
      const std::size_t expected = model_.revoke();
      note("revoke executor", static_cast<std::int64_t>(expected));
      const std::size_t actual = real_.executors().revoke();
      if (actual != expected) difference("revoke()", actual, expected);
      if (expected == bw::kNoCount) return;
      ++reach_.revoked;
      take_actions();
    }
  }

  void change_cap() {
    const std::vector<std::size_t>& allowed = shape_.limits.allowed_sizes;
    cap_ = allowed.empty() ? 1 + random_.below(shape_.limits.max_batch_size)
                           : allowed[random_.below(allowed.size())];
    note("set cap", static_cast<std::int64_t>(cap_));
    real_.set_cap(cap_);
    model_.set_cap(cap_);
  }

  void change_policy() {
    Chosen chosen = draw_policy(random_, shape_.limits.max_batch_size, shape_.drop_percent);
    chosen.asks_service = random_.chance(shape_.service_percent);
    note("set policy, asks for service", static_cast<std::int64_t>(chosen.policy.index()),
         chosen.asks_service);
    model_.set_policy(model_policy(chosen), chosen.asks_service);
    real_.set_policy(WitnessedPolicy{std::move(chosen), &seen_by_real_});
    acts(kPolicyChanges);
  }

  void errands() {
    for (Errand& errand : errands_) {
      if (!errand.begun || !random_.chance(30)) continue;
      vacate(errand.executor);
      errand.executor = bw::kNoCount;
    }
    std::erase_if(errands_, [](const Errand& one) { return one.executor == bw::kNoCount; });
    if (random_.chance(shape_.errand_percent)) {
      const std::size_t executor = random_.below(shape_.limits.executors);
      if (!model_.executors().reserved(executor)) {
        note("reserve executor", static_cast<std::int64_t>(executor));
        real_.executors().reserve(executor);
        model_.reserve(executor);
        errands_.push_back({.executor = executor, .new_predictor = random_.chance(50)});
      }
    }
    for (Errand& errand : errands_) {
      if (errand.begun) continue;
      errand.begun = model_.begin_errand(errand.executor, errand.new_predictor);
      const bool begun = real_.begin_errand(errand.executor, errand.new_predictor);
      if (begun != errand.begun) difference("begin_errand()", begun, errand.begun);
      if (begun) {
        note("begin errand on executor, new predictor", static_cast<std::int64_t>(errand.executor),
             errand.new_predictor);
        acts(kErrands);
        ++reach_.errands;
        reach_.errands_late += errand.had_to_wait ? 1 : 0;
      }
      errand.had_to_wait = true;
    }
  }

  void arrivals() {
    if (!random_.chance(shape_.arrival_percent)) return;
    for (std::size_t n = 1 + random_.below(shape_.burst); n > 0; --n) {
      if (live_.size() < shape_.queue_limit && model_.queued() + others_ < shape_.limits.capacity)
        arrive();
      if (random_.chance(shape_.rerank_percent)) rerank();
    }
  }

  void arrive() {
    auto request = std::make_unique<NamedRequest>();
    request->id = next_id_++;
    request->slot = live_.size();
    request->priority = random_.pick(shape_.priorities);
    request->weight = static_cast<std::uint32_t>(1 + random_.below(shape_.max_weight));
    request->length = static_cast<std::uint32_t>(1 + random_.below(shape_.max_length));
    request->bytes = random_.below(100);
    request->enqueued = now_ - Duration(random_.between(0, shape_.jitter));
    draw_instants(*request);
    request->shared = features_[kReranks];
    request->latest = request->deadline;
    std::size_t tenant = 0;
    std::size_t lane = 0;
    if (!flows_.empty() && !(shape_.mixes_default && random_.chance(20))) {
      tenant = 1 + random_.below(tenants_.size());
      lane = 1 + random_.below(lanes_.size());
      request->flow = &flows_[(tenant - 1) * lanes_.size() + lane - 1];
    }
    request->tenant = tenant;
    request->lane = lane;
    note("arrive id, enqueued, deadline, priority, weight", static_cast<std::int64_t>(request->id),
         ticks(request->enqueued), ticks(request->deadline), request->priority, request->weight);
    continue_note("  expiry, delay_at, tenant, lane, length, bytes", ticks(request->expiry),
                  ticks(request->delay_at), static_cast<std::int64_t>(tenant),
                  static_cast<std::int64_t>(lane), request->length,
                  static_cast<std::int64_t>(request->bytes));
    ++arrived_;
    arrived_size_ += request->weight;
    first_arrival_ = std::min(first_arrival_, request->enqueued);
    last_arrival_ = std::max(last_arrival_, request->enqueued);

    ReferenceModel::Request twin;
    twin.id = request->id;
    twin.enqueued = request->enqueued;
    twin.deadline = request->deadline;
    twin.latest = request->deadline;
    twin.expiry = request->expiry;
    twin.delay_at = request->delay_at;
    twin.length = request->length;
    twin.bytes = request->bytes;
    twin.tenant = tenant;
    twin.lane = lane;
    twin.priority = request->priority;
    twin.weight = request->weight;
    const ReferenceModel::Hope hope = model_.hope(twin);
    real_.arrive(*request);
    request->refused = !request->queued;
    if (hope == ReferenceModel::Hope::unclear) {
      ++reach_.unclear;
    } else if (request->refused != (hope == ReferenceModel::Hope::misses)) {
      difference("whether it is refused", request->refused, !request->refused);
    }
    if (request->refused) {
      model_.turn_away(twin);
    } else {
      const std::uint64_t sequence = model_.arrive(twin);
      if (request->sequence != sequence) difference("sequence", request->sequence, sequence);
      const bool judged = features_[kForecast] && request->expires() != bw::kNever;
      const bool hopeful = judged && model_.service().samples() >= 8;
      acts(kForecast, hopeful);
      reach_.hopeful += hopeful ? 1 : 0;
    }
    live_.push_back(std::move(request));
  }

  /// Its deadline, when it expires (no later than that) and when it is delayed.
  void draw_instants(NamedRequest& request) {
    if (random_.chance(shape_.deadline_percent)) {
      request.deadline = shape_.near_deadlines
                             ? draw_deadline()
                             : now_ + Duration(1'000'000 + random_.between(0, 20));
    }
    request.expiry = request.deadline;
    if (features_[kExpiry] && random_.chance(20)) {
      request.expiry = std::min(request.deadline, now_ + Duration(random_.between(0, 15)));
    }
    if (random_.chance(shape_.delay_percent)) {
      request.delay_at =
          random_.chance(10) ? request.expiry : now_ + Duration(random_.between(-2, 15));
    }
  }

  TimePoint draw_deadline() {
    switch (random_.below(12)) {
      case 0:
        return random_.chance(50) ? TimePoint::min() : now_;
      case 1:
        return now_ - Duration(random_.between(0, 3));
      case 2:
        return random_.chance(50) ? bw::kNever - Duration(1) : now_ + Duration(1'000'000);
      default:
        return now_ + Duration(random_.between(1, shape_.farthest_deadline));
    }
  }

  void cancellations() {
    // What was just refused is still there for as long as nobody has asked for an action.
    const bool refused = !live_.empty() && live_.back()->refused;
    while (!live_.empty() && random_.chance(shape_.cancel_percent * (refused ? 4 : 1))) {
      NamedRequest& request = refused ? *live_.back() : *random_.pick(live_);
      if (request.refused && request.withdrawn) break;
      if (request.withdrawn) continue;
      note("cancel id", static_cast<std::int64_t>(request.id));
      request.withdrawn = true;
      reach_.refused_cancelled += request.refused ? 1 : 0;
      real_.cancel(request);
      model_.cancel(request.id);
    }
  }

  /// Others take room of the capacity, or leave it.
  void share_room() {
    const std::size_t free = shape_.limits.capacity - model_.queued();
    others_ = random_.chance(40) ? 0 : random_.below(free + 1);
    note("share room with others", static_cast<std::int64_t>(others_));
    real_.share_room(others_);
    model_.share_room(others_);
  }

  /// One that is still to be handed out, and that nobody has cancelled; null if the one looked at is not.
  NamedRequest* pick_live() {
    if (live_.empty()) return nullptr;
    NamedRequest* const request = random_.pick(live_).get();
    return request->withdrawn ? nullptr : request;
  }

  void withdrawals() {
    for (;;) {
      NamedRequest* request = pick_live();
      // As for cancellations.
      if (!live_.empty() && live_.back()->refused && !live_.back()->withdrawn) {
        request = live_.back().get();
      }
      const bool refused = request != nullptr && request->refused;
      if (!random_.chance(shape_.withdraw_percent * (refused ? 8 : 1))) return;
      if (request != nullptr) withdraw(*request);
    }
  }

  void withdraw(NamedRequest& request) {
    note("withdraw id", static_cast<std::int64_t>(request.id));
    acts(kWithdrawals);
    ++reach_.withdrawn;
    reach_.withdrawn_refused += request.refused ? 1 : 0;
    real_.withdraw(request);
    model_.withdraw(request.id);
    if (request.queued) failure_ = "a request that was withdrawn still counts as queued";
    forget(request.slot);
  }

  void rerank() {
    NamedRequest* const request = pick_live();
    if (request == nullptr || request->refused) return;
    if (random_.chance(15)) return set_latest(*request);
    bw::detail::Urgency urgency{request->priority, bw::kNever, request->delay_at};
    if (random_.chance(70)) urgency.priority = random_.pick(shape_.priorities);
    // Where they order requests most have one.
    if (random_.chance(features_[kEarliestDeadline] ? 70 : shape_.deadline_percent)) {
      urgency.deadline = draw_deadline();
    }
    if (random_.chance(request->delayed ? 25 : shape_.delay_percent)) {
      urgency.delay_at = random_.chance(20) ? bw::kNever : now_ + Duration(random_.between(-2, 15));
    }
    note("rerank id, priority, deadline, delay_at", static_cast<std::int64_t>(request->id),
         urgency.priority, ticks(urgency.deadline), ticks(urgency.delay_at));
    acts(kReranks);
    ++reach_.reranked;
    if (request->delayed) {
      ++(urgency.delay_at == request->delay_at ? reach_.reranked_delayed : reach_.revived);
    }
    reach_.reranked_at_bound += request->at_bound ? 1 : 0;
    real_.rerank(*request, urgency);
    model_.rerank(request->id, urgency.priority, urgency.deadline, urgency.delay_at);
  }

  void set_latest(NamedRequest& request) {
    // Whose deadline has passed is not among those who wait.
    const TimePoint latest = random_.chance(30) ? bw::kNever : std::max(draw_deadline(), now_);
    note("set latest id, deadline", static_cast<std::int64_t>(request.id), ticks(latest));
    ++reach_.shown_anew;
    real_.set_latest(request, latest);
    model_.set_latest(request.id, latest);
  }

  void evict() {
    const std::size_t count = random_.below(4);
    const std::size_t bytes = random_.chance(50) ? 0 : random_.below(200);
    const int priority = random_.chance(30) ? INT_MAX : random_.pick(shape_.priorities);
    const std::size_t tenant = tenants_.empty() || (shape_.mixes_default && random_.chance(20))
                                   ? 0
                                   : 1 + random_.below(tenants_.size());
    note("evict count, bytes, priority, tenant", static_cast<std::int64_t>(count),
         static_cast<std::int64_t>(bytes), priority, static_cast<std::int64_t>(tenant));
    const ReferenceModel::Requests victims = model_.evict(count, bytes, priority, tenant);
    const bool evicted =
        real_.evict(count, bytes, priority, tenant == 0 ? nullptr : &tenants_[tenant - 1]);
    if (evicted == victims.empty()) difference("evict()", evicted, !victims.empty());
    reach_.spared += victims.empty() ? 1 : 0;
    for (const auto& request : live_) {
      for (const ReferenceModel::Request& victim : victims) {
        request->withdrawn = request->withdrawn || request->id == victim.id;
      }
    }
  }

  void control(bool ending) {
    if (random_.chance(shape_.flush_percent)) {
      note("flush");
      real_.flush();
      model_.flush();
    }
    if (!ending && random_.chance(shape_.pause_percent)) {
      note("pause");
      real_.pause();
      model_.pause();
    }
    if (model_.paused() && random_.chance(20)) {
      note("resume");
      real_.resume();
      model_.resume();
    }
  }

  void take_actions() {
    for (;;) {
      check_snapshots();
      seen_by_real_.calls = 0;
      seen_by_model_.calls = 0;
      oldest_ = model_.oldest();
      const ReferenceModel::Action expected = model_.next(now_);
      const Action actual = real_.next(now_);
      static constexpr const char* kNames[] = {"idle", "wait until, missing",
                                               "dispatch batch, executor, reason, count",
                                               "fail outcome, count"};
      switch (expected.kind) {
        case ReferenceModel::Kind::idle:
          note(kNames[0]);
          break;
        case ReferenceModel::Kind::wait:
          note(kNames[1], ticks(expected.until), static_cast<std::int64_t>(expected.missing));
          break;
        case ReferenceModel::Kind::dispatch:
          note(kNames[2], static_cast<std::int64_t>(expected.batch_id),
               static_cast<std::int64_t>(expected.executor),
               static_cast<std::int64_t>(expected.reason),
               static_cast<std::int64_t>(expected.requests.size()));
          break;
        case ReferenceModel::Kind::fail:
          note(kNames[3], static_cast<std::int64_t>(expected.outcome),
               static_cast<std::int64_t>(expected.requests.size()));
          break;
      }
      acts(kPause, model_.paused() && model_.queued() > 0);
      compare_views();
      if (failure_.empty()) compare(actual, expected);
      if (!failure_.empty()) return;
      if (expected.kind == ReferenceModel::Kind::idle) {
        wants_executor_ = false;
        if (batches_.empty()) quiet_ = history_.size();
        return;
      }
      if (expected.kind == ReferenceModel::Kind::wait) {
        awaited_ = expected.until;
        wants_executor_ = expected.wants_executor;
        if (wants_executor_) count_wanted();
        return;
      }
      settle(actual, expected);
    }
  }

  void check_snapshots() {
    if (real_.queued() != model_.queued()) difference("queued()", real_.queued(), model_.queued());
    if (real_.running() != model_.running()) {
      difference("running()", real_.running(), model_.running());
    }
    for (std::size_t i = 0; i < shape_.limits.executors; ++i) {
      const bool occupied = real_.executors().occupied(i);
      if (occupied == model_.executors().usable(i)) difference("occupied()", occupied, !occupied);
    }
    if (real_.paused() != model_.paused()) difference("paused()", real_.paused(), model_.paused());
    if (real_.oldest() != model_.oldest()) difference("oldest()", real_.oldest(), model_.oldest());
    if (real_.oldest_dispatch() != model_.oldest_dispatch()) {
      difference("oldest_dispatch()", real_.oldest_dispatch(), model_.oldest_dispatch());
    }
  }

  void count_wanted() {
    ++reach_.wanted;
    std::size_t at_work = 0;
    for (std::size_t i = 0; i < shape_.limits.executors; ++i) {
      at_work += model_.executors().at_work(i) ? 1 : 0;
    }
    reach_.wanted_busy += at_work == shape_.limits.executors ? 1 : 0;
  }

  /// Counts what happened, and forgets the requests: from here on nobody may touch them.
  void settle(const Action& actual, const ReferenceModel::Action& expected) {
    if (expected.kind == ReferenceModel::Kind::dispatch) {
      ++reach_.reasons[static_cast<std::size_t>(expected.reason)];
      Batch batch;
      batch.report.batch_id = actual.batch_id;
      batch.report.executor = actual.executor;
      batch.report.size = expected.size;
      batch.padded_size = actual.padded_size;
      batch.report.count = actual.requests.count;
      batch.report.oldest = actual.oldest;
      batch.report.dispatched = now_;
      batches_.push_back(batch);
    }
    if (actual.kind == Action::Kind::dispatch) check_overtaking(actual);
    count_reach(expected);
    reach_.outcomes[static_cast<std::size_t>(expected.outcome)] += expected.requests.size();
    for (const ReferenceModel::Request& request : expected.requests) {
      if (expected.kind != ReferenceModel::Kind::dispatch) break;
      if (!request.at_bound) break;
      ++reach_.at_bound;
      reach_.at_default_bound += shape_.limits.overtaking_bound == 1000 ? 1 : 0;
    }
    for (RequestHeader* header = actual.requests.first; header != nullptr;) {
      const std::size_t slot = static_cast<NamedRequest*>(header)->slot;
      header = bw::detail::RequestChain::next(*header);
      forget(slot);
    }
  }

  /// Counts here, and not as the model does, whom a batch overtakes; and holds it to what
  /// `overtaking_bound` promises.
  void check_overtaking(const Action& batch) {
    const std::uint64_t bound = shape_.limits.overtaking_bound;
    if (bound > 1'000'000) return;  // There is none.
    const bool one_lane = lanes_.size() <= 1;
    const std::uint64_t most = bound + shape_.limits.cap() - 1;
    std::vector<const NamedRequest*> members;
    batch.requests.each<NamedRequest>([&](NamedRequest& member) { members.push_back(&member); });
    const NamedRequest& leader = *members.front();
    for (const NamedRequest* member : members) {
      if (one_lane && member->overtaken > most) {
        difference("how often a request was overtaken, at most", member->overtaken, most);
      }
      reach_.passed_bound += member->overtaken > bound ? 1 : 0;
      reach_.passed_fully += one_lane && bound < most && member->overtaken == most ? 1 : 0;
    }
    reach_.acted += bound < 1000 && leader.overtaken >= bound ? 1 : 0;
    for (const auto& other : live_) {
      if (other->withdrawn || other->refused || other->id == leader.id) continue;
      if (std::find(members.begin(), members.end(), other.get()) != members.end()) continue;
      // One at its bound leaves before whoever was accepted later leads a batch, unless its lane's
      // executor is busy.
      if (other->overtaken >= bound && other->tenant == leader.tenant && other->id < leader.id) {
        const std::size_t executor =
            other->flow == nullptr ? bw::kNoCount : other->flow->lane->executor;
        if (executor == bw::kNoCount || executor == batch.executor ||
            model_.executors().usable(executor)) {
          difference("led a batch past one at its bound: id", leader.id, other->id);
        }
        ++reach_.left_to_others;
      }
      for (const NamedRequest* member : members) {
        other->overtaken += member->tenant == other->tenant && member->id > other->id ? 1 : 0;
      }
    }
  }

  void forget(std::size_t slot) {
    std::swap(live_[slot], live_.back());
    live_[slot]->slot = slot;
    live_.pop_back();
  }

  void acts(Feature feature, bool has_acted = true) {
    acted_[feature] = acted_[feature] || (features_[feature] && has_acted);
  }

  /// Marks what had a part in an action.
  void mark_acted(const ReferenceModel::Action& action) {
    acts(kExpiry, action.outcome == bw::Outcome::expired);
    acts(kEviction, action.outcome == bw::Outcome::evicted);
    acts(kCancellations, action.outcome == bw::Outcome::cancelled);
    acts(kForecast, action.outcome == bw::Outcome::would_expire && !action.dropped);
    acts(kDrops, action.dropped);
    for (const ReferenceModel::Request& request : action.requests) acts(kDelay, request.delayed());
    if (action.kind != ReferenceModel::Kind::dispatch) return;
    using Cut = ReferenceModel::Cut;
    acts(kPreferred, action.cut == Cut::preferred);
    acts(kPadUp, action.padded_size > action.size);
    acts(kTrimDown, action.cut == Cut::trimmed);
    acts(kCheapest, action.cut == Cut::trimmed || action.cut == Cut::kept);
    acts(kFlush, action.reason == bw::ReleaseReason::flush);
    acts(kExecutors, batches_.size() > 1);
    acts(kCapChanges, cap_ < shape_.limits.cap() && action.size == cap_);
    acts(kCapacity, action.crowded);
    std::size_t lengths = 0;
    for (const ReferenceModel::Request& request : action.requests) {
      acts(kWeights, request.weight > 1);
      acts(kBoundLanes,
           request.lane > 0 && shape_.lane_executors[request.lane - 1] != bw::kNoCount);
      acts(kSmallBound, request.at_bound);
      lengths += request.length;
    }
    acts(kPadded, action.size > lengths);
    for (std::size_t i = 0; i < seen_by_model_.calls; ++i) {
      const auto& service = seen_by_model_.sights[i].service;
      acts(kService, service.has_value() && service->samples > 0);
    }
    mark_order(action);
  }

  /// The same of what decides who goes before whom: those who stay are looked at.
  void mark_order(const ReferenceModel::Action& action) {
    bool acted = true;
    for (const Feature feature :
         {kTenants, kLanes, kPriorities, kEarliestDeadline, kShortestFirst}) {
      acted = acted && acted_[feature] == features_[feature];
    }
    if (acted) return;
    for (const auto& other : live_) {
      if (!other->queued) continue;
      for (const ReferenceModel::Request& request : action.requests) {
        acts(kTenants, request.tenant != other->tenant);
        acts(kLanes, request.lane != other->lane);
        if (request.tenant != other->tenant || request.lane != other->lane) continue;
        if (request.sequence < other->sequence) continue;
        acts(kPriorities, request.priority > other->priority);
        if (request.priority != other->priority || request.at_bound || other->delayed) continue;
        acts(kEarliestDeadline, request.deadline < other->deadline);
        acts(kShortestFirst, request.length < other->length);
      }
    }
  }

  void count_reach(const ReferenceModel::Action& action) {
    mark_acted(action);
    bool plain = true;
    for (std::size_t i = 0; i < kFeatureCount; ++i) {
      if (!features_[i]) continue;
      const bool is_plain = i == kWeights || i == kPriorities || i == kExpiry || i > kEviction;
      plain = plain && is_plain;
      if (!acted_[i]) continue;
      for (std::size_t j = i; j < kFeatureCount; ++j) reach_.pairs[i][j] += acted_[j] ? 1 : 0;
    }
    reach_.plain += plain ? 1 : 0;
    if (action.outcome == bw::Outcome::would_expire && action.dropped) {
      reach_.dropped += action.requests.size();
    }
    if (action.kind != ReferenceModel::Kind::dispatch) return;
    using Cut = ReferenceModel::Cut;
    const bool is_cheapest = features_[kCheapest];
    reach_.looked_at_several += seen_by_model_.calls > 1 ? 1 : 0;
    reach_.looked_at_fewer += seen_by_real_.calls < seen_by_model_.calls ? 1 : 0;
    reach_.alone += action.size > cap_ ? 1 : 0;
    reach_.below_cap += cap_ < shape_.limits.cap() && action.size == cap_ ? 1 : 0;
    reach_.crowded += action.crowded ? 1 : 0;
    reach_.crowded_lanes += action.crowded && seen_by_model_.calls > 1 ? 1 : 0;
    reach_.crowded_by_others += action.crowded && others_ > 0 ? 1 : 0;
    reach_.crowded_past += action.crowded && action.oldest > oldest_ ? 1 : 0;
    reach_.preferred += action.cut == Cut::preferred ? 1 : 0;
    reach_.trimmed_down += action.cut == Cut::trimmed && !is_cheapest ? 1 : 0;
    reach_.trimmed_cheaper += action.cut == Cut::trimmed && is_cheapest ? 1 : 0;
    reach_.kept += action.cut == Cut::kept ? 1 : 0;
    reach_.padded_up += action.padded_size > action.size ? 1 : 0;
    bool mixed = false;
    for (const ReferenceModel::Request& request : action.requests) {
      mixed = mixed || request.tenant != action.requests.front().tenant;
      reach_.delayed += request.delayed() ? 1 : 0;
    }
    reach_.mixed += mixed ? 1 : 0;
  }

  template <class TValue>
  void difference(const char* what, const TValue& actual, const TValue& expected) {
    if (!failure_.empty()) return;
    std::ostringstream out;
    out << what << " differs: ";
    if constexpr (std::is_same_v<TValue, TimePoint> || std::is_same_v<TValue, std::size_t>) {
      out << "scheduler " << show(actual) << ", model " << show(expected);
    } else {
      out << "scheduler " << actual << ", model " << expected;
    }
    failure_ = out.str();
  }

  void compare(const Action& actual, const ReferenceModel::Action& expected) {
    const auto number = [](auto value) { return static_cast<std::size_t>(value); };
    if (number(actual.kind) != number(expected.kind)) {
      return difference("kind (idle, wait, dispatch, fail)", number(actual.kind),
                        number(expected.kind));
    }
    if (actual.outcome != expected.outcome) {
      return difference("outcome", to_string(actual.outcome), to_string(expected.outcome));
    }
    if (actual.reason != expected.reason) {
      return difference("reason", to_string(actual.reason), to_string(expected.reason));
    }
    if (actual.executor != expected.executor) {
      return difference("executor", actual.executor, expected.executor);
    }
    if (actual.batch_id != expected.batch_id) {
      return difference("batch_id", actual.batch_id, expected.batch_id);
    }
    if (actual.until != expected.until) return difference("until", actual.until, expected.until);
    if (actual.missing != expected.missing) {
      return difference("missing", actual.missing, expected.missing);
    }
    if (actual.wants_executor != expected.wants_executor) {
      return difference("wants_executor", actual.wants_executor, expected.wants_executor);
    }
    if (actual.oldest != expected.oldest) {
      return difference("oldest", actual.oldest, expected.oldest);
    }
    if (actual.size != expected.size) return difference("size", actual.size, expected.size);
    if (actual.forecast.has_value() != expected.forecast_ns.has_value()) {
      return difference("whether there is a forecast", actual.forecast.has_value(),
                        expected.forecast_ns.has_value());
    }
    // The nearest whole nanosecond, however it was added up.
    if (expected.forecast_ns.has_value() &&
        std::abs(static_cast<double>(actual.forecast->count()) - *expected.forecast_ns) > 0.5001) {
      return difference("forecast", static_cast<double>(actual.forecast->count()),
                        *expected.forecast_ns);
    }
    compare_requests(actual.requests, expected.requests);
    if (actual.padded_size != expected.padded_size) {
      difference("padded_size", actual.padded_size, expected.padded_size);
    }
  }

  void compare_requests(const bw::detail::RequestChain& actual,
                        const std::vector<ReferenceModel::Request>& expected) {
    if (actual.count != expected.size()) {
      return difference("number of requests", actual.count, expected.size());
    }
    std::size_t size = 0;
    const RequestHeader* header = actual.first;
    const RequestHeader* last = nullptr;
    for (const ReferenceModel::Request& request : expected) {
      if (header == nullptr) return difference("end of the chain at id", request.id, request.id);
      const auto& named = static_cast<const NamedRequest&>(*header);
      if (named.id != request.id) return difference("id of a request", named.id, request.id);
      if (named.sequence != request.sequence) {
        return difference("sequence of a request", named.sequence, request.sequence);
      }
      if (named.queued) failure_ = "a request that was handed out still counts as queued";
      size += request.weight;
      last = header;
      header = bw::detail::RequestChain::next(*header);
    }
    if (header != nullptr) failure_ = "the chain goes on after its last request";
    if (actual.last != last) failure_ = "the chain's last request is not its last";
    if (actual.size != size) difference("weight of the requests", actual.size, size);
  }

  void compare_views() {
    const Witness& real = seen_by_real_;
    const Witness& model = seen_by_model_;
    // The model asks about every lane; the scheduler about those that may have become due, and about
    // one that was due when its turn comes.
    if (real.calls > 2 * model.calls) {
      return difference("calls of decide", real.calls, 2 * model.calls);
    }
    for (std::size_t i = 0; i < real.calls; ++i) {
      std::string nearest;
      for (std::size_t j = 0; j < model.calls; ++j) {
        nearest = unlike(real.sights[i], model.sights[j]);
        if (nearest.empty()) break;
      }
      if (!nearest.empty()) failure_ = "no lane looks as the policy saw it: " + nearest;
    }
    if (real.calls == 0) return;
    // The policy has been told of everything before it decides.
    if (real.arrivals != arrived_) difference("arrivals told", real.arrivals, arrived_);
    if (real.arrived_size != arrived_size_) {
      difference("weight of the arrivals told", real.arrived_size, arrived_size_);
    }
    if (real.first_arrival != first_arrival_) {
      difference("first arrival told", real.first_arrival, first_arrival_);
    }
    if (real.last_arrival != last_arrival_) {
      difference("last arrival told", real.last_arrival, last_arrival_);
    }
    if (real.batches != reported_) difference("batches told", real.batches, reported_);
  }

  /// How the two differ: empty if they do not.
  static std::string unlike(const Sight& real, const Sight& model) {
    const bw::QueueView& a = real.view;
    const bw::QueueView& b = model.view;
    if (a.now != b.now) return "now";
    if (a.count != b.count) return "count";
    if (a.size != b.size) return "size";
    if (a.oldest != b.oldest) return "oldest";
    if (a.newest != b.newest) return "newest";
    if (a.max_batch_size != b.max_batch_size) return "max_batch_size";
    if (a.executors != b.executors) return "executors";
    if (a.free_executors != b.free_executors) return "free_executors";
    if (real.service.has_value() != model.service.has_value()) return "whether there is a service";
    if (real.service.has_value() && !alike(real, model)) return "service";
    if (a.arrivals != nullptr) return "estimates that nobody asked for";
    if (!alike(real.running, model.running)) return "running";
    const auto same = [](const bw::QueuedRequest& x, const bw::QueuedRequest& y) {
      return x.priority == y.priority && x.enqueued == y.enqueued && x.deadline == y.deadline &&
             x.weight == y.weight;
    };
    const bool in_order = std::equal(real.order.begin(), real.order.end(), model.order.begin(),
                                     model.order.end(), same);
    return in_order ? "" : "queue";
  }

  static bool alike(const Sight& real, const Sight& model) {
    const auto near = [](double a, double b) { return std::abs(a - b) < 1e-6; };
    return real.service->samples == model.service->samples &&
           near(real.service->intercept_ns, model.service->intercept_ns) &&
           near(real.service->slope_ns, model.service->slope_ns) &&
           std::equal(real.means.begin(), real.means.end(), model.means.begin(), model.means.end(),
                      [&near](const bw::SizeMean& a, const bw::SizeMean& b) {
                        return near(a.size, b.size) && near(a.mean_ns, b.mean_ns) &&
                               a.samples == b.samples;
                      });
  }

  /// The batches that are being computed, in whatever order.
  static bool alike(std::vector<bw::RunningBatch> actual, std::vector<bw::RunningBatch> expected) {
    const auto by_id = [](const bw::RunningBatch& a, const bw::RunningBatch& b) {
      return a.batch_id < b.batch_id;
    };
    std::sort(actual.begin(), actual.end(), by_id);
    std::sort(expected.begin(), expected.end(), by_id);
    return std::equal(actual.begin(), actual.end(), expected.begin(), expected.end(),
                      [](const bw::RunningBatch& a, const bw::RunningBatch& b) {
                        return a.batch_id == b.batch_id && a.executor == b.executor &&
                               a.size == b.size && a.dispatched == b.dispatched &&
                               a.expected_finish == b.expected_finish;
                      });
  }

  const std::uint64_t seed_;
  Random random_;
  Reach& reach_;
  const Shape shape_;
  const FeatureSet features_;
  FeatureSet acted_{};  // Of these.
  std::vector<bw::detail::Tenant> tenants_;
  std::vector<bw::detail::Lane> lanes_;
  std::vector<bw::detail::Flow> flows_;
  TimePoint now_;
  TimePoint awaited_ = bw::kNever;
  TimePoint oldest_ = bw::kNever;  // When the oldest request came, before the last action.
  Witness seen_by_real_;
  Witness seen_by_model_;
  std::size_t cap_;
  bool wants_executor_ = false;
  std::size_t others_ = 0;  // Who hold room besides what is queued.
  bw::detail::Scheduler<WitnessedPolicy> real_;
  ReferenceModel model_;
  std::vector<std::unique_ptr<NamedRequest>> live_;
  std::vector<Batch> batches_;
  std::vector<Errand> errands_;
  std::vector<Entry> history_;
  std::size_t quiet_ = 0;  // How long the history was when nothing was queued or computed.
  std::string failure_;
  std::size_t next_id_ = 0;
  std::size_t arrived_ = 0;
  std::size_t arrived_size_ = 0;
  std::size_t reported_ = 0;
  TimePoint first_arrival_ = TimePoint::max();
  TimePoint last_arrival_ = TimePoint::min();
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// As many as it takes to reach everything often: about three seconds. Where the compiler does not
// optimize, or watches memory, fewer are taken and reach is not asserted.
constexpr std::uint64_t kFullSteps = 5'000'000;
constexpr std::uint64_t kDefaultSteps = batchwright_test::kSlow ? 500'000 : kFullSteps;

TEST(SchedulerRandom, EveryActionIsTheOneOfTheReferenceModel) {
  const std::uint64_t steps = from_environment("BATCHWRIGHT_RANDOM_STEPS", kDefaultSteps);
  const std::uint64_t seed = from_environment("BATCHWRIGHT_RANDOM_SEED", 1);
  Reach reach;
  for (std::uint64_t i = 0; reach.steps < steps; ++i) {
    Schedule schedule(seed + i, reach);
    if (!schedule.run()) FAIL() << schedule.failure();
  }

  std::printf("%llu schedules, %llu steps\n", static_cast<unsigned long long>(reach.schedules),
              static_cast<unsigned long long>(reach.steps));
  const bool asserts_reach = steps >= kFullSteps;
  const auto expect_reached = [&](const std::string& name, std::uint64_t count,
                                  std::uint64_t at_least = kReach) {
    std::printf("%18s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
    if (asserts_reach) {
      EXPECT_GE(count, at_least) << name << " hardly ever happens";
    }
  };
  const auto requests = [&reach](bw::Outcome outcome) {
    return reach.outcomes[static_cast<std::size_t>(outcome)];
  };
  expect_reached("dispatched", requests(bw::Outcome::ok));
  expect_reached("expired", requests(bw::Outcome::expired));
  expect_reached("cancelled", requests(bw::Outcome::cancelled));
  expect_reached("evicted", requests(bw::Outcome::evicted));
  expect_reached("stopped", requests(bw::Outcome::stopped));
  expect_reached("would expire", requests(bw::Outcome::would_expire));
  for (std::size_t i = 0; i < bw::kReleaseReasonCount; ++i) {
    expect_reached(to_string(static_cast<bw::ReleaseReason>(i)), reach.reasons[i]);
  }
  expect_reached("at bound", reach.at_bound);
  expect_reached("at 1,000", reach.at_default_bound, 20);
  expect_reached("led by its bound", reach.acted);
  expect_reached("passed its bound", reach.passed_bound);
  expect_reached("...by a full batch", reach.passed_fully);
  expect_reached("left to others", reach.left_to_others);
  expect_reached("plain", reach.plain);
  expect_reached("several lanes seen", reach.looked_at_several);
  expect_reached("fewer judged", reach.looked_at_fewer);
  expect_reached("mixed tenants", reach.mixed);
  expect_reached("delayed", reach.delayed);
  expect_reached("at preferred size", reach.preferred);
  expect_reached("trimmed down", reach.trimmed_down);
  expect_reached("cheaper trimmed", reach.trimmed_cheaper);
  expect_reached("cheaper padded", reach.kept);
  expect_reached("padded up", reach.padded_up);
  expect_reached("spared", reach.spared);
  expect_reached("too large, alone", reach.alone);
  expect_reached("failed reports", reach.failed_reports);
  expect_reached("partial reports", reach.partial_reports);
  expect_reached("hopeful", reach.hopeful);
  expect_reached("refused, cancelled", reach.refused_cancelled);
  expect_reached("executor wanted", reach.wanted);
  expect_reached("wanted of busy", reach.wanted_busy);
  expect_reached("revoked", reach.revoked);
  expect_reached("errands", reach.errands);
  expect_reached("errands that waited", reach.errands_late);
  expect_reached("at lowered cap", reach.below_cap);
  expect_reached("reranked", reach.reranked);
  expect_reached("reranked, delayed", reach.reranked_delayed);
  expect_reached("reranked, live again", reach.revived);
  expect_reached("reranked at bound", reach.reranked_at_bound);
  expect_reached("other deadline shown", reach.shown_anew);
  expect_reached("withdrawn", reach.withdrawn);
  expect_reached("refused, withdrawn", reach.withdrawn_refused);
  expect_reached("given up on", reach.dropped);
  expect_reached("left full queues", reach.crowded);
  expect_reached("filled by others", reach.crowded_by_others);
  expect_reached("of other lanes", reach.crowded_lanes);
  expect_reached("past an older one", reach.crowded_past);
  std::printf("%18s %llu\n", "unclear", static_cast<unsigned long long>(reach.unclear));
  EXPECT_LT(reach.unclear, reach.hopeful / 100 + 10);
  for (std::size_t i = 0; i < kFeatureCount; ++i)
    expect_reached(kFeatureNames[i], reach.pairs[i][i]);
  std::string rarest;
  std::uint64_t least = UINT64_MAX;
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    for (std::size_t j = i + 1; j < kFeatureCount; ++j) {
      if (contradict(i, j)) continue;
      const std::string name = std::string(kFeatureNames[i]) + " with " + kFeatureNames[j];
      if (reach.pairs[i][j] < least) {
        least = reach.pairs[i][j];
        rarest = name;
      }
      if (asserts_reach) {
        EXPECT_GE(reach.pairs[i][j], kReach) << name << " hardly ever happens";
      }
    }
  }
  std::printf("rarest pair of features: %s, %llu\n", rarest.c_str(),
              static_cast<unsigned long long>(least));
}

}  // namespace
