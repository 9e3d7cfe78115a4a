// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/coalescing.hpp>
#include <batchwright/detail/coalescer.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::coalesce_by;
using batchwright::Coalescing;
using batchwright::kNever;
using batchwright::kNoCount;
using batchwright::TimePoint;
using batchwright::detail::Admission;
using batchwright::detail::BatchState;
using batchwright::detail::CancelSink;
using batchwright::detail::Coalescer;
using batchwright::detail::Intake;
using batchwright::detail::pool_new;
using batchwright::detail::Request;
using batchwright::detail::RequestBase;
using batchwright::detail::RequestChain;
using batchwright::detail::RequestHeader;
using batchwright::detail::Seat;
using batchwright::detail::SharedKey;
using batchwright::detail::SharedKeyOwner;
using batchwright::detail::SharedWork;
using batchwright::detail::Urgency;
using batchwright_test::TestRuntime;

using Item = Request<int, int>;

/// What the entry of the predictor makes of a work, without the threads that lead there.
class CoalescerEntry : public ::testing::Test, public CancelSink, public SharedKeyOwner {
 protected:
  struct Scheduler {
    RequestHeader* work = nullptr;
    void arrive(RequestHeader& request) noexcept {
      work = &request;
      request.queued = true;
      request.sequence = 77;
    }
    void rerank(RequestHeader&, const Urgency&) noexcept {}
    void set_latest(RequestHeader&, TimePoint) noexcept {}
    void withdraw(RequestHeader&) noexcept {}
  };
  struct States {
    bool wanted(std::uint64_t, std::uint64_t, TimePoint) noexcept { return true; }
    void unwanted(std::uint64_t sequence) noexcept { forsaken.push_back(sequence); }
    std::vector<std::uint64_t> forsaken;
  };

  ~CoalescerEntry() override {
    for (Item* request : requests_) request->release();
  }

  Item& arrive(TimePoint deadline = kNever) {
    Item& request = *requests_.emplace_back(pool_new<Item>(1));
    request.retain();  // The test's; the other one is that of whoever answers it.
    request.deadline = deadline;
    request.shared_key = &key_;
    request.sink = this;
    EXPECT_TRUE(admission_.reserve({.count = 1}));
    coalescer_.arrive(request, scheduler_, states_, [](const Item&) {});
    return request;
  }

  SharedWork& work() { return static_cast<SharedWork&>(*scheduler_.work); }
  void board() {
    coalescer_.board(work(), 1, [](const Item&) {});
  }
  auto enter(TimePoint now) { return coalescer_.enter(work(), now); }

  // Lets go of what a list holds.
  static std::size_t release(const RequestChain& requests) {
    std::size_t count = 0;
    requests.each<Item>([&](Item& request) {
      request.release();
      ++count;
    });
    return count;
  }

  void post_cancelled(RequestBase& request) noexcept override { cancelled_.push_back(&request); }
  void release(SharedKey&) noexcept override {}

  // As the dispatcher, when it hears of the cancellations.
  void hear_cancellations() {
    for (RequestBase* request : cancelled_) {
      coalescer_.unwanted(*request, states_);
      request->release();
    }
    cancelled_.clear();
  }

  TestRuntime runtime_;
  const TimePoint now_ = runtime_.now();
  const Coalescing<int> option_{coalesce_by<int>(std::identity{})};
  Admission admission_{10, kNoCount};
  Intake<BatchState<int, int>, TestRuntime> intake_{runtime_, 1};
  Coalescer<int, int, TestRuntime> coalescer_{runtime_, option_.copier(), admission_, intake_};
  Scheduler scheduler_;
  States states_;
  SharedKey key_{.owner = this, .open = nullptr};

 private:
  std::vector<Item*> requests_;
  std::vector<RequestBase*> cancelled_;
};

TEST_F(CoalescerEntry, WhoseTimeIsUpDoesNotEnterAndTheNextOneLeads) {
  Item& late = arrive(now_ + 1ms);
  Item& next = arrive(now_ + 2ms);
  board();
  const auto entry = enter(now_ + 1ms);
  EXPECT_EQ(entry.leader, &next);
  EXPECT_EQ(entry.expired.first, &late);
  EXPECT_EQ(late.seat, Seat::none);
  EXPECT_EQ(next.seat, Seat::entered);
  std::size_t entered = 0;
  EXPECT_TRUE(coalescer_.end(next, entered).empty());
  EXPECT_EQ(entered, 0u);
  EXPECT_EQ(key_.open, nullptr);
  EXPECT_EQ(release(entry.expired), 1u);
  next.release();
}

