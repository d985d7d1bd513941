// An answer's life beside its service: ended before it began, given up, more than there is room for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "server/api/answer_job.h"
#include "support/model_files.h"
#include "unit/server/api_harness.h"

namespace galago {
namespace {

using test::question;
using test::Reply;
using testing::HasSubstr;

constexpr const char* kChat = "/v1/chat/completions";

template <typename Condition>
bool soon(const Condition& condition) {
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

class SilentWriter final : public server::AnswerWriter {
 public:
  std::string piece(int64_t, const StreamPiece&) override { return {}; }
  std::string end(int64_t, const Answer&) override { return {}; }
  std::string finish(std::span<const Answer>) override { return {}; }
  OrderedJson whole(std::span<const Answer>) override { return {}; }
};

TEST(ApiJob, ThatWasStoppedBeforeItBeganLeavesNothing) {
  const auto models = server::load_models(
      {{.path = test::data_path("models/smolvlm_tiles"), .names = {"tiny"}, .load = {.threads = 1}}});
  server::Metrics metrics;
  TaskPool pool{1};
  const server::Log log;
  auto exchange = std::make_shared<test::FakeExchange>(http::Request{
      .method = "POST", .target = kChat, .path = kChat, .query = {}, .headers = {}, .body = {}, .peer = {}});
  auto job = std::make_shared<server::AnswerJob>(
      std::make_shared<server::Call>(exchange, http::Headers{}, log, metrics),
      std::make_unique<SilentWriter>(), false, pool, metrics);
  job->stop(server::ApiError(503, "shutting_down", "", "ends"));
  EXPECT_TRUE(job->over());
  std::vector<server::AnswerCall> calls(1);
  calls[0].model = models[0].get();
  calls[0].request = {.prompt = "Hi", .options = {.max_new_tokens = 1500, .ignore_eos = true}};
  job->submit(std::move(calls));
  EXPECT_EQ(exchange->response.status, 503);
  EXPECT_TRUE(soon([&] { return models[0]->scheduler->size() == 0; }));
  const std::weak_ptr<server::AnswerJob> gone = job;
  job.reset();
  exchange.reset();
  EXPECT_TRUE(soon([&] { return gone.expired(); }));
}

// Every request is told of its end, and none is left behind.
TEST(ApiJob, AServiceThatGoesAwayLeavesNoRequest) {
  std::vector<std::weak_ptr<test::FakeExchange>> all;
  {
    std::vector<std::shared_ptr<test::FakeExchange>> begun;
    {
      test::Api api({"smolvlm_tiles", "siglip"}, {}, {.max_sequences = 2});
      for (int i = 0; i < 12; ++i) {
        OrderedJson body = i % 3 == 0 ? test::picture_question("What?") : question("Hi");
        body.update({{"model", "smolvlm_tiles"},
                     {"max_tokens", -1},
                     {"ignore_eos", true},
                     {"n", 1 + i % 2},
                     {"stream", i % 2 == 0}});
        begun.push_back(api.begin(kChat, body));
        begun.push_back(api.begin(
            "/v1/embeddings", {{"model", "siglip"},
                               {"input", OrderedJson::array({{{"image_url", test::data_uri()}}, "a cat"})}}));
      }
      begun[0]->wait_for_bytes(300);
    }
    for (auto& exchange : begun) all.push_back(exchange);
  }
  for (size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(all[i].expired()) << i;
}

TEST(ApiJob, AnEmbeddingEndsWithTheServer) {
  test::Api api({"siglip"});
  api.service().stop_answers();
  const Reply reply = api.post("/v1/embeddings", {{"input", "a cat"}});
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.code(), "shutting_down");
}

TEST(ApiJob, MoreAnswersThanEverFitAreNoMatterOfTryingAgain) {
  test::Api api({"smolvlm_tiles"}, {}, {.max_sequences = 2, .max_waiting = 1});
  const Reply many = api.post(kChat, question("Hi", {{"n", 4}}));
  EXPECT_EQ(many.status, 400);
  EXPECT_EQ(many.json["error"]["param"], "n");
  EXPECT_EQ(api.post(kChat, question("Hi", {{"n", 3}})).status, 200);
  EXPECT_EQ(api.post("/v1/completions", {{"prompt", {"a", "b"}}, {"n", 2}, {"max_tokens", 1}}).status, 400);
  EXPECT_EQ(api.post("/v1/completions", {{"prompt", {"a", "b", "c"}}, {"max_tokens", 1}}).status, 200);
}

}  // namespace
}  // namespace galago
