// Real (small) checkpoints through the registry, from the rows that transformers packed: chunked prefill, and
// sequences that decode together, join and leave, each bit by bit what it is alone.
#include "runtime/sequence.h"

#include <gtest/gtest.h>

#include "support/allocation.h"
#include "support/devices.h"
#include "support/model_files.h"

namespace galago {
namespace {

constexpr double kRounding = 1e-5;  // of the largest logit, where that is above 1

struct Case {
  const char* golden;
  const char* model;
};

class Sequences : public testing::TestWithParam<Case> {
 protected:
  Sequences() : model_(GetParam().model), rows_(test::Golden(GetParam().golden).floats("inputs_embeds")) {}

  const Decoder& decoder() const { return model_.engine->decoder(); }
  int64_t length() const { return rows_.shape()[0]; }

  // Logits of the last row after the first `length` rows, given in chunks.
  std::vector<float> logits(int64_t length, int64_t chunk) const {
    DecoderSequences sequences(decoder());
    const int32_t number = sequences.open({}).number;
    sequences.grow(number, length);
    std::span<const float> last;
    for (int64_t begin = 0; begin < length; begin += chunk)
      last = sequences.prefill(number, rows_.matrix().slice_rows(begin, std::min(chunk, length - begin)));
    return {last.begin(), last.end()};
  }

