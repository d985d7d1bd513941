// Several answers at once with stand-in models: each is what it would be alone, whoever joins and leaves;
// memory, turns, slow readers and deadlines.
#include "runtime/scheduler_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <stdexcept>

#include "fakes.h"

namespace galago {
namespace {

using fakes::Bench;
using fakes::error_of;
using fakes::fake_work;
using fakes::FakeWork;
using fakes::HashModel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

GenerateOptions tokens(int64_t count) { return {.max_new_tokens = count}; }

Generation alone(int64_t length, int64_t number, GenerateOptions options) {
  Bench bench({.sequences = 1});
  const auto work = bench.add(length, number, std::move(options));
  bench.run();
  EXPECT_EQ(work->endings, 1);
  return work->generation();
}

void expect_same(const Generation& a, const Generation& b, const std::string& what) {
  EXPECT_EQ(a.token_ids, b.token_ids) << what;
  EXPECT_EQ(a.text, b.text) << what;
  EXPECT_EQ(a.finish_reason, b.finish_reason) << what;
  EXPECT_EQ(a.usage.completion_tokens, b.usage.completion_tokens) << what;
}

// Options of every kind, by number.
GenerateOptions some_options(unsigned number) {
  GenerateOptions options = tokens(1 + number % 17);
  if (number % 3 == 1) options = {.max_new_tokens = 15, .temperature = 1.0, .seed = number};
  if (number % 3 == 2) options.stop = {"AB", "K"};
  options.prefill_chunk = number % 4 * 2;
  return options;
}

TEST(SchedulerLoop, EachIsWhatItWouldBeAloneHoweverTheyJoinAndLeave) {
  std::mt19937 random(1);
  for (int round = 0; round < 30; ++round) {
    const int64_t places = 1 + round % 5;
    Bench bench({.sequences = places});
    std::deque<std::shared_ptr<FakeWork>> works;
    std::deque<int64_t> numbers;
    while (works.size() < 12 || bench.loop.size() > 0) {
      while (works.size() < 12 && random() % 3 == 0) {
        const auto index = static_cast<unsigned>(works.size());
        numbers.push_back(random() % 20);
        works.push_back(bench.add(1 + random() % 9, numbers.back(), some_options(index + random() % 9)));
      }
      bench.step();
    }
    for (size_t i = 0; i < works.size(); ++i) {
      const GenerateRequest& request = works[i]->request();
      ASSERT_FALSE(works[i]->error);
      EXPECT_EQ(works[i]->streamed, works[i]->generation().text);
      expect_same(works[i]->generation(), alone(std::ssize(request.ids), numbers[i], request.options),
                  "number " + std::to_string(i));
    }
    EXPECT_EQ(bench.model.open_now(), 0);
    EXPECT_LE(bench.model.most_open, places);
  }
}

TEST(SchedulerLoop, DecodesAllInOneCall) {
  Bench bench({.sequences = 4});
  for (int64_t i = 0; i < 3; ++i) bench.add(2 + i, i, tokens(9 + i));
  bench.run();
  EXPECT_THAT(bench.model.calls, ElementsAre(2, 3, 4, /* together */ 3, 3, 3, 3, 3, 3, 3, 3, 2, 1));
}

TEST(SchedulerLoop, PromptsAreCutAtFixedPositionsAndOthersGoOnBetweenThem) {
  Bench bench({.sequences = 2, .step_tokens = 3});
  const auto quick = bench.add(1, 0, tokens(6)), slow = fake_work(7, 1, tokens(1));
  slow->change().options.prefill_chunk = 3;
  bench.add(slow);
  bench.run();
  EXPECT_THAT(bench.model.calls, ElementsAre(1, /* slow */ 3, /* quick */ 1, 3, 1, 1, 1, 1, 1));
  EXPECT_EQ(quick->generation().token_ids.size(), 6U);
}

/// Reads a row of a prompt in a millisecond.
struct SlowReader : HashModel {
  using HashModel::HashModel;
  std::span<const float> prefill(int32_t sequence, ConstMatrix given) override {
    now += static_cast<double>(given.rows);
    return HashModel::prefill(sequence, given);
  }
  double now = 0;
};

TEST(SchedulerLoop, APromptIsCutFinerWhileSomebodyWaitsForATokenOnly) {
  SlowReader model(4000);
  SchedulerLoop loop(model, {.sequences = 2, .max_gap_ms = 150}, [&] { return model.now; });
  loop.add(fake_work(600, 0, tokens(1)));
  while (loop.step()) {
  }
  EXPECT_THAT(model.calls, ElementsAre(512, 88));
  model.calls.clear();
  loop.add(fake_work(1, 0, tokens(6)));
  loop.step();
  loop.add(fake_work(600, 1, tokens(1)));
  while (loop.step()) {
  }
  EXPECT_THAT(model.calls, ElementsAre(1, 128, 1, 128, 1, 128, 1, 128, 1, 88, 1));
}

TEST(SchedulerLoop, WhoFindsNoRoomWaitsInOrder) {
  Bench bench({.sequences = 2});
  std::vector<std::shared_ptr<FakeWork>> works;
  for (int64_t i = 0; i < 5; ++i) works.push_back(bench.add(3, i, tokens(2)));
  std::vector<int> order;
  while (bench.step())
    for (int i = 0; i < 5; ++i)
      if (works[i]->endings == 1 && std::ranges::count(order, i) == 0) order.push_back(i);
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(bench.model.most_open, 2);
}

TEST(SchedulerLoop, MoreImportantOnesComeFirstButWaitingCounts) {
  Bench bench({.sequences = 1});
  std::vector<std::string> order;
  const auto add = [&](const char* name, int priority) {
    const auto work = fake_work(3, 1, tokens(2));
    work->turn_.priority = priority;
    work->on_piece = [&order, name, said = false](const StreamPiece&) mutable {
      if (!std::exchange(said, true)) order.push_back(name);
      return true;
    };
    bench.add(work);
  };
  add("running", 0);
  bench.step();
  add("old", 0);
  bench.now += 5'000;
  add("important", 1);
  bench.now += 6'000;
  add("late", 1);
  bench.run();
  EXPECT_THAT(order, ElementsAre("running", "important", "old", "late"));
}

TEST(SchedulerLoop, DeadlinesEndWhoRunsAndWhoWaits) {
  Bench bench({.sequences = 1});
  const auto runs = fake_work(3, 0, tokens(50)), waits = fake_work(3, 1, tokens(3)),
             after = fake_work(3, 2, tokens(3));
  runs->turn_.deadline = 10;
  waits->turn_.deadline = 5;
  for (const auto& work : {runs, waits, after}) bench.add(work);
  EXPECT_EQ(bench.loop.next_deadline(), 5);
  bench.run();
  for (const auto& work : {runs, waits})
    EXPECT_EQ(error_of([&] { std::rethrow_exception(work->error); }).code(), ErrorCode::timeout);
  EXPECT_GT(runs->streamed.size(), 3U);
  EXPECT_TRUE(waits->streamed.empty());
  expect_same(after->generation(), alone(3, 2, tokens(3)), "after");
  EXPECT_EQ(bench.loop.next_deadline(), -1);
  EXPECT_EQ(bench.model.open_now(), 0);
}

// Two long answers fit one after the other, and side by side for a while.
TEST(SchedulerLoop, WhoIsPutBackForMemoryComesToTheSameAnswer) {
  for (const int64_t memory : {400, 480, 640, 800}) {
    Bench bench({.sequences = 8, .memory_bytes = memory});
    std::vector<std::shared_ptr<FakeWork>> works;
    for (int64_t i = 0; i < 5; ++i) works.push_back(bench.add(3 + 2 * i, i, some_options(15 + i)));
    bench.run();
    for (int64_t i = 0; i < 5; ++i) {
      EXPECT_EQ(works[i]->endings, 1);
      EXPECT_EQ(works[i]->streamed, works[i]->generation().text) << "nothing is told twice";
      expect_same(works[i]->generation(), alone(3 + 2 * i, i, some_options(15 + i)), std::to_string(i));
    }
    EXPECT_LE(bench.model.most_bytes, memory);
    EXPECT_GT(bench.model.most_open, 1) << "room is used";
    EXPECT_EQ(bench.model.open_now(), 0);
  }
}

TEST(SchedulerLoop, MemoryCountsWhatIsHeldBesideKeysAndValues) {
  Bench bench({.sequences = 8, .memory_bytes = 400});
  const auto first = fake_work(3, 0, tokens(4)), second = fake_work(3, 1, tokens(4));
  first->other_bytes = second->other_bytes = 250;
  bench.add(first);
  bench.add(second);
  const auto large = fake_work(3, 2, tokens(4));
  large->other_bytes = 340;
  const Error error = error_of([&] { bench.loop.check(*large); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("420 bytes"));
  bench.step();
  EXPECT_EQ(bench.model.open_now(), 1) << "the second must wait for the first one's memory";
  bench.run();
  EXPECT_EQ(bench.model.most_open, 1);
  EXPECT_EQ(second->endings, 1);
}

TEST(SchedulerLoop, ASlowReaderPausesAloneAndLosesNothing) {
  Bench bench({.sequences = 1});
  const auto slow = bench.add(3, 0, tokens(9)), other = bench.add(3, 1, tokens(9));
  slow->on_piece = [&](const StreamPiece&) {
    slow->room = slow->streamed.size() < 4;
    return true;
  };
  bench.run();
  EXPECT_EQ(slow->streamed.size(), 4U);
  EXPECT_EQ(slow->endings, 0);
  expect_same(other->generation(), alone(3, 1, tokens(9)), "its seat was free");
  EXPECT_EQ(bench.model.open_now(), 1) << "it keeps what it has";
  slow->on_piece = {};
  slow->room = true;
  bench.run();
  expect_same(slow->generation(), alone(3, 0, tokens(9)), "the slow one");
}

TEST(SchedulerLoop, ASlowReaderGivesItsMemoryBack) {
  Bench bench({.sequences = 2, .memory_bytes = 200});
  const auto slow = bench.add(5, 0, tokens(9));
  slow->on_piece = [&](const StreamPiece&) {
    slow->room = slow->streamed.size() != 4;
    return true;
  };
  bench.run();
  const auto other = bench.add(12, 1, tokens(6));
  bench.run();
  expect_same(other->generation(), alone(12, 1, tokens(6)), "the other");
  slow->room = true;
  bench.run();
  expect_same(slow->generation(), alone(5, 0, tokens(9)), "the slow one, read and fed once more");
  EXPECT_EQ(slow->streamed, slow->generation().text);
}

TEST(SchedulerLoop, OnesErrorIsItsOwn) {
  Bench bench({.sequences = 8});
  bench.model.refused_length = 4;
  const auto good = bench.add(3, 0, tokens(9)), refused = bench.add(4, 1, tokens(9)),
             thrower = bench.add(5, 2, tokens(9));
  class NoPicture : public FakeWork {
    using FakeWork::FakeWork;
    Encoding encode() override { throw Error(ErrorCode::input_invalid, {"a picture", "", "", ""}); }
  };
  const auto blind = bench.add(
      std::make_shared<NoPicture>(std::vector<int32_t>{1, 2}, Tensor({2, fakes::kHidden}), tokens(9)));
  const auto torn = bench.add(
      std::make_shared<FakeWork>(std::vector<int32_t>{1, 2}, Tensor({1, fakes::kHidden}), tokens(9)));
  int pieces = 0;
  thrower->on_piece = [&](const StreamPiece&) -> bool {
    if (++pieces == 4) throw std::runtime_error("mine");
    return true;
  };
  bench.run();
  const auto code = [](const auto& work) {
    return error_of([&] { std::rethrow_exception(work->error); }).code();
  };
  EXPECT_FALSE(good->error);
  expect_same(good->generation(), alone(3, 0, tokens(9)), "the good one");
  EXPECT_EQ(code(refused), ErrorCode::resource);
  EXPECT_THROW(std::rethrow_exception(thrower->error), std::runtime_error);
  EXPECT_EQ(code(blind), ErrorCode::input_invalid);
  EXPECT_EQ(code(torn), ErrorCode::internal);
  EXPECT_EQ(bench.model.open_now(), 0);
}

TEST(SchedulerLoop, AFaultOfTheSharedCallEndsAllInIt) {
  Bench bench({.sequences = 2});
  bench.model.fails_to_decode = 5;  // two prompts, two good calls
  const auto a = bench.add(3, 0, tokens(9)), b = bench.add(4, 1, tokens(9)), c = bench.add(5, 2, tokens(2));
  bench.run();
  EXPECT_TRUE(a->error);
  EXPECT_TRUE(b->error);
  EXPECT_FALSE(c->error) << "it joined later";
  EXPECT_EQ(bench.model.open_now(), 0);
}

TEST(SchedulerLoop, EachEndsOnceWhereverMemoryRunsOut) {
  bool happened = true;
  for (int64_t good = 0; happened; ++good) {
    Bench bench({.sequences = 2, .memory_bytes = 240});
    std::vector<std::shared_ptr<FakeWork>> works;
    for (int64_t i = 0; i < 4; ++i) works.push_back(bench.add(3 + i, i, some_options(15 + i)));
    works[1]->turn_.deadline = 9;
    happened = bench.run_out_of_memory(good);
    for (const auto& work : works) ASSERT_EQ(work->endings, 1) << good;
  }
}

TEST(SchedulerLoop, RefusesBeforeAnyWork) {
  Bench bench({}, 10);
  const auto code = [&](int64_t length, GenerateOptions options) {
    return error_of([&] { bench.loop.check(*fake_work(length, 0, std::move(options))); }).code();
  };
  EXPECT_EQ(code(2, {.top_p = 3}), ErrorCode::usage);
  EXPECT_EQ(code(0, {}), ErrorCode::input_invalid);
  EXPECT_EQ(code(10, {}), ErrorCode::input_too_large);
  EXPECT_EQ(bench.loop.size(), 0);
  for (const LoopLimits& limits : {LoopLimits{.sequences = 0}, LoopLimits{.memory_bytes = -1},
                                   LoopLimits{.max_gap_ms = -1}, LoopLimits{.step_tokens = 0}})
    EXPECT_EQ(error_of([&] { Bench{limits}; }).code(), ErrorCode::usage);
}

TEST(SchedulerLoop, CancelsWhoRunsAndWhoWaitsAndNobodyElse) {
  Bench bench({.sequences = 2});
  std::vector<std::shared_ptr<FakeWork>> works;
  for (int64_t i = 0; i < 4; ++i) works.push_back(bench.add(3, i, tokens(9)));
  for (int i = 0; i < 4; ++i) bench.step();
  works[1]->cancel = works[3]->cancel = true;
  const std::string said = works[1]->streamed;
  bench.step();
  EXPECT_EQ(works[1]->endings + works[3]->endings, 2) << "who waits is let go as soon as who runs";
  bench.run();
  for (const int i : {0, 2}) expect_same(works[i]->generation(), alone(3, i, tokens(9)), std::to_string(i));
  EXPECT_EQ(works[1]->generation().finish_reason, FinishReason::cancelled);
  EXPECT_EQ(works[1]->generation().text, said);
  EXPECT_EQ(works[3]->generation().finish_reason, FinishReason::cancelled);
  EXPECT_TRUE(works[3]->generation().token_ids.empty());
  EXPECT_EQ(bench.model.open_now(), 0);
}

TEST(SchedulerLoop, SeedsBelongToTheirRequests) {
  Bench bench({.sequences = 8});
  std::vector<std::shared_ptr<FakeWork>> works;
  for (uint64_t seed = 0; seed < 6; ++seed)
    works.push_back(bench.add(3, 0, {.max_new_tokens = 9, .temperature = 5, .seed = seed / 2}));
  bench.run();
  for (const size_t i : {0, 2, 4}) {
    EXPECT_EQ(works[i]->generation().token_ids, works[i + 1]->generation().token_ids);
    EXPECT_NE(works[i]->generation().token_ids, works[(i + 2) % 6]->generation().token_ids);
  }
}

TEST(SchedulerLoop, WhatIsOpenWhenItGoesIsClosedAndCancelled) {
  HashModel model(100);
  const auto work = fake_work(3, 0, tokens(50));
  {
    SchedulerLoop loop(model, {}, [] { return 0.0; });
    loop.add(work);
    loop.step();
    EXPECT_EQ(model.open_now(), 1);
  }
  EXPECT_EQ(model.open_now(), 0);
  EXPECT_EQ(work->generation().finish_reason, FinishReason::cancelled);
  EXPECT_FALSE(work->generation().text.empty());
}

/// Pictures that take a number of pieces of so many milliseconds each.
class Pictures : public FakeWork {
 public:
  Pictures(double& now, int pieces, double ms)
      : FakeWork({1, 2, 3}, Tensor({3, fakes::kHidden}), tokens(2)), now_(now), pieces_(pieces), ms_(ms) {}
  Encoding encode() override {
    if (pieces_-- == 0) return Encoding::done;
    now_ += ms_;
    return Encoding::more;
  }

 private:
  double& now_;
  int pieces_;
  double ms_;
};

TEST(SchedulerLoop, WhoStreamsWaitsForOnePieceOfAPictureAtMost) {
  for (const double max_gap : {0.0, 20.0, 250.0}) {
    Bench bench({.sequences = 8, .max_gap_ms = max_gap});
    std::vector<double> at;
    const auto stream = bench.add(2, 0, tokens(40));
    stream->on_piece = [&](const StreamPiece&) {
      at.push_back(bench.now);
      return true;
    };
    bench.step();
    for (int i = 0; i < 4; ++i) bench.add(std::make_shared<Pictures>(bench.now, 17, 100));
    bench.run();
    double longest = 0;
    for (size_t i = 1; i < at.size(); ++i) longest = std::max(longest, at[i] - at[i - 1]);
    EXPECT_LE(longest, std::max(max_gap, 100.0) + 1);
    EXPECT_GE(longest, max_gap < 200 ? 100 : 200);
    if (max_gap < 200) {
      EXPECT_GE(at.size(), 40U);
    }
  }
}

}  // namespace
}  // namespace galago
