// SPDX-License-Identifier: MIT
#ifndef DIGITS_OPTIONS_HPP
#define DIGITS_OPTIONS_HPP

#include "load_generator.hpp"
#include "measurement.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

namespace digits {

enum class BackendKind { packed, onednn };

struct Options {
  BackendKind backend = BackendKind::packed;
  ClosedLoop load;
  Serving serving;
  Limit limit;
  std::size_t rounds = 5;
  std::filesystem::path data = DIGITS_DATA_DIR;
  std::optional<std::filesystem::path> json;
  bool quiet = false;
  bool help = false;
};

/// A bad argument. The message is one line: the option, its value, what is allowed.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads the arguments after the program's name, as `--name value` or `--name=value`. Throws
/// UsageError.
Options parse_options(std::span<const char* const> arguments);

/// What `--help` prints.
std::string usage();

}  // namespace digits

#endif  // DIGITS_OPTIONS_HPP
