// Several requests through the public API: each answer is the one that ask() gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <thread>

#include "galago/galago.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;

Model load(int64_t prefix_cache_bytes = 0) {
  return Model::load(test::data_path("models/smolvlm_tiles"),
                     {.threads = 1, .prefix_cache_bytes = prefix_cache_bytes});
}

Image picture(const std::string& name) { return Image::open(test::data_path("pictures/" + name)); }

Request question(const std::string& prompt, int64_t tokens, std::vector<Image> images = {}) {
  Request request{.prompt = prompt, .images = std::move(images)};
  request.options.max_new_tokens = tokens;
  return request;
}

// Requests of many kinds.
std::vector<Request> some_requests() {
  std::vector<Request> requests;
  requests.push_back(question("What is in this image?", 12, {picture("shapes_100x80.png")}));
  requests.push_back(question("Hello?", 20));
  requests.push_back(question("And in this one?", 7, {picture("shapes_300x60.jpg")}));
  requests.push_back(question("Say it again.", 15));
  requests.back().options.temperature = 1;
  requests.back().options.seed = 5;
  requests.push_back(question("What is in this image?", 9, {picture("shapes_100x80.png")}));
  requests.back().options.prefill_chunk = 16;
  requests.push_back(question("", 5));
  requests.back().prompt = "Once";
  requests.back().raw = true;
  return requests;
}

void expect_same(const Answer& a, const Answer& b) {
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.token_ids, b.token_ids);
  EXPECT_EQ(a.prompt_token_ids, b.prompt_token_ids);
  EXPECT_EQ(a.finish_reason, b.finish_reason);
  EXPECT_EQ(a.images.size(), b.images.size());
  EXPECT_EQ(a.usage.prompt_tokens, b.usage.prompt_tokens);
  EXPECT_EQ(a.usage.image_tokens, b.usage.image_tokens);
  EXPECT_EQ(a.usage.completion_tokens, b.usage.completion_tokens);
}

TEST(AskAll, GivesTheAnswersOfAsk) {
  const Model model = load();
  std::vector<Request> requests = some_requests();
  std::vector<std::string> streamed(requests.size());
  for (size_t i = 0; i < requests.size(); ++i)
    requests[i].on_text = [&streamed, i](const StreamPiece& piece) {
      streamed[i] += piece.text;
      return true;
    };
  for (const int64_t together : {1, 2, 8}) {
    streamed.assign(requests.size(), "");
    const auto outcomes = model.ask_all(requests, {.max_sequences = together});
    ASSERT_EQ(outcomes.size(), requests.size());
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(outcomes[i].id, static_cast<int64_t>(i));
      EXPECT_EQ(streamed[i], outcomes[i].value().text);
      Request quiet = requests[i];
      quiet.on_text = {};
      expect_same(outcomes[i].value(), model.ask(quiet));
      EXPECT_GT(outcomes[i].answer.timings.prefill_ms, 0);
      EXPECT_GE(outcomes[i].answer.timings.first_token_ms, outcomes[i].answer.timings.prefill_ms);
    }
  }
  EXPECT_TRUE(model.ask_all({}).empty());
}

TEST(AskAll, AnErrorIsItsRequestsOwn) {
  const Model model = load();
  std::vector<Request> requests = some_requests();
  requests[1].options.top_p = 7;
  std::string much;
  for (int i = 0; i < 3000; ++i) much += "again and ";
  requests[3].prompt = much;
  requests[4].on_text = [](const StreamPiece&) -> bool { throw std::runtime_error("mine"); };
  requests[2].on_progress = [](const Progress&) { return false; };
  const auto outcomes = model.ask_all(requests, {.max_sequences = 4});
  EXPECT_EQ(test::error_of([&] { outcomes[1].value(); }).code(), ErrorCode::usage);
  EXPECT_EQ(test::error_of([&] { outcomes[3].value(); }).code(), ErrorCode::input_too_large);
  EXPECT_THROW(outcomes[4].value(), std::runtime_error);
  EXPECT_EQ(outcomes[2].value().finish_reason, FinishReason::cancelled);
  EXPECT_EQ(outcomes[2].value().images.size(), 1U);
  EXPECT_FALSE(outcomes[2].value().prompt_token_ids.empty());
  for (const size_t i : {0, 5}) expect_same(outcomes[i].value(), model.ask(requests[i]));
}

TEST(AskAll, RefusesOptionsOutOfRange) {
  const Model model = load();
  for (const BatchOptions& options : {BatchOptions{.max_sequences = 0}, BatchOptions{.max_sequences = 1025},
                                      BatchOptions{.max_waiting = -1}, BatchOptions{.max_cache_bytes = -1}})
    EXPECT_EQ(test::error_of([&] { Batch(model, options); }).code(), ErrorCode::usage);
  const auto outcomes = model.ask_all(std::vector{question("Hello?", 20)}, {.max_cache_bytes = 1000});
  EXPECT_EQ(test::error_of([&] { outcomes.at(0).value(); }).code(), ErrorCode::input_too_large);
  EXPECT_EQ(test::error_of([&] {
              Model::load(test::data_path("models/smolvlm_tiles"), {.prefix_cache_bytes = -1});
            }).code(),
            ErrorCode::usage);
}

