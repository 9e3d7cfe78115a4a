// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace digits {
namespace {

void print_row(std::FILE* out, const std::string& name, const Figures& figures) {
  std::fprintf(out, "  %-34s %10.0f %9.3f %9.3f %9.3f\n", name.c_str(), figures.requests_per_second,
               figures.p50_ms, figures.p95_ms, figures.p99_ms);
}

void print_head(std::FILE* out, const char* title) {
  std::fprintf(out, "\n%-36s %10s %9s %9s %9s\n", title, "requests/s", "p50 ms", "p95 ms",
               "p99 ms");
}

/// One bar a size, or a range of sizes where there are too many of them.
void print_batch_sizes(std::FILE* out, const std::vector<std::uint64_t>& batches_by_size) {
  constexpr std::size_t kMaxBars = 16;
  constexpr double kBarWidth = 50.0;
  struct Bar {
    std::size_t low;
    std::size_t high;
    std::uint64_t batches;
  };
  const auto used = static_cast<std::size_t>(
      std::count_if(batches_by_size.begin(), batches_by_size.end(), [](auto n) { return n > 0; }));
  const std::size_t sizes = batches_by_size.size() - 1;
  const std::size_t range = used <= kMaxBars ? 1 : (sizes + kMaxBars - 1) / kMaxBars;
  std::vector<Bar> bars;
  std::uint64_t all = 0;
  // Ranges end at the cap, so that full batches share theirs with as few others as possible.
  for (std::size_t high = sizes; high > 0; high -= std::min(high, range)) {
    Bar bar{high > range ? high - range + 1 : 1, high, 0};
    for (std::size_t size = bar.low; size <= bar.high; ++size) bar.batches += batches_by_size[size];
    all += bar.batches;
    if (bar.batches > 0) bars.push_back(bar);
  }
  std::reverse(bars.begin(), bars.end());
  for (const Bar& bar : bars) {
    const double share = static_cast<double>(bar.batches) / static_cast<double>(all);
    const std::string label = bar.low == bar.high
                                  ? std::to_string(bar.high)
                                  : std::to_string(bar.low) + "-" + std::to_string(bar.high);
    const auto length = static_cast<std::size_t>(std::ceil(share * kBarWidth));
    std::fprintf(out, "  %9s %6.1f %%  %s\n", label.c_str(), 100.0 * share,
                 std::string(length, '#').c_str());
  }
}

/// Writes "key": value pairs with their commas.
class JsonObject {
 public:
  explicit JsonObject(std::FILE* out) : out_(out) {}

  void add(const std::string& key, double value) {
    // JSON has no infinity and no NaN.
    if (!std::isfinite(value)) return add_raw(key, "null");
    char text[32];
    std::snprintf(text, sizeof(text), "%.9g", value);
    add_raw(key, text);
  }
  void add(const std::string& key, std::uint64_t value) { add_raw(key, std::to_string(value)); }
  void add(const std::string& key, const std::string& plain_text) {
    add_raw(key, '"' + plain_text + '"');
  }
  void add_raw(const std::string& key, const std::string& value) {
    std::fprintf(out_, "%s\n  \"%s\": %s", first_ ? "{" : ",", key.c_str(), value.c_str());
    first_ = false;
  }
  void close() { std::fprintf(out_, "\n}\n"); }

 private:
  std::FILE* out_;
  bool first_ = true;
};

}  // namespace

