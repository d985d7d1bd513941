// `galago` with LoRA adapters from the outside: the answers of peft, and what is said of adapters that do not
// fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string adapter(const std::string& name) { return data_path("adapters/" + name); }

void expect_answer(const std::string& golden, std::vector<std::string> arguments) {
  const auto ids = golden_ids(golden, "generated_ids");
  *(std::find(arguments.begin(), arguments.end(), "-n") + 1) = std::to_string(ids.size());
  const Finished done = galago(arguments + std::vector<std::string>{"--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.json()["token_ids"].get<std::vector<int64_t>>(), ids) << golden;
}

TEST(LoraRun, AnswersAsPeftDoes) {
  expect_answer("lora_smolvlm",
                golden_run("lora_smolvlm") + std::vector<std::string>{"--lora", adapter("smolvlm")});
  expect_answer("lora_two",
                golden_run("lora_two") + std::vector<std::string>{"--lora", adapter("smollm2_all") + ":0.5",
                                                                  "--lora", adapter("smollm2_table")});
}

TEST(LoraRun, AnAdapterAloneFindsItsBaseInTheHubsCache) {
  const TempDir cache;
  std::vector<std::string> arguments = golden_run("lora_table");
  *(std::find(arguments.begin(), arguments.end(), "-m") + 1) = adapter("smollm2_table");
  ::setenv("HF_HUB_CACHE", cache.path().c_str(), 1);
  ::setenv("HF_HUB_OFFLINE", "1", 1);
  const Finished missing = galago(arguments);
  EXPECT_EQ(missing.code, 66);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("galago/text_smollm2"), HasSubstr(cache.path().string()),
                                 HasSubstr("HF_HUB_OFFLINE")));
  const fs::path model = cache.path() / "models--galago--text_smollm2";
  fs::create_directories(model / "refs");
  fs::create_directories(model / "snapshots");
  std::ofstream(model / "refs" / "main") << "abc123";
  fs::create_directory_symlink(tiny("text_smollm2"), model / "snapshots" / "abc123");
  expect_answer("lora_table", arguments);
  const Finished shown = galago({"inspect", "-m", adapter("smollm2_table")});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("abc123"), HasSubstr("LoRA adapter " + adapter("smollm2_table"))));
  ::unsetenv("HF_HUB_CACHE");
  ::unsetenv("HF_HUB_OFFLINE");
}

TEST(LoraRun, WhatDoesNotFitIsListed) {
  const Finished other = galago({"run", "-m", tiny("text_llama2"), "--lora", adapter("smolvlm"), "-p", "x"});
  EXPECT_EQ(other.code, 78);
  EXPECT_THAT(other.err, AllOf(HasSubstr("got 55 faults"),
                               HasSubstr("unmatched model.text_model.layers.0.input_layernorm.weight")));
  EXPECT_EQ(galago({"run", "--lora", adapter("smolvlm") + ":x", "-p", "x"}).code, 64);
  EXPECT_EQ(galago({"run", "--lora", adapter("none"), "-p", "x"}).code, 66);
}

TEST(LoraRun, QuantizeMergesAndWritesAModel) {
  const TempDir folder;
  const std::string out = folder.file("merged");
  const Finished done =
      galago({"quantize", tiny("text_smollm2"), out, "--dtype", "q8", "--lora", adapter("smollm2_all")});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto ask = [](std::vector<std::string> arguments) {
    const Finished run = galago(arguments + std::vector<std::string>{"-p", "abc", "-n", "6", "--json"});
    EXPECT_EQ(run.code, 0) << run.err;
    return run.json()["token_ids"];
  };
  EXPECT_EQ(ask({"run", "-m", out}),
            ask({"run", "-m", tiny("text_smollm2"), "--dtype", "q8", "--lora", adapter("smollm2_all")}));
}

}  // namespace
}  // namespace galago::test
