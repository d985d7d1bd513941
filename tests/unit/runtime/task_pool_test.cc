// Tasks on a few threads.
#include "runtime/task_pool.h"

#include <gtest/gtest.h>
#include <mutex>
#include <set>
#include <thread>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>

namespace galago {
namespace {

constexpr std::chrono::seconds kLong{20};

TEST(TaskPool, RunsEachOnceAndNoMoreThanSoManyAtATime) {
  std::atomic<int> runs = 0, now = 0, most = 0;
  std::promise<void> done;
  {
    TaskPool pool(2);
    for (int i = 0; i < 50; ++i)
      pool.add([&] {
        const int together = ++now;
        for (int seen = most; together > seen && !most.compare_exchange_weak(seen, together);) {
        }
        --now;  // before it counts as one that waits
        pool.pause([] {});
        if (++runs == 50) done.set_value();
      });
    EXPECT_EQ(done.get_future().wait_for(kLong), std::future_status::ready);
  }
  EXPECT_EQ(runs, 50);
  EXPECT_LE(most, 2);
}

TEST(TaskPool, StartsNoThreadForATaskThatOneWillTake) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  {
    TaskPool pool(1);
    std::atomic<int> done = 0;
    for (int i = 0; i < 2000; ++i) {
      pool.add([&] {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
        ++done;
      });
      if (i % 5 == 0)
        while (done <= i) std::this_thread::yield();
    }
    while (done < 2000) std::this_thread::yield();
  }
  EXPECT_EQ(threads.size(), 1U);
}

TEST(TaskPool, WhoOnlyWaitsIsInNobodysWay) {
  std::promise<void> third;
  TaskPool pool(2);
  const std::shared_future<void> came = third.get_future().share();
  std::promise<bool> first, second;
  for (std::promise<bool>* waits : {&first, &second})
    pool.add([&pool, came, waits] {
      pool.pause([&] { waits->set_value(came.wait_for(kLong) == std::future_status::ready); });
    });
  pool.add([&third] { third.set_value(); });
  EXPECT_TRUE(first.get_future().get());
  EXPECT_TRUE(second.get_future().get());
}

TEST(TaskPool, WhatAPauseThrowsIsItsTasks) {
  std::promise<bool> caught;
  TaskPool pool(1);
  pool.add([&] {
    try {
      pool.pause([] { throw std::runtime_error("mine"); });
    } catch (const std::runtime_error&) {
      caught.set_value(true);
    }
  });
  EXPECT_TRUE(caught.get_future().get());
}

}  // namespace
}  // namespace galago
