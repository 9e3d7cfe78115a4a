// SPDX-License-Identifier: MIT
#include "plot.hpp"

#include "report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>

namespace planner {
namespace {

constexpr double kWidth = 1120;
constexpr double kPanel = 400;  // Width of the drawn area of each of the two.
constexpr double kPlotHeight = 300;
constexpr double kTop = 56;
constexpr double kLeft = 60;
constexpr double kGap = 60;
constexpr double kLegend = 26;  // Height of a row of the legend.
constexpr std::size_t kPerRow = 3;

// Told apart by people who see colours differently, too; those after the eighth are dashed.
constexpr std::array<const char*, 8> kColours = {"#1f77b4", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#555555", "#7b3fb5"};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char character : text) {
    if (character == '&') {
      out += "&amp;";
    } else if (character == '<') {
      out += "&lt;";
    } else if (character == '>') {
      out += "&gt;";
    } else {
      out.push_back(character);
    }
  }
  return out;
}

std::string text_at(double x, double y, const std::string& text, const char* anchor = "middle",
                    int size = 12, bool bold = false) {
  return "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" text-anchor=\"" + anchor +
         "\" font-size=\"" + std::to_string(size) + "\"" + (bold ? " font-weight=\"bold\"" : "") +
         " fill=\"#202124\">" + escaped(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return "<line x1=\"" + fixed(x1, 1) + "\" y1=\"" + fixed(y1, 1) + "\" x2=\"" + fixed(x2, 1) +
         "\" y2=\"" + fixed(y2, 1) + "\" " + style + "/>\n";
}

std::string stroke(std::size_t index) {
  return "stroke=\"" + std::string(kColours[index % kColours.size()]) + "\" stroke-width=\"2\"" +
         (index >= kColours.size() ? " stroke-dasharray=\"6 3\"" : "");
}

std::string label(double number) {
  return fixed(number, number == 0 || number >= 1 ? 0 : (number < 0.1 ? 2 : 1));
}

// 1, 2 or 5 times a power of ten: about `count` steps up to `most`.
double step_of(double most, int count) {
  const double raw = most / count;
  const double unit = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * unit >= raw) return factor * unit;
  }
  return 10 * unit;
}

struct Panel {
  double left;
  const char* title;
  std::vector<double> Curve::*values;
  bool percent = false;  // From 0 to 100, else milliseconds.
};

struct Scale {
  double most_load = 1;
  double least_ms = 1;
  double most_ms = 10;

  double x(double load) const { return load / most_load * kPanel; }
  double y(double ms) const {
    const double part = std::log(std::clamp(ms, least_ms, most_ms) / least_ms);
    return at(part / std::log(most_ms / least_ms));
  }
  double y(const Panel& panel, double value) const {
    return panel.percent ? at(value / 100) : y(value);
  }

 private:
  static double at(double part) { return kTop + kPlotHeight * (1 - part); }
};

// One for both panels, so that they can be compared. What is far above everything else is cut off.
Scale scale_of(const std::vector<Curve>& curves) {
  Scale scale;
  double least = 1e300;
  double most = 0;
  for (const Curve& curve : curves) {
    for (const double load : curve.loads) scale.most_load = std::max(scale.most_load, load);
    for (const double ms : curve.mean_ms) least = std::min(least, ms > 0 ? ms : least);
    for (const double ms : curve.p99_ms) most = std::max(most, ms);
  }
  if (most <= 0) return scale;
  scale.least_ms = std::min(least, most) * 0.8;
  scale.most_ms = std::min(most * 1.2, scale.least_ms * 1000);
  return scale;
}

// The heights that are marked.
std::vector<double> marks(const Panel& panel, const Scale& scale) {
  if (panel.percent) return {0, 20, 40, 60, 80, 100};
  std::vector<double> heights;
  for (double power = std::pow(10, std::floor(std::log10(scale.least_ms))); power <= scale.most_ms;
       power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double ms = factor * power;
      if (ms >= scale.least_ms && ms <= scale.most_ms) heights.push_back(ms);
    }
  }
  return heights;
}

