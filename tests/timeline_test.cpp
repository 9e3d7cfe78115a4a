// SPDX-License-Identifier: MIT
#include "tests/support/allocations.hpp"
#include "tests/support/json.hpp"
#include "tests/support/shell.hpp"

#include <batchwright/timeline.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace batchwright_test;
using batchwright::AnsweredEvent;
using batchwright::BatchFormedEvent;
using batchwright::Outcome;
using batchwright::ReleaseReason;
using batchwright::TimelineRecorder;
using batchwright::TimePoint;

constexpr TimePoint kStart{10ms};

BatchFormedEvent formed(std::uint64_t id, std::size_t executor, TimePoint at,
                        std::size_t count = 1) {
  return {.batch_id = id,
          .executor = executor,
          .count = count,
          .size = count,
          .reason = ReleaseReason::greedy,
          .oldest = at,
          .dispatched = at};
}

AnsweredEvent answered(std::uint64_t batch, std::size_t executor, TimePoint started, TimePoint at) {
  return {.enqueued = started,
          .started = started,
          .answered = at,
          .batch_id = batch,
          .executor = executor};
}

std::vector<Json> events(const TimelineRecorder& recorder) {
  return JsonParser::parse(recorder.json())["traceEvents"].items;
}

std::vector<Json> events(const TimelineRecorder& recorder, const std::string& category,
                         const std::string& phases) {
  std::vector<Json> chosen;
  for (const Json& event : events(recorder)) {
    if (event["cat"].text == category && phases.find(event["ph"].text) != std::string::npos) {
      chosen.push_back(event);
    }
  }
  return chosen;
}

/// The points of the request with this trace id, in the order of the file, with their times.
std::vector<std::pair<std::string, double>> parts_of(const TimelineRecorder& recorder,
                                                     const std::string& trace_id) {
  std::vector<std::pair<std::string, double>> points;
  std::string id;
  for (const Json& event : events(recorder, "request", "be")) {
    if (event["args"]["trace_id"].text == trace_id) id = event["id"].text;
    if (event["id"].text != id) continue;
    points.emplace_back(event["ph"].text + " " + event["name"].text, event["ts"].number);
  }
  return points;
}

double micros(TimePoint time) {
  return std::chrono::duration<double, std::micro>(time.time_since_epoch()).count();
}

/// The names of the tracks by their ids.
std::map<double, std::string> tracks(const TimelineRecorder& recorder) {
  std::map<double, std::string> names;
  for (const Json& event : events(recorder)) {
    if (event["name"].text != "thread_name") continue;
    EXPECT_TRUE(names.emplace(event["tid"].number, event["args"]["name"].text).second);
  }
  return names;
}

/// What must hold for any timeline: every event is well-formed and on a named track, slices of a
/// request nest and are balanced, slices of a track do not overlap, and flows begin before they end.
void expect_sound(const TimelineRecorder& recorder) {
  const std::map<double, std::string> names = tracks(recorder);
  std::map<std::string, std::vector<std::pair<std::string, double>>> open;  // By the request's id.
  std::set<std::string> seen;
  std::map<double, std::vector<std::pair<double, double>>> slices;
  std::map<double, double> flows;  // The start of each.
  for (const Json& event : events(recorder)) {
    ASSERT_EQ(event["pid"].number, 1);
    ASSERT_TRUE(names.contains(event["tid"].number));
    ASSERT_FALSE(event["name"].text.empty());
    const std::string phase = event["ph"].text;
    const double at = event["ts"].number;
    if (phase == "M") continue;
    ASSERT_TRUE(event.has("ts"));
    if (phase == "X" || phase == "B") {
      ASSERT_TRUE(event["flow_out"].boolean);
      ASSERT_TRUE(flows.emplace(event["bind_id"].number, at).second);
      ASSERT_EQ(event.has("dur"), phase == "X");
      ASSERT_GE(event["dur"].number, 0);
      // What has no end is the last of its track.
      const double end = phase == "X" ? at + event["dur"].number : 1e300;
      slices[event["tid"].number].push_back({at, end});
    } else if (phase == "b") {
      auto& stack = open[event["id"].text];
      ASSERT_TRUE(!stack.empty() || seen.insert(event["id"].text).second);
      stack.push_back({event["name"].text, at});
      if (!event.has("bind_id")) continue;
      ASSERT_TRUE(flows.contains(event["bind_id"].number));
      ASSERT_EQ(flows[event["bind_id"].number], at);
    } else if (phase == "e") {
      auto& stack = open[event["id"].text];
      ASSERT_FALSE(stack.empty());
      ASSERT_EQ(stack.back().first, event["name"].text);
      ASSERT_LE(stack.back().second, at);
      stack.pop_back();
    } else {
      ASSERT_EQ(phase, "i");
    }
  }
  for (const auto& [id, stack] : open) ASSERT_TRUE(stack.empty()) << id;
  for (auto& [track, all] : slices) {
    std::sort(all.begin(), all.end());
    for (std::size_t i = 1; i < all.size(); ++i) {
      // Of doubles in microseconds: a sum may be off by its last digits.
      ASSERT_LE(all[i - 1].second, all[i].first + 1e-6) << names.at(track);
    }
  }
}

