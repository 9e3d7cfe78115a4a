// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_REQUEST_TRAITS_HPP
#define BATCHWRIGHT_DETAIL_REQUEST_TRAITS_HPP

#include "../errors.hpp"
#include "../options.hpp"
#include "admission.hpp"
#include "fair_share.hpp"
#include "flow_table.hpp"
#include "owned.hpp"
#include "pooled.hpp"
#include "request.hpp"
#include "shared_keys.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// What the user's functions say of an input. Holds the input's flow and key until a request takes them
/// over.
struct RequestTraits {
  std::size_t bytes = 0;
  std::uint32_t weight = 1;
  std::uint32_t length = 1;
  HeldFlow* flow = nullptr;
  SharedKey* shared_key = nullptr;

  RequestTraits() = default;
  RequestTraits(RequestTraits&& other) noexcept
      : bytes(other.bytes),
        weight(other.weight),
        length(other.length),
        flow(std::exchange(other.flow, nullptr)),
        shared_key(std::exchange(other.shared_key, nullptr)) {}
  RequestTraits& operator=(RequestTraits&&) = delete;
  ~RequestTraits() {
    if (shared_key != nullptr || flow != nullptr) let_go();
  }

  void let_go() noexcept {
    release_key(shared_key);
    release_flow(flow);
  }

  void give_to(RequestBase& request) noexcept {
    request.bytes = bytes;
    request.weight = weight;
    request.length = length;
    request.held_flow = std::exchange(flow, nullptr);
    request.flow = request.held_flow;
    request.shared_key = std::exchange(shared_key, nullptr);
  }
};

/// What they say of the inputs of one call, in order. Lies in pooled blocks.
class TraitsList {
 public:
  TraitsList() = default;
  TraitsList(const TraitsList&) = delete;
  TraitsList& operator=(const TraitsList&) = delete;
  ~TraitsList() {
    while (first_ != nullptr) drop_first();
  }

  /// Throws std::bad_alloc.
  void append(RequestTraits&& traits) {
    Node* const node = pool_new<Node>(std::move(traits));
    (first_ == nullptr ? first_ : last_->next) = node;
    last_ = node;
  }

  /// Calls `use(traits)` with those of the next input; where nothing was asked, and so nothing appended,
  /// with the usual ones. What it leaves, if it throws, is kept.
  template <class Use>
  void use_first(Use&& use) {
    if (first_ == nullptr) return use(RequestTraits());
    use(std::move(first_->traits));
    drop_first();
  }

 private:
  void drop_first() noexcept { pool_delete(std::exchange(first_, first_->next)); }

  struct Node {
    explicit Node(RequestTraits&& its) noexcept : traits(std::move(its)) {}
    RequestTraits traits;
    Node* next = nullptr;
  };

  Node* first_ = nullptr;
  Node* last_ = nullptr;
};

/// Asks the user's functions about inputs, on the submitting thread.
template <class TIn, Runtime R>
class TraitsReader {
 public:
  /// `classes` and `admission` as for FlowTable.
  template <class Options>
  TraitsReader(const R& runtime, Options& options, ClassRegister<R>* classes,
               const Admission* admission = nullptr)
      : bytes_(std::move(options.bytes)),
        weight_(std::move(options.weight)),
        length_(std::move(options.length)),
        share_(std::move(options.share)),
        flows_(runtime, options.lane, options.tenant,
               options.sticky_lanes == StickyLanes::yes
                   ? std::max<std::size_t>(options.executors, 1)
                   : 0,
               classes, admission),
        shared_keys_(options.coalesce
                         ? make_owned<SharedKeys<TIn, R>>(runtime, options.coalesce.key())
                         : nullptr),
        reads_(bytes_ || weight_ || length_ || flows_.in_use() || shared_keys_ != nullptr) {}

  /// Whether there is anything to be asked.
  bool reads() const noexcept { return reads_; }

  /// Throws what the user's functions throw, std::invalid_argument if one of them says 0 or too much.
  RequestTraits read(const TIn& input) {
    RequestTraits traits;
    if (!reads_) return traits;
    if (bytes_) traits.bytes = bytes_(input);
    if (weight_) traits.weight = checked("weight", weight_(input), 0xffff'ffff);
    if (length_) traits.length = checked("length", length_(input), 0xffff'ffff);
    if (flows_.in_use()) {
      const std::uint32_t share =
          share_ ? checked("share", share_(input), FairShare::kMaxShare) : 1;
      traits.flow = flows_.acquire(input, share);
    }
    if (shared_keys_ != nullptr) traits.shared_key = shared_keys_->acquire(input, traits.flow);
    return traits;
  }

 private:
  static std::uint32_t checked(const char* what, std::size_t value, std::uint32_t most) {
    if (value < 1 || value > most) {
      raise_invalid(std::string(what) + " of a request", "from 1 to " + std::to_string(most),
                    std::to_string(value));
    }
    return static_cast<std::uint32_t>(value);
  }

  const std::function<std::size_t(const TIn&)> bytes_;
  const std::function<std::size_t(const TIn&)> weight_;
  const std::function<std::size_t(const TIn&)> length_;
  const std::function<std::size_t(const TIn&)> share_;
  FlowTable<TIn, R> flows_;
  const Owned<SharedKeys<TIn, R>> shared_keys_;  // With `coalesce`.
  const bool reads_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_REQUEST_TRAITS_HPP
