// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_TESTS_SUPPORT_SHELL_INSTANCES_HPP
#define BATCHWRIGHT_TESTS_SUPPORT_SHELL_INSTANCES_HPP

#include "fragile.hpp"
#include "shell.hpp"

#include <cstddef>
#include <memory>
#include <string>

// What several tests of the shell would instantiate, each for itself: shell_instances.cpp does, once.
#define BATCHWRIGHT_TEST_POOL(linkage, size)                   \
  linkage template class batchwright::detail::BlockPool<size>; \
  linkage template class batchwright::detail::BlockCache<size>;

#define BATCHWRIGHT_TEST_INPUT(linkage, runtime, ...) \
  linkage template class batchwright::detail::TraitsReader<__VA_ARGS__, runtime>;

#define BATCHWRIGHT_TEST_PAIR(linkage, runtime, ...)                           \
  linkage template class batchwright::detail::Submitter<__VA_ARGS__, runtime>; \
  linkage template class batchwright::detail::Submission<__VA_ARGS__, runtime>;

#define BATCHWRIGHT_TEST_BATCHER(linkage, policy, runtime, ...)                          \
  linkage template class batchwright::BasicDynamicBatcher<__VA_ARGS__, policy, runtime>; \
  linkage template class batchwright::detail::Core<__VA_ARGS__, policy, runtime>;

// Of `int` and `int`, the policy apart.
#define BATCHWRIGHT_TEST_POLICY(linkage, policy) \
  BATCHWRIGHT_TEST_BATCHER(linkage, policy, batchwright::testing::TestRuntime, int, int)

// Of other types, with the usual policy.
#define BATCHWRIGHT_TEST_TYPES(linkage, ...)                                                      \
  BATCHWRIGHT_TEST_PAIR(linkage, batchwright::testing::TestRuntime, __VA_ARGS__)                  \
  BATCHWRIGHT_TEST_BATCHER(linkage, batchwright::GreedyPolicy, batchwright::testing::TestRuntime, \
                           __VA_ARGS__)

#define BATCHWRIGHT_TEST_INSTANCES(linkage)                                                     \
  BATCHWRIGHT_TEST_POOL(linkage, 64)                                                            \
  BATCHWRIGHT_TEST_POOL(linkage, 128)                                                           \
  BATCHWRIGHT_TEST_POOL(linkage, 192)                                                           \
  BATCHWRIGHT_TEST_POOL(linkage, 256)                                                           \
  BATCHWRIGHT_TEST_POOL(linkage, 320)                                                           \
  BATCHWRIGHT_TEST_POOL(linkage, 384)                                                           \
  BATCHWRIGHT_TEST_POOL(linkage, 448)                                                           \
  BATCHWRIGHT_TEST_POOL(linkage, 512)                                                           \
  BATCHWRIGHT_TEST_INPUT(linkage, batchwright::testing::TestRuntime, int)                       \
  BATCHWRIGHT_TEST_INPUT(linkage, batchwright::testing::TestRuntime, std::string)               \
  BATCHWRIGHT_TEST_INPUT(linkage, batchwright::testing::TestRuntime, std::unique_ptr<int>)      \
  BATCHWRIGHT_TEST_INPUT(linkage, batchwright::testing::TestRuntime, batchwright_test::Fragile) \
  BATCHWRIGHT_TEST_INPUT(linkage, batchwright::SystemRuntime, int)                              \
  BATCHWRIGHT_TEST_TYPES(linkage, int, int)                                                     \
  BATCHWRIGHT_TEST_POLICY(linkage, batchwright::TimePolicy)                                     \
  BATCHWRIGHT_TEST_POLICY(linkage, batchwright::SizePolicy)                                     \
  BATCHWRIGHT_TEST_POLICY(linkage, batchwright::HybridPolicy)                                   \
  BATCHWRIGHT_TEST_POLICY(linkage, batchwright::AnyPolicy)                                      \
  BATCHWRIGHT_TEST_TYPES(linkage, int, void)                                                    \
  BATCHWRIGHT_TEST_TYPES(linkage, int, bool)                                                    \
  BATCHWRIGHT_TEST_TYPES(linkage, int, std::unique_ptr<int>)                                    \
  BATCHWRIGHT_TEST_TYPES(linkage, std::unique_ptr<int>, int)                                    \
  BATCHWRIGHT_TEST_TYPES(linkage, std::string, std::size_t)                                     \
  BATCHWRIGHT_TEST_TYPES(linkage, std::string, std::string)                                     \
  BATCHWRIGHT_TEST_TYPES(linkage, batchwright_test::Fragile, int)                               \
  BATCHWRIGHT_TEST_PAIR(linkage, batchwright::SystemRuntime, int, int)                          \
  BATCHWRIGHT_TEST_BATCHER(linkage, batchwright::AnyPolicy, batchwright::SystemRuntime, int, int)

BATCHWRIGHT_TEST_INSTANCES(extern)

#endif  // BATCHWRIGHT_TESTS_SUPPORT_SHELL_INSTANCES_HPP
