// SPDX-License-Identifier: MIT
#include <batchwright/detail/request.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using batchwright::Outcome;
using batchwright::Result;
using batchwright::StopSource;
using batchwright::detail::CancelSink;
using batchwright::detail::pool_new;
using batchwright::detail::Request;
using batchwright::detail::RequestBase;

// Notes what is posted, and keeps the reference that comes with it until the end.
class Sink final : public CancelSink {
 public:
  ~Sink() {
    for (RequestBase* request : posted) request->release();
  }
  void post_cancelled(RequestBase& request) noexcept override { posted.push_back(&request); }

  std::vector<RequestBase*> posted;
};

using Input = std::shared_ptr<int>;

class RequestTest : public ::testing::Test {
 protected:
  RequestTest() {
    request_->sink = &sink_;
    request_->completion.emplace([this](Result<int>&& result) { answer_ = result.outcome(); });
  }

  void answer(Outcome outcome) { request_->answer(Result<int>::failure(outcome)); }

  Sink sink_;
  Input input_ = std::make_shared<int>(1);
  std::optional<Outcome> answer_;
  Request<Input, int>* request_ = pool_new<Request<Input, int>>(input_);
};

// The cache line of a request's part.
template <class Part>
std::uintptr_t line_of(const Part& part) {
  return reinterpret_cast<std::uintptr_t>(&part) / 64;
}

TEST_F(RequestTest, WhatTheSchedulerAloneWritesIsOnLinesOfItsOwn) {
  const Request<Input, int>& one = *request_;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&one) % 64, 0u);
  EXPECT_EQ(line_of(one.by_age), line_of(one.order_key));
  EXPECT_LT(line_of(one.sink), line_of(one.by_age));
  EXPECT_GT(line_of(one.enqueued), line_of(one.delay_turn));
  EXPECT_EQ(line_of(one.enqueued), line_of(one.by_rank.next));
  // What claiming and answering touch is one more, and the answer's way the next but one.
  EXPECT_EQ(line_of(one.priority), line_of(one.enqueued) + 1);
  for (const std::uintptr_t line :
       {line_of(one.at_bound), line_of(one.place), line_of(one.held_flow), line_of(one.work),
        line_of(one.level), line_of(one.priority_class)}) {
    EXPECT_EQ(line, line_of(one.priority));
  }
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&one.completion) % 64, 0u);
  answer(Outcome::stopped);
}

TEST_F(RequestTest, IsClaimedOnce) {
  EXPECT_TRUE(request_->claim());
  EXPECT_FALSE(request_->claim());
  EXPECT_FALSE(request_->cancelled());
  answer(Outcome::stopped);
  EXPECT_EQ(answer_, Outcome::stopped);
}

TEST_F(RequestTest, ACancellationThatWinsIsPostedOnceAndNobodyClaimsIt) {
  EXPECT_TRUE(request_->cancel());
  EXPECT_TRUE(request_->cancelled());
  EXPECT_FALSE(request_->claim());
  EXPECT_FALSE(request_->cancel());
  EXPECT_EQ(sink_.posted, (std::vector<RequestBase*>{request_}));
  answer(Outcome::cancelled);
}

TEST_F(RequestTest, NobodyClaimsItWhenTheCancellationIsOverAndItsReferencesGone) {
  request_->retain();  // A ticket's.
  EXPECT_TRUE(request_->cancel());
  sink_.posted.pop_back();
  answer(Outcome::cancelled);  // The dispatcher's,
  request_->release();         // and the ticket goes: the executor's reference alone is left.
  EXPECT_FALSE(request_->claim());
  request_->release();
}

TEST_F(RequestTest, IsClaimedOnceWhetherOthersHoldItOrNot) {
  request_->retain();
  EXPECT_TRUE(request_->claim());
  EXPECT_FALSE(request_->claim());
  request_->release();
  EXPECT_FALSE(request_->claim());
  EXPECT_FALSE(request_->cancel());
  answer(Outcome::stopped);
}