void print_report(std::FILE* out, const Testbed& testbed, const Plan& plan,
                  const Findings& findings) {
  std::fprintf(out,
               "Handwritten digits, %zu images, %s, %zu cores\n"
               "clients: %zu, each with %zu requests outstanding; executors: %zu; medians of %zu "
               "rounds\n",
               testbed.test.images.size(), testbed.backend.description.c_str(), plan.cores,
               plan.load.clients, plan.load.window, plan.serving.executors, plan.rounds);

  print_head(out, "Throughput");
  print_row(out, "batcher, cap 1 (unbatched)", findings.unbatched);
  print_row(out,
            "no batcher, " + std::to_string(findings.best_threads) +
                (findings.best_threads == 1 ? " thread" : " threads") + " (best)",
            findings.best_unbatched);
  print_row(out, "batcher, cap " + std::to_string(plan.serving.max_batch) + " (batched)",
            findings.batched);
  if (plan.serving.executors != plan.cores) {
    print_row(out, "  with " + std::to_string(plan.cores) + " executors, one a core",
              findings.batched_everywhere);
  }
  std::fprintf(out,
               "  gain %.2f over unbatched, %.2f over the best without a batcher; mean batch %.1f\n"
               "  the same batches back to back, no batcher: %.0f requests/s; efficiency %.3f,\n"
               "  overhead %.0f ns a request\n",
               findings.gain(), findings.gain_over_best(), findings.mean_batch(),
               findings.replay_rps, findings.efficiency(), findings.overhead_ns_per_request());

  const SingleClient& single = findings.single;
  std::fprintf(out,
               "\nOne client, one request at a time, p50 ms\n"
               "  plain call %.3f, unbatched %.3f, batched %.3f; two bare wake-ups %.3f\n",
               single.direct_p50_ms, single.unbatched_p50_ms, single.batched_p50_ms,
               single.two_wake_ups_ms);

  print_head(out, "Open loop (Poisson arrivals)");
  for (const OpenLoopFigures& open : findings.open_loops) {
    char name[64];
    std::snprintf(name, sizeof(name), "%.0f %% of capacity: %.0f/s", 100.0 * open.share,
                  open.offered_rps);
    print_row(out, name, open.figures);
    if (!open.generator_kept_up()) {
      std::fprintf(out,
                   "    the generator could not keep the rate: 1 %% of its requests came more than "
                   "%.1f ms late\n",
                   open.lateness_p99_ms);
    }
  }

  std::fprintf(out, "\nBatch sizes, share of batches\n");
  print_batch_sizes(out, findings.batches_by_size);

  std::fprintf(out, "\nAccuracy %.2f %%; %llu answers, %llu differ from the unbatched ones",
               100.0 * findings.accuracy, static_cast<unsigned long long>(findings.answers),
               static_cast<unsigned long long>(findings.mismatches));
  if (findings.failures > 0) {
    std::fprintf(out, ", %llu requests failed", static_cast<unsigned long long>(findings.failures));
  }
  std::fprintf(out, "\n");
}

void write_json(std::FILE* out, const Testbed& testbed, const Plan& plan,
                const Findings& findings) {
  JsonObject json(out);
  json.add("backend", testbed.backend.description);
  json.add("cores", std::uint64_t{plan.cores});
  json.add("clients", std::uint64_t{plan.load.clients});
  json.add("window", std::uint64_t{plan.load.window});
  json.add("max_batch", std::uint64_t{plan.serving.max_batch});
  json.add("executors", std::uint64_t{plan.serving.executors});
  json.add("rounds", std::uint64_t{plan.rounds});
  json.add("unbatched_rps", findings.unbatched.requests_per_second);
  json.add("best_unbatched_rps", findings.best_unbatched.requests_per_second);
  json.add("best_unbatched_threads", std::uint64_t{findings.best_threads});
  json.add("batched_rps", findings.batched.requests_per_second);
  json.add("batched_executor_per_core_rps", findings.batched_everywhere.requests_per_second);
  json.add("gain", findings.gain());
  json.add("gain_over_best", findings.gain_over_best());
  json.add("mean_batch", findings.mean_batch());
  json.add("replay_rps", findings.replay_rps);
  json.add("efficiency", findings.efficiency());
  json.add("overhead_ns_per_request", findings.overhead_ns_per_request());
  json.add("accuracy", findings.accuracy);
  json.add("answers", findings.answers);
  json.add("mismatches", findings.mismatches);
  json.add("failures", findings.failures);
  json.add("p50_ms", findings.batched.p50_ms);
  json.add("p95_ms", findings.batched.p95_ms);
  json.add("p99_ms", findings.batched.p99_ms);
  json.add("unbatched_p50_ms", findings.unbatched.p50_ms);
  json.add("unbatched_p99_ms", findings.unbatched.p99_ms);
  json.add("single_direct_p50_ms", findings.single.direct_p50_ms);
  json.add("single_unbatched_p50_ms", findings.single.unbatched_p50_ms);
  json.add("single_batched_p50_ms", findings.single.batched_p50_ms);
  json.add("two_wake_ups_ms", findings.single.two_wake_ups_ms);
  for (const OpenLoopFigures& open : findings.open_loops) {
    const std::string prefix = "open_" + std::to_string(std::lround(100.0 * open.share)) + "_";
    json.add(prefix + "offered_rps", open.offered_rps);
    json.add(prefix + "rps", open.figures.requests_per_second);
    json.add(prefix + "p50_ms", open.figures.p50_ms);
    json.add(prefix + "p95_ms", open.figures.p95_ms);
    json.add(prefix + "p99_ms", open.figures.p99_ms);
    json.add_raw(prefix + "generator_kept_up", open.generator_kept_up() ? "true" : "false");
  }
  std::string sizes = "[";
  for (std::size_t size = 1; size < findings.batches_by_size.size(); ++size) {
    sizes += (size > 1 ? ", " : "") + std::to_string(findings.batches_by_size[size]);
  }
  json.add_raw("batches_by_size_from_1", sizes + "]");
  json.close();
}

}  // namespace digits
