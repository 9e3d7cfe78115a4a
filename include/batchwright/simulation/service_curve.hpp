// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_SERVICE_CURVE_HPP
#define BATCHWRIGHT_SIMULATION_SERVICE_CURVE_HPP

#include "../detail/parse_number.hpp"
#include "../errors.hpp"
#include "../policy.hpp"
#include "checks.hpp"
#include "csv.hpp"
#include "random.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1::simulation {

/// The time of a batch as a function of its size, from 1.
using ServiceCurve = std::function<Duration(std::size_t size)>;

/// l(b) = t0 + a b: what most models are close to.
struct AffineCurve {
  Duration per_item{};  ///< a
  Duration fixed{};     ///< t0

  Duration operator()(std::size_t size) const noexcept {
    return fixed + per_item * static_cast<std::int64_t>(size);
  }
};

/// Measured times: straight between the measured sizes. Below the smallest its time holds, above the
/// largest the last piece goes on, unless it falls: then the largest's time holds, because a fall is noise
/// and would end in batches that take no time.
class TableCurve {
 public:
  struct Point {
    std::size_t size = 0;
    Duration time{};
  };

  /// Throws std::invalid_argument unless the sizes ascend strictly from at least 1, and no time is
  /// negative.
  explicit TableCurve(std::vector<Point> points) : points_(std::move(points)) {
    using detail::must_be;
    if (points_.empty())
      detail::require_none(must_be("TableCurve", "of at least one point", "none"));
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const std::string name = "TableCurve: point " + std::to_string(i);
      const std::size_t least = i == 0 ? 1 : points_[i - 1].size + 1;
      if (points_[i].size < least) {
        detail::require_none(must_be(name + "'s size",
                                     "at least " + std::to_string(least) + " (ascending)",
                                     std::to_string(points_[i].size)));
      }
      detail::require_none(detail::check_not_negative(name + "'s time", points_[i].time));
    }
  }

  const std::vector<Point>& points() const noexcept { return points_; }

  /// O(log points).
  Duration operator()(std::size_t size) const noexcept {
    auto upper = std::lower_bound(points_.begin(), points_.end(), size,
                                  [](const Point& p, std::size_t s) { return p.size < s; });
    if (upper == points_.begin() || (upper != points_.end() && upper->size == size)) {
      return upper->time;
    }
    if (upper == points_.end() && --upper == points_.begin()) return upper->time;
    const Point& low = *(upper - 1);
    if (size > upper->size && upper->time < low.time) return upper->time;
    const double slope = static_cast<double>((upper->time - low.time).count()) /
                         static_cast<double>(upper->size - low.size);
    return low.time + detail::to_duration(slope * static_cast<double>(size - low.size));
  }

 private:
  std::vector<Point> points_;
};

/// A curve in comma-separated form: size, milliseconds. A first line that does not begin with a number
/// is a heading. Throws std::invalid_argument that names `name`, the line and what is wrong.
inline TableCurve parse_curve(std::string_view text, const std::string& name) {
  std::vector<TableCurve::Point> points;
  bool first = true;
  detail::for_each_row(text, [&](std::size_t number, std::string_view line) {
    std::string_view rest = line;
    const std::string_view size_field = detail::trimmed(detail::take_until(rest, ','));
    const std::string_view time_field = detail::trimmed(detail::take_until(rest, ','));
    std::size_t size = 0;
    double milliseconds = 0;
    const bool is_heading = first && !detail::parse_number(size_field, milliseconds);
    first = false;
    if (is_heading) return;
    const std::size_t least = points.empty() ? 1 : points.back().size + 1;
    if (!detail::parse_number(size_field, size) || size < least) {
      detail::raise_bad_row(name, number,
                            "the size must be a whole number of at least " + std::to_string(least),
                            size_field);
    }
    if (!detail::parse_number(time_field, milliseconds) ||
        !(milliseconds >= 0 && milliseconds <= 1e9)) {
      detail::raise_bad_row(name, number, "the time must be from 0 to 1e9 milliseconds",
                            time_field);
    }
    points.push_back({size, detail::to_duration(milliseconds * 1e6)});
  });
  if (points.empty()) {
    detail::raise(std::invalid_argument(name + ": holds no line of a size and its milliseconds"));
  }
  return TableCurve(std::move(points));
}

/// As `parse_curve`, from a file.
inline TableCurve read_curve(const std::string& path) {
  return parse_curve(detail::read_file(path), path);
}

}  // namespace batchwright::inline v0_1::simulation

#endif  // BATCHWRIGHT_SIMULATION_SERVICE_CURVE_HPP
