// Which rows two prompts share, and what is kept for the next one.
#include "runtime/prefix_cache.h"

#include <gtest/gtest.h>

#include <thread>

#include "support/kv_rows.h"

namespace galago {
namespace {

constexpr KvShape kShape{.layers = 2, .width = 4};
constexpr int64_t kPageBytes = 64 * kPagePositions;

ContentMark mark(int64_t begin, uint8_t key) {
  ContentMark out{.begin = begin, .key = {}};
  out.key[31] = key;
  return out;
}

int64_t shared(const SequenceContent& a, const SequenceContent& b) {
  const int64_t rows = shared_rows(a, b);
  EXPECT_EQ(shared_rows(b, a), rows);
  return rows;
}

TEST(SharedRows, AreThoseOfEqualIds) {
  EXPECT_EQ(shared({{1, 2, 3, 4}, {}}, {{1, 2, 3, 4}, {}}), 4);
  EXPECT_EQ(shared({{1, 2, 3, 4}, {}}, {{1, 2, 5, 4}, {}}), 2);
  EXPECT_EQ(shared({{1, 2, 3, 4}, {}}, {{1, 2, 3}, {}}), 3);
  EXPECT_EQ(shared({{1, 2}, {}}, {{2, 2}, {}}), 0);
  EXPECT_EQ(shared({{}, {}}, {{1}, {}}), 0);
}

TEST(SharedRows, EndWhereAPictureDiffers) {
  const std::vector<int32_t> ids = {1, 9, 9, 2, 9, 9, 3};
  const SequenceContent both{ids, {mark(1, 5), mark(4, 6)}};
  EXPECT_EQ(shared(both, both), 7);
  EXPECT_EQ(shared(both, {ids, {mark(1, 5), mark(4, 7)}}), 4);
  EXPECT_EQ(shared(both, {ids, {mark(1, 7), mark(4, 6)}}), 1);
  EXPECT_EQ(shared(both, {ids, {mark(1, 5), mark(4, 6)}}), 7);
  EXPECT_EQ(shared(both, {ids, {mark(1, 5)}}), 4) << "one picture of four rows is another than two of two";
  EXPECT_EQ(shared(both, {ids, {mark(1, 5), mark(5, 6)}}), 4);
  EXPECT_EQ(shared(both, {{1, 9, 9, 2, 8}, {mark(1, 5)}}), 4);
  EXPECT_EQ(shared(both, {{1, 9, 8}, {mark(1, 5)}}), 2) << "the second picture is beyond what is shared";
}

// A sequence whose first key says who it is.
KvSequence sequence(int64_t rows, float mark, int64_t capacity = 0) {
  KvSequence out(std::make_shared<KvPages>(kShape));
  EXPECT_TRUE(out.grow(std::max(rows, capacity)));
  const float row[] = {mark, 0, 0, 0};
  for (int64_t layer = 0; layer < 2; ++layer)
    for (int64_t p = 0; p < rows; ++p) test::store(out, layer, p, row, row);
  out.set_length(rows);
  return out;
}

float mark_of(const PrefixCache::Match& match) {
  return *reinterpret_cast<const float*>(test::row_of(*match.sequence, 0, 0).key);
}

TEST(PrefixCache, FindsTheLongest) {
  PrefixCache cache(1 << 20);
  EXPECT_EQ(cache.find({}).rows, 0);
  cache.keep({{1, 2, 3}, {}}, sequence(3, 1));
  cache.keep({{1, 2, 4, 5}, {}}, sequence(4, 2));
  cache.keep({{7, 2}, {}}, sequence(2, 3));
  const auto find = [&](SequenceContent content) { return cache.find(content); };
  EXPECT_EQ(find({{1, 2, 4, 6}, {}}).rows, 3);
  EXPECT_EQ(mark_of(find({{1, 2, 4, 6}, {}})), 2);
  EXPECT_EQ(find({{1, 2, 3, 4, 5}, {}}).rows, 3);
  EXPECT_EQ(mark_of(find({{1, 2, 3, 4, 5}, {}})), 1);
  EXPECT_EQ(find({{8}, {}}).rows, 0);
  EXPECT_EQ(cache.bytes(), 3 * kPageBytes);
}

TEST(PrefixCache, TheOneUsedLongestAgoLeaves) {
  PrefixCache cache(2 * kPageBytes);
  cache.keep({{1, 1, 1}, {}}, sequence(3, 1));
  cache.keep({{2, 2, 2}, {}}, sequence(3, 2));
  EXPECT_EQ(cache.find(SequenceContent{{1, 1}, {}}).rows, 2);  // used again
  cache.keep({{3, 3}, {}}, sequence(2, 3));
  EXPECT_EQ(cache.find(SequenceContent{{1}, {}}).rows, 1);
  EXPECT_EQ(cache.find(SequenceContent{{2}, {}}).rows, 0);
  EXPECT_EQ(cache.find(SequenceContent{{3}, {}}).rows, 1);
  EXPECT_EQ(cache.bytes(), 2 * kPageBytes);
  cache.keep({std::vector<int32_t>(2 * kPagePositions + 1, 4), {}}, sequence(2 * kPagePositions + 1, 4));
  EXPECT_EQ(cache.find(SequenceContent{{4}, {}}).rows, 0) << "too large by itself";
  EXPECT_EQ(cache.bytes(), 2 * kPageBytes);
}

TEST(PrefixCache, ALongerOneTakesThePlaceOfItsBeginning) {
  PrefixCache cache(1 << 20);
  cache.keep({{1, 2}, {}}, sequence(2, 1));
  cache.keep({{1, 2, 3}, {}}, sequence(3, 2));
  EXPECT_EQ(cache.bytes(), kPageBytes);
  cache.keep({{1, 2}, {}}, sequence(2, 3));
  EXPECT_EQ(cache.bytes(), kPageBytes);
  EXPECT_EQ(mark_of(cache.find(SequenceContent{{1, 2}, {}})), 2);
}

TEST(PrefixCache, KeepsNoMoreMemoryThanItsRowsNeed) {
  PrefixCache cache(4 * kPageBytes);
  cache.keep({{1, 2, 3}, {}}, sequence(3, 1, 1000));
  EXPECT_EQ(cache.bytes(), kPageBytes);
  EXPECT_EQ(mark_of(cache.find(SequenceContent{{1}, {}})), 1);
}

TEST(PrefixCache, WhatWasFoundStaysThoughItLeaves) {
  PrefixCache cache(kPageBytes);
  cache.keep({{1, 1}, {}}, sequence(2, 1));
  const auto match = cache.find(SequenceContent{{1, 1}, {}});
  cache.keep({{2, 2}, {}}, sequence(2, 2));
  EXPECT_EQ(cache.find(SequenceContent{{1, 1}, {}}).rows, 0);
  EXPECT_EQ(mark_of(match), 1);
}

TEST(PrefixCache, ServesSeveralThreads) {
  PrefixCache cache(7 * kPageBytes);
  std::vector<std::jthread> threads;
  for (int32_t t = 0; t < 4; ++t)
    threads.emplace_back([&cache, t] {
      for (int32_t i = 0; i < 200; ++i) {
        const SequenceContent content{{(t + i) % 6, i % 3, 7}, {}};
        const auto match = cache.find(content);
        if (match.rows > 0) {
          EXPECT_EQ(mark_of(match), static_cast<float>((t + i) % 6));
        }
        cache.keep(content, sequence(3, static_cast<float>((t + i) % 6)));
      }
    });
  threads.clear();
  EXPECT_LE(cache.bytes(), 7 * kPageBytes);
}

}  // namespace
}  // namespace galago
