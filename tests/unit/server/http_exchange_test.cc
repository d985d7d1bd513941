// Requests and answers over a socket: one after the other, streams, and clients that leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "http_kept.h"
#include "http_support.h"

namespace galago::http {
namespace {

using namespace std::chrono_literals;
using test::body_of;
using test::Client;
using test::eventually;
using test::Kept;
using test::kGet;
using test::Running;
using test::status_of;
using testing::HasSubstr;
using testing::Not;

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
  for (const auto& [streaming, closing] :
       {std::pair{false, 0}, {false, 1}, {false, 2}, {true, 0}, {true, 1}, {true, 2}}) {
    Kept kept;
    Running running({}, kept.handler());
    Client client = running.client();
    client.send(kGet);
    const auto exchange = kept.take();
    if (streaming) exchange->begin({});
    std::atomic<int> calls = 0;
    exchange->on_change([&] { ++calls; });
    if (closing == 0) client.finish();
    if (closing == 1) client.close();
    if (closing == 2) client.reset();
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

TEST(HttpExchange, AnswersAHeadWithoutItsBody) {
  Kept kept;
  Running running({}, kept.handler());
  Client client = running.client();
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  kept.take()->respond({.body = "five!"});
  EXPECT_THAT(client.receive_answer(true), HasSubstr("Content-Length: 5\r\n"));
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = kept.take();
  exchange->begin({});
  exchange->write("not sent");
  exchange->end();
  EXPECT_THAT(client.receive_answer(true), HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(eventually([&] { return exchange->pending() == 0; }));
  client.send(kGet);
  kept.take()->respond({.status = 204, .body = "not sent either"});
  const std::string empty = client.receive_answer();
  EXPECT_EQ(status_of(empty), 204);
  EXPECT_THAT(empty, Not(HasSubstr("Content-Length")));
  client.send(kGet);
  kept.take()->respond({.body = "end"});
  EXPECT_EQ(body_of(client.receive_answer()), "end");  // nothing of the bodies before lies between
}

TEST(HttpExchange, StreamsToTheEndOfTheConnectionInHttp10) {
  Kept kept;
  Running running({}, kept.handler());
  Client client = running.client();
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto exchange = kept.take();
  exchange->begin({});
  exchange->write("one ");
  exchange->write("two");
  exchange->end();
  const std::string answer = client.receive_all();
  EXPECT_EQ(body_of(answer), "one two");
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Transfer-Encoding")));
}

TEST(HttpExchange, AnswersAPipelineInItsOrder) {
  Kept kept;
  Running running({}, kept.handler());
  Client client = running.client();
  client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto first = kept.take();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(kept.size(), 0u);  // one at a time
  EXPECT_FALSE(first->gone());
  EXPECT_EQ(running.server->active(), 1);
  first->respond({.body = "one"});
  EXPECT_EQ(body_of(client.receive_answer()), "one");
  kept.take()->respond({.body = "two"});
  EXPECT_EQ(body_of(client.receive_answer()), "two");
}

TEST(HttpExchange, AnswersWhatItCanAtOnceToAClientThatSendsNoMore) {
  Running running;
  Client client = running.client();
  client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3");
  client.finish();
  EXPECT_EQ(body_of(client.receive_answer()), "GET /1 ");
  EXPECT_EQ(body_of(client.receive_answer()), "GET /2 ");
  EXPECT_EQ(client.receive(), "");
}

TEST(HttpExchange, AnExchangeThatGoesAwayAnswers500) {
  Running running({}, [](const std::shared_ptr<Exchange>& exchange) {
    if (exchange->request().path == "/throws") throw std::runtime_error("a handler's fault");
  });
  Client client = running.client();
  for (const char* path : {"/", "/throws"}) {
    client.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(status_of(client.receive_answer()), 500);
  }
}

TEST(HttpExchange, AStreamThatGoesAwayIsNoWholeAnswer) {
  for (const char* version : {"1.0", "1.1"}) {
    Kept kept;
    Running running({}, kept.handler());
    Client client = running.client();
    client.send(std::string("GET / HTTP/") + version + "\r\nHost: x\r\n\r\n");
    auto exchange = kept.take();
    exchange->begin({});
    exchange->write("one");
    EXPECT_THAT(client.receive(), HasSubstr("200 OK"));
    exchange.reset();
    std::string bytes(4096, 0), more;
    ssize_t count = 1;
    while ((count = ::recv(client.handle(), bytes.data(), bytes.size(), 0)) > 0)
      more.append(bytes, 0, static_cast<size_t>(count));
    EXPECT_THAT(more, Not(HasSubstr("0\r\n\r\n")));
    EXPECT_EQ(count, -1) << "the end of " << version << " looks like that of a whole answer";
    EXPECT_TRUE(eventually([&] { return running.server->active() == 0; }));
  }
}

TEST(HttpExchange, ACallbackThatThrowsIsNotTheEnd) {
  Running running({}, {}, [](const Request& head) -> Admission {
    if (head.path == "/throws") throw std::runtime_error("a handler's fault");
    return {.max_body = 10};
  });
  Client client = running.client();
  client.send("GET /throws HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(status_of(client.receive_answer()), 500);
  Client next = running.client();
  next.send(kGet);
  EXPECT_EQ(status_of(next.receive_answer()), 200);
}

TEST(HttpExchange, ACallThatThrowsEndsItsConnectionAlone) {
  Kept kept;
  Running running({}, kept.handler());
  Client client = running.client(), other = running.client();
  client.send(kGet);
  const auto exchange = kept.take();
  exchange->on_change([] { throw std::runtime_error("it must not"); });
  exchange->begin({});
  exchange->write(std::string(kMostPending, 'w'));
  EXPECT_TRUE(eventually([&] { return running.server->connections() == 1; }));
  EXPECT_TRUE(exchange->gone());
  other.send(kGet);
  kept.take()->respond({.body = "other"});
  EXPECT_EQ(body_of(other.receive_answer()), "other");
}

TEST(HttpExchange, IsSafeFromManyThreads) {
  Kept kept;
  Options options;
  options.threads = 2;
  Running running(options, kept.handler());
  for (int round = 0; round < 20; ++round) {
    Client client = running.client();
    client.send(kGet);
    const auto exchange = kept.take();
    std::atomic<int> calls = 0;
    exchange->on_change([&] { ++calls; });
    exchange->begin({});
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 4; ++writer)
      writers.emplace_back([&] {
        for (int i = 0; i < 100; ++i) exchange->write(std::string(50, 'w'));
      });
    if (round % 2 == 1) client.reset();
    for (std::thread& writer : writers) writer.join();
    exchange->end();
    if (round % 2 == 0) {
      const std::string answer = client.receive_answer();
      EXPECT_EQ(std::count(answer.begin(), answer.end(), 'w'), 4 * 100 * 50);
    } else {
      EXPECT_TRUE(eventually([&] { return exchange->gone(); }));
    }
    exchange->on_change({});
  }
  EXPECT_TRUE(eventually([&] { return running.server->active() == 0 && running.done().size() == 20; }));
}

TEST(HttpExchange, ClientsThatLeaveWhenTheyLikeLeaveNothingBehind) {
  Kept kept;
  Running running({}, kept.handler());
  for (int round = 0; round < 60; ++round) {
    Client client = running.client();
    const std::string request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    client.send(request.substr(0, std::min<size_t>(request.size(), 1 + 2 * static_cast<size_t>(round))));
    if (round % 3 == 0) client.reset();
    if (round % 3 == 1) client.finish();
    client.close();
  }
  EXPECT_TRUE(
      eventually([&] { return running.server->connections() == 0 && running.server->active() == 0; }));
}

TEST(HttpExchange, TellsOfEveryAnswerOnce) {
  Running running;
  Client client = running.client();
  client.send(kGet);
  const std::string answer = client.receive_answer();
  client.send("BAD\r\n");
  const std::string refusal = client.receive_answer();
  ASSERT_TRUE(eventually([&] { return running.done().size() == 2; }));
  EXPECT_EQ(running.done()[0].target, "/a%20b?c=d");
  EXPECT_EQ(running.done()[0].status, 200);
  EXPECT_EQ(running.done()[0].bytes, static_cast<int64_t>(answer.size()));
  EXPECT_EQ(running.done()[1].target, "");
  EXPECT_EQ(running.done()[1].status, 400);
  EXPECT_EQ(running.done()[1].bytes, static_cast<int64_t>(refusal.size()));
}

}  // namespace
}  // namespace galago::http
