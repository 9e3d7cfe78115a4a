// SPDX-License-Identifier: MIT
#include <batchwright/detail/batch_state.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <utility>

namespace {

using namespace std::chrono_literals;
using batchwright::BatchReport;
using batchwright::SizeRule;
using batchwright::TimePoint;
using batchwright::detail::BatchState;
using batchwright::detail::pool_new;
using batchwright::detail::PredictorCall;
using batchwright::detail::Request;
using batchwright::detail::SchedulerLimits;

/// A state with items of these weights and lengths.
class Filled {
 public:
  Filled(const SchedulerLimits& limits,
         std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> items) {
    state.limits = &limits;
    for (const auto& [weight, length] : items) {
      auto* const item = state.items.emplace_back(pool_new<Request<int, int>>(0));
      item->weight = weight;
      item->length = length;
    }
  }
  Filled(const Filled&) = delete;
  Filled& operator=(const Filled&) = delete;
  ~Filled() {
    for (auto* item : state.items) item->release();
  }

  BatchState<int, int> state;
};

TEST(BatchState, MeasuresTheItemsThatAPredictorIsRunWith) {
  const SchedulerLimits limits{.allowed_sizes = {4, 8}};
  Filled filled(limits, {{1, 1}, {2, 1}, {3, 1}});
  EXPECT_EQ(filled.state.measure(0, 3), 6u);
  EXPECT_EQ(filled.state.info.count, 3u);
  EXPECT_EQ(filled.state.info.size, 6u);
  EXPECT_EQ(filled.state.info.padded_size, 8u);
  EXPECT_EQ(filled.state.measure(1, 2), 2u);
  EXPECT_EQ(filled.state.info.count, 1u);
  EXPECT_EQ(filled.state.info.size, 2u);
  EXPECT_EQ(filled.state.info.padded_size, 4u);
}

TEST(BatchState, MeasuresWhatIsPaddedToTheLongest) {
  const SchedulerLimits limits{.size_rule = SizeRule::padded};
  Filled filled(limits, {{1, 2}, {1, 7}, {1, 3}});
  EXPECT_EQ(filled.state.measure(0, 3), 12u);  // Of 21, the rest is padding.
  EXPECT_EQ(filled.state.info.size, 21u);
  EXPECT_EQ(filled.state.info.padded_size, 21u);
}

TEST(BatchState, ReportsWhatWasComputed) {
  const SchedulerLimits limits;
  Filled filled(limits, {{1, 1}, {1, 1}});
  BatchState<int, int>& state = filled.state;
  const TimePoint begin{5s};
  state.info.batch_id = 7;
  state.info.executor = 2;
  state.size = 6;
  state.oldest = begin;
  state.dispatched_at = begin + 1ms;
  state.started = begin + 2ms;
  state.finished = begin + 5ms;
  const BatchReport report = state.report();
  EXPECT_EQ(report.batch_id, 7u);
  EXPECT_EQ(report.executor, 2u);
  EXPECT_EQ(report.size, 6u);
  EXPECT_EQ(report.count, 2u);
  EXPECT_EQ(report.oldest, begin);
  EXPECT_EQ(report.dispatched, begin + 1ms);
  EXPECT_EQ(report.started, begin + 2ms);
  EXPECT_EQ(report.service_time(), 4ms);
  EXPECT_FALSE(report.failed);
}

TEST(BatchState, OneThatFailedOrWasRunAgainTeachesNothing) {
  const SchedulerLimits limits;
  Filled failed(limits, {{1, 1}});
  failed.state.failed = true;
  EXPECT_TRUE(failed.state.report().failed);
  Filled again(limits, {{1, 1}});
  again.state.info.attempt = 2;
  EXPECT_TRUE(again.state.report().failed);
}

const int kBatcher = 1;
const int kOther = 2;

TEST(PredictorCall, IsOfOneBatchOfOneBatcherWhileItLasts) {
  EXPECT_FALSE(PredictorCall::runs(&kBatcher, 1));
  {
    const PredictorCall call(&kBatcher, 1);
    EXPECT_TRUE(PredictorCall::runs(&kBatcher, 1));
    EXPECT_FALSE(PredictorCall::runs(&kBatcher, 2));
    EXPECT_FALSE(PredictorCall::runs(&kOther, 1));
  }
  EXPECT_FALSE(PredictorCall::runs(&kBatcher, 1));
}

TEST(PredictorCall, TheInnermostIsTheOneThatRuns) {
  const PredictorCall outer(&kBatcher, 1);
  {
    const PredictorCall inner(&kOther, 1);
    EXPECT_TRUE(PredictorCall::runs(&kOther, 1));
    EXPECT_FALSE(PredictorCall::finishes(&kBatcher, 1));
  }
  EXPECT_FALSE(outer.has_finished());
  EXPECT_TRUE(PredictorCall::finishes(&kBatcher, 1));
  EXPECT_TRUE(outer.has_finished());
}

#if BATCHWRIGHT_HAS_EXCEPTIONS
// What a Batch does whose predictor throws.
struct AsksAtItsEnd {
  ~AsksAtItsEnd() { answer = PredictorCall::takes_back(&kBatcher, 1); }
  bool& answer;
};

TEST(PredictorCall, TakesBackWhatItsOwnExceptionDestroysAndNothingElse) {
  bool taken = true;
  {
    const PredictorCall call(&kBatcher, 1);
    { const AsksAtItsEnd batch{taken}; }
    EXPECT_FALSE(taken);
    EXPECT_FALSE(call.has_taken_back());
    try {
      const AsksAtItsEnd batch{taken};
      throw 1;
    } catch (int) {
    }
    EXPECT_TRUE(taken);
    EXPECT_TRUE(call.has_taken_back());
  }
}

TEST(PredictorCall, AnExceptionThatWasUnderWayBeforeItIsNotItsOwn) {
  struct CallsInItsEnd {
    ~CallsInItsEnd() {
      const PredictorCall call(&kBatcher, 1);
      taken = PredictorCall::takes_back(&kBatcher, 1);
    }
    bool& taken;
  };
  bool taken = true;
  try {
    const CallsInItsEnd end{taken};
    throw 1;
  } catch (int) {
  }
  EXPECT_FALSE(taken);
}
#endif

}  // namespace
