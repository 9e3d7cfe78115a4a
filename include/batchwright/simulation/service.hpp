// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_SERVICE_HPP
#define BATCHWRIGHT_SIMULATION_SERVICE_HPP

#include "../policy.hpp"
#include "random.hpp"
#include "service_curve.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// Every batch of one size takes the same time.
struct NoNoise {};

/// The time is multiplied by a lognormal factor with mean 1. `sigma` is the deviation of its logarithm,
/// which for small ones is the relative deviation of the time.
struct LognormalNoise {
  double sigma = 0.1;
};

/// The time is exponential, with the curve's value as its mean.
struct ExponentialNoise {};

/// Whether what is drawn from a sample knows what was drawn before: each as likely as another, or in the
/// order of the sample, again and again, from a random one on.
enum class NoiseOrder : std::uint8_t { independent, as_measured };

/// The time is multiplied by one of these factors: what measured batches took, as parts of the curve's
/// times. In the order in which they were measured slow phases of a machine last as long as they did.
struct MeasuredNoise {
  std::vector<double> factors;
  NoiseOrder order = NoiseOrder::independent;
};

/// Now and then a batch takes longer, by a fixed time: a pause of the machine, a clock that is throttled.
struct Stalls {
  double probability = 0;  ///< Of each batch.
  Duration length{};
};

/// From an instant on the model is slower or faster.
struct ServiceChange {
  Duration at{};      ///< Since the start; for batches that are dispatched from then on.
  double factor = 1;  ///< Of the curve's times; 2 is half as fast. It replaces the one before.
  std::size_t executor = kNoCount;  ///< The only one it holds for; unset: all.
};

/// How the predictor answers. An asynchronous one returns from its call at once: its executor can take
/// the next batch while the first is computed. The batches of one executor are then computed one after
/// another, as on one stream of a GPU, or as many at once as there are `Service::streams`.
enum class PredictorKind : std::uint8_t { synchronous, asynchronous };

/// How long batches take.
struct Service {
  /// The time of a batch of that padded size: an AffineCurve, a TableCurve, any function.
  ServiceCurve curve = {};
  std::variant<NoNoise, LognormalNoise, ExponentialNoise, MeasuredNoise> noise = NoNoise{};
  Stalls stalls = {};
  /// For each executor how fast it is; 2 is twice as fast as the curve says. Unless set they are alike.
  std::vector<double> speeds = {};
  /// In the order of their instants.
  std::vector<ServiceChange> changes = {};
  PredictorKind predictor = PredictorKind::synchronous;
  /// So many batches of one executor are computed at once, none slower for it, where the predictor is
  /// asynchronous. What is dispatched beyond them waits its turn.
  std::size_t streams = 1;
};

}  // namespace simulation

