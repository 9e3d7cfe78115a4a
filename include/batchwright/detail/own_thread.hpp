// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_OWN_THREAD_HPP
#define BATCHWRIGHT_DETAIL_OWN_THREAD_HPP

namespace batchwright::inline v0_1::detail {

/// Marks the current thread as one of a batcher's own, on which blocking on that batcher is refused.
/// Nests: a predictor that another thread's completion runs may belong to another batcher.
class OwnThread {
 public:
  explicit OwnThread(const void* batcher) noexcept : batcher_(batcher), outer_(current_) {
    current_ = this;
  }
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;
  ~OwnThread() { current_ = outer_; }

  static bool is(const void* batcher) noexcept {
    for (const OwnThread* own = current_; own != nullptr; own = own->outer_) {
      if (own->batcher_ == batcher) return true;
    }
    return false;
  }

 private:
  static inline thread_local const OwnThread* current_ = nullptr;

  const void* batcher_;
  const OwnThread* outer_;
};

inline bool on_own_thread(const void* batcher) noexcept { return OwnThread::is(batcher); }

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_OWN_THREAD_HPP
