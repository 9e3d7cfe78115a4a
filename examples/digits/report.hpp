// SPDX-License-Identifier: MIT
#ifndef DIGITS_REPORT_HPP
#define DIGITS_REPORT_HPP

#include "experiment.hpp"

#include <cstdio>

namespace digits {

/// The tables and the bar chart for a reader at a terminal.
void print_report(std::FILE* out, const Testbed& testbed, const Plan& plan,
                  const Findings& findings);

/// The same figures as one JSON object.
void write_json(std::FILE* out, const Testbed& testbed, const Plan& plan, const Findings& findings);

}  // namespace digits

#endif  // DIGITS_REPORT_HPP
