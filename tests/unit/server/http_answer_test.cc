// Where handler and connection meet, without a socket: order, counts, who is called when.
#include "server/http/answer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace galago::http {
namespace {

constexpr size_t kHalf = kMostPending / 2;

struct Woken {
  std::atomic<int> calls = 0;
  std::shared_ptr<Answer> answer = std::make_shared<Answer>(Request{.method = "GET"}, [this] { ++calls; });
};

TEST(HttpAnswer, GivesWhatWasQueuedInItsOrder) {
  Woken woken;
  woken.answer->begin({.status = 201});
  woken.answer->write("a");
  woken.answer->write("");
  woken.answer->write("b");
  EXPECT_EQ(woken.calls, 1);  // and not again before it was taken
  const Answer::Taken first = woken.answer->take();
  EXPECT_EQ(first.head->status, 201);
  EXPECT_TRUE(first.streams);
  EXPECT_EQ(first.pieces, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(first.ended);
  woken.answer->end();
  EXPECT_EQ(woken.calls, 2);
  const Answer::Taken last = woken.answer->take();
  EXPECT_FALSE(last.head);
  EXPECT_TRUE(last.ended);
  EXPECT_FALSE(last.abandoned);
}

TEST(HttpAnswer, LosesWhatComesInTheWrongOrder) {
  Woken woken;
  woken.answer->write("before the head");
  woken.answer->end();
  woken.answer->respond({.status = 202});
  woken.answer->respond({.status = 203});
  woken.answer->begin({.status = 204});
  woken.answer->write("behind the end");
  const Answer::Taken taken = woken.answer->take();
  EXPECT_EQ(taken.head->status, 202);
  EXPECT_FALSE(taken.streams);
  EXPECT_TRUE(taken.pieces.empty());
  EXPECT_TRUE(taken.ended);
  EXPECT_EQ(woken.answer->pending(), 0u);
}

TEST(HttpAnswer, AnExchangeThatGoesAwayAbandonsItsAnswer) {
  Woken silent, streaming, complete;
  streaming.answer->begin({});
  complete.answer->respond({});
  for (const Woken* woken : {&silent, &streaming, &complete}) make_exchange(woken->answer).reset();
  EXPECT_TRUE(silent.answer->take().abandoned);
  EXPECT_TRUE(streaming.answer->take().abandoned);
  EXPECT_FALSE(complete.answer->take().abandoned);
}

TEST(HttpAnswer, CallsWhenPendingFallsToHalf) {
  Woken woken;
  int calls = 0;
  woken.answer->on_change([&] { ++calls; });
  woken.answer->begin({});
  woken.answer->write(std::string(kHalf, 'a'));
  woken.answer->sent(kHalf);
  EXPECT_EQ(calls, 0);  // it was not above
  woken.answer->write(std::string(kHalf + 2, 'a'));
  woken.answer->sent(1);
  EXPECT_EQ(woken.answer->pending(), kHalf + 1);
  EXPECT_EQ(calls, 0);
  woken.answer->sent(1);
  EXPECT_EQ(calls, 1);
  woken.answer->sent(kHalf);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(woken.answer->pending(), 0u);
}

TEST(HttpAnswer, CallsOnceWhenTheClientGoes) {
  Woken woken;
  int calls = 0;
  woken.answer->on_change([&] { ++calls; });
  woken.answer->begin({});
  woken.answer->write("lost");
  woken.answer->leave(true);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(woken.answer->gone());
  EXPECT_EQ(woken.answer->pending(), 0u);
  woken.answer->write("lost, too");
  EXPECT_EQ(woken.answer->pending(), 0u);
  woken.answer->on_change([&] { calls += 10; });
  EXPECT_EQ(calls, 11);  // at once
}

TEST(HttpAnswer, DoesNotCallWhenAllWasSent) {
  Woken woken;
  int calls = 0;
  woken.answer->on_change([&] { ++calls; });
  woken.answer->respond({});
  woken.answer->leave(false);
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(woken.answer->gone());
}

TEST(HttpAnswer, AnEmptyCallTakesItAway) {
  Woken woken;
  int calls = 0;
  woken.answer->on_change([&] { ++calls; });
  woken.answer->on_change({});
  woken.answer->leave(true);
  EXPECT_EQ(calls, 0);
}

TEST(HttpAnswer, ACallMayTakeItselfAwayAndWrite) {
  Woken woken;
  int calls = 0;
  woken.answer->on_change([&, kept = std::make_shared<int>(1)] {
    woken.answer->on_change({});
    woken.answer->write("more");
    calls += *kept;
  });
  woken.answer->begin({});
  woken.answer->write(std::string(kMostPending, 'a'));
  woken.answer->sent(kMostPending);
  EXPECT_EQ(calls, 1);
  woken.answer->leave(true);
  EXPECT_EQ(calls, 1);
}

TEST(HttpAnswer, IsNotCalledAnyMoreOnceItWasTakenAway) {
  for (int round = 0; round < 200; ++round) {
    Woken woken;
    std::atomic<bool> taken_away = false, called_late = false;
    woken.answer->on_change([&] {
      std::this_thread::yield();
      if (taken_away) called_late = true;
    });
    std::thread loop([&] { woken.answer->leave(true); });
    woken.answer->on_change({});
    taken_away = true;
    loop.join();
    EXPECT_FALSE(called_late);
  }
}

TEST(HttpAnswer, CountsWhatManyThreadsWrite) {
  Woken woken;
  woken.answer->begin({});
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) woken.answer->write("four");
    });
  size_t bytes = 0;
  while (bytes < 4 * 500 * 4) {
    size_t round = 0;
    for (const std::string& piece : woken.answer->take().pieces) round += piece.size();
    woken.answer->sent(round);
    bytes += round;
    std::this_thread::yield();
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(woken.answer->pending(), 0u);
}

}  // namespace
}  // namespace galago::http
