// SPDX-License-Identifier: MIT
#include <batchwright/errors.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace {

using batchwright::BatcherError;
using batchwright::BatcherStoppedError;
using batchwright::CancelledError;
using batchwright::DeadlineExceededError;
using batchwright::ForkedError;
using batchwright::kOutcomeCount;
using batchwright::Outcome;
using batchwright::QueueFullError;
using batchwright::ResultCountError;
using batchwright::TooLargeError;
using batchwright::UnansweredError;
using batchwright::WouldDeadlockError;
using batchwright::detail::guarded;
using batchwright::detail::make_error;
using batchwright::detail::prepared_exception;
using batchwright::detail::raise;
using batchwright::detail::raise_invalid;
using batchwright::detail::raise_outcome;
using batchwright::detail::with_undo;

// Caught by anybody who catches what the standard library throws.
static_assert(std::is_base_of_v<std::runtime_error, BatcherError>);

template <class Error>
void expect_error(const Error& error, Outcome outcome, const std::string& message) {
  static_assert(std::is_base_of_v<BatcherError, Error>);
  static_assert(std::is_nothrow_copy_constructible_v<Error>);
  EXPECT_EQ(error.outcome(), outcome);
  EXPECT_EQ(error.what(), message);
}

TEST(Errors, EachNamesItsOutcomeAndSaysWhatHappened) {
  expect_error(DeadlineExceededError(), Outcome::expired,
               "batchwright: the deadline passed while queued");
  expect_error(CancelledError(), Outcome::cancelled, "batchwright: cancelled while queued");
  expect_error(QueueFullError(), Outcome::queue_full, "batchwright: the queue is full");
  expect_error(TooLargeError(), Outcome::too_large,
               "batchwright: larger than max_batch_size or the queue's whole capacity");
  expect_error(BatcherStoppedError(), Outcome::stopped, "batchwright: the batcher is stopped");
  expect_error(ForkedError(), Outcome::forked,
               "batchwright: used in a forked child; construct the batcher after fork");
  expect_error(WouldDeadlockError(), Outcome::would_deadlock,
               "batchwright: blocking on a batcher from one of its own threads");
  expect_error(ResultCountError(3, 2), Outcome::failed,
               "batchwright: the predictor returned 2 results for 3 inputs");
  expect_error(UnansweredError(), Outcome::failed,
               "batchwright: the predictor left a request unanswered");
}

TEST(Errors, ABadSettingIsNamedWithItsValueAndWhatIsAllowed) {
  try {
    raise_invalid("max_batch_size", "at least 1", "0");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "DynamicBatcher: max_batch_size must be at least 1, got 0");
  }
}

TEST(PreparedException, StandsForEachOutcomeButOk) {
  EXPECT_EQ(prepared_exception(Outcome::ok), nullptr);
  for (std::size_t i = 1; i < kOutcomeCount; ++i) {
    const Outcome outcome = static_cast<Outcome>(i);
    try {
      std::rethrow_exception(prepared_exception(outcome));
    } catch (const BatcherError& error) {
      EXPECT_EQ(error.outcome(), outcome);
    }
  }
}

TEST(PreparedException, HasTheTypeOfItsOutcome) {
  EXPECT_THROW(raise_outcome(Outcome::failed), UnansweredError);
  EXPECT_THROW(raise_outcome(Outcome::expired), DeadlineExceededError);
  EXPECT_THROW(raise_outcome(Outcome::cancelled), CancelledError);
  EXPECT_THROW(raise_outcome(Outcome::queue_full), QueueFullError);
  EXPECT_THROW(raise_outcome(Outcome::too_large), TooLargeError);
  EXPECT_THROW(raise_outcome(Outcome::stopped), BatcherStoppedError);
  EXPECT_THROW(raise_outcome(Outcome::forked), ForkedError);
  EXPECT_THROW(raise_outcome(Outcome::would_deadlock), WouldDeadlockError);
}

TEST(PreparedException, IsOneObjectPerOutcome) {
  EXPECT_EQ(prepared_exception(Outcome::queue_full), prepared_exception(Outcome::queue_full));
  EXPECT_NE(prepared_exception(Outcome::queue_full), prepared_exception(Outcome::stopped));
}

TEST(RaiseOutcome, PrefersTheExceptionThatCausedIt) {
  EXPECT_THROW(raise_outcome(Outcome::failed, std::make_exception_ptr(42)), int);
}

TEST(MakeError, HoldsACopy) {
  const std::exception_ptr error = make_error(ResultCountError(2, 5));
  EXPECT_THROW(std::rethrow_exception(error), ResultCountError);
}

TEST(Guarded, HandsOnWhateverWasThrown) {
  std::exception_ptr caught;
  EXPECT_TRUE(guarded([] {}, [&](std::exception_ptr error) { caught = error; }));
  EXPECT_EQ(caught, nullptr);
  EXPECT_FALSE(guarded([] { throw 7; }, [&](std::exception_ptr error) { caught = error; }));
  EXPECT_THROW(std::rethrow_exception(caught), int);
}

TEST(WithUndo, ReturnsTheResultAndUndoesNothing) {
  bool undone = false;
  EXPECT_EQ(with_undo([] { return 3; }, [&] { undone = true; }), 3);
  EXPECT_FALSE(undone);
}

TEST(WithUndo, UndoesBeforeTheExceptionGoesOn) {
  bool undone = false;
  EXPECT_THROW(with_undo([] { raise(CancelledError()); }, [&] { undone = true; }), CancelledError);
  EXPECT_TRUE(undone);
}

}  // namespace
