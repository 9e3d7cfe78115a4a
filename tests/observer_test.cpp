// SPDX-License-Identifier: MIT
#include <batchwright/observer.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using batchwright::AdmittedEvent;
using batchwright::AnsweredEvent;
using batchwright::BatchFormedEvent;
using batchwright::Duration;
using batchwright::kNever;
using batchwright::Observer;
using batchwright::Outcome;
using batchwright::RefusedEvent;
using batchwright::ReleaseReason;
using batchwright::TimePoint;

/// Writes down what it is told, in one line an event.
class Scribe : public Observer {
 public:
  explicit Scribe(std::vector<std::string>& lines) : lines_(lines) {}

  void on_admitted(const AdmittedEvent& event) noexcept override {
    lines_.push_back("admitted " + std::to_string(event.trace_id));
  }
  void on_refused(const RefusedEvent& event) noexcept override {
    lines_.push_back("refused " + std::to_string(event.trace_id) + " " + to_string(event.outcome));
  }
  void on_batch_formed(const BatchFormedEvent& event) noexcept override {
    lines_.push_back("batch " + std::to_string(event.batch_id) + " of " +
                     std::to_string(event.count) + " by " + to_string(event.reason));
  }
  void on_answered(const AnsweredEvent& event) noexcept override {
    lines_.push_back("answered " + std::to_string(event.trace_id) + " " + to_string(event.outcome));
  }

 private:
  std::vector<std::string>& lines_;
};

/// Overrides one function only.
class Refusals : public Observer {
 public:
  void on_refused(const RefusedEvent&) noexcept override { ++count; }
  std::atomic<int> count{0};
};

/// What a batcher does for each event: one test for null.
template <class Event>
void tell(const std::shared_ptr<Observer>& observer,
          void (Observer::*function)(const Event&) noexcept, const Event& event) {
  if (observer) (observer.get()->*function)(event);
}

TEST(Observer, IgnoresEverythingByDefault) {
  Observer observer;
  observer.on_admitted({});
  observer.on_refused({});
  observer.on_batch_formed({});
  observer.on_answered({});
}

TEST(Observer, MayBeAbsent) {
  const std::shared_ptr<Observer> none;
  tell(none, &Observer::on_admitted, AdmittedEvent{});
  tell(none, &Observer::on_answered, AnsweredEvent{});
}

TEST(Observer, IsToldThroughItsBase) {
  std::vector<std::string> lines;
  const std::shared_ptr<Observer> observer = std::make_shared<Scribe>(lines);
  tell(observer, &Observer::on_admitted, AdmittedEvent{.trace_id = 7});
  tell(observer, &Observer::on_refused, RefusedEvent{.trace_id = 8, .outcome = Outcome::too_large});
  tell(observer, &Observer::on_batch_formed,
       BatchFormedEvent{.batch_id = 1, .count = 4, .reason = ReleaseReason::time});
  tell(observer, &Observer::on_answered, AnsweredEvent{.trace_id = 7, .outcome = Outcome::failed});
  EXPECT_EQ(lines, (std::vector<std::string>{"admitted 7", "refused 8 too_large",
                                             "batch 1 of 4 by time", "answered 7 failed"}));
}

TEST(Observer, MayOverrideOneFunctionAndLeaveTheRest) {
  const auto refusals = std::make_shared<Refusals>();
  const std::shared_ptr<Observer> observer = refusals;
  tell(observer, &Observer::on_admitted, AdmittedEvent{});
  tell(observer, &Observer::on_refused, RefusedEvent{});
  tell(observer, &Observer::on_answered, AnsweredEvent{});
  EXPECT_EQ(refusals->count, 1);
}

TEST(Observer, IsDestroyedThroughItsBase) {
  struct Last : Observer {
    explicit Last(bool& gone) : gone_(gone) {}
    ~Last() override { gone_ = true; }
    bool& gone_;
  };
  bool gone = false;
  std::unique_ptr<Observer> observer = std::make_unique<Last>(gone);
  observer.reset();
  EXPECT_TRUE(gone);
}

TEST(Observer, MayBeToldByManyThreadsAtOnce) {
  const auto refusals = std::make_shared<Refusals>();
  const std::shared_ptr<Observer> observer = refusals;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&observer] {
      for (int n = 0; n < 1'000; ++n) tell(observer, &Observer::on_refused, RefusedEvent{});
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(refusals->count, 4'000);
}

TEST(Observer, HasAnIdentityAndCannotBeCopied) {
  static_assert(!std::is_copy_constructible_v<Observer>);
  static_assert(!std::is_copy_assignable_v<Observer>);
  static_assert(std::has_virtual_destructor_v<Observer>);
}

TEST(Observer, PromisesNotToThrow) {
  static_assert(
      noexcept(std::declval<Observer&>().on_admitted(std::declval<const AdmittedEvent&>())));
  static_assert(
      noexcept(std::declval<Observer&>().on_refused(std::declval<const RefusedEvent&>())));
  static_assert(
      noexcept(std::declval<Observer&>().on_batch_formed(std::declval<const BatchFormedEvent&>())));
  static_assert(
      noexcept(std::declval<Observer&>().on_answered(std::declval<const AnsweredEvent&>())));
}

TEST(ObserverEvents, AreSmallPlainValues) {
  static_assert(std::is_trivially_copyable_v<AdmittedEvent> && sizeof(AdmittedEvent) <= 72);
  static_assert(std::is_trivially_copyable_v<RefusedEvent> && sizeof(RefusedEvent) <= 64);
  static_assert(std::is_trivially_copyable_v<BatchFormedEvent> && sizeof(BatchFormedEvent) <= 64);
  static_assert(std::is_trivially_copyable_v<AnsweredEvent> && sizeof(AnsweredEvent) <= 72);
}

TEST(ObserverEvents, HaveNoDeadlineAndNoTraceIdUnlessGiven) {
  EXPECT_EQ(AdmittedEvent{}.deadline, kNever);
  EXPECT_EQ(AnsweredEvent{}.deadline, kNever);
  EXPECT_EQ(AdmittedEvent{}.trace_id, 0u);
  EXPECT_EQ(RefusedEvent{}.trace_id, 0u);
  EXPECT_EQ(AnsweredEvent{}.trace_id, 0u);
  EXPECT_EQ(AdmittedEvent{}.weight, 1u);
}

TEST(AnsweredEvent, IsComputedIfItNamesABatch) {
  EXPECT_FALSE((AnsweredEvent{.outcome = Outcome::expired}.computed()));
  EXPECT_TRUE((AnsweredEvent{.batch_id = 1}.computed()));
}

TEST(AnsweredEvent, IsLateFromTheFirstTickAfterItsDeadline) {
  const TimePoint deadline(5ms);
  EXPECT_FALSE((AnsweredEvent{.answered = deadline, .deadline = deadline}.late()));
  EXPECT_TRUE((AnsweredEvent{.answered = deadline + 1ns, .deadline = deadline}.late()));
  EXPECT_FALSE((AnsweredEvent{.answered = deadline}.late()));
}

}  // namespace
