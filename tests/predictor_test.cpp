// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <batchwright/batchwright.hpp>
#include <batchwright/testing/test_runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::BatchInfo;
using batchwright::Predictor;
using batchwright::use_ticket;

template <class TIn, class TOut>
using Batch = batchwright::Batch<TIn, TOut>;

using Values = std::vector<int>;
using Pointer = std::unique_ptr<int>;

// What is a predictor and what is not.

struct ReturnsInts {
  Values operator()(std::span<const int>) const { return {}; }
};
struct ReturnsFloats {
  std::vector<float> operator()(std::span<const int>) const { return {}; }
};
struct TakesVector {
  Values operator()(const Values&) const { return {}; }
};
struct TakesAnything {
  template <class T>
  Values operator()(T&&) const {
    return {};
  }
};

static_assert(Predictor<ReturnsInts, int, int>);
static_assert(!Predictor<ReturnsInts, int, float>);
static_assert(!Predictor<ReturnsInts, float, int>);
static_assert(!Predictor<ReturnsInts, int, void>);
static_assert(Predictor<ReturnsFloats, int, float>);
static_assert(!Predictor<TakesVector, int, int>);
static_assert(!Predictor<TakesAnything, int, int>);
static_assert(Predictor<Values (*)(std::span<const int>), int, int>);
static_assert(Predictor<std::function<Values(std::span<int>)>, int, int>);
static_assert(Predictor<void (*)(std::span<const int>, std::span<int>), int, int>);
static_assert(!Predictor<void (*)(std::span<const int>), int, int>);
static_assert(Predictor<void (*)(std::span<const int>), int, void>);
static_assert(Predictor<void (*)(Batch<int, int>&), int, int>);
static_assert(Predictor<void (*)(Batch<int, int>), int, int>);
static_assert(!Predictor<void (*)(Batch<int, float>), int, int>);
static_assert(Predictor<void (*)(Batch<int, void>, const BatchInfo&), int, void>);
static_assert(!Predictor<int, int, int>);

// Runs a predictor on the inputs 1, 2, 3, twice, so that whatever it left behind would show.
template <class TIn, class TOut, class P>
std::vector<int> run(P predictor) {
  std::vector<int> values;
  TestRuntime runtime;
  TestBatcher<TIn, TOut> batcher(std::move(predictor));
  for (int round = 0; round < 2; ++round) {
    values.clear();
    std::vector<TIn> inputs;
    for (int i = 1; i <= 3; ++i) {
      if constexpr (std::is_constructible_v<TIn, int>) {
        inputs.emplace_back(i);
      } else {
        inputs.push_back(std::make_unique<int>(i));
      }
    }
    auto tickets = batcher.submit_many(std::move(inputs), use_ticket);
    runtime.settle();
    for (auto& ticket : tickets) {
      if constexpr (std::is_void_v<TOut>) {
        ticket.get();
      } else if constexpr (std::is_same_v<TOut, Pointer>) {
        values.push_back(*ticket.get());
      } else {
        values.push_back(static_cast<int>(ticket.get()));
      }
    }
  }
  return values;
}

const Values kTenfold{10, 20, 30};

// Returning a vector.

TEST(PredictorThatReturns, OverConstInputs) {
  EXPECT_EQ((run<int, int>([](std::span<const int> inputs) {
              Values results;
              for (const int input : inputs) results.push_back(10 * input);
              return results;
            })),
            kTenfold);
}

TEST(PredictorThatReturns, OverInputsThatItMayChange) {
  EXPECT_EQ((run<int, int>([](std::span<int> inputs) {
              for (int& input : inputs) input *= 10;
              return Values(inputs.begin(), inputs.end());
            })),
            kTenfold);
}

TEST(PredictorThatReturns, WithTheFactsOfItsBatch) {
  EXPECT_EQ((run<int, int>([](std::span<const int> inputs, const BatchInfo& info) {
              EXPECT_EQ(info.size, inputs.size());
              return Values{10, 20, 30};
            })),
            kTenfold);
  EXPECT_EQ((run<int, int>([](std::span<int> inputs, const BatchInfo& info) {
              EXPECT_EQ(info.size, inputs.size());
              return Values{10, 20, 30};
            })),
            kTenfold);
}

