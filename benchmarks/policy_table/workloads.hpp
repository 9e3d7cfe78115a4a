// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_WORKLOADS_HPP
#define BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_WORKLOADS_HPP

#include <batchwright/simulation/simulate.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace policy_table {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::Duration;

inline Duration milliseconds(double ms) { return Duration(std::llround(ms * 1e6)); }

/// A model, by its time for each size.
struct Model {
  std::string name;
  ServiceCurve curve;
  std::size_t cap = 32;

  double time(std::size_t size) const { return static_cast<double>(curve(size).count()) / 1e9; }
  /// Requests a second that an executor can take.
  double capacity() const { return static_cast<double>(cap) / time(cap); }
};

inline Model affine(std::string name, double per_item_ms, double fixed_ms, std::size_t cap = 32) {
  return {std::move(name), AffineCurve{milliseconds(per_item_ms), milliseconds(fixed_ms)}, cap};
}

/// The five models of the table. `unseen_models` are five others: no rule was made for them, but variants of
/// rules were compared on them too.
inline std::vector<Model> models() {
  return {affine("V100", 0.1438, 1.8874),
          affine("setup", 0.05, 5),
          affine("linear", 1, 0.1),
          affine("sym", 1, 5),
          {"MLP",
           TableCurve({{1, 120us}, {4, 130us}, {8, 150us}, {16, 200us}, {32, 310us}, {64, 560us}}),
           64}};
}

inline std::vector<Model> unseen_models() {
  return {
      affine("P4", 0.5833, 1.4284),
      affine("LLM", 0.8, 20, 16),
      affine("tiny", 0.002, 0.05, 64),
      {"steps",
       TableCurve({{1, 2ms}, {8, 2100us}, {9, 3500us}, {16, 3700us}, {17, 6ms}, {32, 6500us}}), 32},
      {"convex", TableCurve({{1, 1ms}, {4, 1500us}, {8, 2500us}, {16, 6ms}, {32, 16ms}}), 32}};
}

struct Workload {
  std::string family;
  std::string name;
  Model model;
  AnyArrivals arrivals;
  std::size_t executors = 1;
  std::size_t clients = 0;  ///< Of a closed loop.
};

/// Builds the list.
class Workloads {
 public:
  explicit Workloads(std::string trace) : trace_(std::move(trace)) {}

  std::vector<Workload> all(const std::vector<Model>& models, bool brief) {
    for (const Model& model : models) {
      const bool first = &model == &models.front();
      for (const std::size_t executors : {1u, 2u, 4u}) {
        poisson(model, executors, brief);
        clumps(model, executors);
        if (executors != 2 || first) bursts(model, executors);
        recorded(model, executors, first);
        closed(model, executors, brief);
      }
      regular(model);
      if (first || model.cap == 64) changing(model);
    }
    return std::move(list_);
  }

 private:
  static std::string prefix(std::size_t executors) { return executors == 1 ? "E1 " : "E2,4 "; }

  void add(const std::string& kind, const std::string& detail, const Model& model,
           std::size_t executors, AnyArrivals arrivals, std::size_t clients = 0) {
    list_.push_back({prefix(executors) + kind,
                     model.name + " E" + std::to_string(executors) + " " + kind + " " + detail,
                     model, std::move(arrivals), executors, clients});
  }

  static double rate(const Model& model, std::size_t executors, double load) {
    return load * model.capacity() * static_cast<double>(executors);
  }
  static std::string percent(double load) { return std::to_string(std::lround(load * 100)); }

  void poisson(const Model& model, std::size_t executors, bool brief) {
    for (const double load : {0.1, 0.3, 0.5, 0.7, 0.9}) {
      if (brief && (load == 0.1 || load == 0.5)) continue;
      if (executors > 1 && load == 0.9) continue;
      add("poisson", percent(load), model, executors,
          PoissonArrivals{.rate_hz = rate(model, executors, load)});
    }
  }

  void regular(const Model& model) {
    for (const double load : {0.3, 0.7}) {
      add("fixed", percent(load), model, 1,
          RegularArrivals{.rate_hz = rate(model, 1, load), .jitter = load > 0.5 ? 0.3 : 0});
    }
  }

  void clumps(const Model& model, std::size_t executors) {
    for (const double load : {0.3, 0.6}) {
      add("clumps", percent(load), model, executors,
          ClumpedArrivals{.rate_hz = rate(model, executors, load), .mean_clump = 4});
    }
  }

  void bursts(const Model& model, std::size_t executors) {
    const double ms = model.time(8) * 1e3;
    add("mmpp/on-off", "mmpp", model, executors,
        MmppArrivals{{{rate(model, executors, 0.2), milliseconds(60 * ms)},
                      {rate(model, executors, 0.95), milliseconds(20 * ms)}}});
    add("mmpp/on-off", "on-off", model, executors,
        MmppArrivals{
            {{rate(model, executors, 0.9), milliseconds(15 * ms)}, {0, milliseconds(30 * ms)}}});
  }

  void changing(const Model& model) {
    const double mean = rate(model, 1, 0.5);
    // Times in requests, so that short runs see them too.
    const auto after = [mean](double requests) { return milliseconds(requests / mean * 1e3); };
    add("step/spike/daily", "step", model, 1,
        step(rate(model, 1, 0.2), rate(model, 1, 0.8), after(2500)));
    add("step/spike/daily", "spike", model, 1,
        spike(rate(model, 1, 0.3), rate(model, 1, 1.3), after(3000), after(600)));
    add("step/spike/daily", "daily", model, 1, daily_curve(mean, 0.8, after(4000)));
  }

  void recorded(const Model& model, std::size_t executors, bool first) {
    if (trace_.empty() || (executors == 2 && !first)) return;
    TraceArrivals arrivals{.instants = read_trace(trace_), .end = TraceEnd::repeat};
    const Duration length = arrivals.instants.back() - arrivals.instants.front();
    const double given =
        static_cast<double>(arrivals.instants.size()) * 1e9 / static_cast<double>(length.count());
    arrivals.speed_up = rate(model, executors, 0.4) / given;
    add("trace", "40", model, executors, arrivals);
  }

  void closed(const Model& model, std::size_t executors, bool brief) {
    struct Think {
      double part;
      ThinkTime time;
      const char* name;
    };
    for (const std::size_t clients : {4u, 16u, 64u}) {
      if (executors > 1 && clients == 4) continue;
      if (executors == 2 && clients == 64) continue;
      for (const Think& think :
           {Think{0, ThinkTime::fixed, "0"}, Think{0.1, ThinkTime::exponential, "0.1"},
            Think{0.5, ThinkTime::exponential, "0.5"}, Think{1, ThinkTime::fixed, "1 fixed"},
            Think{3, ThinkTime::exponential, "3"}}) {
        if (brief && (think.part == 0.1 || think.part == 3) && clients != 16) continue;
        const double ms = think.part * model.time(std::min(clients, model.cap)) * 1e3;
        add("closed", std::to_string(clients) + " think " + think.name, model, executors,
            ClosedLoopArrivals{
                .clients = clients, .mean_think = milliseconds(ms), .think_time = think.time},
            clients);
      }
    }
  }

  std::string trace_;
  std::vector<Workload> list_;
};

}  // namespace policy_table

#endif  // BATCHWRIGHT_BENCHMARKS_POLICY_TABLE_WORKLOADS_HPP
