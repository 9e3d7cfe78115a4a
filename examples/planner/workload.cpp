// SPDX-License-Identifier: MIT
#include "workload.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace planner {
namespace {

namespace sim = batchwright::simulation;

constexpr double kMostRate = 1e9;

batchwright::Duration milliseconds(double value) {
  return batchwright::Duration(std::llround(value * 1e6));
}

template <class Number>
bool parse(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && rest == end && !text.empty();
}

[[noreturn]] void refuse(const std::string& what, const std::string& allowed,
                         std::string_view text) {
  throw std::invalid_argument(what + " must be " + allowed + ", got '" + std::string(text) + "'");
}

std::string shown(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

}  // namespace

double parse_number(const std::string& what, std::string_view text, double least, double most) {
  double number = 0;
  if (!parse(text, number) || !(number >= least && number <= most)) {
    refuse(what, "a number from " + shown(least) + " to " + shown(most), text);
  }
  return number;
}

std::size_t parse_count(const std::string& what, std::string_view text, std::size_t least,
                        std::size_t most) {
  std::size_t number = 0;
  if (!parse(text, number) || number < least || number > most) {
    refuse(what, "a whole number from " + std::to_string(least) + " to " + std::to_string(most),
           text);
  }
  return number;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

Workload Workload::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const std::vector<std::string_view> parts = split(rest);
  Workload workload;
  if (kind == "poisson") {
    if (parts.size() != 1) refuse("--arrivals poisson", "poisson:RATE", text);
    workload.rate_hz_ = parse_number("--arrivals poisson: RATE", parts[0], 1e-3, kMostRate);
  } else if (kind == "mmpp") {
    if (parts.size() % 2 != 0)
      refuse("--arrivals mmpp", "mmpp:RATE,STAY_MS,RATE,STAY_MS,...", text);
    for (std::size_t i = 0; i < parts.size(); i += 2) {
      workload.bursts_.states.push_back(
          {.rate_hz = parse_number("--arrivals mmpp: RATE", parts[i], 0, kMostRate),
           .mean_stay =
               milliseconds(parse_number("--arrivals mmpp: STAY_MS", parts[i + 1], 1e-3, 1e9))});
    }
    if (workload.bursts_.mean_rate_hz() <= 0) {
      refuse("--arrivals mmpp", "of at least one RATE above 0", text);
    }
    workload.kind_ = Kind::mmpp;
  } else if (kind == "closed") {
    if (parts.size() != 2) refuse("--arrivals closed", "closed:N,THINK_MS", text);
    workload.loop_.clients = parse_count("--arrivals closed: N", parts[0], 1, 100'000);
    workload.loop_.mean_think =
        milliseconds(parse_number("--arrivals closed: THINK_MS", parts[1], 0, 1e9));
    workload.kind_ = Kind::closed;
  } else if (kind == "trace") {
    if (parts.size() != 2) refuse("--arrivals trace", "trace:FILE,SPEEDUP", text);
    workload.trace_.speed_up = parse_number("--arrivals trace: SPEEDUP", parts[1], 1e-3, 1e3);
    workload.trace_.instants = sim::read_trace(std::string(parts[0]));
    if (workload.trace_.instants.back() == workload.trace_.instants.front()) {
      refuse("--arrivals trace", "of more than one instant", parts[0]);
    }
    workload.kind_ = Kind::trace;
  } else {
    refuse("--arrivals",
           "poisson:RATE, mmpp:RATE,STAY_MS,..., closed:N,THINK_MS or trace:FILE,SPEEDUP", text);
  }
  return workload;
}

sim::AnyArrivals Workload::at(double factor) const {
  switch (kind_) {
    case Kind::mmpp: {
      sim::MmppArrivals bursts = bursts_;
      for (sim::MmppArrivals::State& state : bursts.states) state.rate_hz *= factor;
      return bursts;
    }
    case Kind::closed: {
      sim::ClosedLoopArrivals loop = loop_;
      loop.clients = static_cast<std::size_t>(
          std::max(1.0, std::round(static_cast<double>(loop_.clients) * factor)));
      return loop;
    }
    case Kind::trace: {
      sim::TraceArrivals trace = trace_;
      trace.speed_up *= factor;
      return trace;
    }
    case Kind::poisson:
      break;
  }
  return sim::PoissonArrivals{.rate_hz = rate_hz_ * factor};
}

std::optional<double> Workload::rate_hz() const {
  switch (kind_) {
    case Kind::mmpp:
      return bursts_.mean_rate_hz();
    case Kind::closed:
      return std::nullopt;
    case Kind::trace: {
      const auto length =
          static_cast<double>((trace_.instants.back() - trace_.instants.front()).count());
      return static_cast<double>(trace_.instants.size() - 1) / length * 1e9 * trace_.speed_up;
    }
    case Kind::poisson:
      break;
  }
  return rate_hz_;
}

std::optional<std::size_t> Workload::clients() const {
  if (kind_ == Kind::closed) return loop_.clients;
  return std::nullopt;
}

std::vector<LoadPoint> load_points(const Workload& workload, double capacity_hz, bool overload) {
  std::vector<LoadPoint> points;
  if (const std::optional<std::size_t> clients = workload.clients()) {
    const auto given = static_cast<double>(*clients);
    for (const double part : {0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0}) {
      const double number = std::max(1.0, std::round(part * given));
      if (!points.empty() && points.back().load == number) continue;
      points.push_back({.load = number, .factor = number / given});
    }
    return points;
  }
  const double rate = *workload.rate_hz();
  for (const double part :
       {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0}) {
    if (part > 0.95 && !overload) break;
    points.push_back({.load = part * capacity_hz, .factor = part * capacity_hz / rate});
  }
  return points;
}

double capacity_hz(const sim::ServiceCurve& curve, std::size_t max_batch, std::size_t executors) {
  double best = 0;
  for (std::size_t size = 1; size <= max_batch; ++size) {
    best = std::max(best, static_cast<double>(size) / static_cast<double>(curve(size).count()));
  }
  return best * 1e9 * static_cast<double>(executors);
}

}  // namespace planner
