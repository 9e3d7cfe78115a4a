// SPDX-License-Identifier: MIT
// What AutoPolicy reaches in the simulator against the best setting of a fixed policy, which is picked
// with hindsight for each workload and seed; and beside it what the field's policies reach. With an
// objective, `--goodput`: against every other policy, each with the setting that is best by hindsight.
//
//   batchwright_policy_table [--requests N] [--seeds N] [--first-seed N] [--trace FILE] [--unseen] [--cells]
//       [--baseline FILE] [--only TEXT] [--brief] [--optimum] [--goodput]
//       [--goodput-optimum]

#include "../../tests/support/optimal_rule.hpp"
#include "contenders.hpp"
#include "goodput.hpp"
#include "goodput_optimum.hpp"
#include "workloads.hpp"

#include <batchwright/policies/auto.hpp>
#include <batchwright/policies/greedy.hpp>
#include <batchwright/policies/hybrid.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string_view>
#include <vector>

namespace {

using namespace policy_table;
using batchwright::AutoPolicy;
using batchwright::GreedyPolicy;
using batchwright::HybridPolicy;

struct Settings {
  std::uint64_t requests = 15'000;
  std::uint64_t seeds = 3;
  std::uint64_t first_seed = 1;  ///< Of the workloads.
  std::string trace;
  std::string baseline;
  std::string only;
  bool unseen = false;
  bool cells = false;
  bool brief = false;
  bool optimum = false;
  bool goodput = false;
  bool goodput_optimum = false;

  std::vector<std::uint64_t> workload_seeds() const {
    std::vector<std::uint64_t> all(seeds);
    std::iota(all.begin(), all.end(), first_seed);
    return all;
  }
};

struct Figures {
  double mean = 0;
  double p99 = 0;
};

template <class Policy>
SimulationResult run(const Workload& workload, Policy policy, std::uint64_t requests,
                     std::uint64_t seed) {
  return simulate(BasicSimulation<Policy>{
      .arrivals = workload.arrivals,
      .service = {.curve = workload.model.curve, .noise = LognormalNoise{.sigma = 0.1}},
      .batcher = {.max_batch_size = workload.model.cap,
                  .policy = std::move(policy),
                  .executors = workload.executors,
                  .capacity = 1 << 20,
                  .max_wait = 100s},
      .requests = requests,
      .seed = seed});
}

Figures figures(const SimulationResult& result) {
  return {result.latency.mean_ns, static_cast<double>(result.latency.p99.count())};
}

/// Sizes and windows of which one is the best for about anything.
std::vector<HybridPolicy> grid(const Workload& workload) {
  std::vector<HybridPolicy> settings;
  const std::size_t cap = workload.model.cap;
  const auto window = [&](double part) {
    return milliseconds(part * workload.model.time(1) * 1e3);
  };
  for (std::size_t size : {1u, 2u, 3u, 4u, 6u, 8u, 12u, 16u, 24u, 32u, 48u, 64u}) {
    if (size > cap) continue;
    for (const double part : {0.0, 0.1, 0.25, 0.5, 1.0, 2.0}) {
      settings.push_back({.size = size, .max_wait = window(part)});
    }
  }
  if (workload.clients > 0) {
    const std::size_t share = (workload.clients + workload.executors - 1) / workload.executors;
    for (const double part : {1.0, 0.9, 0.75, 0.6, 0.5}) {
      const auto size = static_cast<std::size_t>(std::ceil(part * static_cast<double>(share)));
      for (const double wait : {0.5, 2.0, 20.0}) {
        settings.push_back(
            {.size = std::clamp<std::size_t>(size, 1, cap), .max_wait = window(wait)});
      }
    }
  }
  return settings;
}

/// The best of each figure, by hindsight, and what greedy gives.
struct Baseline {
  Figures best{1e300, 1e300};
  Figures greedy;
  std::string setting;  ///< Of the best mean.
};

Baseline baseline_of(const Workload& workload, std::uint64_t requests, std::uint64_t seed) {
  Baseline baseline;
  baseline.greedy = figures(run(workload, GreedyPolicy{}, requests, seed));
  baseline.best = baseline.greedy;
  baseline.setting = "greedy";
  for (const HybridPolicy& policy : grid(workload)) {
    const Figures one = figures(run(workload, policy, requests, seed));
    if (one.mean < baseline.best.mean) {
      baseline.best.mean = one.mean;
      std::ostringstream text;
      text << policy.size << '/' << static_cast<double>(policy.max_wait.count()) / 1e6 << "ms";
      baseline.setting = text.str();
    }
    baseline.best.p99 = std::min(baseline.best.p99, one.p99);
  }
  return baseline;
}

/// Keeps what the fixed settings gave, if asked in a file, because that takes nearly all the time.
class Baselines {
 public:
  explicit Baselines(std::string path) : path_(std::move(path)) {
    std::ifstream file(path_);
    std::string line;
    while (std::getline(file, line)) {
      const std::size_t bar = line.find('|');
      std::istringstream rest(line.substr(bar + 1));
      Baseline& one = kept_[line.substr(0, bar)];
      rest >> one.best.mean >> one.best.p99 >> one.greedy.mean >> one.greedy.p99 >> one.setting;
    }
  }

