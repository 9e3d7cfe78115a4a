// SPDX-License-Identifier: MIT
// The simulator's forecast against a batcher with threads: the model and the load generator of the
// digits example, open Poisson loads, one executor. What the simulator knows is measured before
// (calibration.hpp); of the run itself it is given the instants of the submissions alone.
//
//   batchwright_forecast [--seconds S] [--rounds N] [--window-us W] [--each]

#include "backend.hpp"
#include "calibration.hpp"
#include "digits_data.hpp"
#include "load_generator.hpp"
#include "measurement.hpp"

#include <batchwright/policies/any.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>
#include <batchwright/simulation/simulate.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright::simulation;
using batchwright::AnyPolicy;
using batchwright::Duration;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;
using batchwright::TimePoint;
using forecast::Calibration;

constexpr std::size_t kCap = 32;
constexpr double kLoads[] = {0.3, 0.5, 0.7, 0.8, 0.9};

struct Settings {
  double seconds = 0.3;  ///< Of each run.
  int rounds = 5;
  int window_us = 500;
  bool each = false;  ///< Prints every run.
};

/// The figures that are compared.
struct Figures {
  double throughput = 0;
  double p50 = 0;  // Milliseconds, as those below.
  double p99 = 0;
};

/// Of pairs of an arrival and its answer, by arrival.
class Latencies {
 public:
  void add(TimePoint arrived, TimePoint answered) {
    first_ = std::min(first_, arrived);
    last_ = std::max(last_, answered);
    all_.push_back(static_cast<double>((answered - arrived).count()) / 1e6);
  }

  Figures figures() {
    std::sort(all_.begin(), all_.end());
    const auto quantile = [&](double share) {
      const double rank = std::ceil(share * static_cast<double>(all_.size()));
      return all_.at(static_cast<std::size_t>(std::max(rank, 1.0)) - 1);
    };
    return {static_cast<double>(all_.size()) * 1e9 / static_cast<double>((last_ - first_).count()),
            quantile(0.5), quantile(0.99)};
  }

  void on_request(const EndedRequest& request) { add(request.arrived, request.answered); }

 private:
  TimePoint first_ = TimePoint::max();
  TimePoint last_ = TimePoint::min();
  std::vector<double> all_;
};

double median(std::vector<double> values) { return digits::median(std::move(values)); }

/// Over several runs, of one figure.
double typical(const std::vector<Figures>& runs, double Figures::*figure) {
  std::vector<double> values;
  for (const Figures& one : runs) values.push_back(one.*figure);
  return median(std::move(values));
}

/// The medians of several simulations, because where the pauses fall is chance.
Figures simulated(const std::vector<Duration>& instants, const AnyPolicy& policy,
                  const Service& service, const Machine& machine, std::uint64_t runs) {
  Simulation simulation{
      .arrivals = TraceArrivals{.instants = instants},
      .service = service,
      .machine = machine,
      .batcher = {.max_batch_size = kCap, .policy = policy, .executors = 1, .capacity = 1 << 20},
      .requests = instants.size(),
      .warm_up = 0};
  std::vector<Figures> all;
  for (simulation.seed = 1; simulation.seed <= runs; ++simulation.seed) {
    Latencies latencies;
    simulate(simulation, latencies);
    all.push_back(latencies.figures());
  }
  return {typical(all, &Figures::throughput), typical(all, &Figures::p50),
          typical(all, &Figures::p99)};
}

struct Cell {
  std::string name;
  AnyPolicy policy;
  double load = 0;
  std::vector<Figures> measured = {}, forecast = {}, curve_alone = {};  // By round.
};

/// How far apart the rounds are: half of them lie within that many parts of the median.
double spread(const std::vector<Figures>& rounds, double Figures::*figure) {
  const double middle = typical(rounds, figure);
  std::vector<double> off;
  for (const Figures& one : rounds) off.push_back(std::abs(one.*figure - middle) / middle);
  return median(off);
}

void run(const digits::Testbed& testbed, Cell& cell, const Calibration& calibration,
         const Settings& settings, std::uint64_t seed) {
  const double rate = cell.load * calibration.capacity;
  const digits::OpenLoopSample sample =
      digits::run_open_loop(testbed, rate, {.max_batch = kCap, .policy = cell.policy},
                            {.time = std::chrono::duration<double>(settings.seconds)}, seed);
  if (sample.sample.failures > 0 || sample.sample.mismatches > 0) {
    throw std::runtime_error("a request failed, or got another answer than without a batcher");
  }
  Latencies latencies;
  std::vector<Duration> instants;
  for (const digits::OpenLoopRequest& request : sample.requests) {
    latencies.add(request.submitted, request.answered);
    instants.push_back(request.submitted - sample.requests.front().submitted);
  }
  cell.measured.push_back(latencies.figures());
  cell.forecast.push_back(simulated(instants, cell.policy,
                                    {.curve = calibration.curve, .noise = calibration.noise},
                                    calibration.machine, 11));
  cell.curve_alone.push_back(simulated(instants, cell.policy, {.curve = calibration.curve}, {}, 1));
  if (settings.each) {
    const Figures& real = cell.measured.back();
    const Figures& said = cell.forecast.back();
    std::printf("%s %.1f: p50 %.3f forecast %.3f, p99 %.3f forecast %.3f, submitted late %.3f\n",
                cell.name.c_str(), cell.load, real.p50, said.p50, real.p99, said.p99,
                sample.lateness_p99_ms);
  }
}

