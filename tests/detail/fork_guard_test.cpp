// SPDX-License-Identifier: MIT
#include <batchwright/detail/fork_guard.hpp>

#include <gtest/gtest.h>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/wait.h>
#include <unistd.h>

namespace {

using batchwright::detail::fork_count;
using batchwright::detail::watch_forks;

TEST(ForkGuard, CountsForksInTheChildAlone) {
  const unsigned before = watch_forks();
  EXPECT_EQ(watch_forks(), before);
  const pid_t pid = fork();
  if (pid == 0) _exit(static_cast<int>(fork_count.load() - before));
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(fork_count.load(), before);
}

}  // namespace

#endif
