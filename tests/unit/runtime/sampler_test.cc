// The sampler against tables made by transformers (tools/oracle/sampling_goldens.py), its draws against its
// own distribution, and its complaints.
#include "runtime/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "fakes.h"
#include "galago/error.h"

namespace galago {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Json goldens() {
  std::ifstream file(GALAGO_TEST_DATA "/generate/sampling.json");
  return Json::parse(file);
}

std::vector<float> logits_of(const Json& golden) {
  std::vector<float> logits;
  for (const Json& value : golden["logits"]) {
    logits.push_back(value.is_string() ? -kInfinity : value.get<float>());
  }
  return logits;
}

GenerateOptions options_of(const Json& golden) {
  const Json& given = golden["options"];
  GenerateOptions options;
  options.temperature = given.value("temperature", 0.0);
  options.top_k = given.value("top_k", 0);
  options.top_p = given.value("top_p", 1.0);
  options.min_p = given.value("min_p", 0.0);
  options.repetition_penalty = given.value("repetition_penalty", 1.0);
  options.typical_p = given.value("typical_p", 1.0);
  options.epsilon_cutoff = given.value("epsilon_cutoff", 0.0);
  options.eta_cutoff = given.value("eta_cutoff", 0.0);
  options.no_repeat_ngram_size = given.value("no_repeat_ngram_size", 0);
  options.min_new_tokens = given.value("min_new_tokens", 0);
  options.bad_words_ids = given.value("bad_words_ids", std::vector<std::vector<int32_t>>());
  options.suppress_tokens = given.value("suppress_tokens", std::vector<int32_t>());
  options.begin_suppress_tokens = given.value("begin_suppress_tokens", std::vector<int32_t>());
  return options;
}

/// What only a model's file can ask for.
TokenRules rules_of(const Json& golden) {
  const Json& given = golden["options"];
  TokenRules rules{.end_ids = golden.value("end", std::vector<int32_t>())};
  rules.model.min_length = given.value("min_length", 0);
  for (const Json& pair : given.value("sequence_bias", Json::array()))
    rules.model.sequence_bias.push_back({pair[0].get<std::vector<int32_t>>(), pair[1].get<double>()});
  if (const auto decay = given.find("exponential_decay_length_penalty"); decay != given.end())
    rules.model.exponential_decay = {(*decay)[0].get<int64_t>(), (*decay)[1].get<double>()};
  return rules;
}

TEST(Sampler, BansSequencesAndSingleTokens) {
  const std::vector<float> logits = {4, 3, 2, 1};
  Sampler sampler({}, 4,
                  {.model = {.bad_words = {{0}, {2, 1}, {9}, {}}}});  // 9 has no score, {} says nothing
  EXPECT_EQ(sampler.next(logits), 1);
  sampler.observe(std::vector<int32_t>{3, 2});
  EXPECT_EQ(sampler.next(logits), 2);  // 1 would end the sequence 2, 1
  sampler.observe(std::vector<int32_t>{0});
  EXPECT_EQ(sampler.next(logits), 1);
}

TEST(Sampler, TakesTheModelsPenaltyUnlessTheCallerSetsOne) {
  const std::vector<float> logits = {3, 2};
  const std::vector<int32_t> seen = {0};
  Sampler model({}, 2, {.model = {.repetition_penalty = 2}});
  model.observe(seen);
  EXPECT_EQ(model.next(logits), 1);
  Sampler caller({.repetition_penalty = 1}, 2, {.model = {.repetition_penalty = 2}});
  caller.observe(seen);
  EXPECT_EQ(caller.next(logits), 0);
}

TEST(Sampler, LeavesWhatTransformersLeaves) {
  const Json table = goldens();
  ASSERT_GE(table.size(), 110u);
  for (const Json& golden : table) {
    SCOPED_TRACE(golden["name"].get<std::string>());
    const std::vector<float> logits = logits_of(golden);
    const auto seen = golden["seen"].get<std::vector<int32_t>>();
    const std::span<const int32_t> ids(seen);
    const auto prompt = golden.value("prompt", seen.size());
    Sampler sampler(options_of(golden), static_cast<int64_t>(logits.size()), rules_of(golden),
                    ids.first(prompt));
    sampler.observe(ids.subspan(prompt));
    if (golden.contains("token")) {
      EXPECT_EQ(sampler.next(logits), golden["token"].get<int32_t>());
      continue;
    }
    std::vector<double> expected(logits.size(), 0.0);
    for (size_t i = 0; i < golden["keep"].size(); ++i) {
      expected[golden["keep"][i].get<size_t>()] = golden["probabilities"][i].get<double>();
    }
    const auto got = sampler.distribution(logits);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(got[i], expected[i], 1e-6) << "token " << i;
      EXPECT_EQ(got[i] > 0, expected[i] > 0) << "token " << i;
    }
  }
}

TEST(Sampler, DrawsAsOftenAsTheDistributionSays) {
  const std::vector<float> logits = {1, 3, -2, 0.5, 2.5, -0.25, 3, 0};
  Sampler sampler({.temperature = 1.0, .top_k = 6, .seed = 3}, 8);
  const auto view = sampler.distribution(logits);
  const std::vector<double> expected(view.begin(), view.end());
  constexpr int kDraws = 40000;
  std::vector<int> counts(8);
  for (int i = 0; i < kDraws; ++i) ++counts[sampler.next(logits)];
  for (size_t i = 0; i < 8; ++i) {
    const double deviation = std::sqrt(kDraws * expected[i] * (1 - expected[i]));
    EXPECT_NEAR(counts[i], kDraws * expected[i], 4 * deviation) << "token " << i;
  }
}

