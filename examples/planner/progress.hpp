// SPDX-License-Identifier: MIT
#ifndef PLANNER_PROGRESS_HPP
#define PLANNER_PROGRESS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace planner {

/// A bar on stderr, if that is a terminal; it is gone at the end.
class Progress {
 public:
  explicit Progress(std::size_t steps) : steps_(std::max<std::size_t>(steps, 1)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (terminal_) std::fprintf(stderr, "\r\033[K");
  }

  /// Another step begins.
  void step(const std::string& what) {
    const std::size_t part = std::min(done_++, steps_) * kCells / steps_;
    if (!terminal_) return;
    const std::string bar = std::string(part, '#') + std::string(kCells - part, '.');
    std::fprintf(stderr, "\r\033[K[%s] %s", bar.c_str(), what.c_str());
    std::fflush(stderr);
  }

 private:
  static constexpr std::size_t kCells = 30;

  static bool is_terminal() {
#if __has_include(<unistd.h>)
    return isatty(fileno(stderr)) != 0;
#else
    return false;
#endif
  }

  const bool terminal_ = is_terminal();
  const std::size_t steps_;
  std::size_t done_ = 0;
};

}  // namespace planner

#endif  // PLANNER_PROGRESS_HPP
