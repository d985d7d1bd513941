// Vectors and labels: what comes back is what the encoder gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "galago/galago.h"
#include "support/model_files.h"
#include "unit/server/api_harness.h"

namespace galago {
namespace {

using test::Reply;

TEST(ApiEmbeddings, AreTheEncoders) {
  test::Api api({"smolvlm_tiles", "siglip"});
  const EmbeddingModel siglip = EmbeddingModel::load(test::data_path("models/siglip"), {.threads = 1});
  const Embeddings expected = siglip.embed_texts({"a cat", "a dog"}, {.normalize = true, .on_progress = {}});
  const Reply reply = api.post("/v1/embeddings", {{"model", "siglip"}, {"input", {"a cat", "a dog"}}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  for (size_t i = 0; i < 2; ++i) {
    const auto row = reply.json["data"][i]["embedding"].get<std::vector<float>>();
    ASSERT_EQ(std::ssize(row), expected.dimension);
    for (size_t k = 0; k < row.size(); ++k) EXPECT_FLOAT_EQ(row[k], expected.row(static_cast<int64_t>(i))[k]);
  }
  EXPECT_GT(expected.tokens, 2);
  EXPECT_EQ(reply.json["usage"]["prompt_tokens"], expected.tokens);
  EXPECT_EQ(reply.json["usage"]["total_tokens"], expected.tokens);
  const Reply long_text =
      api.post("/v1/embeddings", {{"model", "siglip"}, {"input", {"a", std::string((1 << 20) + 1, 'a')}}});
  EXPECT_EQ(long_text.status, 400);
  EXPECT_EQ(long_text.json["error"]["param"], "input[1]");
  const Reply long_sentence = api.post("/v1/classify", {{"model", "siglip"},
                                                        {"input", test::data_uri()},
                                                        {"labels", {"a"}},
                                                        {"template", std::string(5000, 'a') + "{}"}});
  EXPECT_EQ(long_sentence.status, 400);
  EXPECT_EQ(long_sentence.json["error"]["param"], "template");
  const Reply base64 =
      api.post("/v1/embeddings", {{"model", "siglip"}, {"input", "a cat"}, {"encoding_format", "base64"}});
  EXPECT_EQ(base64.json["data"][0]["embedding"].get<std::string>().size(),
            static_cast<size_t>((expected.dimension * 4 + 2) / 3 * 4));
  const OrderedJson part{{"type", "image_url"}, {"image_url", {{"url", test::data_uri()}}}};
  const OrderedJson mixed = OrderedJson::array({{{"content", OrderedJson::array({part})}}, "a cat"});
  const Reply pictures =
      api.post("/v1/embeddings", {{"model", "siglip"}, {"input", mixed}, {"normalize", false}});
  ASSERT_EQ(pictures.status, 200) << pictures.body;
  const Embeddings seen = siglip.embed_images({Image::open(test::data_path("pictures/shapes_100x80.png"))});
  EXPECT_FLOAT_EQ(pictures.json["data"][0]["embedding"][0].get<float>(), seen.row(0)[0]);
  const Reply labels = api.post(
      "/v1/classify", {{"model", "siglip"}, {"input", test::data_uri()}, {"labels", {"a cat", "a dog"}}});
  ASSERT_EQ(labels.status, 200) << labels.body;
  EXPECT_EQ(labels.json["data"][0]["scores"].size(), 2U);
  EXPECT_EQ(labels.json["data"][0]["label"], labels.json["data"][0]["scores"][0]["label"]);
}

}  // namespace
}  // namespace galago
