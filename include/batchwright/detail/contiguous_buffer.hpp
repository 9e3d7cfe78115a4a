// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CONTIGUOUS_BUFFER_HPP
#define BATCHWRIGHT_DETAIL_CONTIGUOUS_BUFFER_HPP

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace batchwright::inline v0_1::detail {

/// Raw memory for the rows of one batch after another. Unlike std::vector it asks nothing of T but a
/// constructor, and it is contiguous for `bool` too.
template <class T>
class ContiguousBuffer {
 public:
  ContiguousBuffer() noexcept = default;
  ContiguousBuffer(const ContiguousBuffer&) = delete;
  ContiguousBuffer& operator=(const ContiguousBuffer&) = delete;
  ~ContiguousBuffer() {
    clear();
    free();
  }

  /// Makes room for `count` rows. Requires: empty. Throws std::bad_alloc.
  void reserve(std::size_t count) {
    if (count <= capacity_) return;
    free();
    const std::size_t wanted = std::max(count, capacity_ * 2);
    capacity_ = 0;
    memory_ = static_cast<T*>(::operator new(wanted * sizeof(T), std::align_val_t(alignof(T))));
    capacity_ = wanted;
  }

  /// Requires: reserved.
  template <class... Args>
  void emplace_back(Args&&... args) {
    new (memory_ + size_) T(std::forward<Args>(args)...);
    ++size_;
  }

  /// Destroys the first `count` rows; the others stay where they are.
  void drop_front(std::size_t count) noexcept {
    std::destroy_n(memory_ + first_, count);
    first_ += count;
    if (first_ == size_) first_ = size_ = 0;
  }

  void clear() noexcept { drop_front(size_ - first_); }

  std::span<T> rows() noexcept { return {memory_ + first_, size_ - first_}; }

 private:
  void free() noexcept {
    if (memory_ != nullptr) ::operator delete(memory_, std::align_val_t(alignof(T)));
    memory_ = nullptr;
  }

  T* memory_ = nullptr;
  std::size_t first_ = 0;
  std::size_t size_ = 0;  // Those dropped included.
  std::size_t capacity_ = 0;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CONTIGUOUS_BUFFER_HPP
