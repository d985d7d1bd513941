// What lies between the scheduler's thread and a reader.
#include "runtime/mailbox.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <thread>

#include "runtime/reader.h"

namespace galago {
namespace {

Mailbox quiet(int64_t capacity = 4) { return Mailbox(capacity, std::make_shared<Alarm>(), {}); }

TEST(Mailbox, WhatWasSaidIsReadThoughItWasCancelled) {
  Mailbox mailbox = quiet();
  EXPECT_TRUE(mailbox.put({.text = "a", .token_id = 1}));
  mailbox.cancel();
  EXPECT_FALSE(mailbox.put({.text = "b", .token_id = 2}));  // it is part of the answer
  mailbox.end({});
  EXPECT_EQ(mailbox.next().piece->text, "a");
  EXPECT_EQ(mailbox.next().piece->text, "b");
  EXPECT_TRUE(mailbox.next().ended);
}

TEST(Mailbox, AFullOneHasRoomAgainOnceHalfOfItWasRead) {
  Mailbox mailbox = quiet();
  for (int i = 0; i < 4; ++i) mailbox.put({.text = "a", .token_id = i});
  EXPECT_FALSE(mailbox.has_room());
  mailbox.next();
  EXPECT_FALSE(mailbox.has_room());
  mailbox.next();
  EXPECT_TRUE(mailbox.has_room());
}

TEST(Mailbox, ANotifyThatThrowsHarmsNobody) {
  Mailbox mailbox(4, std::make_shared<Alarm>(), [] { throw std::runtime_error("mine"); });
  EXPECT_NO_THROW(mailbox.report({}));
  EXPECT_NO_THROW(mailbox.put({.text = "a", .token_id = 1}));
  EXPECT_NO_THROW(mailbox.end({}));
  EXPECT_EQ(mailbox.next().piece->text, "a");
}

TEST(Reader, OneThatGoesAwayCancels) {
  const auto mailbox = std::make_shared<Mailbox>(4, std::make_shared<Alarm>(), std::function<void()>());
  {
    Reader reader(mailbox, {}, {});
    const Reader moved(std::move(reader));
    EXPECT_FALSE(mailbox->cancelled());
  }
  EXPECT_TRUE(mailbox->cancelled());
}

TEST(Alarm, WaitsUntilItRingsHoweverFarTheDeadlineIs) {
  for (const double ms : {1e15, 1e300, std::numeric_limits<double>::infinity()}) {
    Alarm alarm;
    std::atomic<bool> rang = false;
    const std::jthread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      rang = true;
      alarm.ring();
    });
    alarm.wait(ms);
    EXPECT_TRUE(rang) << ms;
  }
}

}  // namespace
}  // namespace galago
