// `galago` on text models from the outside: questions without a picture, texts continued, pictures refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class TextRun : public testing::TestWithParam<const char*> {};

TEST_P(TextRun, AnswersAsTransformersDoes) {
  const Finished json = galago(golden_run(GetParam()) + std::vector<std::string>{"--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  const Json answer = json.json();
  const Json facts = golden(GetParam());
  EXPECT_EQ(answer["prompt_token_ids"].get<std::vector<int64_t>>(), golden_ids(GetParam(), "input_ids"));
  EXPECT_EQ(answer["token_ids"].get<std::vector<int64_t>>(), golden_ids(GetParam(), "generated_ids"));
  EXPECT_EQ(answer["text"], facts["generated_text"]);
  EXPECT_THAT(answer["images"], IsEmpty());
  EXPECT_EQ(answer["usage"]["image_tokens"], 0);

  const Finished plain = galago(golden_run(GetParam()));
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(plain.out, facts["generated_text"].get<std::string>() + "\n");
  EXPECT_EQ(plain.err.empty(), facts["stopped_at_eos"].get<bool>()) << plain.err;
}

TEST_P(TextRun, VerifyHolds) {
  const std::string folder = data_path(std::string("goldens/") + GetParam());
  const Finished done = galago({"verify", "-m", tiny(golden(GetParam())["model"]), "--golden", folder});
  EXPECT_EQ(done.code, 0) << done.out << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("logits"), Not(HasSubstr("FAILS"))));
}

INSTANTIATE_TEST_SUITE_P(Goldens, TextRun,
                         testing::Values("text_llama2", "text_llama2_raw", "text_llama2_hub", "text_llama3",
                                         "text_smollm2", "text_granite", "text_mistral", "text_base"),
                         [](const auto& param) { return param.param; });

TEST(TextModels, APictureIsRefusedClearly) {
  const Finished done =
      galago({"run", "-m", tiny("text_smollm2"), "-i", picture("shapes_100x80.png"), "-p", "What is this?"});
  EXPECT_EQ(done.code, 65);
  EXPECT_THAT(done.err, AllOf(HasSubstr("input_invalid"), HasSubstr("this model reads no pictures")));
  const Finished seen = galago({"inspect", "-m", tiny("text_smollm2"), "-i", picture("shapes_100x80.png")});
  EXPECT_EQ(seen.code, 65);
}

TEST(TextModels, RawTakesNoSystemMessage) {
  const Finished done =
      galago({"run", "-m", tiny("text_llama2"), "--raw", "--system", "Be brief.", "-p", "The cat"});
  EXPECT_EQ(done.code, 64);
  EXPECT_THAT(done.err, HasSubstr("--raw"));
}

TEST(TextModels, ADirectoryWithoutATemplateTakesNoSystemMessage) {
  const Finished done = galago({"run", "-m", tiny("text_base"), "--system", "Be brief.", "-p", "The cat"});
  EXPECT_EQ(done.code, 65);
  EXPECT_THAT(done.err, HasSubstr("without chat template"));
}

TEST(TextModels, InspectShowsThreeStations) {
  const Finished text = galago({"inspect", "-m", tiny("text_mistral")});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("mistral, bfloat16, 3 text layers, context 1024"),
                              HasSubstr("text backbone"), Not(HasSubstr("vision"))));
  const Json stations = galago({"inspect", "-m", tiny("text_mistral"), "--json"}).json()["stations"];
  ASSERT_EQ(stations.size(), 3U);
  EXPECT_EQ(stations[2]["parameters"], 620 * 48);
}

TEST(TextModels, TraceHasTheStationsOfAText) {
  const TempDir directory;
  const std::string file = directory.file("trace.safetensors");
  const Finished done =
      galago({"trace", "-m", tiny("text_base"), "--raw", "-p", "The cat", "-n", "3", "-o", file});
  ASSERT_EQ(done.code, 0) << done.err;
  const Checkpoint trace = Checkpoint::open_file(file);
  ASSERT_EQ(trace.tensors().size(), 4U);
  for (const char* name : {"input_ids", "inputs_embeds", "logits", "generated_ids"})
    EXPECT_NE(trace.find(name), nullptr) << name;
}

TEST(TextModels, HelpExplainsRaw) {
  EXPECT_THAT(galago({"run", "--help"}).out, AllOf(HasSubstr("--raw"), HasSubstr("no chat template")));
}

TEST(TextModels, AnUnknownModelTypeListsWhatRuns) {
  const TempDir directory;
  directory.add_copy_of(tiny("text_llama3"));
  directory.add("config.json", replaced(read_bytes(directory.file("config.json")),
                                        "\"model_type\": \"llama\"", "\"model_type\": \"qwen2\""));
  const Finished done = galago({"run", "-m", directory.path().string(), "-p", "a"});
  EXPECT_EQ(done.code, 78);
  EXPECT_THAT(done.err, AllOf(HasSubstr("qwen2"), HasSubstr("llama, mistral, granite")));
}

}  // namespace
}  // namespace galago::test
