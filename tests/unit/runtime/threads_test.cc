// Threads are a model's: two in one process have their own numbers, and a model's threads end with it.
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <optional>
#include <thread>

#include "galago/galago.h"
#include "support/fixtures.h"

namespace galago {
namespace {

Model load(int threads) {
  LoadOptions options;
  options.threads = threads;
  return Model::load(test::data_path("models/smolvlm_tiles"), options);
}

Answer ask(const Model& model) {
  std::vector<uint8_t> pixels(size_t{3} * 900 * 700);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 % 251);
  Request request;
  request.prompt = "What is this?";
  request.images = {Image::from_rgb(900, 700, pixels)};
  request.options.max_new_tokens = 6;
  return model.ask(request);
}

auto threads_now() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }

TEST(ThreadsOfAModel, AreItsOwnAndEndWithIt) {
  const auto before = threads_now();
  std::optional<Model> one = load(1), three = load(3);
  EXPECT_EQ(threads_now(), before);
  const Answer alone = ask(*one);
  const auto scheduler =
      threads_now() - before;  // what a model of one thread has, whoever was loaded after it
  EXPECT_EQ(ask(*three).token_ids, alone.token_ids);
  EXPECT_EQ(threads_now(), before + 2 * scheduler + 2);
  one.reset();
  EXPECT_EQ(ask(*three).token_ids, alone.token_ids);
  three.reset();
  EXPECT_EQ(threads_now(), before);
}

TEST(ThreadsOfAModel, SeveralModelsAnswerSideBySide) {
  const Model two = load(2), three = load(3);
  const Answer expected = ask(two);
  std::vector<std::jthread> callers;
  for (const Model* model : {&two, &three, &two, &three})
    callers.emplace_back([&, model] {
      for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(*model).token_ids, expected.token_ids);
    });
}

}  // namespace
}  // namespace galago
