// SPDX-License-Identifier: MIT
// A request that comes alone: `arrive_alone` says what `arrive` and `next` would, on whatever schedule.
#include "tests/support/scheduler_policies.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/detail/scheduler.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace bw = batchwright;
using bw::Duration;
using bw::TimePoint;
using bw::detail::Action;
using bw::detail::RequestHeader;
using bw::detail::SchedulerLimits;

constexpr TimePoint at(std::int64_t tick) { return TimePoint(Duration(tick)); }

std::string words(TimePoint time) { return std::to_string(time.time_since_epoch().count()); }

std::string words(const Action& action) {
  std::string text = std::to_string(static_cast<int>(action.kind));
  for (const RequestHeader* request = action.requests.first; request != nullptr;
       request = bw::detail::RequestChain::next(*request)) {
    text += " " + std::to_string(request->bytes) + "#" + std::to_string(request->sequence);
  }
  switch (action.kind) {
    case Action::Kind::idle:
      return text;
    case Action::Kind::wait:
      return text + " until " + words(action.until) + " for " + std::to_string(action.missing);
    case Action::Kind::fail:
      return text + " " + bw::to_string(action.outcome);
    case Action::Kind::dispatch:
      break;
  }
  return text + " on " + std::to_string(action.executor) + " " + bw::to_string(action.reason) +
         " id " + std::to_string(action.batch_id) + " size " + std::to_string(action.size) +
         " padded " + std::to_string(action.padded_size) + " oldest " + words(action.oldest) +
         " forecast " +
         (action.forecast ? std::to_string(action.forecast->count()) : std::string("none"));
}

struct Ask {
  std::int64_t at = 0;
  std::int64_t enqueued = 0;
  int priority = 0;
  std::uint32_t weight = 1;
  TimePoint deadline = bw::kNever;
  TimePoint delay_at = bw::kNever;
};

// A scheduler, and all that it was given. `bytes` is a request's name.
template <class Policy>
class Side {
 public:
  Side(const Policy& policy, const SchedulerLimits& limits, bool short_cut)
      : scheduler(policy, limits), short_cut_(short_cut) {}

  // What came of one arrival, in words.
  std::string arrive(const Ask& ask) {
    RequestHeader& request = requests_.emplace_back();
    request.bytes = requests_.size();
    request.enqueued = at(ask.enqueued);
    request.priority = ask.priority;
    request.weight = ask.weight;
    request.deadline = ask.deadline;
    request.delay_at = ask.delay_at;
    std::string text;
    if (short_cut_) {
      Action action;
      if (scheduler.arrive_alone(request, at(ask.at), action)) {
        ++passed;
        text = note(action, ask.at) + "; ";
      }
    } else {
      scheduler.arrive(request);
    }
    return text + act(ask.at);
  }

  std::string act(std::int64_t now) {
    std::string text;
    for (;;) {
      const Action action = scheduler.next(at(now));
      text += note(action, now) + "; ";
      if (action.kind == Action::Kind::idle || action.kind == Action::Kind::wait) return text;
    }
  }

  bool busy() const { return !running_.empty(); }

  void report(std::size_t index, std::int64_t now) {
    const auto [action, started] = running_[index % running_.size()];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index % running_.size()));
    bw::BatchReport report;
    report.batch_id = action.batch_id;
    report.executor = action.executor;
    report.size = action.size;
    report.count = action.requests.count;
    report.oldest = action.oldest;
    report.dispatched = report.started = at(started);
    report.finished = at(now);
    scheduler.vacate(action.executor);
    scheduler.report(report);
  }

  // Cancels some queued request, if there is one.
  void cancel(std::size_t index) {
    std::vector<RequestHeader*> queued;
    for (RequestHeader& request : requests_) {
      if (request.queued) queued.push_back(&request);
    }
    if (!queued.empty()) scheduler.cancel(*queued[index % queued.size()]);
  }

  bw::detail::Scheduler<Policy> scheduler;
  int passed = 0;

 private:
  std::string note(const Action& action, std::int64_t now) {
    if (action.kind == Action::Kind::dispatch) running_.push_back({action, now});
    return words(action);
  }

  bool short_cut_;
  std::deque<RequestHeader> requests_;
  std::vector<std::pair<Action, std::int64_t>> running_;
};

