// SPDX-License-Identifier: MIT
// How many batches AutoPolicy has in flight where the predictor is asynchronous: mean latency in the
// simulator by `max_in_flight`, on devices that compute one batch after the other, and on such as compute
// several at once. Which it is it has to find out.
//
//   batchwright_in_flight [--requests N] [--seeds N] [--executors N]

#include "workloads.hpp"

#include <batchwright/policies/auto.hpp>
#include <batchwright/policies/greedy.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

using namespace policy_table;

struct Settings {
  std::uint64_t requests = 15'000;
  std::uint64_t seeds = 3;
  std::size_t executors = 1;
};

struct Device {
  const char* name;
  std::size_t streams = 1;
  double gap = 0;  ///< The hand-over, as a part of the time of a batch of one.
};

constexpr std::array<std::size_t, 3> kInFlight = {1, 2, 4};  // For each executor.

template <class Policy>
double mean_ms(const Model& model, const Device& device, double load, std::size_t in_flight,
               const Settings& settings) {
  // What a device can take whose batches are the largest, and follow each other at once.
  const auto streams = static_cast<double>(device.streams * settings.executors);
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= settings.seeds; ++seed) {
    sum += simulate(BasicSimulation<Policy>{
                        .arrivals = PoissonArrivals{.rate_hz = load * streams * model.capacity()},
                        .service = {.curve = model.curve,
                                    .noise = LognormalNoise{.sigma = 0.1},
                                    .predictor = PredictorKind::asynchronous,
                                    .streams = device.streams},
                        .machine = {.hand_over = milliseconds(device.gap * model.time(1) * 1e3)},
                        .batcher = {.max_batch_size = model.cap,
                                    .executors = settings.executors,
                                    .max_in_flight = in_flight * settings.executors,
                                    .capacity = 1 << 20,
                                    .max_wait = 100s},
                        .requests = settings.requests,
                        .seed = seed})
               .latency.mean_ns;
  }
  return sum / static_cast<double>(settings.seeds) / 1e6;
}

void compare(const Settings& settings) {
  using batchwright::AutoPolicy;
  using batchwright::GreedyPolicy;
  std::printf(
      "| device | curve | load | Auto, 1 in flight | 2 | 4 | greedy, 1 | 2 | 4 |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  const std::vector<Model> all = models();
  for (const Device& device : {Device{"one after the other"}, Device{"the same, a gap", 1, 0.2},
                               Device{"two at once", 2}, Device{"four at once", 4}}) {
    for (const Model& model : {all[0], all[1], all[2]}) {
      for (const double load : {0.3, 0.7, 0.9}) {
        std::printf("| %s | %s | %.1f |", device.name, model.name.c_str(), load);
        for (const std::size_t in_flight : kInFlight) {
          std::printf(" %.4g |", mean_ms<AutoPolicy>(model, device, load, in_flight, settings));
        }
        for (const std::size_t in_flight : kInFlight) {
          std::printf(" %.4g |", mean_ms<GreedyPolicy>(model, device, load, in_flight, settings));
        }
        std::printf("\n");
        std::fflush(stdout);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--requests") settings.requests = value;
    if (name == "--seeds") settings.seeds = value;
    if (name == "--executors") settings.executors = value;
  }
  compare(settings);
}