// --- What is written
TEST(TimelineRecorder, WritesExactlyThis) {
  TimelineRecorder recorder("rank", 16);
  recorder.on_refused({.trace_id = 9, .at = kStart, .outcome = Outcome::queue_full});
  recorder.on_batch_formed({.batch_id = 1,
                            .executor = 0,
                            .count = 2,
                            .size = 3,
                            .reason = ReleaseReason::time,
                            .oldest = kStart,
                            .dispatched = kStart + 5us});
  recorder.on_answered({.trace_id = 7,
                        .priority = -5,
                        .enqueued = kStart,
                        .started = kStart + 6us,
                        .answered = kStart + 1ms,
                        .deadline = kStart + 999us,
                        .batch_id = 1,
                        .executor = 0});
  recorder.on_answered({.outcome = Outcome::failed,
                        .enqueued = kStart + 1us,
                        .started = kStart + 6us,
                        .answered = kStart + 1ms + 500ns,
                        .batch_id = 1,
                        .executor = 0});
  recorder.on_answered({.outcome = Outcome::expired,
                        .enqueued = kStart,
                        .answered = kStart + 3ms,
                        .deadline = kStart + 3ms});
  EXPECT_EQ(
      recorder.json(),
      R"json({"displayTimeUnit":"ms","otherData":{"batcher":"rank","dropped_events":0},"traceEvents":[
{"ph":"M","name":"process_name","pid":1,"tid":1,"args":{"name":"rank"}},
{"ph":"M","name":"thread_name","pid":1,"tid":1,"args":{"name":"refusals"}},
{"ph":"M","name":"thread_name","pid":1,"tid":2,"args":{"name":"executor 0"}},
{"ph":"X","name":"batch, time","pid":1,"tid":2,"cat":"batch","ts":10006,"dur":994.5,"bind_id":1,"flow_out":true,"args":{"batch":1,"reason":"time","count":2,"size":3,"oldest_waited_us":5,"handed_over_us":1}},
{"ph":"i","name":"queue_full","pid":1,"tid":1,"cat":"refusal","s":"t","ts":10000,"args":{"trace_id":"9"}},
{"ph":"b","name":"request","pid":1,"tid":1,"cat":"request","id":3,"ts":10000,"args":{"outcome":"ok","priority":-5,"trace_id":"7","batch":1,"late":true}},
{"ph":"b","name":"queued","pid":1,"tid":1,"cat":"request","id":3,"ts":10000},
{"ph":"e","name":"queued","pid":1,"tid":1,"cat":"request","id":3,"ts":10006},
{"ph":"b","name":"computed","pid":1,"tid":1,"cat":"request","id":3,"ts":10006,"bind_id":1,"flow_in":true},
{"ph":"e","name":"computed","pid":1,"tid":1,"cat":"request","id":3,"ts":11000},
{"ph":"e","name":"request","pid":1,"tid":1,"cat":"request","id":3,"ts":11000},
{"ph":"b","name":"request","pid":1,"tid":1,"cat":"request","id":4,"ts":10001,"args":{"outcome":"failed","priority":0,"batch":1}},
{"ph":"b","name":"queued","pid":1,"tid":1,"cat":"request","id":4,"ts":10001},
{"ph":"e","name":"queued","pid":1,"tid":1,"cat":"request","id":4,"ts":10006},
{"ph":"b","name":"computed","pid":1,"tid":1,"cat":"request","id":4,"ts":10006,"bind_id":1,"flow_in":true},
{"ph":"e","name":"computed","pid":1,"tid":1,"cat":"request","id":4,"ts":11000.5},
{"ph":"e","name":"request","pid":1,"tid":1,"cat":"request","id":4,"ts":11000.5},
{"ph":"b","name":"request","pid":1,"tid":1,"cat":"request","id":5,"ts":10000,"args":{"outcome":"expired","priority":0,"late":false}},
{"ph":"b","name":"queued","pid":1,"tid":1,"cat":"request","id":5,"ts":10000},
{"ph":"e","name":"queued","pid":1,"tid":1,"cat":"request","id":5,"ts":13000},
{"ph":"e","name":"request","pid":1,"tid":1,"cat":"request","id":5,"ts":13000}
]}
)json");
  expect_sound(recorder);
}

