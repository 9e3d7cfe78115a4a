// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_REPLICATIONS_HPP
#define BATCHWRIGHT_SIMULATION_REPLICATIONS_HPP

#include "checks.hpp"
#include "results.hpp"

#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <numbers>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace batchwright::inline v0_1 {
namespace detail {

/// How likely Student's t with so many degrees of freedom is within -t and t: the finite series of
/// Abramowitz and Stegun 26.7.3 and 26.7.4. O(degrees).
inline double student_t_within(double t, std::size_t degrees) noexcept {
  const double angle = std::atan(t / std::sqrt(static_cast<double>(degrees)));
  const double sine = std::sin(angle);
  const double cosine = std::cos(angle);
  const bool odd = degrees % 2 == 1;
  double sum = 0;
  double term = odd ? cosine : 1;
  for (std::size_t k = odd ? 3 : 2; k <= degrees; k += 2) {
    sum += term;
    term *= cosine * cosine * static_cast<double>(k - 1) / static_cast<double>(k);
  }
  return odd ? 2 / std::numbers::pi * (angle + sine * sum) : sine * sum;
}

/// The t which Student's t with so many degrees of freedom stays within so often.
inline double student_t(double confidence, std::size_t degrees) noexcept {
  double low = 0;
  double high = 1;
  while (student_t_within(high, degrees) < confidence) high *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (student_t_within(middle, degrees) < confidence ? low : high) = middle;
  }
  return high;
}

}  // namespace detail

namespace simulation {

/// A mean over independent runs, and how far from it the true value may be.
struct Estimate {
  double mean = 0;
  double half_width = 0;      ///< Of the confidence interval, by Student's t.
  double standard_error = 0;  ///< Of the mean.

  double low() const noexcept { return mean - half_width; }
  double high() const noexcept { return mean + half_width; }
};

/// Of independent values that are about normal, at least two; throws std::invalid_argument otherwise,
/// and for a confidence that is not between 0 and 1.
inline Estimate estimate(std::span<const double> values, double confidence = 0.95) {
  using detail::must_be;
  if (values.size() < 2) {
    detail::require_none(must_be("values", "at least 2", std::to_string(values.size())));
  }
  if (!(confidence > 0 && confidence <= 0.9999)) {
    detail::require_none(
        must_be("confidence", "above 0 and at most 0.9999", detail::to_text(confidence)));
  }
  const auto count = static_cast<double>(values.size());
  Estimate result;
  for (const double value : values) result.mean += value / count;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.standard_error = std::sqrt(squares / (count - 1) / count);
  result.half_width = detail::student_t(confidence, values.size() - 1) * result.standard_error;
  return result;
}

/// Of one figure of each result: a member, or a function of it, as in
/// `estimate(replicate(simulation, 10), &SimulationResult::throughput_hz)`.
template <class Figure>
  requires std::convertible_to<std::invoke_result_t<Figure&, const SimulationResult&>, double>
Estimate estimate(const std::vector<SimulationResult>& results, Figure figure,
                  double confidence = 0.95) {
  std::vector<double> values;
  for (const SimulationResult& result : results) values.push_back(std::invoke(figure, result));
  return estimate(std::span<const double>(values), confidence);
}

}  // namespace simulation
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_REPLICATIONS_HPP
