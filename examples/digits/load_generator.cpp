// SPDX-License-Identifier: MIT
#include "load_generator.hpp"

#include <batchwright/batchwright.hpp>

#include <algorithm>
#include <barrier>
#include <random>
#include <thread>
#include <utility>

namespace digits {
namespace {

using Batcher = batchwright::DynamicBatcher<Image, Prediction>;
using Ticket = batchwright::Ticket<Prediction>;

float milliseconds(Clock::duration duration) {
  return static_cast<float>(Milliseconds(duration).count());
}

/// A batcher with room for `outstanding` requests. Executor i appends to (*logs)[i], if there is
/// one, just before it computes: who holds all answers may read the logs.
Batcher make_batcher(const Testbed& testbed, const Serving& serving, std::size_t outstanding,
                     std::vector<BatchLog>* logs = nullptr) {
  auto factory = [&testbed, logs](std::size_t executor) {
    return [predict = testbed.backend.make_predict(),
            log = logs != nullptr ? &(*logs)[executor] : nullptr](
               std::span<const Image> images, std::span<Prediction> predictions) {
      if (log != nullptr) log->push_back(static_cast<std::uint32_t>(images.size()));
      predict(images, predictions);
    };
  };
  return Batcher(batchwright::predictor_per_executor(std::move(factory)),
                 {.max_batch_size = serving.max_batch,
                  .policy = serving.policy,
                  .executors = serving.executors,
                  .capacity = outstanding});
}

/// One thread that sends requests and takes its answers in order.
class Client {
 public:
  Client(const Testbed& testbed, Batcher& batcher, std::size_t window, std::size_t first_image)
      : testbed_(testbed), batcher_(batcher), ring_(window), next_image_(first_image) {}

  /// Fills the window and empties it, so that pools and caches are warm.
  void warm_up() {
    for (Pending& pending : ring_) submit(pending, Clock::now());
    for (Pending& pending : ring_) receive(pending);
    sample_.latencies_ms.clear();
    sample_.latencies_ms.reserve(1 << 16);
  }

  Sample run(Budget& budget, Clock::time_point start) {
    Clock::time_point now = start;
    std::size_t outstanding = 0;
    for (Pending& pending : ring_) {
      if (!budget.take(now)) break;
      submit(pending, now = Clock::now());
      ++outstanding;
    }
    for (std::size_t oldest = 0; outstanding > 0; oldest = (oldest + 1) % ring_.size()) {
      now = receive(ring_[oldest]);
      if (outstanding == ring_.size() && budget.take(now)) {
        submit(ring_[oldest], now);
      } else {
        --outstanding;
      }
    }
    sample_.seconds = std::chrono::duration<double>(now - start).count();
    return std::move(sample_);
  }

 private:
  struct Pending {
    Ticket ticket;
    std::size_t image = 0;
    Clock::time_point submitted{};
  };

  void submit(Pending& pending, Clock::time_point now) {
    pending.image = next_image_;
    pending.submitted = now;
    pending.ticket = batcher_.submit(testbed_.test.images[next_image_], batchwright::use_ticket);
    next_image_ = (next_image_ + 1) % testbed_.test.images.size();
  }

  Clock::time_point receive(Pending& pending) {
    const batchwright::Result<Prediction> result = pending.ticket.result();
    const Clock::time_point now = Clock::now();
    if (!result) {
      ++sample_.failures;
      return now;
    }
    sample_.latencies_ms.push_back(milliseconds(now - pending.submitted));
    sample_.mismatches += !testbed_.matches(pending.image, *result);
    return now;
  }

