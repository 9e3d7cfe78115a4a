// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_OPTIONS_HPP
#define BATCHWRIGHT_OPTIONS_HPP

#include "class_metrics.hpp"
#include "coalescing.hpp"
#include "completion_task.hpp"
#include "executor_pool.hpp"
#include "key_function.hpp"
#include "observer.hpp"
#include "policies/any.hpp"
#include "policy.hpp"
#include "queue_policy.hpp"
#include "scheduling.hpp"
#include "thread_info.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace batchwright::inline v0_1 {

/// What `submit` does when the queue is at its capacity.
enum class OverflowAction : std::uint8_t {
  reject,  ///< Refuses at once with `Outcome::queue_full`.
  /// Waits for room, first come, first served, whoever lacks that of its tenant or priority alone (see
  /// `tenant_room` and QueuePolicy::capacity) being passed by others; a coroutine suspends instead. A call
  /// that would block one of the batcher's own threads is refused, since it might never end. Two batchers
  /// whose predictors wait for each other are not found out: they may do so for ever, unless `max_block` or a
  /// deadline ends it.
  block,
  /// Makes room without waiting: queued requests of the same tenant and of strictly lower priority end as
  /// `Outcome::evicted`, the lowest first and of these the newest (of another `order` than fifo who would
  /// be served last), if that makes room enough. Else none of them does, and the newcomer ends as
  /// `Outcome::queue_full`. It is the dispatcher that decides, so `submit` returns before, and both learn
  /// it from their answers. For each that gives way it looks at all lanes of the tenant.
  evict,
};

/// Whether all batches of a lane are computed by one executor, chosen by the hash of its key: for
/// predictors that keep a state for each sequence. It costs balance between the executors, of which one
/// alone has all lanes.
enum class StickyLanes : std::uint8_t { no, yes };

/// Whether answers are given in the order of dispatch, where several batches are computed at once.
/// A result then waits until all that was dispatched before it has been answered; what expires, is
/// cancelled or fails holds no place. A batch that hangs holds up all that come after it.
enum class PreserveOrder : std::uint8_t { no, yes };

/// Whether `predict_and_wait` may run the predictor on its caller's own thread: when an executor is free
/// and the policy releases the request at once. It saves two wakes. Others whose requests are in the same
/// batch have their callbacks called there too.
enum class CallerRunsWhen : std::uint8_t { never, executor_free };

namespace detail {

/// What `tenant_room` is unless set. Asked by name, since a policy need not be default-constructible.
inline constexpr std::size_t kDefaultTenantRoom = 4;

}  // namespace detail

/// A batcher's settings. Whatever is wrong with them is a std::invalid_argument at construction that
/// names the setting, the value and what is allowed; nothing is adjusted in silence.
template <class TIn, class Policy = AnyPolicy>
struct BatcherOptions {
  /// The hard cap: no batch is larger. 32 is where most CPU models have most of their gain.
  std::size_t max_batch_size = 32;

  /// Sizes that leave as soon as they are reached, the largest first: for models that were tuned for
  /// them. Ascending, none above `max_batch_size`. Between them a batch leaves only as the policy says.
  /// A size is reached by the first requests in order, and none is skipped for it: with weights above 1
  /// it may be passed without having been reached. Without weights none may be above `capacity`, and
  /// none above the size of a policy that has one.
  std::vector<std::size_t> preferred_sizes = {};

  /// The only sizes that the model can run: a batch of another size is padded up, or trimmed, as `fit`
  /// says. Ascending, none above `max_batch_size`; the largest acts as the cap. The predictor finds the
  /// size to run in `BatchInfo::padded_size`; making the padding is its business.
  std::vector<std::size_t> allowed_sizes = {};
  FitRule fit = FitRule::pad_up;

  /// When a batch leaves. GreedyPolicy, because it has no setting to get wrong and is within 0.5 % of
  /// the optimum for mean latency under random arrivals on one executor.
  Policy policy = {};

