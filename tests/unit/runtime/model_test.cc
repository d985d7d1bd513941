// The public API: what a request gives back, how it is stopped, and what it refuses before any work.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "galago/galago.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;

const Model& tiny_model() {
  static const Model model = Model::load(test::data_path("models/smolvlm_tiles"), {.threads = 1});
  return model;
}

Image picture(const std::string& name) { return Image::open(test::data_path("pictures/" + name)); }

Request question(std::vector<Image> images) {
  Request request;
  request.prompt = "What is in this image?";
  request.images = std::move(images);
  request.options.max_new_tokens = 20;
  return request;
}

TEST(Model, SaysWhatItDid) {
  const Request request = question({picture("shapes_100x80.png"), picture("shapes_300x60.jpg")});
  const Answer answer = tiny_model().ask(request);
  ASSERT_EQ(answer.images.size(), 2U);
  EXPECT_EQ(answer.images[0].width, 100);
  EXPECT_EQ(answer.images[0].height, 80);
  EXPECT_EQ(answer.images[1].tiles, answer.images[1].rows * answer.images[1].cols + 1);
  EXPECT_EQ(answer.usage.image_tokens, answer.images[0].tokens + answer.images[1].tokens);
  EXPECT_EQ(answer.usage.image_tokens,
            std::count(answer.prompt_token_ids.begin(), answer.prompt_token_ids.end(), 510));
  EXPECT_EQ(answer.usage.prompt_tokens, std::ssize(answer.prompt_token_ids));
  EXPECT_EQ(answer.usage.completion_tokens, std::ssize(answer.token_ids));
  EXPECT_EQ(answer.token_ids.size(), 20U);
  EXPECT_EQ(answer.finish_reason, FinishReason::length);
  EXPECT_GT(answer.timings.vision_ms, 0);
  EXPECT_GT(answer.timings.prefill_ms, 0);
  EXPECT_GE(answer.timings.first_token_ms, answer.timings.prefill_ms);
}

TEST(Model, KeepsTheDocTagsOfAModelThatWritesThem) {
  EXPECT_FALSE(tiny_model().answer_defaults().doctags);
  EXPECT_EQ(tiny_model().answer_defaults().max_new_tokens, 256);
  const Model docling = Model::load(test::data_path("models/docling"), {.threads = 1});
  EXPECT_TRUE(docling.answer_defaults().doctags);
  EXPECT_EQ(docling.answer_defaults().max_new_tokens, 8192);
  Request request{.prompt = "Convert this page to docling.", .images = {picture("shapes_300x60.jpg")}};
  const Answer answer = docling.ask(request);
  EXPECT_THAT(answer.text, testing::Not(HasSubstr("</otsl>"))) << "no table was opened";
  EXPECT_THAT(answer.text, testing::EndsWith("</doctag>"));
  EXPECT_EQ(answer.finish_reason, FinishReason::stop);
  ASSERT_TRUE(answer.confidence);
  EXPECT_EQ(answer.confidence->tokens, std::ssize(answer.token_ids) - 1) << "all but the end token";
  request.options.legal_doctags = false;
  EXPECT_THAT(docling.ask(request).text, HasSubstr("</otsl>"));
  request.options.legal_doctags = true;
  EXPECT_EQ(docling.ask_all(std::vector{request}).at(0).value().text, answer.text);
  request.options.keep_special = false;
  EXPECT_THAT(docling.ask(request).text, testing::Not(HasSubstr("</doctag>")));
  request.options.keep_special = true;
  EXPECT_EQ(docling.ask(request).text, answer.text + "<|end_of_text|>");
}

TEST(Model, PlansAnImageAsItWillCutIt) {
  for (const bool split : {true, false}) {
    Request request = question({picture("shapes_640x488.jpg")});
    request.split_images = split;
    request.options.max_new_tokens = 1;
    const ImageInfo planned = tiny_model().plan_image(640, 488, split);
    const ImageInfo done = tiny_model().ask(request).images.at(0);
    EXPECT_EQ(planned.rows, done.rows);
    EXPECT_EQ(planned.cols, done.cols);
    EXPECT_EQ(planned.tiles, done.tiles);
    EXPECT_EQ(planned.tokens, done.tokens);
    EXPECT_EQ(planned.rows == 0, !split);
  }
}

TEST(Model, StreamsTheTextItReturns) {
  Request request = question({picture("shapes_100x80.png")});
  std::string streamed;
  std::vector<int32_t> ids;
  request.on_text = [&](const StreamPiece& piece) {
    streamed += piece.text;
    if (piece.token_id >= 0) ids.push_back(piece.token_id);
    return true;
  };
  const Answer answer = tiny_model().ask(request);
  EXPECT_EQ(streamed, answer.text);
  EXPECT_EQ(ids, answer.token_ids);
  EXPECT_FALSE(answer.text.empty());
}

TEST(Model, StopsWhenTheReaderHasEnough) {
  Request request = question({picture("shapes_100x80.png")});
  int pieces = 0;
  request.on_text = [&](const StreamPiece&) { return ++pieces < 3; };
  const Answer answer = tiny_model().ask(request);
  EXPECT_EQ(answer.finish_reason, FinishReason::cancelled);
  EXPECT_EQ(answer.token_ids.size(), 3U);
}

