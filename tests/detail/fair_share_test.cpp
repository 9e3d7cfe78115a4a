// SPDX-License-Identifier: MIT
#include <batchwright/detail/fair_share.hpp>

#include <gtest/gtest.h>

#include <cstdint>

namespace {

using batchwright::detail::FairShare;
using batchwright::detail::Tenant;

TEST(FairShare, ATenantPaysByWeightOverShare) {
  FairShare shares;
  Tenant one, two;
  two.share = 2;
  shares.charge(one, 3);
  shares.charge(two, 6);
  EXPECT_EQ(shares.effective(one), shares.effective(two));
  shares.charge(two, 1);
  EXPECT_TRUE(batchwright::detail::tag_before(shares.effective(one), shares.effective(two)));
}

TEST(FairShare, NobodySavesUpWhatHeDoesNotUse) {
  FairShare shares;
  Tenant busy, idle;
  for (int i = 0; i < 10; ++i) {
    shares.lead(busy);
    shares.charge(busy, 5);
  }
  // He is before the busy one, by what that had in its last turn alone.
  EXPECT_EQ(shares.effective(busy) - shares.effective(idle), FairShare::cost(busy, 5));
}

TEST(FairShare, AllAreEqualsAfterAReset) {
  FairShare shares;
  Tenant a, b;
  shares.charge(a, 100);
  shares.charge(b, 1);
  shares.reset();
  EXPECT_EQ(shares.effective(a), shares.effective(b));
}

TEST(FairShare, TagsMayWrapAround) {
  FairShare shares;
  Tenant a, b;
  a.tag = ~std::uint64_t{0} - 5;
  b.tag = a.tag;
  shares.lead(a);
  shares.charge(a, 1);
  EXPECT_LT(a.tag, b.tag);
  EXPECT_TRUE(batchwright::detail::tag_before(shares.effective(b), shares.effective(a)));
}

TEST(FairShare, TheLargestShareStillPays) {
  Tenant tenant;
  tenant.share = FairShare::kMaxShare;
  EXPECT_EQ(FairShare::cost(tenant, 1), 1u);
}

}  // namespace
