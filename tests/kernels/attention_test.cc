// The fast attentions against their twins: shared key heads, masks, odd head sizes, several blocks of keys,
// rows of several sequences in one call; and that neither company nor threads change a row.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/cache_pages.h"
#include "kernels/cpu/instructions.h"
#include "kernels/kernels.h"
#include "kernels/model_shapes.h"
#include "kernels/reference/reference.h"
#include "support/devices.h"
#include "tolerances.h"

namespace galago::kernels {
namespace {

using Floats = std::vector<float>;

Floats random_floats(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1.5f);
  Floats values(static_cast<size_t>(n));
  for (float& value : values) value = normal(random);
  return values;
}

void expect_close(const Floats& got, const Floats& twin, double bound) {
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::abs(double{got[i]} - twin[i]), bound * 8)  // 8 bounds the values: 5 deviations and more
        << "at " << i << ": " << got[i] << " instead of " << twin[i];
}

void check_full(int64_t n, const HeadLayout& layout, bool masked) {
  SCOPED_TRACE(testing::Message() << n << " rows, " << layout.heads << "/" << layout.kv_heads << " heads of "
                                  << layout.head_dim << (masked ? ", masked" : ""));
  const int64_t cols = layout.heads * layout.head_dim, kv = layout.kv_heads * layout.head_dim;
  // q, k and v side by side in one matrix, as a fused projection leaves them
  Floats qkv = random_floats(n * (cols + 2 * kv), 1), fast(static_cast<size_t>(n * cols)), twin = fast;
  const Matrix all(qkv.data(), n, cols + 2 * kv);
  std::vector<uint8_t> mask;
  for (int64_t j = 0; masked && j < n; ++j) mask.push_back(j % 3 != 1);
  const auto q = all.slice_cols(0, cols), k = all.slice_cols(cols, kv), v = all.slice_cols(cols + kv, kv);
  test::device().attention(q, k, v, layout, mask, {fast.data(), n, cols});
  reference::attention(q, k, v, layout, mask, {twin.data(), n, cols});
  expect_close(fast, twin, kAttentionBound);
}

TEST(FastAttention, Full) {
  for (const bool masked : {false, true}) {
    for (const int64_t n : {0, 1, 2, 9, 31, 64, 65, 130}) {
      check_full(n, {1, 1, 1, 1}, masked);
      check_full(n, {2, 2, 8, 0.35f}, masked);
      check_full(n, {6, 2, 72, 0.118f}, masked);
    }
    check_full(529, {2, 1, 64, 0.125f}, masked);  // beyond one block of keys
    check_full(1100, {1, 1, 16, 0.25f}, masked);
  }
}

TEST(FastAttention, LargeScoresDoNotOverflow) {
  Floats q = {100, -100}, k = {100, -100, 50}, v = {1, 2, 3}, out(2);
  const Matrix all(q.data(), 2, 1);
  test::device().attention(all, {k.data(), 3, 1}, {v.data(), 3, 1}, {1, 1, 1, 10}, {}, {out.data(), 2, 1});
  EXPECT_FLOAT_EQ(out[0], 1);
  EXPECT_FLOAT_EQ(out[1], 2);
}

/// Caches of some sequences and rows of queries over them.
struct Cached {
  HeadLayout layout;
  std::vector<CachePages> caches;
  std::vector<CausalRow> rows;

  Cached(const HeadLayout& heads, int64_t positions, int sequences, DType dtype = DType::f32,
         int64_t page_positions = 16)
      : layout(heads) {
    const int64_t width = layout.kv_heads * layout.head_dim;
    for (int s = 0; s < sequences; ++s) {
      const Floats keys = random_floats(positions * width, static_cast<uint32_t>(10 + s));
      const Floats values = random_floats(positions * width, static_cast<uint32_t>(20 + s));
      caches.emplace_back(ConstMatrix(keys.data(), positions, width),
                          ConstMatrix(values.data(), positions, width), page_positions, dtype, 4);
    }
  }
  void add(int sequence, int64_t first, int64_t last) {
    rows.push_back({caches[static_cast<size_t>(sequence)].view(), first, last});
  }
  int64_t cols() const { return layout.heads * layout.head_dim; }
  /// Rows [begin, begin + count) alone; queries are the same whatever the cut.
  Floats run(const Device& device, int64_t begin, int64_t count) const {
    Floats q = random_floats(static_cast<int64_t>(rows.size()) * cols(), 3),
           out(static_cast<size_t>(count * cols()));
    device.attention_cached({q.data() + begin * cols(), count, cols()},
                            {rows.data() + begin, static_cast<size_t>(count)}, layout,
                            {out.data(), count, cols()});
    return out;
  }
  void check() const {
    const auto n = static_cast<int64_t>(rows.size());
    expect_close(run(test::device(), 0, n), run(test::device(test::Backend::reference), 0, n),
                 kAttentionBound);
  }
};