TEST(TimelineRecorder, ShowsThePaddedSizeOfABatchThatIsPadded) {
  TimelineRecorder recorder;
  BatchFormedEvent batch = formed(1, 0, kStart, 3);
  batch.padded_size = 4;
  recorder.on_batch_formed(batch);
  batch = formed(2, 0, kStart, 4);
  batch.padded_size = 4;
  recorder.on_batch_formed(batch);
  const std::vector<Json> batches = events(recorder, "batch", "XB");
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0]["args"]["padded_size"].number, 4);
  EXPECT_FALSE(batches[1]["args"].has("padded_size"));
}

TEST(TimelineRecorder, TakesTheNameOfItsFirstBatcherUnlessItHasOne) {
  TimelineRecorder recorder;
  recorder.on_attached({.name = "rank"});
  recorder.on_attached({.name = "embed"});
  EXPECT_EQ(JsonParser::parse(recorder.json())["otherData"]["batcher"].text, "rank");
  TimelineRecorder named("mine");
  named.on_attached({.name = "rank"});
  EXPECT_EQ(JsonParser::parse(named.json())["otherData"]["batcher"].text, "mine");
}

TEST(TimelineRecorder, OfNothingIsSound) {
  const TimelineRecorder recorder("idle");
  EXPECT_EQ(events(recorder).size(), 2u);
  EXPECT_EQ(recorder.recorded(), 0u);
  EXPECT_EQ(recorder.dropped(), 0u);
  expect_sound(recorder);
}

TEST(TimelineRecorder, IsTheProcessOfItsName) {
  for (const std::string& name :
       {std::string("plain"), std::string("a\"b\\c\nd\x01"), std::string("\xe2\x82\xac")}) {
    const TimelineRecorder recorder(name);
    const Json json = JsonParser::parse(recorder.json());
    EXPECT_EQ(json["otherData"]["batcher"].text, name);
    EXPECT_EQ(json["traceEvents"].items[0]["name"].text, "process_name");
    EXPECT_EQ(json["traceEvents"].items[0]["args"]["name"].text, name);
  }
  EXPECT_EQ(JsonParser::parse(TimelineRecorder("\xff").json())["otherData"]["batcher"].text,
            "\xef\xbf\xbd");
}

TEST(TimelineRecorder, EachRefusalIsAnInstantOfItsOutcome) {
  TimelineRecorder recorder;
  recorder.on_refused({.trace_id = UINT64_MAX, .at = kStart, .outcome = Outcome::too_large});
  recorder.on_refused({.at = kStart + 1us, .outcome = Outcome::stopped});
  const std::vector<Json> refusals = events(recorder, "refusal", "i");
  ASSERT_EQ(refusals.size(), 2u);
  EXPECT_EQ(refusals[0]["name"].text, "too_large");
  EXPECT_EQ(refusals[0]["args"]["trace_id"].text, "18446744073709551615");
  EXPECT_EQ(refusals[1]["name"].text, "stopped");
  EXPECT_FALSE(refusals[1]["args"].has("trace_id"));
  EXPECT_EQ(tracks(recorder).at(refusals[0]["tid"].number), "refusals");
}

