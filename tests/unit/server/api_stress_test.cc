// Many clients at once, who ask for everything, leave when they like and read when they like: each gets its
// own answer, and nothing is left when they have gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "support/model_files.h"
#include "unit/server/api_harness.h"

namespace galago {
namespace {

using test::question;
using testing::HasSubstr;

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kIdle = "galago_requests_running 0\n";

bool idle(test::Api& api) {
  for (int i = 0; i < 6000; ++i) {
    const std::string text = api.get("/metrics").body;
    if (text.find(kIdle) != std::string::npos &&
        text.find("galago_requests_waiting 0\n") != std::string::npos)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

struct Asked {
  std::string path;
  OrderedJson body;
};

Asked any_request(std::mt19937& random) {
  const bool stream = random() % 2 == 0;
  const OrderedJson common{{"model", "smolvlm_tiles"},
                           {"max_tokens", 1 + random() % 200},
                           {"temperature", random() % 2},
                           {"ignore_eos", random() % 2 == 0},
                           {"stream", stream},
                           {"n", 1 + random() % 3}};
  OrderedJson one = common;
  switch (random() % 7) {
    case 0:
      return {kChat, question("Hi " + std::to_string(random() % 8), common)};
    case 1:
      return {kChat, test::picture_question("What?", common)};
    case 2:
      one.update({{"prompt", {"a", "b"}}, {"logprobs", 2}});
      return {"/v1/completions", one};
    case 3:
      one.update({{"prompt", "a b c"}, {"stop", {"x", "e"}}});
      return {"/completion", one};
    case 4:
      one.update({{"input", "Hi"}, {"n", 1}});
      return {"/v1/responses", one};
    case 5:
      return {
          "/v1/embeddings",
          {{"model", "siglip"}, {"input", OrderedJson::array({{{"image_url", test::data_uri()}}, "a cat"})}}};
    default:
      one["tools"] = OrderedJson::array({{{"type", "function"}, {"function", {{"name", "look"}}}}});
      one["tool_choice"] = "required";
      one["ignore_eos"] = false;
      return {kChat, question("Hi", one)};
  }
}

// One client's requests. Returns how many got what they should not.
int be_a_client(test::Api& api, unsigned seed, int requests) {
  std::mt19937 random(seed);
  int wrong = 0;
  for (int i = 0; i < requests; ++i) {
    const Asked asked = any_request(random);
    const auto way = random() % 4;  // stays, stays, leaves, reads late and leaves
    const auto exchange = api.begin(asked.path, asked.body, way == 3);
    if (way < 2) {
      wrong += !exchange->wait();
      const int status = exchange->response.status;
      wrong += status != 200 && status != 429 && status != 503;
      if (status == 200 && asked.body.value("stream", false))
        wrong += exchange->response.body.find("\n\n") == std::string::npos;
      continue;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
    if (way == 3) exchange->take();
    exchange->leave();
  }
  return wrong;
}

TEST(ApiStress, NothingIsLeftWhenAllHaveGone) {
  constexpr int kClients = 6;
  constexpr int kRequests = 60;
  test::Api api({"smolvlm_tiles", "siglip"}, {}, {.max_sequences = 3, .max_waiting = 8});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < kClients; ++i)
    clients.emplace_back([&, i] { wrong += be_a_client(api, i, kRequests); });
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_THAT(api.get("/metrics").body, HasSubstr("galago_requests_running"));
    EXPECT_EQ(api.get("/slots").status, 200);
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(idle(api));
  const auto lines = [&] {
    int64_t count = 0;
    for (const server::LogRecord& line : api.log()) count += line.method == "POST";
    return count;
  };
  for (int i = 0; i < 1000 && lines() < kClients * kRequests; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(lines(), kClients * kRequests);
  EXPECT_EQ(api.post(kChat, question("Hi", {{"model", "smolvlm_tiles"}})).status, 200);
}

TEST(ApiStress, EveryoneIsToldOfTheEnd) {
  std::vector<std::shared_ptr<test::FakeExchange>> all;
  std::mt19937 random(7);
  {
    test::Api api({"smolvlm_tiles", "siglip"}, {}, {.max_sequences = 3, .max_waiting = 40});
    for (int i = 0; i < 60; ++i) {
      const Asked asked = any_request(random);
      all.push_back(api.begin(asked.path, asked.body));
      if (i % 20 == 19) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::thread stop([&] {
      for (int i = 0; i < 20; ++i) {
        api.service().stop_answers();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
    for (const auto& exchange : all) EXPECT_TRUE(exchange->wait());
    stop.join();
    EXPECT_TRUE(idle(api));
  }
  for (const auto& exchange : all)
    EXPECT_THAT(exchange->response.status, testing::AnyOf(200, 429, 503)) << exchange->response.body;
}

std::string little_endian(std::initializer_list<uint32_t> words) {
  std::string bytes;
  for (const uint32_t word : words)
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(word >> shift);
  return bytes;
}

// Pictures of one shape that differ in a few values alone: BMP of 24 bits, 40 x 30.
std::string picture(int number) {
  std::string pixels = "BM" + little_endian({3654, 0, 54, 40, 40, 30, 1 | 24 << 16, 0, 3600, 0, 0, 0, 0});
  for (int i = 0; i < 40 * 30; ++i) {
    pixels += static_cast<char>(i % 7 == 0 ? number * 3 : 100);
    pixels += static_cast<char>(i % 40 * 6);
    pixels += static_cast<char>(number % 2 ? 20 : 200);
  }
  return pixels;
}

OrderedJson about(int number, const OrderedJson& fields) {
  OrderedJson body = question("What?", fields);
  body["messages"][0]["content"] = OrderedJson::array(
      {{{"type", "image_url"}, {"image_url", {{"url", test::data_uri_of("image/bmp", picture(number))}}}},
       {{"type", "text"}, {"text", "What is " + std::to_string(number % 4)}}});
  return body;
}

constexpr double kRounding = 1e-4;

// The largest of the logprobs of two answers; many when they are of different lengths.
double difference(const OrderedJson& a, const OrderedJson& b) {
  const OrderedJson &ones = a["logprobs"]["content"], &others = b["logprobs"]["content"];
  if (ones.size() != others.size()) return 1000;
  double largest = 0;
  for (size_t i = 0; i < ones.size(); ++i)
    largest =
        std::max(largest, std::abs(ones[i]["logprob"].get<double>() - others[i]["logprob"].get<double>()));
  return largest;
}

TEST(ApiIsolation, EachOfManyGetsTheAnswerThatItGetsAlone) {
  constexpr int kMany = 64;
  const OrderedJson fields{{"max_tokens", 12}, {"logprobs", true}, {"ignore_eos", true}};
  std::vector<OrderedJson> alone;
  {
    test::Api api({"smolvlm_tiles"}, {}, {.max_sequences = 1, .max_waiting = kMany});
    OrderedJson anew = fields;
    anew["cache_prompt"] = false;
    for (int i = 0; i < kMany; ++i) alone.push_back(api.post(kChat, about(i, anew)).json["choices"][0]);
  }
  // Who got a neighbour's would be seen.
  for (size_t i = 1; i < kMany; ++i) ASSERT_GT(difference(alone[i], alone[i - 1]), 2 * kRounding) << i;
  server::ApiOptions options;
  options.max_queue = 2 * kMany;
  test::Api api({"smolvlm_tiles"}, options, {.max_sequences = 8, .max_waiting = 2 * kMany});
  for (int round = 0; round < 2; ++round) {
    std::vector<std::shared_ptr<test::FakeExchange>> all;
    for (int i = 0; i < kMany; ++i) all.push_back(api.begin(kChat, about(i, fields)));
    for (size_t i = 0; i < kMany; ++i) {
      ASSERT_TRUE(all[i]->wait());
      ASSERT_EQ(all[i]->response.status, 200) << all[i]->response.body;
      const OrderedJson choice = OrderedJson::parse(all[i]->response.body)["choices"][0];
      EXPECT_EQ(choice["message"], alone[i]["message"]) << i;
      EXPECT_LT(difference(choice, alone[i]), kRounding) << i;
    }
  }
}

}  // namespace
}  // namespace galago
