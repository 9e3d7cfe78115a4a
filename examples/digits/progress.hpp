// SPDX-License-Identifier: MIT
#ifndef DIGITS_PROGRESS_HPP
#define DIGITS_PROGRESS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace digits {

/// One line on stderr that says what runs. On a terminal it is rewritten in place and cleared at
/// the end; elsewhere, as in a log, a line appears now and then.
class Progress {
 public:
  Progress(bool enabled, std::size_t steps)
      : enabled_(enabled), steps_(std::max<std::size_t>(steps, 1)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (enabled_ && terminal_) std::fprintf(stderr, "\r\033[K");
  }

  /// Another step begins.
  void step(const std::string& what) {
    const std::size_t percent = 100 * done_ / steps_;
    ++done_;
    if (!enabled_) return;
    if (terminal_) {
      std::fprintf(stderr, "\r\033[K%3zu %%  %s", percent, what.c_str());
    } else if (percent >= next_log_) {
      std::fprintf(stderr, "%3zu %%  %s\n", percent, what.c_str());
      next_log_ = percent + 20;
    }
    std::fflush(stderr);
  }

 private:
  static bool is_terminal() {
#if __has_include(<unistd.h>)
    return isatty(fileno(stderr)) != 0;
#else
    return false;
#endif
  }

  const bool enabled_;
  const bool terminal_ = is_terminal();
  const std::size_t steps_;
  std::size_t done_ = 0;
  std::size_t next_log_ = 0;
};

}  // namespace digits

#endif  // DIGITS_PROGRESS_HPP
