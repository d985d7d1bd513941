// The decoder's one entry: however rows are cut, grouped and mixed, each sequence gets the same logits.
#include "nn/decoder/llama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "support/devices.h"
#include "tiny_decoder.h"

namespace galago {
namespace {

using testing::HasSubstr;

constexpr double kRounding = 1e-5;

std::vector<int32_t> some_ids(int64_t count, unsigned seed, int64_t vocabulary) {
  std::mt19937 random(seed);
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<unsigned>(vocabulary));
  return ids;
}

class LlamaTest : public testing::Test {
 protected:
  void load(bool tied = false) {
    decoder_ = tiny_.load(tied);
    workspace_.emplace(decoder_->device());
  }

  // Embeddings of some ids, [n, D].
  Tensor embeds(const std::vector<int32_t>& ids) const {
    Tensor out({static_cast<int64_t>(ids.size()), tiny_.config.hidden_size});
    decoder_->embed(ids, out.matrix());
    return out;
  }

  // Logits [n, V] of rows at these places.
  Tensor logits(const Tensor& rows, const std::vector<RowPlace>& places, KvCache& cache) {
    Tensor hidden(rows.shape());
    decoder_->forward(rows.matrix(), places, cache, *workspace_, hidden.matrix());
    Tensor out({rows.shape()[0], tiny_.config.vocab_size});
    decoder_->logits(hidden.matrix(), out.matrix());
    return out;
  }

  // Logits of a whole sequence in one call.
  Tensor alone(const std::vector<int32_t>& ids) {
    KvCache cache = decoder_->make_cache(1, static_cast<int64_t>(ids.size()));
    std::vector<RowPlace> places;
    for (size_t i = 0; i < ids.size(); ++i) places.push_back({0, static_cast<int32_t>(i)});
    return logits(embeds(ids), places, cache);
  }