  /// Threads that run the predictor. Unless set: 1, or those of `pool`. 0 runs it on the dispatcher's own
  /// thread: no hand-over, for predictors of microseconds; deadlines and cancellations are then answered
  /// when the running batch ends. More than one takes `shared_predictor` or `predictor_per_executor`.
  std::size_t executors = kNoCount;

  /// Shares the executors of a pool with other batchers instead of having its own; `executors` is left
  /// alone then. More than one executor takes `shared_predictor` or `predictor_per_executor`, of which
  /// each executor of the pool has its own. The batcher's part of their time, relative to the others'
  /// while they have work: from 1 to 1000.
  std::shared_ptr<detail::ExecutorLender> pool = {};
  std::size_t pool_share = 1;

  /// Batches dispatched and not yet answered. Unless set: one per executor, and two per executor for a
  /// predictor that takes its batch by value, so that one is prepared while the other is computed; twice
  /// as many with `preserve_order`, so that a batch that waits for its turn does not keep its executor.
  /// What is prepared has entered the predictor: it grows no more, leaves its room to others, and no
  /// deadline, timeout or cancellation ends it. With as many as executors none is prepared; fewer are an
  /// error, but of a pool's executors a batcher may use a part.
  std::size_t max_in_flight = kNoCount;

  PreserveOrder preserve_order = PreserveOrder::no;

  /// Requests that may be queued. So many do not wait for company, because none can come, whatever the
  /// policy: a batch leaves when an executor is free, of several lanes that may use it the one with the
  /// oldest request. So no batch has more requests than this, also where it is below `max_batch_size`.
  /// Unless set: max(1024, 8 x max_batch_size x executors).
  std::size_t capacity = kNoCount;

  /// Timeouts, and capacities of single priorities: for those listed in `levels`, and `queue` for all
  /// others. To set `queue.capacity` or `queue.priority` is an error: the capacity of all is above.
  QueuePolicy queue = {};
  std::vector<QueuePolicy> levels = {};

  /// The order within one priority.
  QueueOrder order = QueueOrder::fifo;

  /// Bytes that may be queued, as `bytes` counts them. Unless set: no limit.
  std::size_t max_queued_bytes = kNoCount;

  /// The bytes of one input. Called on the submitting thread before admission; if it throws, nothing
  /// was accepted. Needed where `max_queued_bytes` is set, and an error where it is not.
  std::function<std::size_t(const TIn&)> bytes = {};

  /// What an input counts in a batch: its rows, its tokens; at least 1. Every size is a sum of weights
  /// then: the cap, preferred and allowed sizes, those of policies. Unless set each counts 1.
  std::function<std::size_t(const TIn&)> weight = {};

  /// The length of an input, at least 1: for `SizeRule::padded`, where a batch has the size count x the
  /// longest length, and for `QueueOrder::shortest_first`.
  std::function<std::size_t(const TIn&)> length = {};
  SizeRule size_rule = SizeRule::sum;

  /// What becomes of a request that is larger than the cap by itself. It is refused where there are
  /// allowed sizes, of which it would have none.
  Oversized oversized = Oversized::refuse;

  /// Only requests with equal keys share a batch: their shape, model variant, adapter. See KeyFunction.
  KeyFunction<TIn> lane = {};
  StickyLanes sticky_lanes = StickyLanes::no;

  /// Requests with equal keys are of one tenant. Tenants get equal parts of the executors, by weight, or
  /// parts in proportion to `share`; what one does not use goes to the others. Priorities order the
  /// requests of one tenant, and `levels` hold for each tenant by itself. With `size_rule` padded each
  /// request counts 1 in this.
  KeyFunction<TIn> tenant = {};

  /// The share of an input's tenant, at least 1; asked of the request with which it comes up.
  std::function<std::size_t(const TIn&)> share = {};

