// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_FAIR_SHARE_HPP
#define BATCHWRIGHT_DETAIL_FAIR_SHARE_HPP

#include "flow.hpp"

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// Who of several tenants goes first: start-time fair queueing (Goyal, Vin and Cheng 1996, section 2).
/// A tenant's tag grows by weight over share with every request of it that is dispatched, and the one
/// with the smallest tag is served. Virtual time is the tag of the one that was served last: who comes
/// back later begins there, so nobody saves up what he does not use, and what he does not use goes to
/// the others at once. While two tenants have requests that could leave, what they get per share differs
/// by no more than the largest batch. All is O(1).
///
/// Tags wrap around after some years; only differences count, and they stay small.
class FairShare {
 public:
  /// The tag that counts for a tenant now.
  std::uint64_t effective(const Tenant& tenant) const noexcept {
    return later(tenant.tag, virtual_time_);
  }

  /// The tenant's request leads a batch.
  void lead(const Tenant& tenant) noexcept { virtual_time_ = effective(tenant); }

  /// The tenant's request of this weight is dispatched.
  void charge(Tenant& tenant, std::uint32_t weight) noexcept {
    tenant.tag = effective(tenant) + cost(tenant, weight);
    latest_ = later(latest_, tenant.tag);
  }

  /// Nothing is queued any more: all begin anew as equals.
  void reset() noexcept { virtual_time_ = latest_; }

  static std::uint64_t cost(const Tenant& tenant, std::uint32_t weight) noexcept {
    const std::uint64_t scaled = std::uint64_t{weight} << kFraction;
    // A division costs as much as all the rest of a dispatch.
    return tenant.share == 1 ? scaled : scaled / tenant.share;
  }

  /// What a share may be at most, so that a request always costs something.
  static constexpr int kFraction = 20;
  static constexpr std::uint32_t kMaxShare = std::uint32_t{1} << kFraction;

 private:
  static std::uint64_t later(std::uint64_t a, std::uint64_t b) noexcept {
    return tag_before(a, b) ? b : a;
  }

  std::uint64_t virtual_time_ = 0;
  std::uint64_t latest_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_FAIR_SHARE_HPP
