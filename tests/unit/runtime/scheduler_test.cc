// Several requests through the public API: each answer is the one that ask() gives alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "galago/scheduler.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;

Model load(int64_t prefix_cache_bytes = 0, const SchedulerOptions& scheduler = {}) {
  return Model::load(test::data_path("models/smolvlm_tiles"),
                     {.threads = 1, .scheduler = scheduler, .prefix_cache_bytes = prefix_cache_bytes});
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
  const Model alone = load(0, {.max_sequences = 1});
  std::vector<Request> requests = some_requests();
  std::vector<std::string> streamed(requests.size());
  for (size_t i = 0; i < requests.size(); ++i)
    requests[i].on_text = [&streamed, i](const StreamPiece& piece) {
      streamed[i] += piece.text;
      return true;
    };
  for (const int64_t together : {1, 2, 8}) {
    streamed.assign(requests.size(), "");
    const auto outcomes = load(0, {.max_sequences = together}).ask_all(requests);
    ASSERT_EQ(outcomes.size(), requests.size());
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(outcomes[i].id, static_cast<int64_t>(i));
      EXPECT_EQ(streamed[i], outcomes[i].value().text);
      Request quiet = requests[i];
      quiet.on_text = {};
      expect_same(outcomes[i].value(), alone.ask(quiet));
      EXPECT_GT(outcomes[i].answer.timings.prefill_ms, 0);
      EXPECT_GE(outcomes[i].answer.timings.first_token_ms, outcomes[i].answer.timings.prefill_ms);
    }
  }
  EXPECT_TRUE(alone.ask_all({}).empty());
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
  const auto outcomes = model.ask_all(requests);
  EXPECT_EQ(test::error_of([&] { outcomes[1].value(); }).code(), ErrorCode::usage);
  EXPECT_EQ(test::error_of([&] { outcomes[3].value(); }).code(), ErrorCode::input_too_large);
  EXPECT_THROW(outcomes[4].value(), std::runtime_error);
  EXPECT_EQ(outcomes[2].value().finish_reason, FinishReason::cancelled);
  EXPECT_EQ(outcomes[2].value().images.size(), 1U);
  EXPECT_FALSE(outcomes[2].value().prompt_token_ids.empty());
  for (const size_t i : {0, 5}) expect_same(outcomes[i].value(), model.ask(requests[i]));
}

TEST(Scheduler, RefusesOptionsOutOfRange) {
  const Model model = load();
  for (const SchedulerOptions& options :
       {SchedulerOptions{.max_sequences = 0}, SchedulerOptions{.max_sequences = 1025},
        SchedulerOptions{.max_waiting = -1}, SchedulerOptions{.max_memory = -1},
        SchedulerOptions{.max_gap_ms = -1}, SchedulerOptions{.step_tokens = 0},
        SchedulerOptions{.mailbox = 0}}) {
    EXPECT_EQ(test::error_of([&] { Scheduler(model, options); }).code(), ErrorCode::usage);
    EXPECT_EQ(test::error_of([&] { load(0, options); }).code(), ErrorCode::usage);
  }
  const auto outcomes = load(0, {.max_memory = 1000}).ask_all(std::vector{question("Hello?", 20)});
  EXPECT_EQ(test::error_of([&] { outcomes.at(0).value(); }).code(), ErrorCode::input_too_large);
  EXPECT_EQ(test::error_of([&] { load(-1); }).code(), ErrorCode::usage);
}

TEST(Scheduler, AHandleGivesThePiecesAndTheAnswer) {
  const Model model = load();
  const Answer expected = model.ask(question("What is in this image?", 12, {picture("shapes_100x80.png")}));
  Scheduler scheduler(model);
  Handle handle = scheduler.submit(question("What is in this image?", 12, {picture("shapes_100x80.png")}));
  std::string text;
  std::vector<int32_t> ids;
  while (const auto piece = handle.next()) {
    text += piece->text;
    if (piece->token_id >= 0) ids.push_back(piece->token_id);
  }
  EXPECT_TRUE(handle.ended());
  EXPECT_EQ(handle.next(), std::nullopt);
  EXPECT_EQ(handle.poll(), std::nullopt);
  EXPECT_EQ(handle.progress()->tiles_done, handle.progress()->tiles_total);
  const Answer answer = handle.wait();
  EXPECT_EQ(text, answer.text);
  EXPECT_EQ(ids, answer.token_ids);
  expect_same(answer, expected);
  EXPECT_EQ(scheduler.size(), 0);
}

