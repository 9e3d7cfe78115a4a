// SPDX-License-Identifier: MIT
#include <batchwright/batchwright.hpp>
#include <batchwright/version.hpp>

#include <gtest/gtest.h>

#include <string>
#include <typeinfo>

namespace {

#define BATCHWRIGHT_TEST_TEXT_OF(value) #value
#define BATCHWRIGHT_TEST_TEXT(value) BATCHWRIGHT_TEST_TEXT_OF(value)

TEST(Version, AsOneNumberGrowsWithEachPart) {
  EXPECT_EQ(BATCHWRIGHT_VERSION, BATCHWRIGHT_VERSION_MAJOR * 10000 +
                                     BATCHWRIGHT_VERSION_MINOR * 100 + BATCHWRIGHT_VERSION_PATCH);
  EXPECT_LT(BATCHWRIGHT_VERSION_MINOR, 100);
  EXPECT_LT(BATCHWRIGHT_VERSION_PATCH, 100);
}

TEST(Version, CanBeTestedByThePreprocessor) {
#if BATCHWRIGHT_VERSION >= 100 && BATCHWRIGHT_VERSION < 1000000
  SUCCEED();
#else
  FAIL() << BATCHWRIGHT_VERSION;
#endif
}

// Two copies of the library with different layouts may then be linked into one program.
TEST(Version, TheInlineNamespaceIsNamedAfterIt) {
  const std::string name = typeid(batchwright::SubmitOptions).name();
  const std::string expected = "v" BATCHWRIGHT_TEST_TEXT(BATCHWRIGHT_VERSION_MAJOR) "_"  //
      BATCHWRIGHT_TEST_TEXT(BATCHWRIGHT_VERSION_MINOR);
  EXPECT_NE(name.find("batchwright" + std::to_string(expected.size()) + expected),
            std::string::npos)
      << name;
}

}  // namespace
