// SPDX-License-Identifier: MIT
// Two inputs on which the model fails, in a batch of sixteen: without isolation all sixteen fail, with
// it these two alone.
//
// A pause fills the queue, so that all sixteen leave in one batch.

#include <batchwright/batchwright.hpp>

#include <cstdio>
#include <future>
#include <span>
#include <stdexcept>
#include <vector>

// The model refuses a whole batch for one bad input, as models do.
std::vector<double> predict(std::span<const double> inputs) {
  std::vector<double> results;
  for (const double input : inputs) {
    if (input < 0) throw std::domain_error("negative input");
    results.push_back(input * input);
  }
  return results;
}

// Runs one batch and prints a line. Returns how many of its requests were answered.
int serve(const char* name, batchwright::DynamicBatcher<double, double>& batcher) {
  batcher.pause();
  std::vector<std::future<double>> answers;
  for (int i = 0; i < 16; ++i) answers.push_back(batcher.submit(i == 3 || i == 12 ? -1.0 : i));
  batcher.resume();
  int answered = 0;
  int errors = 0;
  for (auto& answer : answers) {
    try {
      answer.get();
      ++answered;
    } catch (const std::domain_error&) {
      ++errors;
    }
  }
  std::printf("%-18s %8d %7d %11llu\n", name, answered, errors,
              static_cast<unsigned long long>(batcher.metrics().executions));
  return answered;
}

int main() {
  batchwright::DynamicBatcher<double, double> plain(predict);
  batchwright::DynamicBatcher<double, double> contained(batchwright::isolating(predict));

  std::printf("%-18s %8s %7s %11s\n", "", "answers", "errors", "executions");
  const int without = serve("without isolation", plain);
  const int with = serve("with isolation", contained);
  return without == 0 && with == 14 ? 0 : 1;
}
