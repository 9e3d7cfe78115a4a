// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/detail/errand.hpp>
#include <batchwright/detail/predictor_forms.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace {

using batchwright::testing::TestThread;
using batchwright_test::TestRuntime;

using Errand = batchwright::detail::Errand<int, int, TestRuntime>;

TEST(Errand, TravelsAsABatchOfItsExecutor) {
  const TestRuntime runtime;
  const auto work = [](std::size_t, Errand::Runner&) {};
  Errand errand(runtime, 3, work);
  EXPECT_EQ(errand.state().info.executor, 3u);
  EXPECT_EQ(errand.state().errand, &errand);
  EXPECT_FALSE(errand.new_predictor);
  EXPECT_FALSE(errand.direct);
  EXPECT_TRUE(errand.replaces().new_predictor);
}

TEST(Errand, WhoSendsItSleepsUntilTheWorkIsDone) {
  const TestRuntime runtime;
  bool done = false;
  const auto work = [&](std::size_t, Errand::Runner&) { done = true; };
  Errand errand(runtime, 0, work);
  bool returned = false;
  TestThread sender = runtime.start([&] {
    errand.wait();
    EXPECT_TRUE(done);
    returned = true;
  });
  runtime.settle();
  EXPECT_EQ(runtime.parked(), 1u);
  EXPECT_FALSE(returned);
  Errand::Runner runner;
  errand.run(runner);
  sender.join();
  EXPECT_TRUE(returned);
}

TEST(Errand, TheWorkHasTheExecutorAndItsRunnerAtHand) {
  struct Nothing final : batchwright::detail::PredictorRunner<int, int> {
    bool run(batchwright::detail::BatchSink<int, int>&,
             batchwright::detail::BatchState<int, int>&) noexcept override {
      return true;
    }
  };
  const TestRuntime runtime;
  std::size_t on = 0;
  const auto work = [&](std::size_t executor, Errand::Runner& runner) {
    on = executor;
    runner = Errand::Runner(new Nothing);
  };
  Errand errand(runtime, 3, work);
  Errand::Runner runner;
  errand.run(runner);
  EXPECT_NE(runner, nullptr);
  EXPECT_EQ(on, 3u);
  errand.wait();  // It is done, so this returns at once.
}

}  // namespace
