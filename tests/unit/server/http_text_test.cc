// HTTP's text, without a socket: lists, targets, heads of answers.
#include "server/http/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/http/head.h"
#include "server/http/http.h"
#include "server/http/response.h"

namespace galago::http {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(HttpText, FindsTheFirstHeaderWithoutRegardToCase) {
  const Headers headers{{"A", "1"}, {"b-C", "2"}, {"B-c", "3"}, {"Empty", ""}};
  EXPECT_EQ(*find(headers, "B-C"), "2");
  EXPECT_EQ(*find(headers, "empty"), "");
  EXPECT_EQ(find(headers, "b"), nullptr);
  EXPECT_EQ(find({}, "b"), nullptr);
}

TEST(HttpText, KnowsTokens) {
  EXPECT_TRUE(is_token("a-Z0~!"));
  for (const char* text : {"", "a b", "a:", "a\t", "\xc3\xa9", "a(", "a\"", "a/"})
    EXPECT_FALSE(is_token(text)) << text;
}

TEST(HttpText, ReadsListsOfTokens) {
  EXPECT_TRUE(has_token("close", "close"));
  EXPECT_TRUE(has_token(" a ,\tCLOSE , b", "close"));
  EXPECT_TRUE(has_token(",,close,", "close"));
  EXPECT_FALSE(has_token("closed", "close"));
  EXPECT_FALSE(has_token("a close", "close"));
  EXPECT_FALSE(has_token("", "close"));
}

TEST(HttpText, DecodesPercent) {
  EXPECT_EQ(decode_percent("/a%20b%2Fc%c3%A9+"), "/a b/c\xc3\xa9+");
  EXPECT_EQ(decode_percent(""), "");
  for (const char* text : {"%", "%4", "a%", "%4g", "%g4", "%-1", "%00", "%0a", "%1f", "%7f"})
    EXPECT_EQ(decode_percent(text), std::nullopt) << text;
}

TEST(HttpText, ReadsNumbersOfDigitsAlone) {
  EXPECT_EQ(parse_decimal("0"), 0);
  EXPECT_EQ(parse_decimal("999999999999999999"), 999999999999999999);
  for (const char* text : {"", "1000000000000000000", "-1", "+1", " 1", "1 ", "0x1", "1."})
    EXPECT_EQ(parse_decimal(text), std::nullopt) << text;
}

TEST(HttpText, SplitsTargets) {
  const auto expect = [](const char* method, const char* target, const char* authority, const char* path,
                         const char* query) {
    const auto parts = split_target(method, target);
    ASSERT_TRUE(parts) << target;
    EXPECT_EQ(parts->authority, authority) << target;
    EXPECT_EQ(parts->path, path) << target;
    EXPECT_EQ(parts->query, query) << target;
  };
  expect("GET", "/", "", "/", "");
  expect("GET", "/a?b?c", "", "/a", "b?c");
  expect("GET", "/a?", "", "/a", "");
  expect("GET", "//a/b", "", "//a/b", "");
  expect("GET", "http://h:80/a?b", "h:80", "/a", "b");
  expect("GET", "HTTPS://h", "h", "/", "");
  expect("GET", "http://h?b", "h", "/", "b");
  expect("OPTIONS", "*", "", "*", "");
  expect("CONNECT", "h:80", "h:80", "h:80", "");
}

TEST(HttpText, TheTargetsHostIsTheRequestsHost) {
  const std::string text = "GET http://target/a HTTP/1.1\r\nhost: other\r\n\r\n";
  const auto parsed = parse_head(text, {});
  ASSERT_TRUE(std::holds_alternative<Head>(parsed));
  EXPECT_EQ(*find(std::get<Head>(parsed).request.headers, "Host"), "target");
}

TEST(HttpText, HeadersKeepTheirOrder) {
  const auto parsed = parse_head("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n", {});
  ASSERT_TRUE(std::holds_alternative<Head>(parsed));
  EXPECT_EQ(std::get<Head>(parsed).request.headers,
            (Headers{{"Host", "x"}, {"A", "1"}, {"B", "2"}, {"a", "3"}}));
}

TEST(HttpText, WritesHeadsOfAnswers) {
  const std::string head =
      response_head({.status = 404, .headers = {{"A", "b"}, {"Content-Length", "7"}, {"connection", "x"}}},
                    {.length = 3}, 784111777);
  EXPECT_EQ(
      head,
      "HTTP/1.1 404 Not Found\r\nA: b\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 3\r\n\r\n");
  EXPECT_THAT(response_head({}, {.chunked = true, .keep_alive = false}, 0),
              HasSubstr("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(response_head({}, {.length = 0, .minor = 0}, 0), HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_THAT(response_head({.status = 7}, {}, 0), HasSubstr("HTTP/1.1 200 OK\r\n"));
}

TEST(HttpText, AnAnswersHeaderCannotBeginAnotherOne) {
  const std::string head =
      response_head({.headers = {{"A", "b\r\nEvil: c"}, {"D\r\nEvil", "e"}, {"", "f"}}}, {}, 0);
  EXPECT_THAT(head, HasSubstr("\r\nA: b  Evil: c\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("\r\nEvil")));
  EXPECT_THAT(head, Not(HasSubstr("\r\n: ")));
}

}  // namespace
}  // namespace galago::http
