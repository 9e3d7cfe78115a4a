// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_POLICIES_ANY_HPP
#define BATCHWRIGHT_POLICIES_ANY_HPP

#include "../detail/owned.hpp"
#include "../policy.hpp"
#include "greedy.hpp"

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {

/// Holds any policy value, so that the policy is no part of a batcher's type. One allocation when it is
/// made or copied, one indirect call per decision. A moved-from AnyPolicy may only be assigned to or
/// destroyed.
class AnyPolicy {
 public:
  AnyPolicy() : AnyPolicy(GreedyPolicy{}) {}

  /// Implicit, so that a setting reads `.policy = HybridPolicy{.max_wait = 2ms}`.
  template <class P>
    requires(!std::same_as<std::remove_cvref_t<P>, AnyPolicy> &&
             BatchingPolicy<std::remove_cvref_t<P>>)
  AnyPolicy(P&& policy)  // NOLINT(google-explicit-constructor)
      : held_(new Held<std::remove_cvref_t<P>>(std::forward<P>(policy))) {}

  AnyPolicy(const AnyPolicy& other) : held_(other.held_->clone()) {}
  AnyPolicy(AnyPolicy&&) noexcept = default;
  AnyPolicy& operator=(const AnyPolicy& other) {
    held_ = other.held_->clone();
    return *this;
  }
  AnyPolicy& operator=(AnyPolicy&&) noexcept = default;
  ~AnyPolicy() = default;

  Decision decide(const QueueView& view) noexcept { return held_->decide(view); }
  void on_arrivals(const ArrivalReport& report) noexcept { held_->on_arrivals(report); }
  void on_batch(const BatchReport& report) noexcept { held_->on_batch(report); }
  PolicyNeeds needs() const noexcept { return held_->needs(); }
  /// Whether the policy that it holds has `on_arrivals`.
  bool hears_arrivals() const noexcept { return held_->hears_arrivals(); }
  std::string validate(const PolicyLimits& limits) const { return held_->validate(limits); }

 private:
  struct Base;
  using Owned = detail::Owned<Base>;

  struct Base {
    virtual ~Base() = default;
    virtual Owned clone() const = 0;
    virtual Decision decide(const QueueView& view) noexcept = 0;
    virtual void on_arrivals(const ArrivalReport& report) noexcept = 0;
    virtual void on_batch(const BatchReport& report) noexcept = 0;
    virtual PolicyNeeds needs() const noexcept = 0;
    virtual bool hears_arrivals() const noexcept = 0;
    virtual std::string validate(const PolicyLimits& limits) const = 0;
  };

  template <class P>
  struct Held final : Base {
    template <class Q>
    explicit Held(Q&& value) : policy(std::forward<Q>(value)) {}

    Owned clone() const override { return Owned(new Held(policy)); }
    Decision decide(const QueueView& view) noexcept override { return policy.decide(view); }
    void on_arrivals([[maybe_unused]] const ArrivalReport& report) noexcept override {
      if constexpr (detail::HearsArrivals<P>) policy.on_arrivals(report);
    }
    void on_batch([[maybe_unused]] const BatchReport& report) noexcept override {
      if constexpr (detail::HearsBatches<P>) policy.on_batch(report);
    }
    PolicyNeeds needs() const noexcept override { return detail::needs_of(policy); }
    bool hears_arrivals() const noexcept override { return detail::HearsArrivals<P>; }
    std::string validate(const PolicyLimits& limits) const override {
      return detail::validate_policy(policy, limits);
    }

    P policy;
  };

  Owned held_;
};

static_assert(BatchingPolicy<AnyPolicy>);

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_POLICIES_ANY_HPP