TEST(TimelineRecorder, ABatchEndsWithTheLastOfItsAnswersWhateverTheirOrder) {
  TimelineRecorder recorder;
  recorder.on_batch_formed(formed(1, 0, kStart, 3));
  for (const auto end : {3ms, 9ms, 5ms}) {
    recorder.on_answered(answered(1, 0, kStart + 1ms, kStart + end));
  }
  const std::vector<Json> batches = events(recorder, "batch", "XB");
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0]["ts"].number, micros(kStart + 1ms));
  EXPECT_EQ(batches[0]["dur"].number, 8'000);
  EXPECT_EQ(batches[0]["args"]["handed_over_us"].number, 1'000);
  expect_sound(recorder);
}

TEST(TimelineRecorder, ABatchThatLacksAnswersHasNoEnd) {
  TimelineRecorder recorder;
  recorder.on_batch_formed(formed(1, 0, kStart, 2));
  recorder.on_batch_formed(formed(2, 1, kStart, 2));
  recorder.on_answered(answered(1, 0, kStart + 1ms, kStart + 2ms));
  const std::vector<Json> batches = events(recorder, "batch", "XB");
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0]["ph"].text, "B");
  EXPECT_EQ(batches[0]["ts"].number, micros(kStart + 1ms));
  EXPECT_EQ(batches[1]["ph"].text, "B");
  EXPECT_EQ(batches[1]["ts"].number, micros(kStart));
}

TEST(TimelineRecorder, EachExecutorHasItsTrack) {
  TimelineRecorder recorder;
  for (const std::uint64_t id : {1u, 2u, 3u, 4u}) {
    const std::size_t executor = 2 - id % 3;
    const TimePoint at = kStart + std::chrono::milliseconds(id);
    recorder.on_batch_formed(formed(id, executor, at));
    recorder.on_answered(answered(id, executor, at, at + 500us));
  }
  const auto names = tracks(recorder);
  for (const Json& batch : events(recorder, "batch", "X")) {
    const auto id = static_cast<std::uint64_t>(batch["args"]["batch"].number);
    EXPECT_EQ(names.at(batch["tid"].number), "executor " + std::to_string(2 - id % 3));
  }
  EXPECT_EQ(names.size(), 4u);
  expect_sound(recorder);
}

TEST(TimelineRecorder, BatchesOfOneExecutorThatOverlapAreOnTracksOfTheirOwn) {
  TimelineRecorder recorder;
  const auto batch = [&](std::uint64_t id, std::size_t executor, auto from, auto to) {
    recorder.on_batch_formed(formed(id, executor, kStart + from));
    recorder.on_answered(answered(id, executor, kStart + from, kStart + to));
  };
  batch(1, 0, 0ms, 10ms);
  batch(2, 0, 5ms, 15ms);
  batch(3, 0, 10ms, 12ms);
  batch(4, 1, 0ms, 10ms);
  recorder.on_batch_formed(formed(5, 0, kStart + 12ms));  // Never ends.
  batch(6, 0, 20ms, 21ms);
  std::map<double, double> track;
  for (const Json& event : events(recorder, "batch", "XB")) {
    track[event["args"]["batch"].number] = event["tid"].number;
  }
  EXPECT_EQ(track[1], track[3]);
  EXPECT_EQ(track[1], track[5]);
  EXPECT_EQ(track[2], track[6]);
  EXPECT_EQ((std::set<double>{track[1], track[2], track[4]}.size()), 3u);
  const auto names = tracks(recorder);
  EXPECT_EQ(names.at(track[1]), "executor 0");
  EXPECT_EQ(names.at(track[2]), "executor 0, also");
  EXPECT_EQ(names.at(track[4]), "executor 1");
  expect_sound(recorder);
}

