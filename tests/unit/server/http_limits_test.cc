// Slow clients, large bodies, streams that nobody reads. Times are short where something must happen, and the
// test waits long; where something must not happen, the test waits shorter than the limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "http_kept.h"
#include "http_support.h"
#include "support/temporary_files.h"

namespace galago::http {
namespace {

using namespace std::chrono_literals;
using test::Client;
using test::eventually;
using test::Kept;
using test::kGet;
using test::kPatience;
using test::Running;
using test::status_of;
using testing::HasSubstr;
using testing::StartsWith;

TEST(HttpLimits, AHeadThatDoesNotComeInTime) {
  Options options;
  options.header_seconds = 0.3;
  Running running(options);
  Client silent_in_the_middle = running.client(), trickling = running.client();
  silent_in_the_middle.send("GET / HTTP/1.1\r\nHost:");
  std::atomic<bool> stop = false;
  std::thread trickle([&] {
    trickling.send("GET / HTTP/1.1\r\nA: ");
    while (!stop && trickling.send("a")) std::this_thread::sleep_for(20ms);
  });
  for (Client* client : {&silent_in_the_middle, &trickling}) {
    EXPECT_EQ(status_of(client->receive_answer()), 408);
    EXPECT_EQ(client->receive(), "");
  }
  stop = true;
  trickle.join();
  EXPECT_TRUE(eventually([&] { return running.server->connections() == 0; }));
}

TEST(HttpLimits, AConnectionOnWhichNothingComesIsClosedWithoutAWord) {
  Options options;
  options.idle_seconds = 0.3;
  Running running(options);
  Client never = running.client(), no_more = running.client();
  no_more.send(kGet);
  EXPECT_EQ(status_of(no_more.receive_answer()), 200);
  EXPECT_EQ(never.receive(), "");
  EXPECT_EQ(no_more.receive(), "");
}

TEST(HttpLimits, ABodyThatDoesNotComeInTime) {
  Options options;
  options.body_seconds = 0.3;
  Running running(options);
  for (const char* framing :
       {"Content-Length: 10\r\n\r\nhel", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"}) {
    Client client = running.client();
    client.send(std::string("POST / HTTP/1.1\r\nHost: x\r\n") + framing);
    EXPECT_EQ(status_of(client.receive_answer()), 408);
    EXPECT_EQ(client.receive(), "");
  }
}

TEST(HttpLimits, ABodyThatComesTooSlowly) {
  Options options;
  options.min_body_rate = 1 << 20;  // and the whole body has a minute
  Running running(options);
  Client client = running.client();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  const auto began = std::chrono::steady_clock::now();
  std::atomic<bool> stop = false;
  std::thread trickle([&] {
    while (!stop && client.send("a")) std::this_thread::sleep_for(20ms);
  });
  EXPECT_EQ(status_of(client.receive_answer()), 408);
  stop = true;
  trickle.join();
  EXPECT_GE(std::chrono::steady_clock::now() - began, 2s);  // the first seconds are free
}

TEST(HttpLimits, ABodyMayTakeItsTimeWhereThereIsNoLeastRate) {
  Options options;
  options.min_body_rate = 0;
  Running running(options);
  Client client = running.client();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  std::this_thread::sleep_for(2200ms);
  client.send("hello");
  EXPECT_EQ(status_of(client.receive_answer()), 200);
}

TEST(HttpLimits, WhatIsRefusedByItsHeadAloneIsNotRead) {
  std::atomic<int> handled = 0;
  Running running(
      {}, [&](const std::shared_ptr<Exchange>&) { ++handled; },
      [](const Request& head) {
        EXPECT_EQ(head.body, "");
        return Admission{.refusal = Response{.status = 401, .body = head.path}};
      });
  Client client = running.client();
  client.send("POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
  const std::string answer = client.receive_answer();
  EXPECT_EQ(status_of(answer), 401);
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(test::body_of(answer), "/secret");
  EXPECT_EQ(client.receive(), "");
  EXPECT_EQ(handled, 0);
}

TEST(HttpLimits, ARefusalArrivesThoughTheClientGoesOnSending) {
  Running running({}, {}, [](const Request&) { return Admission{.max_body = 10}; });
  Client client = running.client();
  const std::string much(8 << 20, 'a');
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n");
  EXPECT_TRUE(client.send(much));  // it is taken, and dropped
  EXPECT_EQ(status_of(client.receive_answer()), 413);
}

TEST(HttpLimits, ContinuesOnlyWhatIsAdmitted) {
  Running running;
  Client client = running.client();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_EQ(client.receive_answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_EQ(test::body_of(client.receive_answer()), "POST / hello");
  // With the body on its way nobody waits for it.
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
  EXPECT_EQ(status_of(client.receive_answer()), 200);
}

TEST(HttpLimits, MoreConnectionsThanThereMayBe) {
  Options options;
  options.max_connections = 2;
  Running running(options);
  Client first = running.client(), second = running.client();
  for (Client* client : {&first, &second}) {
    client->send(kGet);
    EXPECT_EQ(status_of(client->receive_answer()), 200);
  }
  Client third = running.client();
  const std::string answer = third.receive_answer();
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(third.receive(), "");
  third.close();
  first.close();
  EXPECT_TRUE(eventually([&] { return running.server->connections() == 1; }));
  Client fourth = running.client();
  fourth.send(kGet);
  EXPECT_EQ(status_of(fourth.receive_answer()), 200);
}

TEST(HttpLimits, WhoHasWaitedLongestLeavesForANewOne) {
  Options options;
  options.max_connections = 2;
  Running running(options);
  Client first = running.client(), second = running.client();
  for (Client* client : {&first, &second}) {
    client->send(kGet);
    EXPECT_EQ(status_of(client->receive_answer()), 200);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  second.send(kGet);
  EXPECT_EQ(status_of(second.receive_answer()), 200);
  Client third = running.client();
  third.send(kGet);
  EXPECT_EQ(status_of(third.receive_answer()), 200);
  EXPECT_EQ(first.receive(), "");  // closed
  second.send(kGet);
  EXPECT_EQ(status_of(second.receive_answer()), 200);
}

// Two bodies of which one fits: the other is refused while the first is held, and taken when it is gone.
TEST(HttpLimits, BodiesOfAllRequestsAreBounded) {
  Options options;
  options.max_held_bodies = 1000;
  Running running(options);
  Client first = running.client(), second = running.client();
  first.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 700\r\n\r\n" + std::string(600, 'a'));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const std::string other =
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'b');
  second.send(other);
  EXPECT_EQ(status_of(second.receive_answer()), 503);
  first.send(std::string(100, 'a'));
  EXPECT_EQ(status_of(first.receive_answer()), 200);
  Client third = running.client();
  third.send(other);
  EXPECT_EQ(status_of(third.receive_answer()), 200);
}

// Writes as the interface asks: no more than kMostPending, further when it is called.
class Writer {
 public:
  Writer(std::shared_ptr<Exchange> exchange, size_t total) : exchange_(std::move(exchange)), left_(total) {
    exchange_->begin({});
    exchange_->on_change([this] { write(); });
    write();
  }
  ~Writer() { exchange_->on_change({}); }
  size_t left() const { return left_; }
  size_t most() const { return most_; }
  bool gone() const { return exchange_->gone(); }

 private:
  void write() {
    const std::lock_guard lock(mutex_);
    while (left_ > 0 && !exchange_->gone() && exchange_->pending() + kPiece <= kMostPending) {
      const size_t count = std::min<size_t>(left_, kPiece);
      exchange_->write(std::string(count, 'w'));
      left_ -= count;
      most_ = std::max<size_t>(most_, exchange_->pending());
      if (left_ == 0) exchange_->end();
    }
  }

  static constexpr size_t kPiece = 10'000;
  std::shared_ptr<Exchange> exchange_;
  std::mutex mutex_;
  std::atomic<size_t> left_;
  std::atomic<size_t> most_ = 0;
};

TEST(HttpLimits, AWriterIsHeldBackByItsClient) {
  Kept kept;
  Running running({}, kept.handler());
  Client client = running.client();
  client.send(kGet);
  constexpr size_t kTotal = 32 << 20;
  Writer writer(kept.take(), kTotal);
  size_t before = 0;
  EXPECT_TRUE(eventually([&] {  // the system's own buffers are full
    const size_t now = writer.left();
    std::this_thread::sleep_for(100ms);
    return now == std::exchange(before, now);
  }));
  EXPECT_GT(writer.left(), 0u);
  size_t bytes = 0;
  for (std::string part = client.receive(); !part.empty(); part = client.receive()) {
    bytes += static_cast<size_t>(std::count(part.begin(), part.end(), 'w'));
    if (bytes == kTotal) break;
  }
  EXPECT_EQ(bytes, kTotal);
  EXPECT_EQ(writer.left(), 0u);
  EXPECT_LE(writer.most(), kMostPending);
  EXPECT_FALSE(writer.gone());
}

TEST(HttpLimits, AClientThatTakesNothingIsGone) {
  const galago::test::TemporaryDirectory folder;
  for (const bool local : {false, true}) {  // over TCP the system has a time of its own
    Options options;
    options.write_seconds = 0.3;
    if (local) options.unix_socket = folder.path() / "galago.sock";
    Kept kept;
    Running running(options, kept.handler());
    Client client = local ? Client(options.unix_socket.string()) : running.client();
    client.send(kGet);
    Writer writer(kept.take(), 64 << 20);
    EXPECT_TRUE(eventually([&] { return writer.gone(); }));
    EXPECT_TRUE(
        eventually([&] { return running.server->active() == 0 && running.server->connections() == 0; }));
  }
}

TEST(HttpLimits, AnAnswerThatNobodyTakesIsGivenUp) {
  const galago::test::TemporaryDirectory folder;
  Options options;
  options.write_seconds = 0.3;
  options.unix_socket = folder.path() / "galago.sock";
  Running running(
      options,
      [](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond({.body = std::string(8 << 20, 'w')});
      },
      [](const Request& head) {
        Admission admission;
        if (head.path == "/no")
          admission.refusal = Response{.status = 401, .body = std::string(8 << 20, 'w')};
        return admission;
      });
  size_t answers = 0;
  for (const char* path : {"/", "/no"}) {
    ++answers;
    Client client(options.unix_socket.string());
    client.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(eventually([&] {
      return running.done().size() == answers && running.server->connections() == 0;
    })) << path;
  }
}

TEST(HttpLimits, AStreamThatIsQuietIsNotGone) {
  Options options;
  options.write_seconds = 0.2;
  options.idle_seconds = 0.2;
  Kept kept;
  Running running(options, kept.handler());
  Client client = running.client();
  client.send(kGet);
  const auto exchange = kept.take();
  exchange->begin({});
  std::this_thread::sleep_for(600ms);
  EXPECT_FALSE(exchange->gone());
  exchange->write("late");
  exchange->end();
  EXPECT_THAT(client.receive_answer(), HasSubstr("4\r\nlate\r\n"));
}

TEST(HttpLimits, FiveHundredIdleConnectionsAreNoBurden) {
  Running running;
  std::vector<Client> idle;
  for (int i = 0; i < 500; ++i) {
    idle.push_back(running.client());
    ASSERT_GE(idle.back().handle(), 0);
    if (i % 2 == 0) idle.back().send("GET / HTT");
  }
  EXPECT_TRUE(eventually([&] { return running.server->connections() == 500; }));
  Client client = running.client();
  client.send(kGet);
  EXPECT_EQ(status_of(client.receive_answer()), 200);
  for (Client& one : idle) one.close();
  EXPECT_TRUE(eventually([&] { return running.server->connections() == 1; }));
}

TEST(HttpLimits, APipelineLongerThanWhatIsReadAheadIsAnswered) {
  Running running;
  Client client = running.client();
  std::string requests;
  for (int i = 0; i < 5000; ++i) requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 5000; ++i)
    ASSERT_EQ(test::body_of(client.receive_answer()), "GET /" + std::to_string(i) + " ");
  sender.join();
}

TEST(HttpLimits, ADisconnectIsNoticedBehindAPipelineThatFillsAllBuffers) {
  Kept kept;
  Running running({}, kept.handler());
  Client client = running.client();
  std::string requests;
  for (int i = 0; i < 10'000; ++i) requests += kGet;
  client.send(kGet);
  const auto exchange = kept.take();
  client.send(requests.substr(0, 90'000));  // more than is read ahead, less than the system holds for it
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(exchange->gone());
  client.finish();
  EXPECT_TRUE(eventually([&] { return exchange->gone(); }));
}

}  // namespace
}  // namespace galago::http
