// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_BENCHMARKS_SUPPORT_USAGE_HPP
#define BATCHWRIGHT_BENCHMARKS_SUPPORT_USAGE_HPP

#include <ctime>
#include <fstream>
#include <string>
#include <sys/resource.h>

namespace benchmarks {

/// What threads have used of the machine.
struct Usage {
  double cpu_seconds = 0;
  double switches = 0;  ///< Context switches, voluntary or not.

  friend Usage operator-(const Usage& later, const Usage& earlier) {
    return {later.cpu_seconds - earlier.cpu_seconds, later.switches - earlier.switches};
  }
};

inline Usage usage_of(int who, clockid_t clock) {
  timespec cpu{};
  clock_gettime(clock, &cpu);
  rusage usage{};
  getrusage(who, &usage);
  return {static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) * 1e-9,
          static_cast<double>(usage.ru_nvcsw + usage.ru_nivcsw)};
}

/// Of all threads of the process, those that have ended among them.
inline Usage process_usage() { return usage_of(RUSAGE_SELF, CLOCK_PROCESS_CPUTIME_ID); }

/// Of the calling thread.
inline Usage thread_usage() {
#if defined(RUSAGE_THREAD)
  return usage_of(RUSAGE_THREAD, CLOCK_THREAD_CPUTIME_ID);
#else
  return {};
#endif
}

/// The process's resident memory in KiB, exactly; 0 where the system does not tell.
inline double resident_kib() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string word; file >> word;) {
    if (word == "Rss:") {
      double kib = 0;
      file >> kib;
      return kib;
    }
  }
  return 0;
}

}  // namespace benchmarks

#endif  // BATCHWRIGHT_BENCHMARKS_SUPPORT_USAGE_HPP
