// The order of a backbone's ways to generate, each with a stand-in that offers only that.
#include "runtime/fallback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"

namespace galago {
namespace {

using fakes::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RowsIn : public GeneratesFromEmbeds {
 public:
  Generation generate_from_embeds(const GenerateRequest& request, TokenText& text) override {
    Generation out;
    out.token_ids = {0};
    out.text = "rows " + std::to_string(request.rows.rows) + text.push(0);
    return out;
  }
};

class EmbedsIn : public GeneratesFromInputEmbeds {
 public:
  std::vector<int32_t> generate(ConstMatrix rows, const GenerateOptions&) override {
    return {static_cast<int32_t>(rows.rows), 1, 2, 9, 3};
  }
};

class IdsIn : public GeneratesFromInputIds {
 public:
  std::vector<int32_t> generate(std::span<const int32_t> ids, const GenerateOptions&) override {
    return {ids.front(), 1, 9};
  }
};

class Fallback : public ::testing::Test {
 protected:
  GenerateRequest request(int64_t image_tokens) {
    return {rows_.matrix(), ids_, {9}, image_tokens, options_, on_piece_};
  }
  Generation ask(const Backbone& backbone, int64_t image_tokens) {
    PieceText text(fakes::letters());
    return generate_answer(backbone, request(image_tokens), text);
  }
  using PieceText = fakes::PieceText;

  Tensor rows_{Shape{4, fakes::kHidden}};
  std::vector<int32_t> ids_ = {6, 7, 7, 8};
  GenerateOptions options_;
  StreamCallback on_piece_;
  RowsIn rows_in_;
  EmbedsIn embeds_in_;
  IdsIn ids_in_;
};

TEST_F(Fallback, RowsAloneAreUsed) { EXPECT_EQ(ask({.from_embeds = &rows_in_}, 2).text, "rows 4A"); }

TEST_F(Fallback, EmbedsAloneAreUsedWithTheRulesOfTheRequest) {
  const Generation got = ask({.from_input_embeds = &embeds_in_}, 2);
  EXPECT_THAT(got.token_ids, ElementsAre(4, 1, 2, 9));
  EXPECT_EQ(got.text, "EBC");
  EXPECT_EQ(got.finish_reason, FinishReason::stop);
  EXPECT_EQ(got.usage.prompt_tokens, 4);
  EXPECT_EQ(got.usage.image_tokens, 2);
  EXPECT_EQ(got.usage.completion_tokens, 4);

  options_.stop = {"BC"};
  EXPECT_EQ(ask({.from_input_embeds = &embeds_in_}, 2).text, "E");
  options_.stop.clear();
  options_.max_new_tokens = 2;
  EXPECT_THAT(ask({.from_input_embeds = &embeds_in_}, 2).token_ids, ElementsAre(4, 1));
  on_piece_ = [](const StreamPiece&) { return false; };
  EXPECT_EQ(ask({.from_input_embeds = &embeds_in_}, 2).finish_reason, FinishReason::cancelled);
}

TEST_F(Fallback, IdsAloneAnswerTextOnly) {
  const Generation got = ask({.from_input_ids = &ids_in_}, 0);
  EXPECT_THAT(got.token_ids, ElementsAre(6, 1, 9));
  EXPECT_EQ(got.text, "GB");
}

TEST_F(Fallback, IdsAloneCannotSeeImages) {
  const Error error = error_of([&] { ask({.from_input_ids = &ids_in_}, 2); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("2 image tokens"));
}

TEST_F(Fallback, NothingOfferedIsAnError) {
  EXPECT_EQ(error_of([&] { ask({}, 0); }).code(), ErrorCode::model_unsupported);
}

TEST_F(Fallback, TheFirstInOrderWins) {
  EXPECT_EQ(ask({&rows_in_, &embeds_in_, &ids_in_}, 2).text, "rows 4A");
  EXPECT_EQ(ask({&rows_in_, nullptr, &ids_in_}, 2).text, "rows 4A");
  EXPECT_EQ(ask({nullptr, &embeds_in_, &ids_in_}, 0).text, "EBC");
}

TEST_F(Fallback, BadOptionsAreRefusedOnEveryWay) {
  options_.top_k = -3;
  EXPECT_EQ(error_of([&] { ask({.from_embeds = &rows_in_}, 0); }).code(), ErrorCode::usage);
  EXPECT_EQ(error_of([&] { ask({.from_input_ids = &ids_in_}, 0); }).code(), ErrorCode::usage);
}

TEST_F(Fallback, OwnDecodersGoTheFirstWay) {
  fakes::ScriptModel model({0, 1, 9});
  CausalBackbone own(model);
  const Generation got = ask({.from_embeds = &own, .from_input_ids = &ids_in_}, 2);
  EXPECT_THAT(got.token_ids, ElementsAre(0, 1, 9));
  EXPECT_EQ(got.text, "AB");
}

}  // namespace
}  // namespace galago
