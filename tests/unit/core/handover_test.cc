// The order of items, how far ahead the maker works, and what happens to faults on either side.
#include "core/handover.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace galago {
namespace {

using Items = Handover<int>;

// Makes items 0 .. count - 1 on a thread of its own.
std::jthread maker(Items& items, int count, std::exception_ptr fault = nullptr,
                   std::atomic<int>* made = nullptr) {
  return std::jthread([&items, count, fault, made] {
    try {
      for (int i = 0; i < count; ++i) {
        if (made) ++*made;
        items.give(i);
      }
      items.end(fault);
    } catch (const Items::Closed&) {
      items.end(nullptr);
    }
  });
}

TEST(Handover, KeepsTheOrder) {
  Items items;
  const std::jthread thread = maker(items, 1000);
  int next = 0;
  while (!items.exhausted())
    if (const auto item = items.take()) {
      EXPECT_EQ(*item, next++);
    }
  EXPECT_EQ(next, 1000);
}

TEST(Handover, TheMakerIsAtMostOneItemAhead) {
  Items items;
  std::atomic<int> made = 0;
  const std::jthread thread = maker(items, 50, nullptr, &made);
  for (int taken = 0; taken < 50;)
    if (const auto item = items.take()) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      EXPECT_LE(made, ++taken + 1);
    }
}

TEST(Handover, SaysWhenThereIsSomethingNew) {
  std::atomic<int> news = 0;
  Items items([&] { ++news; });
  std::jthread thread = maker(items, 3);
  while (!items.exhausted()) items.take();
  thread.join();
  EXPECT_EQ(news, 4) << "three items and the end";
}

TEST(Handover, AFaultComesAfterTheItemsBeforeIt) {
  Items items;
  const std::jthread thread = maker(items, 3, std::make_exception_ptr(std::runtime_error("mine")));
  int taken = 0;
  const auto take_all = [&] {
    for (;;)
      if (items.take()) ++taken;
  };
  EXPECT_THROW(take_all(), std::runtime_error);
  EXPECT_EQ(taken, 3);
  EXPECT_FALSE(items.exhausted()) << "a fault is not the end";
}

TEST(Handover, NobodyWaitsForOneThatIsClosed) {
  Items items;
  std::atomic<int> made = 0;
  std::jthread thread = maker(items, 1000, nullptr, &made);
  while (!items.take()) {
  }
  items.close();
  thread.join();
  EXPECT_LE(made, 2);
}

}  // namespace
}  // namespace galago
