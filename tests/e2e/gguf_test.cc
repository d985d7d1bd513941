// `galago` on GGUF files from the outside: the same answers as from the directory that the twin was made of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Twin {
  const char* golden;
  const char* model;
};

class GgufRun : public testing::TestWithParam<Twin> {};

TEST_P(GgufRun, AnswersAsTransformersDoes) {
  std::vector<std::string> arguments = golden_run(GetParam().golden);
  *(std::find(arguments.begin(), arguments.end(), "-m") + 1) = tiny(GetParam().model);
  const Finished json = galago(arguments + std::vector<std::string>{"--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  const Json answer = json.json();
  EXPECT_EQ(answer["prompt_token_ids"].get<std::vector<int64_t>>(),
            golden_ids(GetParam().golden, "input_ids"));
  EXPECT_EQ(answer["token_ids"].get<std::vector<int64_t>>(), golden_ids(GetParam().golden, "generated_ids"));
  EXPECT_EQ(answer["text"], golden(GetParam().golden)["generated_text"]);
}

TEST_P(GgufRun, VerifyHolds) {
  const std::string folder = data_path(std::string("goldens/") + GetParam().golden);
  const Finished done = galago({"verify", "-m", tiny(GetParam().model), "--golden", folder});
  EXPECT_EQ(done.code, 0) << done.out << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("logits"), Not(HasSubstr("FAILS"))));
}

INSTANTIATE_TEST_SUITE_P(
    Goldens, GgufRun,
    testing::Values(Twin{"smolvlm_tiles", "gguf_smolvlm"}, Twin{"text_smollm2", "gguf_smollm2/model.gguf"},
                    Twin{"text_llama2", "gguf_llama2"}, Twin{"text_llama2", "gguf_split"},
                    Twin{"text_llama2", "gguf_split/model-00002-of-00003.gguf"},
                    Twin{"text_llama3", "gguf_llama3"}, Twin{"text_granite", "gguf_granite"},
                    Twin{"llava_granite_tall", "gguf_llava_granite"}),
    [](const auto& param) {
      std::string name = param.param.model;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return c == '/' || c == '.' || c == '-'; }, '_');
      return name;
    });

TEST(Gguf, OfAFolderFullOfEyesTheBestIsTaken) {
  const TempDir folder;
  const std::string sound = tiny("gguf_smolvlm/");
  folder.add("SmolVLM.GGUF", read_bytes(sound + "model.gguf"));
  folder.add("vision.gguf", read_bytes(sound + "mmproj-model.gguf"));
  folder.add("a-mmproj-Q8_0.gguf", read_bytes(tiny("gguf_smolvlm_q8/mmproj-model.gguf")));
  folder.add("a-mmproj-cut.gguf", read_bytes(sound + "mmproj-model.gguf").substr(0, 5000));
  std::vector<std::string> arguments = golden_run("smolvlm_tiles");
  *(std::find(arguments.begin(), arguments.end(), "-m") + 1) = folder.path().string();
  const Finished json = galago(arguments + std::vector<std::string>{"--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(json.json()["token_ids"].get<std::vector<int64_t>>(),
            golden_ids("smolvlm_tiles", "generated_ids"));
}

TEST(Gguf, CutEyesLeaveTheTextAndTellAPictureWhy) {
  const TempDir folder;
  const std::string text = folder.add("model.gguf", read_bytes(tiny("gguf_smollm2/model.gguf")));
  folder.add("mmproj.gguf", read_bytes(tiny("gguf_smolvlm/mmproj-model.gguf")).substr(0, 5000));
  const std::vector<std::string> ask = {"run", "-m", text, "-p", "x", "-n", "2"};
  EXPECT_EQ(galago(ask).code, 0);
  const Finished seen = galago(ask + std::vector<std::string>{"-i", picture("shapes_100x80.png")});
  EXPECT_EQ(seen.code, 65);
  EXPECT_THAT(seen.err, AllOf(HasSubstr("this model reads no pictures (not used: "), HasSubstr("mmproj.gguf"),
                              HasSubstr("the file is cut short")));
}

TEST(Gguf, ABlobWithoutExtensionRunsWithTheEyesThatAreNamed) {
  const TempDir folder;
  const std::string text = folder.add("sha256-0a1b", read_bytes(tiny("gguf_smolvlm/model.gguf")));
  const std::string eyes = folder.add("sha256-2c3d", read_bytes(tiny("gguf_smolvlm/mmproj-model.gguf")));
  std::vector<std::string> arguments = golden_run("smolvlm_tiles");
  *(std::find(arguments.begin(), arguments.end(), "-m") + 1) = text;
  const Finished blind = galago(arguments);
  EXPECT_EQ(blind.code, 65);
  EXPECT_THAT(blind.err, AllOf(HasSubstr("no vision file (mmproj)"), HasSubstr("--mmproj FILE names one")));
  const Finished json = galago(arguments + std::vector<std::string>{"--mmproj", eyes, "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(json.json()["token_ids"].get<std::vector<int64_t>>(),
            golden_ids("smolvlm_tiles", "generated_ids"));
  EXPECT_EQ(galago(arguments + std::vector<std::string>{"--mmproj", text}).code, 78);
}

TEST(Gguf, InspectShowsTheStationsOfBothFiles) {
  const Finished done =
      galago({"inspect", "-m", tiny("gguf_smolvlm_q8"), "--image", picture("shapes_100x80.png")});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("idefics3, q8 ("), HasSubstr("), 2 vision layers, 3 text layers"),
                              HasSubstr("238,336"), HasSubstr("17 tiles, 272 image tokens")));
}

TEST(Gguf, FaultsHaveTheirExitCodes) {
  const Finished missing = galago({"run", "-m", "no.gguf", "-p", "x"});
  EXPECT_EQ(missing.code, 66);
  EXPECT_THAT(missing.err, HasSubstr("no.gguf"));
  const Finished eyes = galago({"run", "-m", tiny("gguf_smolvlm/mmproj-model.gguf"), "-p", "x"});
  EXPECT_EQ(eyes.code, 78);
  EXPECT_THAT(eyes.err, HasSubstr("a vision file (mmproj)"));
  EXPECT_THAT(eyes.out, IsEmpty());
}

}  // namespace
}  // namespace galago::test
