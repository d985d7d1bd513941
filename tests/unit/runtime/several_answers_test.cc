// Several answers to one prompt, and tokens that a format makes certain, in the scheduler's loop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "fakes.h"
#include "runtime/scheduler_loop.h"

namespace galago {
namespace {

using fakes::fake_work;
using fakes::FakeWork;
using fakes::HashModel;
using fakes::Triples;

GenerateOptions drawn(uint64_t seed) { return {.max_new_tokens = 12, .temperature = 1, .seed = seed}; }

/// A model, a loop and those who ask.
struct Several {
  explicit Several(const LoopLimits& limits) : loop(model, limits, [this] { return now += 1; }) {}

  void add(const std::shared_ptr<FakeWork>& work) {
    loop.add(work);
    works.push_back(work);
  }
  void add_group(int64_t count, int64_t length, int64_t number) {
    for (int64_t i = 0; i < count; ++i) {
      auto work = fake_work(length, number, drawn(static_cast<uint64_t>(i)));
      work->group = this;
      add(work);
    }
  }
  void run() {
    while (loop.step()) {
    }
  }

  double now = 0;
  HashModel model{100};
  SchedulerLoop loop;
  std::vector<std::shared_ptr<FakeWork>> works;
};

std::vector<int32_t> alone(int64_t length, int64_t number, const GenerateOptions& options) {
  Several one({.sequences = 1});
  one.add(fake_work(length, number, options));
  one.run();
  return one.works.front()->generation().token_ids;
}

TEST(SeveralAnswers, ReadTheirPromptOnce) {
  for (const int64_t sequences : {1, 2, 8}) {
    Several group({.sequences = sequences});
    group.add_group(5, 9, 3);
    group.run();
    int64_t fed = 0;
    for (uint64_t i = 0; i < 5; ++i) {
      const Generation& said = group.works[i]->generation();
      EXPECT_EQ(said.token_ids, alone(9, 3, drawn(i))) << i;
      EXPECT_EQ(said.usage.cached_tokens, i == 0 ? 0 : 9);
      fed += std::ssize(said.token_ids) - 1;
    }
    EXPECT_EQ(group.model.rows, 9 + fed) << sequences << " at a time";
    EXPECT_EQ(group.model.open_now(), 0);
  }
}

TEST(SeveralAnswers, GoOnWithoutTheOneThatReads) {
  Several group({.sequences = 4});
  group.add_group(3, 9, 3);
  group.works[0]->cancel = true;
  group.run();
  EXPECT_EQ(group.works[0]->generation().finish_reason, FinishReason::cancelled);
  for (uint64_t i : {1, 2}) EXPECT_EQ(group.works[i]->generation().token_ids, alone(9, 3, drawn(i)));
}

TEST(SeveralAnswers, ComeBackAfterMemoryRanOut) {
  Several group({.sequences = 4, .memory_bytes = 7 * fakes::kPageBytes});  // one needs five of its own
  group.add_group(4, 9, 3);
  group.run();
  for (uint64_t i = 0; i < 4; ++i) EXPECT_EQ(group.works[i]->generation().token_ids, alone(9, 3, drawn(i)));
}

TEST(CertainTokens, GoThroughTheDecoderTogetherAndChangeNothing) {
  std::vector<Generation> said;
  std::vector<size_t> calls;
  for (const bool scored : {false, true}) {
    Several one({.sequences = 2});
    auto work = fake_work(5, 1, {.max_new_tokens = 16});
    work->change().constraint = std::make_shared<Triples>();
    work->change().scored = scored;
    one.add(work);
    one.run();
    ASSERT_FALSE(work->error);
    said.push_back(work->generation());
    calls.push_back(one.model.calls.size());
  }
  EXPECT_EQ(said[0].token_ids.size(), 16U);
  EXPECT_EQ(said[0].token_ids, said[1].token_ids);
  EXPECT_EQ(said[1].logprobs.size(), 16U);
  EXPECT_TRUE(said[0].logprobs.empty());
  for (size_t i = 0; i + 2 < 16; i += 3) {
    EXPECT_EQ(said[0].token_ids[i] % 2, 0);
    EXPECT_EQ(said[0].token_ids[i + 1], (said[0].token_ids[i] + 1) % fakes::kVocabulary);
  }
  EXPECT_EQ(calls[1], 16U);  // the prompt, and 15 tokens
  EXPECT_EQ(calls[0], 6U);   // the prompt, and five times three tokens
}

/// Says that nothing may follow after two tokens.
class Pair final : public Constraint {
 public:
  bool fill(TokenMask) override { return false; }
  void accept(int32_t) override { ++count_; }
  bool complete() const override { return count_ == 2; }

 private:
  int count_ = 0;
};

TEST(CertainTokens, AWholeAnswerEndsWhereNoTokenCouldSaySo) {
  Several one({.sequences = 1});
  auto work = fake_work(5, 1, {.max_new_tokens = 16});
  work->change().constraint = std::make_shared<Pair>();
  one.add(work);
  one.run();
  EXPECT_EQ(work->generation().token_ids.size(), 2U);
  EXPECT_EQ(work->generation().finish_reason, FinishReason::stop);
}

/// Takes its time, and is asked for one thing at a time.
class Slow final : public Constraint {
 public:
  bool fill(TokenMask mask) override {
    EXPECT_FALSE(busy_.exchange(true));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (uint32_t& word : mask) word = 0xffffffff;
    EXPECT_TRUE(busy_.exchange(false));
    return true;
  }
  void accept(int32_t) override { EXPECT_FALSE(busy_); }
  std::vector<int32_t> forced() override {
    EXPECT_FALSE(busy_);
    return {};
  }
  bool complete() const override {
    EXPECT_FALSE(busy_);
    return false;
  }

 private:
  std::atomic<bool> busy_ = false;
};

TEST(CertainTokens, AConstraintHasOneCallAtATime) {
  Several two({.sequences = 2});
  for (const uint64_t i : {1, 2}) {
    auto work = fake_work(5, 1, drawn(i));
    work->change().constraint = std::make_shared<Slow>();
    two.add(work);
  }
  two.run();
  for (uint64_t i : {0, 1}) EXPECT_EQ(two.works[i]->generation().token_ids, alone(5, 1, drawn(i + 1)));
}

/// Forbids everything, or throws.
class Broken final : public Constraint {
 public:
  explicit Broken(bool throws) : throws_(throws) {}
  bool fill(TokenMask mask) override {
    if (throws_) throw Error(ErrorCode::internal, {"the mask", "", "", ""});
    for (uint32_t& word : mask) word = 0;
    return true;
  }
  void accept(int32_t) override {}

 private:
  bool throws_;
};

TEST(CertainTokens, AConstraintWithoutAWayOnIsAnErrorOfItsOwnRequest) {
  for (const bool throws : {false, true}) {
    Several two({.sequences = 2});
    auto work = fake_work(5, 1, {.max_new_tokens = 16});
    work->change().constraint = std::make_shared<Broken>(throws);
    two.add(work);
    two.add(fake_work(4, 2, drawn(1)));
    two.run();
    ASSERT_TRUE(work->error);
    const Error error = fakes::error_of([&] { std::rethrow_exception(work->error); });
    EXPECT_EQ(error.code(), throws ? ErrorCode::internal : ErrorCode::usage);
    EXPECT_EQ(two.works[1]->generation().token_ids, alone(4, 2, drawn(1)));
  }
}

}  // namespace
}  // namespace galago