TEST_F(CoalescerEntry, ARiderTakesTheSeatWhenNobodyWhoBoardedIsLeft) {
  Item& gone = arrive(now_ + 1ms);
  board();
  Item& rider = arrive();
  Item& other = arrive();
  EXPECT_EQ(coalescer_.riding(), 2u);
  const auto entry = enter(now_ + 1ms);
  EXPECT_EQ(entry.leader, &rider);
  EXPECT_EQ(entry.late, 1u);
  EXPECT_EQ(coalescer_.riding(), 1u);
  EXPECT_EQ(other.seat, Seat::riding);
  EXPECT_EQ(admission_.queued(), 2u);  // The room of who boarded is the dispatcher's to give back.
  std::size_t entered = 0;
  const RequestChain others = coalescer_.end(rider, entered);
  EXPECT_EQ(others.first, &other);
  EXPECT_EQ(entered, 0u);
  EXPECT_EQ(admission_.queued(), 1u);
  EXPECT_EQ(release(entry.expired) + release(others), 2u);
  EXPECT_EQ(gone.work, nullptr);
  rider.release();
}

TEST_F(CoalescerEntry, CountsWhoHoldsRoomWithoutBeingKnownToTheScheduler) {
  EXPECT_EQ(coalescer_.unknown(), 0u);
  Item& first = arrive();
  EXPECT_EQ(coalescer_.unknown(), 0u);  // Its work is queued.
  Item& second = arrive();
  Item& third = arrive(now_ + 1ms);
  EXPECT_EQ(coalescer_.unknown(), 2u);
  EXPECT_EQ(coalescer_.leave(first, scheduler_, states_), Seat::queued);
  EXPECT_EQ(coalescer_.unknown(), 1u);
  EXPECT_EQ(release(coalescer_.take_expired(now_ + 1ms, scheduler_, states_)), 1u);
  EXPECT_EQ(coalescer_.unknown(), 0u);
  Item& fourth = arrive();
  EXPECT_EQ(coalescer_.unknown(), 1u);
  board();
  EXPECT_EQ(coalescer_.unknown(), 0u);
  arrive();
  EXPECT_EQ(coalescer_.unknown(), 1u);
  EXPECT_EQ(enter(now_).leader, &second);
  std::size_t entered = 0;
  EXPECT_EQ(release(coalescer_.end(second, entered)), 2u);
  EXPECT_EQ(coalescer_.unknown(), 0u);
  EXPECT_EQ(entered, 1u);
  EXPECT_EQ(third.work, nullptr);
  EXPECT_EQ(fourth.work, nullptr);
  first.release();
  second.release();
}

TEST_F(CoalescerEntry, IfAllWereCancelledTheirCancellationsTellThatNobodyWantsTheWork) {
  Item& first = arrive();
  Item& second = arrive();
  board();
  EXPECT_TRUE(first.cancel());
  EXPECT_TRUE(second.cancel());
  const auto entry = enter(now_);
  EXPECT_EQ(entry.leader, nullptr);
  EXPECT_EQ(key_.open, nullptr);
  EXPECT_EQ(release(entry.lost), 2u);
  hear_cancellations();
  EXPECT_EQ(states_.forsaken, (std::vector<std::uint64_t>{77, 77}));
}

TEST_F(CoalescerEntry, AsLongAsOneIsLeftTheOthersCancellationsTellNothing) {
  Item& first = arrive();
  Item& second = arrive();
  board();
  EXPECT_TRUE(first.cancel());
  const auto entry = enter(now_);
  EXPECT_EQ(entry.leader, &second);
  EXPECT_EQ(release(entry.lost), 1u);
  hear_cancellations();
  EXPECT_EQ(states_.forsaken, (std::vector<std::uint64_t>{0}));
  std::size_t entered = 0;
  coalescer_.end(second, entered);
  second.release();
}

}  // namespace
