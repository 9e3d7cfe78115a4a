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
// Others than those that are compared.
constexpr double kCalibrated[] = {0.4, 0.6, 0.85};
constexpr std::uint64_t kAnotherSeed = 1'000'000;  // Of a cell's second run, after the first one's.

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
  std::vector<Figures> measured = {}, again = {}, forecast = {}, curve_alone = {};  // By round.
};

digits::OpenLoopSample measure(const digits::Testbed& testbed, const Cell& cell, double capacity,
                               double seconds, std::uint64_t seed) {
  digits::OpenLoopSample sample = digits::run_open_loop(
      testbed, cell.load * capacity, {.max_batch = kCap, .policy = cell.policy},
      {.time = std::chrono::duration<double>(seconds)}, seed);
  if (sample.sample.failures > 0 || sample.sample.mismatches > 0) {
    throw std::runtime_error("a request failed, or got another answer than without a batcher");
  }
  return sample;
}

Figures figures_of(const digits::OpenLoopSample& sample) {
  Latencies latencies;
  for (const digits::OpenLoopRequest& request : sample.requests) {
    latencies.add(request.submitted, request.answered);
  }
  return latencies.figures();
}

void run(const digits::Testbed& testbed, Cell& cell, const Calibration& calibration,
         const Settings& settings, std::uint64_t seed) {
  const digits::OpenLoopSample sample =
      measure(testbed, cell, calibration.capacity, settings.seconds, seed);
  std::vector<Duration> instants;
  for (const digits::OpenLoopRequest& request : sample.requests) {
    instants.push_back(request.submitted - sample.requests.front().submitted);
  }
  const Calibration::Point& point = calibration.at(cell.load);
  cell.measured.push_back(figures_of(sample));
  cell.forecast.push_back(simulated(instants, cell.policy,
                                    {.curve = calibration.curve, .noise = point.noise},
                                    point.machine, 11));
  cell.curve_alone.push_back(simulated(instants, cell.policy, {.curve = calibration.curve}, {}, 1));
  cell.again.push_back(figures_of(
      measure(testbed, cell, calibration.capacity, settings.seconds, seed + kAnotherSeed)));
  if (settings.each) {
    const Figures& real = cell.measured.back();
    const Figures& said = cell.forecast.back();
    std::printf(
        "%s %.1f: p50 %.3f again %.3f forecast %.3f, p99 %.3f again %.3f forecast %.3f, submitted "
        "late %.3f\n",
        cell.name.c_str(), cell.load, real.p50, cell.again.back().p50, said.p50, real.p99,
        cell.again.back().p99, said.p99, sample.lateness_p99_ms);
  }
}

void print(const std::vector<Cell>& cells) {
  std::printf(
      "| policy | load | requests/s | p50 ms | another run | forecast | p99 ms | another run | "
      "forecast | p50, p99 by the curve alone |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  int within[3] = {}, again_within[3] = {};
  for (const Cell& cell : cells) {
    const auto off = [&](const std::vector<Figures>& runs, double Figures::*figure) {
      return typical(runs, figure) / typical(cell.measured, figure) - 1;
    };
    constexpr double Figures::*kFigures[] = {&Figures::throughput, &Figures::p50, &Figures::p99};
    constexpr double kGoals[] = {0.05, 0.1, 0.2};
    for (int i = 0; i < 3; ++i) {
      within[i] += std::abs(off(cell.forecast, kFigures[i])) <= kGoals[i] ? 1 : 0;
      again_within[i] += std::abs(off(cell.again, kFigures[i])) <= kGoals[i] ? 1 : 0;
    }
    const auto three = [&](double Figures::*figure) {
      std::printf("%.3f | %.3f (%+.0f %%) | %.3f (%+.0f %%) | ", typical(cell.measured, figure),
                  typical(cell.again, figure), 100 * off(cell.again, figure),
                  typical(cell.forecast, figure), 100 * off(cell.forecast, figure));
    };
    std::printf("| %s | %.1f | %.0f (%+.1f %%) | ", cell.name.c_str(), cell.load,
                typical(cell.measured, &Figures::throughput),
                100 * off(cell.forecast, &Figures::throughput));
    three(&Figures::p50);
    three(&Figures::p99);
    std::printf("%.3f, %.3f |\n", typical(cell.curve_alone, &Figures::p50),
                typical(cell.curve_alone, &Figures::p99));
  }
  const auto sum = [&](const char* of, const int(&count)[3]) {
    std::printf("%s, of %zu: throughput within 5 %% %d, p50 within 10 %% %d, p99 within 20 %% %d\n",
                of, cells.size(), count[0], count[1], count[2]);
  };
  sum("forecast", within);
  sum("another run", again_within);
}

double us(Duration time) { return static_cast<double>(time.count()) / 1e3; }

/// A line of what was measured at one load.
void describe(const Calibration::Point& point) {
  const auto print = [](const char* name, const Delay& delay) {
    std::vector<Duration> sample = delay.sample();
    std::sort(sample.begin(), sample.end());
    const auto at = [&](double share) {
      if (sample.empty()) return 0.0;
      return us(sample[static_cast<std::size_t>(share * static_cast<double>(sample.size() - 1))]);
    };
    std::printf("%s %.1f, %.1f, %.1f, %.1f us; ", name, at(0.1), at(0.5), at(0.9), at(0.99));
  };
  const Machine& machine = point.machine;
  std::printf("load %.2f: 10th, 50th, 90th, 99th percentile: ", point.load);
  print("wake-up", machine.wake_up);
  print("lateness of a timer", machine.timer_lateness);
  print("hand-over", machine.hand_over);
  double factors = 0;
  for (const double factor : point.noise.factors) factors += factor;
  Duration computed{}, paused{};
  for (const Pause& pause : machine.pauses) {
    computed += pause.computed;
    paused += pause.length;
  }
  const auto pauses = static_cast<double>(machine.pauses.size());
  std::printf(
      "batches took %.3f of the curve; %.0f pauses a second of computing, %.0f us in the mean, "
      "%.2f %% of it\n",
      factors / static_cast<double>(std::max<std::size_t>(point.noise.factors.size(), 1)),
      pauses * 1e6 / std::max(us(computed), 1.0), us(paused) / std::max(pauses, 1.0),
      100 * us(paused) / std::max(us(computed), 1.0));
}

void describe(const Calibration& calibration) {
  const Machine& machine = calibration.points.front().machine;
  std::printf(
      "capacity %.0f/s; l(1) %.1f, l(16) %.1f, l(32) %.1f us; own work %.1f us a batch and %.2f a "
      "request\n",
      calibration.capacity, us(calibration.curve(1)), us(calibration.curve(16)),
      us(calibration.curve(32)), us(machine.per_batch), us(machine.per_request));
  for (const Calibration::Point& point : calibration.points) describe(point);
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
        forecast::calibrate(testbed, kCap, settings.seconds, kCalibrated, window, seed);
    seed += 2 * std::size(kCalibrated);
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
