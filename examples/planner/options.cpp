// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <batchwright/policies/extra/named.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace planner {
namespace {

namespace sim = batchwright::simulation;
using batchwright::Duration;

Duration milliseconds(double value) { return Duration(std::llround(value * 1e6)); }

std::string shown_ms(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

bool is_number(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error != std::errc::invalid_argument && rest == end;
}

// Two numbers are a line, anything else is a file.
void read_service(Options& options, std::string_view text) {
  const std::vector<std::string_view> parts = split(text);
  if (parts.size() == 2 && is_number(parts[0]) && is_number(parts[1])) {
    options.line = sim::AffineCurve{
        .per_item = milliseconds(parse_number("--service: A_MS", parts[0], 0, 1e6)),
        .fixed = milliseconds(parse_number("--service: T0_MS", parts[1], 0, 1e6))};
    options.measured.reset();
    options.curve = *options.line;
  } else if (std::all_of(parts.begin(), parts.end(), is_number)) {
    throw std::invalid_argument("--service must be A_MS,T0_MS or a file, got '" +
                                std::string(text) + "'");
  } else {
    options.line.reset();
    options.measured = sim::read_curve(std::string(text));
    options.curve = *options.measured;
  }
}

void check_curve(const Options& options) {
  for (std::size_t size = 1; size <= options.max_batch; ++size) {
    if (options.curve(size) > Duration::zero()) continue;
    throw std::invalid_argument(
        "--service: a batch must take at least 0.000001 ms, got less for size " +
        std::to_string(size));
  }
}

// Whether a policy has to be told something, or is for what is not there.
bool needs_more(std::string_view name) {
  for (const char* const known :
       {"size", "deadline", "deferred", "early_drop", "quorum", "control_limit"}) {
    if (name == known) return true;
  }
  return false;
}

// All that can be tried without being told more, with settings that fit or their defaults.
std::vector<std::string> all_policies(const Options& options) {
  const double target_ms =
      options.objective ? static_cast<double>(options.objective->count()) / 2e6 : 20;
  const std::size_t half = std::max<std::size_t>(options.max_batch / 2, 1);
  std::vector<std::string> all;
  for (const std::string_view name : batchwright::policy_names()) {
    if (name == "hybrid") {
      all.push_back("hybrid:size=" + std::to_string(half) + ",max_wait_ms=2");
    } else if (name == "time") {
      all.emplace_back("time:max_wait_ms=2");
    } else if (name == "adaptive" || name == "aimd") {
      all.push_back(std::string(name) + ":target_ms=" + shown_ms(target_ms));
    } else if (!needs_more(name)) {
      all.emplace_back(name);
    }
  }
  if (options.objective) {
    const double objective_ms = static_cast<double>(options.objective->count()) / 1e6;
    all.push_back("auto:objective_ms=" + shown_ms(objective_ms));
  }
  if (options.deadlines) {
    all.emplace_back("deadline");
    all.emplace_back("deferred");
    all.emplace_back("early_drop");
  }
  if (const auto clients = options.workload.clients()) {
    all.push_back("quorum:clients=" + std::to_string(*clients));
  } else if (options.workload.is_poisson() && options.line && options.executors == 1) {
    const std::size_t limit = batchwright::control_limit(
        *options.workload.rate_hz(), options.line->per_item, options.line->fixed);
    all.push_back("control_limit:limits=" + std::to_string(std::min(limit, options.max_batch)));
  }
  return all;
}

void read_option(Options& options, std::string_view name, std::string_view value) {
  if (name == "--arrivals") {
    options.workload = Workload::parse(value);
  } else if (name == "--service") {
    read_service(options, value);
  } else if (name == "--max-batch") {
    options.max_batch = parse_count("--max-batch", value, 1, 4096);
  } else if (name == "--executors") {
    options.executors = parse_count("--executors", value, 1, 1024);
  } else if (name == "--objective") {
    options.objective = milliseconds(parse_number("--objective", value, 1e-3, 1e9));
  } else if (name == "--policy") {
    if (value != "all") batchwright::parse_policy(value);
    options.policies.emplace_back(value);
  } else if (name == "--requests") {
    options.requests = parse_count("--requests", value, 100, 100'000'000);
  } else if (name == "--seed") {
    options.seed = parse_count("--seed", value, 0, static_cast<std::size_t>(-1));
  } else if (name == "--json") {
    options.json = std::string(value);
  } else if (name == "--plot") {
    options.plot = std::string(value);
  } else {
    throw std::invalid_argument("there is no option " + std::string(name) + "; see --help");
  }
}

}  // namespace

Options parse_options(std::span<const char* const> arguments) {
  Options options;
  bool has_arrivals = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      options.help = true;
      return options;
    }
    if (argument == "--deadlines") {
      options.deadlines = true;
      continue;
    }
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    if (!name.starts_with("--")) {
      throw std::invalid_argument("an option begins with --, got '" + std::string(argument) + "'");
    }
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      throw std::invalid_argument(std::string(name) + " needs a value; see --help");
    }
    read_option(options, name, value);
    has_arrivals = has_arrivals || name == "--arrivals";
  }
  if (!has_arrivals) throw std::invalid_argument("--arrivals must be given; see --help");
  if (!options.curve) throw std::invalid_argument("--service must be given; see --help");
  if (options.deadlines && !options.objective) {
    throw std::invalid_argument("--deadlines needs --objective");
  }
  if (options.json && options.json == options.plot) {
    throw std::invalid_argument("--json and --plot must be two files, got '" + *options.json +
                                "' for both");
  }
  check_curve(options);
  if (options.policies.empty()) options.policies.emplace_back("all");
  std::vector<std::string> policies;
  for (const std::string& policy : options.policies) {
    if (policy != "all") {
      policies.push_back(policy);
      continue;
    }
    const std::vector<std::string> all = all_policies(options);
    policies.insert(policies.end(), all.begin(), all.end());
  }
  options.policies = std::move(policies);
  return options;
}

const char* usage() {
  return R"(planner: which batching policy, by simulation

  --arrivals WHAT      poisson:RATE                  independent callers, RATE requests a second
                       mmpp:RATE,STAY_MS,RATE,...    bursts: each rate holds for an exponential time
                       closed:N,THINK_MS             N clients that wait for their answers
                       trace:FILE,SPEEDUP            CSV, first column timestamps or seconds
  --service WHAT       A_MS,T0_MS                    a batch of b takes T0 + A b milliseconds
                       FILE.csv                      measured: size, milliseconds
  --max-batch N        the hard cap (32)
  --executors N        batches computed at once (1)
  --objective P99_MS   the latency to keep; answers within it are the goodput
  --deadlines          it is each request's deadline, too: what cannot meet it is dropped
  --policy WHAT        NAME[:key=value,...], repeatable, or all (all)
  --requests N         requests to simulate for each policy (100000)
  --seed S             the same seed gives the same result (1)
  --json FILE          the results as JSON
  --plot FILE.svg      mean and p99 of each policy against the load; with --deadlines what is
                       answered in time and p99, up to twice what the executors can answer
)";
}

}  // namespace planner