namespace detail {

/// The times of sizes up to here, and up to the cap, are asked of the curve once and kept.
inline constexpr std::size_t kLargestKept = 4096;

/// Empty, or what is wrong with it. `cap` is the largest batch, but for one request that is larger.
inline std::string check_service(const simulation::Service& service, std::size_t executors,
                                 std::size_t cap) {
  if (!service.curve) return must_be("service.curve", "callable", "none");
  for (std::size_t size = 1; size <= std::min(cap, kLargestKept); ++size) {
    if (const Duration time = service.curve(size); time < Duration::zero()) {
      return must_be("service.curve(" + std::to_string(size) + ")", "at least 0 ns", to_text(time));
    }
  }
  if (const auto* noise = std::get_if<simulation::LognormalNoise>(&service.noise)) {
    std::string problem = check_between("service.noise.sigma", noise->sigma, 0, 2);
    if (!problem.empty()) return problem;
  }
  if (const auto* noise = std::get_if<simulation::MeasuredNoise>(&service.noise)) {
    if (noise->factors.empty()) return must_be("service.noise.factors", "at least one", "none");
    for (std::size_t i = 0; i < noise->factors.size(); ++i) {
      std::string problem = check_between("service.noise.factors[" + std::to_string(i) + "]",
                                          noise->factors[i], 0, 1e6);
      if (!problem.empty()) return problem;
    }
  }
  if (service.streams < 1 || service.streams > 1024) {
    return must_be("service.streams", "from 1 to 1024", std::to_string(service.streams));
  }
  std::string problem =
      check_between("service.stalls.probability", service.stalls.probability, 0, 1);
  if (problem.empty()) problem = check_not_negative("service.stalls.length", service.stalls.length);
  if (!problem.empty()) return problem;
  if (!service.speeds.empty() && service.speeds.size() != executors) {
    return must_be("service.speeds",
                   "empty or one for each executor (" + std::to_string(executors) + ")",
                   std::to_string(service.speeds.size()) + " speeds");
  }
  for (std::size_t i = 0; i < service.speeds.size(); ++i) {
    problem =
        check_between("service.speeds[" + std::to_string(i) + "]", service.speeds[i], 1e-6, 1e6);
    if (!problem.empty()) return problem;
  }
  Duration last{};
  for (std::size_t i = 0; i < service.changes.size(); ++i) {
    const std::string name = "service.changes[" + std::to_string(i) + "]";
    const simulation::ServiceChange& change = service.changes[i];
    problem = check_between(name + ".factor", change.factor, 1e-6, 1e6);
    if (!problem.empty()) return problem;
    if (change.at < last) {
      return must_be(name + ".at", "at least " + to_text(last) + " (ascending)",
                     to_text(change.at));
    }
    if (change.executor != kNoCount && change.executor >= executors) {
      return must_be(name + ".executor", "below executors (" + std::to_string(executors) + ")",
                     std::to_string(change.executor));
    }
    last = change.at;
  }
  return {};
}

/// Draws the times of batches, in the order of their dispatch.
class ServiceSampler {
 public:
  /// `service` has to outlive it, and to be right.
  ServiceSampler(const simulation::Service& service, std::size_t executors, std::size_t cap,
                 const simulation::Random& random)
      : service_(service), factors_(executors, 1.0), random_(random) {
    for (std::size_t size = 0; size <= std::min(cap, kLargestKept); ++size) {
      table_.push_back(size == 0 ? Duration::zero() : service.curve(size));
    }
    if (const auto* measured = std::get_if<simulation::MeasuredNoise>(&service.noise)) {
      next_factor_ = any_of(*measured, random.stream(2));
    }
    slow_.resize(executors, 1.0);
    for (std::size_t i = 0; i < service.speeds.size(); ++i) slow_[i] = 1 / service.speeds[i];
    plain_ = std::holds_alternative<simulation::NoNoise>(service.noise) &&
             service.stalls.probability == 0 && service.speeds.empty() && service.changes.empty();
  }

  /// The time of a batch that is dispatched at `now`, since the start. `now` never falls.
  Duration draw(std::size_t size, std::size_t executor, Duration now) {
    const Duration usual = size < table_.size() ? table_[size] : service_.curve(size);
    if (plain_) return usual;
    while (next_change_ < service_.changes.size() && service_.changes[next_change_].at <= now) {
      apply(service_.changes[next_change_++]);
    }
    const double factor = slow_[executor] * factors_[executor] * noise();
    Duration time = to_duration(static_cast<double>(usual.count()) * factor);
    // Always drawn, so that the noise is the same whether there are stalls or not.
    if (random_.stalls.chance(service_.stalls.probability)) time += service_.stalls.length;
    return time;
  }

 private:
  struct Sources {
    explicit Sources(const simulation::Random& random) noexcept
        : noise(random.stream(0)), stalls(random.stream(1)) {}
    simulation::Random noise;
    simulation::Random stalls;
  };

  void apply(const simulation::ServiceChange& change) noexcept {
    if (change.executor != kNoCount) {
      factors_[change.executor] = change.factor;
    } else {
      for (double& factor : factors_) factor = change.factor;
    }
  }

  template <class Random>
  static std::size_t any_of(const simulation::MeasuredNoise& noise, Random&& random) noexcept {
    return static_cast<std::size_t>(random.unit() * static_cast<double>(noise.factors.size()));
  }

  double noise() noexcept {
    if (const auto* lognormal = std::get_if<simulation::LognormalNoise>(&service_.noise)) {
      return random_.noise.lognormal(lognormal->sigma);
    }
    if (std::holds_alternative<simulation::ExponentialNoise>(service_.noise)) {
      return random_.noise.exponential();
    }
    if (const auto* measured = std::get_if<simulation::MeasuredNoise>(&service_.noise)) {
      std::size_t place = next_factor_;
      if (measured->order == simulation::NoiseOrder::independent) {
        place = any_of(*measured, random_.noise);
      } else if (++next_factor_ == measured->factors.size()) {
        next_factor_ = 0;
      }
      return measured->factors[place];
    }
    return 1;
  }

  const simulation::Service& service_;
  std::vector<Duration> table_;
  std::vector<double> slow_;     // 1 / speed, by executor.
  std::vector<double> factors_;  // Of the changes so far, by executor.
  std::size_t next_change_ = 0;
  std::size_t next_factor_ = 0;  // Of a noise in its order.
  Sources random_;
  bool plain_ = true;
};

}  // namespace detail
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_SERVICE_HPP