TEST(Scheduler, MayBePolledAndTellsWhenThereIsSomethingNew) {
  const Model model = load();
  Scheduler scheduler(model);
  std::atomic<int> news = 0;
  Handle handle = scheduler.submit(question("Hello?", 20), [&] {
    ++news;
    news.notify_all();
  });
  std::string text;
  for (int seen = 0; !handle.ended();) {
    news.wait(seen);
    seen = news;
    while (const auto piece = handle.poll()) text += piece->text;
  }
  EXPECT_EQ(text, model.ask(question("Hello?", 20)).text);
  EXPECT_EQ(handle.wait().text, text);
}

TEST(Scheduler, WaitCallsTheCallbacksOfTheRequest) {
  const Model model = load();
  Scheduler scheduler(model);
  Request request = question("What is in this image?", 12, {picture("shapes_100x80.png")});
  std::string text;
  int64_t tiles = 0;
  request.on_text = [&](const StreamPiece& piece) {
    text += piece.text;
    return true;
  };
  request.on_progress = [&](const Progress& progress) {
    tiles = progress.tiles_done;
    return true;
  };
  const Answer answer = scheduler.submit(request).wait();
  EXPECT_EQ(text, answer.text);
  EXPECT_EQ(tiles, answer.images.at(0).tiles);
  request.on_text = [](const StreamPiece&) -> bool { throw std::runtime_error("mine"); };
  EXPECT_THROW(scheduler.submit(request).wait(), std::runtime_error);
}

TEST(Scheduler, RequestsJoinLeaveAndAreCancelled) {
  const Model model = load();
  const std::vector<Request> requests = some_requests();
  std::vector<Answer> expected;
  for (const Request& request : requests) expected.push_back(model.ask(request));
  for (const int64_t together : {1, 3, 8}) {
    Scheduler scheduler(model, {.max_sequences = together});
    std::vector<Handle> handles;
    for (const Request& request : requests) handles.push_back(scheduler.submit(request));
    std::string begun(handles[1].next()->text);
    handles[1].cancel();
    for (size_t i = 0; i < handles.size(); ++i) {
      const Answer answer = handles[i].wait();
      if (i != 1) {
        expect_same(answer, expected[i]);
        continue;
      }
      EXPECT_TRUE(answer.text.starts_with(begun));
      EXPECT_LE(answer.token_ids.size(), expected[i].token_ids.size());
      EXPECT_TRUE(
          std::equal(answer.token_ids.begin(), answer.token_ids.end(), expected[i].token_ids.begin()));
    }
  }
}

TEST(Scheduler, AHandleThatGoesAwayCancels) {
  const Model model = load();
  Scheduler scheduler(model, {.max_sequences = 1, .mailbox = 1});
  { const Handle handle = scheduler.submit(question("Hello?", 500)); }
  EXPECT_EQ(scheduler.submit(question("Hello?", 3)).wait().token_ids.size(), 3U);
}

TEST(Scheduler, OneThatGoesAwayCancelsWhatIsLeft) {
  const Model model = load();
  auto scheduler = std::make_unique<Scheduler>(model, SchedulerOptions{.mailbox = 2});
  Handle slow = scheduler->submit(question("Hello?", 500));
  ASSERT_TRUE(slow.next());
  scheduler.reset();
  EXPECT_EQ(slow.wait().finish_reason, FinishReason::cancelled);
}

TEST(Scheduler, OneThatReadsSlowlyStallsNobody) {
  const Model model = load();
  Scheduler scheduler(model, {.max_sequences = 1, .mailbox = 2});
  Handle slow = scheduler.submit(question("Hello?", 30));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(scheduler.submit(question("What?", 9)).wait().token_ids,
            model.ask(question("What?", 9)).token_ids);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(2));
  expect_same(slow.wait(), model.ask(question("Hello?", 30)));
}

