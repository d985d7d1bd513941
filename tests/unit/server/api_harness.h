// The API without a socket: a service with tiny models, and exchanges that keep what was sent.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "messages/ordered_json.h"
#include "server/api/service.h"

namespace galago::test {

/// An exchange whose client takes everything, or nothing when `slow`.
class FakeExchange final : public http::Exchange {
 public:
  explicit FakeExchange(http::Request request, bool slow = false)
      : request_(std::move(request)), slow_(slow) {}

  const http::Request& request() const override { return request_; }
  void respond(http::Response response) override;
  void begin(http::Response head) override;
  void write(std::string bytes) override;
  void end() override;
  size_t pending() const override;
  bool gone() const override;
  void on_change(std::function<void()> changed) override;

  /// The client leaves, or takes what waits.
  void leave();
  void take();
  /// Waits for the end; false after a minute.
  bool wait() const;
  /// Waits until `bytes` were written in all.
  bool wait_for_bytes(size_t bytes) const;

  http::Response response;  ///< with all bytes of a stream as its body

 private:
  void change();
  const http::Request request_;
  const bool slow_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::function<void()> on_change_;
  size_t pending_ = 0;
  bool gone_ = false;
  bool ended_ = false;
};

/// What came back.
struct Reply {
  int status = 0;
  http::Headers headers;
  std::string body;
  OrderedJson json;  ///< of a body that is JSON
  /// The documents of a stream, without [DONE].
  std::vector<OrderedJson> events() const;
  std::string code() const;  ///< of an error
};

/// A service with models of tests/data.
class Api {
 public:
  explicit Api(const std::vector<std::string>& models = {"smolvlm_tiles"}, server::ApiOptions options = {},
               SchedulerOptions scheduler = {}, bool ready = true);

  /// A request that is admitted, handled and answered.
  Reply ask(const std::string& method, const std::string& path, const std::string& body = {},
            http::Headers headers = {});
  Reply post(const std::string& path, const OrderedJson& body, http::Headers headers = {});
  Reply get(const std::string& path, http::Headers headers = {}) {
    return ask("GET", path, {}, std::move(headers));
  }
  /// The same, only begun.
  std::shared_ptr<FakeExchange> begin(const std::string& path, const OrderedJson& body, bool slow = false);

  server::Service& service() { return *service_; }
  std::vector<server::LogRecord> log() const;

 private:
  struct Records {
    std::mutex mutex;
    std::vector<server::LogRecord> all;
  };
  std::shared_ptr<Records> records_ = std::make_shared<Records>();
  std::unique_ptr<server::Service> service_;
  http::Callbacks callbacks_;
};

/// {"messages": [...]} of one user's message, with these fields beside it.
OrderedJson question(const std::string& text, const OrderedJson& fields = OrderedJson::object());
/// The same about a picture of tests/data/pictures.
OrderedJson picture_question(const std::string& text, const OrderedJson& fields = OrderedJson::object(),
                             const std::string& file = "shapes_100x80.png");
/// A picture of tests/data/pictures as a data: URI.
std::string data_uri(const std::string& file = "shapes_100x80.png");
/// These bytes as a data: URI.
std::string data_uri_of(const std::string& type, const std::string& bytes);

/// One of smolvlm_tiles that all tests of a program share, and that model with one thread.
Api& tiny();
const Model& model();
/// What that model says, to a picture of tests/data too.
Answer answer_of(const std::string& text, bool picture, GenerateOptions options = {.max_new_tokens = 8});

}  // namespace galago::test
