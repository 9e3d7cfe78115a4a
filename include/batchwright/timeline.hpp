// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TIMELINE_HPP
#define BATCHWRIGHT_TIMELINE_HPP

#include "detail/trace_json.hpp"
#include "errors.hpp"
#include "observer.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace batchwright::inline v0_1 {

/// An observer that keeps what happens and writes it as a timeline in the Chrome trace event format,
/// to be opened in ui.perfetto.dev or chrome://tracing:
///
/// - each answered request is an asynchronous slice from its submission to its answer, with the parts
///   inside that it waited for room (where OverflowAction says so), was queued, and was computed;
/// - each batch is a slice on its executor's track, from the predictor's entry to its last answer,
///   with the release reason, its size, and how long its oldest request had waited; flow arrows lead
///   from it to its requests. Where an executor has several batches at once, it has several tracks. A
///   batch without an end was still being computed, or its answers did not fit;
/// - each refusal is an instant on a track of its own, and who waited for room in vain is a slice too.
///
/// Give one to a batcher's `observer`, one for each batcher, and keep a std::shared_ptr to it.
///
/// Memory is bounded: all of it, some 80 bytes an event, is allocated at construction. What does not
/// fit is dropped and counted, so the timeline is the beginning of the run; one event for each request
/// and each batch. Recording is one atomic increment and a copy: it never blocks, nor allocates.
/// Everything may be called from any thread at any time; what is written has all events whose
/// recording has ended before.
class TimelineRecorder : public Observer {
 public:
  /// `name` is shown as the process; unless set, that of the batcher. Throws std::invalid_argument
  /// unless `max_events` is at least 1, and std::bad_alloc.
  explicit TimelineRecorder(std::string name = "", std::size_t max_events = 65'536)
      : name_(std::move(name)), named_(!name_.empty()), capacity_(max_events) {
    if (max_events < 1) {
      detail::raise(
          std::invalid_argument("TimelineRecorder: max_events must be at least 1, got 0"));
    }
    slots_ = std::make_unique<Slot[]>(capacity_);
  }

  /// Events that came so far and were kept, and those that did not fit.
  std::size_t recorded() const noexcept { return std::min(came(), capacity_); }
  std::size_t dropped() const noexcept { return came() - recorded(); }

  /// The timeline as one JSON object. Throws std::bad_alloc.
  std::string json() const {
    std::string out;
    write(out, [] {});
    return out;
  }

  /// Writes the same to a file, piece by piece, over what it held. Throws std::system_error, which
  /// names the file, if it cannot be opened or written, and std::bad_alloc.
  void write_file(const std::string& path) const {
    const auto close = [](std::FILE* file) { std::fclose(file); };
    std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "wb"), close);
    if (file == nullptr) raise_file("open", path);
    std::string out;
    const auto flush = [&] {
      if (std::fwrite(out.data(), 1, out.size(), file.get()) != out.size()) {
        raise_file("write", path);
      }
      out.clear();
    };
    write(out, [&] {
      if (out.size() >= 65'536) flush();
    });
    flush();
    if (std::fclose(file.release()) != 0) raise_file("write", path);
  }

  void on_attached(const AttachedEvent& event) noexcept override {
    if (naming_.exchange(true, std::memory_order_relaxed))
      return;  // The first of several batchers.
    if (named_.load(std::memory_order_relaxed)) return;
    const bool good =
        detail::guarded([&] { name_ = event.name; }, [](const std::exception_ptr&) {});
    named_.store(good, std::memory_order_release);
  }
  void on_refused(const RefusedEvent& event) noexcept override {
    record(Kind::refused, &Slot::refused, event);
  }
  void on_batch_formed(const BatchFormedEvent& event) noexcept override {
    record(Kind::batch, &Slot::batch, event);
  }
  void on_answered(const AnsweredEvent& event) noexcept override {
    record(Kind::answered, &Slot::answered, event);
  }

 private:
  enum class Kind : std::uint8_t { none, refused, batch, answered };

  struct Slot {
    Slot() noexcept : nothing() {}
    std::atomic<Kind> kind{Kind::none};  // Set last: from then on nobody writes here.
    union {
      char nothing;
      RefusedEvent refused;
      BatchFormedEvent batch;
      AnsweredEvent answered;
    };
  };

  // A batch, and what its answers tell of it.
  struct Batch {
    BatchFormedEvent formed;
    TimePoint started{};  // The dispatch, until an answer tells.
    TimePoint ended{};
    std::size_t answered = 0;
    std::uint64_t track = 0;