  /// A tenant that has something queued may add to it as long as it holds no more than this many times,
  /// times its share, what is left of `capacity` and `max_queued_bytes` to everybody. So whoever floods
  /// finds the queue full before the others do: alone it fills no more than 4/5 of it, and of several that
  /// flood each holds a part in proportion to its share. One that has nothing queued takes what room there
  /// is. Others may still come then, so for company the policy waits as ever. At least 1, and 4 unless set;
  /// kNoCount: no limit, and who floods fills the queue. To set it without `tenant` is an error.
  std::size_t tenant_room = detail::kDefaultTenantRoom;

  /// Requests with equal keys, of one lane and tenant, are computed once, and each gets the answer: while
  /// an equal one is queued or running a request joins it, whatever its own priority, deadline and stop,
  /// which stay its own. Made by `coalesce_by<TOut>(key)`; see there.
  Coalescing<TIn> coalesce = {};

  /// Whether what cannot meet its deadline is refused when it comes, so that the executors' time goes to
  /// those that can.
  Forecast forecast = Forecast::off;

  /// What `submit` does when the queue is full. `try_submit` always refuses.
  OverflowAction overflow = OverflowAction::reject;

  /// How long `submit` may wait for room with `OverflowAction::block`, before `Outcome::queue_full`; left
  /// alone with the others.
  Duration max_block = Duration::max();

  /// The net under every policy: no request waits longer than this for company while an executor is
  /// free. Duration::max() turns it off.
  Duration max_wait = std::chrono::seconds(1);

  /// How often a request may be overtaken by later ones of its tenant before it goes first. With batches
  /// it may be overtaken by as many as still fit the batch that reaches the bound: in one lane by no more
  /// than `overtaking_bound` + `max_batch_size` - 1 in all. With several lanes those count besides who
  /// ride along in a batch that goes before: one that another tenant leads, or one of its own that came
  /// earlier and is at its bound too. While a lane's executor is busy (`sticky_lanes`) the other lanes go
  /// on, and overtake what waits for it without a bound.
  std::uint64_t overtaking_bound = 1000;

  /// Takes executors, and `shared_predictor`; not with `pool`, `sticky_lanes` or
  /// `coalesce`.
  CallerRunsWhen caller_runs = CallerRunsWhen::never;

  /// How long the batcher's threads look out for work before they sleep, as long as that has lately been
  /// of use: whoever has to be woken comes late, and costs his waker a system call. It takes the time of
  /// a core meanwhile, but not in an idle batcher, which sleeps. Zero: not at all.
  Duration spin = std::chrono::microseconds(50);

  /// How late the kernel may end the dispatcher's timed waits, and so a window, to end several timers at
  /// once: from 1 ns to 1 s, on Linux alone. Unless set it is the system's, there mostly 50 us. Threads
  /// that are started by a predictor on the dispatcher's thread (`executors` 0) inherit it.
  std::optional<Duration> timer_slack = {};

  /// Names the batcher: to its threads' start hook, to its observer, and as the label of its metrics.
  std::string name = "batchwright";

  /// Inputs with which each executor runs its predictor before the first request, one function for each
  /// kind of input (each shape, say): a batch of each of `allowed_sizes`; without these of each of
  /// `preferred_sizes` and `max_batch_size`. Called on the executor's thread, once for each row. What
  /// they throw, or the predictor with them, comes out of the constructor. `BatchInfo::batch_id` is 0.
  std::vector<std::function<TIn()>> warm_up = {};

  /// What is counted by priority, lane and tenant, besides what is counted of all requests.
  MetricsOptions metrics = {};

  /// Where callbacks run and coroutines resume: given a task to run exactly once, soon, from any
  /// thread. It must not throw. Unless set they run on the thread that completes the batch. A task
  /// that is destroyed instead of being run runs then.
  std::function<void(CompletionTask)> complete_on = {};

  /// Called on each of the batcher's threads when it starts: to set its name, affinity, device or
  /// signal mask. What it throws comes out of the constructor.
  std::function<void(const ThreadInfo&)> on_thread_start = {};

  /// Is told what happens to requests and batches.
  std::shared_ptr<Observer> observer = {};
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_OPTIONS_HPP