TEST(PredictorThatReturns, MoveOnlyInputsAndResults) {
  EXPECT_EQ((run<Pointer, Pointer>([](std::span<Pointer> inputs) {
              std::vector<Pointer> results;
              for (Pointer& input : inputs) {
                *input *= 10;
                results.push_back(std::move(input));
              }
              return results;
            })),
            kTenfold);
  EXPECT_EQ((run<Pointer, int>([](std::span<const Pointer> inputs) {
              Values results;
              for (const Pointer& input : inputs) results.push_back(*input * 10);
              return results;
            })),
            kTenfold);
}

TEST(PredictorThatReturns, ResultsThatHaveNoDefault) {
  struct Label {
    explicit Label(int number) : value(number) {}
    explicit operator int() const { return value; }
    int value;
  };
  EXPECT_EQ((run<int, Label>([](std::span<const int> inputs) {
              std::vector<Label> results;
              for (const int input : inputs) results.emplace_back(10 * input);
              return results;
            })),
            kTenfold);
}

TEST(PredictorThatReturns, Bits) {
  EXPECT_EQ((run<bool, bool>([](std::span<const bool> inputs) {
              std::vector<bool> results(inputs.size(), inputs[0]);
              results[1] = false;
              return results;
            })),
            (Values{1, 0, 1}));
}

TEST(PredictorThatReturns, NothingWhereNothingIsWanted) {
  Values seen;
  run<int, void>([&](std::span<const int> inputs) { seen.assign(inputs.begin(), inputs.end()); });
  EXPECT_EQ(seen, (Values{1, 2, 3}));
  seen.clear();
  run<int, void>([&](std::span<int> inputs, const BatchInfo& info) {
    EXPECT_EQ(info.size, 3u);
    seen.assign(inputs.begin(), inputs.end());
  });
  EXPECT_EQ(seen, (Values{1, 2, 3}));
}

// Writing in place.

TEST(PredictorThatWrites, OverConstInputs) {
  EXPECT_EQ((run<int, int>([](std::span<const int> inputs, std::span<int> results) {
              ASSERT_EQ(results.size(), inputs.size());
              for (std::size_t i = 0; i < inputs.size(); ++i) results[i] = 10 * inputs[i];
            })),
            kTenfold);
}

TEST(PredictorThatWrites, OverInputsThatItMayChange) {
  EXPECT_EQ((run<Pointer, Pointer>([](std::span<Pointer> inputs, std::span<Pointer> results) {
              for (std::size_t i = 0; i < inputs.size(); ++i) {
                results[i] = std::move(inputs[i]);
                *results[i] *= 10;
              }
            })),
            kTenfold);
}

TEST(PredictorThatWrites, WithTheFactsOfItsBatch) {
  EXPECT_EQ((run<int, int>([](std::span<const int>, std::span<int> results, const BatchInfo& info) {
              for (std::size_t i = 0; i < info.size; ++i)
                results[i] = static_cast<int>(10 * i + 10);
            })),
            kTenfold);
}

TEST(PredictorThatWrites, FindsItsResultsValueInitializedEachTime) {
  EXPECT_EQ((run<int, int>([](std::span<const int>, std::span<int> results) {
              for (int& result : results) EXPECT_EQ(std::exchange(result, 7), 0);
            })),
            (Values{7, 7, 7}));
}

TEST(PredictorThatWrites, ThatThrowsHandsNothingOut) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher([](std::span<const int>, std::span<int> results) {
    results[0] = 5;
    throw std::runtime_error("model failure");
  });
  auto ticket = batcher.submit(1, use_ticket);
  runtime.settle();
  EXPECT_THROW(ticket.get(), std::runtime_error);
}

// Over Batch. What else it does is in batch_test.cpp.

template <class TIn, class TOut>
void answer_tenfold(Batch<TIn, TOut>& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if constexpr (std::is_void_v<TOut>) {
      batch.answer(i);
    } else if constexpr (std::is_same_v<TIn, Pointer>) {
      *batch.input(i) *= 10;
      batch.answer(i, std::move(batch.input(i)));
    } else {
      batch.answer(i, static_cast<TOut>(10 * batch.input(i)));
    }
  }
}

TEST(PredictorOverBatch, ByReference) {
  EXPECT_EQ((run<int, int>([](Batch<int, int>& batch) { answer_tenfold(batch); })), kTenfold);
  EXPECT_EQ((run<int, int>([](Batch<int, int>& batch, const BatchInfo& info) {
              EXPECT_EQ(info.size, 3u);
              answer_tenfold(batch);
            })),
            kTenfold);
}

