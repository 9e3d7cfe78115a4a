// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_KEY_FUNCTION_HPP
#define BATCHWRIGHT_KEY_FUNCTION_HPP

#include "batch_info.hpp"
#include "detail/key_label.hpp"
#include "detail/pooled.hpp"
#include "errors.hpp"

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1 {

namespace detail {

/// What a key tells of itself without its type.
struct ErasedKey {
  const void* value = nullptr;
  std::size_t hash = 0;
  const void* within = nullptr;  ///< Keys are equal only within the same.
};

/// A key function without its key's type.
template <class TIn>
class KeyTraits {
 public:
  virtual ~KeyTraits() = default;

  /// Gives the key of an input to `use(context, key)`, during the call.
  virtual void with_key(const TIn& input, void (*use)(void*, const ErasedKey&),
                        void* context) const = 0;
  virtual bool equal(const void* a, const void* b) const = 0;
  virtual void* copy(const void* key) const = 0;
  virtual void destroy(void* key) const noexcept = 0;
  virtual const void* type() const noexcept = 0;

  /// Whether keys have a label, and if so gives that of `key` to `use(context, label)`, during the call.
  virtual bool has_label() const noexcept = 0;
  virtual void with_label(const void* key, void (*use)(void*, std::string_view),
                          void* context) const = 0;

  /// Which of the user's functions for the setting `name` is null; empty if none is.
  virtual std::string null_function(const std::string& name) const = 0;
};

template <class TIn, class F, class Hash, class Key, class Label>
class TypedKeyTraits final : public KeyTraits<TIn> {
 public:
  TypedKeyTraits(F function, Hash hash, Label label)
      : function_(std::move(function)), hash_(std::move(hash)), label_(std::move(label)) {}

  void with_key(const TIn& input, void (*use)(void*, const ErasedKey&),
                void* context) const override {
    const Key& key = std::invoke(function_, input);
    use(context, {&key, static_cast<std::size_t>(hash_(key))});
  }
  bool equal(const void* a, const void* b) const override {
    return *static_cast<const Key*>(a) == *static_cast<const Key*>(b);
  }
  void* copy(const void* key) const override {
    return pool_new<Key>(*static_cast<const Key*>(key));
  }
  void destroy(void* key) const noexcept override { pool_delete(static_cast<Key*>(key)); }
  const void* type() const noexcept override { return &kTypeMark<Key>; }

  bool has_label() const noexcept override { return HasText<Shown>; }
  void with_label([[maybe_unused]] const void* key,
                  [[maybe_unused]] void (*use)(void*, std::string_view),
                  [[maybe_unused]] void* context) const override {
    if constexpr (HasText<Shown>) {
      const Shown& shown = std::invoke(label_, *static_cast<const Key*>(key));
      with_text(shown, [&](std::string_view text) { use(context, text); });
    }
  }

  std::string null_function(const std::string& name) const override {
    if (detail::is_null(function_)) return name;
    if (detail::is_null(hash_)) return "hash of " + name;
    return detail::is_null(label_) ? "label of " + name : std::string();
  }

 private:
  using Shown = std::remove_cvref_t<std::invoke_result_t<const Label&, const Key&>>;

  F function_;
  Hash hash_;
  Label label_;
};

}  // namespace detail

/// Makes a key of an input: its shape, its model, its customer. Two inputs are of one kind if and only
/// if their keys are equal; the hash only finds them sooner. Converts from any callable `f(const TIn&)`
/// whose result, without reference, is a value with `==`, a copy constructor and a hash: `std::hash`, or
/// the second argument.
///
/// Where metrics are kept by key, a key is shown by its label: a string as it is, else what a function
/// `to_string(key)` of its type's namespace says, else a number, an enumerator's included; or the result
/// of the third argument `label(const Key&)`, which is one of these: `{by_customer, {}, tier_of}`. Keys
/// of one label are counted together. A label is asked for when a lane or tenant comes up. None of the
/// three may be null.
///
/// Called on the submitting thread, by several at a time, before admission; what it, the hash, `==` or
/// the copy throws comes out of `submit`, and nothing was accepted. `==` is called while others wait, so
/// it must not block nor use the batcher. A key is copied when it comes up, and destroyed when the last
/// request with it has been answered.
template <class TIn>
class KeyFunction {
 public:
  /// No keys: all requests are of one kind.
  KeyFunction() = default;

  template <class F, class Key = std::remove_cvref_t<std::invoke_result_t<const F&, const TIn&>>,
            class Hash = std::hash<Key>, class Label = detail::OwnLabel>
    requires(!std::same_as<F, KeyFunction> && std::equality_comparable<Key> &&
             std::copy_constructible<Key> &&
             requires(const Hash& hash, const Key& key) {
               { hash(key) } -> std::convertible_to<std::size_t>;
             } && detail::LabelOf<Label, Key>)
  KeyFunction(F function, Hash hash = {}, Label label = {})
      : traits_(std::make_shared<const detail::TypedKeyTraits<TIn, F, Hash, Key, Label>>(
            std::move(function), std::move(hash), std::move(label))) {}

  explicit operator bool() const noexcept { return traits_ != nullptr; }

  const std::shared_ptr<const detail::KeyTraits<TIn>>& traits() const noexcept { return traits_; }

 private:
  std::shared_ptr<const detail::KeyTraits<TIn>> traits_;
};

}  // namespace batchwright::inline v0_1

#endif  // BATCHWRIGHT_KEY_FUNCTION_HPP
