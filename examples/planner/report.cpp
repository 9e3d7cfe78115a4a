// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <system_error>

namespace planner {
namespace {

// At least one space before it, so that columns never touch.
std::string right(std::string text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 1, ' ') + std::move(text);
}

std::string left(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string shortest(double number) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
}

// Names have no control characters: the parser of policies lets none through.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') out.push_back('\\');
    out.push_back(character);
  }
  return out + "\"";
}

// What a measured curve makes doubtful.
std::string about_curve(const Options& options) {
  if (!options.measured) return {};
  const auto& points = options.measured->points();
  std::string text;
  const auto fall = std::adjacent_find(
      points.begin(), points.end(), [](const auto& a, const auto& b) { return b.time < a.time; });
  if (fall != points.end() && fall->size < options.max_batch) {
    text += "of the measured times that of size " + std::to_string(fall[1].size) +
            " is below that of size " + std::to_string(fall->size) +
            ": if that is noise, measure them again\n";
  }
  const std::size_t last = points.back().size;
  if (last < options.max_batch) {
    text += "sizes above " + std::to_string(last) + " were not measured: --max-batch " +
            std::to_string(options.max_batch) + " guesses their times from the last two\n";
  }
  return text;
}

// Rates are counted from the first arrival to the last. An overload can be over before a batch is.
std::string about_window(const Options& options, const std::vector<Row>& rows) {
  constexpr double kBatches = 20;
  const Row* worst = nullptr;
  double worst_batches = kBatches;
  double batch_ms = 0;
  for (const Row& row : rows) {
    const auto size = static_cast<std::size_t>(std::llround(row.mean_batch));
    const double ms =
        static_cast<double>(options.curve(size > 0 ? size : options.max_batch).count()) / 1e6;
    if (row.window_ms / ms >= worst_batches) continue;
    worst = &row;
    worst_batches = row.window_ms / ms;
    batch_ms = ms;
  }
  if (worst == nullptr) return {};
  const double needed = static_cast<double>(options.requests) * kBatches / worst_batches;
  return "goodput/s and answers/s may be off by a batch or more: they were counted for " +
         fixed(worst->window_ms, 1) +
         " ms, from the arrival of the first measured request to that of the last, and a batch "
         "takes " +
         fixed(batch_ms, 1) + " ms; --requests " +
         (needed < 1e8 ? fixed(std::ceil(needed / 1000) * 1000, 0)
                       : std::string("as large as can be")) +
         " would do\n";
}

std::string verdict(const Options& options, const std::vector<Row>& rows) {
  // Nothing was answered at once: it was not answered.
  const auto least = [&](double Row::*figure) {
    const auto of = [figure](const Row& row) {
      return row.answered > 0 ? row.*figure : std::numeric_limits<double>::infinity();
    };
    const auto best = std::min_element(rows.begin(), rows.end(),
                                       [of](const Row& a, const Row& b) { return of(a) < of(b); });
    return best->answered > 0 ? best->policy : "none answers anything";
  };
  std::string text;
  if (!options.deadlines) {  // Else who drops the most would be the fastest.
    text += "lowest mean: " + least(&Row::mean_ms) + "\n";
    text += "lowest p99:  " + least(&Row::p99_ms) + "\n";
  }
  if (options.objective) {
    const double objective_ms = static_cast<double>(options.objective->count()) / 1e6;
    const Row& best = *std::max_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      return a.goodput_hz < b.goodput_hz;
    });
    const auto keeps = std::count_if(rows.begin(), rows.end(), [objective_ms](const Row& row) {
      return row.answered > 0 && row.p99_ms <= objective_ms;
    });
    text += "most within " + shortest(objective_ms) +
            " ms: " + (best.goodput_hz > 0 ? best.policy : "none answers anything") + "\n";
    if (!options.deadlines) {
      text += std::to_string(keeps) + " of " + std::to_string(rows.size()) + " keep p99 below it\n";
    }
  }
  const double capacity = capacity_hz(options.curve, options.max_batch, options.executors);
  const auto rate = options.workload.rate_hz();
  if (rate && *rate >= capacity) {
    text += "the " + fixed(*rate, 1) + " requests a second are more than the " +
            fixed(capacity, 1) + " that the best batches give: not all can be answered\n";
  }
  return text + about_curve(options) + about_window(options, rows);
}

}  // namespace

std::string fixed(double number, int decimals) {
  std::array<char, 400> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number,
                                     std::chars_format::fixed, decimals)
                           .ptr};
}

std::string table(const Options& options, const std::vector<Row>& rows) {
  std::size_t width = 6;
  for (const Row& row : rows) width = std::max(width, row.policy.size());
  std::string text = left("policy", width);
  for (const char* const heading :
       {"mean ms", "p50 ms", "p99 ms", "goodput/s", "answers/s", "batch", "dropped"}) {
    text += right(heading, 11);
  }
  text += "\n";
  for (const Row& row : rows) {
    text += left(row.policy, width);
    for (const double ms : {row.mean_ms, row.p50_ms, row.p99_ms}) {
      text += right(row.answered > 0 ? fixed(ms, 3) : "-", 11);
    }
    text += right(fixed(row.goodput_hz, 1), 11) + right(fixed(row.throughput_hz, 1), 11) +
            right(fixed(row.mean_batch, 2), 11) + right(std::to_string(row.dropped), 11) + "\n";
  }
  return text + verdict(options, rows);
}

std::string json(const std::vector<Row>& rows) {
  std::string text = "[";
  for (const Row& row : rows) {
    text += text.size() == 1 ? "\n  {" : ",\n  {";
    text += "\"policy\": " + quoted(row.policy);
    text += ", \"mean_ms\": " + shortest(row.mean_ms);
    text += ", \"p50_ms\": " + shortest(row.p50_ms);
    text += ", \"p99_ms\": " + shortest(row.p99_ms);
    text += ", \"goodput\": " + shortest(row.goodput_hz);
    text += ", \"throughput\": " + shortest(row.throughput_hz);
    text += ", \"mean_batch\": " + shortest(row.mean_batch);
    text += ", \"dropped\": " + std::to_string(row.dropped) + "}";
  }
  return text + "\n]\n";
}

void check_writable(const std::string& option, const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  // To open and close a pipe would already be news to its reader.
  if (exists(status) && !is_regular_file(status) && !is_directory(status)) return;
  std::FILE* const file = std::fopen(path.c_str(), "ab");
  if (file == nullptr) {
    const std::string why = std::generic_category().message(errno);
    throw std::invalid_argument(option + " must be a file that can be written, got '" + path +
                                "': " + why);
  }
  std::fclose(file);
  if (!exists(status)) std::filesystem::remove(path, error);
}

void write_file(const std::string& path, const std::string& text) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) throw std::invalid_argument(path + ": cannot be written");
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) {
    throw std::invalid_argument(path + ": cannot be written");
  }
}

}  // namespace planner