  Baseline of(const Workload& workload, std::uint64_t requests, std::uint64_t seed) {
    const std::string key =
        workload.name + " " + std::to_string(requests) + " " + std::to_string(seed);
    if (const auto found = kept_.find(key); found != kept_.end()) return found->second;
    const Baseline one = kept_[key] = baseline_of(workload, requests, seed);
    if (!path_.empty()) {
      std::ofstream file(path_, std::ios::app);
      file.precision(12);
      file << key << '|' << one.best.mean << ' ' << one.best.p99 << ' ' << one.greedy.mean << ' '
           << one.greedy.p99 << ' ' << one.setting << '\n';
    }
    return one;
  }

 private:
  std::string path_;
  std::map<std::string, Baseline> kept_;
};

/// Ratios to the best, of one family or all.
struct Row {
  int cells = 0;
  int within = 0;  ///< 3 % of the best mean.
  double worst = 0;
  double greedy_mean = 0, auto_mean = 0, greedy_p99 = 0, auto_p99 = 0;  // Sums of logarithms.
  double worst_to_greedy = 0;

  void add(const Row& cell) {
    cells += cell.cells;
    within += cell.within;
    worst = std::max(worst, cell.worst);
    worst_to_greedy = std::max(worst_to_greedy, cell.worst_to_greedy);
    greedy_mean += cell.greedy_mean;
    auto_mean += cell.auto_mean;
    greedy_p99 += cell.greedy_p99;
    auto_p99 += cell.auto_p99;
  }

  void print(const std::string& name) const {
    const auto mean = [this](double sum) { return std::exp(sum / cells); };
    std::printf("| %s | %d | %.3f | %.3f | %.3f | %d | %.3f | %.3f | %.3f |\n", name.c_str(), cells,
                mean(greedy_mean), mean(auto_mean), worst, within, worst_to_greedy,
                mean(greedy_p99), mean(auto_p99));
  }
};

Row evaluate(const Workload& workload, Baselines& baselines, const Settings& settings) {
  Row row{.cells = 1};
  std::string setting;
  std::string releases;
  for (const std::uint64_t seed : settings.workload_seeds()) {
    const Baseline baseline = baselines.of(workload, settings.requests, seed);
    const SimulationResult result = run(workload, AutoPolicy{}, settings.requests, seed);
    const Figures mine = figures(result);
    const auto part = 1 / static_cast<double>(settings.seeds);
    row.greedy_mean += part * std::log(baseline.greedy.mean / baseline.best.mean);
    row.auto_mean += part * std::log(mine.mean / baseline.best.mean);
    row.greedy_p99 += part * std::log(baseline.greedy.p99 / baseline.best.p99);
    row.auto_p99 += part * std::log(mine.p99 / baseline.best.p99);
    setting = baseline.setting;
    if (seed == settings.first_seed) {
      for (const std::uint64_t count : result.releases)
        releases.append(" ").append(std::to_string(count));
    }
  }
  row.worst = std::exp(row.auto_mean);
  row.within = row.worst <= 1.03 ? 1 : 0;
  row.worst_to_greedy = std::exp(row.auto_mean - row.greedy_mean);
  if (settings.cells) {
    std::printf("%-34s greedy %.3f auto %.3f p99 greedy %.3f auto %.3f best %s releases%s\n",
                workload.name.c_str(), std::exp(row.greedy_mean), row.worst,
                std::exp(row.greedy_p99), std::exp(row.auto_p99), setting.c_str(),
                releases.c_str());
  }
  return row;
}

/// The field's policies, in the order of `contenders`.
class Field {
 public:
  void evaluate(const Workload& workload, Baselines& baselines, const Settings& settings) {
    const std::vector<Contender> all = contenders(workload.model);
    standings_.resize(all.size());
    const auto part = 1 / static_cast<double>(settings.seeds);
    for (std::size_t i = 0; i < all.size(); ++i) {
      double mean = 0;
      double p99 = 0;
      double to_greedy = 0;
      for (const std::uint64_t seed : settings.workload_seeds()) {
        const Baseline baseline = baselines.of(workload, settings.requests, seed);
        const Figures one = figures(run(workload, all[i].policy, settings.requests, seed));
        mean += part * std::log(one.mean / baseline.best.mean);
        p99 += part * std::log(one.p99 / baseline.best.p99);
        to_greedy += part * std::log(one.mean / baseline.greedy.mean);
      }
      standings_[i].add(mean, p99, to_greedy);
    }
  }

  void print() const {
    std::printf(
        "\n| policy | mean | worst | <= 1.03 | worst to greedy | p99 "
        "|\n|---|---|---|---|---|---|\n");
    const std::vector<Contender> all = contenders(models().front());
    for (std::size_t i = 0; i < standings_.size(); ++i) standings_[i].print(all[i].name);
  }

