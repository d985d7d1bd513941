// The cache of half numbers: what it keeps, what it costs in memory, and what it changes in a decoder.
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "core/half.h"
#include "support/devices.h"
#include "support/kv_rows.h"
#include "tiny_decoder.h"

namespace galago {
namespace {

constexpr KvShape kHalf{.layers = 2, .width = 3, .dtype = DType::f16};

float half_at(const std::byte* row, int64_t i) { return from_f16(reinterpret_cast<const uint16_t*>(row)[i]); }

TEST(HalfCache, HoldsRoundedNumbersInHalfTheMemory) {
  KvSequence whole(std::make_shared<KvPages>(kHalf));
  ASSERT_TRUE(whole.grow(kPagePositions + 4));
  EXPECT_EQ(whole.bytes(), 2 * kPagePositions * 2 * 2 * 3 * 2);
  constexpr float kHuge = 1e9F, kInfinity = std::numeric_limits<float>::infinity();
  for (int64_t layer = 0; layer < 2; ++layer)
    for (int64_t p = 0; p < kPagePositions + 4; ++p) {
      const float at = static_cast<float>(100 * layer + 10 * p);
      const std::vector<float> key = {at, 0.1F, kHuge}, value = {-at, 1 + 0x1p-11F, -kInfinity};
      test::store(whole, layer, p, key, value);
    }
  for (int64_t layer = 0; layer < 2; ++layer)
    for (int64_t p = 0; p < kPagePositions + 4; ++p) {
      const test::KvRow row = test::row_of(whole, layer, p);
      EXPECT_EQ(half_at(row.key, 0), static_cast<float>(100 * layer + 10 * p));
      EXPECT_EQ(half_at(row.key, 1), 0x1.998p-4F);  // 0.1 in 11 bits
      EXPECT_EQ(half_at(row.key, 2), 65504);
      EXPECT_EQ(half_at(row.value, 0), -static_cast<float>(100 * layer + 10 * p));
      EXPECT_EQ(half_at(row.value, 1), 1);  // a tie goes to the even neighbour
      EXPECT_EQ(half_at(row.value, 2), -65504);
    }
}

// Logits [n, V] of a sequence that enters in chunks.
Tensor run(const LlamaDecoder& decoder, int64_t count, int64_t chunk, DType dtype) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 7 % 29);
  const int64_t width = decoder.config().hidden_size;
  Tensor rows({count, width}), hidden({count, width}), logits({count, decoder.config().vocab_size});
  decoder.embed(ids, rows.matrix());
  KvCache cache = decoder.make_cache(1, count, dtype);
  Workspace workspace(test::device());
  for (int64_t begin = 0; begin < count; begin += chunk) {
    const int64_t n = std::min(chunk, count - begin);
    std::vector<RowPlace> places;
    for (int64_t i = 0; i < n; ++i) places.push_back({0, static_cast<int32_t>(begin + i)});
    decoder.forward(rows.matrix().slice_rows(begin, n), places, cache, workspace,
                    hidden.matrix().slice_rows(begin, n));
  }
  decoder.logits(hidden.matrix(), logits.matrix());
  return logits;
}

TEST(HalfCache, ADecoderIsCloseToItselfWithFloatsAndChunksDoNotMatter) {
  test::TinyDecoder tiny;
  const auto decoder = tiny.load();
  const Tensor floats = run(*decoder, 40, 40, DType::f32), halves = run(*decoder, 40, 40, DType::f16);
  const double difference = test::max_difference(floats.matrix(), halves.matrix());
  EXPECT_GT(difference, 1e-5);  // the halves are read
  EXPECT_LT(difference, 0.01);  // logits are around 2; a half has 11 bits
  for (const int64_t chunk : {1, 7, 16})
    EXPECT_LT(test::max_difference(halves.matrix(), run(*decoder, 40, chunk, DType::f16).matrix()), 2e-3)
        << chunk;
}

}  // namespace
}  // namespace galago