TEST(FastAttention, AtTheModelsShapes) {
  constexpr int64_t kRows = 150;  // a twin's work
  for (const AttentionShape& shape : kAttentionShapes)
    check_full(std::min(shape.rows, kRows), shape.heads, false);
  for (const CausalShape& shape : kCausalShapes) {
    SCOPED_TRACE(shape.name);
    Cached test(shape.heads, shape.length, 1);
    for (int64_t i = shape.length - std::min(shape.rows, kRows); i < shape.length; ++i) test.add(0, 0, i);
    test.check();
  }
}

TEST(FastAttention, PrefillOverOneCache) {
  for (const int64_t n : {1, 7, 8, 40, 65, 200}) {
    Cached test({6, 2, 20, 0.2f}, 700, 1);
    for (int64_t i = 0; i < n; ++i) test.add(0, 0, 700 - n + i);
    test.check();
  }
  Cached whole({3, 1, 64, 0.125f}, 600, 1);
  for (int64_t i = 0; i < 600; ++i) whole.add(0, 0, i);
  whole.check();
}

TEST(FastAttention, OneRowOverALongCache) {
  Cached test({9, 3, 64, 0.125f}, 2000, 1);
  test.add(0, 0, 1999);
  test.check();
  test.rows.clear();
  test.add(0, 511, 512);
  test.add(0, 1300, 1300);
  test.check();
}

// Heads that share keys go in groups of up to four; the keys divide into at most 17 parts of at least 64.
TEST(FastAttention, SingleRowsOfAnyGroupAndLength) {
  for (const DType dtype : {DType::f32, DType::f16})
    for (const int64_t group : {1, 2, 3, 4, 5, 7, 8}) {
      Cached test({2 * group, 2, 36, 0.2f}, 2200, 1, dtype);  // two vectors of 16 columns and a rest
      for (const int64_t last : {0, 1, 62, 63, 64, 127, 128, 1022, 1023, 1024, 1087, 1088, 2175, 2199}) {
        SCOPED_TRACE(std::to_string(group) + " heads together, last key " + std::to_string(last));
        for (const int64_t first : {int64_t{0}, last / 2 + 1, last}) {
          test.rows.clear();
          test.add(0, std::min(first, last), last);
          test.check();
        }
      }
    }
}

TEST(FastAttention, RowsOfSeveralSequencesAndWindows) {
  Cached test({4, 2, 24, 0.2f}, 1100, 3);
  for (int64_t i = 0; i < 3; ++i) test.add(2, 0, i);
  for (int64_t i = 0; i < 20; ++i) test.add(0, 0, 600 + i);
  for (int64_t i = 0; i < 12; ++i) test.add(1, 530 + i, 1050 + i);
  test.add(0, 0, 5);
  test.add(1, 3, 900);
  test.check();
}

TEST(FastAttention, OlderInstructionSets) {
  for (const int64_t off : {HWY_AVX3 | HWY_AVX3_DL, HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2}) {
    hwy::DisableTargets(off | kernels::cpu::capped_targets());
    check_full(600, {2, 1, 72, 0.118f}, true);
    Cached test({4, 2, 24, 0.2f}, 600, 1);
    test.add(0, 0, 599);
    test.check();
  }
  hwy::DisableTargets(kernels::cpu::capped_targets());
}