// Runs random schedules through both; returns how many requests took the short cut.
template <class Policy>
int compare(const Policy& policy, const SchedulerLimits& limits) {
  int passed = 0;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto up_to = [&](int most) {
      return static_cast<int>(random() % (static_cast<unsigned>(most) + 1));
    };
    Side<Policy> full(policy, limits, false);
    Side<Policy> brief(policy, limits, true);
    std::int64_t now = 1000;
    for (int step = 0; step < 250 && !::testing::Test::HasFailure(); ++step) {
      now += up_to(3) * up_to(4);
      const int draw = up_to(19);
      if (draw < 9) {
        Ask ask{.at = now, .enqueued = now - up_to(2), .priority = up_to(2)};
        ask.weight = static_cast<std::uint32_t>(1 + up_to(2));
        if (up_to(4) == 0) ask.deadline = at(now + up_to(30));
        if (up_to(6) == 0) ask.delay_at = at(now + up_to(10));
        EXPECT_EQ(full.arrive(ask), brief.arrive(ask));
        continue;
      }
      if (draw < 15) {
        if (full.busy()) {
          const auto which = static_cast<std::size_t>(up_to(7));
          full.report(which, now);
          brief.report(which, now);
        }
      } else if (draw == 15) {
        const auto which = static_cast<std::size_t>(up_to(7));
        full.cancel(which);
        brief.cancel(which);
      } else if (draw == 16) {
        full.scheduler.flush();
        brief.scheduler.flush();
      } else if (draw == 17) {
        full.scheduler.pause();
        brief.scheduler.pause();
      } else {
        full.scheduler.resume();
        brief.scheduler.resume();
      }
      // Sometimes an action is left over when the next request comes.
      if (up_to(3) > 0) {
        EXPECT_EQ(full.act(now), brief.act(now));
      }
    }
    EXPECT_EQ(full.scheduler.queued(), brief.scheduler.queued());
    EXPECT_EQ(full.scheduler.oldest(), brief.scheduler.oldest());
    passed += brief.passed;
    if (::testing::Test::HasFailure()) break;
  }
  return passed;
}

SchedulerLimits plain() {
  SchedulerLimits limits;
  limits.max_batch_size = 8;
  limits.executors = 2;
  limits.max_in_flight = 2;
  limits.max_wait = Duration(200);
  limits.overtaking_bound = 3;
  return limits;
}

TEST(SchedulerAlone, IsAsIfTheRequestHadBeenQueuedFirst) {
  EXPECT_GT(compare(bw::GreedyPolicy{}, plain()), 500);
  EXPECT_GT(compare(bw::AdaptivePolicy{}, plain()), 500);
  EXPECT_GT(compare(bw::AnyPolicy(bw::AutoPolicy{}), plain()), 100);
}

TEST(SchedulerAlone, APolicyThatWaitsKeepsItsWait) {
  EXPECT_EQ(compare(bw::TimePolicy{.max_wait = Duration(20)}, plain()), 0);
  compare(bw::HybridPolicy{.size = 4, .max_wait = Duration(20)}, plain());
  compare(bw::SizePolicy{.size = 2}, plain());
}

TEST(SchedulerAlone, APolicySeesTheOneRequestInTheQueue) {
  EXPECT_GT(compare(batchwright_test::ReleaseBeforeDeadline{.slack = Duration(10)}, plain()), 0);
}

TEST(SchedulerAlone, SizesAreFitted) {
  SchedulerLimits limits = plain();
  limits.allowed_sizes = {2, 4, 8};
  EXPECT_GT(compare(bw::GreedyPolicy{}, limits), 500);
  limits.fit = bw::FitRule::cheapest;
  EXPECT_GT(compare(bw::GreedyPolicy{}, limits), 500);
  limits.fit = bw::FitRule::trim_down;
  limits.preferred_sizes = {2, 4};
  EXPECT_GT(compare(bw::GreedyPolicy{}, limits), 500);
}

TEST(SchedulerAlone, NobodyPassesWhereForecastsRefuseOrLanesAreKeyed) {
  SchedulerLimits limits = plain();
  limits.forecast = bw::Forecast::refuse;
  EXPECT_EQ(compare(bw::GreedyPolicy{}, limits), 0);
  limits = plain();
  limits.keyed_lanes = true;
  EXPECT_EQ(compare(bw::GreedyPolicy{}, limits), 0);
}

}  // namespace
