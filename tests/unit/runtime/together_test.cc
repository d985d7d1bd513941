// Every family's decoder with several sequences: logits and tokens of each are those it has alone, bit for
// bit, whoever shares its calls; and prompts that begin as an earlier one did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>

#include "runtime/scheduler_loop.h"
#include "runtime/sequence.h"
#include "support/devices.h"
#include "support/model_files.h"

namespace galago {
namespace {

struct Case {
  const char* model;
  test::Backend backend;
};

// Logits [n, V] of every step of one sequence: after its prompt, then after each given token.
using Steps = std::vector<std::vector<float>>;

std::vector<float> copied(const float* row, int64_t count) { return {row, row + count}; }

class Together : public testing::TestWithParam<Case> {
 protected:
  Together() : model_(GetParam().model, test::shared_device(GetParam().backend)) {}

  const Decoder& decoder() const { return model_.engine->decoder(); }
  int64_t vocabulary() const { return decoder().config().vocab_size; }

  std::vector<int32_t> some_ids(int64_t count, unsigned seed) const {
    std::mt19937 random(seed);
    std::vector<int32_t> ids(static_cast<size_t>(count));
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<unsigned>(vocabulary()));
    return ids;
  }
  Tensor embedded(const std::vector<int32_t>& ids) const {
    Tensor rows({std::ssize(ids), decoder().config().hidden_size});
    decoder().embed(ids, rows.matrix());
    return rows;
  }

  Steps alone(const std::vector<int32_t>& prompt, const std::vector<int32_t>& tokens) const {
    DecoderSequences sequences(decoder());
    const int32_t number = sequences.open({prompt, {}}).number;
    sequences.grow(number, std::ssize(prompt) + std::ssize(tokens));
    const Tensor rows = embedded(prompt);
    Steps steps;
    const auto first = sequences.prefill(number, rows.matrix());
    steps.emplace_back(first.begin(), first.end());
    for (const int32_t id : tokens) {
      const NextToken next{.sequence = number, .id = id};
      steps.push_back(copied(sequences.decode({&next, 1}).data, vocabulary()));
    }
    return steps;
  }

