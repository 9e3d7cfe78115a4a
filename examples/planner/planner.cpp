// SPDX-License-Identifier: MIT
// Which batching policy, with which settings, for how long a model takes and how requests come: simulates
// the very policies of the library. `planner --help` shows the options.

#include "evaluation.hpp"
#include "options.hpp"
#include "plot.hpp"
#include "progress.hpp"
#include "report.hpp"

#include <cstddef>
#include <cstdio>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void run(const planner::Options& options) {
  planner::check(options);
  if (options.json) planner::check_writable("--json", *options.json);
  if (options.plot) planner::check_writable("--plot", *options.plot);
  std::vector<planner::Row> rows;
  std::vector<planner::Curve> curves;
  {
    planner::Progress progress(planner::work(options));
    rows = planner::evaluate(options, progress);
    if (options.plot) curves = planner::sweep(options, progress);
  }
  if (options.json) planner::write_file(*options.json, planner::json(rows));
  if (options.plot) planner::write_file(*options.plot, planner::plot(options, curves));
  std::fputs(planner::table(options, rows).c_str(), stdout);
}

// One line, whatever a file or an argument held.
int fail(std::string message, int code) {
  for (char& character : message) {
    if (static_cast<unsigned char>(character) < ' ' || character == '\x7f') character = '?';
  }
  std::fprintf(stderr, "planner: %s\n", message.c_str());
  return code;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const auto given = static_cast<std::size_t>(count < 1 ? 0 : count - 1);
    const planner::Options options =
        planner::parse_options(std::span<const char* const>(arguments + 1, given));
    if (options.help) {
      std::fputs(planner::usage(), stdout);
      return 0;
    }
    run(options);
    return 0;
  } catch (const std::invalid_argument& error) {
    return fail(error.what(), 2);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}
