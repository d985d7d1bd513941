// `galago export` from the outside: what is written, what is said, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Export, WritesATowerAndSaysWhereItWas) {
  const TempDir folder;
  const std::string out = folder.file("tower");
  const Finished done = galago({"export", "--vision-tower", out, "-m", tiny("grid25_llama3")});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("a SigLIP tower under model.vision_model., 37 tensors"),
                              HasSubstr("positions     625, 25x25"),
                              HasSubstr("400 rows of the position table moved"), HasSubstr("written to")));
  EXPECT_THAT(done.err, IsEmpty());
  const Json config = Json::parse(read_bytes(out + "/config.json"));
  EXPECT_EQ(config["model_type"], "siglip_vision_model");
  EXPECT_EQ(config["image_size"], 100);
  EXPECT_EQ(config["num_attention_heads"], 2);
  EXPECT_TRUE(fs::exists(out + "/preprocessor_config.json"));
  EXPECT_EQ(Checkpoint::open_directory(out).tensors().size(), 37U);
}

TEST(Export, AShardedModelAndABareFileGiveTheSame) {
  const TempDir folder;
  const std::string from_shards = folder.file("shards");
  const std::string from_file = folder.file("file");
  ASSERT_EQ(galago({"export", "--vision-tower", from_shards, "-m", tiny("sharded")}).code, 0);
  const Finished bare = galago({"export", "--vision-tower", from_file, "--checkpoint",
                                tiny("smolvlm_tiles") + "/model.safetensors", "--heads", "4",
                                "--bucketed-positions", "--json"});
  ASSERT_EQ(bare.code, 0) << bare.err;
  EXPECT_EQ(bare.json()["prefix"], "model.vision_model.");
  EXPECT_EQ(read_bytes(from_shards + "/model.safetensors"), read_bytes(from_file + "/model.safetensors"));
  EXPECT_EQ(read_bytes(from_shards + "/config.json"), read_bytes(from_file + "/config.json"));
}

TEST(Export, ATowerOfItsOwnIsACheckpointAgain) {
  const TempDir folder;
  ASSERT_EQ(galago({"export", "--vision-tower", folder.file("a"), "-m", tiny("grid25_llama3")}).code, 0);
  const Finished again = galago({"export", "--vision-tower", folder.file("b"), "--checkpoint",
                                 folder.file("a"), "--heads", "2", "--json"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.json()["prefix"], "vision_model.");
  EXPECT_EQ(again.json()["position_rows_changed"], 0);
  EXPECT_EQ(read_bytes(folder.file("a") + "/model.safetensors"),
            read_bytes(folder.file("b") + "/model.safetensors"));
}

TEST(Export, KeepsWhatIsThereUnlessForced) {
  const TempDir folder;
  const std::vector<std::string> arguments{"export", "--vision-tower", folder.path().string(), "-m",
                                           tiny("tied_head")};
  folder.add("config.json", "mine");
  const Finished refused = galago(arguments);
  EXPECT_EQ(refused.code, 74);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("a folder that is not empty"), HasSubstr("--force")));
  EXPECT_EQ(read_bytes(folder.file("config.json")), "mine");
  EXPECT_EQ(galago(arguments + std::vector<std::string>{"--force"}).code, 0);
  EXPECT_NE(read_bytes(folder.file("config.json")), "mine");
}

// The signal comes at any time after the handler is there: the folder is whole or nothing is left.
TEST(Export, CtrlCLeavesAllOrNothing) {
  for (int i = 0; i < 8; ++i) {
    const TempDir folder;
    const TempDir streams;
    const pid_t child = start({"export", "--vision-tower", folder.file("tower"), "-m", tiny()}, {}, streams);
    for (int k = 0; k < 100'000 && !handles_interrupt(child) && fs::is_empty(folder.path()); ++k)
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    std::this_thread::sleep_for(std::chrono::milliseconds(i));
    kill(child, SIGINT);
    const int code = wait_for(child, 60);
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path())) names.push_back(entry.path().filename());
    if (code == 0) {
      EXPECT_EQ(names, std::vector<std::string>{"tower"});
    } else {
      EXPECT_EQ(code, 130) << read_bytes(streams.file("err"));
      EXPECT_THAT(names, IsEmpty());
    }
  }
}

TEST(Export, HelpTeaches) {
  const Finished help = galago({"export", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("--bucketed-positions"), HasSubstr("SiglipVisionModel"),
                              HasSubstr("Examples:")));
}

/// A command line, its exit code and what standard error says.
struct Wrong {
  const char* what;
  std::vector<std::string> arguments;
  int code;
  const char* says;
};

class WrongExports : public testing::TestWithParam<Wrong> {};