  test::Loaded model_;
};

// One of several sequences that come and go.
struct Visitor {
  std::vector<int32_t> prompt, tokens;
  int64_t joins = 0;  // at that step
  OpenSequence open;
  Steps steps;
  bool done() const { return steps.size() == tokens.size() + 1; }
};

TEST_P(Together, LogitsAreThoseOfEachAloneBitForBit) {
  std::mt19937 random(7);
  std::vector<Visitor> visitors;
  for (unsigned i = 0; i < 40; ++i)
    visitors.push_back({.prompt = some_ids(1 + random() % 45, i),
                        .tokens = some_ids(random() % 12, 100 + i),
                        .joins = static_cast<int64_t>(random() % 6)});
  DecoderSequences sequences(decoder());
  size_t most = 0, left = visitors.size();
  for (int64_t step = 0; left > 0; ++step) {
    std::vector<NextToken> next;
    std::vector<Visitor*> deciding;
    for (Visitor& one : visitors) {
      if (one.joins == step) {
        one.open = sequences.open({one.prompt, {}});
        sequences.grow(one.open.number, std::ssize(one.prompt) + std::ssize(one.tokens));
        const Tensor rows = embedded(one.prompt);
        const auto first = sequences.prefill(one.open.number, rows.matrix());
        one.steps.emplace_back(first.begin(), first.end());
      } else if (one.joins < step && !one.done()) {
        next.push_back({.sequence = one.open.number, .id = one.tokens[one.steps.size() - 1]});
        deciding.push_back(&one);
      }
    }
    std::shuffle(next.begin(), next.end(), std::mt19937(static_cast<unsigned>(step)));
    std::shuffle(deciding.begin(), deciding.end(), std::mt19937(static_cast<unsigned>(step)));
    most = std::max(most, next.size());
    if (!next.empty()) {
      const ConstMatrix logits = sequences.decode(next);
      for (size_t i = 0; i < next.size(); ++i)
        deciding[i]->steps.push_back(copied(logits.row(static_cast<int64_t>(i)), vocabulary()));
    }
    for (Visitor& one : visitors)
      if (one.joins <= step && one.open.number >= 0 && one.done()) {
        sequences.close(std::exchange(one.open.number, -1));
        --left;
      }
  }
  EXPECT_GT(most, 16U);
  for (const Visitor& one : visitors) EXPECT_EQ(one.steps, alone(one.prompt, one.tokens));
}

TEST_P(Together, MoreThanOneCallHoldsAreStillEachAlone) {
  const int64_t count = 2 * kernels::kFewRows + 3;
  DecoderSequences sequences(decoder());
  std::vector<NextToken> next;
  std::vector<Steps> expected;
  for (unsigned i = 0; i < count; ++i) {
    const std::vector<int32_t> prompt = some_ids(1 + i % 5, i), token = some_ids(1, 500 + i);
    const Tensor rows = embedded(prompt);
    next.push_back({.sequence = sequences.open({prompt, {}}).number, .id = token[0]});
    sequences.grow(next.back().sequence, 10);
    sequences.prefill(next.back().sequence, rows.matrix());
    expected.push_back(alone(prompt, token));
  }
  const ConstMatrix logits = sequences.decode(next);
  ASSERT_EQ(logits.rows, count);
  for (int64_t i = 0; i < count; ++i)
    EXPECT_EQ(copied(logits.row(i), vocabulary()), expected[static_cast<size_t>(i)][1]) << i;
}

// The loop cuts a prompt finer while others wait for it.
TEST_P(Together, APromptInPiecesOfMoreThanFewRowsGivesTheSameBits) {
  const std::vector<int32_t> prompt = some_ids(230, 8), tokens = some_ids(2, 9);
  const Tensor rows = embedded(prompt);
  const Steps whole = alone(prompt, tokens);
  for (const std::vector<int64_t>& pieces : std::vector<std::vector<int64_t>>{
           {64, 166}, {64, 64, 102}, {33, 197}, {100, 130}, {150, 80}, {33, 64, 100, 33}}) {
    DecoderSequences sequences(decoder());
    const int32_t number = sequences.open({prompt, {}}).number;
    sequences.grow(number, std::ssize(prompt) + std::ssize(tokens));
    Steps steps(1);
    int64_t read = 0;
    for (const int64_t piece : pieces) {
      const auto logits = sequences.prefill(number, rows.matrix().slice_rows(read, piece));
      steps[0].assign(logits.begin(), logits.end());
      read += piece;
    }
    for (const int32_t id : tokens) {
      const NextToken next{.sequence = number, .id = id};
      steps.push_back(copied(sequences.decode({&next, 1}).data, vocabulary()));
    }
    EXPECT_EQ(steps, whole) << testing::PrintToString(pieces);
  }
}

struct Text final : TokenText {
  std::string push(int32_t id) override { return std::to_string(id) + " "; }
  std::string finish() override { return {}; }
  std::string bytes(int32_t id) override { return std::to_string(id); }
};

/// One prompt, whose rows are there.
class GivenPrompt final : public Work {
 public:
  GivenPrompt(const std::vector<int32_t>& ids, const Tensor& rows, GenerateOptions options) : rows_(rows) {
    request_ = {.ids = ids, .end_ids = {}, .image_tokens = 0, .options = std::move(options)};
  }
  const GenerateRequest& request() const override { return request_; }
  TokenText& text() override { return text_; }
  ConstMatrix rows() const override { return rows_.matrix(); }
  bool piece(const StreamPiece&) override { return true; }
  void end(Generation generation) override { said = std::move(generation); }
  void fail(std::exception_ptr) override { ADD_FAILURE(); }

  Generation said;

 private:
  const Tensor& rows_;
  Text text_;
  GenerateRequest request_;
};

// What the loop makes of some prompts with these options.
std::vector<Generation> generated(CausalModel& sequences, const std::vector<std::vector<int32_t>>& ids,
                                  const std::vector<Tensor>& rows, const LoopLimits& limits) {
  double now = 0;
  SchedulerLoop loop(sequences, limits, [&] { return now += 1; });
  std::vector<std::shared_ptr<GivenPrompt>> prompts;
  for (size_t i = 0; i < ids.size(); ++i) {
    GenerateOptions options{.max_new_tokens = 3 + static_cast<int64_t>(i) % 9};
    if (i % 2 == 1) options = {.max_new_tokens = 9, .temperature = 1.5, .seed = i};
    options.prefill_chunk = 16;
    prompts.push_back(std::make_shared<GivenPrompt>(ids[i], rows[i], options));
    loop.add(prompts.back());
  }
  while (loop.step()) {
  }
  std::vector<Generation> said;
  for (const auto& prompt : prompts) said.push_back(std::move(prompt->said));
  return said;
}

TEST_P(Together, TokensAreThoseOfEachAloneGreedyAndSampled) {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<Tensor> rows;
  for (unsigned i = 0; i < 12; ++i) {
    prompts.push_back(some_ids(2 + 3 * i, i));
    rows.push_back(embedded(prompts.back()));
  }
  DecoderSequences one(decoder());
  const auto expected = generated(one, prompts, rows, {.sequences = 1});
  const int64_t page = one.page_sizes().bytes;
  for (const LoopLimits& limits :
       {LoopLimits{.sequences = 5}, LoopLimits{.sequences = 12, .max_gap_ms = 0, .step_tokens = 16},
        LoopLimits{.sequences = 12, .memory_bytes = 5 * page}}) {  // some are put back for memory
    DecoderSequences sequences(decoder());
    const auto got = generated(sequences, prompts, rows, limits);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].token_ids, expected[i].token_ids) << i << " of " << limits.sequences;
      EXPECT_EQ(got[i].text, expected[i].text);
    }
    EXPECT_EQ(sequences.bytes_in_use(), 0);
  }
}

