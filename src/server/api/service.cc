// See the header: routing, admission and what all routes share.
#include "server/api/service.h"

#include <algorithm>

#include "core/sha256.h"
#include "core/words.h"
#include "server/api/json_response.h"

namespace galago::server {
namespace {

constexpr int64_t kGetBody = 64 << 10;  // bytes that a GET may bring; they are not read
constexpr double kAtOnce = 4;           // answers that share the machine: for an estimate alone
constexpr double kFetchesInTurn = 3;    // times --fetch-timeout, for all pictures of a request
constexpr auto kTick = std::chrono::seconds(1);

// No early way out, whatever differs.
bool same(const Digest& a, const Digest& b) {
  uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == 0;
}

Digest digest_of(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

// "localhost:8080" -> "localhost", "[::1]:80" -> "[::1]".
std::string host_name(const std::string& host) {
  const size_t colon = host.find(':', host.starts_with('[') ? std::min(host.find(']'), host.size()) : 0);
  return lower_ascii(host.substr(0, colon));
}

bool is_json(const std::string& type) {
  const std::string name = lower_ascii(type.substr(0, type.find(';')));
  const size_t end = name.find_last_not_of(" \t");
  return name.substr(0, end == std::string::npos ? 0 : end + 1) == "application/json";
}

ApiError unavailable(const std::string& code, const std::string& message) {
  ApiError error(503, code, "", message);
  error.retry_after = 2;
  return error;
}

}  // namespace

const std::vector<Service::Route>& Service::routes() {
  static const std::vector<Route> all = {
      {"GET", "/", &Service::page, true, true, true},
      {"GET", "/page/", &Service::page, true, true, true},
      {"GET", "/health", &Service::health, true, true, true},
      {"GET", "/v1/health", &Service::health, true, true, true},
      {"GET", "/metrics", &Service::metrics, false, true, true},
      {"GET", "/openapi.json", &Service::openapi, false, true, true},
      {"GET", "/v1/models", &Service::list_models, false, true},
      {"GET", "/models", &Service::list_models, false, true},
      {"GET", "/v1/models/", &Service::one_model, false, true},
      {"GET", "/props", &Service::props, false, true},
      {"GET", "/slots", &Service::slots, false, true},
      {"POST", "/tokenize", &Service::tokenize},
      {"POST", "/detokenize", &Service::detokenize},
      {"POST", "/apply-template", &Service::apply_template},
      {"POST", "/v1/chat/completions/input_tokens", &Service::input_tokens},
      {"POST", "/v1/chat/completions", &Service::chat},
      {"POST", "/chat/completions", &Service::chat},
      {"POST", "/v1/completions", &Service::completions},
      {"POST", "/completion", &Service::native_completion},
      {"POST", "/completions", &Service::native_completion},
      {"POST", "/v1/responses", &Service::responses},
      {"POST", "/v1/embeddings", &Service::embeddings},
      {"POST", "/embeddings", &Service::embeddings},
      {"POST", "/v1/classify", &Service::classify},
  };
  return all;
}

// allowed: the methods of the path, when none is the request's.
const Service::Route* Service::find_route(const http::Request& request, std::string* allowed) {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  for (const Route& route : routes()) {
    const std::string_view path = route.path;
    const bool prefix = path.size() > 1 && path.ends_with('/');
    if (prefix ? !request.path.starts_with(path) : request.path != path) continue;
    if (method == route.method) return &route;
    *allowed = std::string(route.method) + (std::string_view(route.method) == "GET" ? ", HEAD" : "");
  }
  return nullptr;
}

Service::Service(ApiOptions options, Log log)
    : options_(std::move(options)),
      log_(std::move(log)),
      media_(options_.media),
      media_budget_(options_.media.max_held_pixels),
      intake_(static_cast<size_t>(std::max(1, options_.intake_threads))) {
  ticker_ = std::thread([this] { tick(); });
}

Service::~Service() {
  {
    const std::lock_guard lock(jobs_mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  ticker_.join();
  ending_ = true;
  intake_.close();
  embedders_.close();
  stop_answers();  // all of them: no more can come
}

http::Callbacks Service::callbacks() {
  return {
      .admit = [this](const http::Request& head) { return admit(head); },
      .handle = [this](std::shared_ptr<http::Exchange> exchange) { handle(std::move(exchange)); },
      .refuse =
          [](int status, const std::string& text) {
            return error_response({status, status == 413 ? "request_too_large" : "bad_request", "", text});
          },
      .done = {}};
}

void Service::ready(std::vector<std::unique_ptr<ServedModel>> models) {
  models_ = std::move(models);
  ready_ = true;
}

ApiError Service::shutting_down() { return unavailable("shutting_down", "the server is shutting down"); }

void Service::stop_answers() {
  ending_ = true;
  std::vector<std::weak_ptr<AnswerJob>> jobs;
  {
    const std::lock_guard lock(jobs_mutex_);
    jobs = jobs_;
  }
  for (const auto& weak : jobs)
    if (const auto job = weak.lock()) job->stop(shutting_down());
}

void Service::tick() {
  std::unique_lock lock(jobs_mutex_);
  while (!stopped_.wait_for(lock, kTick, [&] { return stopping_; })) {
    std::erase_if(jobs_, [](const auto& job) { return job.expired(); });
    for (const auto& weak : jobs_)
      if (const auto job = weak.lock()) job->keep_alive();
  }
}

bool Service::authorised(const http::Request& head) const {
  if (options_.api_keys.empty()) return true;
  const std::string* header = http::find(head.headers, "authorization");
  std::string_view key;
  if (header && lower_ascii(header->substr(0, 7)) == "bearer ") key = std::string_view(*header).substr(7);
  if (const std::string* other = http::find(head.headers, "x-api-key"); key.empty() && other) key = *other;
  const Digest given = digest_of(key);
  bool known = false;
  for (const std::string& one : options_.api_keys) known |= same(given, digest_of(one));
  return known;
}

bool Service::host_allowed(const http::Request& head) const {
  if (options_.allowed_hosts.empty()) return true;
  const std::string* host = http::find(head.headers, "host");
  if (!host) return true;  // HTTP/1.0: no browser
  const std::string name = host_name(*host);
  return std::find(options_.allowed_hosts.begin(), options_.allowed_hosts.end(), name) !=
         options_.allowed_hosts.end();
}

http::Headers Service::cors(const http::Request& head) const {
  const std::string* origin = http::find(head.headers, "origin");
  if (!origin || options_.cors_origins.empty()) return {};
  for (const std::string& allowed : options_.cors_origins)
    if (allowed == "*" || allowed == *origin)
      return {{"Access-Control-Allow-Origin", allowed},
              {"Vary", "Origin"},
              {"Access-Control-Expose-Headers", "X-Request-Id, Retry-After"}};
  return {};
}

http::Headers Service::common_headers(const http::Request& head) const {
  http::Headers headers = cors(head);
  headers.emplace_back("Server", std::string("galago/") + version());
  return headers;
}

ApiError Service::overloaded() const {
  ApiError error(429, "overloaded", "", "too many requests wait: try again later");
  const double each = std::max(0.1, metrics_.request.mean());
  error.retry_after =
      static_cast<int>(std::clamp(each * static_cast<double>(answering()) / kAtOnce, 1.0, 60.0));
  return error;
}

int64_t Service::answering() const {
  int64_t count = queued_;
  if (ready_)
    for (const auto& model : models_)
      if (model->scheduler) count += model->scheduler->size();
  return count;
}

// What never becomes a call has its line of the log too.
http::Admission Service::refuse(const http::Request& head, const ApiError& error, http::Headers more) {
  http::Response response = error_response(error);
  LogRecord record = log_record(head);
  more.emplace_back("X-Request-Id", record.id);
  for (auto& header : more) response.headers.push_back(std::move(header));
  for (auto& header : common_headers(head)) response.headers.push_back(std::move(header));
  metrics_.count_request(head.path, error.status);
  record.status = error.status;
  record.error = log_text(error);
  if (log_) log_(record);
  return {.refusal = std::move(response), .max_body = 0};
}

http::Admission Service::admit(const http::Request& head) {
  if (!host_allowed(head))
    return refuse(head,
                  {403, "host_not_allowed", "", "this server does not answer to that Host (--allowed-host)"});
  if (head.method == "OPTIONS" && !cors(head).empty()) {
    http::Response allowed{.status = 204, .headers = cors(head), .body = {}};
    allowed.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    allowed.headers.emplace_back("Access-Control-Allow-Headers",
                                 "authorization, content-type, x-request-id, x-api-key");
    allowed.headers.emplace_back("Access-Control-Max-Age", "600");
    return {.refusal = std::move(allowed), .max_body = 0};
  }
  std::string allowed;
  const Route* route = find_route(head, &allowed);
  // Before anything is told of what there is.
  if (!(route && route->open) && !authorised(head))
    return refuse(head, {401, "invalid_api_key", "", "an API key is needed: Authorization: Bearer KEY"},
                  {{"WWW-Authenticate", "Bearer"}});
  if (!route && !allowed.empty())
    return refuse(head, {405, "method_not_allowed", "", head.method + " is not for " + head.path},
                  {{"Allow", allowed}});
  if (!route) return refuse(head, {404, "not_found", "", "there is no " + head.path});
  if (!route->always && !ready_) return refuse(head, unavailable("loading", "Loading model"));
  if (!route->always && draining_) return refuse(head, shutting_down());
  if (std::string_view(route->method) != "POST") return {.refusal = {}, .max_body = kGetBody};
  const std::string* type = http::find(head.headers, "content-type");
  if (!type || !is_json(*type))
    return refuse(
        head, {415, "unsupported_media_type", "", "a body of Content-Type: application/json is expected"});
  return {.refusal = {}, .max_body = options_.max_body};
}

void Service::handle(std::shared_ptr<http::Exchange> exchange) {
  std::string allowed;
  const http::Request& request = exchange->request();
  const Route* route = find_route(request, &allowed);
  const auto call = std::make_shared<Call>(std::move(exchange), common_headers(request), log_, metrics_);
  if (!route) return call->respond(ApiError(404, "not_found", "", "there is no " + request.path));
  const auto run = [this, route, call] {
    try {
      (this->*route->handler)(call);
    } catch (...) {
      call->fail(std::current_exception());
    }
  };
  if (route->at_once) return run();
  if (queued_ >= options_.max_queue) return call->respond(overloaded());
  ++queued_;
  // The task holds the count, so that one that is dropped gives it back too.
  const std::shared_ptr<void> counted(nullptr, [this](void*) { --queued_; });
  try {
    intake_.add([run, call, counted] {
      if (!call->exchange().gone()) run();
    });
  } catch (...) {
    call->fail(std::current_exception());
  }
}

OrderedJson Service::body_of(const Call& call) const {
  OrderedJson body = parse_ordered_json(call.request().body, "body");
  if (!body.is_object()) refuse_field("body", shown_json(body), "an object");
  return body;
}

const ServedModel* Service::first(Kind kind) const {
  for (const auto& model : models_)
    if (kind == Kind::chat ? model->chat.has_value() : model->embedding.has_value()) return model.get();
  return nullptr;
}

const ServedModel& Service::choose(const OrderedJson& body, Kind kind, std::string* name) const {
  const Fields fields(body);
  const std::string asked = fields.text("model").value_or("");
  const ServedModel* found = nullptr;
  for (const auto& model : models_)
    for (const std::string& one : model->names)
      if (one == asked) found = model.get();
  const bool alone = models_.size() == 1 || asked.empty();
  if (!found && alone && !(options_.strict_model && !asked.empty())) found = first(kind);
  if (!found) {
    std::string known;
    for (const auto& model : models_)
      for (const std::string& one : model->names) known += (known.empty() ? "" : ", ") + one;
    if (alone && asked.empty())
      throw ApiError(
          404, "model_not_found", "model",
          "model: got " + known + ", expected one that " +
              (kind == Kind::chat ? "answers questions" : "embeds and classifies, as SigLIP does") +
              " (galago serve takes several: -m A -m B)");
    throw ApiError(404, "model_not_found", "model",
                   "model: got " + shown_json(asked) + ", expected one of " + known);
  }
  if (kind == Kind::chat ? !found->chat : !found->embedding)
    throw ApiError(400, "model_unsupported", "model",
                   "model: " + found->name() +
                       (kind == Kind::chat ? " embeds and does not answer" : " answers and does not embed"));
  if (name) *name = asked.empty() ? found->name() : asked;
  return *found;
}

ReadContext Service::reading(const SharedCall& call) {
  // All pictures of a request have little more time than one.
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::duration<double>(kFetchesInTurn * options_.media.fetch_seconds);
  const auto use = std::make_shared<MediaUse>(
      options_.media.max_request_pixels, media_budget_,
      [asker = std::weak_ptr<Call>(call), end] {
        const SharedCall held = asker.lock();  // which holds this
        return held && !held->exchange().gone() && std::chrono::steady_clock::now() < end;
      },
      [this](const std::function<void()>& wait) { intake_.pause(wait); });
  call->hold(use);
  return {options_, media_, *use};
}

AnswerCall Service::answer_call(const SharedCall& call, const OrderedJson& body) const {
  AnswerCall made;
  made.model = &choose(body, Kind::chat, &made.model_name);
  call->note_model(made.model->name());
  return made;
}

// What can never be taken at once is no matter of trying again.
void Service::check_answers(const std::vector<AnswerCall>& calls) {
  int64_t wanted = 0;
  for (const AnswerCall& call : calls) wanted += call.n;
  const SchedulerOptions& limits = calls.front().model->limits;
  if (const int64_t most = limits.max_sequences + limits.max_waiting; wanted > most)
    refuse_field(calls.size() > 1 ? "prompt" : "n", std::to_string(wanted) + " answers",
                 "at most " + std::to_string(most) + " that are answered or wait at a time");
}

void Service::answer(const SharedCall& call, std::vector<AnswerCall> calls,
                     std::unique_ptr<AnswerWriter> writer) {
  if (call->exchange().gone()) return;
  check_answers(calls);
  const bool stream = calls.front().stream;
  const auto job = std::make_shared<AnswerJob>(call, std::move(writer), stream, writers_, metrics_);
  {
    const std::lock_guard lock(jobs_mutex_);
    jobs_.push_back(job);
  }
  try {
    job->submit(std::move(calls));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::overloaded) throw overloaded();
    throw;
  }
}

}  // namespace galago::server