TEST(Scheduler, TimeRunsOut) {
  const Model model = load();
  Scheduler scheduler(model, {.max_sequences = 1, .mailbox = 1});
  Request request = question("Hello?", 500);
  request.timeout_ms = 20;
  Handle handle = scheduler.submit(request);  // pauses after a piece, since nobody reads
  while (scheduler.size() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(test::error_of([&] { handle.wait(); }).code(), ErrorCode::timeout);
}

TEST(Scheduler, RefusesMoreThanMayWait) {
  const Model model = load();
  Scheduler scheduler(model, {.max_sequences = 1, .max_waiting = 1, .mailbox = 1});
  std::vector<Handle> handles;
  for (int i = 0; i < 2; ++i) handles.push_back(scheduler.submit(question("One?", 30)));
  const Error error = test::error_of([&] { scheduler.submit(question("Three?", 3)); });
  EXPECT_EQ(error.code(), ErrorCode::overloaded);
  EXPECT_THAT(error.what(), HasSubstr("2 requests"));
  for (Handle& handle : handles) handle.wait();
  EXPECT_EQ(scheduler.submit(question("Three?", 3)).wait().token_ids.size(), 3U);
}

TEST(Scheduler, ServesSeveralThreads) {
  const Model model = load();
  const Answer expected = model.ask(question("Hello?", 8));
  Scheduler scheduler(model, {.max_sequences = 4});
  std::atomic<int> whole = 0, cancelled = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        Handle handle = scheduler.submit(question("Hello?", 8));
        if (i == 2) handle.cancel();
        const Answer answer = handle.wait();
        if (answer.finish_reason == FinishReason::cancelled) {
          ++cancelled;
        } else {
          ++whole;
          EXPECT_EQ(answer.token_ids, expected.token_ids);
        }
      }
    });
  threads.clear();
  EXPECT_EQ(whole + cancelled, 15);
  EXPECT_GE(whole, 12);
  EXPECT_EQ(scheduler.size(), 0);
}

TEST(Scheduler, MemoryIsSharedAndAnswersStayTheSame) {
  const Model model = load();
  std::vector<Request> requests = some_requests();
  for (Request& request : requests) request.options.max_new_tokens = 40;
  const auto expected = model.ask_all(requests);
  const auto outcomes = load(0, {.max_sequences = 8, .max_memory = 3 << 20}).ask_all(requests);
  for (size_t i = 0; i < requests.size(); ++i) expect_same(outcomes[i].value(), expected[i].value());
}

// Another scheduler of the model holds more than this one may.
TEST(Scheduler, MemoryOfOthersIsNotItsOwn) {
  for (const int64_t kept : {0, 64 << 20}) {
    const Model model = load(kept);
    Scheduler large(model, {.mailbox = 1});
    std::vector<Handle> slow;
    for (int i = 0; i < 6; ++i) {
      slow.push_back(large.submit(question("What is in this image?", 60, {picture("shapes_100x80.png")})));
      ASSERT_TRUE(slow.back().next());
    }
    Scheduler small(model, {.max_memory = 2 << 20});
    Request request = question("What is in this image?", 60, {picture("shapes_100x80.png")});
    request.timeout_ms = 20'000;
    Answer answer;
    ASSERT_NO_THROW(answer = small.submit(request).wait()) << kept;
    expect_same(answer, slow[0].wait());
  }
}

// The last one to know the model must not be a thread that the model would wait for: here the one that still
// scales the second picture.
TEST(Scheduler, ACallbackMayHoldTheModel) {
  const std::vector<uint8_t> grey(3000 * 3000 * 3, 100);
  auto model = std::make_unique<Model>(load());
  Request request = question("What?", 5, {picture("shapes_100x80.png"), Image::from_rgb(3000, 3000, grey)});
  request.on_progress = [copy = *model](const Progress&) -> bool { throw std::runtime_error("mine"); };
  EXPECT_THROW(model->ask(request), std::runtime_error);
  const std::weak_ptr<const Model::State> state = model->state();
  model.reset();
  request.on_progress = {};
  while (!state.expired()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST(Scheduler, ANotifyThatThrowsHarmsNobody) {
  const Model model = load();
  const Answer expected = model.ask(question("Hello?", 8));
  Scheduler scheduler(model);
  Handle handle = scheduler.submit(question("Hello?", 8), [] { throw std::runtime_error("mine"); });
  expect_same(handle.wait(), expected);
  expect_same(scheduler.submit(question("Hello?", 8)).wait(), expected);
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

// While the first goes on, the others share its full pages.
TEST(PrefixReuse, RequestsSideBySideShareWhatTheyBeginWith) {
  constexpr int64_t kPage = 16;
  const Model plain = load(), keeping = load(64 << 20);
  const Image cat = picture("shapes_100x80.png");
  std::vector<Request> requests;
  for (const char* prompt : {"What is in this image?", "Which colours?", "How many?"})
    requests.push_back(question(prompt, 8, {cat}));
  const auto outcomes = keeping.ask_all(requests), expected = plain.ask_all(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    expect_same(outcomes[i].value(), expected[i].value());
    EXPECT_EQ(outcomes[i].answer.usage.cached_tokens > outcomes[i].answer.usage.image_tokens - kPage, i > 0);
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