// --- What is kept
TEST(TimelineRecorder, DropsAndCountsWhatDoesNotFit) {
  TimelineRecorder recorder("small", 3);
  for (std::uint64_t id = 1; id <= 5; ++id) recorder.on_refused({.trace_id = id, .at = kStart});
  EXPECT_EQ(recorder.recorded(), 3u);
  EXPECT_EQ(recorder.dropped(), 2u);
  const Json json = JsonParser::parse(recorder.json());
  EXPECT_EQ(json["otherData"]["dropped_events"].number, 2);
  const std::vector<Json> refusals = events(recorder, "refusal", "i");
  ASSERT_EQ(refusals.size(), 3u);
  EXPECT_EQ(refusals[2]["args"]["trace_id"].text, "3");
}

TEST(TimelineRecorder, AllocatesNothingWhileItRecords) {
  TimelineRecorder recorder("still", 100);
  const AllocationCount allocated;
  for (std::uint64_t id = 1; id <= 100; ++id) {
    recorder.on_admitted({});
    recorder.on_refused({});
    recorder.on_batch_formed(formed(id, 0, kStart));
    recorder.on_answered(answered(id, 0, kStart, kStart));
  }
  EXPECT_EQ(allocated(), 0u);
  EXPECT_EQ(recorder.dropped(), 200u);
}

TEST(TimelineRecorder, RefusesToKeepNothing) {
  try {
    TimelineRecorder recorder("none", 0);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "TimelineRecorder: max_events must be at least 1, got 0");
  }
}

TEST(TimelineRecorder, TakesEventsFromManyThreadsWhileItIsRead) {
  constexpr std::uint64_t kEach = 500;
  TimelineRecorder recorder("busy", 4 * kEach - 10);
  std::atomic<int> running{4};
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t n = 1; n <= kEach; ++n) {
        recorder.on_refused({.trace_id = thread * kEach + n, .at = kStart});
      }
      --running;
    });
  }
  std::size_t before = 0;
  while (running.load() != 0) {
    const std::size_t now = events(recorder, "refusal", "i").size();
    EXPECT_GE(now, before);
    before = now;
  }
  for (auto& thread : threads) thread.join();
  std::set<std::string> ids;
  for (const Json& event : events(recorder, "refusal", "i")) {
    EXPECT_TRUE(ids.insert(event["args"]["trace_id"].text).second);
  }
  EXPECT_EQ(ids.size(), 4 * kEach - 10);
  EXPECT_EQ(recorder.dropped(), 10u);
}

