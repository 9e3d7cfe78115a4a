// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace digits {
namespace {

// Each client is a thread.
constexpr std::size_t kMaxClients = 4096;
constexpr std::size_t kMaxWindow = 65536;
constexpr std::size_t kMaxOutstanding = 1 << 20;
constexpr std::size_t kMaxBatch = 4096;
constexpr std::size_t kMaxExecutors = 256;

[[noreturn]] void refuse(std::string_view option, const std::string& allowed,
                         std::string_view value) {
  throw UsageError(std::string(option) + " must be " + allowed + ", got '" + std::string(value) +
                   "'");
}

std::size_t whole_number(std::string_view option, std::string_view value, std::size_t high) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < 1 || number > high) {
    refuse(option, "a whole number from 1 to " + std::to_string(high), value);
  }
  return number;
}

std::chrono::duration<double> seconds(std::string_view option, const std::string& value) {
  char* end = nullptr;
  const double number = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || !(number >= 0.01 && number <= 60.0)) {
    refuse(option, "a number of seconds from 0.01 to 60", value);
  }
  return std::chrono::duration<double>(number);
}

BackendKind backend_kind(std::string_view option, std::string_view value) {
  if (value == "packed") return BackendKind::packed;
  if (value == "onednn") {
#if DIGITS_HAS_ONEDNN
    return BackendKind::onednn;
#else
    refuse(option, "packed (this program was built without oneDNN)", value);
#endif
  }
  refuse(option, "packed or onednn", value);
}

}  // namespace

Options parse_options(std::span<const char* const> arguments) {
  Options options;
  bool has_seconds = false;
  while (!arguments.empty()) {
    std::string_view name = arguments.front();
    arguments = arguments.subspan(1);
    std::optional<std::string_view> attached;
    if (const std::size_t equals = name.find('='); equals != name.npos) {
      attached = name.substr(equals + 1);
      name = name.substr(0, equals);
    }
    const auto value = [&]() -> std::string {
      if (attached) return std::string(*std::exchange(attached, std::nullopt));
      if (arguments.empty()) throw UsageError(std::string(name) + " needs a value");
      const char* next = arguments.front();
      arguments = arguments.subspan(1);
      return next;
    };
    const auto path = [&]() -> std::filesystem::path {
      const std::string given = value();
      if (given.empty()) refuse(name, "a path", given);
      return given;
    };

    if (name == "--backend") {
      options.backend = backend_kind(name, value());
    } else if (name == "--clients") {
      options.load.clients = whole_number(name, value(), kMaxClients);
    } else if (name == "--window") {
      options.load.window = whole_number(name, value(), kMaxWindow);
    } else if (name == "--max-batch") {
      options.serving.max_batch = whole_number(name, value(), kMaxBatch);
    } else if (name == "--executors") {
      options.serving.executors = whole_number(name, value(), kMaxExecutors);
    } else if (name == "--seconds") {
      options.limit.time = seconds(name, value());
      has_seconds = true;
    } else if (name == "--requests") {
      options.limit.requests = whole_number(name, value(), 1'000'000);
    } else if (name == "--rounds") {
      options.rounds = whole_number(name, value(), 1000);
    } else if (name == "--data") {
      options.data = path();
    } else if (name == "--json") {
      options.json = path();
    } else if (name == "--quiet") {
      options.quiet = true;
    } else if (name == "--help" || name == "-h") {
      options.help = true;
    } else {
      throw UsageError("unknown option '" + std::string(name) + "'; --help lists them");
    }
    if (attached) throw UsageError(std::string(name) + " takes no value");
  }
  if (has_seconds && options.limit.requests) {
    throw UsageError("--seconds and --requests exclude each other");
  }
  if (options.load.clients * options.load.window > kMaxOutstanding) {
    refuse("--clients times --window", "at most " + std::to_string(kMaxOutstanding),
           std::to_string(options.load.clients * options.load.window));
  }
  return options;
}

std::string usage() {
  return "Usage: digits [options]\n"
         "Recognises handwritten digits with and without batching, and compares.\n\n"
         "  --backend packed|onednn  what computes the network (packed)\n"
         "  --clients N              client threads (4)\n"
         "  --window N               requests each of them keeps outstanding (32)\n"
         "  --max-batch N            largest batch (32)\n"
         "  --executors N            threads that compute batches (1)\n"
         "  --seconds S              length of one measurement (0.4)\n"
         "  --requests N             end a measurement after N requests instead\n"
         "  --rounds N               how often each is repeated; medians are reported (5)\n"
         "  --data DIR               where digits_mlp.bin and digits_images.bin are\n"
         "                           (" DIGITS_DATA_DIR
         ")\n"
         "  --json FILE              write the figures to FILE\n"
         "  --quiet                  print nothing but what is wrong\n\n"
         "Exit code 0: all is well. 1: a prediction differs from the one without batching, or\n"
         "accuracy is below 97 %. 2: bad arguments or data files.\n";
}

}  // namespace digits
