// Help for tests of media: sockets on loopback, and errors with OpenAI's word.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "core/base64.h"
#include "server/media/media.h"
#include "support/fixtures.h"

namespace galago::server::test {

using galago::test::data_path;
using galago::test::read_bytes;
using galago::test::TempDir;

inline const std::string kWhere = "messages[0].content[1].image_url";

/// "STATUS image_code" of what the action throws; "none" without an error. The error names the place in the
/// request, and holds no text of what was given beyond a few words.
std::string refusal_of(const std::function<void()>& action, std::string* message = nullptr);

/// The picture of a file in tests/data as a data: URI.
std::string data_uri(const std::string& file, const std::string& type = "image/png");

/// Listens on 127.0.0.1 and accepts nothing until it is asked.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::string port() const { return std::to_string(port_); }
  /// Connections that were made since the last call.
  int connections() const;
  /// The next connection, as a descriptor.
  int accept() const;

 private:
  int socket_;
  uint16_t port_ = 0;
};

/// Answers one request on 127.0.0.1 with what `answer` sends on the connection, then closes it.
class OneAnswer {
 public:
  explicit OneAnswer(std::function<void(int connection)> answer);
  explicit OneAnswer(std::string bytes);
  ~OneAnswer();

  const std::string& request() const { return request_; }  ///< once the fetch is over
  std::string url(const std::string& path = "/a.png") const { return "http://" + domain() + path; }
  std::string domain() const { return "127.0.0.1:" + listener_.port(); }

 private:
  Listener listener_;
  std::string request_;
  std::thread thread_;
};

/// False when the other side has gone.
bool send_all(int connection, const std::string& bytes);

}  // namespace galago::server::test