  test::TinyDecoder tiny_;
  std::unique_ptr<const LlamaDecoder> decoder_;
  std::optional<Workspace> workspace_;
};

int64_t argmax(ConstMatrix row) { return std::max_element(row.data, row.data + row.cols) - row.data; }

// Row `at` of `got` belongs to row `position` of `expected`.
void expect_same(const Tensor& got, int64_t at, const Tensor& expected, int64_t position) {
  const ConstMatrix a = got.matrix().slice_rows(at, 1);
  const ConstMatrix b = expected.matrix().slice_rows(position, 1);
  EXPECT_LT(test::max_difference(a, b), kRounding) << "position " << position;
  EXPECT_EQ(argmax(a), argmax(b)) << "position " << position;
}

TEST_F(LlamaTest, CountsTheBytesThatATokenReads) {
  load();
  const int64_t layer = 16 * 16 + 2 * 8 * 16 + 16 * 16 + 3 * 24 * 16;  // q; k, v; o; gate, up, down
  EXPECT_EQ(decoder_->weight_bytes(), 4 * (3 * layer + 29 * 16));
}

TEST_F(LlamaTest, ChunksNeverChangeTheResult) {
  load();
  const std::vector<int32_t> ids = some_ids(23, 1, tiny_.config.vocab_size);
  const Tensor whole = alone(ids);
  const Tensor rows = embeds(ids);
  for (const int64_t chunk : {1, 2, 3, 4, 5, 7, 8, 11, 16, 22, 23}) {
    KvCache cache = decoder_->make_cache(1, 40);
    for (int64_t begin = 0; begin < 23; begin += chunk) {
      const int64_t count = std::min<int64_t>(chunk, 23 - begin);
      Tensor part({count, rows.shape()[1]});
      std::copy_n(rows.data() + begin * rows.shape()[1], part.size(), part.data());
      std::vector<RowPlace> places;
      for (int64_t i = 0; i < count; ++i) places.push_back({0, static_cast<int32_t>(begin + i)});
      const Tensor got = logits(part, places, cache);
      for (int64_t i = 0; i < count; ++i) expect_same(got, i, whole, begin + i);
    }
    EXPECT_EQ(cache.length(0), 23);
  }
}

TEST_F(LlamaTest, SeveralSequencesInOneCallEqualEachAlone) {
  load();
  std::vector<std::vector<int32_t>> sequences;
  for (const int64_t length : {5, 1, 9, 16})
    sequences.push_back(some_ids(length, static_cast<unsigned>(length), tiny_.config.vocab_size));
  KvCache cache = decoder_->make_cache(4, 16);
  std::vector<int32_t> ids;
  std::vector<RowPlace> places;
  for (size_t s = 0; s < sequences.size(); ++s)
    for (size_t i = 0; i < sequences[s].size(); ++i) {
      ids.push_back(sequences[s][i]);
      places.push_back({static_cast<int32_t>(s), static_cast<int32_t>(i)});
    }
  const Tensor together = logits(embeds(ids), places, cache);
  for (size_t row = 0; row < places.size(); ++row)
    expect_same(together, static_cast<int64_t>(row),
                alone(sequences[static_cast<size_t>(places[row].sequence)]), places[row].position);
}

TEST_F(LlamaTest, RowsOfSeveralSequencesMayInterleave) {
  load();
  const std::vector<int32_t> a = some_ids(12, 3, tiny_.config.vocab_size);
  const std::vector<int32_t> b = some_ids(12, 4, tiny_.config.vocab_size);
  const Tensor alone_a = alone(a);
  const Tensor alone_b = alone(b);
  KvCache cache = decoder_->make_cache(2, 12);
  // Calls of 1, 2, 3... rows, drawn from either sequence; one prefills while the other decodes.
  std::mt19937 random(5);
  std::array<int32_t, 2> next{0, 0};
  for (int64_t count = 1; next[0] + next[1] < 24; ++count) {
    std::vector<int32_t> ids;
    std::vector<RowPlace> places;
    for (int64_t i = 0; i < count && next[0] + next[1] < 24; ++i) {
      auto s = static_cast<int32_t>(random() % 2);
      if (next[static_cast<size_t>(s)] == 12) s = 1 - s;
      const int32_t position = next[static_cast<size_t>(s)]++;
      ids.push_back((s == 0 ? a : b)[static_cast<size_t>(position)]);
      places.push_back({s, position});
    }
    const Tensor got = logits(embeds(ids), places, cache);
    for (size_t i = 0; i < places.size(); ++i)
      expect_same(got, static_cast<int64_t>(i), places[i].sequence == 0 ? alone_a : alone_b,
                  places[i].position);
  }
}

TEST_F(LlamaTest, LaterRowsDoNotReachEarlierOnes) {
  load();
  std::vector<int32_t> ids = some_ids(10, 6, tiny_.config.vocab_size);
  const Tensor before = alone(ids);
  ids[7] = (ids[7] + 1) % static_cast<int32_t>(tiny_.config.vocab_size);
  const Tensor after = alone(ids);
  for (int64_t i = 0; i < 7; ++i) expect_same(after, i, before, i);
  EXPECT_GT(test::max_difference(after.matrix().slice_rows(9, 1), before.matrix().slice_rows(9, 1)), 1e-3);
}

TEST_F(LlamaTest, OrderMatters) {
  load();
  const Tensor one = alone({1, 2, 3});
  const Tensor other = alone({2, 1, 3});
  EXPECT_GT(test::max_difference(one.matrix().slice_rows(2, 1), other.matrix().slice_rows(2, 1)), 1e-4);
}

TEST_F(LlamaTest, RefusesPositionsThatDoNotContinue) {
  load();
  const Tensor rows = embeds({1, 2});
  for (const auto& places : std::vector<std::vector<RowPlace>>{
           {{0, 1}, {0, 2}}, {{0, 0}, {0, 0}}, {{0, 0}, {0, 2}}, {{0, 1}, {0, 0}}, {{0, -1}, {0, 0}}}) {
    KvCache cache = decoder_->make_cache(1, 8);
    const Error error = test::error_of([&] { logits(rows, places, cache); });
    EXPECT_EQ(error.code(), ErrorCode::internal);
    EXPECT_THAT(error.what(), HasSubstr("position"));
    EXPECT_EQ(cache.length(0), 0) << "a refused call leaves the cache as it was";
  }
}

TEST_F(LlamaTest, RefusesASequenceThatTheCacheLacks) {
  load();
  KvCache cache = decoder_->make_cache(2, 8);
  for (const int32_t sequence : {-1, 2}) {
    const Error error = test::error_of([&] { logits(embeds({1}), {{sequence, 0}}, cache); });
    EXPECT_EQ(error.code(), ErrorCode::internal);
    EXPECT_THAT(error.what(), HasSubstr("one that the cache holds"));
  }
}

TEST_F(LlamaTest, RefusesRowsWithoutAPlace) {
  load();
  KvCache cache = decoder_->make_cache(1, 8);
  for (const auto& places : std::vector<std::vector<RowPlace>>{{}, {{0, 0}}, {{0, 0}, {0, 1}, {0, 2}}}) {
    EXPECT_EQ(test::error_of([&] { logits(embeds({1, 2}), places, cache); }).code(), ErrorCode::internal);
    EXPECT_EQ(cache.length(0), 0);
  }
}

TEST_F(LlamaTest, RefusesMoreThanTheCacheHolds) {
  load();
  KvCache cache = decoder_->make_cache(1, 3);  // a whole page
  std::vector<RowPlace> places;
  for (int32_t i = 0; i < kPagePositions; ++i) places.push_back({0, i});
  logits(embeds(std::vector<int32_t>(kPagePositions, 1)), places, cache);
  const Error error = test::error_of([&] { logits(embeds({4}), {{0, kPagePositions}}, cache); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("at most " + std::to_string(kPagePositions) + " positions"));
  EXPECT_EQ(cache.length(0), kPagePositions);
}

TEST_F(LlamaTest, RefusesIdsOutsideTheVocabulary) {
  load();
  for (const int32_t id : {-1, 29, 1000000}) {
    const Error error = test::error_of([&] { embeds({3, id}); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
    EXPECT_THAT(error.what(), HasSubstr("got " + std::to_string(id)));
    EXPECT_THAT(error.what(), HasSubstr("29"));
  }
}

TEST_F(LlamaTest, EmbeddingsAreRowsOfTheTable) {
  load();
  const Tensor rows = embeds({28, 0, 28});
  const TensorView& table = *tiny_.checkpoint().find("model.embed_tokens.weight");
  for (int64_t c = 0; c < 16; ++c) {
    EXPECT_EQ(rows.data()[c], element(table, 28 * 16 + c));
    EXPECT_EQ(rows.data()[16 + c], element(table, c));
    EXPECT_EQ(rows.data()[32 + c], rows.data()[c]);
  }
}

TEST_F(LlamaTest, ATiedHeadIsTheEmbeddingTable) {
  load(true);
  const Tensor hidden = test::random_tensor({2, 16}, 9);
  Tensor tied({2, 29});
  decoder_->logits(hidden.matrix(), tied.matrix());
  const TensorView& table = *tiny_.checkpoint().find("model.embed_tokens.weight");
  for (int64_t v = 0; v < 29; ++v) {
    double sum = 0;
    for (int64_t c = 0; c < 16; ++c)
      sum += static_cast<double>(hidden.data()[c]) * element(table, v * 16 + c);
    EXPECT_NEAR(tied.data()[v], sum, 1e-5);
  }
  load(false);
  Tensor untied({2, 29});
  decoder_->logits(hidden.matrix(), untied.matrix());
  EXPECT_GT(test::max_difference(tied.matrix(), untied.matrix()), 0.1);
}

TEST_F(LlamaTest, ATiedHeadNeedsNoWeightOfItsOwnAnUntiedOneDoes) {
  EXPECT_NO_THROW(tiny_.load(true, false));
  EXPECT_THAT(test::error_of([&] { tiny_.load(false, false); }).what(),
              HasSubstr("missing lm_head.weight, expected [29, 16]"));
}

TEST_F(LlamaTest, BiasesAreUsedWhereTheConfigHasThem) {
  tiny_.config.attention_bias = true;
  tiny_.config.mlp_bias = true;
  load();
  EXPECT_EQ(alone({1, 2, 3}).shape(), (Shape{3, 29}));
  const Tensor with = alone({1, 2, 3});
  tiny_.config.attention_bias = false;
  tiny_.config.mlp_bias = false;
  load();
  EXPECT_GT(test::max_difference(with.matrix(), alone({1, 2, 3}).matrix()), 1e-2);
}

TEST_F(LlamaTest, RefusesAnUnknownActivation) {
  tiny_.config.hidden_act = "mish";
  const Error error = test::error_of([&] { tiny_.load(); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("hidden_act"));
}

TEST_F(LlamaTest, BothBackendsAgree) {
  const std::vector<int32_t> ids = some_ids(17, 12, tiny_.config.vocab_size);
  tiny_.backend = test::Backend::reference;
  load();
  const Tensor scalar = alone(ids);
  tiny_.backend = test::Backend::cpu;
  load();
  EXPECT_LT(test::max_difference(scalar.matrix(), alone(ids).matrix()), kRounding);
}

TEST_F(LlamaTest, SequencesOfDifferentCapacityShareACallAndOneLeaves) {
  load();
  const std::vector<int32_t> a = some_ids(6, 3, tiny_.config.vocab_size);
  const std::vector<int32_t> b = some_ids(9, 4, tiny_.config.vocab_size);
  const Tensor alone_a = alone(a), alone_b = alone(b);
  KvCache cache(std::make_shared<KvPages>(decoder_->cache_shape()));
  ASSERT_EQ(cache.add(2), 0);
  ASSERT_EQ(cache.add(6), 1);
  ASSERT_EQ(cache.add(9), 2);
  for (int32_t i = 0; i < 6; ++i) {
    const Tensor got =
        logits(embeds({b[static_cast<size_t>(i)], a[static_cast<size_t>(i)]}), {{2, i}, {1, i}}, cache);
    expect_same(got, 0, alone_b, i);
    expect_same(got, 1, alone_a, i);
  }
  cache.remove(1);
  EXPECT_EQ(test::error_of([&] { logits(embeds({1}), {{1, 6}}, cache); }).code(), ErrorCode::internal);
  for (int32_t i = 6; i < 9; ++i)
    expect_same(logits(embeds({b[static_cast<size_t>(i)]}), {{2, i}}, cache), 0, alone_b, i);
}

// Two texts that part in the middle of a page, in one call: the same bits as with pages of their own.
TEST_F(LlamaTest, SequencesThatSharePagesGetTheLogitsOfSequencesThatDoNot) {
  load();
  constexpr int32_t kCommon = kPagePositions + 5, kEnd = kCommon + 9;
  std::vector<int32_t> a = some_ids(kEnd, 3, tiny_.config.vocab_size), b = a;
  for (size_t i = kCommon; i < b.size(); ++i) b[i] = (a[i] + 1) % 29;
  const auto read_common = [&](KvCache& cache, int32_t sequence) {
    std::vector<RowPlace> places;
    for (int32_t i = 0; i < kCommon; ++i) places.push_back({sequence, i});
    logits(embeds({a.begin(), a.begin() + kCommon}), places, cache);
  };
  KvCache common = decoder_->make_cache(1, kCommon), apart = decoder_->make_cache(2, kEnd);
  read_common(common, 0);
  read_common(apart, 0);
  read_common(apart, 1);
  const auto pages = common.at(0).pages();
  common.add(KvSequence(common.pages(), {pages.begin(), pages.end()}, kCommon));
  for (int32_t i = kCommon; i < kEnd; ++i) {
    ASSERT_TRUE(common.at(0).grow(i + 1) && common.at(1).grow(i + 1));
    const Tensor rows = embeds({b[static_cast<size_t>(i)], a[static_cast<size_t>(i)]});
    const std::vector<RowPlace> places = {{1, i}, {0, i}};
    EXPECT_EQ(
        test::max_difference(logits(rows, places, common).matrix(), logits(rows, places, apart).matrix()), 0);
  }
  EXPECT_EQ(common.at(0).pages()[0], common.at(1).pages()[0]);
  EXPECT_EQ(common.pages()->bytes_in_use(), 3 * common.pages()->page_bytes());
}

TEST_F(LlamaTest, RefusesToWriteAPageThatOthersHoldToo) {
  load();
  KvCache cache = decoder_->make_cache(1, 4);
  logits(embeds({1, 2}), {{0, 0}, {0, 1}}, cache);
  {
    const KvSequence other = cache.at(0);
    const Error error = test::error_of([&] { logits(embeds({4}), {{0, 2}}, cache); });
    EXPECT_EQ(error.code(), ErrorCode::internal);
    EXPECT_THAT(error.what(), HasSubstr("position 2 in a shared page"));
    EXPECT_EQ(cache.length(0), 2);
  }
  logits(embeds({4}), {{0, 2}}, cache);
  EXPECT_EQ(cache.length(0), 3);
}

}  // namespace
}  // namespace galago
