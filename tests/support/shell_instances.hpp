// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_SHELL_INSTANCES_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_SHELL_INSTANCES_HPP

#include "shell.hpp"

// What most tests of the shell would instantiate, each for itself: shell_instances.cpp does, once.
#define BATCHWRIGHT_TEST_INSTANCES(linkage)                                                    \
  linkage template class batchwright::BasicDynamicBatcher<int, int, batchwright::GreedyPolicy, \
                                                          batchwright::testing::TestRuntime>;  \
  linkage template class batchwright::detail::Core<int, int, batchwright::GreedyPolicy,        \
                                                   batchwright::testing::TestRuntime>;         \
  linkage template class batchwright::BasicDynamicBatcher<int, int, batchwright::TimePolicy,   \
                                                          batchwright::testing::TestRuntime>;  \
  linkage template class batchwright::detail::Core<int, int, batchwright::TimePolicy,          \
                                                   batchwright::testing::TestRuntime>;         \
  linkage template class batchwright::BasicDynamicBatcher<int, int, batchwright::AnyPolicy,    \
                                                          batchwright::SystemRuntime>;         \
  linkage template class batchwright::detail::Core<int, int, batchwright::AnyPolicy,           \
                                                   batchwright::SystemRuntime>;

BATCHWRIGHT_TEST_INSTANCES(extern)

#endif  // BATCHWRIGHT_TESTS_SUPPORT_SHELL_INSTANCES_HPP
