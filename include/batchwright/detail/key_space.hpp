// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_KEY_SPACE_HPP
#define BATCHWRIGHT_DETAIL_KEY_SPACE_HPP

#include "../errors.hpp"
#include "../key_function.hpp"
#include "lock.hpp"
#include "pooled.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// The keys that are in use, each with a node that stands for it. Keys are told apart by equality. A
/// key's node stays where it is as long as somebody holds it, and is forgotten with the last. Thread
/// safe; O(1) with one short lock.
template <class TIn, class Node, Runtime R>
class KeySpace {
 public:
  KeySpace(const R& runtime, std::shared_ptr<const KeyTraits<TIn>> traits)
      : traits_(std::move(traits)),
        lock_(runtime),
        entries_(0, Hash{}, Equal{traits_.get()}, Allocator()) {}

  KeySpace(const KeySpace&) = delete;
  KeySpace& operator=(const KeySpace&) = delete;
  ~KeySpace() {
    for (auto& [key, entry] : entries_) traits_->destroy(const_cast<void*>(key.value));
  }

  /// The node of an input's key, held once more. A new one is made ready by `prepare(node, key)`. Throws
  /// what the key and `prepare` throw, and std::bad_alloc. Keys are equal only `within` the same.
  template <class Prepare>
  Node& acquire(const TIn& input, Prepare&& prepare, const void* within = nullptr) {
    Query<Prepare> query{*this, prepare, within, nullptr};
    traits_->with_key(
        input,
        [](void* context, const ErasedKey& key) {
          auto& asked = *static_cast<Query<Prepare>*>(context);
          const std::size_t salt = std::hash<const void*>()(asked.within) * 31;
          asked.node = &asked.space.find({key.value, key.hash ^ salt, asked.within}, asked.prepare);
        },
        &query);
    return *query.node;
  }

  /// Lets go of it once.
  void release(Node& node) noexcept {
    Entry& entry = static_cast<Entry&>(node);
    void* forgotten = nullptr;
    {
      const LockGuard guard(lock_);
      if (--entry.holders > 0) return;
      forgotten = const_cast<void*>(entry.key.value);
      entries_.erase(entries_.find(Identity{entry.key}));
      shrink_to_need(entries_);
    }
    traits_->destroy(forgotten);
  }

  /// How many keys are in use: a snapshot.
  std::size_t size() noexcept {
    const LockGuard guard(lock_);
    return entries_.size();
  }

  const KeyTraits<TIn>& traits() const noexcept { return *traits_; }

 private:
  struct Entry : Node {
    ErasedKey key;
    std::size_t holders = 1;
  };
  // A key that is in the table, told by its address: to find it asks no user's code, which may throw.
  struct Identity {
    ErasedKey key;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const ErasedKey& key) const noexcept { return key.hash; }
    std::size_t operator()(const Identity& own) const noexcept { return own.key.hash; }
  };
  struct Equal {
    using is_transparent = void;
    const KeyTraits<TIn>* traits;
    bool operator()(const ErasedKey& a, const ErasedKey& b) const {
      return a.hash == b.hash && a.within == b.within && traits->equal(a.value, b.value);
    }
    bool operator()(const Identity& own, const ErasedKey& b) const noexcept {
      return own.key.value == b.value;
    }
    bool operator()(const ErasedKey& a, const Identity& own) const noexcept {
      return own.key.value == a.value;
    }
  };
  using Allocator = PoolAllocator<std::pair<const ErasedKey, Entry>>;

  template <class Prepare>
  struct Query {
    KeySpace& space;
    Prepare& prepare;
    const void* within;
    Node* node;
  };

  template <class Prepare>
  Node& find(const ErasedKey& key, Prepare& prepare) {
    {
      const LockGuard guard(lock_);
      if (const auto place = entries_.find(key); place != entries_.end()) {
        ++place->second.holders;
        return place->second;
      }
    }
    // The copy is the user's code, so it is made outside the lock; another may be quicker meanwhile.
    const ErasedKey own{traits_->copy(key.value), key.hash, key.within};
    bool made = false;
    Node* node = nullptr;
    with_undo(
        [&] {
          const LockGuard guard(lock_);
          const auto place = entries_.try_emplace(own);
          Entry& entry = place.first->second;
          node = &entry;
          made = place.second;
          if (made) {
            entry.key = own;
            with_undo([&] { prepare(*node, own); }, [&] { entries_.erase(place.first); });
          } else {
            ++entry.holders;
          }
        },
        [&] { traits_->destroy(const_cast<void*>(own.value)); });
    if (!made) traits_->destroy(const_cast<void*>(own.value));
    return *node;
  }

  const std::shared_ptr<const KeyTraits<TIn>> traits_;
  Lock<R> lock_;
  std::unordered_map<ErasedKey, Entry, Hash, Equal, Allocator> entries_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_KEY_SPACE_HPP