TEST(PredictorOverBatch, ByValue) {
  EXPECT_EQ((run<int, int>([](Batch<int, int> batch) { answer_tenfold(batch); })), kTenfold);
  EXPECT_EQ((run<int, int>([](Batch<int, int> batch, const BatchInfo& info) {
              answer_tenfold(batch);
              EXPECT_EQ(info.size, 3u);  // Also after the last answer.
            })),
            kTenfold);
}

TEST(PredictorOverBatch, MoveOnlyVoidAndBits) {
  EXPECT_EQ((run<Pointer, Pointer>([](Batch<Pointer, Pointer>& batch) { answer_tenfold(batch); })),
            kTenfold);
  EXPECT_EQ((run<Pointer, Pointer>([](Batch<Pointer, Pointer> batch) { answer_tenfold(batch); })),
            kTenfold);
  run<int, void>([](Batch<int, void>& batch) { answer_tenfold(batch); });
  run<int, void>([](Batch<int, void> batch, const BatchInfo&) { answer_tenfold(batch); });
  EXPECT_EQ((run<bool, bool>([](Batch<bool, bool>& batch) { answer_tenfold(batch); })),
            (Values{1, 1, 1}));
}

// What may be a predictor.

Values tenfold(std::span<const int> inputs) {
  Values results;
  for (const int input : inputs) results.push_back(10 * input);
  return results;
}

TEST(PredictorObject, MayBeAFunctionAStdFunctionOrMoveOnly) {
  EXPECT_EQ((run<int, int>(&tenfold)), kTenfold);
  EXPECT_EQ((run<int, int>(std::function<Values(std::span<const int>)>(tenfold))), kTenfold);
  EXPECT_EQ((run<int, int>([factor = std::make_unique<int>(10)](std::span<const int> inputs) {
              Values results;
              for (const int input : inputs) results.push_back(*factor * input);
              return results;
            })),
            kTenfold);
}

TEST(PredictorObject, MayKeepAStateWithoutALock) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(
      [calls = 0](std::span<const int> inputs) mutable { return Values(inputs.size(), ++calls); });
  for (int i = 1; i <= 3; ++i) {
    auto ticket = batcher.submit(0, use_ticket);
    EXPECT_EQ(ticket.get(), i);
  }
}