TEST(TimelineRecorder, LosesCountOfNothingThatManyThreadsTell) {
  constexpr std::size_t kEach = 20'000;
  TimelineRecorder recorder("busy", 1'000);
  std::atomic<int> waiting{4};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      --waiting;
      while (waiting.load() != 0) std::this_thread::yield();
      for (std::size_t n = 0; n < kEach; ++n) recorder.on_refused({});
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(recorder.recorded(), 1'000u);
  EXPECT_EQ(recorder.dropped(), 4 * kEach - 1'000);
}

// --- Files
TEST(TimelineFile, HoldsWhatJsonReturns) {
  TimelineRecorder recorder("file", 3'000);
  for (std::uint64_t id = 1; id <= 3'000; ++id) recorder.on_refused({.trace_id = id, .at = kStart});
  const std::string path = ::testing::TempDir() + "batchwright_timeline_test.json";
  for (int write = 0; write < 2; ++write) recorder.write_file(path);
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  ASSERT_NE(file, nullptr);
  const std::string expected = recorder.json();
  ASSERT_GT(expected.size(), 3u * 65'536);  // Written in several pieces.
  std::string text(expected.size() + 1, ' ');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  std::remove(path.c_str());
  EXPECT_TRUE(text == expected);
}

TEST(TimelineFile, ThatCannotBeOpenedIsNamed) {
  const TimelineRecorder recorder;
  try {
    recorder.write_file("/no/such/folder/timeline.json");
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_NE(std::string(error.what())
                  .find("TimelineRecorder: cannot open /no/such/folder/timeline.json"),
              std::string::npos);
  }
}

TEST(TimelineFile, ThatCannotBeWrittenIsNamed) {
  std::FILE* const full = std::fopen("/dev/full", "wb");
  if (full == nullptr) GTEST_SKIP() << "needs /dev/full";
  std::fclose(full);
  TimelineRecorder recorder("full", 3'000);
  // Found out when the file is closed, and when a piece is written.
  for (const std::size_t count : {std::size_t{0}, std::size_t{3'000}}) {
    for (std::size_t i = 0; i < count; ++i) recorder.on_refused({.at = kStart});
    try {
      recorder.write_file("/dev/full");
      FAIL();
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), std::errc::no_space_on_device);
      EXPECT_NE(std::string(error.what()).find("cannot write /dev/full"), std::string::npos);
    }
  }
}

// --- On a batcher
TEST(TimelineOfABatcher, HasEachRequestFromAdmissionToAnswer) {
  TestRuntime runtime;
  const auto recorder = std::make_shared<TimelineRecorder>();
  Calls calls;
  TimePoint start{};
  {
    TestBatcher<int, int> batcher(doubler(runtime, calls, 3ms),
                                  {.max_batch_size = 2, .capacity = 4, .observer = recorder},
                                  runtime);
    start = runtime.now();
    batcher.pause();
    std::vector<std::future<int>> futures;
    futures.push_back(batcher.submit(1, {.priority = 3, .trace_id = 41}));
    futures.push_back(batcher.submit(2, {.trace_id = 42}));
    futures.push_back(batcher.submit(3, {.trace_id = 43}));
    futures.push_back(batcher.submit(4, {.deadline = start + 2ms, .trace_id = 44}));
    futures.push_back(batcher.submit(5, {.trace_id = 45}));
    runtime.advance(2ms);
    batcher.resume();
    EXPECT_EQ(outcome_of(runtime, futures[4]), Outcome::queue_full);
    EXPECT_EQ(outcome_of(runtime, futures[3]), Outcome::expired);
    runtime.advance(10ms);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_ready(futures[static_cast<std::size_t>(i)]));
  }
  expect_sound(*recorder);
  std::map<std::string, std::string> outcomes;
  std::map<std::string, double> ends;
  std::map<std::string, std::string> ids;
  for (const Json& event : events(*recorder, "request", "be")) {
    if (event["name"].text != "request") continue;
    if (event["ph"].text == "b") {
      const std::string trace = event["args"]["trace_id"].text;
      outcomes[trace] = event["args"]["outcome"].text;
      ids[event["id"].text] = trace;
      EXPECT_EQ(event["args"]["priority"].number, trace == "41" ? 3 : 0);
      EXPECT_EQ(event["ts"].number, micros(start));
    } else {
      ends[ids.at(event["id"].text)] = event["ts"].number;
    }
  }
  EXPECT_EQ(outcomes, (std::map<std::string, std::string>{
                          {"41", "ok"}, {"42", "ok"}, {"43", "ok"}, {"44", "expired"}}));
  EXPECT_EQ(ends["41"], micros(start + 5ms));
  EXPECT_EQ(ends["42"], micros(start + 5ms));
  EXPECT_EQ(ends["43"], micros(start + 8ms));
  EXPECT_EQ(ends["44"], micros(start + 2ms));

  const std::vector<Json> batches = events(*recorder, "batch", "X");
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0]["args"]["count"].number, 2);
  EXPECT_EQ(batches[0]["args"]["oldest_waited_us"].number, 2'000);
  EXPECT_EQ(batches[0]["dur"].number, 3'000);
  EXPECT_EQ(batches[1]["ts"].number, micros(start + 5ms));
  EXPECT_EQ(batches[1]["args"]["count"].number, 1);
  EXPECT_EQ(events(*recorder, "refusal", "i").size(), 1u);
}

TEST(TimelineOfABatcher, IsSoundAndCompleteInEveryInterleaving) {
  for_each_seed(30, [](TestRuntime& runtime) {
    const auto recorder = std::make_shared<TimelineRecorder>();
    Calls calls;
    std::uint64_t completed = 0;
    std::uint64_t batches = 0;
    {
      TestBatcher<int, int> batcher(batchwright::shared_predictor(doubler(runtime, calls, 1ms)),
                                    {.max_batch_size = 3, .executors = 2, .observer = recorder},
                                    runtime);
      const auto client = [&] {
        std::vector<std::future<int>> futures;
        for (int i = 0; i < 8; ++i) futures.push_back(batcher.submit(i, {.priority = i % 2}));
        for (auto& future : futures) static_cast<void>(runtime.get(future));
      };
      auto one = runtime.start(client);
      auto two = runtime.start(client);
      runtime.advance(20ms);
      one.join();
      two.join();
      completed = batcher.metrics().completed;
      batches = batcher.metrics().batches.total();
    }
    EXPECT_EQ(completed, 16u);
    expect_sound(*recorder);
    EXPECT_EQ(events(*recorder, "batch", "X").size(), batches);
    EXPECT_EQ(events(*recorder, "batch", "B").size(), 0u);
    EXPECT_EQ(events(*recorder, "request", "b").size(), 3 * completed);
    EXPECT_EQ(recorder->recorded(), completed + batches);
  });
}

TEST(TimelineOfABatcher, ShowsWhatIsStillBeingComputed) {
  TestRuntime runtime;
  const auto recorder = std::make_shared<TimelineRecorder>();
  Gate gate(runtime);
  TestBatcher<int, int> batcher(echo_behind(gate), {.observer = recorder}, runtime);
  std::future<int> future = batcher.submit(1);
  runtime.settle();
  ASSERT_EQ(events(*recorder, "batch", "B").size(), 1u);
  EXPECT_EQ(events(*recorder, "request", "b").size(), 0u);
  gate.open();
  EXPECT_EQ(runtime.get(future), 1);
  EXPECT_EQ(events(*recorder, "batch", "B").size(), 0u);
  EXPECT_EQ(events(*recorder, "batch", "X").size(), 1u);
}

/// What each batch says of why it left.
std::vector<std::string> reasons(const TimelineRecorder& recorder) {
  std::vector<std::string> reasons;
  for (const Json& batch : events(recorder, "batch", "X")) {
    reasons.push_back(batch["args"]["reason"].text);
    EXPECT_EQ(batch["name"].text, "batch, " + reasons.back());
  }
  return reasons;
}

TEST(TimelineOfABatcher, SaysOfEachBatchWhyItLeft) {
  TestRuntime runtime;
  const auto recorder = std::make_shared<TimelineRecorder>();
  Calls calls;
  TestBatcher<int, int, batchwright::TimePolicy> batcher(
      doubler(runtime, calls),
      {.max_batch_size = 2, .policy = {.max_wait = 10ms}, .observer = recorder}, runtime);
  std::vector<std::future<int>> futures;
  futures.push_back(batcher.submit(1));
  runtime.advance(10ms);
  for (int i = 0; i < 2; ++i) futures.push_back(batcher.submit(2));
  runtime.settle();
  futures.push_back(batcher.submit(3));
  batcher.flush();
  runtime.settle();
  futures.push_back(batcher.submit(4));
  batcher.shutdown();
  for (std::future<int>& future : futures) EXPECT_TRUE(is_ready(future));
  EXPECT_EQ(reasons(*recorder), (std::vector<std::string>{"time", "size", "flush", "drain"}));
  expect_sound(*recorder);
}

TEST(TimelineOfABatcher, SaysThatTheNetCaughtARequest) {
  TestRuntime runtime;
  const auto recorder = std::make_shared<TimelineRecorder>();
  Calls calls;
  TestBatcher<int, int, batchwright::SizePolicy> batcher(
      doubler(runtime, calls), {.policy = {.size = 2}, .max_wait = 20ms, .observer = recorder},
      runtime);
  std::future<int> future = batcher.submit(1);
  runtime.advance(20ms);
  EXPECT_EQ(runtime.get(future), 2);
  EXPECT_EQ(reasons(*recorder), std::vector<std::string>{"net"});
}

TEST(TimelineOfABatcher, ShowsARequestThatWaitedForRoomFromItsSubmission) {
  TestRuntime runtime;
  const auto recorder = std::make_shared<TimelineRecorder>();
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 10ms),
                                {.max_batch_size = 1,
                                 .capacity = 1,
                                 .overflow = batchwright::OverflowAction::block,
                                 .observer = recorder},
                                runtime);
  const TimePoint start = runtime.now();
  std::vector<std::future<int>> futures;
  futures.push_back(batcher.submit(1));
  runtime.settle();
  futures.push_back(batcher.submit(2));
  auto blocked = runtime.start([&] { futures.push_back(batcher.submit(3, {.trace_id = 3})); });
  for (int i = 0; i < 3; ++i) runtime.advance(10ms);
  blocked.join();
  for (std::future<int>& future : futures) EXPECT_TRUE(is_ready(future));
  expect_sound(*recorder);
  using Part = std::pair<std::string, double>;
  EXPECT_EQ(parts_of(*recorder, "3"),
            (std::vector<Part>{{"b request", micros(start)},
                               {"b waiting for room", micros(start)},
                               {"e waiting for room", micros(start + 10ms)},
                               {"b queued", micros(start + 10ms)},
                               {"e queued", micros(start + 20ms)},
                               {"b computed", micros(start + 20ms)},
                               {"e computed", micros(start + 30ms)},
                               {"e request", micros(start + 30ms)}}));
}

TEST(TimelineOfABatcher, ABatchOfSharedWorkEndsWithTheLastOfItsAnswers) {
  TestRuntime runtime;
  const auto recorder = std::make_shared<TimelineRecorder>();
  Calls calls;
  {
    TestBatcher<int, int> batcher(
        doubler(runtime, calls, 3ms),
        {.coalesce = batchwright::coalesce_by<int>([](const int& input) { return input; }),
         .observer = recorder},
        runtime);
    batcher.pause();
    for (const int input : {1, 2, 1, 2, 1}) {
      EXPECT_TRUE(batcher.submit(input, [](const batchwright::Result<int>&) {}));
    }
    batcher.resume();
    runtime.advance(5ms);
  }
  expect_sound(*recorder);
  const std::vector<Json> batches = events(*recorder, "batch", "XB");
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0]["ph"].text, "X");
  EXPECT_EQ(batches[0]["dur"].number, 3'000);
  EXPECT_EQ(batches[0]["args"]["count"].number, 2);
}

TEST(TimelineOfABatcher, ShowsARequestThatWaitedForRoomInVain) {
  TestRuntime runtime;
  const auto recorder = std::make_shared<TimelineRecorder>();
  Calls calls;
  TestBatcher<int, int> batcher(doubler(runtime, calls, 10ms),
                                {.max_batch_size = 1,
                                 .capacity = 1,
                                 .overflow = batchwright::OverflowAction::block,
                                 .max_block = 4ms,
                                 .observer = recorder},
                                runtime);
  const TimePoint start = runtime.now();
  auto running = batcher.submit(1);
  runtime.settle();
  auto queued = batcher.submit(2);
  auto blocked = runtime.start([&] {
    auto refused = batcher.submit(3, {.trace_id = 3});
    EXPECT_EQ(outcome_of(runtime, refused), Outcome::queue_full);
  });
  for (int i = 0; i < 3; ++i) runtime.advance(10ms);
  blocked.join();
  expect_sound(*recorder);
  using Part = std::pair<std::string, double>;
  EXPECT_EQ(parts_of(*recorder, "3"),
            (std::vector<Part>{{"b request", micros(start)},
                               {"b waiting for room", micros(start)},
                               {"e waiting for room", micros(start + 4ms)},
                               {"e request", micros(start + 4ms)}}));
  EXPECT_EQ(events(*recorder, "refusal", "i").size(), 1u);
}

// --- Anything at all
TEST(TimelineRecorder, IsSoundForRandomBatches) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    TimelineRecorder recorder("random", 150);  // Some do not fit.
    for (std::uint64_t id = 1; id <= 50; ++id) {
      const TimePoint at = kStart + batchwright::Duration(random() % 1'000'000);
      const std::size_t executor = random() % 3;
      const std::size_t count = 1 + random() % 4;
      recorder.on_batch_formed(formed(id, executor, at, count));
      for (std::size_t i = 0; i < count; ++i) {
        recorder.on_answered(
            answered(id, executor, at, at + batchwright::Duration(random() % 100'000)));
      }
    }
    expect_sound(recorder);
    EXPECT_EQ(recorder.recorded(), 150u);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
