// SPDX-License-Identifier: MIT
#ifndef PLANNER_REPORT_HPP
#define PLANNER_REPORT_HPP

#include "evaluation.hpp"

#include <string>
#include <vector>

namespace planner {

/// A table for people, and what it says.
std::string table(const Options& options, const std::vector<Row>& rows);

/// An array with one object for each policy: `policy`, milliseconds, requests a second, a count.
std::string json(const std::vector<Row>& rows);

/// Throws std::invalid_argument, with the option, if the file could not be written now. Leaves what is
/// there, and no new file.
void check_writable(const std::string& option, const std::string& path);

/// Throws std::invalid_argument if the file cannot be written.
void write_file(const std::string& path, const std::string& text);

/// `number` with so many digits behind the point, the same in every locale.
std::string fixed(double number, int decimals);

}  // namespace planner

#endif  // PLANNER_REPORT_HPP
