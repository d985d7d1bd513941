// Tokens out through the public API: log probabilities, stop tokens, several answers, processors of a caller.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "galago/scheduler.h"
#include "support/fixtures.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;
using testing::Not;

const Model& tiny_model() {
  static const Model model = Model::load(test::data_path("models/smolvlm_tiles"), {.threads = 1});
  return model;
}

Request question(GenerateOptions options = {}) {
  if (!options.max_new_tokens) options.max_new_tokens = 12;
  return {.prompt = "What is this?", .options = std::move(options)};
}

void expect_scored(const TokenLogprobs& token, size_t top) {
  EXPECT_LE(token.logprob, 0);
  ASSERT_EQ(token.top.size(), top);
  for (size_t i = 1; i < top; ++i) EXPECT_LE(token.top[i].logprob, token.top[i - 1].logprob);
  EXPECT_EQ(token.bytes.empty(), token.text.empty());
}

TEST(Tokens, EachHasItsLogprobAndTheLikeliestBesideIt) {
  const Answer plain = tiny_model().ask(question());
  EXPECT_TRUE(plain.tokens.empty());
  EXPECT_FALSE(plain.confidence);
  Request request = question({.logprobs = 5});
  std::vector<int32_t> streamed;
  request.on_text = [&](const StreamPiece& piece) {
    if (piece.logprobs) streamed.push_back(piece.logprobs->id);
    return true;
  };
  const Answer answer = tiny_model().ask(request);
  EXPECT_EQ(answer.token_ids, plain.token_ids);
  EXPECT_EQ(streamed, answer.token_ids);
  ASSERT_EQ(answer.tokens.size(), answer.token_ids.size());
  double sum = 0;
  for (size_t i = 0; i < answer.tokens.size(); ++i) {
    const TokenLogprobs& token = answer.tokens[i];
    EXPECT_EQ(token.id, answer.token_ids[i]);
    expect_scored(token, 5);
    EXPECT_EQ(token.top[0].id, token.id) << "greedy";
    EXPECT_EQ(token.top[0].logprob, token.logprob);
    sum += token.logprob;
  }
  ASSERT_TRUE(answer.confidence);
  EXPECT_EQ(answer.confidence->tokens, std::ssize(answer.tokens));
  EXPECT_NEAR(answer.confidence->mean_logprob, sum / static_cast<double>(answer.tokens.size()), 1e-6);
}

TEST(Tokens, RawLogitsTellEvenWhenTheAnswerIsDrawnOtherwise) {
  const Answer greedy = tiny_model().ask(question({.logprobs = 1}));
  const Answer other = tiny_model().ask(question({.suppress_tokens = {greedy.token_ids[0]}, .logprobs = 1}));
  EXPECT_NE(other.token_ids[0], greedy.token_ids[0]);
  EXPECT_EQ(other.tokens[0].top[0].id, greedy.token_ids[0]);
  EXPECT_EQ(other.tokens[0].top[0].logprob, greedy.tokens[0].logprob);
  EXPECT_LT(other.confidence->margin, greedy.confidence->margin);
}

// What a text was worth as an answer it is worth as a prompt.
TEST(Tokens, OfAPromptAreThoseOfTheAnswerThatItHolds) {
  for (const int64_t chunk : {0, 7}) {
    Request request = question({.logprobs = 3});
    const Answer answer = tiny_model().ask(request);
    Request again{.prompt = tiny_model().detokenize(answer.prompt_token_ids, true),
                  .options = {.max_new_tokens = 1, .prompt_logprobs = 3, .prefill_chunk = chunk},
                  .parse_special = true,
                  .raw = true};
    const Answer whole = tiny_model().ask(again);
    EXPECT_EQ(whole.prompt_token_ids, answer.prompt_token_ids);
    ASSERT_EQ(whole.prompt_tokens.size(), whole.prompt_token_ids.size());
    for (size_t i = 1; i < whole.prompt_tokens.size(); ++i) {
      EXPECT_EQ(whole.prompt_tokens[i].id, whole.prompt_token_ids[i]);
      expect_scored(whole.prompt_tokens[i], 3);
      EXPECT_LT(whole.prompt_tokens[i].logprob, 0);
    }
    EXPECT_EQ(whole.prompt_tokens[0].logprob, 0);
    EXPECT_EQ(whole.token_ids[0], answer.token_ids[0]);
  }
}

