// LLaVA-NeXT models from the outside: run, inspect, trace and verify on tiny checkpoints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string model(const std::string& name) { return data_path("models/" + name); }
std::string shapes(const std::string& name) { return data_path("pictures/" + name); }

Json golden(const std::string& name) {
  return Json::parse(read_bytes(data_path("goldens/" + name + "/golden.json")));
}

class LlavaAnswers : public testing::TestWithParam<const char*> {};

TEST_P(LlavaAnswers, AsTransformersDoes) {
  const Json facts = golden(GetParam());
  std::vector<std::string> words{"run", "-m", model(facts["model"]), "--json", "-n",
                                 "64",  "-p", facts["prompt"]};
  for (const Json& image : facts["images"]) {
    words.push_back("--image");
    words.push_back(data_path("goldens/" + std::string(GetParam()) + "/" + image.get<std::string>()));
  }
  const Finished done = galago(words);
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.json()["text"], facts["generated_text"]);
  EXPECT_EQ(done.json()["images"].size(), facts["images"].size());
}

TEST_P(LlavaAnswers, AndVerifyHolds) {
  const Json facts = golden(GetParam());
  const Finished done = galago(
      {"verify", "-m", model(facts["model"]), "--golden", data_path("goldens/" + std::string(GetParam()))});
  EXPECT_EQ(done.code, 0) << done.out << done.err;
}

INSTANTIATE_TEST_SUITE_P(Goldens, LlavaAnswers,
                         testing::Values("llava_granite_two", "llava_clip_square", "llava_clip_text",
                                         "llava_mistral", "llava_old_names"),
                         [](const auto& param) { return param.param; });

TEST(LlavaInspect, ShowsItsOwnStationsAndRows) {
  const Finished done =
      galago({"inspect", "-m", model("llava_granite"), "--image", shapes("shapes_37x90.png")});
  EXPECT_EQ(done.code, 0) << done.err;
  // 66 x 22 (height x width) keeps as much of 37 x 90 as 88 x 22 does and wastes less.
  EXPECT_THAT(done.out, AllOf(HasSubstr("unpad, new lines"), HasSubstr("[N, 16, 96]"), HasSubstr("4 tiles"),
                              HasSubstr("66 image tokens"), Not(HasSubstr("other"))));
}

TEST(LlavaTrace, HasTheRowsThatInspectCounts) {
  const TempDir directory;
  const std::string out = directory.file("trace.safetensors");
  const Finished done = galago({"trace", "-m", model("llava_clip"), "--image", shapes("shapes_64x64.png"),
                                "-p", "What?", "-n", "2", "-o", out});
  ASSERT_EQ(done.code, 0) << done.err;
  const Checkpoint trace = Checkpoint::open_file(out);
  EXPECT_EQ(trace.find("image_rows")->shape, (Shape{51, 32}));
  EXPECT_EQ(trace.find("vision_last_hidden_state")->shape, (Shape{5, 9, 24}));
  EXPECT_EQ(trace.find("pixel_attention_mask"), nullptr);
}

TEST(LlavaRun, RefusesNoSplitWithAUsageError) {
  const Finished done = galago(
      {"run", "-m", model("llava_clip"), "--no-split", "--image", shapes("shapes_64x64.png"), "-p", "What?"});
  EXPECT_EQ(done.code, 64);
  EXPECT_THAT(done.err, HasSubstr("this family has no other way"));
}

TEST(LlavaRun, ABrokenDirectoryIsTheModelsFault) {
  const TempDir copy;
  copy.add_copy_of(model("llava_granite"));
  copy.add("config.json",
           replaced(read_bytes(copy.file("config.json")), "\"siglip_vision_model\"", "\"pixtral\""));
  const Finished done = galago({"run", "-m", copy.path().string(), "-p", "x"});
  EXPECT_EQ(done.code, 78);
  EXPECT_THAT(done.err, HasSubstr("vision_config.model_type: got \"pixtral\""));
}

}  // namespace
}  // namespace galago::test