std::string axes(const Panel& panel, const Scale& scale, const Options& options) {
  std::string out = text_at(panel.left + kPanel / 2, kTop - 12, panel.title, "middle", 13, true);
  const double bottom = kTop + kPlotHeight;
  constexpr const char* kGrid = "stroke=\"#dadce0\"";
  for (const double mark : marks(panel, scale)) {
    const double y = scale.y(panel, mark);
    out += line(panel.left, y, panel.left + kPanel, y, kGrid);
    out += text_at(panel.left - 6, y + 4, label(mark), "end", 11);
  }
  const double step = step_of(scale.most_load, 6);
  for (double load = 0; load <= scale.most_load * 1.0001; load += step) {
    const double x = panel.left + scale.x(load);
    out += line(x, kTop, x, bottom, kGrid);
    out += text_at(x, bottom + 16, label(load), "middle", 11);
  }
  const bool closed = options.workload.clients().has_value();
  out += text_at(panel.left + kPanel / 2, bottom + 34, closed ? "clients" : "requests a second");
  const double given = closed ? static_cast<double>(*options.workload.clients())
                              : options.workload.rate_hz().value_or(0);
  if (given <= scale.most_load) {
    const double x = panel.left + scale.x(given);
    out += line(x, kTop, x, bottom, "stroke=\"#202124\" stroke-dasharray=\"2 3\"");
    const bool to_the_left = given > scale.most_load * 0.8;
    out +=
        text_at(x + (to_the_left ? -4 : 4), kTop + 12, "given", to_the_left ? "end" : "start", 11);
  }
  if (options.objective && !panel.percent) {
    const double ms = static_cast<double>(options.objective->count()) / 1e6;
    if (ms >= scale.least_ms && ms <= scale.most_ms) {
      out += line(panel.left, scale.y(ms), panel.left + kPanel, scale.y(ms),
                  "stroke=\"#b3261e\" stroke-dasharray=\"6 4\"");
      out += text_at(panel.left + 4, scale.y(ms) - 4, "objective", "start", 11);
    }
  }
  return out;
}

std::string lines(const Panel& panel, const Scale& scale, const std::vector<Curve>& curves) {
  std::string out;
  for (std::size_t i = curves.size(); i-- > 0;) {  // Where they agree the first is seen.
    out += "<polyline fill=\"none\" " + stroke(i) + " points=\"";
    const std::vector<double>& values = curves[i].*panel.values;
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (values[k] <= 0 && !panel.percent) continue;  // Nothing was answered.
      out += fixed(panel.left + scale.x(curves[i].loads[k]), 1) + "," +
             fixed(scale.y(panel, values[k]), 1) + " ";
    }
    out += "\"><title>" + escaped(curves[i].policy) + "</title></polyline>\n";
  }
  return out;
}

}  // namespace

std::string plot(const Options& options, const std::vector<Curve>& curves) {
  const Scale scale = scale_of(curves);
  const std::size_t rows = (curves.size() + kPerRow - 1) / kPerRow;
  const double legend_top = kTop + kPlotHeight + 62;
  const double height = legend_top + kLegend * static_cast<double>(rows);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + fixed(kWidth, 0) +
                    " " + fixed(height, 0) + "\" font-family=\"sans-serif\">\n" + "<rect width=\"" +
                    fixed(kWidth, 0) + "\" height=\"" + fixed(height, 0) +
                    "\" fill=\"#ffffff\"/>\n";
  const double left = (kWidth - 2 * kPanel - kGap - kLeft) / 2 + kLeft;
  out += text_at(left - kLeft + 16, 22,
                 options.deadlines
                     ? "Answers in time, and their latency in milliseconds, against the load"
                     : "Latency in milliseconds against the load",
                 "start", 15, true);
  const Panel first = options.deadlines
                          ? Panel{left, "answered in time, %", &Curve::in_time_percent, true}
                          : Panel{left, "mean", &Curve::mean_ms};
  for (const Panel& panel : {first, Panel{left + kPanel + kGap, "p99", &Curve::p99_ms}}) {
    out += axes(panel, scale, options) + lines(panel, scale, curves);
  }
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const double x = left + static_cast<double>(i % kPerRow) * (2 * kPanel + kGap) / kPerRow;
    const double y = legend_top + kLegend * static_cast<double>(i / kPerRow);
    out += line(x, y, x + 24, y, stroke(i).c_str());
    out += text_at(x + 30, y + 4, curves[i].policy, "start");
  }
  return out + "</svg>\n";
}

}  // namespace planner
