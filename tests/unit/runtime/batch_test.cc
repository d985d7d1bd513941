// Several answers at once with stand-in models: each is what it would be alone, whoever joins and leaves.
#include "runtime/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>
#include <stdexcept>

#include "fakes.h"

namespace galago {
namespace {

using fakes::error_of;
using fakes::HashModel;
using fakes::PieceText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// One who asks: a prompt of `length` rows that nobody else has.
struct Asker {
  Asker(int64_t length, int64_t number, GenerateOptions options)
      : seed(number),
        ids(static_cast<size_t>(length)),
        rows({length, fakes::kHidden}),
        text(fakes::letters()) {
    std::iota(ids.begin(), ids.end(), static_cast<int32_t>(seed));
    for (int64_t i = 0; i < rows.size(); ++i) rows.data()[i] = static_cast<float>((i * i + seed) % 23);
    request = {rows.matrix(), ids, {39}, 0, std::move(options), {}};
  }
  BatchItem item() { return {.request = request, .text = &text}; }

  int64_t seed;
  std::vector<int32_t> ids;
  Tensor rows;
  PieceText text;
  GenerateRequest request;
};

GenerateOptions tokens(int64_t count) { return {.max_new_tokens = count}; }

Generation alone(Asker asker) {
  HashModel model(100);
  return generate(model, asker.request, asker.text);
}

void expect_same(const Generation& a, const Generation& b, const std::string& what) {
  EXPECT_EQ(a.token_ids, b.token_ids) << what;
  EXPECT_EQ(a.text, b.text) << what;
  EXPECT_EQ(a.finish_reason, b.finish_reason) << what;
  EXPECT_EQ(a.usage.completion_tokens, b.usage.completion_tokens) << what;
}

std::map<int64_t, BatchEnd> run(BatchGenerator& batch) {
  std::map<int64_t, BatchEnd> ends;
  while (batch.running() + batch.waiting() > 0)
    for (BatchEnd& end : batch.step()) EXPECT_TRUE(ends.emplace(end.id, std::move(end)).second);
  return ends;
}

// Options of every kind, by number.
GenerateOptions some_options(unsigned number) {
  GenerateOptions options = tokens(1 + number % 17);
  if (number % 3 == 1) options = {.max_new_tokens = 15, .temperature = 1.0, .seed = number};
  if (number % 3 == 2) options.stop = {"AB", "K"};
  options.prefill_chunk = number % 4 * 2;
  return options;
}

TEST(Batch, EachIsWhatItWouldBeAloneHoweverTheyJoinAndLeave) {
  std::mt19937 random(1);
  for (int round = 0; round < 30; ++round) {
    const int64_t places = 1 + round % 5;
    HashModel model(100);
    BatchGenerator batch(model, {.sequences = places});
    std::deque<Asker> askers;
    std::map<int64_t, size_t> asker_of;
    std::map<int64_t, Generation> done;
    while (askers.size() < 12 || batch.running() + batch.waiting() > 0) {
      while (askers.size() < 12 && random() % 3 == 0) {
        const auto number = static_cast<unsigned>(askers.size());
        askers.emplace_back(1 + random() % 9, random() % 20, some_options(number + random() % 9));
        asker_of[batch.add(askers.back().item())] = askers.size() - 1;
      }
      for (BatchEnd& end : batch.step()) {
        ASSERT_FALSE(end.error);
        done[end.id] = std::move(end.generation);
      }
      EXPECT_LE(batch.running(), places);
    }
    ASSERT_EQ(done.size(), 12U);
    for (const auto& [id, generation] : done) {
      const Asker& asker = askers[asker_of[id]];
      expect_same(generation, alone(Asker(std::ssize(asker.ids), asker.seed, asker.request.options)),
                  "id " + std::to_string(id));
    }
    EXPECT_EQ(model.open_now(), 0);
    EXPECT_EQ(model.most_open, places);
  }
}

TEST(Batch, DecodesAllInOneCall) {
  HashModel model(100);
  BatchGenerator batch(model, {.sequences = 4});
  std::deque<Asker> askers;
  for (int64_t i = 0; i < 3; ++i) askers.emplace_back(2 + i, i, tokens(3 + i));
  for (Asker& asker : askers) {
    asker.request.end_ids = {};
    batch.add(asker.item());
  }
  run(batch);
  EXPECT_THAT(model.calls, ElementsAre(2, 3, 4, /* together */ 3, 3, 2, 1));
}

TEST(Batch, ChunksOfAPromptLetTheOthersGoOn) {
  HashModel model(100);
  BatchGenerator batch(model, {.sequences = 2});
  Asker quick(1, 0, tokens(6)), slow(7, 1, tokens(1));
  quick.request.end_ids = slow.request.end_ids = {};
  slow.request.options.prefill_chunk = 3;
  batch.add(quick.item());
  batch.add(slow.item());
  run(batch);
  EXPECT_THAT(model.calls, ElementsAre(1, 3, /* quick */ 1, /* slow */ 3, 1, 1, 1, 1, 1));
}

TEST(Batch, WhoFindsNoRoomWaitsInOrder) {
  HashModel model(100);
  BatchGenerator batch(model, {.sequences = 2});
  std::deque<Asker> askers;
  for (int64_t i = 0; i < 5; ++i) {
    askers.emplace_back(3, i, tokens(2));
    askers.back().request.end_ids = {};
    EXPECT_EQ(batch.add(askers.back().item()), i);
  }
  EXPECT_EQ(batch.waiting(), 5);
  std::vector<int64_t> order;
  while (batch.running() + batch.waiting() > 0) {
    for (const BatchEnd& end : batch.step()) order.push_back(end.id);
    EXPECT_LE(batch.running(), 2);
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(model.most_open, 2);
}

TEST(Batch, TheCachesTogetherStayWithinTheirLimit) {
  HashModel model(100);  // 10 bytes a position
  BatchGenerator batch(model, {.sequences = 8, .cache_bytes = 100});
  Asker small(3, 0, tokens(2)), large(5, 1, tokens(5)), too_large(6, 2, tokens(6));
  small.request.end_ids = large.request.end_ids = {};
  batch.add(small.item());  // 4 positions
  batch.add(large.item());  // 9
  const Error error = error_of([&] { batch.add(too_large.item()); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("110 bytes"));
  batch.step();
  EXPECT_EQ(batch.waiting(), 1) << "the large one must wait for the small one's memory";
  EXPECT_EQ(run(batch).size(), 1U);
  EXPECT_EQ(model.most_open, 1);
}

TEST(Batch, OnesErrorIsItsOwn) {
  HashModel model(100);
  model.refused_length = 4;
  BatchGenerator batch(model, {.sequences = 8});
  Asker good(3, 0, tokens(9)), refused(4, 1, tokens(9)), thrower(5, 2, tokens(9)), no_rows(6, 3, tokens(9));
  int pieces = 0;
  thrower.request.on_piece = [&](const StreamPiece&) -> bool {
    if (++pieces == 4) throw std::runtime_error("mine");
    return true;
  };
  BatchItem without = no_rows.item();
  without.prepare = [](GenerateRequest&) {
    throw Error(ErrorCode::input_invalid, {"a picture", "", "", ""});
  };
  const int64_t id = batch.add(good.item());
  batch.add(refused.item());
  batch.add(thrower.item());
  batch.add(std::move(without));
  auto ends = run(batch);
  ASSERT_EQ(ends.size(), 4U);
  EXPECT_FALSE(ends.at(id).error);
  expect_same(ends.at(id).generation, alone(Asker(3, 0, tokens(9))), "the good one");
  EXPECT_EQ(error_of([&] { std::rethrow_exception(ends.at(id + 1).error); }).code(), ErrorCode::resource);
  EXPECT_THROW(std::rethrow_exception(ends.at(id + 2).error), std::runtime_error);
  EXPECT_EQ(error_of([&] { std::rethrow_exception(ends.at(id + 3).error); }).code(),
            ErrorCode::input_invalid);
  EXPECT_EQ(model.open_now(), 0);
}

TEST(Batch, AFaultOfTheSharedCallEndsAllInIt) {
  HashModel model(100);
  model.fails_to_decode = 4;  // two prompts, one good call
  BatchGenerator batch(model, {.sequences = 2});
  Asker a(3, 0, tokens(9)), b(4, 1, tokens(9)), c(5, 2, tokens(2));
  for (Asker* asker : {&a, &b, &c}) batch.add(asker->item());
  auto ends = run(batch);
  EXPECT_TRUE(ends.at(0).error);
  EXPECT_TRUE(ends.at(1).error);
  EXPECT_FALSE(ends.at(2).error) << "it joined later";
  EXPECT_EQ(model.open_now(), 0);
}

TEST(Batch, RefusesBeforeAnyWork) {
  HashModel model(10);
  BatchGenerator batch(model, {});
  Asker bad(2, 0, {.top_p = 3}), empty(0, 0, {}), full(10, 0, {});
  EXPECT_EQ(error_of([&] { batch.add(bad.item()); }).code(), ErrorCode::usage);
  EXPECT_EQ(error_of([&] { batch.add(empty.item()); }).code(), ErrorCode::input_invalid);
  EXPECT_EQ(error_of([&] { batch.add(full.item()); }).code(), ErrorCode::input_too_large);
  EXPECT_EQ(batch.waiting(), 0);
  EXPECT_EQ(error_of([&] { BatchGenerator(model, {.sequences = 0}); }).code(), ErrorCode::usage);
  EXPECT_EQ(error_of([&] { BatchGenerator(model, {.cache_bytes = -1}); }).code(), ErrorCode::usage);
}

TEST(Batch, CancelsWhoRunsAndWhoWaitsAndNobodyElse) {
  HashModel model(100);
  BatchGenerator batch(model, {.sequences = 2});
  std::deque<Asker> askers;
  for (int64_t i = 0; i < 4; ++i) {
    askers.emplace_back(3, i, tokens(9));
    askers.back().request.end_ids = {};
    batch.add(askers.back().item());
  }
  batch.step();  // two tokens each: of the prompt and of the shared call
  batch.step();
  EXPECT_TRUE(batch.cancel(1));
  EXPECT_TRUE(batch.cancel(3));
  std::vector<BatchEnd> at_once = batch.step();
  ASSERT_EQ(at_once.size(), 2U) << "who waits is let go as soon as who runs";
  auto ends = run(batch);
  for (BatchEnd& end : at_once) ends.emplace(end.id, std::move(end));
  ASSERT_EQ(ends.size(), 4U);
  const auto whole = [](int64_t seed) {
    Asker asker(3, seed, tokens(9));
    asker.request.end_ids = {};
    HashModel fresh(100);
    return generate(fresh, asker.request, asker.text);
  };
  for (const int64_t id : {0, 2}) expect_same(ends.at(id).generation, whole(id), std::to_string(id));
  EXPECT_EQ(ends.at(1).generation.finish_reason, FinishReason::cancelled);
  EXPECT_EQ(ends.at(1).generation.text, whole(1).text.substr(0, 3));
  EXPECT_EQ(ends.at(3).generation.finish_reason, FinishReason::cancelled);
  EXPECT_TRUE(ends.at(3).generation.token_ids.empty());
  EXPECT_FALSE(batch.cancel(1));
  EXPECT_FALSE(batch.cancel(99));
  EXPECT_EQ(model.open_now(), 0);
}

TEST(Batch, CallbacksMayAddAndCancel) {
  HashModel model(100);
  BatchGenerator batch(model, {.sequences = 3});
  Asker first(3, 0, tokens(5)), second(4, 1, tokens(5)), third(5, 2, tokens(5));
  for (Asker* asker : {&first, &second, &third}) asker->request.end_ids = {};
  int pieces = 0;
  first.request.on_piece = [&](const StreamPiece&) {
    if (++pieces == 2) {
      batch.add(third.item());
      batch.cancel(1);
    }
    return true;
  };
  batch.add(first.item());
  batch.add(second.item());
  auto ends = run(batch);
  EXPECT_EQ(ends.at(0).generation.token_ids.size(), 5U);
  EXPECT_EQ(ends.at(1).generation.finish_reason, FinishReason::cancelled);
  EXPECT_EQ(ends.at(2).generation.token_ids.size(), 5U);
}

TEST(Batch, RowsAreMadeWhenTheirTurnComesAndLetGoOnceRead) {
  HashModel model(100);
  BatchGenerator batch(model, {.sequences = 1});
  Asker first(3, 0, tokens(3)), second(4, 1, tokens(3));
  first.request.end_ids = second.request.end_ids = {};
  auto held = std::make_shared<Tensor>(second.rows.copy());
  const std::weak_ptr<Tensor> watch = held;
  bool made = false;
  BatchItem lazy = second.item();
  lazy.request.rows = {};
  lazy.prepare = [held = std::move(held), &made](GenerateRequest& request) {
    made = true;
    request.rows = held->matrix();
  };
  batch.add(first.item());
  batch.add(std::move(lazy));
  while (batch.waiting() > 0) {
    EXPECT_FALSE(made);
    batch.step();
  }
  EXPECT_TRUE(made);
  EXPECT_EQ(batch.running(), 1);
  EXPECT_TRUE(watch.expired());
  const auto ends = run(batch);
  Asker same(4, 1, tokens(3));
  same.request.end_ids = {};
  expect_same(ends.at(1).generation, alone(std::move(same)), "made late");
}

TEST(Batch, SeedsBelongToTheirRequests) {
  HashModel model(100);
  BatchGenerator batch(model, {.sequences = 8});
  std::deque<Asker> askers;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    askers.emplace_back(3, 0, GenerateOptions{.max_new_tokens = 9, .temperature = 5, .seed = seed / 2});
    batch.add(askers.back().item());
  }
  auto ends = run(batch);
  for (const int64_t id : {0, 2, 4}) {
    EXPECT_EQ(ends.at(id).generation.token_ids, ends.at(id + 1).generation.token_ids);
    EXPECT_NE(ends.at(id).generation.token_ids, ends.at((id + 2) % 6).generation.token_ids);
  }
}

TEST(Batch, WhatIsOpenWhenItGoesIsClosed) {
  HashModel model(100);
  Asker asker(3, 0, tokens(50));
  asker.request.end_ids = {};
  {
    BatchGenerator batch(model, {});
    batch.add(asker.item());
    batch.step();
    EXPECT_EQ(model.open_now(), 1);
  }
  EXPECT_EQ(model.open_now(), 0);
}

}  // namespace
}  // namespace galago