// On the machine: both begin at the same instant, many times.
TEST_F(RequestTest, AStopAndAClaimNeverBothWin) {
  constexpr int kRounds = 20'000;
  Sink sink;
  std::atomic<int> ready{0};
  std::atomic<int> stopped{0};
  std::optional<StopSource> stop;
  std::thread stopper([&] {
    for (int round = 1; round <= kRounds; ++round) {
      while (ready.load(std::memory_order_acquire) < round) {
      }
      stop->request_stop();
      stopped.store(round, std::memory_order_release);
    }
  });
  int both = 0;
  for (int round = 1; round <= kRounds; ++round) {
    auto* const request = pool_new<Request<Input, int>>(input_);
    request->sink = &sink;
    request->completion.emplace([](Result<int>&&) {});
    stop.emplace();
    request->prepare_stop();
    request->register_stop(stop->get_token());
    ready.store(round, std::memory_order_release);
    for (int pause = round % 64; pause > 0; --pause) static_cast<void>(stopped.load());
    const bool claimed = request->claim();
    while (stopped.load(std::memory_order_acquire) < round) {
    }
    both += claimed == request->cancelled() || sink.posted.size() != (claimed ? 0u : 1u);
    if (!sink.posted.empty()) sink.posted.back()->release();
    sink.posted.clear();
    request->answer(Result<int>::failure(claimed ? Outcome::failed : Outcome::cancelled));
  }
  stopper.join();
  EXPECT_EQ(both, 0);
  answer(Outcome::stopped);
}

TEST_F(RequestTest, ACancellationThatLosesIsPostedIfThePredictorIsWatched) {
  request_->watched = true;
  EXPECT_TRUE(request_->claim());
  EXPECT_FALSE(request_->cancel());
  EXPECT_FALSE(request_->cancelled());
  EXPECT_EQ(sink_.posted.size(), 1u);
  EXPECT_FALSE(request_->cancel());
  EXPECT_EQ(sink_.posted.size(), 1u);  // Once is enough.
  answer(Outcome::failed);
}

TEST_F(RequestTest, ACancellationThatLosesIsNotPostedOtherwise) {
  EXPECT_TRUE(request_->claim());
  EXPECT_FALSE(request_->cancel());
  EXPECT_TRUE(sink_.posted.empty());
  answer(Outcome::failed);
}

TEST_F(RequestTest, AfterItsAnswerNothingIsPosted) {
  request_->watched = true;
  request_->retain();
  EXPECT_TRUE(request_->claim());
  answer(Outcome::failed);
  EXPECT_FALSE(request_->cancel());
  EXPECT_TRUE(sink_.posted.empty());
  request_->release();
}

TEST_F(RequestTest, ItsInputGoesWhenItIsDroppedAndOnlyOnce) {
  EXPECT_EQ(input_.use_count(), 2);
  request_->drop_input();
  EXPECT_EQ(input_.use_count(), 1);
  request_->drop_input();
  EXPECT_EQ(input_.use_count(), 1);
  answer(Outcome::stopped);
}

TEST_F(RequestTest, TheLastReferenceTakesTheInputAlong) {
  request_->retain();
  answer(Outcome::stopped);
  EXPECT_EQ(input_.use_count(), 2);
  request_->release();
  EXPECT_EQ(input_.use_count(), 1);
}

TEST_F(RequestTest, AStopThatIsRequestedLaterCancelsIt) {
  StopSource stop;
  request_->prepare_stop();
  request_->register_stop(stop.get_token());
  EXPECT_FALSE(request_->cancelled());
  stop.request_stop();
  EXPECT_TRUE(request_->cancelled());
  answer(Outcome::cancelled);
}

TEST_F(RequestTest, AStopThatWasRequestedBeforeCancelsItAtItsRegistration) {
  StopSource stop;
  stop.request_stop();
  request_->prepare_stop();
  request_->register_stop(stop.get_token());
  EXPECT_TRUE(request_->cancelled());
  answer(Outcome::cancelled);
}

TEST_F(RequestTest, AnAnswerEndsTheListening) {
  StopSource stop;
  request_->prepare_stop();
  request_->register_stop(stop.get_token());
  EXPECT_TRUE(request_->claim());
  request_->retain();
  answer(Outcome::failed);
  stop.request_stop();
  EXPECT_TRUE(sink_.posted.empty());
  EXPECT_EQ(input_.use_count(), 2);
  request_->release();
  EXPECT_EQ(input_.use_count(), 1);  // The listening held no reference.
}

TEST_F(RequestTest, AnAnswerThatComesBeforeTheRegistrationLeavesNothingBehind) {
  StopSource stop;
  request_->prepare_stop();
  EXPECT_TRUE(request_->claim());
  answer(Outcome::failed);
  EXPECT_EQ(input_.use_count(), 2);
  request_->register_stop(stop.get_token());  // Drops the last reference.
  EXPECT_EQ(input_.use_count(), 1);
  stop.request_stop();
  EXPECT_TRUE(sink_.posted.empty());
}

TEST_F(RequestTest, AStopThatIsGivenUpHoldsNoReference) {
  request_->prepare_stop();
  request_->abandon_stop();
  answer(Outcome::stopped);
  EXPECT_EQ(input_.use_count(), 1);
}

}  // namespace
