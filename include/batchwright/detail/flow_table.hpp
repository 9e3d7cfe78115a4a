// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_FLOW_TABLE_HPP
#define BATCHWRIGHT_DETAIL_FLOW_TABLE_HPP

#include "admission.hpp"
#include "class_register.hpp"
#include "flow.hpp"
#include "key_space.hpp"
#include "request.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Finds the lane and the tenant of an input, and what the scheduler keeps of them. A lane, a tenant and
/// a flow exist while one of their requests has no answer yet. Thread safe.
template <class TIn, Runtime R>
class FlowTable final : public FlowOwner {
 public:
  /// `classes`, if given, says by which keys requests are counted; `admission`, what room tenants have.
  /// Both outlive it.
  FlowTable(const R& runtime, const KeyFunction<TIn>& lane, const KeyFunction<TIn>& tenant,
            std::size_t sticky_executors, ClassRegister<R>* classes = nullptr,
            const Admission* admission = nullptr)
      : sticky_executors_(sticky_executors),
        admission_(admission != nullptr && admission->limits_tenants() ? admission : nullptr),
        classes_(classes),
        counts_lanes_(classes != nullptr && classes->counts(ClassKind::lane)),
        counts_tenants_(classes != nullptr && classes->counts(ClassKind::tenant)),
        lock_(runtime) {
    if (lane) lanes_.emplace(runtime, lane.traits());
    if (tenant) tenants_.emplace(runtime, tenant.traits());
  }

  /// Whether requests differ in anything that this table knows of.
  bool in_use() const noexcept { return lanes_.has_value() || tenants_.has_value(); }

  /// The flow of an input, held once more. A tenant that comes up gets `share`. Throws what the keys and
  /// their labels throw, and std::bad_alloc.
  HeldFlow* acquire(const TIn& input, std::uint32_t share) {
    Lane* lane = &own_lane_;
    if (lanes_) {
      lane = &lanes_->acquire(input, [&](LaneNode& node, const ErasedKey& key) noexcept {
        node.key = {key.value, lanes_->traits().type()};
        if (sticky_executors_ > 0) node.executor = key.hash % sticky_executors_;
      });
    }
    Tenant* tenant = &own_tenant_;
    bool known = true;
    HeldFlow* flow = nullptr;
    with_undo(
        [&] {
          if (tenants_) {
            tenant = &tenants_->acquire(input, [&](TenantNode& node, const ErasedKey& key) {
              node.share = share;
              node.key = key.value;
              if (admission_ == nullptr) return;
              admission_->open(node.own_room, share);
              node.room = &node.own_room;
            });
          }
          const LockGuard guard(lock_);
          const auto [place, is_new] = flows_.try_emplace(Pair{tenant, lane});
          flow = &place->second;
          if (is_new) {
            flow->tenant = tenant;
            flow->lane = lane;
            flow->owner = this;
          }
          known = !is_new;
          ++flow->holders;
        },
        [&] { release(*tenant, *lane); });
    if (known) release(*tenant, *lane);  // The flow holds them.
    if (counts_lanes_ || counts_tenants_) {
      with_undo([&] { classify(*flow); }, [&] { release(*flow); });
    }
    return flow;
  }

  void release(HeldFlow& flow) noexcept override {
    Tenant& tenant = *flow.tenant;
    Lane& lane = *flow.lane;
    {
      const LockGuard guard(lock_);
      if (--flow.holders > 0) return;
      flows_.erase(Pair{&tenant, &lane});
      shrink_to_need(flows_);
    }
    release(tenant, lane);
  }

  LaneKey key_of(const HeldFlow& flow) const noexcept override {
    return lanes_ ? static_cast<const LaneNode&>(*flow.lane).key : LaneKey{};
  }

 private:
  struct LaneNode : Lane {
    LaneKey key;
  };
  struct TenantNode : Tenant {
    const void* key = nullptr;
    TenantRoom own_room;
  };

  struct Pair {
    Tenant* tenant;
    Lane* lane;
    friend bool operator==(const Pair&, const Pair&) = default;
  };
  struct PairHash {
    std::size_t operator()(const Pair& pair) const noexcept {
      const std::hash<const void*> hash;
      return hash(pair.tenant) * 31 + hash(pair.lane);
    }
  };

  // Asks for labels, which is the user's code, so outside all locks; of several that do it at once for a
  // new flow each finds the same.
  void classify(HeldFlow& flow) {
    if (counts_lanes_ && flow.lane_class.load(std::memory_order_relaxed) == kNoClass) {
      flow.lane_class.store(class_of(ClassKind::lane, lanes_->traits(),
                                     static_cast<const LaneNode&>(*flow.lane).key.value),
                            std::memory_order_relaxed);
    }
    if (counts_tenants_ && flow.tenant_class.load(std::memory_order_relaxed) == kNoClass) {
      flow.tenant_class.store(class_of(ClassKind::tenant, tenants_->traits(),
                                       static_cast<const TenantNode&>(*flow.tenant).key),
                              std::memory_order_relaxed);
    }
  }

  ClassId class_of(ClassKind kind, const KeyTraits<TIn>& traits, const void* key) {
    struct Query {
      ClassRegister<R>& classes;
      ClassKind kind;
      ClassId found;
    } query{*classes_, kind, kNoClass};
    traits.with_label(
        key,
        [](void* context, std::string_view label) {
          auto& asked = *static_cast<Query*>(context);
          asked.found = asked.classes.find(asked.kind, label);
        },
        &query);
    return query.found;
  }

  void release(Tenant& tenant, Lane& lane) noexcept {
    if (lanes_ && &lane != &own_lane_) lanes_->release(static_cast<LaneNode&>(lane));
    if (tenants_ && &tenant != &own_tenant_) tenants_->release(static_cast<TenantNode&>(tenant));
  }

  const std::size_t sticky_executors_;
  const Admission* const admission_;  // Null where tenants have no room of their own.
  ClassRegister<R>* const classes_;
  const bool counts_lanes_;
  const bool counts_tenants_;
  std::optional<KeySpace<TIn, LaneNode, R>> lanes_;
  std::optional<KeySpace<TIn, TenantNode, R>> tenants_;
  Lane own_lane_;
  Tenant own_tenant_;

  Lock<R> lock_;
  std::unordered_map<Pair, HeldFlow, PairHash, std::equal_to<>,
                     PoolAllocator<std::pair<const Pair, HeldFlow>>>
      flows_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_FLOW_TABLE_HPP
