// SPDX-License-Identifier: MIT
// What Prometheus would scrape from a program with two batchers, one of which counts by customer: answer
// GET /metrics with this text and the content type kPrometheusContentType, by whatever speaks HTTP in
// your program.

#include <batchwright/batchwright.hpp>
#include <batchwright/integration/prometheus.hpp>

#include <cstdio>
#include <future>
#include <span>
#include <string>
#include <vector>

struct Text {
  std::string customer;
  std::string words;
};

int main() {
  auto embed = [](std::span<const Text> texts) {
    std::vector<std::size_t> lengths;
    for (const Text& text : texts) lengths.push_back(text.words.size());
    return lengths;
  };
  auto rank = [](std::span<const double> scores) {
    return std::vector<double>(scores.begin(), scores.end());
  };
  batchwright::DynamicBatcher<Text, std::size_t> embedder(
      embed, {.tenant = [](const Text& text) { return text.customer; },
              .name = "embedder",
              .metrics = {.per_tenant = true, .max_classes = 20}});
  batchwright::DynamicBatcher<double, double> ranker(rank, {.max_batch_size = 8, .name = "ranker"});

  std::vector<std::future<std::size_t>> lengths;
  for (int i = 0; i < 100; ++i) {
    lengths.push_back(
        embedder.submit(Text{i % 4 == 0 ? "acme" : "example", "text " + std::to_string(i)}));
  }
  for (auto& length : lengths) {
    static_cast<void>(ranker.submit(static_cast<double>(length.get())).get());
  }

  const std::string text = batchwright::prometheus_text({embedder.metrics(), ranker.metrics()});
  std::printf("%s", text.c_str());
  const auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
  return has("answered_total{batcher=\"ranker\",outcome=\"ok\"} 100\n") &&
                 has("accepted_total{batcher=\"embedder\",tenant=\"acme\"} 25\n")
             ? 0
             : 1;
}
