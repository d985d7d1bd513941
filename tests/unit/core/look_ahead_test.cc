// The order of items, how far ahead the producer works, and what happens to faults on either side.
#include "core/look_ahead.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace galago {
namespace {

class LookAhead : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(BothWays, LookAhead, testing::Bool(),
                         [](const auto& param) { return param.param ? "thread" : "no_thread"; });

TEST_P(LookAhead, KeepsTheOrder) {
  std::vector<int> seen;
  look_ahead<int>(
      GetParam(),
      [](const Consume<int>& give) {
        for (int i = 0; i < 1000; ++i) give(i);
      },
      [&](int item) { seen.push_back(item); });
  ASSERT_EQ(seen.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST_P(LookAhead, NoItemsAreNoWork) {
  look_ahead<int>(
      GetParam(), [](const Consume<int>&) {}, [](int) { FAIL(); });
}

TEST_P(LookAhead, ProducerIsAtMostOneItemAhead) {
  std::atomic<int> made{0};
  std::atomic<int> most{0};
  look_ahead<int>(
      GetParam(),
      [&](const Consume<int>& give) {
        for (int i = 0; i < 200; ++i) {
          ++made;
          give(i);
        }
      },
      [&](int item) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        most = std::max(most.load(), made - (item + 1));
      });
  EXPECT_LE(most, 1);
  EXPECT_EQ(most, GetParam() ? 1 : 0);
}

TEST_P(LookAhead, ConsumerStaysOnTheCallingThread) {
  const auto here = std::this_thread::get_id();
  std::thread::id producer;
  look_ahead<int>(
      GetParam(),
      [&](const Consume<int>& give) {
        producer = std::this_thread::get_id();
        give(1);
      },
      [&](int) { EXPECT_EQ(std::this_thread::get_id(), here); });
  EXPECT_EQ(producer == here, !GetParam());
}

TEST_P(LookAhead, FaultOfTheProducerComesAfterItsItems) {
  int seen = 0;
  const auto run = [&] {
    look_ahead<int>(
        GetParam(),
        [](const Consume<int>& give) {
          give(1);
          give(2);
          throw std::runtime_error("third");
        },
        [&](int) { ++seen; });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_EQ(seen, 2);
}

TEST_P(LookAhead, FaultOfTheConsumerStopsTheProducer) {
  int made = 0;
  bool unwound = false;
  struct Unwind {
    bool& flag;
    ~Unwind() { flag = true; }
  };
  const auto run = [&] {
    look_ahead<int>(
        GetParam(),
        [&](const Consume<int>& give) {
          const Unwind unwind{unwound};
          for (;; ++made) give(made);
        },
        [](int item) {
          if (item == 3) throw std::logic_error("enough");
        });
  };
  EXPECT_THROW(run(), std::logic_error);
  EXPECT_TRUE(unwound);
  EXPECT_LE(made, 4);
}

TEST_P(LookAhead, BothFailing) {
  const auto run = [&] {
    look_ahead<int>(
        GetParam(),
        [](const Consume<int>& give) {
          give(0);
          throw std::runtime_error("producer");
        },
        [](int) { throw std::logic_error("consumer"); });
  };
  EXPECT_THROW(run(), std::logic_error);  // it came first
}

}  // namespace
}  // namespace galago
