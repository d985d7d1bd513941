// `galago run --image-cache-dir` from the outside: a second process does not encode what the first one did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> ask(const std::vector<std::string>& more) {
  return std::vector<std::string>{"run",
                                  "-m",
                                  tiny(),
                                  "-i",
                                  picture("shapes_100x80.png"),
                                  "-n",
                                  "12",
                                  "-p",
                                  "What is in this image?"} +
         more;
}

Json ask_json(const std::vector<std::string>& more) {
  const Finished done = galago(ask(more) + std::vector<std::string>{"--json"});
  EXPECT_EQ(done.code, 0) << done.err;
  return done.code == 0 ? done.json() : Json::object();
}

TEST(RunImageCache, TheSecondProcessDoesNotEncode) {
  const TempDir directory;
  const std::vector<std::string> cached{"--image-cache-dir", directory.file("rows")};
  const Json plain = ask_json({});
  const Json first = ask_json(cached);
  EXPECT_EQ(first["cache"]["misses"], 1);
  EXPECT_EQ(first["cache"]["tiles_encoded"], 17);
  const Json second = ask_json(cached);
  EXPECT_EQ(second["cache"]["directory_hits"], 1);
  EXPECT_EQ(second["cache"]["misses"], 0);
  EXPECT_EQ(second["cache"]["tiles_encoded"], 0);
  EXPECT_EQ(second["timings"]["vision_ms"], 0);
  for (const Json& answer : {first, second}) {
    EXPECT_EQ(answer["token_ids"], plain["token_ids"]);
    EXPECT_EQ(answer["prompt_token_ids"], plain["prompt_token_ids"]);
  }
}

TEST(RunImageCache, AnotherSplittingOrModelIsAMiss) {
  const TempDir directory;
  const std::vector<std::string> cached{"--image-cache-dir", directory.file("rows")};
  ask_json(cached);
  EXPECT_EQ(ask_json(cached + std::vector<std::string>{"--no-split"})["cache"]["misses"], 1);
  std::vector<std::string> other = ask(cached) + std::vector<std::string>{"--json"};
  other[2] = tiny("tied_head");
  EXPECT_EQ(galago(other).json()["cache"]["misses"], 1);
  EXPECT_EQ(ask_json(cached)["cache"]["directory_hits"], 1);
}

TEST(RunImageCache, StatsSayWhatWasNotEncoded) {
  const TempDir directory;
  const std::vector<std::string> stats{"--image-cache-dir", directory.file("rows"), "--stats"};
  EXPECT_THAT(galago(ask(stats)).err,
              HasSubstr("image cache: 0 hits, 1 miss; tiles: 17 encoded, 0 repeated"));
  EXPECT_THAT(galago(ask(stats)).err,
              HasSubstr("image cache: 1 hit, 0 misses; tiles: 0 encoded, 0 repeated"));
  const Finished twice = galago(ask({"--stats", "-i", picture("shapes_100x80.png")}));
  EXPECT_THAT(twice.err, HasSubstr("tiles: 17 encoded, 17 repeated"));
  const Finished text = galago({"run", "-m", tiny(), "-n", "2", "-p", "Hello", "--stats"});
  EXPECT_THAT(text.err, Not(HasSubstr("image cache")));
}

TEST(RunImageCache, TheFolderStaysWithinItsSize) {
  const TempDir directory;
  const auto bytes = [&] {
    uintmax_t sum = 0;
    for (const auto& entry : fs::directory_iterator(directory.file("rows"))) sum += entry.file_size();
    return sum;
  };
  const std::vector<std::string> cached{"--image-cache-dir", directory.file("rows")};
  for (const char* name : {"shapes_37x90.png", "shapes_64x64.png", "shapes_300x60.jpg"})
    ask_json(cached + std::vector<std::string>{"-i", picture(name)});
  EXPECT_GT(bytes(), 100U << 10);
  const Json small = ask_json(cached + std::vector<std::string>{"--image-cache-size", "100kB", "--no-split"});
  EXPECT_EQ(small["cache"]["unsaved"], 0);
  EXPECT_LE(bytes(), 100U << 10);
  EXPECT_EQ(ask_json(cached + std::vector<std::string>{"--no-split"})["cache"]["directory_hits"], 1);
}

TEST(RunImageCache, RefusesWhatCannotBe) {
  const TempDir directory;
  directory.add("file", "");
  const Finished file = galago(ask({"--image-cache-dir", directory.file("file")}));
  EXPECT_EQ(file.code, 74);
  EXPECT_THAT(file.err, HasSubstr("output_io: " + directory.file("file")));
  const Finished alone = galago(ask({"--image-cache-size", "1GB"}));
  EXPECT_EQ(alone.code, 64);
  EXPECT_THAT(alone.err, HasSubstr("--image-cache-dir"));
  for (const char* size : {"many", "-1", "99999999999999GB", "1XB"}) {
    const Finished bad =
        galago(ask({"--image-cache-dir", directory.file("rows"), "--image-cache-size", size}));
    EXPECT_EQ(bad.code, 64) << size;
  }
}

TEST(RunImageCache, ProcessesShareTheFolder) {
  const TempDir directory;
  const std::string expected = galago(ask({})).out;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const Finished done = galago(ask({"--image-cache-dir", directory.file("rows")}));
      EXPECT_EQ(done.code, 0) << done.err;
      EXPECT_EQ(done.out, expected);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ask_json({"--image-cache-dir", directory.file("rows")})["cache"]["directory_hits"], 1);
  const auto files = fs::directory_iterator(directory.file("rows"));
  EXPECT_EQ(std::distance(fs::begin(files), fs::end(files)), 1);
}

}  // namespace
}  // namespace galago::test
