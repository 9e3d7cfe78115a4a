// SPDX-License-Identifier: MIT
#include <batchwright/detail/errand_desk.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>

namespace {

using batchwright::detail::Leases;

struct Work {
  bool new_predictor = false;
};

/// An errand, as far as the desk looks at it.
struct Batch {
  struct {
    std::size_t executor = 0;
  } info;
  Batch* next = nullptr;
  Work* errand = nullptr;
};

/// The scheduler, as far as the desk asks it. The executors in `ready` have nothing left to do.
class Scheduler {
 public:
  Scheduler& executors() noexcept { return *this; }
  void reserve(std::size_t executor) { log += "reserve" + std::to_string(executor) + " "; }
  bool begin_errand(std::size_t executor, bool new_predictor) {
    if (ready.count(executor) == 0) return false;
    log += (new_predictor ? "replace" : "begin") + std::to_string(executor) + " ";
    return true;
  }

  std::set<std::size_t> ready;
  std::string log;
};

class ErrandDeskTest : public ::testing::Test {
 protected:
  ErrandDeskTest() {
    for (std::size_t i = 0; i < 3; ++i) {
      errands_[i].info.executor = i;
      errands_[i].errand = &works_[i];
      if (i < 2) errands_[i].next = &errands_[i + 1];
    }
    works_[1].new_predictor = true;
    desk_.enter(errands_, scheduler_, leases_);
  }

  // The executors whose errands are performed; it stops at `last`.
  std::string serve(std::size_t last = 99) {
    std::string served;
    const bool stopped = desk_.serve(scheduler_, [&](Batch& errand) {
      served += std::to_string(errand.info.executor);
      return errand.info.executor == last;
    });
    return served + (stopped ? " stopped" : "");
  }

  Work works_[3];
  Batch errands_[3];
  Scheduler scheduler_;
  Leases leases_{nullptr, nullptr};
  batchwright::detail::ErrandDesk<Batch> desk_;
};

TEST_F(ErrandDeskTest, KeepsTheExecutorsOfAllErrandsFree) {
  EXPECT_EQ(scheduler_.log, "reserve0 reserve1 reserve2 ");
  EXPECT_FALSE(desk_.empty());
}

TEST_F(ErrandDeskTest, AnErrandWaitsUntilItsExecutorIsReady) {
  EXPECT_EQ(serve(), "");
  scheduler_.ready = {1};
  scheduler_.log.clear();
  EXPECT_EQ(serve(), "1");
  EXPECT_EQ(scheduler_.log, "replace1 ");
  EXPECT_EQ(serve(), "");  // Once.
  scheduler_.ready = {0, 1, 2};
  EXPECT_EQ(serve(), "20");
  EXPECT_TRUE(desk_.empty());
}

TEST_F(ErrandDeskTest, StopsWhenTimeHasPassed) {
  scheduler_.ready = {0, 1, 2};
  EXPECT_EQ(serve(2), "2 stopped");
  EXPECT_EQ(serve(1), "1 stopped");
  EXPECT_EQ(serve(), "0");
  EXPECT_TRUE(desk_.empty());
}

}  // namespace