TEST_P(WrongExports, AreRefusedWithoutOutput) {
  const TempDir folder;
  std::vector<std::string> arguments{"export", "--vision-tower", folder.file("tower")};
  const Finished done = galago(arguments + GetParam().arguments);
  EXPECT_EQ(done.code, GetParam().code) << done.err;
  EXPECT_THAT(done.err, HasSubstr(GetParam().says));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

std::vector<Wrong> wrong() {
  const std::string file = tiny("grid25_llama3") + "/model.safetensors";
  return {
      {"no_such_model", {"-m", "/no/such/model"}, 66, "not_found"},
      {"text_model", {"-m", tiny("text_smollm2")}, 78, "llama, a text model"},
      {"no_such_checkpoint", {"--checkpoint", "/no/such.safetensors", "--heads", "2"}, 66, "not_found"},
      {"checkpoint_without_heads", {"--checkpoint", file}, 64, "--heads"},
      {"heads_without_checkpoint", {"--heads", "2"}, 64, "--checkpoint"},
      {"model_and_checkpoint", {"-m", tiny(), "--checkpoint", file, "--heads", "2"}, 64, "excludes"},
      {"heads_that_do_not_divide", {"--checkpoint", file, "--heads", "7"}, 78, "num_attention_heads: got 7"},
      {"no_heads", {"--checkpoint", file, "--heads", "0"}, 64, "--heads"},
      {"unknown_activation", {"--checkpoint", file, "--heads", "2", "--act", "relu6"}, 64, "--act"},
      {"image_that_does_not_fit",
       {"--checkpoint", file, "--heads", "2", "--image-size", "104"},
       78,
       "image_size: got 104, expected 100 to 103"},
      {"prefix_without_tower", {"-m", tiny(), "--prefix", "vision_tower"}, 66, "model.vision_model"},
      {"no_tower",
       {"--checkpoint", data_path("goldens/tower_export/smolvlm_tiles.safetensors"), "--heads", "2"},
       66,
       "last_hidden_state"},
      {"bucketed_clip",
       {"--checkpoint", tiny("swap_clip"), "--heads", "4", "--bucketed-positions"},
       78,
       "class token"}};
}

std::string wrong_name(const testing::TestParamInfo<Wrong>& info) { return info.param.what; }

INSTANTIATE_TEST_SUITE_P(Cases, WrongExports, testing::ValuesIn(wrong()), wrong_name);

TEST(Export, PlacesThatCannotBeWritten) {
  const TempDir folder;
  folder.add("file", "x");
  fs::copy(tiny("tied_head"), folder.file("model"));
  for (const std::string& out :
       {folder.file("file"), folder.file("no/such/parent"), std::string("/proc/self/x")})
    EXPECT_EQ(galago({"export", "--vision-tower", out, "-m", tiny("tied_head")}).code, 74) << out;
  const Finished itself =
      galago({"export", "--vision-tower", folder.file("model"), "-m", folder.file("model"), "--force"});
  EXPECT_EQ(itself.code, 64);
  EXPECT_EQ(read_bytes(folder.file("model") + "/config.json"),
            read_bytes(tiny("tied_head") + "/config.json"));
  EXPECT_EQ(galago({"export", "-m", tiny("tied_head")}).code, 64);  // no folder named
}

TEST(Export, ASwappedTowerIsItselfAgain) {
  const TempDir folder;
  const Finished done =
      galago({"export", "--vision-tower", folder.file("clip"), "-m", tiny("swap_clip"), "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.json()["layout"], "CLIP");
  EXPECT_EQ(done.json()["position_rows_changed"], 0);
  const Json config = Json::parse(read_bytes(folder.file("clip") + "/config.json"));
  EXPECT_EQ(config["model_type"], "clip_vision_model");
  EXPECT_EQ(config["hidden_act"], "quick_gelu");
  const Json processor = Json::parse(read_bytes(folder.file("clip") + "/preprocessor_config.json"));
  EXPECT_EQ(processor["image_mean"][0], 0.48145466);
}

TEST(Export, ASiglipModelKeepsItsPoolingHead) {
  const TempDir folder;
  const Finished done =
      galago({"export", "--vision-tower", folder.file("t"), "-m", tiny("siglip"), "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.json()["pooling_head"], true);
  EXPECT_EQ(Json::parse(read_bytes(folder.file("t") + "/config.json"))["vision_use_head"], true);
  // What was written is a model of one tower, and says enough to be exported once more.
  const Finished again =
      galago({"export", "--vision-tower", folder.file("u"), "-m", folder.file("t"), "--json"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(read_bytes(folder.file("t") + "/config.json"), read_bytes(folder.file("u") + "/config.json"));
}

TEST(Export, GgufFilesHoldTheSameTower) {
  const TempDir folder;
  const Finished done =
      galago({"export", "--vision-tower", folder.file("t"), "-m", tiny("gguf_smolvlm"), "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.json()["prefix"], "model.vision_model.");
  EXPECT_EQ(done.json()["positions"], 256);
}

TEST(Swap, VerifyHoldsForAnotherTower) {
  for (const char* name : {"swap_siglip", "swap_clip"}) {
    const Finished done =
        galago({"verify", "-m", tiny(name), "--golden", data_path(std::string("goldens/") + name), "--json"});
    EXPECT_EQ(done.code, 0) << done.out << done.err;
    EXPECT_EQ(done.json()["holds"], true);
    EXPECT_EQ(done.json()["stations"].size(), 10U);
  }
}

TEST(Swap, RunAnswersAndInspectShowsTheAlign) {
  const Finished ran = galago(golden_run("swap_clip") + std::vector<std::string>{"--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["text"], golden("swap_clip")["generated_text"]);
  const Finished shown = galago({"inspect", "-m", tiny("swap_clip")});
  EXPECT_THAT(shown.out, HasSubstr("hidden align   [N, 16, 56]            [N, 16, 48]     2,688"));
}

TEST(Export, AClosedPipeIsSaid) {
  const TempDir folder;
  const Finished done = galago({"export", "--vision-tower", folder.file("tower"), "-m", tiny("tied_head")},
                               {.output = "/dev/full"});
  EXPECT_EQ(done.code, 74);
  EXPECT_TRUE(fs::exists(folder.file("tower") + "/config.json"));  // the export itself is done
}

}  // namespace
}  // namespace galago::test