// Prompts with a common beginning, one after the other and all at once: greedy tokens as without a cache.
TEST_P(Together, ABeginningThatIsKeptGivesTheSameTokens) {
  const std::vector<int32_t> head = some_ids(40, 1);
  std::vector<std::vector<int32_t>> prompts;
  std::vector<Tensor> rows;
  for (unsigned i = 0; i < 6; ++i) {
    prompts.push_back(head);
    const std::vector<int32_t> tail = some_ids(1 + 9 * i, 50 + i);
    prompts.back().insert(prompts.back().end(), tail.begin(), tail.end());
    rows.push_back(embedded(prompts.back()));
  }
  prompts.push_back(prompts[0]);  // the same again
  rows.push_back(embedded(prompts[0]));
  DecoderSequences plain(decoder());
  const auto expected = generated(plain, prompts, rows, {.sequences = 1});
  for (const int64_t places : {1, 7}) {
    const auto pages = std::make_shared<KvPages>(decoder().cache_shape(DType::f32));
    PrefixIndex kept(64 << 20, pages->page_bytes());
    DecoderSequences sequences(decoder(), pages, &kept);
    const auto got = generated(sequences, prompts, rows, {.sequences = places});
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].token_ids, expected[i].token_ids) << i << " of " << places;
      const int64_t cached = got[i].usage.cached_tokens;
      if (i == 0)
        EXPECT_EQ(cached, 0);
      else if (i == 6 && places == 1)
        EXPECT_EQ(cached, 40) << "one row is always read";
      else
        EXPECT_GE(cached, places == 1 ? 40 : 32) << "full pages at least, while the first one goes on";
    }
  }
}

// The logits that follow a kept beginning are those of a prompt read anew, but for rounding.
TEST_P(Together, LogitsAfterAKeptBeginningAgree) {
  const std::vector<int32_t> first = some_ids(60, 3);
  std::vector<int32_t> second(first.begin(), first.begin() + 50);
  for (const int32_t id : some_ids(45, 4)) second.push_back(id);
  const auto pages = std::make_shared<KvPages>(decoder().cache_shape(DType::f32));
  PrefixIndex kept(64 << 20, pages->page_bytes());
  DecoderSequences sequences(decoder(), pages, &kept);
  const OpenSequence one = sequences.open({first, {}});
  sequences.grow(one.number, 60);
  const Tensor first_rows = embedded(first), rows = embedded(second);
  sequences.prefill(one.number, first_rows.matrix());
  sequences.close(one.number);
  const OpenSequence two = sequences.open({second, {}});
  sequences.grow(two.number, 95);
  ASSERT_EQ(two.cached, 50 + (first[50] == second[50]));
  const auto got =
      sequences.prefill(two.number, rows.matrix().slice_rows(two.cached, rows.shape()[0] - two.cached));
  const std::vector<float> expected = alone(second, {})[0];
  double largest = 1, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    difference = std::max(difference, std::abs(static_cast<double>(expected[i]) - got[i]));
  }
  EXPECT_LT(difference, 1e-5 * largest);
}

TEST_P(Together, AShortBeginningIsReadAnew) {
  const auto pages = std::make_shared<KvPages>(decoder().cache_shape(DType::f32));
  PrefixIndex kept(64 << 20, pages->page_bytes());
  DecoderSequences sequences(decoder(), pages, &kept);
  std::vector<int32_t> ids = some_ids(30, 3);
  const Tensor rows = embedded(ids);
  const OpenSequence one = sequences.open({ids, {}});
  sequences.grow(one.number, 30);
  sequences.prefill(one.number, rows.matrix());
  sequences.close(one.number);
  ids[15] = (ids[15] + 1) % static_cast<int32_t>(vocabulary());
  EXPECT_EQ(sequences.open({ids, {}}).cached, 0);
  ids[15] = (ids[15] + static_cast<int32_t>(vocabulary()) - 1) % static_cast<int32_t>(vocabulary());
  ids[16] = (ids[16] + 1) % static_cast<int32_t>(vocabulary());
  EXPECT_EQ(sequences.open({ids, {}}).cached, 16);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* model : {"smolvlm_tiles", "tied_head", "grid25_llama3", "idefics3_granite",
                            "idefics3_mistral", "llava_granite", "llava_mistral", "smolvlm2_video",
                            "text_llama2", "text_llama3", "text_smollm2", "text_granite", "text_mistral"})
    for (const auto backend : {test::Backend::cpu, test::Backend::reference}) all.push_back({model, backend});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, Together, testing::ValuesIn(cases()), [](const auto& param) {
  return std::string(param.param.model) + (param.param.backend == test::Backend::cpu ? "_cpu" : "_reference");
});

}  // namespace
}  // namespace galago
