// Rotary frequencies against numbers computed with transformers 5.18 LlamaRotaryEmbedding (torch 2.13, CPU).
#include "nn/decoder/rope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fixtures.h"

namespace galago {
namespace {

using testing::HasSubstr;

void expect_frequencies(const RopeConfig& rope, int64_t head_dim, const std::vector<float>& expected) {
  const std::vector<float> got = rope_inverse_frequencies(rope, head_dim);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-7 * expected[i]) << i;
}

TEST(Rope, DefaultFrequencies) {
  expect_frequencies({.rope_theta = 100000.0F}, 16,
                     {1.0F, 0.237137362F, 0.0562341288F, 0.0133352149F, 0.00316227786F, 0.000749894185F,
                      0.00017782794F, 4.21696532e-05F});
}

TEST(Rope, LinearFrequenciesAreDividedByTheFactor) {
  expect_frequencies({.rope_theta = 10000.0F, .rope_type = "linear", .factor = 4.0F}, 12,
                     {0.25F, 0.0538608618F, 0.011603971F, 0.00249999994F, 0.000538608583F, 0.000116039737F});
}

TEST(Rope, Llama3KeepsShortWavesStretchesLongOnesAndBlendsBetween) {
  const RopeConfig rope{.rope_theta = 500000.0F,
                        .rope_type = "llama3",
                        .factor = 8.0F,
                        .low_freq_factor = 1.0F,
                        .high_freq_factor = 4.0F,
                        .original_max_position_embeddings = 64};
  expect_frequencies(
      rope, 12, {1.0F, 0.0187231898F, 0.00157490105F, 0.000176776681F, 1.98425078e-05F, 2.22724748e-06F});
}

TEST(Rope, Llama3WithTheNumbersOfLlama32) {
  const RopeConfig rope{.rope_theta = 500000.0F,
                        .rope_type = "llama3",
                        .factor = 32.0F,
                        .low_freq_factor = 1.0F,
                        .high_freq_factor = 4.0F,
                        .original_max_position_embeddings = 8192};
  expect_frequencies(rope, 32,
                     {1.0F, 0.440366626F, 0.193922758F, 0.0853971019F, 0.0376060307F, 0.0165604409F,
                      0.00729266508F, 0.00321144611F, 0.000429556705F, 1.94616387e-05F, 8.57025589e-06F,
                      3.77405445e-06F, 1.66196742e-06F, 7.31874934e-07F, 3.22293289e-07F, 1.41927202e-07F});
}

TEST(Rope, RefusesATypeItDoesNotKnow) {
  const Error error = test::error_of([] { rope_inverse_frequencies({.rope_type = "axial"}, 8); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("axial"));
  EXPECT_THAT(error.what(), HasSubstr("default, linear, llama3, yarn, longrope or proportional"));
}

}  // namespace
}  // namespace galago
