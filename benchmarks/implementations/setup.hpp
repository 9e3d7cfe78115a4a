// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_SETUP_HPP
#define BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_SETUP_HPP

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

namespace benchmarks {

/// A model that costs next to nothing: what is measured is the batcher.
inline void twice(std::span<const int> inputs, std::span<int> outputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) outputs[i] = 2 * inputs[i];
}

/// What every implementation is made with. Each has
///
/// | expression                | meaning |
/// |---------------------------|---------|
/// | `Implementation(setup)`   | its threads run until its destructor |
/// | `i.produce(producer)`     | see Producer; called on several threads at once |
/// | `i.submit(x, deadline)`   | where answers come through handles: one with `get()` |
struct Setup {
  std::size_t max_batch = 32;
  std::chrono::nanoseconds window{0};  ///< For company, after the oldest came. 0: greedy.
  std::size_t executors = 0;           ///< Where the implementation has a choice.
  std::optional<std::chrono::nanoseconds> timer_slack = {};  ///< Likewise.
  void (*predict)(std::span<const int>, std::span<int>) = twice;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_IMPLEMENTATIONS_SETUP_HPP
