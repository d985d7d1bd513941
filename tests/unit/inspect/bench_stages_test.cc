// The arithmetic that `galago bench` divides by, against numbers worked out by hand.
#include "inspect/bench_stages.h"

#include <gtest/gtest.h>

namespace galago {
namespace {

TEST(BenchStages, ATileOfSmolVlm256M) {
  VisionConfig config;
  config.hidden_size = 768;
  config.intermediate_size = 3072;
  config.num_hidden_layers = 12;
  config.num_channels = 3;
  config.patch_size = 16;
  const TowerFlops flops = tower_flops(config, 1024);
  EXPECT_DOUBLE_EQ(flops.linear, 12 * 2.0 * 1024 * (4 * 768 * 768 + 2 * 768 * 3072));  // 174 GFLOP
  EXPECT_DOUBLE_EQ(flops.attention, 12 * 4.0 * 1024 * 1024 * 768);                     // 39 GFLOP
  EXPECT_DOUBLE_EQ(flops.patches, 2.0 * 1024 * 768 * 768);                             // 1.2 GFLOP
  EXPECT_NEAR(flops.total() / 1e9, 213.8, 0.1);
}

TextConfig small() {
  TextConfig config;
  config.hidden_size = 8;
  config.intermediate_size = 10;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.head_dim = 4;
  config.vocab_size = 100;
  return config;
}

TEST(BenchStages, TextByHand) {
  // weights of a layer: q and o 8*8 each, k and v 8*4 each, three of 8*10: 432; head 800
  // three rows see 1 + 2 + 3 keys of 8 query columns, twice (scores, values)
  EXPECT_DOUBLE_EQ(decoder_flops(small(), 0, 3), 2 * (2 * 3 * 432 + 2 * 2 * 6 * 8) + 2 * 800);
  // one row after nine
  EXPECT_DOUBLE_EQ(decoder_flops(small(), 9, 10), 2 * (2 * 432 + 2 * 2 * 10 * 8) + 2 * 800);
}

TEST(BenchStages, AWindowBoundsWhatARowSees) {
  TextConfig config = small();
  config.sliding_window = 2;
  EXPECT_DOUBLE_EQ(decoder_flops(config, 0, 3), 2 * (2 * 3 * 432 + 2 * 2 * 5 * 8) + 2 * 800);
}

}  // namespace
}  // namespace galago