 private:
  std::vector<Standing> standings_;
};

/// Against the exact optimum: one executor, Poisson arrivals, no noise.
void compare_with_optimum(const Settings& settings) {
  using batchwright_test::DispatchProblem;
  struct Curve {
    const char* name;
    double a, t0;
    std::size_t cap;
  };
  double sum = 0;
  double worst = 0;
  double sum_greedy = 0;
  int count = 0;
  std::printf("| curve | load | optimum ms | greedy | Auto |\n|---|---|---|---|---|\n");
  for (const Curve& one : {Curve{"V100", 0.1438, 1.8874, 32},
                           {"P4", 0.5833, 1.4284, 32},
                           {"setup", 0.05, 5, 8},
                           {"setup 32", 0.05, 5, 32},
                           {"linear", 1, 0.1, 8},
                           {"sym", 1, 5, 16}}) {
    for (const double load : {0.1, 0.3, 0.5, 0.7, 0.85}) {
      const auto time = [&](std::size_t size) {
        return one.t0 + one.a * static_cast<double>(size);
      };
      const double rate = load * static_cast<double>(one.cap) / time(one.cap);
      const DispatchProblem problem({.rate = rate, .time = time, .cap = one.cap, .states = 250});
      const double best = problem.solve().mean_latency;
      const double greedy = problem.evaluate(problem.greedy()).mean_latency;
      const Workload workload{"", "", affine(one.name, one.a, one.t0, one.cap),
                              PoissonArrivals{.rate_hz = rate * 1000}};
      // The same arrivals under greedy, of which the exact mean is known, take most of the noise out.
      double mine = 0;
      double control = 0;
      for (std::uint64_t seed = 1; seed <= settings.seeds; ++seed) {
        const auto run_one = [&](auto policy) {
          return simulate(
                     BasicSimulation<decltype(policy)>{.arrivals = workload.arrivals,
                                                       .service = {.curve = workload.model.curve},
                                                       .batcher = {.max_batch_size = one.cap,
                                                                   .policy = policy,
                                                                   .capacity = 1 << 20,
                                                                   .max_wait = 100s},
                                                       .requests = settings.requests,
                                                       .seed = seed})
              .latency.mean_ns;
        };
        mine += run_one(AutoPolicy{});
        control += run_one(GreedyPolicy{});
      }
      const double ratio = mine / control * greedy / best;
      sum += std::log(ratio);
      sum_greedy += std::log(greedy / best);
      worst = std::max(worst, ratio);
      ++count;
      std::printf("| %s | %.2f | %.4f | %.4f | %.4f |\n", one.name, load, best, greedy / best,
                  ratio);
    }
  }
  std::printf("| all %d | | | %.4f | %.4f, worst %.4f |\n", count, std::exp(sum_greedy / count),
              std::exp(sum / count), worst);
}

Settings parse(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (flag == "--requests") {
      settings.requests = std::strtoull(value(), nullptr, 10);
    } else if (flag == "--seeds") {
      settings.seeds = std::strtoull(value(), nullptr, 10);
    } else if (flag == "--first-seed") {
      settings.first_seed = std::strtoull(value(), nullptr, 10);
    } else if (flag == "--trace") {
      settings.trace = value();
    } else if (flag == "--baseline") {
      settings.baseline = value();
    } else if (flag == "--only") {
      settings.only = value();
    } else if (flag == "--unseen") {
      settings.unseen = true;
    } else if (flag == "--cells") {
      settings.cells = true;
    } else if (flag == "--goodput") {
      settings.goodput = true;
    } else if (flag == "--goodput-optimum") {
      settings.goodput_optimum = true;
    } else if (flag == "--optimum") {
      settings.optimum = true;
    } else if (flag == "--brief") {
      settings.brief = true;
    } else {
      std::fprintf(stderr, "unknown flag %s\n", argv[i]);
      std::exit(2);
    }
  }
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = parse(argc, argv);
  if (settings.optimum) {
    compare_with_optimum(settings);
    return 0;
  }
  if (settings.goodput) {
    GoodputTable(settings.requests, settings.seeds).print();
    return 0;
  }
  if (settings.goodput_optimum) {
    GoodputOptimum(settings.requests, settings.seeds).print();
    return 0;
  }
  Baselines baselines(settings.baseline);
  std::map<std::string, Row> families;
  Row all;
  Field field;
  for (const Workload& workload :
       Workloads(settings.trace)
           .all(settings.unseen ? unseen_models() : models(), settings.brief)) {
    if (workload.name.find(settings.only) == std::string::npos) continue;
    const Row row = evaluate(workload, baselines, settings);
    families[workload.family].add(row);
    all.add(row);
    field.evaluate(workload, baselines, settings);
  }
  std::printf(
      "| family | cells | greedy | Auto | worst | <= 1.03 | worst to greedy | p99 greedy | p99 "
      "Auto |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& [name, row] : families) row.print(name);
  all.print("all");
  field.print();
  return 0;
}
