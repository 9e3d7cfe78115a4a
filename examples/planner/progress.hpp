// SPDX-License-Identifier: MIT
#ifndef PLANNER_PROGRESS_HPP
#define PLANNER_PROGRESS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace planner {

/// A bar on stderr, if that is a terminal; it is gone at the end. It counts requests, of which all that is
/// to be simulated has `total`.
class Progress {
 public:
  explicit Progress(std::uint64_t total) : total_(std::max<std::uint64_t>(total, 1)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (terminal_) std::fprintf(stderr, "\r\033[K");
  }

  /// Another simulation begins, of so many requests.
  void begin(std::string what, std::uint64_t requests) {
    before_ += current_;
    current_ = requests;
    ended_ = 0;
    what_ = std::move(what);
    show();
  }

  /// One of its requests has ended. Cheap: the bar is drawn again when a percent is over.
  void ended_one() {
    ++ended_;
    if (done() >= next_) show();
  }

 private:
  static constexpr std::uint64_t kCells = 30;

  static bool is_terminal() {
#if __has_include(<unistd.h>)
    return isatty(fileno(stderr)) != 0;
#else
    return false;
#endif
  }

  // Those that come behind the measured ones end, too, but are no part of the work.
  std::uint64_t done() const { return std::min(before_ + std::min(ended_, current_), total_); }

  void show() {
    const std::uint64_t percent = done() * 100 / total_;
    next_ = std::max<std::uint64_t>(((percent + 1) * total_ + 99) / 100, done() + 1);
    if (!terminal_) return;
    const auto part = static_cast<std::size_t>(percent * kCells / 100);
    const std::string bar = std::string(part, '#') + std::string(kCells - part, '.');
    std::fprintf(stderr, "\r\033[K[%s] %2d %% %s", bar.c_str(), static_cast<int>(percent),
                 what_.c_str());
    std::fflush(stderr);
  }

  const bool terminal_ = is_terminal();
  const std::uint64_t total_;
  std::uint64_t before_ = 0;  // Of the simulations that are over.
  std::uint64_t current_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t next_ = 0;  // What has to be done before it is drawn again.
  std::string what_;
};

}  // namespace planner

#endif  // PLANNER_PROGRESS_HPP
