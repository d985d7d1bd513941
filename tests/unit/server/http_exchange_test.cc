// Requests and answers over a socket: one after the other, streams, and clients that leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "http_support.h"

namespace galago::http {
namespace {

using namespace std::chrono_literals;
using test::body_of;
using test::Client;
using test::eventually;
using test::Running;
using test::status_of;
using testing::HasSubstr;
using testing::Not;

// Keeps the exchanges of a server, for a test to answer them.
class Kept {
 public:
  std::function<void(std::shared_ptr<Exchange>)> handler() {
    return [this](std::shared_ptr<Exchange> exchange) {
      const std::lock_guard lock(mutex_);
      exchanges_.push_back(std::move(exchange));
    };
  }
  std::shared_ptr<Exchange> take() {
    std::shared_ptr<Exchange> taken;
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex_);
      if (exchanges_.empty()) return false;
      taken = exchanges_.front();
      exchanges_.erase(exchanges_.begin());
      return true;
    }));
    return taken;
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> exchanges_;
};

constexpr const char* kGet = "GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(HttpExchange, AnswersOneRequestAfterTheOther) {
  Running running;
  Client client = running.client();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(client.send(kGet));
    const std::string answer = client.receive_answer();
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_EQ(body_of(answer), "GET /a b ");
    EXPECT_THAT(answer, HasSubstr("\r\nDate: "));
    EXPECT_THAT(answer, Not(HasSubstr("Connection")));
  }
  EXPECT_TRUE(eventually([&] { return running.done().size() == 3; }));
  EXPECT_EQ(running.server->connections(), 1);
  EXPECT_EQ(running.server->active(), 0);
}

TEST(HttpExchange, ReadsBodiesOfAKnownLengthAndInChunks) {
  Running running;
  Client client = running.client();
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
  client.send("lo");
  EXPECT_EQ(body_of(client.receive_answer()), "POST /p hello");
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  client.send("6;a=b\r\n world\r\n0\r\nTrailer: t\r\n\r\n");
  EXPECT_EQ(body_of(client.receive_answer()), "POST /p hello world");
}

TEST(HttpExchange, StreamsInChunks) {
  Kept kept;
  Running running({}, kept.handler());
  Client client = running.client();
  client.send(kGet);
  const auto exchange = kept.take();
  exchange->begin({.headers = {{"Content-Type", "text/event-stream"}}});
  EXPECT_THAT(client.receive(), HasSubstr("Transfer-Encoding: chunked\r\n"));
  exchange->write("one");
  EXPECT_EQ(client.receive(), "3\r\none\r\n");
  exchange->write("two and three");
  EXPECT_EQ(client.receive(), "d\r\ntwo and three\r\n");
  EXPECT_TRUE(eventually([&] { return exchange->pending() == 0; }));
  exchange->end();
  EXPECT_EQ(client.receive(), "0\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return running.server->active() == 0; }));
  EXPECT_FALSE(exchange->gone());
}

TEST(HttpExchange, NoticesAClientThatLeaves) {
  for (const bool streaming : {false, true}) {
    Kept kept;
    Running running({}, kept.handler());
    Client client = running.client();
    client.send(kGet);
    const auto exchange = kept.take();
    if (streaming) exchange->begin({});
    std::atomic<int> calls = 0;
    exchange->on_change([&] { ++calls; });
    client.close();
    EXPECT_TRUE(eventually([&] { return exchange->gone(); }));
    EXPECT_TRUE(eventually([&] { return calls == 1 && running.server->connections() == 0; }));
    exchange->on_change([&] { ++calls; });
    EXPECT_EQ(calls, 2);
    exchange->write("lost");
    exchange->respond({});
    EXPECT_EQ(running.server->active(), 0);
    ASSERT_EQ(running.done().size(), 1u);
    EXPECT_EQ(running.done()[0].status, streaming ? 200 : 0);
  }
}

}  // namespace
}  // namespace galago::http
