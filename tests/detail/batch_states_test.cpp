// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/batch_states.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::kNever;
using batchwright::ReleaseReason;
using batchwright::StopToken;
using batchwright::TimePoint;
using batchwright::detail::Action;
using batchwright::detail::BatchState;
using batchwright::detail::pool_new;
using batchwright::detail::Request;
using batchwright_test::TestRuntime;

using States = batchwright::detail::BatchStates<int, int, TestRuntime>;

class BatchStatesTest : public ::testing::Test {
 protected:
  ~BatchStatesTest() override {
    for (auto* request : requests_) request->release();
  }

  // A batch of requests with these deadlines; they are numbered on.
  Action action(std::initializer_list<TimePoint> deadlines) {
    Action action{.kind = Action::Kind::dispatch,
                  .reason = ReleaseReason::flush,
                  .executor = 1,
                  .batch_id = ++batches_};
    for (const TimePoint deadline : deadlines) {
      auto* const request = requests_.emplace_back(pool_new<Request<int, int>>(0));
      request->deadline = deadline;
      request->sequence = requests_.size();
      action.requests.append(*request);
    }
    action.oldest = runtime_.now() - 1ms;
    return action;
  }

  Request<int, int>& request(std::size_t number) { return *requests_[number - 1]; }

  TestRuntime runtime_;
  const TimePoint now_ = runtime_.now();
  const batchwright::detail::SchedulerLimits limits_{.max_in_flight = 2};
  States states_{runtime_, limits_, 4, true, false};

 private:
  std::vector<Request<int, int>*> requests_;
  std::uint64_t batches_ = 0;
};

TEST_F(BatchStatesTest, AStateSaysWhatWasDispatchedAndIsUsedAgain) {
  const Action first = action({kNever, kNever});
  BatchState<int, int>& state = states_.take(first, now_);
  EXPECT_EQ(state.dispatched.first, first.requests.first);
  EXPECT_EQ(state.reason, ReleaseReason::flush);
  EXPECT_EQ(state.oldest, now_ - 1ms);
  EXPECT_EQ(state.dispatched_at, now_);
  EXPECT_EQ(state.info.batch_id, 1u);
  EXPECT_EQ(state.info.executor, 1u);
  BatchState<int, int>& other = states_.take(action({kNever}), now_);
  EXPECT_NE(&other, &state);
  states_.put_back(state);
  EXPECT_EQ(&states_.take(action({kNever}), now_), &state);
}

TEST_F(BatchStatesTest, StopIsRequestedWhenEveryRequestIsUnwanted) {
  BatchState<int, int>& state = states_.take(action({kNever, kNever}), now_);
  states_.unwanted(request(2).sequence);
  states_.unwanted(request(2).sequence);  // Twice the same is one.
  EXPECT_FALSE(state.info.stop.stop_requested());
  states_.unwanted(request(1).sequence);
  EXPECT_TRUE(state.info.stop.stop_requested());
}

TEST_F(BatchStatesTest, StopIsRequestedAtTheLastDeadlineAndNotBefore) {
  BatchState<int, int>& state = states_.take(action({now_ + 5ms, now_ + 3ms}), now_);
  EXPECT_EQ(states_.earliest(), now_ + 5ms);
  states_.serve(now_ + 5ms - 1ns);
  EXPECT_FALSE(state.info.stop.stop_requested());
  states_.serve(now_ + 5ms);
  EXPECT_TRUE(state.info.stop.stop_requested());
  EXPECT_EQ(states_.earliest(), kNever);
}

TEST_F(BatchStatesTest, ACancellationBringsTheInstantForward) {
  BatchState<int, int>& state = states_.take(action({now_ + 3ms, kNever}), now_);
  EXPECT_EQ(states_.earliest(), kNever);
  states_.unwanted(request(2).sequence);
  EXPECT_EQ(states_.earliest(), now_ + 3ms);
  states_.serve(now_ + 3ms);
  EXPECT_TRUE(state.info.stop.stop_requested());
}

TEST_F(BatchStatesTest, AnotherBatchIsNotTouched) {
  BatchState<int, int>& first = states_.take(action({kNever}), now_);
  BatchState<int, int>& second = states_.take(action({kNever}), now_);
  states_.unwanted(request(2).sequence);
  EXPECT_FALSE(first.info.stop.stop_requested());
  EXPECT_TRUE(second.info.stop.stop_requested());
}

TEST_F(BatchStatesTest, TheNextBatchOfAStateHasAStopOfItsOwn) {
  BatchState<int, int>& state = states_.take(action({kNever}), now_);
  states_.unwanted(request(1).sequence);
  const StopToken stopped = state.info.stop;
  states_.put_back(state);
  BatchState<int, int>& again = states_.take(action({kNever}), now_);
  ASSERT_EQ(&again, &state);
  EXPECT_TRUE(stopped.stop_requested());
  EXPECT_FALSE(again.info.stop.stop_requested());
  states_.unwanted(request(1).sequence);  // Of the batch before: means nothing any more.
  EXPECT_FALSE(again.info.stop.stop_requested());
}

TEST_F(BatchStatesTest, WhoWasInTheBatchBeforeIsForgotten) {
  BatchState<int, int>& state = states_.take(action({now_ + 1ms}), now_);
  states_.put_back(state);
  EXPECT_EQ(states_.earliest(), kNever);
  BatchState<int, int>& again = states_.take(action({kNever}), now_);
  ASSERT_EQ(&again, &state);
  states_.unwanted(request(2).sequence);
  EXPECT_TRUE(again.info.stop.stop_requested());
}

TEST_F(BatchStatesTest, RequestStopStopsAll) {
  BatchState<int, int>& first = states_.take(action({kNever}), now_);
  BatchState<int, int>& second = states_.take(action({now_ + 1h}), now_);
  states_.request_stop();
  EXPECT_TRUE(first.info.stop.stop_requested());
  EXPECT_TRUE(second.info.stop.stop_requested());
}

TEST_F(BatchStatesTest, WithoutSomebodyWhoLooksNothingIsWatched) {
  const batchwright::detail::SchedulerLimits limits{.max_in_flight = 1};
  States blind(runtime_, limits, 4, false, false);
  BatchState<int, int>& state = blind.take(action({now_ + 1ms}), now_);
  EXPECT_EQ(blind.earliest(), kNever);
  blind.serve(now_ + 2ms);
  blind.unwanted(request(1).sequence);
  EXPECT_FALSE(state.info.stop.stop_requested());
}

}  // namespace