  test::Loaded model_;
  Tensor rows_;
};

void expect_same(std::span<const float> a, std::span<const float> b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  double largest = 0;
  double magnitude = 1;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
    magnitude = std::max(magnitude, std::abs(static_cast<double>(b[i])));
  }
  EXPECT_LT(largest, kRounding * magnitude) << what;
  EXPECT_EQ(std::max_element(a.begin(), a.end()) - a.begin(),
            std::max_element(b.begin(), b.end()) - b.begin())
      << what;
}

TEST_P(Sequences, ChunkedPrefillIsTheWholePrefill) {
  const std::vector<float> whole = logits(length(), length());
  for (const int64_t chunk : {1, 3, 7, 32, 64, 100})
    expect_same(logits(length(), chunk), whole, "chunks of " + std::to_string(chunk));
}

TEST_P(Sequences, SeveralInOneCallAreEachAlone) {
  const std::vector<int64_t> lengths{length(), length() / 2, 1, length() - 3};
  std::vector<RowPlace> places;
  for (int32_t position = 0; position < length(); ++position)  // interleaved, position by position
    for (size_t s = 0; s < lengths.size(); ++s)
      if (position < lengths[s]) places.push_back({static_cast<int32_t>(s), position});
  Tensor rows({static_cast<int64_t>(places.size()), rows_.shape()[1]});
  for (size_t i = 0; i < places.size(); ++i)
    std::copy_n(rows_.matrix().row(places[i].position), rows_.shape()[1],
                rows.matrix().row(static_cast<int64_t>(i)));
  KvCache cache = decoder().make_cache(static_cast<int64_t>(lengths.size()), length());
  Workspace workspace(test::device());
  Tensor hidden(rows.shape());
  decoder().forward(rows.matrix(), places, cache, workspace, hidden.matrix());
  for (size_t i = 0; i < places.size(); ++i) {
    const int64_t own = lengths[static_cast<size_t>(places[i].sequence)];
    if (places[i].position != own - 1) continue;
    Tensor last({1, decoder().config().vocab_size});
    decoder().logits(hidden.matrix().slice_rows(static_cast<int64_t>(i), 1), last.matrix());
    expect_same(test::values(last), logits(own, own), "sequence " + std::to_string(places[i].sequence));
  }
}

TEST_P(Sequences, ANewSequenceKnowsNothingOfTheOneBefore) {
  DecoderSequences sequences(decoder());
  const ConstMatrix first = rows_.matrix().slice_rows(0, 5);
  const int32_t number = sequences.open({}).number;
  sequences.grow(number, 5);
  const std::span<const float> once = sequences.prefill(number, first);
  const std::vector<float> before(once.begin(), once.end());
  sequences.close(number);
  const OpenSequence again = sequences.open({});
  sequences.grow(again.number, 5);
  EXPECT_EQ(again.number, number);
  EXPECT_EQ(again.cached, 0);
  expect_same(sequences.prefill(number, first), before, "again");
}

TEST_P(Sequences, RefusesMoreRowsThanItsPagesHold) {
  DecoderSequences sequences(decoder());
  const int32_t number = sequences.open({}).number;
  EXPECT_EQ(test::error_of([&] { sequences.prefill(number, rows_.matrix().slice_rows(0, 5)); }).code(),
            ErrorCode::input_too_large);
}

TEST_P(Sequences, TakesPagesAsItGrowsAndGivesThemBack) {
  DecoderSequences sequences(decoder());
  const PageSizes pages = sequences.page_sizes();
  const int32_t number = sequences.open({}).number;
  EXPECT_EQ(sequences.bytes_in_use(), 0);
  sequences.grow(number, 1);
  EXPECT_EQ(sequences.bytes_in_use(), pages.bytes);
  sequences.grow(number, pages.positions);
  EXPECT_EQ(sequences.bytes_in_use(), pages.bytes);
  sequences.grow(number, pages.positions + 1);
  EXPECT_EQ(sequences.bytes_in_use(), 2 * pages.bytes);
  sequences.close(number);
  EXPECT_EQ(sequences.bytes_in_use(), 0);
}

TEST_P(Sequences, RefusesToGrowWithoutPages) {
  const KvShape shape = decoder().cache_shape(DType::f32);
  const auto pages = std::make_shared<KvPages>(shape, shape.bytes_of(1));
  DecoderSequences sequences(decoder(), pages, nullptr);
  const int32_t number = sequences.open({}).number;
  sequences.grow(number, 1);
  EXPECT_EQ(test::error_of([&] { sequences.grow(number, kPagePositions + 1); }).code(), ErrorCode::resource);
  EXPECT_NO_THROW(sequences.prefill(number, rows_.matrix().slice_rows(0, 1)));
}

TEST_P(Sequences, LeaveNothingBehindWhereverMemoryRunsOut) {
  const auto pages = std::make_shared<KvPages>(decoder().cache_shape(DType::f32));
  const std::vector<int32_t> ids(40, 3);
  const ConstMatrix rows = rows_.matrix().slice_rows(0, 40);
  bool happened = true;
  for (int64_t good = 0; happened; good += 1 + good / 30) {
    PrefixIndex kept(100 * pages->page_bytes(), pages->page_bytes());
    DecoderSequences sequences(decoder(), pages, &kept);
    std::vector<int32_t> open;
    open.reserve(2);
    const test::AllocationFault fault(good);
    try {
      for (int i = 0; i < 2; ++i) {
        const OpenSequence one = sequences.open({ids, {}});
        open.push_back(one.number);
        sequences.grow(one.number, 50);
        sequences.prefill(one.number, rows.slice_rows(one.cached, 40 - one.cached));
      }
      const NextToken next[] = {{.sequence = open[0], .id = 3}, {.sequence = open[1], .id = 4}};
      for (int i = 0; i < 9; ++i) sequences.decode(next);
    } catch (const std::bad_alloc&) {
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::resource);
    }
    happened = fault.happened();
    for (const int32_t number : open) sequences.close(number);
    EXPECT_EQ(kept.bytes(), pages->bytes_in_use()) << good;
    kept.drop(kept.bytes());
    EXPECT_EQ(pages->bytes_in_use(), 0) << good;
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, Sequences,
                         testing::Values(Case{"smolvlm_tiles", "smolvlm_tiles"},
                                         Case{"two_images", "smolvlm_tiles"}, Case{"tied_head", "tied_head"},
                                         Case{"grid25_llama3", "grid25_llama3"}),
                         [](const auto& param) { return param.param.golden; });

}  // namespace
}  // namespace galago
