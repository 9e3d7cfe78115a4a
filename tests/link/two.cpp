// SPDX-License-Identifier: MIT
#include <batchwright/batchwright.hpp>

int ask_in_the_other_unit(batchwright::DynamicBatcher<int, int>& batcher, int value);

int ask_in_the_other_unit(batchwright::DynamicBatcher<int, int>& batcher, int value) {
  return batcher.submit(value).get();
}
