// See the header.
#include "unit/server/api_harness.h"

#include <chrono>

#include "core/base64.h"
#include "io/files.h"
#include "server/api/answer_json.h"
#include "support/model_files.h"

namespace galago::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

http::Request request_of(const std::string& method, const std::string& path, const std::string& body,
                         http::Headers headers) {
  if (!http::find(headers, "host")) headers.emplace_back("Host", "localhost:8080");
  if (method == "POST" && !http::find(headers, "content-type"))
    headers.emplace_back("Content-Type", "application/json");
  return {.method = method,
          .target = path,
          .path = path,
          .query = {},
          .headers = std::move(headers),
          .body = body,
          .peer = "127.0.0.1:1"};
}

}  // namespace

void FakeExchange::respond(http::Response given) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  response = std::move(given);
  ended_ = true;
  changed_.notify_all();
}

void FakeExchange::begin(http::Response head) {
  const std::lock_guard lock(mutex_);
  response = std::move(head);
}

void FakeExchange::write(std::string bytes) {
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  response.body += bytes;
  if (slow_) pending_ += bytes.size();
  changed_.notify_all();
}

void FakeExchange::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

size_t FakeExchange::pending() const {
  const std::lock_guard lock(mutex_);
  return pending_;
}

bool FakeExchange::gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

void FakeExchange::on_change(std::function<void()> changed) {
  const std::lock_guard lock(mutex_);
  on_change_ = std::move(changed);
}

void FakeExchange::change() {
  std::function<void()> changed;
  {
    const std::lock_guard lock(mutex_);
    changed = on_change_;
  }
  if (changed) changed();
}

void FakeExchange::leave() {
  {
    const std::lock_guard lock(mutex_);
    gone_ = true;
  }
  change();
}

void FakeExchange::take() {
  {
    const std::lock_guard lock(mutex_);
    pending_ = 0;
  }
  change();
}

bool FakeExchange::wait() const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return ended_; });
}

bool FakeExchange::wait_for_bytes(size_t bytes) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return ended_ || response.body.size() >= bytes; });
}

std::vector<OrderedJson> Reply::events() const {
  std::vector<OrderedJson> all;
  const std::string mark = "data: ";
  for (size_t at = body.find(mark); at != std::string::npos; at = body.find(mark, at + 1)) {
    const std::string line = body.substr(at + mark.size(), body.find('\n', at) - at - mark.size());
    if (line != "[DONE]") all.push_back(OrderedJson::parse(line));
  }
  return all;
}

std::string Reply::code() const {
  if (!json.is_object() || !json.contains("error") || !json["error"]["code"].is_string()) return "";
  return json["error"]["code"].get<std::string>();
}

Api::Api(const std::vector<std::string>& models, server::ApiOptions options, SchedulerOptions scheduler,
         bool ready) {
  service_ = std::make_unique<server::Service>(std::move(options),
                                               [records = records_](const server::LogRecord& record) {
                                                 const std::lock_guard lock(records->mutex);
                                                 records->all.push_back(record);
                                               });
  callbacks_ = service_->callbacks();
  if (!ready) return;
  std::vector<server::ModelSource> sources;
  for (const std::string& name : models)
    sources.push_back({.path = data_path("models/" + name),
                       .names = {name},
                       .load = {.threads = 1, .scheduler = scheduler, .prefix_cache_bytes = 1 << 20}});
  service_->ready(server::load_models(sources));
}

Reply Api::ask(const std::string& method, const std::string& path, const std::string& body,
               http::Headers headers) {
  http::Request request = request_of(method, path, body, std::move(headers));
  http::Request head = request;
  head.body.clear();
  http::Admission admission = callbacks_.admit(head);
  http::Response response;
  if (admission.refusal) {
    response = *std::move(admission.refusal);
  } else {
    const auto exchange = std::make_shared<FakeExchange>(std::move(request));
    callbacks_.handle(exchange);
    if (exchange->wait()) response = exchange->response;
  }
  return {.status = response.status,
          .headers = response.headers,
          .body = response.body,
          .json = OrderedJson::parse(response.body, nullptr, false)};
}

Reply Api::post(const std::string& path, const OrderedJson& body, http::Headers headers) {
  return ask("POST", path, body.dump(), std::move(headers));
}

std::shared_ptr<FakeExchange> Api::begin(const std::string& path, const OrderedJson& body, bool slow) {
  const auto exchange = std::make_shared<FakeExchange>(request_of("POST", path, body.dump(), {}), slow);
  callbacks_.handle(exchange);
  return exchange;
}

std::vector<server::LogRecord> Api::log() const {
  const std::lock_guard lock(records_->mutex);
  return records_->all;
}

OrderedJson question(const std::string& text, const OrderedJson& fields) {
  OrderedJson body{{"messages", OrderedJson::array({{{"role", "user"}, {"content", text}}})},
                   {"max_tokens", 8}};
  body.update(fields);
  return body;
}

OrderedJson picture_question(const std::string& text, const OrderedJson& fields, const std::string& file) {
  OrderedJson body = question(text, fields);
  body["messages"][0]["content"] =
      OrderedJson::array({{{"type", "image_url"}, {"image_url", {{"url", data_uri(file)}}}},
                          {{"type", "text"}, {"text", text}}});
  return body;
}

std::string data_uri(const std::string& file) {
  return data_uri_of("image/png", read_text_file(data_path("pictures/" + file), 1 << 24));
}

std::string data_uri_of(const std::string& type, const std::string& bytes) {
  return "data:" + type + ";base64," + to_base64(bytes);
}

Api& tiny() {
  static Api api;
  return api;
}

const Model& model() {
  static const Model loaded = Model::load(data_path("models/smolvlm_tiles"), {.threads = 1});
  return loaded;
}

Answer answer_of(const std::string& text, bool picture, GenerateOptions options) {
  Request request{.prompt = text, .options = std::move(options)};
  if (picture) request.images = {Image::open(data_path("pictures/shapes_100x80.png"))};
  return model().ask(request);
}

}  // namespace galago::test
