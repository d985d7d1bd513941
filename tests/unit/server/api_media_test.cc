// What the pictures of requests take together, and who waits for those that are fetched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "unit/server/api_harness.h"
#include "unit/server/media_test_support.h"

namespace galago {
namespace {

using server::MediaBudget;
using server::MediaUse;
using server::test::Listener;
using server::test::refusal_of;
using test::Reply;

constexpr const char* kChat = "/v1/chat/completions";
constexpr int64_t kPixels = 100 * 80;  // of the harness's picture

OrderedJson picture_at(const std::string& url, int64_t times = 1) {
  OrderedJson content = OrderedJson::array();
  for (int64_t i = 0; i < times; ++i)
    content.push_back({{"type", "image_url"}, {"image_url", {{"url", url}}}});
  return {{"messages", {{{"role", "user"}, {"content", content}}}}, {"max_tokens", 2}};
}

TEST(MediaUse, IsGivenBack) {
  MediaBudget budget(100);
  {
    MediaUse one(60, budget, {}, {});
    MediaUse other(60, budget, {}, {});
    one.take(60, "messages[0]");
    EXPECT_EQ(refusal_of([&] { one.take(1, "messages[0]"); }), "413 image_too_large");
    other.take(40, "messages[0]");
    EXPECT_THAT(refusal_of([&] { other.take(1, "messages[0]"); }), testing::StartsWith("429 "));
    EXPECT_EQ(refusal_of([&] { other.take(INT64_MAX, "messages[0]"); }), "413 image_too_large");
    EXPECT_EQ(budget.held(), 100);
  }
  EXPECT_EQ(budget.held(), 0);
}

TEST(ApiMedia, PicturesOfARequestAreFewEnoughTogether) {
  test::Api api({"smolvlm_tiles"}, {.media = {.max_request_pixels = 2 * kPixels}});
  EXPECT_EQ(api.post(kChat, picture_at(test::data_uri(), 2)).status, 200);
  const Reply reply = api.post(kChat, picture_at(test::data_uri(), 3));
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.code(), "image_too_large");
  EXPECT_EQ(reply.json["error"]["param"], "messages[0].content[2].image_url.url");
  test::Api embedder({"siglip"}, {.media = {.max_request_pixels = 2 * kPixels}});
  const OrderedJson part{{"image_url", test::data_uri()}};
  EXPECT_EQ(embedder.post("/v1/embeddings", {{"input", {part, part}}}).status, 200);
  EXPECT_EQ(embedder.post("/v1/embeddings", {{"input", {part, part, part}}}).status, 413);
  EXPECT_EQ(embedder.post("/v1/classify", {{"input", {part, part, part}}, {"labels", {"a"}}}).status, 413);
}

TEST(ApiMedia, PicturesOfAllRequestsAre) {
  test::Api api({"smolvlm_tiles"}, {.media = {.max_held_pixels = kPixels}});
  OrderedJson endless = picture_at(test::data_uri());
  endless.update({{"stream", true}, {"ignore_eos", true}, {"max_tokens", 500}});
  const auto first = api.begin(kChat, endless, true);  // whose client takes nothing: its answer does not end
  ASSERT_TRUE(first->wait_for_bytes(1));
  const Reply reply = api.post(kChat, picture_at(test::data_uri()));
  EXPECT_EQ(reply.status, 429);
  EXPECT_NE(http::find(reply.headers, "Retry-After"), nullptr);
  EXPECT_EQ(api.post(kChat, test::question("Without one", {{"max_tokens", 2}})).status, 200);
  first->leave();
  int status = 0;
  for (int i = 0; i < 500 && status != 200; ++i) {
    status = api.post(kChat, picture_at(test::data_uri())).status;
    if (status != 200) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(status, 200) << "given back";
}

TEST(ApiMedia, NobodyElseWaitsForAFetch) {
  const Listener silent;
  const std::string host = "127.0.0.1:" + silent.port();
  test::Api api({"smolvlm_tiles"},
                {.media = {.allowed_domains = {host}, .fetch_seconds = 60}, .intake_threads = 1});
  const auto fetching = api.begin(kChat, picture_at("http://" + host + "/a.png", 5));
  const auto again = api.begin(kChat, picture_at("http://" + host + "/a.png", 5));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(api.post(kChat, test::question("Meanwhile", {{"max_tokens", 2}})).status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(50));
  fetching->leave();
  again->leave();  // or the end of the service would wait for a minute
}

TEST(ApiMedia, AllFetchesOfARequestHaveOneEnd) {
  const Listener silent;
  const std::string host = "127.0.0.1:" + silent.port();
  test::Api api({"smolvlm_tiles"}, {.media = {.allowed_domains = {host}, .fetch_seconds = 0.2}});
  const Reply reply = api.post(kChat, picture_at("http://" + host + "/a.png", 2));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.code(), "failed_to_download_image");
  EXPECT_EQ(reply.json["error"]["param"], "messages[0].content[0].image_url.url");
}

}  // namespace
}  // namespace galago
