// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_POOL_ARBITER_HPP
#define BATCHWRIGHT_DETAIL_POOL_ARBITER_HPP

#include "../policy.hpp"
#include "intrusive_list.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchwright::inline v0_1::detail {

/// Who of several batchers gets an executor of their pool. Pure, as the scheduler is: the pool and the
/// simulator drive this same object.
///
/// Start-time fair queueing (Goyal, Vin and Cheng 1996, section 2) on executor time over share: a
/// batcher's tag grows by the time of each of its leases, and of those with a due batch the smallest tag
/// is served, of equal ones who has waited for longest, so that they take turns. A lease is charged with
/// the mean of the batcher's last ones when it begins, so that several executors at once do not all go
/// to one, and with what it really took when it ends. While two batchers have due batches all the time,
/// the executor time that each got over its share differs by no more than one lease of each on every
/// executor.
///
/// A request, a grant and a release are O(batchers that wait + executors). It allocates in `add` only.
class PoolArbiter {
 public:
  /// A batcher, as the arbiter sees it. Stays where it is from `add` to `remove`.
  class Client {
   public:
    Client() = default;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

   private:
    friend class PoolArbiter;

    struct Executor {
      std::int64_t mean_ns = 0;  // Of the last leases there; 0 if there was none.
      bool barred = false;
    };

    std::int64_t share_ = 1;
    std::uint64_t tag_ = 0;
    std::int64_t mean_ns_ = 0;
    TimePoint since_{};
    bool waits_ = false;
    std::vector<Executor> executors_;
    ListHook<Client> in_waiting_{};
  };

  struct Grant {
    Client* client = nullptr;  ///< Null: nobody who waits can be served.
    std::size_t executor = 0;
  };

  explicit PoolArbiter(std::size_t executors) : executors_(executors) {}

  std::size_t executors() const noexcept { return executors_.size(); }

  /// Throws std::bad_alloc.
  void add(Client& client, std::uint32_t share) {
    client.executors_.resize(executors_.size());
    client.share_ = share;
    client.tag_ = virtual_time_;
  }

  /// Requires that it holds no lease.
  void remove(Client& client) noexcept { withdraw(client); }

  /// It has a batch that is due, and has wanted one executor more since `since`.
  void request(Client& client, TimePoint since) noexcept {
    client.since_ = since;
    if (client.waits_) return;
    client.waits_ = true;
    waiting_.push_back(client);
  }

  /// It wants none any more. False if it did not.
  bool withdraw(Client& client) noexcept {
    if (!client.waits_) return false;
    client.waits_ = false;
    waiting_.erase(client);
    return true;
  }

  /// Whether this executor may be granted to that client at all.
  void bar(Client& client, std::size_t executor, bool barred) noexcept {
    client.executors_[executor].barred = barred;
  }

  /// Takes a free executor out of the pool for something that is no batch; false if it is not free.
  bool occupy(std::size_t executor) noexcept {
    if (executors_[executor].client != nullptr || executors_[executor].occupied) return false;
    executors_[executor].occupied = true;
    return true;
  }
  void vacate(std::size_t executor) noexcept { executors_[executor].occupied = false; }

  /// The next lease to be begun at `now`.
  Grant next(TimePoint now) noexcept {
    Grant best;
    for (Client* client = waiting_.front(); client != nullptr; client = Waiting::next(*client)) {
      if (best.client != nullptr && !before(*client, *best.client)) continue;
      const std::size_t executor = choose(*client);
      if (executor < executors_.size()) best = {client, executor};
    }
    if (best.client != nullptr) begin(*best.client, best.executor, now);
    return best;
  }

  /// The lease of an executor ends. `used`: it has run a batch, and says something about its time.
  void release(std::size_t executor, TimePoint now, bool used) noexcept {
    Lease& lease = executors_[executor];
    Client& client = *lease.client;
    const std::int64_t took = std::max<std::int64_t>((now - lease.begin).count(), 0);
    client.tag_ += static_cast<std::uint64_t>(cost(client, took) - lease.charged);
    // What was charged too much is not lost where others were begun meanwhile.
    if (client.waits_ && earlier(client.tag_, virtual_time_)) virtual_time_ = client.tag_;
    if (used) {
      learn(client.mean_ns_, took);
      learn(client.executors_[executor].mean_ns, took);
    }
    lease.client = nullptr;
  }

 private:
  using Waiting = IntrusiveList<&Client::in_waiting_>;

  struct Lease {
    Client* client = nullptr;
    TimePoint begin{};
    std::int64_t charged = 0;
    bool occupied = false;
  };

  static constexpr std::int64_t kScale = 16;

  static std::int64_t cost(const Client& client, std::int64_t ns) noexcept {
    return ns * kScale / client.share_;
  }

  static void learn(std::int64_t& mean, std::int64_t sample) noexcept {
    mean = mean == 0 ? std::max<std::int64_t>(sample, 1) : mean + (sample - mean) / 8;
  }

  // Tags wrap around after some 36 years; only differences count, and they stay small.
  static bool earlier(std::uint64_t a, std::uint64_t b) noexcept {
    return static_cast<std::int64_t>(a - b) < 0;
  }

  std::uint64_t effective(const Client& client) const noexcept {
    return earlier(client.tag_, virtual_time_) ? virtual_time_ : client.tag_;
  }

  bool before(const Client& a, const Client& b) const noexcept {
    const std::uint64_t tag_a = effective(a);
    const std::uint64_t tag_b = effective(b);
    if (tag_a != tag_b) return earlier(tag_a, tag_b);
    return a.since_ < b.since_;
  }

  // The free executor on which its leases are shortest; one that it never had goes first.
  std::size_t choose(const Client& client) const noexcept {
    std::size_t best = executors_.size();
    for (std::size_t i = 0; i < executors_.size(); ++i) {
      if (executors_[i].client != nullptr || executors_[i].occupied) continue;
      if (client.executors_[i].barred) continue;
      if (best == executors_.size() ||
          client.executors_[i].mean_ns < client.executors_[best].mean_ns) {
        best = i;
      }
    }
    return best;
  }

  void begin(Client& client, std::size_t executor, TimePoint now) noexcept {
    withdraw(client);
    virtual_time_ = effective(client);
    Lease& lease = executors_[executor];
    lease = {.client = &client, .begin = now, .charged = cost(client, client.mean_ns_)};
    client.tag_ = virtual_time_ + static_cast<std::uint64_t>(lease.charged);
  }

  std::vector<Lease> executors_;
  Waiting waiting_;
  std::uint64_t virtual_time_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_POOL_ARBITER_HPP
