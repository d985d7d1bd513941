// The table of hostile framing, against a server over a socket, whole and byte by byte; and against the
// readers alone, cut at every place, and beside Beast's own parser.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "http_cases.h"
#include "http_support.h"
#include "support/http_reading.h"

namespace galago::http {
namespace {

using test::Case;
using test::Client;
using test::framing_cases;
using test::Running;
using test::status_of;

Admission admit_little(const Request&) { return {.max_body = test::kCaseMostBody}; }

// What a server answers to the case's bytes, sent so many at a time.
void expect_answers(const Running& running, const Case& one, size_t at_a_time) {
  SCOPED_TRACE(one.name + ", " + std::to_string(at_a_time) + " bytes at a time");
  Client client = running.client();
  const int on = 1;
  ::setsockopt(client.handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (size_t at = 0; at < one.bytes.size(); at += at_a_time)
    if (!client.send(std::string_view(one.bytes).substr(at, at_a_time))) break;  // refused in the middle
  for (const int status : one.statuses) {
    const std::string answer = client.receive_answer();
    ASSERT_EQ(status_of(answer), status) << answer;
  }
  if (one.stays_open) {
    client.send("GET /further HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(test::body_of(client.receive_answer()), "GET /further ");
  } else {
    EXPECT_EQ(client.receive(), "") << "the connection goes on";
  }
}

TEST(HttpHostile, TheTableIsLarge) {
  std::set<std::string> names;
  for (const Case& one : framing_cases()) EXPECT_TRUE(names.insert(one.name).second) << one.name;
  EXPECT_GE(names.size(), 200u);
}

TEST(HttpHostile, AnswersEveryCaseAsTheTableSays) {
  Running running(test::case_options(), {}, admit_little);
  for (const Case& one : framing_cases()) expect_answers(running, one, one.bytes.size());
}

TEST(HttpHostile, AnswersEveryCaseByteByByte) {
  Running running(test::case_options(), {}, admit_little);
  for (const Case& one : framing_cases())
    if (one.bytes.size() < 4096) expect_answers(running, one, 1);
}

Reading reading_of_case() {
  const Options options = test::case_options();
  return {{options.max_header_bytes, options.max_headers, options.max_target}, test::kCaseMostBody};
}

TEST(HttpHostile, ReadsTheSameHoweverTheBytesAreCut) {
  for (const Case& one : framing_cases()) {
    SCOPED_TRACE(one.name);
    const std::string_view bytes = one.bytes;
    Reading whole = reading_of_case();
    whole.feed(bytes);
    EXPECT_EQ(whole.statuses(), one.statuses);
    for (size_t cut = 0; cut < std::min<size_t>(bytes.size(), 400); ++cut) {
      Reading parts = reading_of_case();
      parts.feed(bytes.substr(0, cut));
      parts.feed(bytes.substr(cut));
      ASSERT_EQ(parts.statuses(), one.statuses) << "cut at " << cut;
    }
  }
}

TEST(HttpHostile, BeastReadsTheSameInAllThatIsTaken) {
  for (const Case& one : framing_cases()) {
    Reading reading = reading_of_case();
    reading.feed(one.bytes);
    EXPECT_EQ(difference_from_beast(one.bytes, reading.requests()), "") << one.name;
  }
}

}  // namespace
}  // namespace galago::http
