// Fetching from a server that is honest, slow, endless, or means somebody else. It listens on loopback, which
// is reached only where its very address is listed.
#include <sys/socket.h>

#include <chrono>

#include "media_test_support.h"

namespace galago::server::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kFailed = "400 failed_to_download_image";

std::string head(int status, const std::string& more) {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\nConnection: close\r\n" + more + "\r\n";
}

std::string picture() { return read_bytes(data_path("pictures/shapes_3x5.png")); }

MediaLoader loader_for(const OneAnswer& server, double seconds = 10, int64_t bytes = 20 << 20) {
  return MediaLoader(
      {.allowed_domains = {server.domain()}, .max_image_bytes = bytes, .fetch_seconds = seconds});
}

std::string refused(const OneAnswer& server, const MediaLoader& loader, std::string* message = nullptr) {
  return refusal_of([&] { loader.image(server.url(), kWhere); }, message);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(MediaFetch, APictureIsWhatItsBytesAre) {
  std::string request;
  {
    OneAnswer server(head(200, "Content-Type: text/html\r\nSet-Cookie: a=b\r\n") + picture());
    const Image image = loader_for(server).image(server.url("/a.html?x=1#y"), kWhere);
    EXPECT_EQ(image.width(), 3);
    request = server.request();
  }
  EXPECT_THAT(request, HasSubstr("GET /a.html?x=1 HTTP/1.1\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("uthorization")));
  EXPECT_THAT(request, Not(HasSubstr("ookie")));
}

TEST(MediaFetch, ProxiesOfTheEnvironmentAreNotAsked) {
  const Listener proxy;
  ::setenv("http_proxy", ("http://127.0.0.1:" + proxy.port()).c_str(), 1);
  ::setenv("ALL_PROXY", ("http://127.0.0.1:" + proxy.port()).c_str(), 1);
  OneAnswer server(head(200, "") + picture());
  EXPECT_EQ(loader_for(server).image(server.url(), kWhere).height(), 5);
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(MediaFetch, RedirectsAreNotFollowed) {
  for (const int status : {301, 302, 303, 307, 308}) {
    const Listener target;
    OneAnswer server(head(status, "Location: http://127.0.0.1:" + target.port() + "/\r\n") + picture());
    std::string message;
    EXPECT_EQ(refused(server, loader_for(server), &message), kFailed);
    EXPECT_THAT(message, HasSubstr("redirects are not followed"));
    EXPECT_EQ(target.connections(), 0);
  }
}

TEST(MediaFetch, OtherAnswersAreNoPicture) {
  for (const int status : {201, 204, 206, 304, 400, 401, 403, 404, 407, 408, 429, 500, 503}) {
    OneAnswer server(head(status, "Content-Length: 0\r\n"));
    std::string message;
    EXPECT_EQ(refused(server, loader_for(server), &message), kFailed) << status;
    EXPECT_THAT(message, HasSubstr("status " + std::to_string(status)));
  }
  const std::pair<std::string, std::string> answers[] = {
      {"", kFailed},
      {"nonsense", kFailed},
      {"<html>", kFailed},
      {"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\nshort", kFailed},
      {"HTTP/1.1 200 x\r\nContent-Length: -5\r\n\r\n", kFailed},
      {"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", kFailed},
      {head(200, ""), "400 empty_image_file"},
      {head(200, "") + "<html>not a picture</html>", "415 invalid_image_format"},
      {head(200, "Content-Encoding: gzip\r\n") + "\x1f\x8b\x08", "415 unsupported_image_media_type"}};
  for (const auto& [bytes, code] : answers) {
    OneAnswer server(bytes);
    EXPECT_EQ(refused(server, loader_for(server)), code) << bytes;
  }
}

TEST(MediaFetch, TooManyBytesAreNotTaken) {
  OneAnswer said(head(200, "Content-Length: 10000000000\r\n"));
  EXPECT_EQ(refused(said, loader_for(said)), "413 image_too_large");
  size_t sent = 0;
  {
    OneAnswer endless([&](int connection) {
      bool open = send_all(connection, head(200, ""));
      for (; open && sent < size_t{64} << 20; sent += 65536)
        open = send_all(connection, std::string(65536, 'x'));
    });
    EXPECT_EQ(refused(endless, loader_for(endless, 10, 1 << 20)), "413 image_too_large");
  }
  EXPECT_LT(sent, size_t{32} << 20);
}

TEST(MediaFetch, HeadersEnd) {
  OneAnswer server([](int connection) {
    bool open = send_all(connection, "HTTP/1.1 200 x\r\n");
    for (int i = 0; open && i < 100'000; ++i)
      open = send_all(connection, "X-Header: " + std::string(500, 'x') + "\r\n");
  });
  std::string message;
  EXPECT_EQ(refused(server, loader_for(server), &message), kFailed);
  EXPECT_THAT(message, HasSubstr("headers without end"));
}

TEST(MediaFetch, TheDeadlineIsForAllOfIt) {
  const std::function<void(int)> slow[] = {[](int connection) {  // a byte now and then
                                             bool open = send_all(connection, head(200, ""));
                                             for (int i = 0; open && i < 100; ++i) {
                                               open = send_all(connection, "x");
                                               std::this_thread::sleep_for(std::chrono::milliseconds(50));
                                             }
                                           },
                                           [](int connection) {  // nothing
                                             char byte = 0;
                                             ::recv(connection, &byte, 1, 0);
                                           },
                                           [](int connection) {  // headers now and then
                                             bool open = send_all(connection, "HTTP/1.1 200 x\r\n");
                                             for (int i = 0; open && i < 100; ++i) {
                                               open = send_all(connection, "A: b\r\n");
                                               std::this_thread::sleep_for(std::chrono::milliseconds(50));
                                             }
                                           }};
  for (const auto& answer : slow) {
    OneAnswer server(answer);
    const auto start = std::chrono::steady_clock::now();
    std::string message;
    EXPECT_EQ(refused(server, loader_for(server, 0.3), &message), kFailed);
    EXPECT_THAT(message, HasSubstr("within the time"));
    EXPECT_LT(seconds_since(start), 4.5) << "of five that it would take";
  }
}

TEST(MediaFetch, IsGivenUp) {
  OneAnswer server([](int connection) {
    char byte = 0;
    ::recv(connection, &byte, 1, 0);
  });
  const MediaLoader loader = loader_for(server, 30);
  int asked = 0;
  MediaBudget budget(1);
  MediaUse use(1, budget, [&] { return ++asked < 5; }, {});
  std::string message;
  EXPECT_EQ(refusal_of([&] { loader.image(server.url(), kWhere, &use); }, &message), kFailed);
  EXPECT_THAT(message, HasSubstr("given up"));
}

TEST(MediaFetch, WhatDoesNotListenHasNoConnection) {
  std::string port;
  {
    const Listener gone;
    port = gone.port();
  }
  const MediaLoader loader({.allowed_domains = {"127.0.0.1:" + port}});
  std::string message;
  EXPECT_EQ(refusal_of([&] { loader.image("http://127.0.0.1:" + port, kWhere); }, &message), kFailed);
  EXPECT_THAT(message, HasSubstr("no connection"));
}

TEST(MediaFetch, TlsIsChecked) {
  OneAnswer server("no TLS at all");
  const MediaLoader loader = loader_for(server);
  EXPECT_EQ(refusal_of([&] { loader.image("https://" + server.domain() + "/", kWhere); }), kFailed);
}

}  // namespace
}  // namespace galago::server::test
