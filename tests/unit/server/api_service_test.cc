// What all routes share: who may ask, which model, how much at a time, clients that leave, the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "support/model_files.h"
#include "unit/server/api_harness.h"

namespace galago {
namespace {

using test::question;
using test::Reply;
using testing::HasSubstr;

constexpr const char* kChat = "/v1/chat/completions";

// Every path that is there, with its method.
const std::vector<std::pair<std::string, std::string>> kRoutes = {
    {"GET", "/metrics"},
    {"GET", "/openapi.json"},
    {"GET", "/v1/models"},
    {"GET", "/models"},
    {"GET", "/v1/models/x"},
    {"GET", "/props"},
    {"GET", "/slots"},
    {"POST", "/tokenize"},
    {"POST", "/detokenize"},
    {"POST", "/apply-template"},
    {"POST", "/v1/chat/completions/input_tokens"},
    {"POST", kChat},
    {"POST", "/chat/completions"},
    {"POST", "/v1/completions"},
    {"POST", "/completion"},
    {"POST", "/completions"},
    {"POST", "/v1/responses"},
    {"POST", "/v1/embeddings"},
    {"POST", "/embeddings"},
    {"POST", "/v1/classify"}};

TEST(ApiAccess, WithAKeyEveryRouteWantsIt) {
  server::ApiOptions options;
  options.api_keys = {"secret", "other"};
  test::Api api({"smolvlm_tiles"}, std::move(options));
  for (const auto& [method, path] : kRoutes) {
    const Reply none = api.ask(method, path);
    EXPECT_EQ(none.status, 401) << path;
    EXPECT_EQ(none.code(), "invalid_api_key") << path;
    EXPECT_EQ(none.json["error"]["type"], "authentication_error");
    for (const char* wrong :
         {"Bearer secre", "Bearer secret2", "Bearer ", "secret", "Basic secret", "Bearer SECRET"})
      EXPECT_EQ(api.ask(method, path, "", {{"Authorization", wrong}}).status, 401) << path << " " << wrong;
    EXPECT_NE(api.ask(method, path, "{}", {{"Authorization", "Bearer secret"}}).status, 401) << path;
    EXPECT_NE(api.ask(method, path, "{}", {{"authorization", "bearer other"}}).status, 401) << path;
    EXPECT_NE(api.ask(method, path, "{}", {{"x-api-key", "secret"}}).status, 401) << path;
  }
  for (const char* open : {"/health", "/v1/health", "/"}) EXPECT_EQ(api.get(open).status, 200) << open;
  EXPECT_EQ(api.get("/nothing").status, 401);  // nothing is told of what there is
}

TEST(ApiAccess, OtherHostsAreRefused) {
  server::ApiOptions options;
  options.allowed_hosts = {"localhost", "127.0.0.1", "[::1]"};
  test::Api api({"smolvlm_tiles"}, std::move(options), {}, false);
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:80", "[::1]"})
    EXPECT_NE(api.get("/health", {{"Host", host}}).status, 403) << host;
  for (const char* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::2]", "", "169.254.169.254"})
    EXPECT_EQ(api.get("/health", {{"Host", host}}).status, 403) << host;
}

TEST(ApiAccess, NoOriginMayReadUnlessItIsNamed) {
  test::Api closed({"smolvlm_tiles"}, {}, {}, false);
  EXPECT_EQ(http::find(closed.get("/health", {{"Origin", "https://a.example"}}).headers,
                       "access-control-allow-origin"),
            nullptr);
  EXPECT_EQ(closed.ask("OPTIONS", kChat, "", {{"Origin", "https://a.example"}}).status, 405);
  server::ApiOptions options;
  options.cors_origins = {"https://a.example"};
  test::Api open({"smolvlm_tiles"}, std::move(options), {}, false);
  const Reply reply = open.ask("OPTIONS", kChat, "", {{"Origin", "https://a.example"}});
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(*http::find(reply.headers, "access-control-allow-origin"), "https://a.example");
  EXPECT_EQ(open.ask("OPTIONS", kChat, "", {{"Origin", "https://b.example"}}).status, 405);
}

TEST(ApiAccess, PathsMethodsAndTypes) {
  test::Api api;
  EXPECT_EQ(api.get("/nothing").status, 404);
  EXPECT_EQ(api.get("/infill").status, 404);
  EXPECT_EQ(api.get("/page/../secret").status, 404);
  const Reply method = api.ask("DELETE", kChat);
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(*http::find(method.headers, "allow"), "POST");
  EXPECT_EQ(api.get(kChat).status, 405);
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded",
                           "multipart/form-data; boundary=x", "application/jsonx"})
    EXPECT_EQ(api.ask("POST", kChat, "{}", {{"Content-Type", type}}).status, 415) << type;
  EXPECT_NE(api.ask("POST", kChat, "{}", {{"Content-Type", "Application/JSON ; charset=utf-8"}}).status, 415);
}

