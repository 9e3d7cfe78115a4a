// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_SIMULATION_ARRIVAL_PROCESS_HPP
#define BATCHWRIGHT_SIMULATION_ARRIVAL_PROCESS_HPP

#include "../policy.hpp"
#include "random.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {
namespace simulation {

/// "No more arrivals", as an instant of a stream.
inline constexpr Duration kNoArrival = Duration::max();

/// Arrivals that come whatever becomes of those before.
///
/// | expression             | meaning                                                  |
/// |------------------------|----------------------------------------------------------|
/// | `s.next()` -> Duration | the next arrival, since the start; never falls; kNoArrival ends it |
template <class S>
concept OpenStream = requires(S& stream) {
  { stream.next() } noexcept -> std::same_as<Duration>;
};

/// Arrivals of clients who wait for their answers.
///
/// | expression                                | meaning                                          |
/// |-------------------------------------------|--------------------------------------------------|
/// | `s.earliest()` -> Duration                | when the next one comes; kNoArrival if all wait  |
/// | `s.take()` -> std::size_t                 | it has come: which client it was                 |
/// | `s.answered(client, at, served)`          | that client has its answer, or a refusal         |
template <class S>
concept ClosedStream =
    requires(S& stream, const S& same, std::size_t client, Duration at, bool served) {
      { same.earliest() } noexcept -> std::same_as<Duration>;
      { stream.take() } noexcept -> std::same_as<std::size_t>;
      { stream.answered(client, at, served) } noexcept;
    };

/// How requests come. A process is a value, the description; a stream is one run of it, which may refer
/// to its process.
///
/// | expression                    | meaning                                                      |
/// |-------------------------------|--------------------------------------------------------------|
/// | `p.start(random)` -> a stream | the arrivals that this source of chance gives, from time 0   |
/// | `p.validate()` -> std::string | empty, or what is wrong with its settings                    |
/// | `p.count()` -> std::uint64_t  | how many come, where that is known to end; optional          |
template <class P>
concept ArrivalProcess = std::copy_constructible<P> && requires(const P& process, Random random) {
  process.start(random);
  requires OpenStream<decltype(process.start(random))> ||
               ClosedStream<decltype(process.start(random))>;
  { process.validate() } -> std::convertible_to<std::string>;
};

}  // namespace simulation

namespace detail {

/// A stream of either kind. The next arrival is a plain member, so that looking at it costs no call.
class ArrivalStream {
 public:
  explicit ArrivalStream(bool closed) noexcept : closed_(closed) {}
  ArrivalStream(const ArrivalStream&) = delete;
  ArrivalStream& operator=(const ArrivalStream&) = delete;
  virtual ~ArrivalStream() = default;

  Duration earliest() const noexcept { return earliest_; }
  /// Whether it has to be told of answers.
  bool closed() const noexcept { return closed_; }

  virtual std::size_t take() noexcept = 0;
  virtual void answered(std::size_t client, Duration at, bool served) noexcept = 0;

 protected:
  Duration earliest_ = simulation::kNoArrival;

 private:
  const bool closed_;
};

template <class S>
class ErasedStream final : public ArrivalStream {
 public:
  explicit ErasedStream(S stream) : ArrivalStream(kClosed), stream_(std::move(stream)) { look(); }

  std::size_t take() noexcept override {
    std::size_t client = 0;
    if constexpr (kClosed) client = stream_.take();
    look();
    return client;
  }

  void answered([[maybe_unused]] std::size_t client, [[maybe_unused]] Duration at,
                [[maybe_unused]] bool served) noexcept override {
    if constexpr (kClosed) {
      stream_.answered(client, at, served);
      look();
    }
  }

 private:
  static constexpr bool kClosed = simulation::ClosedStream<S>;

  void look() noexcept {
    if constexpr (kClosed) {
      earliest_ = stream_.earliest();
    } else {
      earliest_ = stream_.next();
    }
  }

  S stream_;
};

}  // namespace detail

namespace simulation {

/// Holds any arrival process. Copies share what they hold, which never changes.
class AnyArrivals {
 public:
  /// Implicit, so that a setting reads `.arrivals = PoissonArrivals{.rate_hz = 1000}`.
  template <class P>
    requires(!std::same_as<std::remove_cvref_t<P>, AnyArrivals> &&
             ArrivalProcess<std::remove_cvref_t<P>>)
  AnyArrivals(P&& process)  // NOLINT(google-explicit-constructor)
      : held_(std::make_shared<const Held<std::remove_cvref_t<P>>>(std::forward<P>(process))) {}

  std::string validate() const { return held_->validate(); }

  /// How many come at most.
  std::uint64_t count() const noexcept { return held_->count(); }

  /// One run. This object has to outlive it.
  std::unique_ptr<detail::ArrivalStream> start(const Random& random) const {
    return held_->start(random);
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual std::string validate() const = 0;
    virtual std::uint64_t count() const noexcept = 0;
    virtual std::unique_ptr<detail::ArrivalStream> start(const Random& random) const = 0;
  };

  template <class P>
  struct Held final : Base {
    template <class Q>
    explicit Held(Q&& value) : process(std::forward<Q>(value)) {}

    std::string validate() const override { return process.validate(); }
    std::uint64_t count() const noexcept override {
      if constexpr (requires { process.count(); }) {
        return process.count();
      } else {
        return std::numeric_limits<std::uint64_t>::max();
      }
    }
    std::unique_ptr<detail::ArrivalStream> start(const Random& random) const override {
      using Stream = decltype(process.start(random));
      return std::make_unique<detail::ErasedStream<Stream>>(process.start(random));
    }

    P process;
  };

  std::shared_ptr<const Base> held_;
};

}  // namespace simulation
}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_SIMULATION_ARRIVAL_PROCESS_HPP
