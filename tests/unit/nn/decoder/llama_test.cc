// The decoder's one entry: however rows are cut, grouped and mixed, each sequence gets the same logits.
#include "nn/decoder/llama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "support/kv_rows.h"
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

class Decoder : public testing::Test {
 protected:
  void load(bool tied = false) { decoder_ = tiny_.load(tied); }

  // Embeddings of some ids, [n, D].
  Tensor embeds(const std::vector<int32_t>& ids) const {
    Tensor out({static_cast<int64_t>(ids.size()), tiny_.config.hidden_size});
    decoder_->embed(ids, out.matrix());
    return out;
  }

  // Logits [n, V] of rows at these places.
  Tensor logits(const Tensor& rows, const std::vector<RowPlace>& places, KvCache& cache) {
    Tensor hidden(rows.shape());
    decoder_->forward(rows.matrix(), places, cache, workspace_, hidden.matrix());
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
  Workspace workspace_;
};

int64_t argmax(ConstMatrix row) { return std::max_element(row.data, row.data + row.cols) - row.data; }

// Row `at` of `got` belongs to row `position` of `expected`.
void expect_same(const Tensor& got, int64_t at, const Tensor& expected, int64_t position) {
  const ConstMatrix a = got.matrix().slice_rows(at, 1);
  const ConstMatrix b = expected.matrix().slice_rows(position, 1);
  EXPECT_LT(test::max_difference(a, b), kRounding) << "position " << position;
  EXPECT_EQ(argmax(a), argmax(b)) << "position " << position;
}

TEST_F(Decoder, CountsTheBytesThatATokenReads) {
  load();
  const int64_t layer = 16 * 16 + 2 * 8 * 16 + 16 * 16 + 3 * 24 * 16;  // q; k, v; o; gate, up, down
  EXPECT_EQ(decoder_->weight_bytes(), 4 * (3 * layer + 29 * 16));
}

TEST_F(Decoder, ChunksNeverChangeTheResult) {
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

TEST_F(Decoder, SeveralSequencesInOneCallEqualEachAlone) {
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

TEST_F(Decoder, RowsOfSeveralSequencesMayInterleave) {
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

TEST_F(Decoder, LaterRowsDoNotReachEarlierOnes) {
  load();
  std::vector<int32_t> ids = some_ids(10, 6, tiny_.config.vocab_size);
  const Tensor before = alone(ids);
  ids[7] = (ids[7] + 1) % static_cast<int32_t>(tiny_.config.vocab_size);
  const Tensor after = alone(ids);
  for (int64_t i = 0; i < 7; ++i) expect_same(after, i, before, i);
  EXPECT_GT(test::max_difference(after.matrix().slice_rows(9, 1), before.matrix().slice_rows(9, 1)), 1e-3);
}

TEST_F(Decoder, OrderMatters) {
  load();
  const Tensor one = alone({1, 2, 3});
  const Tensor other = alone({2, 1, 3});
  EXPECT_GT(test::max_difference(one.matrix().slice_rows(2, 1), other.matrix().slice_rows(2, 1)), 1e-4);
}

TEST_F(Decoder, RefusesPositionsThatDoNotContinue) {
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

TEST_F(Decoder, RefusesASequenceThatTheCacheLacks) {
  load();
  KvCache cache = decoder_->make_cache(2, 8);
  for (const int32_t sequence : {-1, 2}) {
    const Error error = test::error_of([&] { logits(embeds({1}), {{sequence, 0}}, cache); });
    EXPECT_EQ(error.code(), ErrorCode::internal);
    EXPECT_THAT(error.what(), HasSubstr("one that the cache holds"));
  }
}

TEST_F(Decoder, RefusesRowsWithoutAPlace) {
  load();
  KvCache cache = decoder_->make_cache(1, 8);
  for (const auto& places : std::vector<std::vector<RowPlace>>{{}, {{0, 0}}, {{0, 0}, {0, 1}, {0, 2}}}) {
    EXPECT_EQ(test::error_of([&] { logits(embeds({1, 2}), places, cache); }).code(), ErrorCode::internal);
    EXPECT_EQ(cache.length(0), 0);
  }
}

TEST_F(Decoder, RefusesMoreThanTheCacheHolds) {
  load();
  KvCache cache = decoder_->make_cache(1, 3);
  logits(embeds({1, 2, 3}), {{0, 0}, {0, 1}, {0, 2}}, cache);
  const Error error = test::error_of([&] { logits(embeds({4}), {{0, 3}}, cache); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("at most 3 positions"));
  EXPECT_EQ(cache.length(0), 3);
}

TEST_F(Decoder, RefusesIdsOutsideTheVocabulary) {
  load();
  for (const int32_t id : {-1, 29, 1000000}) {
    const Error error = test::error_of([&] { embeds({3, id}); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
    EXPECT_THAT(error.what(), HasSubstr("got " + std::to_string(id)));
    EXPECT_THAT(error.what(), HasSubstr("29"));
  }
}

TEST_F(Decoder, EmbeddingsAreRowsOfTheTable) {
  load();
  const Tensor rows = embeds({28, 0, 28});
  const TensorView& table = *tiny_.checkpoint().find("model.embed_tokens.weight");
  for (int64_t c = 0; c < 16; ++c) {
    EXPECT_EQ(rows.data()[c], element(table, 28 * 16 + c));
    EXPECT_EQ(rows.data()[16 + c], element(table, c));
    EXPECT_EQ(rows.data()[32 + c], rows.data()[c]);
  }
}

TEST_F(Decoder, ATiedHeadIsTheEmbeddingTable) {
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

TEST_F(Decoder, ATiedHeadNeedsNoWeightOfItsOwnAnUntiedOneDoes) {
  EXPECT_NO_THROW(tiny_.load(true, false));
  EXPECT_THAT(test::error_of([&] { tiny_.load(false, false); }).what(),
              HasSubstr("missing lm_head.weight, expected [29, 16]"));
}

TEST_F(Decoder, BiasesAreUsedWhereTheConfigHasThem) {
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

TEST_F(Decoder, RefusesAnUnknownActivation) {
  tiny_.config.hidden_act = "mish";
  const Error error = test::error_of([&] { tiny_.load(); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("hidden_act"));
}

TEST_F(Decoder, BothBackendsAgree) {
  load();
  const std::vector<int32_t> ids = some_ids(17, 12, tiny_.config.vocab_size);
  kernels::set_backend(kernels::Backend::reference);
  const Tensor scalar = alone(ids);
  kernels::set_backend(kernels::Backend::cpu);
  EXPECT_LT(test::max_difference(scalar.matrix(), alone(ids).matrix()), kRounding);
}

// Writes a pattern into positions [0, count) of every layer, and looks whether it is there.
void fill(KvSequence& sequence, int64_t count, float mark) {
  for (int64_t layer = 0; layer < 2; ++layer)
    for (int64_t p = 0; p < count; ++p) {
      const float at = mark + static_cast<float>(100 * layer + 10 * p);
      const float key[] = {at, at + 1, at + 2}, value[] = {-at, -at - 1, -at - 2};
      test::store(sequence, layer, p, key, value);
    }
}

bool holds(const KvSequence& sequence, int64_t count, float mark) {
  bool same = true;
  for (int64_t layer = 0; layer < 2; ++layer) {
    const kernels::CacheView view = sequence.view(layer);
    for (int64_t p = 0; p < count; ++p)
      for (int64_t c = 0; c < 3; ++c) {
        const float at = mark + static_cast<float>(100 * layer + 10 * p + c);
        same &= static_cast<const float*>(view.keys)[p * view.stride + c] == at &&
                static_cast<const float*>(view.values)[p * view.stride + c] == -at;
      }
  }
  return same;
}

constexpr KvShape kSmall{.layers = 2, .width = 3};

TEST(KvCache, KeepsSequencesAndLayersApart) {
  KvCache cache(kSmall);
  EXPECT_EQ(cache.add(4), 0);
  EXPECT_EQ(cache.add(7), 1);
  EXPECT_EQ(cache.sequences(), 2);
  EXPECT_EQ(cache.at(0).capacity(), 4);
  EXPECT_EQ(cache.at(1).capacity(), 7);
  EXPECT_EQ(cache.bytes(), 2 * 2 * (4 + 7) * 3 * 4);
  fill(cache.at(0), 4, 1);
  fill(cache.at(1), 7, 1000);
  EXPECT_TRUE(holds(cache.at(0), 4, 1));
  EXPECT_TRUE(holds(cache.at(1), 7, 1000));
  EXPECT_EQ(cache.length(0), 0);
  cache.at(1).set_length(3);
  EXPECT_EQ(cache.length(0), 0);
  EXPECT_EQ(cache.length(1), 3);
}

TEST(KvCache, SequencesComeAndGoWhileTheOthersStay) {
  KvCache cache(kSmall);
  for (int64_t s = 0; s < 3; ++s) fill(cache.at(cache.add(4)), 4, static_cast<float>(1000 * s));
  const void* where = cache.at(2).view(0).keys;
  const KvSequence taken = cache.remove(1);
  EXPECT_TRUE(holds(taken, 4, 1000));
  EXPECT_FALSE(cache.has(1));
  EXPECT_FALSE(cache.has(3));
  EXPECT_FALSE(cache.has(-1));
  EXPECT_EQ(cache.bytes(), 2 * 2 * 2 * 4 * 3 * 4);
  EXPECT_EQ(cache.add(9), 1) << "the lowest free number";
  EXPECT_EQ(cache.add(1), 3);
  EXPECT_EQ(cache.length(1), 0);
  EXPECT_EQ(cache.at(2).view(0).keys, where);
  EXPECT_TRUE(holds(cache.at(0), 4, 0));
  EXPECT_TRUE(holds(cache.at(2), 4, 2000));
}

TEST(KvCache, ACopyHasTheFirstPositionsAndMemoryOfItsOwn) {
  KvSequence whole(kSmall, 5);
  fill(whole, 5, 7);
  whole.set_length(5);
  KvSequence part = whole.copy(3, 9);
  EXPECT_EQ(part.length(), 3);
  EXPECT_EQ(part.capacity(), 9);
  EXPECT_TRUE(holds(part, 3, 7));
  fill(part, 9, 500);
  EXPECT_TRUE(holds(whole, 5, 7));
}

TEST_F(Decoder, SequencesOfDifferentCapacityShareACallAndOneLeaves) {
  load();
  const std::vector<int32_t> a = some_ids(6, 3, tiny_.config.vocab_size);
  const std::vector<int32_t> b = some_ids(9, 4, tiny_.config.vocab_size);
  const Tensor alone_a = alone(a), alone_b = alone(b);
  KvCache cache(decoder_->cache_shape());
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

}  // namespace
}  // namespace galago
