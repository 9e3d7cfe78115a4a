// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_KEY_LABEL_HPP
#define BATCHWRIGHT_DETAIL_KEY_LABEL_HPP

#include <charconv>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace batchwright::inline v0_1::detail {

template <class T>
concept StringLike = std::convertible_to<const T&, std::string_view>;

/// Has a function `to_string`, found by its type.
template <class T>
concept HasToString = requires(const T& value) {
  { to_string(value) } -> std::convertible_to<std::string_view>;
};

/// Can be shown without being told how.
template <class T>
concept HasText = StringLike<T> || HasToString<T> || std::integral<T> || std::is_enum_v<T>;

/// Calls `use(std::string_view)` with what a value shows as: a string as it is, then what `to_string` says,
/// then a number, an enumerator's included.
template <HasText T, class Use>
void with_text(const T& value, Use use) {
  if constexpr (std::is_pointer_v<T> && StringLike<T>) {
    use(value == nullptr ? std::string_view() : std::string_view(value));
  } else if constexpr (StringLike<T>) {
    use(std::string_view(value));
  } else if constexpr (HasToString<T>) {
    const auto& text = to_string(value);
    use(std::string_view(text));
  } else if constexpr (std::is_enum_v<T>) {
    with_text(static_cast<std::underlying_type_t<T>>(value), use);
  } else if constexpr (std::same_as<T, bool>) {
    use(std::string_view(value ? "true" : "false"));
  } else if constexpr (sizeof(T) < sizeof(int)) {  // Of characters too.
    with_text(static_cast<int>(value), use);
  } else {
    char text[24];
    if constexpr (std::signed_integral<T>) {
      const auto end = std::to_chars(text, text + sizeof text, static_cast<long long>(value)).ptr;
      use(std::string_view(text, static_cast<std::size_t>(end - text)));
    } else {
      const auto end =
          std::to_chars(text, text + sizeof text, static_cast<unsigned long long>(value)).ptr;
      use(std::string_view(text, static_cast<std::size_t>(end - text)));
    }
  }
}

/// A key that is shown as it is, if it can be.
struct OwnLabel {
  template <class Key>
  const Key& operator()(const Key& key) const noexcept {
    return key;
  }
};

/// A function that tells a key's label. Of keys without a text of their own OwnLabel tells none.
template <class Label, class Key>
concept LabelOf = std::same_as<Label, OwnLabel> || requires(const Label& label, const Key& key) {
  requires HasText<std::remove_cvref_t<std::invoke_result_t<const Label&, const Key&>>>;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_KEY_LABEL_HPP
