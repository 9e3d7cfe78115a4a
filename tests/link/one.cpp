// SPDX-License-Identifier: MIT
// One of two translation units that instantiate the same templates; two.cpp is the other.
#include <batchwright/batchwright.hpp>

#include <cstdio>
#include <span>
#include <vector>

int ask_in_the_other_unit(batchwright::DynamicBatcher<int, int>& batcher, int value);

int main() {
  batchwright::DynamicBatcher<int, int> batcher(
      [](std::span<const int> inputs) { return std::vector<int>(inputs.begin(), inputs.end()); });
  const bool right = batcher.submit(1).get() == 1 && ask_in_the_other_unit(batcher, 2) == 2;
  std::puts(right ? "two units share one library" : "a wrong answer");
  return right ? 0 : 1;
}
