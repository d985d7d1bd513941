// A device's threads: every part once, errors to the caller, callers side by side, calls within calls, the
// end.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace galago::kernels::cpu {
namespace {

class Threads : public testing::TestWithParam<int> {
 protected:
  Pool pool_{GetParam()};
};

TEST_P(Threads, EveryPartRunsOnce) {
  for (int round = 0; round < 300; ++round)
    for (const int64_t parts : {0, 1, 2, 7, 64}) {
      std::vector<std::atomic<int>> runs(64);
      parallel_parts(pool_, parts, [&](int64_t part) { ++runs[static_cast<size_t>(part)]; });
      for (int64_t part = 0; part < 64; ++part)
        ASSERT_EQ(runs[static_cast<size_t>(part)], part < parts ? 1 : 0) << parts << " parts, part " << part;
    }
}

TEST_P(Threads, RangesCoverTheItemsWithoutOverlap) {
  for (const int64_t items : {0, 1, 5, 1000})
    for (const int64_t cost : {int64_t{0}, int64_t{1}, int64_t{1} << 20}) {
      std::vector<std::atomic<int>> runs(1000);
      parallel_for(pool_, items, cost, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++runs[static_cast<size_t>(i)];
      });
      for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(runs[static_cast<size_t>(i)], i < items ? 1 : 0);
    }
}

TEST_P(Threads, EveryTaskRunsOnce) {
  for (int round = 0; round < 100; ++round)
    for (const int64_t tasks : {0, 1, 2, 5, 64}) {
      std::vector<std::atomic<int>> runs(64);
      parallel_tasks(pool_, tasks, [&](int64_t task) { ++runs[static_cast<size_t>(task)]; });
      for (int64_t task = 0; task < 64; ++task)
        ASSERT_EQ(runs[static_cast<size_t>(task)], task < tasks ? 1 : 0) << tasks << " tasks, task " << task;
    }
}

TEST_P(Threads, EachKeepsAnIndexOfItsOwn) {
  std::map<std::thread::id, std::set<int>> indices;
  std::mutex mutex;
  for (int round = 0; round < 50; ++round)
    parallel_parts(pool_, pool_.threads(), [&](int64_t) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));  // so that others come, too
      const std::lock_guard lock(mutex);
      indices[std::this_thread::get_id()].insert(Pool::thread_index());
    });
  std::set<int> all;
  for (const auto& [thread, own] : indices) {
    EXPECT_EQ(own.size(), 1U);
    EXPECT_GE(*own.begin(), 0);
    EXPECT_LT(*own.begin(), pool_.threads());
    EXPECT_TRUE(all.insert(*own.begin()).second) << "two threads have index " << *own.begin();
  }
  EXPECT_EQ(indices[std::this_thread::get_id()], std::set<int>{0});
}

// Threads that are equally fast have the same rows in every step: here each waits in its first item for the
// others, so that nobody has time to help.
TEST(Pool, AThreadHasTheSameShareOfEveryStep) {
  constexpr size_t kThreads = 3;
  using Takers = std::vector<std::thread::id>;
  Pool pool(kThreads);
  std::atomic<size_t> come;
  const auto wait_for_all = [&] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (++come; come < kThreads && std::chrono::steady_clock::now() < end;) std::this_thread::yield();
  };
  for (int round = 0; round < 500; ++round) {
    Takers of_item(kThreads), of_task(kThreads);
    come = 0;
    parallel_for(pool, kThreads, 1 << 20, [&](int64_t begin, int64_t) {
      of_item[static_cast<size_t>(begin)] = std::this_thread::get_id();
      wait_for_all();
    });
    ASSERT_EQ(come, kThreads) << "a thread did not come";
    come = 0;
    parallel_tasks(pool, kThreads, [&](int64_t task) {
      of_task[static_cast<size_t>(task)] = std::this_thread::get_id();
      wait_for_all();
    });
    EXPECT_EQ(of_item, of_task);
    EXPECT_EQ(of_item[0], std::this_thread::get_id());
  }
}

TEST_P(Threads, AnErrorReachesTheCallerAndThePoolGoesOn) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> done = 0;
    EXPECT_THROW(parallel_parts(pool_, 20,
                                [&](int64_t part) {
                                  if (part % 7 == 3) throw std::runtime_error("no");
                                  ++done;
                                }),
                 std::runtime_error);
    const int before = done;
    EXPECT_GE(before, 3);
    parallel_parts(pool_, 20, [&](int64_t) { ++done; });
    EXPECT_EQ(done - before, 20);
  }
}

TEST_P(Threads, CallersSideBySideAndCallsWithinCallsFinish) {
  std::atomic<int64_t> sum = 0;
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        parallel_parts(pool_, 8, [&](int64_t part) {
          parallel_parts(pool_, 4, [&](int64_t inner) { sum += part * 4 + inner; });
        });
    });
  callers.clear();
  EXPECT_EQ(sum, int64_t{4} * 200 * (31 * 32 / 2));
}

INSTANTIATE_TEST_SUITE_P(Counts, Threads, testing::Values(1, 2, 3, 16));

int64_t sum_of_parts(Pool& pool, int64_t parts) {
  std::atomic<int64_t> sum = 0;
  parallel_parts(pool, parts, [&](int64_t part) { sum += part; });
  return sum;
}

TEST(Pool, ItsThreadsEndWithIt) {
  const auto threads_now = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
  };
  const auto before = threads_now();
  {
    Pool idle(5), pool(5);
    EXPECT_EQ(threads_now(), before) << "nothing to do yet";
    EXPECT_EQ(sum_of_parts(pool, 5), 10);
    EXPECT_EQ(threads_now(), before + 4);
  }
  // A thread that was waited for may be listed for a moment longer.
  for (int i = 0; i < 1000 && threads_now() != before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(threads_now(), before);
}

TEST(Pool, EndsWhereverItsThreadsAre) {
  for (int jobs = 0; jobs < 300; ++jobs) {  // looking, taking parts, or about to sleep
    Pool pool(3);
    for (int job = 0; job < jobs % 5; ++job) EXPECT_EQ(sum_of_parts(pool, 4), 6);
    if (jobs % 50 == 49) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST(Pool, SeveralWorkSideBySide) {
  Pool one(2), other(3);
  std::vector<std::jthread> callers;
  for (Pool* pool : {&one, &other})
    callers.emplace_back([pool] {
      for (int round = 0; round < 500; ++round) EXPECT_EQ(sum_of_parts(*pool, 8), 28);
    });
}

TEST(Pool, AForkWorksAndEndsWithoutTheThreads) {
  auto pool = std::make_unique<Pool>(3);
  EXPECT_EQ(sum_of_parts(*pool, 8), 28);
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);  // instead of waiting for ever
    const bool right = sum_of_parts(*pool, 8) == 28 && sum_of_parts(*pool, 100) == 4950;
    pool.reset();
    _exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(sum_of_parts(*pool, 8), 28);
}

}  // namespace
}  // namespace galago::kernels::cpu
