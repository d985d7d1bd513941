// Guesses in the loop, with stand-in models: whatever is guessed, an answer is the one without guesses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <random>
#include <stdexcept>

#include "fakes.h"
#include "runtime/scheduler_loop.h"

namespace galago {
namespace {

using fakes::Bench;
using fakes::fake_work;
using fakes::FakeWork;
using fakes::HashModel;
using fakes::Triples;
using ::testing::ElementsAre;

/// Every second one wants its scores.
std::shared_ptr<FakeWork> add(Bench& bench, int64_t length, int64_t number, GenerateOptions options) {
  auto work = fake_work(length, number, std::move(options));
  work->change().scored = number % 2 == 0;
  return bench.add(std::move(work));
}

Generation alone(int64_t length, int64_t number, GenerateOptions options) {
  options.draft = {};
  Bench bench({.sequences = 1});
  const auto work = add(bench, length, number, std::move(options));
  bench.run();
  EXPECT_EQ(work->endings, 1);
  EXPECT_EQ(bench.model.rows_cut, 0);
  return work->generation();
}

void expect_same(const Generation& a, const Generation& b) {
  EXPECT_EQ(a.token_ids, b.token_ids);
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.finish_reason, b.finish_reason);
  EXPECT_EQ(a.logprobs, b.logprobs);
  EXPECT_EQ(a.margins, b.margins);
  EXPECT_EQ(a.usage.completion_tokens, b.usage.completion_tokens);
  ASSERT_EQ(a.tokens.size(), b.tokens.size());
  for (size_t i = 0; i < a.tokens.size(); ++i) EXPECT_EQ(a.tokens[i].logprob, b.tokens[i].logprob);
}

/// Knows the answer, and says it with one mistake in `wrong`.
struct Knowing : DraftSource {
  Knowing(std::vector<int32_t> all, unsigned mistakes, unsigned seed)
      : answer(std::move(all)), wrong(mistakes), random(seed) {}
  std::vector<int32_t> propose(std::span<const int32_t> so_far, int64_t most) override {
    EXPECT_LE(so_far.size(), answer.size());
    EXPECT_TRUE(std::equal(so_far.begin(), so_far.end(), answer.begin()));
    std::vector<int32_t> next(answer.begin() + std::ssize(so_far), answer.end());
    next.resize(static_cast<size_t>(most + 3), 5);  // beyond the end, and too many
    for (int32_t& id : next)
      if (wrong > 0 && random() % wrong == 0) id = static_cast<int32_t>(random() % 60) - 10;
    return next;
  }
  std::vector<int32_t> answer;
  unsigned wrong;
  std::mt19937 random;
};

Draft knowing(std::vector<int32_t> answer, unsigned wrong = 0, unsigned seed = 1) {
  return {.source = [=] { return std::make_unique<Knowing>(answer, wrong, seed); }};
}

GenerateOptions some_options(unsigned number) {
  GenerateOptions options{.max_new_tokens = 1 + number % 50};
  if (number % 3 == 1) options = {.max_new_tokens = 40, .temperature = 1.0, .seed = number};
  if (number % 3 == 2) options.stop = {"AB", "K"};
  if (number % 5 == 1) options.repetition_penalty = 1.3;
  if (number % 5 == 2) options.frequency_penalty = 0.5;
  if (number % 5 == 3) options.no_repeat_ngram_size = 2;
  if (number % 4 == 1) options.logprobs = 3;
  options.prefill_chunk = number % 4 * 2;
  return options;
}

TEST(SchedulerDraft, ARightOneIsAnsweredInFewCalls) {
  const GenerateOptions options{.max_new_tokens = 61};
  const Generation expected = alone(4, 2, options);
  Bench bench({.sequences = 1});
  GenerateOptions drafted = options;
  drafted.draft = knowing(expected.token_ids);
  const auto work = add(bench, 4, 2, drafted);
  bench.run();
  expect_same(work->generation(), expected);
  EXPECT_LE(bench.model.calls.size(), 12U);
  EXPECT_EQ(bench.model.rows, 4 + 60) << "no row in vain";
  EXPECT_EQ(work->generation().usage.accepted_tokens, work->generation().usage.drafted_tokens);
  EXPECT_GE(work->generation().usage.accepted_tokens, 49);
}

TEST(SchedulerDraft, AWrongOneIsSoonTriedNoMore) {
  const Generation expected = alone(4, 2, {.max_new_tokens = 300});
  Bench bench({.sequences = 1});
  std::vector<int32_t> wrong = expected.token_ids;
  for (int32_t& id : wrong) id = (id + 1) % static_cast<int32_t>(fakes::kVocabulary);
  struct Wrong : DraftSource {
    explicit Wrong(std::vector<int32_t> all) : ids(std::move(all)) {}
    std::vector<int32_t> propose(std::span<const int32_t> answer, int64_t) override {
      return {ids.begin() + std::ssize(answer), ids.end()};
    }
    std::vector<int32_t> ids;
  };
  const auto work =
      add(bench, 4, 2,
          {.max_new_tokens = 300, .draft = {.source = [&] { return std::make_unique<Wrong>(wrong); }}});
  bench.run();
  expect_same(work->generation(), expected);
  EXPECT_EQ(work->generation().usage.accepted_tokens, 0);
  EXPECT_GT(work->generation().usage.drafted_tokens, 0);
  EXPECT_LT(work->generation().usage.drafted_tokens, 60);
  EXPECT_EQ(bench.model.rows_cut, work->generation().usage.drafted_tokens);
}

TEST(SchedulerDraft, EachIsWhatItIsWithoutWhoeverIsThereAndWhateverIsGuessed) {
  std::mt19937 random(3);
  int64_t accepted = 0, cut = 0;
  for (int round = 0; round < 40; ++round) {
    LoopLimits limits{.sequences = 1 + round % 6};
    if (round % 3 == 1) limits.memory_bytes = 1200 + 100 * (round % 7);  // some are put back
    Bench bench(limits);
    std::deque<std::shared_ptr<FakeWork>> works;
    std::deque<Generation> expected;
    while (works.size() < 10 || bench.loop.size() > 0) {
      while (works.size() < 10 && random() % 3 == 0) {
        GenerateOptions options = some_options(static_cast<unsigned>(works.size()) + random() % 90);
        const int64_t length = 1 + random() % 9, number = random() % 20;
        expected.push_back(alone(length, number, options));
        options.draft = knowing(expected.back().token_ids, random() % 8, random());
        works.push_back(add(bench, length, number, options));
      }
      for (const auto& work : works) work->room = random() % 4 > 0;
      bench.step();
    }
    for (size_t i = 0; i < works.size(); ++i) {
      ASSERT_FALSE(works[i]->error);
      EXPECT_EQ(works[i]->endings, 1);
      EXPECT_EQ(works[i]->streamed, works[i]->generation().text);
      expect_same(works[i]->generation(), expected[i]);
      accepted += works[i]->generation().usage.accepted_tokens;
    }
    cut += bench.model.rows_cut;
    EXPECT_EQ(bench.model.open_now(), 0);
    if (limits.memory_bytes > 0) {
      EXPECT_LE(bench.model.most_bytes, limits.memory_bytes);
    }
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(cut, 100);
}

TEST(SchedulerDraft, AFullBatchLeavesNoRowForGuesses) {
  Bench bench({.sequences = 40});
  std::vector<std::shared_ptr<FakeWork>> works;
  for (int64_t i = 0; i < 40; ++i)
    works.push_back(
        add(bench, 2, i % 20,
            {.max_new_tokens = 9, .draft = knowing(alone(2, i % 20, {.max_new_tokens = 9}).token_ids)}));
  bench.run();
  for (const auto& work : works) EXPECT_EQ(work->generation().usage.drafted_tokens, 0);
}

TEST(SchedulerDraft, OneThatIsCancelledKeepsWhatItHasSaid) {
  const Generation expected = alone(4, 2, {.max_new_tokens = 50});
  for (size_t at = 1; at < 20; ++at) {
    Bench bench({.sequences = 1});
    const auto work = add(bench, 4, 2, {.max_new_tokens = 50, .draft = knowing(expected.token_ids, 7)});
    work->on_piece = [&](const StreamPiece&) { return work->streamed.size() < at; };
    bench.run();
    EXPECT_EQ(work->generation().finish_reason, FinishReason::cancelled);
    EXPECT_EQ(work->generation().token_ids,
              std::vector<int32_t>(expected.token_ids.begin(),
                                   expected.token_ids.begin() + static_cast<int64_t>(at)));
    EXPECT_EQ(bench.model.open_now(), 0);
  }
}

TEST(SchedulerDraft, WhatASourceThrowsEndsItsAnswerAlone) {
  struct Throwing : DraftSource {
    std::vector<int32_t> propose(std::span<const int32_t> answer, int64_t) override {
      if (answer.size() > 4) throw std::runtime_error("mine");
      return {};
    }
  };
  Bench bench({.sequences = 2});
  const Generation expected = alone(3, 5, {.max_new_tokens = 30});
  const auto bad = add(
      bench, 4, 2, {.max_new_tokens = 30, .draft = {.source = [] { return std::make_unique<Throwing>(); }}});
  const auto good = add(bench, 3, 5, {.max_new_tokens = 30, .draft = knowing(expected.token_ids)});
  bench.run();
  EXPECT_THROW(std::rethrow_exception(bad->error), std::runtime_error);
  expect_same(good->generation(), expected);
  EXPECT_EQ(bench.model.open_now(), 0);
}

// What it proposes is hostile: ids of no token, far too many, none at all.
TEST(SchedulerDraft, WhatNoVocabularyHasIsNotTried) {
  struct Hostile : DraftSource {
    explicit Hostile(std::vector<int32_t> all) : right(std::move(all)) {}
    std::vector<int32_t> propose(std::span<const int32_t> answer, int64_t most) override {
      constexpr int32_t kLeast = std::numeric_limits<int32_t>::min(),
                        kMost = std::numeric_limits<int32_t>::max();
      const int32_t one = right[answer.size()];
      switch (++turn % 5) {
        case 0:
          return {one, -1, one};
        case 1:
          return {kLeast, kMost};
        case 2:
          return std::vector<int32_t>(static_cast<size_t>(most) + 100'000, kMost);
        case 3:
          return {one, static_cast<int32_t>(fakes::kVocabulary)};
        default:
          return {};
      }
    }
    std::vector<int32_t> right;
    int turn = 0;
  };
  const Generation expected = alone(4, 3, {.max_new_tokens = 60, .temperature = 1, .seed = 5});
  Bench bench({.sequences = 1});
  const auto work =
      add(bench, 4, 3, {.max_new_tokens = 60, .temperature = 1, .seed = 5, .draft = {.source = [&] {
                                                                             return std::make_unique<Hostile>(
                                                                                 expected.token_ids);
                                                                           }}});
  bench.run();
  expect_same(work->generation(), expected);
  EXPECT_GT(work->generation().usage.accepted_tokens, 5);
}

TEST(SchedulerDraft, ASourceThatCannotBeMadeOrThrowsAnythingEndsItsAnswerAlone) {
  struct Odd : DraftSource {
    std::vector<int32_t> propose(std::span<const int32_t>, int64_t) override { throw 42; }
  };
  Bench bench({.sequences = 4});
  const Generation expected = alone(3, 5, {.max_new_tokens = 30});
  const auto unmade =
      add(bench, 4, 2, {.max_new_tokens = 30, .draft = {.source = []() -> std::unique_ptr<DraftSource> {
                                                throw std::runtime_error("mine");
                                              }}});
  const auto odd =
      add(bench, 4, 4, {.max_new_tokens = 30, .draft = {.source = [] { return std::make_unique<Odd>(); }}});
  const auto none = add(bench, 3, 5, {.max_new_tokens = 30, .draft = {.source = [] { return nullptr; }}});
  bench.run();
  EXPECT_THROW(std::rethrow_exception(unmade->error), std::runtime_error);
  EXPECT_THROW(std::rethrow_exception(odd->error), int);
  expect_same(none->generation(), expected);
  EXPECT_EQ(bench.model.open_now(), 0);
}

GenerateOptions drawn(uint64_t seed) { return {.max_new_tokens = 40, .temperature = 1, .seed = seed}; }

// Tokens that a form makes certain stand between those that are guessed, before them and among them.
TEST(SchedulerDraft, AFormIsKeptAndItsCertainTokensStandAmongGuesses) {
  int64_t accepted = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const auto ask = [&](const Draft& draft, bool scored, int64_t memory) {
      Bench bench({.sequences = 2, .memory_bytes = memory});
      GenerateOptions options = drawn(seed);
      if (seed % 3 == 0) options.temperature = 0;
      if (seed % 4 == 1) options.repetition_penalty = 1.4;
      if (seed % 5 == 2) options.stop = {"CDE", "Q"};
      options.max_new_tokens = 20 + seed % 25;
      options.draft = draft;
      const auto work = fake_work(3 + seed % 4, seed % 20, options);
      work->change().constraint = std::make_shared<Triples>();
      work->change().scored = scored;
      if (memory > 0) bench.add(fake_work(2, 1, {.max_new_tokens = 30}));
      bench.add(work);
      if (memory > 0) bench.add(fake_work(9, 3, drawn(seed)));
      bench.run();
      EXPECT_FALSE(work->error);
      EXPECT_EQ(bench.model.open_now(), 0);
      accepted += work->generation().usage.accepted_tokens;
      return work->generation();
    };
    for (const bool scored : {false, true}) {
      const Generation expected = ask({}, scored, 0);
      for (const unsigned wrong : {0U, 2U, 5U})
        for (const int64_t memory : {int64_t{0}, int64_t{900}})
          expect_same(ask(knowing(expected.token_ids, wrong, seed), scored, memory), expected);
    }
  }
  EXPECT_GT(accepted, 1000);
}

TEST(SchedulerDraft, SeveralAnswersToAPromptHaveGuessesOfTheirOwn) {
  for (const int64_t sequences : {1, 3, 8}) {
    Bench bench({.sequences = sequences});
    std::vector<std::shared_ptr<FakeWork>> works;
    std::vector<Generation> expected;
    for (uint64_t i = 0; i < 6; ++i) {
      expected.push_back(alone(9, 3, drawn(i)));
      GenerateOptions options = drawn(i);
      options.draft = knowing(expected.back().token_ids, static_cast<unsigned>(i), 7);
      works.push_back(fake_work(9, 3, options));
      works.back()->group = &bench;
      bench.add(works.back());
    }
    bench.run();
    for (size_t i = 0; i < works.size(); ++i) {
      EXPECT_EQ(works[i]->generation().token_ids, expected[i].token_ids) << i;
      EXPECT_GT(works[i]->generation().usage.drafted_tokens, 0) << i;
    }
    EXPECT_EQ(bench.model.open_now(), 0);
  }
}

TEST(SchedulerDraft, CancelledFromOutsideAtAnyTimeItLeavesTheOthersAlone) {
  const Generation first = alone(4, 2, {.max_new_tokens = 50}), second = alone(5, 3, drawn(4));
  for (int at = 1; at < 16; ++at) {
    Bench bench({.sequences = 2});
    const auto gone = add(bench, 4, 2, {.max_new_tokens = 50, .draft = knowing(first.token_ids, 6)});
    GenerateOptions options = drawn(4);
    options.draft = knowing(second.token_ids, 4);
    const auto stays = add(bench, 5, 3, options);
    for (int i = 0; i < at; ++i) bench.step();
    gone->cancel = true;
    bench.run();
    const std::vector<int32_t>& said = gone->generation().token_ids;
    EXPECT_TRUE(std::equal(said.begin(), said.end(), first.token_ids.begin()));
    expect_same(stays->generation(), second);
    EXPECT_EQ(bench.model.open_now(), 0);
  }
}

TEST(SchedulerDraft, EachEndsOnceWhereverMemoryRunsOut) {
  const Generation expected = alone(4, 2, {.max_new_tokens = 12});
  bool happened = true;
  for (int64_t good = 0; happened; ++good) {
    Bench bench({.sequences = 2, .memory_bytes = 400});
    std::vector<std::shared_ptr<FakeWork>> works;
    for (int i = 0; i < 3; ++i)
      works.push_back(add(bench, 4, 2, {.max_new_tokens = 12, .draft = knowing(expected.token_ids, 4)}));
    happened = bench.run_out_of_memory(good);
    for (const auto& work : works) {
      ASSERT_EQ(work->endings, 1) << good;
      if (!work->error) {
        EXPECT_EQ(work->generation().token_ids, expected.token_ids) << good;
      }
    }
  }
}

TEST(SchedulerDraft, AFaultOfACallWithGuessesEndsAllInItInOrder) {
  const Generation expected = alone(4, 2, {.max_new_tokens = 30});
  for (int64_t call = 3; call < 6; ++call) {
    Bench bench({.sequences = 2});
    bench.model.fails_to_decode = call;
    const auto a = add(bench, 4, 2, {.max_new_tokens = 30, .draft = knowing(expected.token_ids, 3)}),
               b = add(bench, 4, 2, {.max_new_tokens = 30, .draft = knowing(expected.token_ids)});
    bench.run();
    EXPECT_TRUE(a->error && b->error) << call;
    EXPECT_EQ(bench.model.open_now(), 0);
  }
}

TEST(SchedulerDraft, AnAnswerThatRepeatsItselfIsItsOwnDraft) {
  std::vector<int32_t> script;
  for (int i = 0; i < 40; ++i)
    for (const int32_t id : {1, 2, 3, 4, 5}) script.push_back(id);
  fakes::ScriptModel model(script);
  SchedulerLoop loop(model, {.sequences = 1}, [] { return 0.0; });
  const auto work = fake_work(3, 1, {.max_new_tokens = 150, .draft = {.answer = true}});
  loop.add(work);
  while (loop.step()) {
  }
  script.resize(150);
  EXPECT_EQ(work->generation().token_ids, script);
  EXPECT_LT(model.calls.size(), 60U);
  EXPECT_GT(work->generation().usage.accepted_tokens, 90);
}

}  // namespace
}  // namespace galago