TEST(Tokens, OfAPromptAreToldWhateverIsKeptOfEarlierOnes) {
  const Model model =
      Model::load(test::data_path("models/smolvlm_tiles"), {.threads = 1, .prefix_cache_bytes = 64 << 20});
  Request request = question();
  request.prompt = std::string(200, 'a') + " What is this?";
  model.ask(request);
  EXPECT_GT(model.ask(request).usage.cached_tokens, 0);
  request.options.reuse_prefix = false;
  EXPECT_EQ(model.ask(request).usage.cached_tokens, 0);
  request.options = {.max_new_tokens = request.options.max_new_tokens, .prompt_logprobs = 0};
  const Answer answer = model.ask(request);
  EXPECT_EQ(answer.prompt_tokens.size(), answer.prompt_token_ids.size());
  EXPECT_EQ(answer.usage.cached_tokens, 0);
}

TEST(SeveralAnswers, AreThoseThatTheirSeedsGetAlone) {
  Request request = question({.temperature = 1, .seed = 40});
  request.images = {Image::open(test::data_path("pictures/shapes_100x80.png"))};
  std::string streamed;
  request.on_text = [&](const StreamPiece& piece) {
    streamed += piece.text;
    return true;
  };
  const std::vector<Outcome> answers = tiny_model().ask_n(request, 4);
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(streamed, answers[0].value().text);
  request.on_text = {};
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].id, static_cast<int64_t>(i));
    const Answer alone = tiny_model().ask(request);
    EXPECT_EQ(answers[i].value().token_ids, alone.token_ids) << i;
    EXPECT_EQ(answers[i].answer.usage.cached_tokens, i == 0 ? 0 : alone.usage.prompt_tokens);
    EXPECT_EQ(answers[i].answer.images.size(), 1U);
    ++request.options.seed;
  }
  EXPECT_NE(answers[0].answer.token_ids, answers[1].answer.token_ids);
  for (const int64_t n : {0, -1, 129})
    EXPECT_EQ(test::error_of([&] { tiny_model().ask_n(request, n); }).code(), ErrorCode::usage) << n;
}

TEST(SeveralAnswers, HaveHandlesOfTheirOwn) {
  Scheduler scheduler(tiny_model());
  std::vector<Handle> handles = scheduler.submit_n(question({.temperature = 1}), 3);
  ASSERT_EQ(handles.size(), 3U);
  handles[1].cancel();
  const Answer first = handles[0].wait();
  EXPECT_EQ(first.token_ids, tiny_model().ask(question({.temperature = 1})).token_ids);
  EXPECT_EQ(handles[1].wait().finish_reason, FinishReason::cancelled);
  EXPECT_EQ(handles[2].wait().token_ids, tiny_model().ask(question({.temperature = 1, .seed = 2})).token_ids);
}

TEST(StopTokens, EndAnAnswer) {
  const Answer whole = tiny_model().ask(question());
  const int32_t third = whole.token_ids[2];
  const Answer stopped = tiny_model().ask(question({.stop_token_ids = {third}}));
  EXPECT_EQ(stopped.finish_reason, FinishReason::stop);
  EXPECT_EQ(stopped.token_ids.back(), third);
  EXPECT_LE(stopped.token_ids.size(), 3U);
}

TEST(StopTokens, AStopTextThatIsASpecialTokenStopsByIt) {
  const std::vector<int32_t> special = tiny_model().tokenize("<end_of_utterance>", true);
  ASSERT_EQ(special.size(), 1U);
  for (const bool keep : {false, true}) {
    // Everything but that token is forbidden at the beginning.
    GenerateOptions options{.stop = {"<end_of_utterance>"}, .keep_special = keep};
    options.ignore_eos = true;
    options.processors = {[&] {
      struct Only final : LogitsProcessor {
        explicit Only(int32_t token) : id(token) {}
        void process(std::span<const int32_t> ids, std::span<float> scores) override {
          if (start == 0) start = ids.size();
          if (ids.size() == start + 2) scores[static_cast<size_t>(id)] = 1e6F;
        }
        int32_t id;
        size_t start = 0;
      };
      return std::make_unique<Only>(special[0]);
    }};
    const Answer answer = tiny_model().ask(question(options));
    EXPECT_EQ(answer.finish_reason, FinishReason::stop);
    EXPECT_EQ(answer.token_ids.size(), 3U);
    EXPECT_EQ(answer.token_ids.back(), special[0]);
    EXPECT_THAT(answer.text, Not(HasSubstr("<end_of_utterance>")));
    options.stop.clear();
    EXPECT_EQ(tiny_model().ask(question(options)).token_ids.size(), 12U) << "ignore_eos";
  }
}