    // Of shared work each is answered who waits for it.
    bool finished() const noexcept { return answered >= formed.count; }
    TimePoint until() const noexcept { return finished() ? ended : kNever; }
  };

  // Their track; the executors' follow. Events that are on no track name this one.
  static constexpr std::uint64_t kRefusals = 1;
  static constexpr const char* kForRoom = "waiting for room";

  std::size_t came() const noexcept { return next_.load(std::memory_order_relaxed); }

  template <class Event>
  void record(Kind kind, Event Slot::*member, const Event& event) noexcept {
    const std::size_t index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index >= capacity_) return;
    ::new (static_cast<void*>(&(slots_[index].*member))) Event(event);
    slots_[index].kind.store(kind, std::memory_order_release);
  }

  /// Calls `each(slot index, event)` for all events of a kind that have been recorded.
  template <class Event, class Each>
  void for_each(Kind kind, Event Slot::*member, std::size_t end, Each each) const {
    for (std::size_t i = 0; i < end; ++i) {
      if (slots_[i].kind.load(std::memory_order_acquire) == kind) each(i, slots_[i].*member);
    }
  }

  [[noreturn]] static void raise_file(const char* what, const std::string& path) {
    const int error = errno;
    detail::raise(std::system_error(error, std::generic_category(),
                                    std::string("TimelineRecorder: cannot ") + what + " " + path));
  }

  static Batch* find(std::vector<Batch>& batches, std::uint64_t id) noexcept {
    const auto found = std::lower_bound(
        batches.begin(), batches.end(), id,
        [](const Batch& batch, std::uint64_t wanted) { return batch.formed.batch_id < wanted; });
    return found != batches.end() && found->formed.batch_id == id ? &*found : nullptr;
  }

  const std::string& name() const {
    static const std::string kUnnamed = "batchwright";
    return named_.load(std::memory_order_acquire) ? name_ : kUnnamed;
  }

  /// All batches of the first `end` events, by their ids.
  std::vector<Batch> batches(std::size_t end) const {
    std::vector<Batch> all;
    for_each(Kind::batch, &Slot::batch, end, [&](std::size_t, const BatchFormedEvent& formed) {
      all.push_back({.formed = formed, .started = formed.dispatched});
    });
    std::sort(all.begin(), all.end(),
              [](const Batch& a, const Batch& b) { return a.formed.batch_id < b.formed.batch_id; });
    for_each(Kind::answered, &Slot::answered, end, [&](std::size_t, const AnsweredEvent& event) {
      Batch* const batch = event.computed() ? find(all, event.batch_id) : nullptr;
      if (batch == nullptr) return;
      batch->started = event.started;
      batch->ended = std::max(batch->ended, event.answered);
      ++batch->answered;
    });
    return all;
  }

  /// Gives each batch the first track of its executor that is free when it starts: slices of one track
  /// must not overlap. Names the tracks.
  static void lay_out(std::vector<Batch>& batches, detail::TraceJson& trace) {
    std::vector<Batch*> order;
    order.reserve(batches.size());
    for (Batch& batch : batches) order.push_back(&batch);
    std::sort(order.begin(), order.end(), [](const Batch* a, const Batch* b) {
      if (a->formed.executor != b->formed.executor) return a->formed.executor < b->formed.executor;
      if (a->started != b->started) return a->started < b->started;
      return a->formed.batch_id < b->formed.batch_id;
    });
    std::uint64_t first = kRefusals + 1;  // The executor's first track.
    std::vector<TimePoint> free_from;     // Of each of the executor's tracks.
    const Batch* before = nullptr;
    for (Batch* const batch : order) {
      if (before != nullptr && before->formed.executor != batch->formed.executor) {
        first += free_from.size();
        free_from.clear();
      }
      before = batch;
      const auto track = std::find_if(free_from.begin(), free_from.end(),
                                      [&](TimePoint free) { return free <= batch->started; });
      batch->track = first + static_cast<std::uint64_t>(track - free_from.begin());
      if (track != free_from.end()) {
        *track = batch->until();
        continue;
      }
      free_from.push_back(batch->until());
      std::string name = "executor " + std::to_string(batch->formed.executor);
      if (free_from.size() > 1) name += ", also";
      trace.event('M', "thread_name", batch->track).args().text("name", name);
    }
  }

  template <class Flush>
  void write(std::string& out, Flush flush) const {
    const std::size_t end = recorded();
    std::vector<Batch> all = batches(end);
    out.append("{\"displayTimeUnit\":\"ms\",\"otherData\":{\"batcher\":");
    detail::append_json(out, name());
    out.append(",\"dropped_events\":");
    detail::append_number(out, dropped());
    out.append("},\"traceEvents\":[");
    detail::TraceJson trace(out);
    trace.event('M', "process_name", kRefusals).args().text("name", name());
    trace.event('M', "thread_name", kRefusals).args().text("name", "refusals");
    lay_out(all, trace);
    for (const Batch& batch : all) {
      write_batch(trace, batch);
      flush();
    }
    for_each(Kind::refused, &Slot::refused, end, [&](std::size_t i, const RefusedEvent& event) {
      trace.event('i', to_string(event.outcome), kRefusals).text("cat", "refusal").text("s", "t");
      trace.at(event.at).args();
      if (event.trace_id != 0) trace.text("trace_id", std::to_string(event.trace_id));
      if (event.submitted != kNever) write_vain(trace, i + 1, event);
      flush();
    });
    for_each(Kind::answered, &Slot::answered, end, [&](std::size_t i, const AnsweredEvent& event) {
      write_request(trace, i + 1, event, find(all, event.batch_id) != nullptr);
      flush();
    });
    trace.end();
    out.append("\n]}\n");
  }

  static void write_batch(detail::TraceJson& trace, const Batch& batch) {
    const BatchFormedEvent& formed = batch.formed;
    trace.event(batch.finished() ? 'X' : 'B', std::string("batch, ") + to_string(formed.reason),
                batch.track);
    trace.text("cat", "batch").at(batch.started);
    if (batch.finished()) trace.time_span("dur", batch.ended - batch.started);
    trace.number("bind_id", formed.batch_id).boolean("flow_out", true).args();
    trace.number("batch", formed.batch_id).text("reason", to_string(formed.reason));
    trace.number("count", formed.count).number("size", formed.size);
    if (formed.padded_size > formed.size) trace.number("padded_size", formed.padded_size);
    trace.time_span("oldest_waited_us", formed.dispatched - formed.oldest);
    trace.time_span("handed_over_us", batch.started - formed.dispatched);
  }

  // One point of a request's slices.
  static detail::TraceJson& write_point(detail::TraceJson& trace, std::uint64_t id, char phase,
                                        const char* name, TimePoint at) {
    trace.event(phase, name, kRefusals).text("cat", "request").number("id", id).at(at);
    return trace;
  }

  static void write_part(detail::TraceJson& trace, std::uint64_t id, const char* name,
                         TimePoint from, TimePoint to) {
    write_point(trace, id, 'b', name, from);
    write_point(trace, id, 'e', name, to);
  }

  /// A request that waited for room and was refused.
  static void write_vain(detail::TraceJson& trace, std::uint64_t id, const RefusedEvent& event) {
    write_point(trace, id, 'b', "request", event.submitted).args();
    trace.text("outcome", to_string(event.outcome));
    if (event.trace_id != 0) trace.text("trace_id", std::to_string(event.trace_id));
    write_part(trace, id, kForRoom, event.submitted, event.at);
    write_point(trace, id, 'e', "request", event.at);
  }

  static void write_request(detail::TraceJson& trace, std::uint64_t id, const AnsweredEvent& event,
                            bool has_batch) {
    const bool waited = event.submitted < event.enqueued;
    write_point(trace, id, 'b', "request", waited ? event.submitted : event.enqueued).args();
    trace.text("outcome", to_string(event.outcome)).number("priority", event.priority);
    if (event.trace_id != 0) trace.text("trace_id", std::to_string(event.trace_id));
    if (event.computed()) trace.number("batch", event.batch_id);
    if (event.deadline != kNever) trace.boolean("late", event.late());
    if (waited) write_part(trace, id, kForRoom, event.submitted, event.enqueued);
    const TimePoint left = event.computed() ? event.started : event.answered;
    write_part(trace, id, "queued", event.enqueued, left);
    if (event.computed()) {
      write_point(trace, id, 'b', "computed", left);
      if (has_batch) trace.number("bind_id", event.batch_id).boolean("flow_in", true);
      write_point(trace, id, 'e', "computed", event.answered);
    }
    write_point(trace, id, 'e', "request", event.answered);
  }

  std::string name_;  // Written by `on_attached` at most, and not read before `named_`.
  std::atomic<bool> named_;
  std::atomic<bool> naming_{false};
  std::size_t capacity_;
  std::unique_ptr<Slot[]> slots_;
  alignas(64) std::atomic<std::size_t> next_{0};  // The next free slot, or beyond.
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_TIMELINE_HPP
