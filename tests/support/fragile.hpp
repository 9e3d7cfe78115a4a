// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_FRAGILE_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_FRAGILE_HPP

#include <atomic>

namespace batchwright_test {

/// What a Fragile throws. Not a std::exception.
struct Broken {};

/// A value whose n-th copy or move throws, and which counts how many of it are alive.
class Fragile {
 public:
  explicit Fragile(int value) : value_(value) { ++alive_; }
  Fragile(const Fragile& other) : value_(other.value_) {
    step();
    ++alive_;
  }
  Fragile(Fragile&& other) noexcept(false) : value_(other.value_) {
    step();
    other.value_ = kMovedFrom;
    ++alive_;
  }
  Fragile& operator=(const Fragile& other) {
    step();
    value_ = other.value_;
    return *this;
  }
  Fragile& operator=(Fragile&& other) noexcept(false) {
    step();
    value_ = other.value_;
    other.value_ = kMovedFrom;
    return *this;
  }
  ~Fragile() { --alive_; }

  int value() const { return value_; }

  static constexpr int kMovedFrom = -1;

  /// From now on the n-th copy or move throws; none does after that.
  static void break_at(int n) { fuse_ = n; }
  /// Whether the one that was to throw has not come.
  static bool unbroken() { return fuse_.exchange(0) > 0; }

  static int alive() { return alive_; }

 private:
  static void step() {
    if (fuse_ > 0 && --fuse_ == 0) throw Broken();
  }

  static inline std::atomic<int> fuse_{0};
  static inline std::atomic<int> alive_{0};

  int value_;
};

}  // namespace batchwright_test

#endif  // BATCHWRIGHT_TESTS_SUPPORT_FRAGILE_HPP
