// Where a server listens, how it stops, and what it does when the system has nothing left.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "galago/error.h"
#include "http_kept.h"
#include "http_support.h"
#include "support/temporary_files.h"

namespace galago::http {
namespace {

using namespace std::chrono_literals;
using galago::test::TemporaryDirectory;
using test::Client;
using test::eventually;
using test::Kept;
using test::kGet;
using test::Running;
using test::status_of;
using testing::HasSubstr;

Error error_of(const Options& options) {
  return galago::test::error_of([&] { Running running(options); });
}

Options on(const std::string& host, uint16_t port = 0) {
  Options options;
  options.host = host;
  options.port = port;
  return options;
}

Options at(const std::filesystem::path& path) {
  Options options;
  options.unix_socket = path;
  return options;
}

TEST(HttpServer, SaysWhereItListens) {
  Running running(on("127.0.0.1"));
  EXPECT_GT(running.server->port(), 0);
  EXPECT_EQ(running.server->address(), "http://127.0.0.1:" + std::to_string(running.server->port()));
}

TEST(HttpServer, ListensOnIpv6) {
  for (const char* host : {"::1", "[::1]"}) {
    std::unique_ptr<Running> running;
    try {
      running = std::make_unique<Running>(on(host));
    } catch (const Error& error) {
      GTEST_SKIP() << "this machine has no IPv6: " << error.what();
    }
    EXPECT_EQ(running->server->address(), "http://[::1]:" + std::to_string(running->server->port()));
    const int socket = ::socket(AF_INET6, SOCK_STREAM, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(running->server->port());
    address.sin6_addr = in6addr_loopback;
    EXPECT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(socket);
  }
}

TEST(HttpServer, ListensOnAName) {
  Running running(on("localhost"));
  Client client = running.client();
  client.send(kGet);
  EXPECT_EQ(status_of(client.receive_answer()), 200);
}

TEST(HttpServer, TellsThePeer) {
  std::string peer;
  Running running({}, [&](const std::shared_ptr<Exchange>& exchange) {
    peer = exchange->request().peer;
    exchange->respond({});
  });
  Client client = running.client();
  client.send(kGet);
  client.receive_answer();
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(client.handle(), reinterpret_cast<sockaddr*>(&own), &size);
  EXPECT_EQ(peer, "127.0.0.1:" + std::to_string(ntohs(own.sin_port)));
}

TEST(HttpServer, AnAnswerThatWasSentArrivesThoughTheServerIsGone) {
  const std::string body(200'000, 'x');
  auto running = std::make_unique<Running>(
      Options{}, [&](const std::shared_ptr<Exchange>& exchange) { exchange->respond({.body = body}); });
  Client client = running->client();
  client.send(kGet);
  ASSERT_TRUE(eventually([&] { return running->done().size() == 1; }));
  running.reset();
  EXPECT_EQ(test::body_of(client.receive_all()), body);
}

TEST(HttpServer, SaysWhyItCannotListen) {
  Running running;
  const std::string taken = "127.0.0.1:" + std::to_string(running.server->port());
  const Error in_use = error_of(on("127.0.0.1", running.server->port()));
  EXPECT_EQ(in_use.code(), ErrorCode::unavailable);
  EXPECT_EQ(in_use.where(), taken);
  EXPECT_THAT(in_use.got(), HasSubstr("in use"));
  const Error foreign = error_of(on("192.0.2.1"));
  EXPECT_EQ(foreign.code(), ErrorCode::unavailable);
  EXPECT_THAT(foreign.what(), HasSubstr("192.0.2.1:0"));
  const Error unknown = error_of(on("no-such-name.invalid"));
  EXPECT_EQ(unknown.code(), ErrorCode::unavailable);
  EXPECT_EQ(unknown.where(), "no-such-name.invalid");
}

TEST(HttpServer, RefusesOptionsOutOfTheirRange) {
  const auto expect = [](const char* where, const std::function<void(Options&)>& change) {
    Options options;
    change(options);
    const Error error = error_of(options);
    EXPECT_EQ(error.code(), ErrorCode::usage) << where;
    EXPECT_EQ(error.where(), where);
  };
  expect("threads", [](Options& options) { options.threads = 0; });
  expect("max_connections", [](Options& options) { options.max_connections = 0; });
  expect("max_header_bytes", [](Options& options) { options.max_header_bytes = 10; });
  expect("max_headers", [](Options& options) { options.max_headers = 0; });
  expect("max_target", [](Options& options) { options.max_target = 0; });
  expect("min_body_rate", [](Options& options) { options.min_body_rate = -1; });
  expect("header_seconds", [](Options& options) { options.header_seconds = 0; });
  expect("body_seconds", [](Options& options) { options.body_seconds = -1; });
  expect("idle_seconds", [](Options& options) { options.idle_seconds = 1e300; });
  expect("write_seconds",
         [](Options& options) { options.write_seconds = std::numeric_limits<double>::quiet_NaN(); });
  expect("host", [](Options& options) { options.host = ""; });
  expect("certificate and private_key", [](Options& options) { options.certificate = "a.pem"; });
}

TEST(HttpServer, ListensOnAUnixSocket) {
  const TemporaryDirectory folder;
  const std::filesystem::path path = folder.path() / "galago.sock";
  {
    std::string peer;
    Running running(at(path), [&](const std::shared_ptr<Exchange>& exchange) {
      peer = exchange->request().peer;
      exchange->respond({.body = "hello"});
    });
    EXPECT_EQ(running.server->address(), "unix:" + path.string());
    Client client(path.string());
    client.send(kGet);
    EXPECT_EQ(test::body_of(client.receive_answer()), "hello");
    EXPECT_EQ(peer, "unix");
    const Error error = error_of(at(path));  // somebody listens
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_EQ(error.where(), "unix:" + path.string());
    client.send(kGet);
    EXPECT_EQ(test::body_of(client.receive_answer()), "hello");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(HttpServer, ReplacesAUnixSocketThatNobodyListensTo) {
  const TemporaryDirectory folder;
  const std::filesystem::path path = folder.path() / "stale.sock";
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
  ASSERT_TRUE(std::filesystem::exists(path));
  Running running(at(path));
  Client client(path.string());
  client.send(kGet);
  EXPECT_EQ(status_of(client.receive_answer()), 200);
}

TEST(HttpServer, TouchesNoFileThatIsNoSocket) {
  const TemporaryDirectory folder;
  const std::filesystem::path path = folder.path() / "precious.txt";
  std::ofstream(path) << "text";
  EXPECT_EQ(error_of(at(path)).code(), ErrorCode::unavailable);
  EXPECT_EQ(std::filesystem::file_size(path), 4u);
  EXPECT_EQ(error_of(at(std::string(200, 'a'))).code(), ErrorCode::unavailable);
  EXPECT_EQ(error_of(at(folder.path() / "no" / "such" / "folder")).code(), ErrorCode::unavailable);
}

TEST(HttpServer, LeavesASocketThatIsAnothersByNow) {
  const TemporaryDirectory folder;
  const std::filesystem::path path = folder.path() / "galago.sock";
  auto first = std::make_unique<Running>(at(path));
  first->server->drain();
  std::unique_ptr<Running> second;
  EXPECT_TRUE(eventually([&] {  // once the first has stopped to listen
    try {
      second = std::make_unique<Running>(at(path));
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
  Client client(path.string());
  client.send(kGet);
  EXPECT_EQ(status_of(client.receive_answer()), 200);
}

TEST(HttpServer, DrainsWithoutCuttingAnything) {
  Kept kept;
  Running running({}, kept.handler());
  Client idle = running.client(), waiting = running.client(), streaming = running.client(),
         sending = running.client();
  waiting.send(kGet);
  const auto late = kept.take();
  streaming.send(kGet);
  const auto stream = kept.take();
  stream->begin({});
  stream->write("one ");
  std::string streamed = streaming.receive();
  sending.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
  EXPECT_TRUE(eventually([&] { return running.server->connections() == 4; }));
  std::this_thread::sleep_for(50ms);  // the beginning of the body has been read
  running.server->drain();

  EXPECT_EQ(idle.receive(), "");
  EXPECT_TRUE(eventually([&] { return Client(running.server->port()).handle() < 0; }));
  late->respond({.body = "late"});
  const std::string answer = waiting.receive_answer();
  EXPECT_EQ(test::body_of(answer), "late");
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(waiting.receive(), "");
  sending.send("llo");
  kept.take()->respond({.body = "read"});
  EXPECT_EQ(test::body_of(sending.receive_answer()), "read");
  stream->write("two");
  stream->end();
  streamed += streaming.receive_all();
  EXPECT_THAT(streamed, HasSubstr("4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"));
  EXPECT_FALSE(stream->gone());
  for (Client* client : {&idle, &waiting, &streaming, &sending}) client->close();
  EXPECT_TRUE(
      eventually([&] { return running.server->connections() == 0 && running.server->active() == 0; }));
}

TEST(HttpServer, ExchangesOutliveIt) {
  Kept kept;
  auto running = std::make_unique<Running>(Options{}, kept.handler());
  Client silent = running->client(), streaming = running->client();
  silent.send(kGet);
  const auto first = kept.take();
  streaming.send(kGet);
  const auto second = kept.take();
  second->begin({});
  second->write("one");
  std::atomic<int> calls = 0;
  first->on_change([&] { ++calls; });
  running.reset();
  EXPECT_EQ(calls, 1);
  for (const auto& exchange : {first, second}) {
    EXPECT_TRUE(exchange->gone());
    EXPECT_EQ(exchange->pending(), 0u);
    exchange->respond({});
    exchange->begin({});
    exchange->write("lost");
    exchange->end();
    EXPECT_EQ(exchange->request().method, "GET");
    exchange->on_change([&] { ++calls; });
  }
  EXPECT_EQ(calls, 3);
}

TEST(HttpServer, EndsWhileThreadsWrite) {
  for (int round = 0; round < 20; ++round) {
    Kept kept;
    Options options;
    options.threads = 2;
    auto running = std::make_unique<Running>(options, kept.handler());
    Client client = running->client(), half = running->client();
    client.send(kGet);
    half.send("GET / HT");
    const auto exchange = kept.take();
    exchange->begin({});
    std::atomic<bool> stop = false;
    std::thread writer([&] {
      while (!stop)
        if (exchange->pending() < kMostPending) exchange->write(std::string(1000, 'a'));
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(round));
    running.reset();
    EXPECT_TRUE(exchange->gone());
    stop = true;
    writer.join();
  }
}

TEST(HttpServer, MayEndWithoutABeginning) {
  Kept kept;
  Options options;
  options.port = 0;
  const Callbacks callbacks{.admit = [](const Request&) { return Admission{}; },
                            .handle = kept.handler(),
                            .refuse = [](int, const std::string&) { return Response{}; },
                            .done = {}};
  EXPECT_GT(Server(options, callbacks).port(), 0);
  EXPECT_THROW(Server(options, {}), Error);
}

TEST(HttpServer, LivesThroughAShortageOfDescriptors) {
  Running running;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 256;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<int> taken;
  for (int next = ::open("/dev/null", O_RDONLY); next >= 0; next = ::open("/dev/null", O_RDONLY))
    taken.push_back(next);
  for (int round = 0; round < 5; ++round) {
    ::close(taken.back());  // for the client's end; there is none for the server's
    taken.pop_back();
    {
      Client client = running.client();
      ASSERT_GE(client.handle(), 0);
      EXPECT_EQ(client.receive(), "");
    }
    taken.push_back(::open("/dev/null", O_RDONLY));
  }
  for (const int one : taken) ::close(one);
  EXPECT_TRUE(eventually([&] {  // the first may still be turned away
    Client client = running.client();
    client.send(kGet);
    return status_of(client.receive_answer()) == 200;
  }));
  ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace galago::http
