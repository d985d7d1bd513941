// Rotary frequencies against numbers computed with transformers 5.18 LlamaRotaryEmbedding (torch 2.13, CPU).
#include "nn/decoder/rope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

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

/// Units in the last place between a list and the bits of another.
int64_t worst_ulp(const std::vector<float>& got, const std::vector<uint32_t>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  int64_t worst = 0;
  for (size_t j = 0; j < std::min(got.size(), expected.size()); ++j)
    worst = std::max(worst, std::abs(int64_t{std::bit_cast<uint32_t>(got[j])} - int64_t{expected[j]}));
  return worst;
}

// What the reference multiplies before it divides makes one rounding of two. torch's power may be off by one
// unit.
TEST(Rope, LongropeAndYarnRoundAsTheReference) {
  RopeConfig rope{.rope_theta = 1e6F, .rope_type = "longrope"};
  for (int j = 0; j < 48; ++j) rope.divisors.push_back(static_cast<float>(1 + 0.37 * j));
  EXPECT_LE(worst_ulp(rope_inverse_frequencies(rope, 96),
                      {0x3f800000, 0x3f0c204f, 0x3ea57875, 0x3e4ca719, 0x3e02924b, 0x3daa67f7, 0x3d6234bc,
                       0x3d1825d3, 0x3ccede61, 0x3c8ddfae, 0x3c4407a2, 0x3c08460f, 0x3bbe7b11, 0x3b85be6c,
                       0x3b3c9406, 0x3b056cea, 0x3abd690e, 0x3a86d428, 0x3a40726f, 0x3a09aa4e, 0x39c55fd5,
                       0x398dc3f2, 0x394c02d2, 0x391308d9, 0x38d44329, 0x38996db4, 0x385e17dd, 0x3820f079,
                       0x37e9836a, 0x37a99632, 0x37769118, 0x373369b1, 0x3702a9e4, 0x36be7aa0, 0x368af285,
                       0x364add41, 0x36143236, 0x35d8aa2b, 0x359e7bd8, 0x3567fe15, 0x3529e55a, 0x34f8fa2e,
                       0x34b687b1, 0x3485e21f, 0x34447f3e, 0x34104359, 0x33d3ebed, 0x339bb8a7}),
            1);
  rope.long_divisors = rope.divisors;
  EXPECT_EQ(rope_long_frequencies(rope, 96), rope_inverse_frequencies(rope, 96));
  const RopeConfig yarn{
      .rope_theta = 1e6F, .rope_type = "yarn", .factor = 7.3F, .original_max_position_embeddings = 32768};
  EXPECT_LE(worst_ulp(rope_inverse_frequencies(yarn, 96),
                      {0x3f800000, 0x3f3ff911, 0x3f0ff59a, 0x3ed7e89b, 0x3ea1e89b, 0x3e72d425, 0x3e361887,
                       0x3e088d78, 0x3dcccccc, 0x3d99940d, 0x3d6655c4, 0x3d2cba14, 0x3d0186e3, 0x3cc2434e,
                       0x3c91ad3a, 0x3c5a7bf2, 0x3c23d709, 0x3bf5b9b1, 0x3bac0907, 0x3b6fab7e, 0x3b25f81a,
                       0x3ae448d9, 0x3a9bb743, 0x3a52558e, 0x3a0c5366, 0x39b85bd8, 0x396d5aae, 0x3914a2d8,
                       0x38b2e5b5, 0x384a476e, 0x37cc58af, 0x37993cfd, 0x3765d326, 0x372c5827, 0x37013d74,
                       0x36c1d527, 0x36915aa0, 0x365a0015, 0x36237a23, 0x35f52e5d, 0x35b7dc26, 0x3589e01c,
                       0x354ec8b7, 0x351b10f2, 0x34e890fd, 0x34ae6674, 0x3482c820, 0x34442514}),
            1);
}

TEST(Rope, RefusesATypeItDoesNotKnow) {
  const Error error = test::error_of([] { rope_inverse_frequencies({.rope_type = "axial"}, 8); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("axial"));
  EXPECT_THAT(error.what(), HasSubstr("default, linear, llama3, yarn, longrope or proportional"));
}

}  // namespace
}  // namespace galago