TEST(Sampler, InvertsTheCumulativeDistributionWithTheStandardGenerator) {
  const std::vector<float> even(16, 0.0f);  // token = floor(16 * uniform)
  Sampler sampler({.temperature = 1.0, .seed = 5489}, 16);
  std::mt19937_64 standard(5489);
  for (int i = 0; i < 9999; ++i) ASSERT_EQ(sampler.next(even), static_cast<int32_t>(standard() >> 60));
  // The 10000th value that the C++ standard requires of mt19937_64.
  EXPECT_EQ(sampler.next(even), static_cast<int32_t>(9981545732273789042ull >> 60));
}

TEST(Sampler, SeedsDecide) {
  const std::vector<float> even(1000, 0.0f);
  const auto sequence = [&](uint64_t seed) {
    Sampler sampler({.temperature = 0.9, .seed = seed}, 1000);
    std::vector<int32_t> ids;
    for (int i = 0; i < 20; ++i) ids.push_back(sampler.next(even));
    return ids;
  };
  EXPECT_EQ(sequence(1), sequence(1));
  EXPECT_NE(sequence(1), sequence(2));
  EXPECT_NE(sequence(0), sequence(std::numeric_limits<uint64_t>::max()));
}

TEST(Sampler, NeverDrawsWhatWasDropped) {
  const std::vector<float> logits = {-kInfinity, 1, -kInfinity, 1, 0.9f, -kInfinity};
  Sampler sampler({.temperature = 1.0, .min_p = 0.95, .seed = 8}, 6);
  for (int i = 0; i < 2000; ++i) {
    const int32_t id = sampler.next(logits);
    ASSERT_TRUE(id == 1 || id == 3) << id;
  }
}

TEST(Sampler, PenaltyFollowsObservedTokens) {
  const std::vector<float> logits = {2.0f, 1.9f, 1.8f};
  Sampler sampler({.repetition_penalty = 2}, 3);
  std::vector<int32_t> chosen;
  for (int i = 0; i < 4; ++i) {
    chosen.push_back(sampler.next(logits));
    sampler.observe({&chosen.back(), 1});
  }
  EXPECT_EQ(chosen, (std::vector<int32_t>{0, 1, 2, 0}));
}

TEST(Sampler, DamagedLogitsAreErrors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const double temperature : {0.0, 1.0}) {
    Sampler sampler({.temperature = temperature}, 3);
    const Error error = fakes::error_of([&] { sampler.next(std::vector<float>{0, nan, 1}); });
    EXPECT_EQ(error.code(), ErrorCode::model_invalid);
    EXPECT_THAT(error.what(), HasSubstr("token 1"));
    EXPECT_EQ(fakes::error_of([&] { sampler.next(std::vector<float>(4)); }).code(), ErrorCode::internal);
  }
  Sampler sampler({.temperature = 1.0, .top_p = 0.5}, 2);
  for (const float bad : {kInfinity, -kInfinity}) {
    const std::vector<float> logits(2, bad);
    EXPECT_EQ(fakes::error_of([&] { sampler.next(logits); }).code(), ErrorCode::model_invalid);
  }
}

TEST(Sampler, OptionsOutOfRangeAreErrorsThatNameThem) {
  struct Case {
    GenerateOptions options;
    const char* name;
    const char* got;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Case cases[] = {
      {{.max_new_tokens = 0}, "max_new_tokens", "0"},
      {{.max_new_tokens = -5}, "max_new_tokens", "-5"},
      {{.temperature = -0.5}, "temperature", "-0.5"},
      {{.temperature = nan}, "temperature", "nan"},
      {{.temperature = infinity}, "temperature", "inf"},
      {{.temperature = 1e-30}, "temperature", "1e-30"},
      {{.top_k = -1}, "top_k", "-1"},
      {{.top_p = 1.01}, "top_p", "1.01"},
      {{.top_p = -0.1}, "top_p", "-0.1"},
      {{.top_p = nan}, "top_p", "nan"},
      {{.min_p = 2}, "min_p", "2"},
      {{.min_p = -1}, "min_p", "-1"},
      {{.min_p = nan}, "min_p", "nan"},
      {{.repetition_penalty = 0}, "repetition_penalty", "0"},
      {{.repetition_penalty = -1.5}, "repetition_penalty", "-1.5"},
      {{.repetition_penalty = nan}, "repetition_penalty", "nan"},
      {{.repetition_penalty = infinity}, "repetition_penalty", "inf"},
      {{.stop = {"fine", ""}}, "stop", "an empty string"},
      {{.prefill_chunk = -1}, "prefill_chunk", "-1"},
  };
  for (const Case& bad : cases) {
    const Error error = fakes::error_of([&] { Sampler(bad.options, 4); });
    EXPECT_EQ(error.code(), ErrorCode::usage) << bad.name;
    EXPECT_EQ(error.where(), bad.name);
    EXPECT_EQ(error.got(), bad.got) << bad.name;
    EXPECT_FALSE(error.expected().empty()) << bad.name;
  }
  GenerateOptions many{.stop = std::vector<std::string>(65, "x")};
  EXPECT_EQ(fakes::error_of([&] { Sampler(many, 4); }).code(), ErrorCode::input_too_large);
  GenerateOptions large{.stop = {std::string(4097, 'x')}};
  EXPECT_EQ(fakes::error_of([&] { Sampler(large, 4); }).code(), ErrorCode::input_too_large);
}

}  // namespace
}  // namespace galago
