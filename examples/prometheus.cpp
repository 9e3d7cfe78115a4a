// SPDX-License-Identifier: MIT
// What Prometheus would scrape from a program with two batchers: answer GET /metrics with this text
// and the content type kPrometheusContentType, by whatever speaks HTTP in your program.

#include <batchwright/batchwright.hpp>
#include <batchwright/integration/prometheus.hpp>

#include <cstdio>
#include <future>
#include <span>
#include <string>
#include <vector>

int main() {
  auto embed = [](std::span<const std::string> texts) {
    std::vector<std::size_t> lengths;
    for (const std::string& text : texts) lengths.push_back(text.size());
    return lengths;
  };
  auto rank = [](std::span<const double> scores) {
    return std::vector<double>(scores.begin(), scores.end());
  };
  batchwright::DynamicBatcher<std::string, std::size_t> embedder(embed);
  batchwright::DynamicBatcher<double, double> ranker(rank, {.max_batch_size = 8});

  std::vector<std::future<std::size_t>> lengths;
  for (int i = 0; i < 100; ++i) lengths.push_back(embedder.submit("text " + std::to_string(i)));
  for (auto& length : lengths)
    static_cast<void>(ranker.submit(static_cast<double>(length.get())).get());

  const std::string text = batchwright::prometheus_text(
      {{"embedder", embedder.metrics()}, {"ranker", ranker.metrics()}});
  std::printf("%s", text.c_str());
  return text.find("answered_total{batcher=\"ranker\",outcome=\"ok\"} 100\n") == std::string::npos;
}