TEST(ApiModels, AreChosenByTheirNames) {
  test::Api two({"smolvlm_tiles", "siglip"});
  EXPECT_EQ(two.post(kChat, question("Hi", {{"model", "smolvlm_tiles"}})).status, 200);
  EXPECT_EQ(two.post(kChat, question("Hi")).status, 200);
  const Reply unknown = two.post(kChat, question("Hi", {{"model", "gpt-4o"}}));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.code(), "model_not_found");
  EXPECT_THAT(unknown.body, HasSubstr("smolvlm_tiles, siglip"));
  EXPECT_EQ(two.post(kChat, question("Hi", {{"model", "siglip"}})).code(), "model_unsupported");
  EXPECT_EQ(two.post("/v1/embeddings", {{"model", "smolvlm_tiles"}, {"input", "a"}}).code(),
            "model_unsupported");
  EXPECT_EQ(two.get("/v1/models").json["data"].size(), 2U);
  EXPECT_EQ(two.get("/v1/models/siglip").json["id"], "siglip");
  EXPECT_EQ(two.get("/v1/models/none").status, 404);
  test::Api one;
  const Reply vectors = one.post("/v1/embeddings", {{"input", "a"}});
  EXPECT_EQ(vectors.status, 404);
  EXPECT_THAT(vectors.body, HasSubstr("got smolvlm_tiles, expected one that embeds"));
  const Reply any = one.post(kChat, question("Hi", {{"model", "gpt-4o"}}));
  EXPECT_EQ(any.status, 200);
  EXPECT_EQ(any.json["model"], "gpt-4o");
  server::ApiOptions strict;
  strict.strict_model = true;
  test::Api exact({"smolvlm_tiles"}, std::move(strict));
  EXPECT_EQ(exact.post(kChat, question("Hi", {{"model", "gpt-4o"}})).status, 404);
}

TEST(ApiModels, OfOnePathAreLoadedOnce) {
  const std::string path = test::data_path("models/smolvlm_tiles");
  const auto models =
      server::load_models({{.path = path, .names = {"a"}, .load = {.threads = 1}},
                           {.path = path + "/.", .names = {"b", "c"}, .load = {.threads = 1}}});
  ASSERT_EQ(models.size(), 1U);
  EXPECT_THAT(models[0]->names, testing::ElementsAre("a", "b", "c"));
}

TEST(ApiState, Answers503UntilItIsReadyAndWhenItEnds) {
  test::Api api({}, {}, {}, false);
  const Reply loading = api.get("/health");
  EXPECT_EQ(loading.status, 503);
  EXPECT_THAT(loading.body, HasSubstr("Loading model"));
  EXPECT_EQ(api.post(kChat, question("Hi")).status, 503);
  EXPECT_NE(http::find(api.post(kChat, question("Hi")).headers, "retry-after"), nullptr);
  test::Api up;
  EXPECT_EQ(up.get("/health").json["status"], "ok");
  up.service().drain();
  EXPECT_EQ(up.get("/health").status, 503);
  EXPECT_EQ(up.post(kChat, question("Hi")).code(), "shutting_down");
}

// A question that is answered for as long as somebody listens.
OrderedJson endless(bool stream) {
  return question("Hi", {{"max_tokens", -1}, {"ignore_eos", true}, {"stream", stream}});
}

