// SPDX-License-Identifier: MIT
#include <batchwright/detail/counsel.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using batchwright::ArrivalReport;
using batchwright::BatchReport;
using batchwright::Decision;
using batchwright::Duration;
using batchwright::PolicyNeeds;
using batchwright::QueueView;
using batchwright::ReleaseReason;
using batchwright::TimePoint;
using batchwright::detail::Counsel;
using batchwright::detail::ExecutorTable;
using batchwright::detail::RequestHeader;

TimePoint at(std::int64_t ns) { return TimePoint(Duration(ns)); }

struct Heard {
  std::vector<std::size_t> arrivals;  // How many each time.
  int batches = 0;
  QueueView view;
};

struct Listening {
  Heard* heard = nullptr;
  PolicyNeeds wants;

  Decision decide(const QueueView& view) const noexcept {
    heard->view = view;
    return Decision::release(3, ReleaseReason::greedy);
  }
  void on_arrivals(const ArrivalReport& report) noexcept {
    heard->arrivals.push_back(report.count);
  }
  void on_batch(const BatchReport&) noexcept { ++heard->batches; }
  PolicyNeeds needs() const noexcept { return wants; }
};

class CounselTest : public ::testing::Test {
 protected:
  Counsel<Listening> make(const PolicyNeeds& wants, bool learns = false) {
    return {Listening{&heard_, wants}, {.max_batch_size = 8}, learns};
  }

  static RequestHeader request(std::int64_t ns) {
    RequestHeader request{};
    request.enqueued = at(ns);
    return request;
  }

  static BatchReport report(bool failed = false) {
    BatchReport report;
    report.size = report.count = 2;
    report.dispatched = at(0);
    report.finished = at(1000);
    report.failed = failed;
    return report;
  }

  Decision ask(Counsel<Listening>& counsel) {
    QueueView view;
    return counsel.ask(view, 5, executors_);
  }

  Heard heard_;
  ExecutorTable executors_{3, 3};
};

TEST_F(CounselTest, TellsOfArrivalsInBulkUnlessEachIsWanted) {
  auto bulk = make({});
  bulk.arrived(request(1));
  bulk.arrived(request(2));
  bulk.tell();
  EXPECT_EQ(heard_.arrivals, std::vector<std::size_t>{2});
  bulk.replace(Listening{&heard_, {.each_arrival = true}});
  bulk.arrived(request(3));
  EXPECT_EQ(heard_.arrivals, (std::vector<std::size_t>{2, 1}));
}

TEST_F(CounselTest, ShowsThePolicyTheCapAndTheExecutorsAndItsDecisionIsTheAnswer) {
  auto counsel = make({});
  EXPECT_EQ(ask(counsel).size(), 3u);
  EXPECT_EQ(heard_.view.max_batch_size, 5u);
  EXPECT_EQ(heard_.view.executors, 3u);
  EXPECT_EQ(heard_.view.free_executors, 3u);
}

TEST_F(CounselTest, ShowsWhatWasLearnedToThoseWhoAsk) {
  auto plain = make({});
  ask(plain);
  EXPECT_EQ(heard_.view.service, nullptr);
  EXPECT_EQ(heard_.view.arrivals, nullptr);
  auto curious = make({.service = true, .arrivals = true});
  curious.arrived(request(1));
  curious.arrived(request(2));
  curious.finished(report());
  ask(curious);
  ASSERT_NE(heard_.view.service, nullptr);
  EXPECT_EQ(heard_.view.service->samples, 1u);
  ASSERT_NE(heard_.view.arrivals, nullptr);
  EXPECT_GT(heard_.view.arrivals->samples, 0u);
}

TEST_F(CounselTest, ABatchThatFailedIsToldButTeachesNoTimes) {
  auto counsel = make({.service = true});
  counsel.finished(report(true));
  EXPECT_EQ(heard_.batches, 1);
  ask(counsel);
  EXPECT_EQ(heard_.view.service->samples, 0u);
}

TEST_F(CounselTest, LearnsTimesIfThePolicyNeedsThemOrSomebodyElse) {
  EXPECT_FALSE(make({}).learns_service());
  EXPECT_TRUE(make({.service = true}).learns_service());
  EXPECT_TRUE(make({}, true).learns_service());
}

}  // namespace
