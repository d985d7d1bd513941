// The loop with stand-in models: what ends it, what it costs, and that chunks and streaming change nothing.
#include "runtime/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "fakes.h"

namespace galago {
namespace {

using fakes::error_of;
using fakes::HashModel;
using fakes::PieceText;
using fakes::ScriptModel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A prompt of `length` rows with known contents.
struct Prompt {
  explicit Prompt(int64_t length) : ids(static_cast<size_t>(length)), rows({length, fakes::kHidden}) {
    std::iota(ids.begin(), ids.end(), 0);
    for (int64_t i = 0; i < rows.size(); ++i) rows.data()[i] = static_cast<float>(i * i % 19);
  }
  struct Asked : GenerateRequest {
    GivenRows given;
  };
  Asked request(GenerateOptions options) {
    return {{.ids = ids, .end_ids = {}, .image_tokens = 0, .options = std::move(options)},
            {.rows = rows.matrix()}};
  }
  std::vector<int32_t> ids;
  Tensor rows;
};

Generation generate(CausalModel& model, const Prompt::Asked& asked, TokenText& text) {
  return galago::generate(model, asked, asked.given, text);
}

Generation say(std::vector<int32_t> script, std::vector<std::string> pieces, const Prompt::Asked& request) {
  ScriptModel model(std::move(script));
  PieceText text(std::move(pieces));
  return generate(model, request, text);
}

TEST(Generate, RunsToTheTokenLimit) {
  HashModel model(100);
  PieceText text(fakes::letters());
  Prompt prompt(5);
  const Generation got = generate(model, prompt.request({.max_new_tokens = 7}), text);
  EXPECT_EQ(got.token_ids.size(), 7u);
  EXPECT_EQ(got.text.size(), 7u);
  EXPECT_EQ(got.finish_reason, FinishReason::length);
  EXPECT_EQ(got.usage.prompt_tokens, 5);
  EXPECT_EQ(got.usage.completion_tokens, 7);
  EXPECT_THAT(model.calls, ElementsAre(5, 1, 1, 1, 1, 1, 1));  // the last token is not run
  EXPECT_EQ(model.page_sizes().pages(model.reserved), model.page_sizes().pages(model.rows));
  EXPECT_GT(got.timings.prefill_ms, 0);
  EXPECT_GE(got.timings.first_token_ms, got.timings.prefill_ms);
  EXPECT_GT(got.timings.tokens_per_second, 0);
}

TEST(Generate, ChosenTokensAreFedBack) {
  HashModel model(100);
  PieceText text(fakes::letters());
  Prompt prompt(2);
  const Generation got = generate(model, prompt.request({.max_new_tokens = 4}), text);
  // The same by hand: embed every chosen token after the prompt and take the largest logit.
  HashModel again(100);
  const int32_t sequence = again.open({prompt.ids, {}}).number;
  again.grow(sequence, 6);
  auto logits = again.prefill(sequence, prompt.rows.matrix());
  Tensor row({1, fakes::kHidden});
  for (const int32_t id : got.token_ids) {
    EXPECT_EQ(id, std::max_element(logits.begin(), logits.end()) - logits.begin());
    HashModel::embed(id, row.data());
    logits = again.prefill(sequence, row.matrix());
  }
}

TEST(Generate, ChunksChangeTheCallsAndNothingElse) {
  Prompt prompt(23);
  std::vector<int32_t> whole;
  for (const int64_t chunk : {0, 1, 2, 5, 22, 23, 24, 1000}) {
    HashModel model(100);
    PieceText text(fakes::letters());
    const Generation got =
        generate(model, prompt.request({.max_new_tokens = 9, .prefill_chunk = chunk}), text);
    if (chunk == 0) whole = got.token_ids;
    EXPECT_EQ(got.token_ids, whole) << "chunk " << chunk;
    EXPECT_EQ(model.rows, 23 + 8);
    const int64_t pieces = chunk == 0 ? 1 : (23 + chunk - 1) / chunk;
    ASSERT_EQ(static_cast<int64_t>(model.calls.size()), pieces + 8) << "chunk " << chunk;
    for (int64_t i = 0; i + 1 < pieces; ++i) EXPECT_EQ(model.calls[i], chunk);
  }
}

TEST(Generate, AnyEndTokenEndsAndIsKeptInTheIdsOnly) {
  Prompt prompt(1);
  for (const int32_t end : {3, 4}) {
    Prompt::Asked request = prompt.request({});
    request.end_ids = {4, 3};
    const Generation got = say({0, 1, end, 2}, {"a", "b", "c", "<end>", "<stop>"}, request);
    EXPECT_THAT(got.token_ids, ElementsAre(0, 1, end));
    EXPECT_EQ(got.text, "ab");
    EXPECT_EQ(got.finish_reason, FinishReason::stop);
    EXPECT_EQ(got.usage.completion_tokens, 3);
  }
}

TEST(Generate, AnEndTokenAtTheLimitIsAStop) {
  Prompt prompt(1);
  Prompt::Asked request = prompt.request({.max_new_tokens = 2});
  request.end_ids = {1};
  EXPECT_EQ(say({0, 1}, {"a", "b"}, request).finish_reason, FinishReason::stop);
  EXPECT_EQ(say({0, 0}, {"a", "b"}, request).finish_reason, FinishReason::length);
}

TEST(Generate, StopStringOverSeveralTokens) {
  Prompt prompt(1);
  const std::vector<std::string> pieces = {"cat", ".\nUs", "er", ": no", "x"};
  const Generation got = say({0, 1, 2, 3, 4}, pieces, prompt.request({.stop = {"\nUser:"}}));
  EXPECT_EQ(got.text, "cat.");
  EXPECT_THAT(got.token_ids, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(got.finish_reason, FinishReason::stop);
}

TEST(Generate, TextThatWaitedIsLetGoAtTheEnd) {
  Prompt prompt(1);
  Prompt::Asked request = prompt.request({.max_new_tokens = 3, .stop = {"zz!", "end"}});
  std::vector<std::string> streamed;
  std::vector<int32_t> ids;
  request.given.on_piece = [&](const StreamPiece& piece) {
    streamed.emplace_back(piece.text);
    ids.push_back(piece.token_id);
    return true;
  };
  Generation got = say({0, 1, 2}, {"a", "bz", "z"}, request);
  EXPECT_EQ(got.text, "abzz");
  EXPECT_THAT(streamed, ElementsAre("a", "b", "", "zz"));
  EXPECT_THAT(ids, ElementsAre(0, 1, 2, -1));
  // What the decoder held back can itself complete a stop string.
  got = say({0, 1, 2}, {"a", "en", "d~"}, request);
  EXPECT_EQ(got.text, "a");
  EXPECT_EQ(got.finish_reason, FinishReason::stop);
}

TEST(Generate, CancelsAtEveryStep) {
  Prompt prompt(4);
  HashModel model(100);
  PieceText text(fakes::letters());
  const Generation whole = generate(model, prompt.request({.max_new_tokens = 12}), text);
  for (size_t last = 1; last <= 12; ++last) {
    HashModel fresh(100);
    PieceText fresh_text(fakes::letters());
    Prompt::Asked request = prompt.request({.max_new_tokens = 12});
    std::string streamed;
    request.given.on_piece = [&](const StreamPiece& piece) {
      streamed += piece.text;
      return streamed.size() < last;
    };
    const Generation got = generate(fresh, request, fresh_text);
    EXPECT_EQ(got.finish_reason, FinishReason::cancelled);
    EXPECT_EQ(got.text, whole.text.substr(0, last));
    EXPECT_EQ(got.text, streamed);
    EXPECT_EQ(got.token_ids.size(), last);
    EXPECT_EQ(fresh.calls.size(), last);  // nothing runs after the caller said no
  }
}

TEST(Generate, AfterCancellingNoTextIsLetGo) {
  Prompt prompt(1);
  Prompt::Asked request = prompt.request({.stop = {"bcd"}});
  request.given.on_piece = [](const StreamPiece& piece) { return piece.token_id != 1; };
  const Generation got = say({0, 1, 2}, {"a", "bc", "x"}, request);
  EXPECT_EQ(got.text, "a");
  EXPECT_EQ(got.finish_reason, FinishReason::cancelled);
}

TEST(Generate, TextIsWhatWasStreamed) {
  Prompt prompt(3);
  for (uint64_t seed = 0; seed < 50; ++seed) {
    HashModel model(200);
    PieceText text(fakes::letters());
    Prompt::Asked request =
        prompt.request({.max_new_tokens = 40, .temperature = 1.0, .seed = seed, .stop = {"AB", "C", "XYZ"}});
    request.end_ids = {39};
    std::string streamed;
    request.given.on_piece = [&](const StreamPiece& piece) {
      streamed += piece.text;
      return true;
    };
    const Generation got = generate(model, request, text);
    EXPECT_EQ(got.text, streamed);
    EXPECT_EQ(got.text.find("AB"), std::string::npos);
    EXPECT_EQ(got.text.find('C'), std::string::npos);
  }
}

TEST(Generate, TheContextCapsTheAnswer) {
  HashModel model(10);
  PieceText text(fakes::letters());
  Prompt prompt(7);
  const Generation got = generate(model, prompt.request({.max_new_tokens = 256}), text);
  EXPECT_EQ(got.token_ids.size(), 3u);
  EXPECT_EQ(got.finish_reason, FinishReason::length);
  EXPECT_LE(model.reserved, 10);
}

TEST(Generate, APromptThatFillsTheContextIsRefusedBeforeAnyWork) {
  for (const int64_t length : {10, 11, 500}) {
    HashModel model(10);
    PieceText text(fakes::letters());
    Prompt prompt(length);
    const Error error = error_of([&] { generate(model, prompt.request({}), text); });
    EXPECT_EQ(error.code(), ErrorCode::input_too_large);
    EXPECT_EQ(error.got(), std::to_string(length) + " tokens");
    EXPECT_THAT(error.expected(), HasSubstr("at most 9"));
    EXPECT_TRUE(model.calls.empty());
    EXPECT_EQ(model.reserved, 0);
  }
}

TEST(Generate, RefusesBadRequestsBeforeAnyWork) {
  HashModel model(10);
  PieceText text(fakes::letters());
  Prompt prompt(2);
  EXPECT_EQ(error_of([&] { generate(model, prompt.request({.top_p = 3}), text); }).code(), ErrorCode::usage);
  Prompt empty(0);
  EXPECT_EQ(error_of([&] { generate(model, empty.request({}), text); }).code(), ErrorCode::input_invalid);
  Prompt::Asked torn = prompt.request({});
  torn.ids = torn.ids.first(1);
  EXPECT_EQ(error_of([&] { generate(model, torn, text); }).code(), ErrorCode::internal);
  EXPECT_TRUE(model.calls.empty());
}

// Token 5 leads token 6 by little, always.
class CloseModel : public HashModel {
 public:
  CloseModel() : HashModel(100) {}

 protected:
  void score(int32_t, std::span<float> out) override {
    std::fill(out.begin(), out.end(), 0.0f);
    out[5] = 1.0f;
    out[6] = 0.8f;
  }
};

TEST(Generate, ThePenaltyCountsThePrompt) {
  CloseModel model;
  PieceText text(fakes::letters());
  Prompt prompt(1);
  const Prompt::Asked request = prompt.request({.max_new_tokens = 2, .repetition_penalty = 2});
  prompt.ids[0] = 5;
  EXPECT_THAT(generate(model, request, text).token_ids, ElementsAre(6, 5));
  prompt.ids[0] = 0;
  EXPECT_THAT(generate(model, request, text).token_ids, ElementsAre(5, 6));
}

TEST(FinishReason, HasNames) {
  EXPECT_STREQ(to_string(FinishReason::stop), "stop");
  EXPECT_STREQ(to_string(FinishReason::length), "length");
  EXPECT_STREQ(to_string(FinishReason::cancelled), "cancelled");
}

}  // namespace
}  // namespace galago
