// SPDX-License-Identifier: MIT
#include <batchwright/simulation/classes.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using batchwright::detail::check_classes;

TEST(RequestClasses, AreRightAsTheyComeAndWithAllSet) {
  EXPECT_EQ(check_classes({}), "");
  EXPECT_EQ(check_classes({{},
                           {.name = "bulk",
                            .proportion = 3,
                            .priority = -1,
                            .deadline = 1s,
                            .timeout = 1ms,
                            .weight = 4,
                            .length = 7,
                            .lane = 2,
                            .tenant = 1,
                            .tenant_share = 2}}),
            "");
}

TEST(RequestClasses, NameTheSettingThatIsWrongTheValueAndWhatIsAllowed) {
  EXPECT_EQ(check_classes({{}, {.proportion = 0}}),
            "classes[1].proportion must be above 0 and at most 1e12, got 0");
  EXPECT_EQ(check_classes({{.deadline = 0ns}}), "classes[0].deadline must be above 0 ns, got 0 ns");
  EXPECT_EQ(check_classes({{.timeout = 0ns}}),
            "classes[0].timeout must be unset or above 0 ns, got 0 ns");
  EXPECT_EQ(check_classes({{.weight = 0}}),
            "classes[0].weight must be from 1 to 4294967295, got 0");
  EXPECT_EQ(check_classes({{.length = 0}}),
            "classes[0].length must be from 1 to 4294967295, got 0");
  EXPECT_EQ(check_classes({{.lane = 70'000}}),
            "classes[0].lane must be from 0 to 65535, got 70000");
  EXPECT_EQ(check_classes({{.tenant = 70'000}}),
            "classes[0].tenant must be from 0 to 65535, got 70000");
  EXPECT_EQ(check_classes({{.tenant_share = 0}}),
            "classes[0].tenant_share must be from 1 to 1048576, got 0");
}

}  // namespace
