// CLIP's tower where it differs from SigLIP's; taps; whole tiles; the pooling head by hand.
#include "nn/vision/clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "nn/vision/pooling_head.h"
#include "nn/vision/siglip_text.h"
#include "support/devices.h"
#include "support/fixtures.h"
#include "tiny_tower.h"

namespace galago {
namespace {

using testing::HasSubstr;

// 4 x 4 patches of 2 pixels, width 8, random weights.
class TinyClip {
 public:
  TinyClip() {
    config.hidden_size = 8;
    config.intermediate_size = 12;
    config.num_hidden_layers = 3;
    config.num_attention_heads = 2;
    config.image_size = 9;  // one pixel beyond the last whole patch
    config.patch_size = 2;
    config.layer_norm_eps = 1e-5F;
    config.hidden_act = "quick_gelu";
    test::Weights w;
    w.add_random("embeddings.class_embedding", {8});
    w.add_random("embeddings.patch_embedding.weight", {8, 3, 2, 2});
    w.add_random("embeddings.position_embedding.weight", {17, 8});
    w.add_norm("pre_layrnorm", 8, true).add_norm("post_layernorm", 8, true);
    for (int64_t i = 0; i < 3; ++i) {
      const std::string layer = "encoder.layers." + std::to_string(i) + ".";
      w.add_norm(layer + "layer_norm1", 8, true).add_norm(layer + "layer_norm2", 8, true);
      for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
        w.add_linear(layer + "self_attn." + name, 8, 8, true);
      w.add_linear(layer + "mlp.fc1", 12, 8, true).add_linear(layer + "mlp.fc2", 8, 12, true);
    }
    checkpoint_ = w.checkpoint(directory_);
  }

  ClipTower load(std::vector<int64_t> taps = {}) const {
    Binder binder(checkpoint_, test::device());
    ClipTower tower(config, binder.root(), std::move(taps));
    binder.finish("tiny clip");
    return tower;
  }

  VisionConfig config;

