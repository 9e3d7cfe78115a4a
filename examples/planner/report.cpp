// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <stdexcept>

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

std::string verdict(const Options& options, const std::vector<Row>& rows) {
  const auto least = [&](double Row::*figure) {
    return *std::min_element(rows.begin(), rows.end(), [figure](const Row& a, const Row& b) {
      return a.*figure < b.*figure;
    });
  };
  std::string text;
  if (!options.deadlines) {  // Else who drops the most would be the fastest.
    text += "lowest mean: " + least(&Row::mean_ms).policy + "\n";
    text += "lowest p99:  " + least(&Row::p99_ms).policy + "\n";
  }
  if (options.objective) {
    const double objective_ms = static_cast<double>(options.objective->count()) / 1e6;
    const Row& best = *std::max_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      return a.goodput_hz < b.goodput_hz;
    });
    const auto keeps = std::count_if(rows.begin(), rows.end(), [objective_ms](const Row& row) {
      return row.p99_ms <= objective_ms;
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
  return text;
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
    text += left(row.policy, width) + right(fixed(row.mean_ms, 3), 11) +
            right(fixed(row.p50_ms, 3), 11) + right(fixed(row.p99_ms, 3), 11) +
            right(fixed(row.goodput_hz, 1), 11) + right(fixed(row.throughput_hz, 1), 11) +
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

void write_file(const std::string& path, const std::string& text) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) throw std::invalid_argument(path + ": cannot be written");
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) {
    throw std::invalid_argument(path + ": cannot be written");
  }
}

}  // namespace planner
