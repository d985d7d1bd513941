// `galago` on a directory that bitsandbytes quantised, from the outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

using testing::HasSubstr;

TEST(PrequantisedRun, AnswersAsTransformersDoes) {
  const auto ids = golden_ids("text_nf4", "generated_ids");
  std::vector<std::string> arguments = golden_run("text_nf4");
  *(std::find(arguments.begin(), arguments.end(), "-n") + 1) = std::to_string(ids.size());
  const Finished done = galago(arguments + std::vector<std::string>{"--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.json()["token_ids"].get<std::vector<int64_t>>(), ids);
  EXPECT_THAT(galago({"inspect", "-m", tiny("text_nf4")}).out,
              HasSubstr("weights stored by bitsandbytes, read as floats"));
}

TEST(PrequantisedRun, QuantizeWritesAModelOfItsOwn) {
  const TempDir folder;
  const std::string out = folder.file("q8");
  const Finished done = galago({"quantize", tiny("text_nf4"), out, "--dtype", "q8"});
  ASSERT_EQ(done.code, 0) << done.err;
  const Json config = Json::parse(read_bytes(out + "/config.json"));
  EXPECT_FALSE(config.contains("quantization_config"));
  EXPECT_EQ(config["model_type"], "llama");
  const auto ask = [](std::vector<std::string> arguments) {
    const Finished run = galago(arguments + std::vector<std::string>{"-p", "abc", "-n", "6", "--json"});
    EXPECT_EQ(run.code, 0) << run.err;
    return run.json()["token_ids"];
  };
  EXPECT_EQ(ask({"run", "-m", out}), ask({"run", "-m", tiny("text_nf4"), "--dtype", "q8"}));
}

TEST(PrequantisedRun, AMethodThatIsNotReadIsNamed) {
  const TempDir folder;
  folder.add_copy_of(tiny("text_nf4"));
  std::filesystem::permissions(folder.file("config.json"), std::filesystem::perms::owner_all);
  folder.add("config.json",
             replaced(read_bytes(tiny("text_nf4") + "/config.json"), "\"bitsandbytes\"", "\"hqq\""));
  const Finished done = galago({"run", "-m", folder.path().string(), "-p", "x"});
  EXPECT_EQ(done.code, 78);
  EXPECT_THAT(done.err,
              testing::AllOf(HasSubstr("model_unsupported"), HasSubstr("\"hqq\""), HasSubstr("gptq")));
}

}  // namespace
}  // namespace galago::test
