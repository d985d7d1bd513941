// Asking twice about one picture, through the public API; the two places where rows are kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "galago/galago.h"
#include "runtime/feature_cache.h"
#include "support/model_files.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

Model tiny(const ImageCacheOptions& cache = {},
           const fs::path& directory = test::data_path("models/smolvlm_tiles")) {
  LoadOptions options;
  options.threads = 1;
  options.image_cache = cache;
  return Model::load(directory, options);
}

Request question(std::vector<Image> images) {
  Request request;
  request.prompt = "What is in this image?";
  request.images = std::move(images);
  request.options.max_new_tokens = 8;
  return request;
}

Image shapes() { return Image::open(test::data_path("pictures/shapes_100x80.png")); }

std::vector<int64_t> numbers(const CacheCounts& c) {
  return {c.memory_hits, c.directory_hits, c.misses, c.unsaved, c.tiles_encoded, c.tiles_repeated};
}
const std::vector<int64_t> kMiss{0, 0, 1, 0, 17, 0};
const std::vector<int64_t> kMemoryHit{1, 0, 0, 0, 0, 0};
const std::vector<int64_t> kDirectoryHit{0, 1, 0, 0, 0, 0};

TEST(ImageCache, AskingTwiceEncodesOnce) {
  const Model model = tiny();
  const Answer first = model.ask(question({shapes()}));
  EXPECT_EQ(numbers(first.cache), kMiss);
  EXPECT_GT(first.timings.vision_ms, 0);
  Request other = question({shapes()});  // the same pixels, decoded anew
  const Answer second = model.ask(other);
  EXPECT_EQ(numbers(second.cache), kMemoryHit);
  EXPECT_EQ(second.token_ids, first.token_ids);
  EXPECT_EQ(second.timings.vision_ms, 0);
  other.prompt = "And the colours?";
  EXPECT_EQ(numbers(model.ask(other).cache), kMemoryHit);
  EXPECT_EQ(numbers(tiny().ask(question({shapes()})).cache), kMiss);  // each model has its own
}

TEST(ImageCache, AnotherPillowFindsNoRowsInTheFolder) {
  const test::TempDir directory;
  const auto asked = [&](int pillow) {
    LoadOptions options;
    options.threads = 1;
    options.image_cache.directory = directory.path();
    options.pillow = pillow;
    const Model model = Model::load(test::data_path("models/smolvlm_tiles"), options);
    return numbers(model.ask(question({shapes()})).cache);
  };
  EXPECT_EQ(asked(13), kMiss);
  EXPECT_EQ(asked(12), kMiss);
  EXPECT_EQ(asked(13), kDirectoryHit);
  EXPECT_EQ(asked(12), kDirectoryHit);
  EXPECT_EQ(test::error_of([&] { asked(11); }).code(), ErrorCode::usage);
}

TEST(ImageCache, ProgressStillCountsAllTiles) {
  const Model model = tiny();
  Request request = question({shapes()});
  model.ask(request);
  std::vector<int64_t> done;
  request.on_progress = [&](const Progress& p) {
    done.push_back(p.tiles_done);
    return true;
  };
  model.ask(request);
  EXPECT_EQ(done.back(), 17);
}

TEST(ImageCache, AnotherSplittingIsAnotherPicture) {
  const Model model = tiny();
  Request request = question({shapes()});
  const Answer cut = model.ask(request);
  request.split_images = false;
  const Answer whole = model.ask(request);
  EXPECT_EQ(whole.cache.misses, 1);
  EXPECT_EQ(whole.usage.image_tokens, whole.images[0].tokens);
  EXPECT_EQ(whole.token_ids, tiny().ask(request).token_ids);
  request.split_images.reset();
  EXPECT_EQ(model.ask(request).token_ids, cut.token_ids);
}

TEST(ImageCache, OneImageMayBeSplitOtherwiseThanTheRest) {
  const Model model = tiny();
  const Answer both = model.ask(question({shapes(), shapes().with_split(false)}));
  ASSERT_EQ(both.images.size(), 2u);
  EXPECT_GT(both.images[0].tiles, 1);
  EXPECT_EQ(both.images[1].tiles, 1);
  EXPECT_EQ(both.cache.misses, 2);
  Request whole = question({shapes()});
  whole.split_images = false;
  EXPECT_EQ(model.ask(whole).cache.misses, 0);
  EXPECT_EQ(model.ask(question({shapes().with_split(false)})).token_ids, tiny().ask(whole).token_ids);
}

TEST(ImageCache, OfNoBytesKeepsNothing) {
  const Model model = tiny({.memory_bytes = 0});
  model.ask(question({shapes()}));
  EXPECT_EQ(numbers(model.ask(question({shapes()})).cache), kMiss);
}