TEST(PredictorObject, IsDestroyedWithTheBatcher) {
  TestRuntime runtime;
  const auto shared = std::make_shared<int>(0);
  {
    const TestBatcher<int, int> batcher(
        [shared](std::span<const int> inputs) { return Values(inputs.size()); });
    EXPECT_EQ(shared.use_count(), 2);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(PredictorObject, ABareOneServesOneExecutorOnly) {
  TestRuntime runtime;
  using Batcher = TestBatcher<int, int>;
  try {
    const Batcher batcher(&tenfold, {.executors = 2});
    FAIL() << "was constructed";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("shared_predictor"), std::string::npos);
  }
}

TEST(PredictorFacts, NumberTheBatchesAndNameTheExecutor) {
  TestRuntime runtime;
  std::vector<BatchInfo> infos;
  TestBatcher<int, int> batcher(
      [&](std::span<const int> inputs, const BatchInfo& info) {
        infos.push_back(info);
        return Values(inputs.size());
      },
      {.max_batch_size = 2});
  const auto tickets = batcher.submit_many(Values(3, 1), use_ticket);
  runtime.settle();
  ASSERT_EQ(infos.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(infos[i].batch_id, i + 1);
    EXPECT_EQ(infos[i].size, 2 - i);
    EXPECT_EQ(infos[i].padded_size, 2 - i);
    EXPECT_EQ(infos[i].executor, 0u);
    EXPECT_EQ(infos[i].attempt, 1u);
    EXPECT_FALSE(infos[i].stop.stop_requested());
  }
}

// Several executors.

TEST(SharedPredictor, IsCalledByAllExecutorsAtTheSameTime) {
  TestRuntime runtime;
  Gate gate(runtime);
  std::set<std::size_t> executors;
  TestBatcher<int, int> batcher(
      batchwright::shared_predictor([&](std::span<const int> inputs, const BatchInfo& info) {
        executors.insert(info.executor);
        gate.pass();
        return Values(inputs.begin(), inputs.end());
      }),
      {.max_batch_size = 1, .executors = 3});
  auto tickets = batcher.submit_many(Values{1, 2, 3, 4}, use_ticket);
  runtime.settle();
  EXPECT_EQ(gate.waiting(), 3u);
  EXPECT_EQ(executors, (std::set<std::size_t>{0, 1, 2}));
  EXPECT_EQ(batcher.metrics().queued, 1u);
  gate.open();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(tickets[static_cast<std::size_t>(i)].get(), i + 1);
}

// Notes on which thread each predictor lives.
struct Diary {
  struct Entry {
    std::thread::id made;
    std::set<std::thread::id> used;
    std::thread::id destroyed;
  };
  std::vector<Entry> entries = std::vector<Entry>(3);
};

class Diarist {
 public:
  explicit Diarist(Diary::Entry& entry) : entry_(&entry) {
    entry_->made = std::this_thread::get_id();
  }
  Diarist(const Diarist&) = delete;
  Diarist& operator=(const Diarist&) = delete;
  ~Diarist() { entry_->destroyed = std::this_thread::get_id(); }

  Values operator()(std::span<const int> inputs) {
    entry_->used.insert(std::this_thread::get_id());
    return Values(inputs.begin(), inputs.end());
  }

 private:
  Diary::Entry* entry_;
};

TEST(PredictorPerExecutor, IsMadeUsedAndDestroyedOnItsOwnThread) {
  for (const std::size_t executors : {0u, 1u, 3u}) {
    for_each_seed(10, [&](TestRuntime& runtime) {
      Diary diary;
      {
        TestBatcher<int, int> batcher(
            batchwright::predictor_per_executor(
                [&](std::size_t executor) { return Diarist(diary.entries[executor]); }),
            {.max_batch_size = 1, .executors = executors});
        batcher.pause();
        auto tickets = batcher.submit_many(Values{1, 2, 3}, use_ticket);
        batcher.resume();
        for (int i = 0; i < 3; ++i) EXPECT_EQ(tickets[static_cast<std::size_t>(i)].get(), i + 1);
        runtime.settle();
      }
      std::set<std::thread::id> threads;
      for (std::size_t i = 0; i < std::max<std::size_t>(executors, 1); ++i) {
        const auto& entry = diary.entries[i];
        EXPECT_NE(entry.made, std::this_thread::get_id());
        EXPECT_EQ(entry.used, std::set<std::thread::id>{entry.made});
        EXPECT_EQ(entry.destroyed, entry.made);
        threads.insert(entry.made);
      }
      EXPECT_EQ(threads.size(), std::max<std::size_t>(executors, 1));
    });
  }
}

TEST(PredictorPerExecutor, AFactoryMayTakeNoIndex) {
  TestRuntime runtime;
  int made = 0;
  TestBatcher<int, int> batcher(batchwright::predictor_per_executor([&] {
                                  ++made;
                                  return &tenfold;
                                }),
                                {.executors = 2});
  EXPECT_EQ(made, 2);
  EXPECT_EQ(batcher.submit(4, use_ticket).get(), 40);
}

TEST(PredictorPerExecutor, AFactoryThatThrowsComesOutOfTheConstructorAndNoThreadIsLeft) {
  for (const std::size_t bad : {0u, 1u, 2u}) {
    for_each_seed(10, [&](TestRuntime& runtime) {
      using Batcher = TestBatcher<int, int>;
      Diary diary;
      const auto factory = [&](std::size_t executor) {
        if (executor == bad) throw std::runtime_error("no such device");
        return Diarist(diary.entries[executor]);
      };
      EXPECT_THROW(Batcher(batchwright::predictor_per_executor(factory), {.executors = 3}),
                   std::runtime_error);
      EXPECT_EQ(runtime.parked(), 0u);
      for (std::size_t i = 0; i < bad; ++i) {
        EXPECT_EQ(diary.entries[i].destroyed, diary.entries[i].made);
      }
    });
  }
}

TEST(PredictorPerExecutor, MayOwnItsBatches) {
  TestRuntime runtime;
  TestBatcher<int, int> batcher(batchwright::predictor_per_executor([](std::size_t executor) {
                                  return [executor](Batch<int, int> batch) {
                                    for (std::size_t i = 0; i < batch.size(); ++i) {
                                      batch.answer(i, static_cast<int>(executor));
                                    }
                                  };
                                }),
                                {.max_batch_size = 1, .executors = 2});
  batcher.pause();
  auto tickets = batcher.submit_many(Values{1, 2}, use_ticket);
  batcher.resume();
  runtime.settle();
  EXPECT_EQ(tickets[0].get() + tickets[1].get(), 1);
}

}  // namespace