// The twin reads the same half numbers, so the bound is that of the arithmetic.
TEST(FastAttention, HalfCaches) {
  for (const int64_t off : {0LL, HWY_AVX3 | HWY_AVX3_DL, HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2}) {
    hwy::DisableTargets(off | kernels::cpu::capped_targets());
    for (const int64_t dim : {20, 64, 72, 100}) {  // one that no vector divides, one beyond a packed part
      Cached test({6, 2, dim, 0.2f}, 700, 2, DType::f16);
      for (int64_t i = 0; i < 40; ++i) test.add(0, 0, 600 + i);
      for (int64_t i = 0; i < 3; ++i) test.add(1, 5 * i, 640 + i);
      test.check();
    }
  }
  hwy::DisableTargets(kernels::cpu::capped_targets());
}

TEST(FastAttention, HalfAndFloatCachesOfOneSequenceDiffer) {
  Cached half({2, 1, 32, 0.18f}, 600, 1, DType::f16), whole({2, 1, 32, 0.18f}, 600, 1);
  half.add(0, 0, 599);
  whole.add(0, 0, 599);
  const Floats a = half.run(test::device(), 0, 1), b = whole.run(test::device(), 0, 1);
  EXPECT_NE(a, b);
  expect_close(a, b, 1e-3);  // half numbers have 11 bits
}

TEST(FastAttention, ChunksAndThreadsDoNotChangeARow) {
  for (const DType dtype : {DType::f32, DType::f16}) {
    Cached test({6, 2, 32, 0.18f}, 700, 1, dtype);
    for (int64_t i = 0; i < 200; ++i) test.add(0, 0, 450 + i);
    const Floats whole = test.run(test::device(), 0, 200);
    const Floats part = test.run(test::device(), 77, 50);
    for (size_t i = 0; i < part.size(); ++i)
      ASSERT_EQ(part[i], whole[i + static_cast<size_t>(77 * test.cols())]);
    for (const int count : {1, 2, 3}) EXPECT_EQ(test.run(*cpu_device(count), 0, 200), whole);
  }
}

// Single rows, and enough of them for tiles, whose keys end around the ends of pages and begin anywhere.
TEST(FastAttention, PagesOfAnySizeGiveTheTwinsResultAndTheSameBits) {
  for (const DType dtype : {DType::f32, DType::f16})
    for (const int64_t page : {16, 64}) {
      const HeadLayout layout{4, 2, 24, 0.2f};
      Cached paged(layout, 4 * page, 2, dtype, page), whole(layout, 4 * page, 2, dtype, 4096);
      for (const int64_t pages : {1, 2, 3})
        for (const int64_t last : {pages * page - 2, pages * page - 1, pages * page})
          for (const int64_t first : {int64_t{0}, int64_t{1}, page - 1, page, page + 3, last})
            for (const int64_t count : {1, 9}) {
              SCOPED_TRACE(testing::Message() << "pages of " << page << ", keys " << first << " to " << last
                                              << ", " << count << " rows, " << to_string(dtype));
              paged.rows.clear();
              whole.rows.clear();
              for (int64_t i = 0; i < count; ++i)
                for (Cached* cached : {&paged, &whole})
                  cached->add(0, std::min(first, last), std::min(last + i, 4 * page - 1));
              paged.add(1, 0, last);
              whole.add(1, 0, last);
              paged.check();
              ASSERT_EQ(paged.run(test::device(), 0, count + 1), whole.run(test::device(), 0, count + 1));
            }
    }
}

// Sequences that begin with the same pages are still two, each with its own rows.
TEST(FastAttention, SequencesThatSharePages) {
  const HeadLayout layout{4, 2, 24, 0.2f};
  Cached test(layout, 48, 2);
  const CacheView a = test.caches[0].view(), b = test.caches[1].view();
  const std::byte* const joined[] = {a.pages[0], a.pages[1], b.pages[2]};
  CacheView shared = a;
  shared.pages = joined;
  for (const int64_t count : {1, 12}) {
    test.rows.clear();
    for (int64_t i = 0; i < count; ++i) test.rows.push_back({a, 0, 32 + i});
    for (int64_t i = 0; i < count; ++i) test.rows.push_back({shared, 0, 32 + i});
    test.check();
    EXPECT_NE(test.run(test::device(), 0, 1), test.run(test::device(), count, 1));
  }
}

}  // namespace
}  // namespace galago::kernels
