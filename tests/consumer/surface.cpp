// SPDX-License-Identifier: MIT
// Every line of the public surface, as a program that uses the library writes it.
#include <batchwright/batchwright.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct Image {
  std::vector<int> pixels;
};

struct Label {
  int value = 0;
};

std::vector<Label> predict(std::span<const Image> images) {
  std::vector<Label> labels;
  labels.reserve(images.size());
  for (const Image& image : images) labels.push_back({image.pixels.front() * 2});
  return labels;
}

// A coroutine that starts at once and that nobody awaits.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

using Batcher = batchwright::DynamicBatcher<Image, Label>;

Detached ask(Batcher& batcher, Image image, std::promise<int>& answer) {
  Label l = co_await batcher.predict(image);
  answer.set_value(l.value);
}

}  // namespace

int main() {
  Image image{{21}};
  std::stop_source source;
  std::stop_token token = source.get_token();
  const auto now = std::chrono::steady_clock::now();
  std::promise<int> called;
  std::promise<int> awaited;
  bool right = true;

  batchwright::DynamicBatcher<Image, Label> batcher(
      predict, {.max_batch_size = 32, .policy = batchwright::HybridPolicy{.max_wait = 2ms}});

  std::future<Label> label = batcher.submit(image);
  right = right && label.get().value == 42;

  std::future<Label> urgent =
      batcher.submit(image, {.priority = 5, .deadline = now + 20s, .stop = token});
  right = right && urgent.get().value == 42;

  batchwright::Ticket<Label> t = batcher.submit(image, batchwright::use_ticket);
  right = right && t.get().value == 42;

  batcher.submit(image, [&called](batchwright::Result<Label> r) {
    called.set_value(r ? r.value().value : -1);
  });
  right = right && called.get_future().get() == 42;

  ask(batcher, image, awaited);
  right = right && awaited.get_future().get() == 42;

  const std::vector<Image> images(3, image);
  const Label waited_for = batcher.predict_and_wait(images.front(), {.deadline = now + 20s});
  static_cast<void>(waited_for);
  std::future<std::vector<Label>> rows = batcher.submit_rows(images, {.deadline = now + 20s});
  right = right && rows.get().at(2).value == 42;

  batchwright::Ticket<std::vector<Label>> joined =
      batcher.submit_rows(images, batchwright::use_ticket);
  right = right && joined.get().size() == 3;

  std::promise<std::size_t> counted;
  batcher.submit_rows(images, [&counted](batchwright::Result<std::vector<Label>> r) {
    counted.set_value(r ? r.value().size() : 0);
  });
  right = right && counted.get_future().get() == 3;

  if (auto admitted = batcher.try_submit_rows(images)) {
    right = right && (*admitted).get().size() == 3;
  } else {
    right = false;
  }

  if (auto admitted = batcher.try_submit(std::move(image))) {
    right = right && (*admitted).get().value == 42;
  } else {
    right = false;
  }

  auto pool =
      std::make_shared<batchwright::ExecutorPool>(batchwright::ExecutorPoolOptions{.executors = 2});
  batchwright::DynamicBatcher<Image, Label> pooled(
      batchwright::shared_predictor(batchwright::isolating(predict)),
      {.pool = pool,
       .pool_share = 2,
       .preserve_order = batchwright::PreserveOrder::yes,
       .lane = [](const Image& input) { return input.pixels.size(); },
       .coalesce =
           batchwright::coalesce_by<Label>([](const Image& input) { return input.pixels[0]; }),
       .forecast = batchwright::Forecast::refuse,
       .warm_up = {[] { return Image{{1}}; }}});
  pooled.replace_predictor(batchwright::shared_predictor(predict));
  pooled.reconfigure({.max_batch_size = 8, .policy = batchwright::GreedyPolicy{}});
  pooled.reconfigure({.policy = batchwright::AutoPolicy{.objective = 10s}});
  right = right && pooled.submit(Image{{21}}).get().value == 42;
  right = right && pooled.metrics().shared == 0;

  std::puts(right ? "every line of the public surface works" : "a wrong answer");
  return right ? 0 : 1;
}