 private:
  test::TempDir directory_;
  Checkpoint checkpoint_;
};

PixelBatch noise(int64_t tiles, int64_t side, unsigned seed) {
  return {.pixels = test::random_tensor({tiles, 3, side, side}, seed), .patch_mask = {}};
}

TEST(ClipTower, GivesTheClassRowFirstAndAPooledVector) {
  const TinyClip tiny;
  const ClipTower tower = tiny.load();
  Workspace workspace(test::device());
  const PixelBatch batch = noise(3, 9, 1);
  const TowerOutput all = tower.forward(batch, 0, 3, workspace);
  EXPECT_EQ(all.last_hidden_state->shape(), (Shape{3, 17, 8}));
  EXPECT_EQ(all.pooler_output->shape(), (Shape{3, 8}));
  EXPECT_EQ(tower.class_tokens(), 1);
  EXPECT_EQ(tower.hidden_size(), 8);
  for (int64_t t = 0; t < 3; ++t) {
    const TowerOutput alone = tower.forward(batch, t, 1, workspace);
    EXPECT_LT(test::max_difference(alone.last_hidden_state->matrix(),
                                   all.last_hidden_state->matrix().slice_rows(t * 17, 17)),
              1e-6);
    EXPECT_LT(
        test::max_difference(alone.pooler_output->matrix(), all.pooler_output->matrix().slice_rows(t, 1)),
        1e-6);
  }
}

TEST(ClipTower, ThePostNormDoesNotTouchThePatches) {
  const TinyClip tiny;
  Workspace workspace(test::device());
  const PixelBatch batch = noise(1, 9, 2);
  const TowerOutput whole = tiny.load().forward(batch, 0, 1, workspace);
  const TowerOutput last = tiny.load({3}).forward(batch, 0, 1, workspace);
  EXPECT_EQ(test::max_difference(whole.last_hidden_state->matrix(), last.last_hidden_state->matrix()), 0);
  EXPECT_FALSE(last.pooler_output);
}

TEST(ClipTower, TapsStandBesideEachOtherInTheirOrder) {
  const TinyClip tiny;
  Workspace workspace(test::device());
  const PixelBatch batch = noise(2, 9, 3);
  const ClipTower tower = tiny.load({2, 0, 2});
  EXPECT_EQ(tower.hidden_size(), 24);
  const TowerOutput taps = tower.forward(batch, 0, 2, workspace);
  EXPECT_EQ(taps.last_hidden_state->shape(), (Shape{2, 17, 24}));
  const ConstMatrix all = taps.last_hidden_state->matrix();
  const TowerOutput second = tiny.load({2}).forward(batch, 0, 2, workspace);
  const TowerOutput first = tiny.load({0}).forward(batch, 0, 2, workspace);
  EXPECT_EQ(test::max_difference(all.slice_cols(0, 8), second.last_hidden_state->matrix()), 0);
  EXPECT_EQ(test::max_difference(all.slice_cols(8, 8), first.last_hidden_state->matrix()), 0);
  EXPECT_EQ(test::max_difference(all.slice_cols(16, 8), second.last_hidden_state->matrix()), 0);
  EXPECT_GT(test::max_difference(first.last_hidden_state->matrix(), second.last_hidden_state->matrix()), 0.1);
}

TEST(ClipTower, RefusesOtherTilesAndStatesThatAreNot) {
  const TinyClip tiny;
  Workspace workspace(test::device());
  const ClipTower tower = tiny.load();
  const Error size = test::error_of([&] { tower.forward(noise(1, 8, 1), 0, 1, workspace); });
  EXPECT_EQ(size.code(), ErrorCode::input_invalid);
  EXPECT_THAT(size.what(), HasSubstr("tiles of 9 x 9 pixels"));
  PixelBatch padded = noise(1, 9, 1);
  padded.patch_mask.assign(16, 1);
  padded.patch_mask[15] = 0;
  EXPECT_EQ(test::error_of([&] { tower.forward(padded, 0, 1, workspace); }).code(), ErrorCode::input_invalid);
  for (const int64_t tap : {-1, 4}) {
    const Error error = test::error_of([&] { tiny.load({0, tap}); });
    EXPECT_EQ(error.code(), ErrorCode::model_invalid);
    EXPECT_THAT(error.what(), HasSubstr("expected 0..3"));
  }
}

TEST(SiglipTower, PlacesPatchesInOrderOnWholeTilesOnly) {
  test::TinyTower tiny;
  test::TinyTower twin;  // a TinyTower keeps the file of its last load alone
  const auto bucketed = twin.load();
  Workspace workspace(test::device());
  const PixelBatch batch = noise(1, 8, 4);
  const auto in_order = tiny.load({.positions = PatchPositions::in_order, .taps = {}});
  EXPECT_EQ(test::max_difference(in_order->forward(batch, 0, 1, workspace).last_hidden_state->matrix(),
                                 bucketed->forward(batch, 0, 1, workspace).last_hidden_state->matrix()),
            0);  // on 4 x 4 patches the buckets are the order
  EXPECT_EQ(bucketed->forward(noise(1, 6, 4), 0, 1, workspace).last_hidden_state->shape(), (Shape{1, 9, 8}));
  EXPECT_EQ(test::error_of([&] { in_order->forward(noise(1, 6, 4), 0, 1, workspace); }).code(),
            ErrorCode::input_invalid);
}

TEST(PoolingHead, OfOneHeadByHand) {
  // Two patches x0 = (1, 0), x1 = (0, 1); the query is (ln 3 sqrt 2, 0), so x0 weighs 3/4 and x1 1/4. Values
  // are the patches doubled, out_proj the identity, the norm a plain one, and the mlp gives nothing.
  test::Weights w;
  const float q = std::log(3.0F) * std::sqrt(2.0F);
  w.add("probe", test::tensor_of({1, 1, 2}, {1, 1}));
  w.add("attention.in_proj_weight", test::tensor_of({6, 2}, {q, 0, 0, 0, 1, 0, 0, 1, 2, 0, 0, 2}));
  w.add("attention.in_proj_bias", test::tensor_of({6}, {0, 0, 0, 0, 0, 0}));
  w.add("attention.out_proj.weight", test::tensor_of({2, 2}, {1, 0, 0, 1}));
  w.add("attention.out_proj.bias", test::tensor_of({2}, {0.5F, 0}));
  w.add("layernorm.weight", test::tensor_of({2}, {1, 1}));
  w.add("layernorm.bias", test::tensor_of({2}, {0, 0}));
  w.add("mlp.fc1.weight", test::tensor_of({1, 2}, {1, 0}));
  w.add("mlp.fc1.bias", test::tensor_of({1}, {0}));
  w.add("mlp.fc2.weight", test::tensor_of({2, 1}, {0, 10}));
  w.add("mlp.fc2.bias", test::tensor_of({2}, {0, 0}));
  const test::TempDir directory;
  const Checkpoint checkpoint = w.checkpoint(directory);
  Binder binder(checkpoint, test::device());
  const PoolingHead head({.hidden_size = 2,
                          .intermediate_size = 1,
                          .num_hidden_layers = 1,
                          .num_attention_heads = 1,
                          .layer_norm_eps = 0,
                          .activation = kernels::Activation::relu},
                         binder.root());
  binder.finish("head");
  const Tensor x = test::tensor_of({2, 2}, {1, 0, 0, 1});
  Tensor pooled({1, 2});
  Workspace workspace(test::device());
  head.forward(x.matrix(), 1, pooled.matrix(), workspace);
  // Mixed (1.5, 0.5) + (0.5, 0) = (2, 0.5); its norm is (1, -1); relu(1) * 10 is added to the second.
  EXPECT_NEAR(pooled.data()[0], 2, 1e-5);
  EXPECT_NEAR(pooled.data()[1], 10.5, 1e-4);

  // With the second patch hidden, and another image behind: (2, 0) + (0.5, 0), whose norm is (1, -1) again.
  const Tensor padded = test::tensor_of({4, 2}, {1, 0, 0, 1, 1, 0, 0, 1});
  const std::vector<int64_t> patches{1, 2};
  Tensor two({2, 2});
  head.forward(padded.matrix(), patches, two.matrix(), workspace);
  EXPECT_NEAR(two.data()[0], 2.5, 1e-5);
  EXPECT_NEAR(two.data()[1], 10, 1e-4);
  EXPECT_NEAR(two.data()[2], 2, 1e-5);
  EXPECT_NEAR(two.data()[3], 10.5, 1e-4);
}

TEST(SiglipTextTower, RefusesIdsThatHaveNoRowAndHidesMaskedOnes) {
  const SiglipTextConfig config{.vocab_size = 5,
                                .hidden_size = 4,
                                .intermediate_size = 6,
                                .num_hidden_layers = 1,
                                .num_attention_heads = 1,
                                .max_position_embeddings = 3,
                                .projection_size = 2,
                                .layer_norm_eps = 1e-6F,
                                .hidden_act = "gelu"};
  test::Weights w;
  w.add_random("embeddings.token_embedding.weight", {5, 4});
  w.add_random("embeddings.position_embedding.weight", {3, 4});
  w.add_norm("encoder.layers.0.layer_norm1", 4, true).add_norm("encoder.layers.0.layer_norm2", 4, true);
  for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
    w.add_linear(std::string("encoder.layers.0.self_attn.") + name, 4, 4, true);
  w.add_linear("encoder.layers.0.mlp.fc1", 6, 4, true).add_linear("encoder.layers.0.mlp.fc2", 4, 6, true);
  w.add_norm("final_layer_norm", 4, true).add_linear("head", 2, 4, true);
  const test::TempDir directory;
  const Checkpoint checkpoint = w.checkpoint(directory);
  Binder binder(checkpoint, test::device());
  const SiglipTextTower tower(config, binder.root());
  binder.finish("text tower");
  Workspace workspace(test::device());
  const auto code = [&](const std::vector<int32_t>& ids, int64_t count,
                        const std::vector<uint8_t>& mask = {}) {
    return test::error_of([&] { tower.forward(ids, count, mask, workspace); }).code();
  };
  EXPECT_EQ(tower.forward(std::vector<int32_t>{0, 4, 2, 1}, 2, {}, workspace).shape(), (Shape{2, 2}));
  EXPECT_EQ(code({0, 5}, 1), ErrorCode::input_invalid);
  EXPECT_EQ(code({0, -1}, 1), ErrorCode::input_invalid);
  EXPECT_EQ(code({0, 1, 2, 3}, 1), ErrorCode::input_invalid);
  EXPECT_EQ(code({0, 1, 2}, 2), ErrorCode::input_invalid);
  EXPECT_EQ(code({}, 0), ErrorCode::input_invalid);
  EXPECT_EQ(code({0, 1}, 1, {1}), ErrorCode::input_invalid);
  EXPECT_EQ(code({0, 1, 2, 3}, 2, {1, 0, 0, 0}), ErrorCode::input_invalid);
  // A row's neighbours reach the last one: attention looks both ways and sees all ids.
  const Tensor a = tower.forward(std::vector<int32_t>{0, 1, 2}, 1, {}, workspace);
  const Tensor b = tower.forward(std::vector<int32_t>{3, 1, 2}, 1, {}, workspace);
  EXPECT_GT(test::max_difference(a.matrix(), b.matrix()), 1e-4);
  // Hidden ids do not: of the first of three, hidden, nothing is left.
  const std::vector<uint8_t> mask{0, 1, 1};
  const Tensor c = tower.forward(std::vector<int32_t>{0, 1, 2}, 1, mask, workspace);
  const Tensor d = tower.forward(std::vector<int32_t>{3, 1, 2}, 1, mask, workspace);
  EXPECT_EQ(test::max_difference(c.matrix(), d.matrix()), 0);
}

}  // namespace
}  // namespace galago
