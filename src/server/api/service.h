// The API: routes, models, and who is answered when. In: requests from the HTTP server. Out: their answers.
// The loop's thread routes and refuses; bodies are read and pictures decoded on the intake's threads; answers
// are written by one thread of their own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/task_pool.h"
#include "server/api/answer_job.h"
#include "server/api/answer_request.h"
#include "server/api/call.h"
#include "server/api/metrics.h"
#include "server/api/models.h"

namespace galago::server {

/// Safe from any thread. The HTTP server that calls it must be gone before it.
class Service {
 public:
  Service(ApiOptions options, Log log);
  /// Cancels what has not ended.
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  http::Callbacks callbacks();
  /// From here on requests are answered; 503 before. Once; at least one model.
  void ready(std::vector<std::unique_ptr<ServedModel>> models);
  /// From here on new requests get 503.
  void drain() { draining_ = true; }
  /// Ends every answer that is on its way with an error that says so.
  void stop_answers();

 private:
  using SharedCall = std::shared_ptr<Call>;
  using Handler = void (Service::*)(const SharedCall&);
  struct Route {
    const char* method;
    const char* path;  ///< ends with '/': of all paths that begin with it
    Handler handler;
    bool open = false;     ///< without a key
    bool at_once = false;  ///< on the loop's thread: it computes nothing
    bool always = false;   ///< also while models are loaded and when draining
  };
  static const std::vector<Route>& routes();
  static const Route* find_route(const http::Request& request, std::string* allowed);

  // On the loop's thread.
  http::Admission admit(const http::Request& head);
  void handle(std::shared_ptr<http::Exchange> exchange);
  bool authorised(const http::Request& head) const;
  bool host_allowed(const http::Request& head) const;
  http::Headers cors(const http::Request& head) const;
  http::Admission refuse(const http::Request& head, const ApiError& error, http::Headers more = {});
  http::Headers common_headers(const http::Request& head) const;
  ApiError overloaded() const;
  static ApiError shutting_down();
  int64_t answering() const;

  // Routes.
  void page(const SharedCall& call);
  void health(const SharedCall& call);
  void metrics(const SharedCall& call);
  void openapi(const SharedCall& call);
  void list_models(const SharedCall& call);
  void one_model(const SharedCall& call);
  void props(const SharedCall& call);
  void slots(const SharedCall& call);
  void tokenize(const SharedCall& call);
  void detokenize(const SharedCall& call);
  void apply_template(const SharedCall& call);
  void input_tokens(const SharedCall& call);
  void chat(const SharedCall& call);
  void completions(const SharedCall& call);
  void native_completion(const SharedCall& call);
  void responses(const SharedCall& call);
  void embeddings(const SharedCall& call);
  void classify(const SharedCall& call);

  // What they share.
  OrderedJson body_of(const Call& call) const;
  enum class Kind { chat, embedding };
  const ServedModel& choose(const OrderedJson& body, Kind kind, std::string* name = nullptr) const;
  const ServedModel* first(Kind kind) const;
  /// How the body of a call is read: what it takes is held until the call is over.
  ReadContext reading(const SharedCall& call);
  AnswerCall answer_call(const SharedCall& call, const OrderedJson& body) const;
  std::vector<AnswerCall> completion_calls(const SharedCall& call, const OrderedJson& body);
  static void check_answers(const std::vector<AnswerCall>& calls);
  void answer(const SharedCall& call, std::vector<AnswerCall> calls, std::unique_ptr<AnswerWriter> writer);
  /// Answers with what `work` gives; none: it was cancelled.
  void embed(const SharedCall& call, std::function<std::optional<http::Response>()> work);
  /// Whether it still is; for on_progress.
  std::function<bool(int64_t, int64_t)> wanted(const SharedCall& call) const;
  OrderedJson model_json(const ServedModel& model, const std::string& name) const;
  std::vector<Gauge> gauges() const;
  void tick();

  const ApiOptions options_;
  const Log log_;
  const MediaLoader media_;
  MediaBudget media_budget_;
  Metrics metrics_;
  TaskPool writers_{1};                               // before the models: notices of their ends come here
  std::vector<std::unique_ptr<ServedModel>> models_;  // before the pools whose tasks use them
  std::atomic<bool> ready_ = false;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> ending_ = false;  // what is on its way is given up
  std::atomic<int64_t> queued_ = 0;   // for the intake
  std::atomic<int64_t> embedding_ = 0;
  std::mutex jobs_mutex_;
  std::vector<std::weak_ptr<AnswerJob>> jobs_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // with jobs_mutex_
  TaskPool intake_;
  TaskPool embedders_{1};
  std::thread ticker_;
};

}  // namespace galago::server