  const Testbed& testbed_;
  Batcher& batcher_;
  std::vector<Pending> ring_;
  std::size_t next_image_;
  Sample sample_;
};

/// Waits for an instant more precisely than a sleep alone, without holding the core from others.
void wait_until(Clock::time_point instant) {
  constexpr std::chrono::microseconds kLateness(200);  // Of a sleep, on an ordinary machine.
  if (instant - Clock::now() > kLateness) std::this_thread::sleep_until(instant - kLateness);
  while (Clock::now() < instant) std::this_thread::yield();
}

}  // namespace

ClosedLoopSample run_closed_loop(const Testbed& testbed, const ClosedLoop& load,
                                 const Serving& serving, const Limit& limit) {
  std::vector<BatchLog> logs(serving.executors);
  for (BatchLog& log : logs) log.reserve(1 << 16);
  Batcher batcher = make_batcher(testbed, serving, load.clients * load.window, &logs);

  Budget budget(limit);
  Clock::time_point start;
  const auto on_start = [&]() noexcept {
    for (BatchLog& log : logs) log.clear();
    budget.start(start = Clock::now());
  };
  std::barrier barrier(static_cast<std::ptrdiff_t>(load.clients), on_start);

  std::vector<Sample> samples(load.clients);
  run_on_threads(load.clients, [&](std::size_t index) {
    Client client(testbed, batcher, load.window, index * testbed.test.images.size() / load.clients);
    client.warm_up();
    barrier.arrive_and_wait();
    samples[index] = client.run(budget, start);
  });
  batcher.shutdown();

  ClosedLoopSample result{{}, std::move(logs)};
  for (const Sample& sample : samples) result.sample.merge(sample);
  return result;
}

OpenLoopSample run_open_loop(const Testbed& testbed, double requests_per_second,
                             const Serving& serving, const Limit& limit, std::uint64_t seed) {
  const auto count = limit.requests.value_or(
      static_cast<std::uint64_t>(requests_per_second * limit.time.count()) + 1);
  std::vector<OpenLoopRequest> requests(count);
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap_s(requests_per_second);
  const std::size_t images = testbed.test.images.size();

  Batcher batcher = make_batcher(testbed, serving, requests.size());
  // Some time for the batcher's threads to settle.
  const Clock::time_point start = Clock::now() + std::chrono::milliseconds(2);
  std::chrono::duration<double> since_start{0.0};
  for (std::size_t i = 0; i < requests.size(); ++i) {
    OpenLoopRequest& request = requests[i];
    since_start += std::chrono::duration<double>(gap_s(random));
    request.intended = start + std::chrono::duration_cast<Clock::duration>(since_start);
    wait_until(request.intended);
    request.submitted = Clock::now();
    const std::size_t image = i % images;
    batcher.submit(testbed.test.images[image],
                   [&testbed, &request, image](batchwright::Result<Prediction> result) {
                     request.answered = Clock::now();
                     request.failed = !result;
                     request.matches = result && testbed.matches(image, *result);
                   });
  }
  batcher.shutdown();  // Answers all of them.

  OpenLoopSample result;
  std::vector<float> lateness;
  Clock::time_point last = start;
  for (const OpenLoopRequest& request : requests) {
    lateness.push_back(milliseconds(request.submitted - request.intended));
    if (request.failed) {
      ++result.sample.failures;
      continue;
    }
    result.sample.mismatches += !request.matches;
    result.sample.latencies_ms.push_back(milliseconds(request.answered - request.intended));
    last = std::max(last, request.answered);
  }
  result.sample.seconds = std::chrono::duration<double>(last - start).count();
  result.lateness_p99_ms = double{quantile(lateness, 0.99)};
  result.requests = std::move(requests);
  return result;
}

std::vector<Prediction> predict_all(const Testbed& testbed, const Serving& serving) {
  const std::vector<Image>& images = testbed.test.images;
  Batcher batcher = make_batcher(testbed, serving, images.size());
  std::vector<Ticket> tickets;
  for (const Image& image : images) {
    tickets.push_back(batcher.submit(image, batchwright::use_ticket));
  }
  std::vector<Prediction> predictions;
  for (Ticket& ticket : tickets) {
    const batchwright::Result<Prediction> result = ticket.result();
    predictions.push_back(result ? *result : Prediction{{}, kClasses});
  }
  return predictions;
}

}  // namespace digits
