// The decoder's variants by config: Granite's multipliers equal a plain decoder with scaled weights, and a
// sliding window hides what lies before it, however the rows are cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "nn/decoder/llama.h"
#include "support/devices.h"
#include "tiny_decoder.h"

namespace galago {
namespace {

constexpr double kRounding = 2e-5;

std::vector<int32_t> ids_of(int64_t count) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>((i * i * 5 + i * 3 + 1) % 29);
  return ids;
}

/// Logits [n, V] of the ids as one sequence, `chunk` rows in a call.
Tensor logits_of(const LlamaDecoder& decoder, const std::vector<int32_t>& ids, int64_t chunk = 1 << 20) {
  const int64_t d = decoder.config().hidden_size, v = decoder.config().vocab_size, n = std::ssize(ids);
  Workspace workspace(decoder.device());
  Tensor embeds({n, d}), hidden({n, d}), logits({n, v});
  decoder.embed(ids, embeds.matrix());
  KvCache cache = decoder.make_cache(1, n);
  for (int64_t begin = 0; begin < n; begin += chunk) {
    const int64_t count = std::min(chunk, n - begin);
    std::vector<RowPlace> places;
    for (int64_t i = 0; i < count; ++i) places.push_back({0, static_cast<int32_t>(begin + i)});
    decoder.forward(embeds.matrix().slice_rows(begin, count), places, cache, workspace,
                    hidden.matrix().slice_rows(begin, count));
  }
  decoder.logits(hidden.matrix(), logits.matrix());
  return logits;
}

/// The largest difference between two configurations of the same random weights.
double difference(const test::TinyDecoder& plain, const test::TinyDecoder& variant) {
  test::TinyDecoder a, b;
  a.config = plain.config;
  a.factors = plain.factors;
  b.config = variant.config;
  b.factors = variant.factors;
  const Tensor x = logits_of(*a.load(), ids_of(12)), y = logits_of(*b.load(), ids_of(12));
  return test::max_difference(x.matrix(), y.matrix());
}

TEST(Variants, EmbeddingMultiplierScalesTheTable) {
  test::TinyDecoder scaled, variant;
  scaled.factors = {{"embed_tokens.weight", 12}};
  variant.config.embedding_multiplier = 12;
  EXPECT_LT(difference(scaled, variant), kRounding);
  EXPECT_GT(difference({}, variant), 0.1);
}

TEST(Variants, EmbeddingMultiplierCountsForRowsOfAnyOrigin) {
  test::TinyDecoder plain, variant;
  variant.config.embedding_multiplier = 3;
  const auto a = plain.load(), b = variant.load();
  const Tensor rows = test::random_tensor({1, 16}, 3);
  const Tensor tripled = test::tensor_of({1, 16}, [&] {
    std::vector<float> values = test::values(rows);
    for (float& value : values) value *= 3;
    return values;
  }());
  Workspace workspace(test::device());
  Tensor x({1, 16}), y({1, 16});
  const std::vector<RowPlace> place{{0, 0}};
  KvCache cache_a = a->make_cache(1, 1), cache_b = b->make_cache(1, 1);
  a->forward(tripled.matrix(), place, cache_a, workspace, x.matrix());
  b->forward(rows.matrix(), place, cache_b, workspace, y.matrix());
  EXPECT_LT(test::max_difference(x.matrix(), y.matrix()), kRounding);
}

TEST(Variants, ResidualMultiplierScalesWhatEachHalfOfALayerAdds) {
  test::TinyDecoder scaled, variant;
  scaled.factors = {{"o_proj.weight", 0.22F}, {"down_proj.weight", 0.22F}};
  variant.config.residual_multiplier = 0.22F;
  EXPECT_LT(difference(scaled, variant), kRounding);
  EXPECT_GT(difference({}, variant), 0.1);
}

TEST(Variants, ResidualMultiplierScalesTheBiasesToo) {
  test::TinyDecoder scaled, variant;
  scaled.config.attention_bias = scaled.config.mlp_bias = true;
  scaled.factors = {
      {"o_proj.weight", 0.5F}, {"o_proj.bias", 0.5F}, {"down_proj.weight", 0.5F}, {"down_proj.bias", 0.5F}};
  variant.config.attention_bias = variant.config.mlp_bias = true;
  variant.config.residual_multiplier = 0.5F;
  EXPECT_LT(difference(scaled, variant), kRounding);
}

TEST(Variants, AttentionMultiplierReplacesTheRootOfTheHeadWidth) {
  test::TinyDecoder scaled, variant;
  scaled.factors = {{"q_proj.weight", 3}};
  variant.config.attention_multiplier = 1.5F;  // 3 times 1 / sqrt(4)
  EXPECT_LT(difference(scaled, variant), kRounding);
  EXPECT_GT(difference({}, variant), 1e-3);
  variant.config.attention_multiplier = 0.5F;
  EXPECT_EQ(difference({}, variant), 0);
}

TEST(Variants, LogitsScalingDividesTheLogits) {
  test::TinyDecoder scaled, variant;
  scaled.factors = {{"lm_head.weight", 0.125F}};
  variant.config.logits_scaling = 8;
  EXPECT_LT(difference(scaled, variant), kRounding);
  EXPECT_GT(difference({}, variant), 0.1);
}

// In a model of one layer a row sees exactly the rows of its window, and rotary positions count only as
// differences: its logits are those of the last row of the window alone.
TEST(Variants, AWindowHidesWhatLiesBeforeIt) {
  for (const int64_t window : {1, 2, 5, 11, 12, 40}) {
    test::TinyDecoder tiny;
    tiny.config.num_hidden_layers = 1;
    const auto whole = tiny.load();
    test::TinyDecoder other;
    other.config = tiny.config;
    other.config.sliding_window = window;
    const auto windowed = other.load();
    const std::vector<int32_t> ids = ids_of(12);
    const Tensor got = logits_of(*windowed, ids);
    for (int64_t p = 0; p < 12; ++p) {
      const int64_t first = std::max<int64_t>(0, p - window + 1);
      const std::vector<int32_t> seen(ids.begin() + first, ids.begin() + p + 1);
      const Tensor alone = logits_of(*whole, seen);
      EXPECT_LT(test::max_difference(got.matrix().slice_rows(p, 1), alone.matrix().slice_rows(p - first, 1)),
                kRounding)
          << "window " << window << " position " << p;
    }
    const Tensor full = logits_of(*whole, ids);
    const double change =
        test::max_difference(got.matrix().slice_rows(11, 1), full.matrix().slice_rows(11, 1));
    EXPECT_EQ(change > 1e-4, window < 12) << window;
  }
}

TEST(Variants, ChunksNeverChangeTheResultOfAWindow) {
  for (const test::Backend backend : {test::Backend::reference, test::Backend::cpu}) {
    for (const int64_t window : {1, 3, 7, 16}) {
      test::TinyDecoder tiny;
      tiny.backend = backend;
      tiny.config.sliding_window = window;
      const auto decoder = tiny.load();
      const std::vector<int32_t> ids = ids_of(37);
      const Tensor whole = logits_of(*decoder, ids);
      for (const int64_t chunk : {1, 2, 5, 8, 9, 13, 20, 36})
        EXPECT_LT(test::max_difference(whole.matrix(), logits_of(*decoder, ids, chunk).matrix()), kRounding)
            << "window " << window << " chunk " << chunk;
    }
  }
}

}  // namespace
}  // namespace galago
