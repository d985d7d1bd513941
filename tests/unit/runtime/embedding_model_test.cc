// EmbeddingModel: batches, order, normalisation, templates, scores, progress and stopping.
#include "galago/embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/fixtures.h"

namespace galago {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const EmbeddingModel& model() {
  static const EmbeddingModel loaded = EmbeddingModel::load(test::data_path("models/siglip"), {.threads = 1});
  return loaded;
}

Image picture(const std::string& name) { return Image::open(test::data_path("pictures/" + name)); }

double difference(std::span<const float> a, std::span<const float> b) {
  return test::max_difference({a.data(), 1, static_cast<int64_t>(a.size())},
                              {b.data(), 1, static_cast<int64_t>(b.size())});
}

double length(std::span<const float> row) {
  double sum = 0;
  for (const float value : row) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

TEST(EmbeddingModel, APictureIsTheSameAloneAndAmongManyBatches) {
  const std::vector<Image> two{picture("shapes_100x80.png"), picture("shapes_37x90.png")};
  std::vector<Image> many;
  for (int i = 0; i < 67; ++i) many.push_back(two[static_cast<size_t>(i % 2)]);
  std::vector<int64_t> done;
  const Embeddings all = model().embed_images(many, {.on_progress = [&](int64_t n, int64_t total) {
                                                EXPECT_EQ(total, 67);
                                                done.push_back(n);
                                                return true;
                                              }});
  EXPECT_THAT(done, ElementsAre(0, 28, 56, 67));  // 1024 rows of 36 patches each go together
  EXPECT_EQ(all.count, 67);
  EXPECT_EQ(all.dimension, 24);
  for (int64_t i = 0; i < 2; ++i) {
    const Embeddings alone = model().embed_images({two[static_cast<size_t>(i)]});
    EXPECT_LT(difference(alone.row(0), all.row(i)), 1e-5);
    EXPECT_LT(difference(alone.row(0), all.row(64 + i)), 1e-5);
  }
  EXPECT_GT(difference(all.row(0), all.row(1)), 0.1);
}

TEST(EmbeddingModel, ATextIsTheSameAloneAndAmongManyBatches) {
  std::vector<std::string> many;
  for (int i = 0; i < 40; ++i) many.push_back(i % 2 ? "a dog" : "two cats on a chair");
  const Embeddings all = model().embed_texts(many);
  EXPECT_EQ(all.count, 40);
  const Embeddings dog = model().embed_texts({"a dog"});
  EXPECT_LT(difference(dog.row(0), all.row(1)), 1e-5);
  EXPECT_LT(difference(dog.row(0), all.row(39)), 1e-5);
  EXPECT_GT(difference(all.row(0), all.row(1)), 0.1);
}

TEST(EmbeddingModel, TextsAreMadeCanonical) {
  const Embeddings texts =
      model().embed_texts({"A  Photo, of a CAT!", "a photo of a cat", "a photo of a car"});
  EXPECT_EQ(difference(texts.row(0), texts.row(1)), 0);
  EXPECT_GT(difference(texts.row(1), texts.row(2)), 1e-3);
}

TEST(EmbeddingModel, OnlyTheBeginningOfALongTextCounts) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "word ";
  const Embeddings texts = model().embed_texts({text + "cat", text + "dog"});
  EXPECT_EQ(difference(texts.row(0), texts.row(1)), 0);
}

TEST(EmbeddingModel, NormalisedVectorsHaveLengthOne) {
  const Embeddings raw = model().embed_texts({"a cat", "a dog"});
  const Embeddings unit = model().embed_texts({"a cat", "a dog"}, {.normalize = true});
  EXPECT_FALSE(raw.normalized);
  EXPECT_TRUE(unit.normalized);
  for (int64_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(length(unit.row(i)), 1, 1e-6);
    EXPECT_GT(length(raw.row(i)), 1.5);
    EXPECT_NEAR(raw.row(i)[3] / length(raw.row(i)), unit.row(i)[3], 1e-6);
  }
}

TEST(EmbeddingModel, NothingGivesNothing) {
  const Embeddings none = model().embed_texts({});
  EXPECT_EQ(none.count, 0);
  EXPECT_EQ(none.dimension, 24);
  EXPECT_FALSE(none.cancelled);
  EXPECT_TRUE(model().classify(std::vector<Image>{}, {"a"}).images.empty());
}

TEST(EmbeddingModel, ScoresFollowFromTheVectors) {
  const Image image = picture("shapes_300x60.jpg");
  const std::vector<std::string> labels{"cat", "dog", "a red square"};
  const Classification result = model().classify({image}, labels, {.template_text = "{}: {}"});
  ASSERT_EQ(result.images.size(), 1U);
  const Embeddings a = model().embed_images({image}, {.normalize = true});
  const Embeddings b =
      model().embed_texts({"cat: cat", "dog: dog", "a red square: a red square"}, {.normalize = true});
  float before = 1;
  for (const LabelScore& score : result.images[0]) {
    double cosine = 0;
    for (int64_t c = 0; c < 24; ++c)
      cosine += a.row(0)[static_cast<size_t>(c)] * b.row(score.index)[static_cast<size_t>(c)];
    const double logit = cosine * model().logit_scale() + model().logit_bias();
    EXPECT_NEAR(score.logit, logit, 1e-4);
    EXPECT_NEAR(score.probability, 1 / (1 + std::exp(-logit)), 1e-5);
    EXPECT_EQ(score.label, labels[static_cast<size_t>(score.index)]);
    EXPECT_LE(score.probability, before);
    before = score.probability;
  }
  EXPECT_NEAR(model().logit_scale(), 12, 1e-4);
  EXPECT_NEAR(model().logit_bias(), -1.5, 1e-6);
}

TEST(EmbeddingModel, ALabelWithBracesIsNotATemplate) {
  const Image image = picture("shapes_37x90.png");
  const auto score = model().classify({image}, {"a {} b"}, {.template_text = "{}"}).images[0][0];
  const Embeddings text = model().embed_texts({"a {} b"}, {.normalize = true});
  const Embeddings pixels = model().embed_images({image}, {.normalize = true});
  double cosine = 0;
  for (size_t c = 0; c < 24; ++c) cosine += pixels.row(0)[c] * text.row(0)[c];
  EXPECT_NEAR(score.logit, cosine * 12 - 1.5, 1e-4);
}

TEST(EmbeddingModel, EqualScoresKeepTheOrderOfTheLabels) {
  const auto scores = model().classify({picture("shapes_37x90.png")}, {"Cat", "cat!", "cat"}).images[0];
  EXPECT_THAT((std::vector<int64_t>{scores[0].index, scores[1].index, scores[2].index}),
              ElementsAre(0, 1, 2));
}

TEST(EmbeddingModel, StopsWhenAsked) {
  const std::vector<Image> many(60, picture("shapes_37x90.png"));
  const Embeddings some =
      model().embed_images(many, {.on_progress = [](int64_t done, int64_t) { return done < 28; }});
  EXPECT_TRUE(some.cancelled);
  EXPECT_EQ(some.count, 28);
  EXPECT_EQ(some.values.size(), 28U * 24U);

  const Classification none =
      model().classify(many, {"a"}, {.on_progress = [](int64_t, int64_t) { return false; }});
  EXPECT_TRUE(none.cancelled);
  EXPECT_TRUE(none.images.empty());
  const Classification part =
      model().classify(many, {"a"}, {.on_progress = [](int64_t done, int64_t) { return done < 2; }});
  EXPECT_TRUE(part.cancelled);
  EXPECT_EQ(part.images.size(), 28U);
}

TEST(EmbeddingModel, RefusesLabelsAndTemplatesThatCannotBeUsed) {
  const std::vector<Image> image{picture("shapes_37x90.png")};
  EXPECT_EQ(test::error_of([&] { model().classify(image, {}); }).code(), ErrorCode::usage);
  const Error error =
      test::error_of([&] { model().classify(image, {"cat"}, {.template_text = "a photo of {label}"}); });
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_THAT(error.what(), HasSubstr("a text with {}"));
  EXPECT_EQ(test::error_of([&] { model().embed_texts({"\xff\xfe"}); }).code(), ErrorCode::input_invalid);
}

}  // namespace
}  // namespace galago
