// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_LOAN_HPP
#define BATCHWRIGHT_DETAIL_LOAN_HPP

#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// When whoever hands requests over wants the sleeping dispatcher's role, instead of electing it.
enum class Loan : std::uint8_t {
  none,
  to_dispatch,  ///< If the dispatcher would have to be woken, and nothing but batches can come of it.
  to_run,       ///< In any case: he waits for his answer, and may run the batch himself.
};

/// What he got.
enum class Lent : std::uint8_t {
  nothing,
  role,  ///< He looks for himself what came.
  look,  ///< The role, and what came, which is in the dispatcher's inbox already.
};

/// Does the dispatcher's part for a thread that submits and was lent `Lent::look`.
class StandIn {
 public:
  virtual void dispatch_arrivals() noexcept = 0;

 protected:
  ~StandIn() = default;
};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_LOAN_HPP