TEST(Model, ReportsTilesOverAllImagesAndStopsBetweenThem) {
  Request request = question({picture("shapes_100x80.png"), picture("shapes_300x60.jpg")});
  request.options.max_new_tokens = 1;
  std::vector<int64_t> done;
  int64_t total = 0;
  request.on_progress = [&](const Progress& p) {
    done.push_back(p.tiles_done);
    total = p.tiles_total;
    return true;
  };
  const Answer whole = tiny_model().ask(request);
  EXPECT_EQ(total, whole.images[0].tiles + whole.images[1].tiles);
  EXPECT_EQ(done.back(), total);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  request.on_progress = [](const Progress&) { return false; };
  const Answer stopped = tiny_model().ask(request);
  EXPECT_EQ(stopped.finish_reason, FinishReason::cancelled);
  EXPECT_TRUE(stopped.token_ids.empty());
  EXPECT_EQ(stopped.prompt_token_ids, whole.prompt_token_ids);
}

TEST(Model, RefusesBeforeAnyWork) {
  Request request = question({picture("shapes_100x80.png")});
  bool worked = false;
  request.on_progress = [&](const Progress&) { return worked = true; };
  request.on_text = [&](const StreamPiece&) { return worked = true; };
  const auto code = [&] { return test::error_of([&] { tiny_model().ask(request); }).code(); };
  request.options.temperature = -1;
  EXPECT_EQ(code(), ErrorCode::usage);
  request.options.temperature = 0;
  for (int i = 0; i < 3000; ++i) request.prompt += " word";
  EXPECT_EQ(code(), ErrorCode::input_too_large);
  request.prompt = std::string((16 << 20) + 1, 'a');
  EXPECT_EQ(code(), ErrorCode::input_too_large);
  request.prompt = "\xff\xfe";
  EXPECT_EQ(code(), ErrorCode::input_invalid);
  EXPECT_FALSE(worked);
}

TEST(Model, SamplingWithASeedIsReproducible) {
  Request request = question({picture("shapes_37x90.png")});
  request.options.temperature = 1;
  request.options.seed = 7;
  const Answer first = tiny_model().ask(request);
  EXPECT_EQ(tiny_model().ask(request).token_ids, first.token_ids);
  request.options.seed = 8;
  EXPECT_NE(tiny_model().ask(request).token_ids, first.token_ids);
}

TEST(Model, MayBeAskedFromSeveralThreads) {
  const Request request = question({picture("shapes_100x80.png")});
  const std::vector<int32_t> expected = tiny_model().ask(request).token_ids;
  std::vector<std::vector<int32_t>> answers(3);
  std::vector<std::thread> threads;
  for (auto& ids : answers) threads.emplace_back([&] { ids = tiny_model().ask(request).token_ids; });
  for (std::thread& thread : threads) thread.join();
  for (const auto& ids : answers) EXPECT_EQ(ids, expected);
}

TEST(Model, OutlivesTheHandleItWasCopiedFrom) {
  auto first = std::make_unique<Model>(Model::load(test::data_path("models/tied_head")));
  const Model second = *first;
  first.reset();
  Request request = question({});
  request.options.max_new_tokens = 2;
  EXPECT_EQ(second.ask(request).token_ids.size(), 2U);
}

TEST(ModelLoad, SaysWhatIsWrong) {
  EXPECT_EQ(test::error_of([] { Model::load("/no/such/model"); }).code(), ErrorCode::not_found);
  EXPECT_EQ(test::error_of([] { Model::load(test::data_path("pictures")); }).code(), ErrorCode::not_found);
}

TEST(Images, ComeFromFilesBytesAndPixels) {
  const Image file = picture("shapes_37x90.png");
  const std::string bytes = test::read_bytes(test::data_path("pictures/shapes_37x90.png"));
  const Image memory = Image::from_bytes(std::as_bytes(std::span(bytes)));
  const Image pixels = Image::from_rgb(37, 90, file.pixels());
  for (const Image& image : {memory, pixels}) {
    EXPECT_EQ(image.width(), 37);
    EXPECT_EQ(image.height(), 90);
    EXPECT_TRUE(std::ranges::equal(image.pixels(), file.pixels()));
  }
  EXPECT_EQ(tiny_model().ask(question({pixels})).token_ids, tiny_model().ask(question({file})).token_ids);
}

TEST(Images, RefuseSizesThatDoNotFitTheirBytes) {
  const std::vector<uint8_t> six(6);
  EXPECT_NO_THROW(Image::from_rgb(2, 1, six));
  const int64_t huge = int64_t{1} << 62;
  for (const auto& [width, height] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {3, 1}, {-2, -1}, {0, 0}, {huge, huge}, {huge, 4}})
    EXPECT_EQ(test::error_of([&six, width = width, height = height] {
                Image::from_rgb(width, height, six);
              }).code(),
              ErrorCode::input_invalid);
  EXPECT_EQ(test::error_of([&] { Image::from_rgb(0, 0, {}); }).code(), ErrorCode::input_invalid);
  EXPECT_EQ(test::error_of([] { Image::open("/no/such/picture.png"); }).code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace galago
