// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_TRACE_HPP
#define BATCHWRIGHT_SIMULATION_TRACE_HPP

#include "../detail/parse_number.hpp"
#include "../errors.hpp"
#include "../policy.hpp"
#include "arrival_process.hpp"
#include "checks.hpp"
#include "csv.hpp"
#include "random.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace batchwright::inline v0_1 {
namespace simulation {

/// What happens after a trace's last arrival.
enum class TraceEnd : std::uint8_t {
  stop,    ///< Nothing comes any more.
  repeat,  ///< It begins anew, the mean gap after its last arrival.
};

/// Arrivals that were recorded, see `read_trace`, or made by hand.
struct TraceArrivals {
  /// Ascending, since any instant: the first one is where the simulation starts.
  std::vector<Duration> instants;
  /// 2: in half the time, so at twice the rate.
  double speed_up = 1;
  TraceEnd end = TraceEnd::stop;

  class Stream {
   public:
    explicit Stream(const TraceArrivals& trace) noexcept : trace_(&trace) {}

    Duration next() noexcept {
      const std::vector<Duration>& given = trace_->instants;
      if (index_ == given.size()) {
        if (trace_->end == TraceEnd::stop) return kNoArrival;
        const Duration length = given.back() - given.front();
        round_ += length + length / std::max<std::int64_t>(std::ssize(given) - 1, 1);
        index_ = 0;
      }
      const Duration since = given[index_++] - given.front() + round_;
      return detail::to_duration(static_cast<double>(since.count()) / trace_->speed_up);
    }

   private:
    const TraceArrivals* trace_;
    std::size_t index_ = 0;
    Duration round_{};
  };

  Stream start(const Random&) const noexcept { return Stream(*this); }

  std::uint64_t count() const noexcept {
    return end == TraceEnd::stop ? instants.size() : std::numeric_limits<std::uint64_t>::max();
  }

  std::string validate() const {
    if (instants.empty()) {
      return detail::must_be("TraceArrivals::instants", "at least one", "none");
    }
    for (std::size_t i = 1; i < instants.size(); ++i) {
      if (instants[i] < instants[i - 1]) {
        return detail::must_be("TraceArrivals::instants[" + std::to_string(i) + "]",
                               "at least " + detail::to_text(instants[i - 1]) + " (ascending)",
                               detail::to_text(instants[i]));
      }
    }
    if (end == TraceEnd::repeat && instants.back() == instants.front()) {
      return detail::must_be("TraceArrivals::end", "stop for a trace of one instant", "repeat");
    }
    return detail::check_between("TraceArrivals::speed_up", speed_up, 1e-6, 1e6);
  }
};

}  // namespace simulation

namespace detail {

/// Days since 1970-01-01 in the Gregorian calendar.
constexpr std::int64_t days_since_1970(std::int64_t year, std::int64_t month,
                                       std::int64_t day) noexcept {
  // Years begin in March, so that the leap day is the last one.
  const std::int64_t y = month > 2 ? year : year - 1;
  const std::int64_t m = month > 2 ? month - 3 : month + 9;
  return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/// Takes a whole number of `digits` digits and what follows it off the front of `text`.
inline bool take_digits(std::string_view& text, std::size_t digits, char follows,
                        std::int64_t& number) noexcept {
  if (text.size() < digits || text.front() < '0' || text.front() > '9') return false;
  if (!parse_number(text.substr(0, digits), number)) return false;
  text.remove_prefix(digits);
  if (follows == '\0') return true;
  if (text.empty() || (text.front() != follows && !(follows == ' ' && text.front() == 'T'))) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

/// Up to nine decimals of a second, in nanoseconds; whatever is finer is cut.
inline bool parse_fraction(std::string_view text, std::int64_t& nanoseconds) noexcept {
  nanoseconds = 0;
  std::int64_t unit = 100'000'000;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return false;
    nanoseconds += (digit - '0') * unit;
    unit /= 10;
  }
  return true;
}

/// "2023-11-16 18:17:03.9799600", also with a T between, and a Z behind.
inline bool parse_timestamp(std::string_view text, Duration& instant) noexcept {
  std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, nanoseconds = 0;
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (!take_digits(text, 4, '-', year) || !take_digits(text, 2, '-', month) ||
      !take_digits(text, 2, ' ', day) || !take_digits(text, 2, ':', hour) ||
      !take_digits(text, 2, ':', minute) || !take_digits(text, 2, '\0', second)) {
    return false;
  }
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
    return false;
  }
  if (!text.empty() && (text.front() != '.' || !parse_fraction(text.substr(1), nanoseconds))) {
    return false;
  }
  const std::int64_t days = days_since_1970(year, month, day);
  if (days < -100'000 || days > 100'000) return false;  // 64 bits of nanoseconds are 292 years.
  instant =
      Duration((((days * 24 + hour) * 60 + minute) * 60 + second) * 1'000'000'000 + nanoseconds);
  return true;
}

/// Seconds, as in "12.034".
inline bool parse_seconds(std::string_view text, Duration& instant) noexcept {
  double seconds = 0;
  if (!parse_number(text, seconds) || !(seconds >= 0 && seconds < 9e9)) return false;
  // The fraction apart: as a double, seconds since 1970 have no nanoseconds.
  const std::string_view whole = text.substr(0, text.find('.'));
  std::int64_t count = 0;
  std::int64_t nanoseconds = 0;
  if (parse_number(whole, count) &&
      (whole.size() == text.size() || parse_fraction(text.substr(whole.size() + 1), nanoseconds))) {
    instant = Duration(count * 1'000'000'000 + nanoseconds);
  } else {
    instant = to_duration(seconds * 1e9);
  }
  return true;
}

}  // namespace detail

namespace simulation {

/// The instants in the first column of a text in comma-separated form: a timestamp, or seconds. A first
/// line that begins with neither is a heading. They are sorted, because records are often written in
/// the order of completion. Throws std::invalid_argument that names `name`, the line and what is wrong.
inline std::vector<Duration> parse_trace(std::string_view text, const std::string& name) {
  std::vector<Duration> instants;
  bool first = true;
  detail::for_each_row(text, [&](std::size_t number, std::string_view line) {
    std::string_view rest = line;
    const std::string_view field = detail::trimmed(detail::take_until(rest, ','));
    Duration instant{};
    if (detail::parse_timestamp(field, instant) || detail::parse_seconds(field, instant)) {
      instants.push_back(instant);
    } else if (!first) {
      detail::raise_bad_row(
          name, number,
          "the first column must be seconds or a timestamp like 2023-11-16 18:17:03.98", field);
    }
    first = false;
  });
  if (instants.empty()) {
    detail::raise(std::invalid_argument(name + ": holds no arrival in its first column"));
  }
  std::sort(instants.begin(), instants.end());
  return instants;
}

/// As `parse_trace`, from a file.
inline std::vector<Duration> read_trace(const std::string& path) {
  return parse_trace(detail::read_file(path), path);
}

}  // namespace simulation
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_TRACE_HPP
