// Routes that tell of the server: the page, health, metrics, models. None of them computes.
#include <map>

#include "runtime/model_state.h"
#include "server/api/answer_json.h"
#include "server/api/json_response.h"
#include "server/api/openapi.h"
#include "server/api/service.h"
#include "server/page/page.h"

namespace galago::server {

void Service::page(const SharedCall& call) {
  const std::string& path = call->request().path;
  const page::Asset* asset = options_.page ? page::find_asset(path) : nullptr;
  if (!asset) return call->respond(ApiError(404, "not_found", "", "there is no " + path));
  http::Response response{.status = 200, .headers = page::page_headers(), .body = {}};
  response.headers.emplace_back("ETag", asset->etag);
  response.headers.emplace_back("Cache-Control", "no-cache");
  if (const std::string* known = http::find(call->request().headers, "if-none-match");
      known && *known == asset->etag) {
    response.status = 304;
    return call->respond(std::move(response));
  }
  response.headers.emplace_back("Content-Type", asset->content_type);
  response.body = asset->bytes;
  call->respond(std::move(response));
}

void Service::health(const SharedCall& call) {
  if (ready_ && !draining_) return call->respond(json_response({{"status", "ok"}}));
  ApiError error = draining_ ? ApiError(503, "shutting_down", "", "the server is shutting down")
                             : ApiError(503, "loading", "", "Loading model");
  error.retry_after = 2;
  call->respond(error);
}

std::vector<Gauge> Service::gauges() const {
  std::vector<Gauge> all;
  if (!ready_) return all;
  int64_t in_work = 0, waiting = 0;
  std::vector<Gauge> bytes, images;
  for (const auto& model : models_) {
    if (!model->scheduler) continue;
    const int64_t size = model->scheduler->size();
    in_work += std::min(size, model->limits.max_sequences);
    waiting += std::max<int64_t>(0, size - model->limits.max_sequences);
    const Model::State& state = *model->chat->state();
    const std::string label = "model=\"" + model->name() + "\"";
    bytes.push_back({"galago_kv_cache_bytes", label,
                     "Bytes of keys and values, pages that nobody holds included.",
                     static_cast<double>(state.pages->bytes())});
    images.push_back({"galago_kept_prefix_bytes", label, "Bytes of keys and values kept for prompts to come.",
                      state.prefixes ? static_cast<double>(state.prefixes->bytes()) : 0.0});
  }
  waiting += queued_;
  all.push_back({"galago_requests_running", "", "Answers in work.", static_cast<double>(in_work)});
  all.push_back(
      {"galago_requests_waiting", "", "Requests that wait for their turn.", static_cast<double>(waiting)});
  all.insert(all.end(), bytes.begin(), bytes.end());
  all.insert(all.end(), images.begin(), images.end());
  all.push_back({"llamacpp:requests_processing", "", "Answers in work.", static_cast<double>(in_work)});
  all.push_back(
      {"llamacpp:requests_deferred", "", "Requests that wait for their turn.", static_cast<double>(waiting)});
  return all;
}

void Service::metrics(const SharedCall& call) {
  call->respond({.status = 200,
                 .headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                 .body = metrics_.text(gauges())});
}

void Service::openapi(const SharedCall& call) {
  call->respond(
      {.status = 200, .headers = {{"Content-Type", "application/json"}}, .body = openapi_document()});
}

OrderedJson Service::model_json(const ServedModel& model, const std::string& name) const {
  OrderedJson json{{"id", name}, {"object", "model"}, {"created", model.created}, {"owned_by", "galago"}};
  if (model.chat) {
    const Capabilities can = model.chat->capabilities();
    json["capabilities"] = {{"chat", can.chat_template},
                            {"completion", true},
                            {"images", can.images},
                            {"videos", can.videos},
                            {"embeddings", false}};
    json["context_length"] = model.chat->context_length();
  } else {
    json["capabilities"] = {
        {"chat", false}, {"completion", false}, {"images", true}, {"videos", false}, {"embeddings", true}};
    json["dimension"] = model.embedding->dimension();
  }
  json["system_fingerprint"] = model.fingerprint;
  return json;
}

void Service::list_models(const SharedCall& call) {
  OrderedJson data = OrderedJson::array();
  for (const auto& model : models_)
    for (const std::string& name : model->names) data.push_back(model_json(*model, name));
  call->respond(json_response({{"object", "list"}, {"data", data}}));
}

void Service::one_model(const SharedCall& call) {
  const std::string name = call->request().path.substr(std::string_view("/v1/models/").size());
  for (const auto& model : models_)
    for (const std::string& one : model->names)
      if (one == name) return call->respond(json_response(model_json(*model, name)));
  call->respond(
      ApiError(404, "model_not_found", "model", "there is no model of this name: GET /v1/models lists them"));
}

void Service::props(const SharedCall& call) {
  const ServedModel* model = first(Kind::chat);
  if (!model) throw ApiError(400, "model_unsupported", "", "no model that answers is served");
  const Capabilities can = model->chat->capabilities();
  const OrderedJson params{{"temperature", options_.temperature},
                           {"top_k", 0},
                           {"top_p", 1.0},
                           {"min_p", 0.0},
                           {"repeat_penalty", 1.0},
                           {"n_predict", options_.max_tokens > 0 ? options_.max_tokens : -1}};
  call->respond(json_response(
      {{"default_generation_settings", {{"n_ctx", model->chat->context_length()}, {"params", params}}},
       {"total_slots", model->limits.max_sequences},
       {"model_alias", model->name()},
       {"chat_template", model->chat->state()->frontend->template_source()},
       {"modalities", {{"vision", can.images}, {"video", can.videos}, {"audio", false}}},
       {"build_info", std::string("galago ") + version()},
       {"system_fingerprint", model->fingerprint},
       {"max_images", options_.max_images},
       {"is_sleeping", false}}));
}

void Service::slots(const SharedCall& call) {
  OrderedJson list = OrderedJson::array();
  for (const auto& model : models_) {
    if (!model->scheduler) continue;
    const int64_t size = model->scheduler->size();
    for (int64_t i = 0; i < model->limits.max_sequences; ++i)
      list.push_back({{"id", list.size()},
                      {"model", model->name()},
                      {"n_ctx", model->chat->context_length()},
                      {"is_processing", i < size}});
  }
  call->respond(json_response(list));
}

}  // namespace galago::server
