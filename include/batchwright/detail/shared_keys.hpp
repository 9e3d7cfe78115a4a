// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_SHARED_KEYS_HPP
#define BATCHWRIGHT_DETAIL_SHARED_KEYS_HPP

#include "../key_function.hpp"
#include "key_space.hpp"
#include "request.hpp"

namespace batchwright::inline v0_1::detail {

/// Finds the key by which a request shares its computation with others of its flow. A key exists while
/// one of its requests has no answer yet. Thread safe.
template <class TIn, class R>
class SharedKeys final : public SharedKeyOwner {
 public:
  SharedKeys(const R& runtime, const KeyFunction<TIn>& key) : keys_(runtime, key.traits()) {}

  /// Held once more. Throws what the key throws, and std::bad_alloc.
  SharedKey* acquire(const TIn& input, const HeldFlow* flow) {
    return &keys_.acquire(
        input, [this](SharedKey& key, const ErasedKey&) noexcept { key.owner = this; }, flow);
  }

  void release(SharedKey& key) noexcept override { keys_.release(key); }

 private:
  KeySpace<TIn, SharedKey, R> keys_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_SHARED_KEYS_HPP