void print(const std::vector<Cell>& cells) {
  std::printf(
      "| policy | load | requests/s | p50 ms | forecast | off | rounds | p99 ms | forecast | off | "
      "rounds | p50, p99 by the curve alone |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  int within[3] = {};
  for (const Cell& cell : cells) {
    const auto off = [&](double Figures::*figure) {
      return typical(cell.forecast, figure) / typical(cell.measured, figure) - 1;
    };
    const double errors[] = {off(&Figures::throughput), off(&Figures::p50), off(&Figures::p99)};
    const double goals[] = {0.05, 0.1, 0.2};
    for (int i = 0; i < 3; ++i) within[i] += std::abs(errors[i]) <= goals[i] ? 1 : 0;
    std::printf(
        "| %s | %.1f | %.0f (%+.1f %%) | %.3f | %.3f | %+.0f %% | %.0f %% | %.3f | %.3f | %+.0f %% "
        "| %.0f %% | %.3f, %.3f |\n",
        cell.name.c_str(), cell.load, typical(cell.measured, &Figures::throughput), 100 * errors[0],
        typical(cell.measured, &Figures::p50), typical(cell.forecast, &Figures::p50),
        100 * errors[1], 100 * spread(cell.measured, &Figures::p50),
        typical(cell.measured, &Figures::p99), typical(cell.forecast, &Figures::p99),
        100 * errors[2], 100 * spread(cell.measured, &Figures::p99),
        typical(cell.curve_alone, &Figures::p50), typical(cell.curve_alone, &Figures::p99));
  }
  std::printf("of %zu: throughput within 5 %% %d, p50 within 10 %% %d, p99 within 20 %% %d\n",
              cells.size(), within[0], within[1], within[2]);
}

void describe(const Calibration& calibration) {
  const auto at = [](const Delay& delay, double share) {
    std::vector<Duration> sample = delay.sample();
    if (sample.empty()) return 0.0;
    std::sort(sample.begin(), sample.end());
    const auto place = static_cast<std::size_t>(share * static_cast<double>(sample.size() - 1));
    return static_cast<double>(sample[place].count()) / 1e3;
  };
  const auto print = [&](const char* name, const Delay& delay) {
    std::printf("%s %.1f, %.1f, %.1f us; ", name, at(delay, 0.1), at(delay, 0.5), at(delay, 0.9));
  };
  const Machine& machine = calibration.machine;
  print("10th, 50th, 90th percentile: wake-up", machine.wake_up);
  print("lateness of a timer", machine.timer_lateness);
  print("hand-over", machine.hand_over);
  const auto mean = [](const auto& values, auto of) {
    double sum = 0;
    for (const auto& value : values) sum += of(value);
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
  };
  const auto us = [](Duration time) { return static_cast<double>(time.count()) / 1e3; };
  Duration computed{};
  for (const Pause& pause : machine.pauses) computed += pause.computed;
  std::printf(
      "%.1f us a batch and %.2f a request; batches took %.3f of the curve, and %.0f a second were "
      "interrupted for %.0f us in the mean; l(1) %.1f, l(32) %.1f us; capacity %.0f/s\n",
      us(machine.per_batch), us(machine.per_request),
      mean(calibration.noise.factors, [](double factor) { return factor; }),
      static_cast<double>(machine.pauses.size()) * 1e6 / std::max(us(computed), 1.0),
      mean(machine.pauses, [&](const Pause& pause) { return us(pause.length); }),
      us(calibration.curve(1)), us(calibration.curve(kCap)), calibration.capacity);
}

Settings parse(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (flag == "--seconds") {
      settings.seconds = std::strtod(value(), nullptr);
    } else if (flag == "--rounds") {
      settings.rounds = std::atoi(value());
    } else if (flag == "--window-us") {
      settings.window_us = std::atoi(value());
    } else if (flag == "--each") {
      settings.each = true;
    } else {
      std::fprintf(stderr, "unknown flag %s\n", argv[i]);
      std::exit(2);
    }
  }
  if (!(settings.seconds > 0) || settings.rounds < 1 || settings.window_us < 0) {
    std::fprintf(stderr, "--seconds and --rounds must be above 0, --window-us at least 0\n");
    std::exit(2);
  }
  return settings;
}

int run(const Settings& settings) {
  const std::filesystem::path data = DIGITS_DATA_DIR;
  digits::Testbed testbed{
      digits::make_packed_backend(digits::load_network(data / "digits_mlp.bin")),
      digits::load_images(data / "digits_images.bin"),
      {}};
  const digits::Predict predict = testbed.backend.make_predict();
  for (const digits::Image& image : testbed.test.images) {
    predict({&image, 1}, {&testbed.reference.emplace_back(), 1});
  }

  const Duration window = std::chrono::microseconds(settings.window_us);
  std::vector<Cell> cells;
  for (const double load : kLoads) {
    cells.push_back({.name = "greedy", .policy = GreedyPolicy{}, .load = load});
    cells.push_back(
        {.name = "hybrid", .policy = HybridPolicy{.size = 16, .max_wait = window}, .load = load});
  }
  std::uint64_t seed = 1;
  for (int round = 0; round < settings.rounds; ++round) {
    const Calibration calibration =
        forecast::calibrate(testbed, kCap, 2 * settings.seconds, window, seed++);
    describe(calibration);
    for (Cell& cell : cells) run(testbed, cell, calibration, settings, seed++);
  }
  print(cells);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = parse(argc, argv);
  try {
    return run(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
