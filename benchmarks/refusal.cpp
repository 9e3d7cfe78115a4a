// SPDX-License-Identifier: MIT
// What it costs to be refused by a full queue, a million times in a row.

#include "implementations/setup.hpp"
#include "support/meter.hpp"

#include <batchwright/batchwright.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace {

using namespace benchmarks;
using batchwright::Outcome;
using batchwright::use_ticket;

using Batcher = batchwright::DynamicBatcher<int, int>;

constexpr int kRefusals = 1'000'000;

/// `refused(batcher)` submits and says whether it was refused.
template <class Refused>
void refusal(benchmark::State& state, Refused refused) {
  for (auto _ : state) {
    Batcher batcher(twice, {.executors = 0, .capacity = 16});
    batcher.pause();
    std::vector<Batcher::TicketType> queued;
    for (int i = 0; i < 16; ++i) queued.push_back(batcher.submit(i, use_ticket));
    int accepted = 0;
    for (int i = 0; i < 1000; ++i) accepted += refused(batcher) ? 0 : 1;
    Meter meter;
    for (int i = 0; i < kRefusals; ++i) accepted += refused(batcher) ? 0 : 1;
    meter.stop();
    batcher.resume();
    for (int i = 0; i < 16; ++i) {
      if (queued[static_cast<std::size_t>(i)].get() != 2 * i) accepted += kRefusals;
    }
    if (accepted != 0) {
      state.SkipWithError("a full queue took a request, or lost one");
      return;
    }
    meter.report(state, kRefusals);
  }
}

template <class Refused>
void add(const char* name, Refused refused) {
  benchmark::RegisterBenchmark(name, refusal<Refused>, refused);
}

const auto ignore = [](batchwright::Result<int>) {};

[[maybe_unused]] const bool kAdded = [] {
  add("Refusal/try_submit", [](Batcher& b) { return !b.try_submit(1); });
  add("Refusal/callback", [](Batcher& b) { return !b.submit(1, ignore); });
  add("Refusal/ticket",
      [](Batcher& b) { return b.submit(1, use_ticket).result().outcome() == Outcome::queue_full; });
  add("Refusal/future", [](Batcher& b) { return b.submit(1).valid(); });
  return true;
}();

}  // namespace
