// SPDX-License-Identifier: MIT
// Google Benchmark's own main, but for three things: every row makes one iteration, and measures for
// as long as --benchmark_min_time says; the table has the columns that matter here; and a row that
// fails fails the program.

#include "support/measured_time.hpp"
#include "support/table_reporter.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  const std::string time_flag = "--benchmark_min_time=";
  const std::string format_flag = "--benchmark_format=";
  bool table = true;
  std::vector<char*> arguments;
  for (int i = 0; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with(time_flag)) {
      const std::chrono::duration<double> time(
          std::strtod(argument.c_str() + time_flag.size(), nullptr));
      benchmarks::measured_time = std::chrono::duration_cast<std::chrono::nanoseconds>(time);
    } else {
      arguments.push_back(argv[i]);
    }
    if (argument.starts_with(format_flag)) table = false;
  }
  std::string one_iteration = time_flag + "0.000001";
  arguments.push_back(one_iteration.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;

  benchmarks::TableReporter reporter;
  benchmark::RunSpecifiedBenchmarks(table ? &reporter : nullptr);
  benchmark::Shutdown();
  return reporter.failed() ? 1 : 0;
}
