// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_OWNED_HPP
#define BATCHWRIGHT_DETAIL_OWNED_HPP

#include <cstddef>
#include <type_traits>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Owns what it points to. A std::unique_ptr would do, but costs some thirty functions and a tuple for
/// each type, which are an eighth of what a batcher takes to compile.
template <class T>
class Owned {
 public:
  Owned() noexcept = default;
  Owned(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor)
  explicit Owned(T* object) noexcept : object_(object) {}
  Owned(Owned&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Owned& operator=(Owned&& other) noexcept {
    T* const object = other.object_;
    other.object_ = nullptr;
    reset(object);
    return *this;
  }
  ~Owned() { delete object_; }

  void reset(T* object = nullptr) noexcept {
    T* const old = object_;
    object_ = object;
    delete old;
  }

  T* get() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  friend bool operator==(const Owned& a, std::nullptr_t) noexcept { return a.object_ == nullptr; }

 private:
  T* object_ = nullptr;
};

template <class T, class... Args>
Owned<T> make_owned(Args&&... args) {
  return Owned<T>(new T(std::forward<Args>(args)...));
}

/// Likewise of an array, whose elements are value-initialized. No elements, no memory.
template <class T>
class OwnedArray {
 public:
  OwnedArray() noexcept = default;
  explicit OwnedArray(std::size_t size) : elements_(size > 0 ? new T[size]() : nullptr) {}
  OwnedArray(OwnedArray&& other) noexcept : elements_(other.elements_) {
    other.elements_ = nullptr;
  }
  OwnedArray& operator=(OwnedArray&& other) noexcept {
    T* const elements = other.elements_;
    other.elements_ = nullptr;
    delete[] elements_;
    elements_ = elements;
    return *this;
  }
  ~OwnedArray() { delete[] elements_; }

  T& operator[](std::size_t index) const noexcept { return elements_[index]; }
  explicit operator bool() const noexcept { return elements_ != nullptr; }

 private:
  T* elements_ = nullptr;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_OWNED_HPP