void expect_idle(test::Api& api) {
  for (int i = 0; i < 3000; ++i) {
    const std::string text = api.get("/metrics").body;
    if (text.find("galago_requests_running 0\n") != std::string::npos) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "requests are still running";
}

TEST(ApiClients, WhoLeavesIsCancelled) {
  test::Api api;
  for (const bool stream : {true, false}) {
    const auto exchange = api.begin(kChat, endless(stream));
    ASSERT_TRUE(!stream || exchange->wait_for_bytes(500));
    exchange->leave();
    expect_idle(api);
  }
  EXPECT_EQ(api.post(kChat, question("Hi")).status, 200);
}

TEST(ApiClients, WhoReadsNothingPausesAlone) {
  test::Api api;
  const auto slow = api.begin(kChat, endless(true), true);
  ASSERT_TRUE(slow->wait_for_bytes(http::kMostPending / 2));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(slow->pending(), http::kMostPending + (size_t{64} << 10));
  EXPECT_EQ(api.post(kChat, question("Hi")).status, 200);
  slow->leave();
  expect_idle(api);
}

TEST(ApiClients, WhatWaitsIsBounded) {
  server::ApiOptions options;
  options.max_queue = 2;
  test::Api api({"smolvlm_tiles"}, std::move(options), {.max_sequences = 1, .max_waiting = 2});
  std::vector<std::shared_ptr<test::FakeExchange>> all;
  for (int i = 0; i < 30; ++i) all.push_back(api.begin(kChat, endless(false)));
  int answered = 0, refused = 0;
  for (const auto& one : all) {
    ASSERT_TRUE(one->wait());
    answered += one->response.status == 200;
    if (one->response.status != 429) continue;
    ++refused;
    EXPECT_NE(http::find(one->response.headers, "retry-after"), nullptr);
    EXPECT_EQ(*http::find(one->response.headers, "x-should-retry"), "true");
  }
  EXPECT_GT(answered, 0);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(answered + refused, 30);
  expect_idle(api);
}

TEST(ApiState, EndsAnswersWithAnErrorWhenItHasTo) {
  test::Api api;
  const auto streamed = api.begin(kChat, endless(true));
  ASSERT_TRUE(streamed->wait_for_bytes(500));
  const auto whole = api.begin(kChat, endless(false));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  api.service().stop_answers();
  ASSERT_TRUE(streamed->wait());
  ASSERT_TRUE(whole->wait());
  EXPECT_THAT(streamed->response.body, HasSubstr("\"code\":\"shutting_down\""));
  EXPECT_TRUE(streamed->response.body.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(whole->response.status, 503);
}

TEST(ApiState, RequestsHaveATimeLimit) {
  server::ApiOptions options;
  options.request_seconds = 0.001;
  test::Api api({"smolvlm_tiles"}, std::move(options));
  const Reply reply = api.post(kChat, endless(false));
  EXPECT_EQ(reply.status, 408);
  EXPECT_EQ(*http::find(reply.headers, "x-should-retry"), "false");
}

TEST(ApiLog, HasALineForEachRequest) {
  test::Api api;
  const Reply reply =
      api.post(kChat, question("Hi"), {{"X-Request-Id", "mine-1"}, {"traceparent", "00-ab-cd-01"}});
  EXPECT_EQ(*http::find(reply.headers, "x-request-id"), "mine-1");
  const Reply odd = api.post(kChat, question("Hi"), {{"X-Request-Id", "a b\""}});
  EXPECT_NE(*http::find(odd.headers, "x-request-id"), "a b\"");
  for (int i = 0; i < 1000 && api.log().size() < 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto log = api.log();
  ASSERT_EQ(log.size(), 2U);
  api.get("/nowhere", {{"X-Request-Id", "mine-2"}});
  EXPECT_EQ(api.log().back().id, "mine-2");
  EXPECT_EQ(api.log().back().status, 404);
  EXPECT_EQ(log[0].id, "mine-1");
  EXPECT_EQ(log[0].trace, "00-ab-cd-01");
  EXPECT_EQ(log[0].status, 200);
  EXPECT_EQ(log[0].model, "smolvlm_tiles");
  EXPECT_EQ(log[0].usage.completion_tokens, 8);
  EXPECT_EQ(log[0].finish, "length");
}

TEST(ApiMetrics, CountWhatWasAnswered) {
  test::Api api;
  api.post(kChat, test::picture_question("What?"));
  api.post(kChat, test::picture_question("What?"));
  api.get("/nowhere");
  const std::string text = api.get("/metrics").body;
  for (const char* line :
       {"galago_answers_total{model=\"smolvlm_tiles\"} 2\n",
        "galago_completion_tokens_total{model=\"smolvlm_tiles\"} 16\n",
        "galago_image_cache_hits_total{model=\"smolvlm_tiles\"} 1\n",
        "galago_time_to_first_token_seconds_count 2\n", "llamacpp:tokens_predicted_total 16\n",
        "galago_time_between_tokens_seconds_bucket{le=\"+Inf\"}"})
    EXPECT_THAT(text, HasSubstr(line));
}

}  // namespace
}  // namespace galago
