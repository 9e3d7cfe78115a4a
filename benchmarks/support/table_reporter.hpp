// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_TABLE_REPORTER_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_TABLE_REPORTER_HPP

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace benchmarks {

/// Prints what most rows have in columns, and the rest behind them by name.
class TableReporter : public benchmark::ConsoleReporter {
 public:
  TableReporter() : ConsoleReporter(OO_None) {}

  /// Whether a row ended with an error.
  bool failed() const { return failed_; }

  bool ReportContext(const Context& context) override {
    width_ = std::max<std::size_t>(context.name_field_width, 40);
    std::printf("%-*s", static_cast<int>(width_), "row");
    for (const Column& column : columns()) std::printf(" %10s", column.title);
    std::printf("\n");
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.counters.empty()) {  // An error: every row that has none counts something.
        failed_ = true;
        PrintRunData(run);
      } else {
        print(run);
      }
    }
    std::fflush(stdout);
  }

 private:
  struct Column {
    const char* title;
    const char* counter;
    double scale;
  };
  static const std::vector<Column>& columns() {
    static const std::vector<Column> kColumns{{"1000/s", "items_per_second", 1e-3},
                                              {"ns", "ns_per_request", 1},
                                              {"CPU ns", "cpu_ns_per_request", 1},
                                              {"allocs", "allocs_per_request", 1},
                                              {"p50 us", "p50_us", 1},
                                              {"p99 us", "p99_us", 1}};
    return kColumns;
  }

  void print(const Run& run) {
    std::printf("%-*s", static_cast<int>(width_), run.benchmark_name().c_str());
    for (const Column& column : columns()) {
      const auto found = run.counters.find(column.counter);
      if (found == run.counters.end()) {
        std::printf(" %10s", "");
      } else {
        std::printf(" %10.2f", found->second.value * column.scale);
      }
    }
    for (const auto& [name, counter] : run.counters) {
      const auto same = [&name = name](const Column& column) { return name == column.counter; };
      if (std::any_of(columns().begin(), columns().end(), same)) continue;
      std::printf("  %s %.4g", name.c_str(), counter.value);
    }
    std::printf("\n");
  }

  std::size_t width_ = 40;
  bool failed_ = false;
};

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_TABLE_REPORTER_HPP
