// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_HANDED_HPP
#define BATCHWRIGHT_DETAIL_HANDED_HPP

#include <utility>

namespace batchwright::inline v0_1::detail {

/// Batches that have been formed and not yet been put where their executors look.
template <class Batch>
class Handed {
 public:
  void append(Batch& batch) noexcept {
    batch.next = nullptr;
    *end_ = &batch;
    end_ = &batch.next;
  }

  /// Gives them out in order; each may be anywhere afterwards.
  template <class Put>
  void each(Put&& put) noexcept {
    end_ = &first_;
    for (Batch* one = std::exchange(first_, nullptr); one != nullptr;) {
      put(*std::exchange(one, one->next));
    }
  }

 private:
  Batch* first_ = nullptr;
  Batch** end_ = &first_;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_HANDED_HPP