TEST(Batch, RequestsJoinLeaveAndAreCancelled) {
  const Model model = load();
  const std::vector<Request> requests = some_requests();
  Batch batch(model, {.max_sequences = 3});
  std::map<int64_t, size_t> places;
  std::map<int64_t, Answer> answers;
  size_t next = 0;
  places[batch.add(requests[next])] = next;
  for (int step = 0; batch.size() > 0; ++step) {
    if (step % 2 == 0 && next + 1 < requests.size()) {
      ++next;
      places[batch.add(requests[next])] = next;
    }
    if (step == 5) {
      EXPECT_TRUE(batch.cancel(1));
    }
    for (const Outcome& outcome : batch.step()) answers[outcome.id] = outcome.value();
  }
  ASSERT_EQ(answers.size(), requests.size());
  for (const auto& [id, answer] : answers) {
    const Answer alone = model.ask(requests[places.at(id)]);
    if (id != 1) {
      expect_same(answer, alone);
      continue;
    }
    EXPECT_EQ(answer.finish_reason, FinishReason::cancelled);
    EXPECT_LT(answer.token_ids.size(), alone.token_ids.size());
    EXPECT_TRUE(std::equal(answer.token_ids.begin(), answer.token_ids.end(), alone.token_ids.begin()));
  }
  EXPECT_FALSE(batch.cancel(0));
  EXPECT_FALSE(batch.cancel(77));
  EXPECT_TRUE(batch.step().empty());
}

TEST(Batch, RefusesMoreThanMayWait) {
  const Model model = load();
  Batch batch(model, {.max_sequences = 1, .max_waiting = 1});
  batch.add(question("One?", 3));
  batch.add(question("Two?", 3));
  const Error error = test::error_of([&] { batch.add(question("Three?", 3)); });
  EXPECT_EQ(error.code(), ErrorCode::overloaded);
  EXPECT_THAT(error.what(), HasSubstr("2 requests"));
  while (batch.size() == 2) batch.step();
  EXPECT_NO_THROW(batch.add(question("Three?", 3)));
}

TEST(Batch, OtherThreadsMayAddAndCancel) {
  const Model model = load();
  const Answer expected = model.ask(question("Hello?", 8));
  Batch batch(model, {.max_sequences = 4});
  std::atomic<int> adders = 3;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        const int64_t id = batch.add(question("Hello?", 8));
        if (i == 2) batch.cancel(id);
      }
      --adders;
    });
  int whole = 0, ended = 0;
  while (adders > 0 || batch.size() > 0)
    for (const Outcome& outcome : batch.step()) {
      ++ended;
      if (outcome.value().finish_reason == FinishReason::cancelled) continue;
      ++whole;
      EXPECT_EQ(outcome.value().token_ids, expected.token_ids);
    }
  EXPECT_EQ(ended, 15);
  EXPECT_GE(whole, 12);
}

TEST(PrefixReuse, TheSecondQuestionAboutAPictureReadsOnlyItself) {
  const Model plain = load(), keeping = load(64 << 20);
  const Image cat = picture("shapes_100x80.png"), other = picture("shapes_300x60.jpg");
  const Request first = question("What is in this image?", 12, {cat});
  const Request second = question("Which colours are there?", 12, {cat});
  const Answer once = keeping.ask(first);
  EXPECT_EQ(once.usage.cached_tokens, 0);
  expect_same(once, plain.ask(first));
  const Answer again = keeping.ask(first);
  EXPECT_EQ(again.usage.cached_tokens, again.usage.prompt_tokens - 1);
  expect_same(again, once);
  const Answer differently = keeping.ask(second);
  EXPECT_GT(differently.usage.cached_tokens, differently.usage.image_tokens);
  EXPECT_LT(differently.usage.cached_tokens, differently.usage.prompt_tokens);
  expect_same(differently, plain.ask(second));
  const Answer unknown = keeping.ask(question("What is in this image?", 12, {other}));
  EXPECT_LT(unknown.usage.cached_tokens, 16) << "another picture, though the words are the same";
}

TEST(PrefixReuse, PicturesOfOneSizeAreToldApart) {
  const Model plain = load(), keeping = load(64 << 20);
  std::vector<uint8_t> red(64 * 64 * 3, 40), blue(64 * 64 * 3, 200);
  const Request of_red = question("What?", 8, {Image::from_rgb(64, 64, red)});
  const Request of_blue = question("What?", 8, {Image::from_rgb(64, 64, blue)});
  expect_same(keeping.ask(of_red), plain.ask(of_red));
  const Answer answer = keeping.ask(of_blue);
  EXPECT_EQ(answer.prompt_token_ids, plain.ask(of_red).prompt_token_ids);
  EXPECT_LT(answer.usage.cached_tokens, answer.usage.prompt_tokens - answer.usage.image_tokens);
  expect_same(answer, plain.ask(of_blue));
}

TEST(PrefixReuse, RequestsOfOneBatchShareWhatTheyBeginWith) {
  const Model plain = load(), keeping = load(64 << 20);
  const Image cat = picture("shapes_100x80.png");
  std::vector<Request> requests;
  for (const char* prompt : {"What is in this image?", "Which colours?", "How many?"})
    requests.push_back(question(prompt, 8, {cat}));
  const auto outcomes = keeping.ask_all(requests), expected = plain.ask_all(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    expect_same(outcomes[i].value(), expected[i].value());
    EXPECT_EQ(outcomes[i].answer.usage.cached_tokens > outcomes[i].answer.usage.image_tokens, i > 0);
  }
}

TEST(PrefixReuse, ServesSeveralThreads) {
  const Model plain = load(), keeping = load(1 << 20);
  const Image cat = picture("shapes_100x80.png");
  std::vector<Request> requests;
  for (const char* prompt : {"What is in this image?", "Which colours?", "How many?"})
    requests.push_back(question(prompt, 8, {cat}));
  const auto expected = plain.ask_all(requests);
  std::vector<std::jthread> threads;
  for (size_t t = 0; t < requests.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 4; ++i)
        EXPECT_EQ(keeping.ask(requests[t]).token_ids, expected[t].value().token_ids);
    });
}

}  // namespace
}  // namespace galago