TEST(Processors, ThatFailOrForbidEverythingAreErrorsOfTheirRequest) {
  struct Bad final : LogitsProcessor {
    explicit Bad(float value) : value_(value) {}
    void process(std::span<const int32_t>, std::span<float> scores) override {
      if (value_ == 0) throw std::runtime_error("no");
      std::ranges::fill(scores, value_);
    }
    float value_;
  };
  GenerateOptions throws;
  throws.processors = {[] { return std::make_unique<Bad>(0.0F); }};
  EXPECT_THROW(tiny_model().ask(question(throws)), std::runtime_error) << "the caller's own, as it is";
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    GenerateOptions options;
    options.processors = {[value] { return std::make_unique<Bad>(value); }};
    const Error error = test::error_of([&] { tiny_model().ask(question(options)); });
    EXPECT_EQ(error.code(), ErrorCode::usage) << value;
  }
  GenerateOptions none;
  none.processors = {MakeLogitsProcessor(), [] { return std::unique_ptr<LogitsProcessor>(); }};
  EXPECT_EQ(tiny_model().ask(question(none)).token_ids, tiny_model().ask(question()).token_ids);
}

struct BadOptions {
  GenerateOptions options;
  const char* where;
};

TEST(Options, OutOfRangeAreNamed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const int32_t beyond = 1 << 30;
  const std::vector<BadOptions> cases = {
      {{.typical_p = 0}, "typical_p"},
      {{.typical_p = 1.5}, "typical_p"},
      {{.typical_p = nan}, "typical_p"},
      {{.epsilon_cutoff = 1}, "epsilon_cutoff"},
      {{.epsilon_cutoff = -0.1}, "epsilon_cutoff"},
      {{.eta_cutoff = nan}, "eta_cutoff"},
      {{.frequency_penalty = 2.1}, "frequency_penalty"},
      {{.frequency_penalty = nan}, "frequency_penalty"},
      {{.presence_penalty = -2.1}, "presence_penalty"},
      {{.no_repeat_ngram_size = -1}, "no_repeat_ngram_size"},
      {{.min_new_tokens = -1}, "min_new_tokens"},
      {{.min_new_tokens = 13}, "min_new_tokens"},
      {{.logit_bias = {{beyond, 1}}}, "logit_bias"},
      {{.logit_bias = {{-1, 1}}}, "logit_bias"},
      {{.logit_bias = {{1, 101}}}, "logit_bias"},
      {{.logit_bias = {{1, nan}}}, "logit_bias"},
      {{.bad_words_ids = {{}}}, "bad_words_ids"},
      {{.bad_words_ids = {{1, beyond}}}, "bad_words_ids"},
      {{.suppress_tokens = {-3}}, "suppress_tokens"},
      {{.suppress_tokens = std::vector<int32_t>(65537)}, "suppress_tokens"},
      {{.begin_suppress_tokens = {beyond}}, "begin_suppress_tokens"},
      {{.stop_token_ids = {beyond}}, "stop_token_ids"},
      {{.logprobs = 21}, "logprobs"},
      {{.logprobs = -1}, "logprobs"},
      {{.prompt_logprobs = 21}, "prompt_logprobs"},
  };
  for (const BadOptions& bad : cases) {
    const Error error = test::error_of([&] { tiny_model().ask(question(bad.options)); });
    EXPECT_TRUE(error.code() == ErrorCode::usage || error.code() == ErrorCode::input_too_large) << bad.where;
    EXPECT_EQ(error.where(), bad.where);
  }
}

TEST(Formats, HoldTheAnswerOfAModelThatWouldSaySomethingElse) {
  GenerateOptions options{.max_new_tokens = 40};
  options.format = {.kind = AnswerFormat::Kind::choice, .choices = {"yes", "no", "perhaps not"}};
  const Answer answer = tiny_model().ask(question(options));
  EXPECT_THAT(answer.text, testing::AnyOf("yes", "no", "perhaps not"));
  EXPECT_EQ(answer.finish_reason, FinishReason::stop);
  options.min_new_tokens = 30;
  const Answer short_one = tiny_model().ask(question(options));
  EXPECT_EQ(short_one.finish_reason, FinishReason::stop) << "a whole form ends, however short";
  EXPECT_THAT(short_one.text, testing::AnyOf("yes", "no", "perhaps not"));
  options.min_new_tokens = std::nullopt;
  options.logprobs = 0;
  EXPECT_EQ(tiny_model().ask(question(options)).token_ids, answer.token_ids);
  options.ignore_eos = true;
  EXPECT_EQ(test::error_of([&] { tiny_model().ask(question(options)); }).code(), ErrorCode::usage);
}

}  // namespace
}  // namespace galago