TEST(ImageCache, RefusesLimitsBelowZero) {
  EXPECT_EQ(test::error_of([] { tiny({.memory_bytes = -1}); }).code(), ErrorCode::usage);
  EXPECT_EQ(test::error_of([] { tiny({.directory_bytes = -1}); }).code(), ErrorCode::usage);
}

TEST(ImageCache, SeveralThreadsAskAboutOnePicture) {
  const std::vector<int32_t> expected = tiny().ask(question({shapes()})).token_ids;
  const test::TempDir directory;
  const Model model = tiny({.directory = directory.path()});
  std::vector<std::vector<int32_t>> answers(4);
  std::vector<std::thread> threads;
  for (auto& ids : answers) threads.emplace_back([&] { ids = model.ask(question({shapes()})).token_ids; });
  for (std::thread& thread : threads) thread.join();
  for (const auto& ids : answers) EXPECT_EQ(ids, expected);
  EXPECT_EQ(numbers(model.ask(question({shapes()})).cache), kMemoryHit);
}

TEST(ImageCache, KeepsFramesOfVideos) {
  const Model model = tiny({}, test::data_path("models/smolvlm2_video"));
  Request request = question({});
  const std::vector<Image> frames{shapes(), Image::from_rgb(100, 80, std::vector<uint8_t>(24'000, 9))};
  request.videos = {Video::from_frames(frames, 1)};
  const Answer first = model.ask(request);
  EXPECT_EQ(first.cache.misses, 2);
  const Answer second = model.ask(request);
  EXPECT_EQ(second.cache.memory_hits, 2);
  EXPECT_EQ(second.token_ids, first.token_ids);
  request.images = {frames[0]};  // a frame is no image: other resizing, other rows
  EXPECT_EQ(model.ask(request).cache.misses, 1);
}

TEST(ImageCacheDirectory, OutlivesTheModel) {
  const test::TempDir directory;
  const ImageCacheOptions cache{.directory = directory.path() / "rows"};
  const Answer first = tiny(cache).ask(question({shapes()}));
  EXPECT_EQ(numbers(first.cache), kMiss);
  const Model again = tiny(cache);
  const Answer second = again.ask(question({shapes()}));
  EXPECT_EQ(numbers(second.cache), kDirectoryHit);
  EXPECT_EQ(second.token_ids, first.token_ids);
  EXPECT_EQ(numbers(again.ask(question({shapes()})).cache), kMemoryHit);
}

TEST(ImageCacheDirectory, GivesTheSameBits) {
  const test::TempDir directory;
  const FeatureMemory none(0);
  CacheCounts counts;
  const auto rows = std::make_shared<const Tensor>(test::random_tensor({17, 5}, 3));
  FeatureCache({.directory = directory.path()}, [] { return Digest{1}; }).put(Digest{2}, rows, counts);
  FeatureCache same({.directory = directory.path()}, [] { return Digest{1}; });
  FeatureCache other({.directory = directory.path()}, [] { return Digest{3}; });
  EXPECT_EQ(test::values(*same.find(Digest{2}, {17, 5}, counts)), test::values(*rows));
  EXPECT_EQ(other.find(Digest{2}, {17, 5}, counts), nullptr);
  EXPECT_EQ(same.find(Digest{4}, {17, 5}, counts), nullptr);
  EXPECT_EQ(counts.directory_hits, 1);
  EXPECT_EQ(counts.misses, 2);
}

TEST(ImageCacheDirectory, AsksForTheModelsKeyOnceAndOnlyThen) {
  const test::TempDir directory;
  int asked = 0;
  const auto key = [&] {
    ++asked;
    return Digest{};
  };
  CacheCounts counts;
  FeatureCache without({}, key);
  without.find(Digest{1}, {1, 1}, counts);
  EXPECT_EQ(asked, 0);
  FeatureCache with({.directory = directory.path()}, key);
  EXPECT_EQ(asked, 0);
  with.find(Digest{1}, {1, 1}, counts);
  with.find(Digest{2}, {1, 1}, counts);
  EXPECT_EQ(asked, 1);
}

TEST(ImageCacheDirectory, IsNotSharedByModelsThatDiffer) {
  const test::TempDir directory;
  const ImageCacheOptions cache{.directory = directory.path()};
  tiny(cache).ask(question({shapes()}));
  const test::ModelCopy copy;
  copy.edit("config.json", "\"layer_norm_eps\": 1e-06", "\"layer_norm_eps\": 1e-05");
  EXPECT_EQ(numbers(tiny(cache, copy.path()).ask(question({shapes()})).cache), kMiss);
  const test::ModelCopy same;
  EXPECT_EQ(numbers(tiny(cache, same.path()).ask(question({shapes()})).cache), kDirectoryHit);
}

TEST(ImageCacheDirectory, DamagedFilesAreEncodedAnewAndReplaced) {
  const test::TempDir directory;
  const ImageCacheOptions cache{.directory = directory.path()};
  const Answer first = tiny(cache).ask(question({shapes()}));
  const fs::path file = fs::directory_iterator(directory.path())->path();
  std::string bytes = test::read_bytes(file);
  bytes[bytes.size() / 2] ^= 4;
  directory.add(file.filename(), bytes);
  const Answer second = tiny(cache).ask(question({shapes()}));
  EXPECT_EQ(numbers(second.cache), kMiss);
  EXPECT_EQ(second.token_ids, first.token_ids);
  EXPECT_EQ(numbers(tiny(cache).ask(question({shapes()})).cache), kDirectoryHit);
}

TEST(ImageCacheDirectory, ThatCannotBeWrittenToIsAnErrorAtLoad) {
  const test::TempDir directory;
  directory.add("file", "");
  const Error error = test::error_of([&] { tiny({.directory = directory.path() / "file"}); });
  EXPECT_EQ(error.code(), ErrorCode::output_io);
}

TEST(ImageCacheDirectory, ThatGoesAwayCostsNoAnswer) {
  const test::TempDir directory;
  const Model model = tiny({.memory_bytes = 0, .directory = directory.path() / "rows"});
  fs::remove_all(directory.path() / "rows");
  directory.add("rows", "a file in its place");
  for (int i = 0; i < 2; ++i) {
    const Answer answer = model.ask(question({shapes()}));
    EXPECT_EQ(answer.cache.misses, 1);
    EXPECT_EQ(answer.cache.unsaved, 1);
    EXPECT_EQ(answer.token_ids.size(), 8U);
  }
}

SharedRows rows_of(int64_t floats) { return std::make_shared<const Tensor>(Shape{floats, 1}); }

TEST(FeatureCache, RowsOfAnotherShapeAreAMissAndAreReplaced) {
  FeatureCache cache({}, [] { return Digest{}; });
  CacheCounts counts;
  cache.put(Digest{1}, std::make_shared<const Tensor>(Shape{2, 3}), counts);
  EXPECT_EQ(cache.find(Digest{1}, {3, 2}, counts), nullptr);
  EXPECT_EQ(counts.misses, 1);
  EXPECT_EQ(counts.memory_hits, 0);
  const auto rows = std::make_shared<const Tensor>(Shape{3, 2});
  cache.put(Digest{1}, rows, counts);
  EXPECT_EQ(cache.find(Digest{1}, {3, 2}, counts), rows);
  EXPECT_EQ(counts.memory_hits, 1);
}

TEST(FeatureMemory, ReplacedRowsAreNotCounted) {
  FeatureMemory memory(40);
  memory.put(Digest{1}, std::make_shared<const Tensor>(Shape{2, 3}));
  memory.put(Digest{1}, std::make_shared<const Tensor>(Shape{1, 4}));
  EXPECT_EQ(memory.bytes(), 16);
}

TEST(FeatureMemory, DropsWhatWasUsedLongestAgo) {
  FeatureMemory memory(40);
  memory.put(Digest{1}, rows_of(4));
  memory.put(Digest{2}, rows_of(4));
  EXPECT_EQ(memory.bytes(), 32);
  EXPECT_NE(memory.find(Digest{1}), nullptr);
  memory.put(Digest{3}, rows_of(4));
  EXPECT_EQ(memory.find(Digest{2}), nullptr);
  EXPECT_NE(memory.find(Digest{1}), nullptr);
  EXPECT_NE(memory.find(Digest{3}), nullptr);
  memory.put(Digest{4}, rows_of(10));
  EXPECT_EQ(memory.bytes(), 40);
  EXPECT_EQ(memory.find(Digest{1}), nullptr);
  memory.put(Digest{5}, rows_of(11));  // over the limit by itself
  EXPECT_EQ(memory.find(Digest{5}), nullptr);
  EXPECT_NE(memory.find(Digest{4}), nullptr);
  memory.put(Digest{4}, rows_of(10));  // again
  EXPECT_EQ(memory.bytes(), 40);
}

TEST(FeatureMemory, WhoHoldsRowsKeepsThem) {
  FeatureMemory memory(16);
  memory.put(Digest{1}, rows_of(4));
  const SharedRows held = memory.find(Digest{1});
  memory.put(Digest{2}, rows_of(4));
  EXPECT_EQ(memory.find(Digest{1}), nullptr);
  EXPECT_EQ(held->size(), 4);
}

}  // namespace
}  // namespace galago
