// Videos through the frontend and the public API: prompts and answers as transformers gives them, settings
// that are refused, and models without videos.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "galago/galago.h"
#include "image/video.h"
#include "support/model_files.h"

namespace galago {
namespace {

using test::error_of;
using testing::HasSubstr;

constexpr const char* kModel = "smolvlm2_video";

std::string clip(const std::string& name) { return test::data_path("images/animations/" + name); }

Json facts_of(const std::string& golden) {
  return Json::parse(test::read_bytes(test::data_path("goldens/" + golden + "/golden.json")));
}

TEST(VideoPrompt, HasTheTextOfTransformers) {
  const auto frontend = load_frontend(test::data_path("models/smolvlm2_video"));
  for (const char* name : {"video_gif", "video_webp_system", "two_videos", "video_folder"}) {
    SCOPED_TRACE(name);
    const Json facts = facts_of(name);
    std::vector<VideoPlan> plans;
    for (const Json& video : facts["videos"]) {
      const auto path = test::data_path("goldens/") + name + "/" + video["path"].get<std::string>();
      const auto fps = video.contains("fps") ? std::optional(video["fps"].get<double>()) : std::nullopt;
      plans.push_back(frontend->require_video().plan(open_video(path, fps)->facts()));
    }
    const PromptText text{.prompt = facts["prompt"],
                          .system = facts["system"].is_null() ? "" : facts["system"].get<std::string>()};
    std::string joined;
    for (const Segment& segment : frontend->prompt(text, {}, plans)) joined += segment.text;
    EXPECT_EQ(joined, facts["expanded_prompt"].get<std::string>());
  }
}

TEST(FamilyPrompts, HaveTheIdsOfTransformers) {
  const Json rows = Json::parse(test::read_bytes(test::data_path("text/idefics3_prompts.json")));
  EXPECT_GE(rows.size(), 6U);
  for (const Json& row : rows) {
    SCOPED_TRACE(row["prompt"].get<std::string>());
    const auto frontend = load_frontend(test::data_path("models/" + row["model"].get<std::string>()));
    std::vector<ImageSize> sizes;
    for (const Json& picture : row["pictures"]) {
      const RgbImage image = load_image(test::data_path("pictures/" + picture.get<std::string>()));
      sizes.push_back({image.width, image.height});
    }
    // The reference takes every token it finds in the text.
    const PromptText text{.prompt = row["prompt"], .parse_special = true};
    EXPECT_EQ(plan_prompt(*frontend, text, sizes, {}).ids, row["ids"].get<std::vector<int32_t>>());
  }
}

TEST(VideoModel, AnswersAndTellsWhatItSaw) {
  const Model model = Model::load(test::data_path("models/smolvlm2_video"));
  Request request{.prompt = "What happens in the video?", .videos = {Video::open(clip("clip.gif"))}};
  request.options.max_new_tokens = 64;
  int64_t most = 0;
  request.on_progress = [&](const Progress& p) {
    EXPECT_LE(p.tiles_done, p.tiles_total);
    most = std::max(most, p.tiles_done);
    return true;
  };
  const Answer answer = model.ask(request);
  EXPECT_EQ(answer.text, facts_of("video_gif")["generated_text"].get<std::string>());
  ASSERT_EQ(answer.videos.size(), 1U);
  EXPECT_EQ(answer.videos[0].frames, 12);
  EXPECT_EQ(answer.videos[0].sampled, (std::vector<int64_t>{0, 2, 4, 6, 8, 11}));
  EXPECT_EQ(answer.videos[0].tokens, 24);
  EXPECT_EQ(answer.usage.image_tokens, 24);
  EXPECT_EQ(most, 6);
}

TEST(VideoModel, FramesInMemoryGiveTheAnswerOfTheFile) {
  std::vector<Image> frames;
  for (int i = 0; i < 4; ++i)
    frames.push_back(Image::open(clip("frames/frame_" + std::to_string(i) + ".png")));
  const Model model = Model::load(test::data_path("models/smolvlm2_video"));
  Request request{.prompt = "How many frames?", .videos = {Video::from_frames(frames, 0.5)}};
  request.options.max_new_tokens = 64;
  EXPECT_EQ(model.ask(request).text, facts_of("video_folder")["generated_text"].get<std::string>());
}

TEST(VideoModel, ImagesComeBeforeVideos) {
  const Model model = Model::load(test::data_path("models/smolvlm2_video"));
  Request request{.prompt = "Hm?",
                  .images = {Image::open(test::data_path("pictures/shapes_37x90.png"))},
                  .videos = {Video::open(clip("still.webp"))}};
  request.options.max_new_tokens = 1;
  request.split_images = false;
  const Answer answer = model.ask(request);
  EXPECT_EQ(answer.images.size(), 1U);
  EXPECT_EQ(answer.videos.size(), 1U);
  EXPECT_EQ(answer.usage.image_tokens, answer.images[0].tokens + answer.videos[0].tokens);
}

TEST(VideoModel, StopsBetweenFrames) {
  const Model model = Model::load(test::data_path("models/smolvlm2_video"));
  Request request{.prompt = "Hm?", .videos = {Video::open(clip("clip.gif"))}};
  request.on_progress = [](const Progress& p) { return p.tiles_done < 2; };
  EXPECT_EQ(model.ask(request).finish_reason, FinishReason::cancelled);
}

TEST(VideoModel, ModelsWithoutVideosSaySo) {
  for (const char* name : {"smolvlm_tiles", "idefics3_llama3", "docling"}) {
    SCOPED_TRACE(name);
    const Model model = Model::load(test::data_path("models/") + name);
    const Request request{.prompt = "Hm?", .videos = {Video::open(clip("clip.gif"))}};
    const Error error = error_of([&] { model.ask(request); });
    EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
    EXPECT_THAT(error.hint(), HasSubstr("--image"));
  }
}

TEST(VideoModel, TheProcessorsClassDecides) {
  const test::ModelCopy other(kModel);
  for (const char* file : {"tokenizer_config.json", "preprocessor_config.json", "processor_config.json"})
    other.edit(file, "SmolVLMProcessor", "Idefics3Processor");
  EXPECT_EQ(load_frontend(other.path())->video(), nullptr);
  const test::ModelCopy silent(kModel);  // then model_type does
  for (const char* file : {"tokenizer_config.json", "preprocessor_config.json", "processor_config.json"})
    silent.edit(file, "processor_class", "some_class");
  EXPECT_NE(load_frontend(silent.path())->video(), nullptr);
}

TEST(VideoModel, TooManyVideosOrFramesAreRefused) {
  const Model model = Model::load(test::data_path("models/smolvlm2_video"));
  const Video video = Video::open(clip("still.webp"));
  const Request many{.prompt = "Hm?", .videos = std::vector<Video>(65, video)};
  EXPECT_EQ(error_of([&] { model.ask(many); }).code(), ErrorCode::input_too_large);
  const Request deep{.prompt = "Hm?", .videos = std::vector<Video>(40, video)};  // beyond the context
  EXPECT_EQ(error_of([&] { model.ask(deep); }).code(), ErrorCode::input_too_large);
}

/// One edit of preprocessor_config.json, where the settings of videos are.
struct BadSettings {
  const char* name;
  std::string old;
  std::string now;
  ErrorCode code;
  const char* names;
};

constexpr auto kInvalid = ErrorCode::model_invalid;
constexpr auto kUnsupported = ErrorCode::model_unsupported;

TEST(HostileVideoSettings, HaveTheirErrorCodes) {
  const std::string sampling = "\"video_sampling\": {";
  const std::string size = "\"size\": {\n    \"longest_edge\": 256\n  }";
  const std::vector<BadSettings> rows = {
      {"SamplingList", sampling, "\"video_sampling\": [], \"x\": {", kInvalid, "video_sampling"},
      {"SamplingText", sampling, "\"video_sampling\": \"1 fps\", \"x\": {", kInvalid, "video_sampling"},
      {"NoFps", "\"fps\": 1", "\"rate\": 1", kInvalid, "fps"},
      {"FpsText", "\"fps\": 1", "\"fps\": \"1\"", kInvalid, "fps"},
      {"FpsNegative", "\"fps\": 1", "\"fps\": -1", kInvalid, "fps"},
      {"FpsHuge", "\"fps\": 1", "\"fps\": 1e9", kInvalid, "fps"},
      {"NoFrames", "\"max_frames\": 8", "\"frames\": 8", kInvalid, "max_frames"},
      {"FramesZero", "\"max_frames\": 8", "\"max_frames\": 0", kInvalid, "max_frames"},
      {"FramesNegative", "\"max_frames\": 8", "\"max_frames\": -8", kInvalid, "max_frames"},
      {"FramesFloat", "\"max_frames\": 8", "\"max_frames\": 8.5", kInvalid, "max_frames"},
      {"FramesHuge", "\"max_frames\": 8", "\"max_frames\": 4097", kInvalid, "max_frames"},
      {"OnlyFrames", sampling, "\"num_frames\": 8, \"x\": {", kInvalid, "both num_frames and fps"},
      {"OnlyFps", sampling, "\"fps\": 8, \"x\": {", kInvalid, "both num_frames and fps"},
      {"SizeList", size, "\"size\": []", kUnsupported, "size"},
      {"SizeHeightWidth", size, "\"size\": {\"height\": 4, \"width\": 4}", kUnsupported, "longest_edge"},
      {"SizeZero", size, "\"size\": {\"longest_edge\": 0}", kInvalid, "longest_edge"},
      {"Nearest", "\"resample\": 1", "\"resample\": 0", kUnsupported, "resample"},
      {"Box", "\"resample\": 1", "\"resample\": 4", kUnsupported, "resample"},
      {"NoResize", "\"do_resize\": true", "\"do_resize\": false", kUnsupported, "do_resize"},
      {"OtherTile", "\"longest_edge\": 64", "\"longest_edge\": 100", kInvalid, "max_image_size"},
  };
  for (const BadSettings& row : rows) {
    SCOPED_TRACE(row.name);
    const test::ModelCopy model(kModel);
    model.edit("preprocessor_config.json", row.old, row.now);
    // Only the settings of videos are damaged: those of images are elsewhere.
    model.edit("processor_config.json", "{",
               "{ \"image_processor\": {\"size\": {\"longest_edge\": 256}, "
               "\"max_image_size\": {\"longest_edge\": 64}},");
    const Error error = error_of([&] { load_frontend(model.path()); });
    EXPECT_STREQ(to_string(error.code()), to_string(row.code)) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(row.names));
  }
}

TEST(VideoSettings, ComeFromTheFirstOfThreeFiles) {
  const test::ModelCopy model(kModel);
  EXPECT_EQ(read_video_config(DirectoryFiles(model.path())).num_frames, 8);
  EXPECT_EQ(read_video_config(DirectoryFiles(model.path())).size_longest_edge, 256);
  model.write("video_preprocessor_config.json",
              R"({"num_frames": 5, "fps": 2, "max_image_size": {"longest_edge": 64}})");
  EXPECT_EQ(read_video_config(DirectoryFiles(model.path())).num_frames, 5);
  EXPECT_EQ(read_video_config(DirectoryFiles(model.path())).size_longest_edge, 1456);
  model.edit("processor_config.json", "{", R"({ "video_processor": {"video_sampling":
      {"max_frames": 3, "fps": 0.5, "video_size": {"longest_edge": 77}}, "max_image_size": {"longest_edge": 64}},)");
  EXPECT_EQ(read_video_config(DirectoryFiles(model.path())).num_frames, 3);
  EXPECT_EQ(read_video_config(DirectoryFiles(model.path())).size_longest_edge, 77);
}

}  // namespace
}  // namespace galago
