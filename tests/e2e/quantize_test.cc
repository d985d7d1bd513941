// `galago quantize` from the outside: what is written, that it runs, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Quantize, WritesADirectoryThatRunsByItself) {
  const TempDir folder;
  for (const std::string dtype : {"q8", "q4", "bf16"}) {
    const std::string out = folder.file(dtype);
    const Finished done = galago({"quantize", tiny(), out, "--dtype", dtype});
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_THAT(done.out, AllOf(HasSubstr(dtype), HasSubstr("written to " + out)));
    if (dtype == "bf16") {
      EXPECT_THAT(done.err, HasSubstr("no matrix could be made smaller as bf16")) << "it is stored so";
    } else {
      EXPECT_THAT(done.err, IsEmpty());
    }
    for (const auto& file : fs::directory_iterator(tiny()))
      if (file.path().extension() == ".json") {
        EXPECT_EQ(read_bytes(out + "/" + file.path().filename().string()), read_bytes(file.path().string()));
      }
    const std::vector<std::string> question{"-p", "abc", "-n", "6", "--json"};
    const auto ask = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.end(), question.begin(), question.end());
      const Finished run = galago(arguments);
      EXPECT_EQ(run.code, 0) << run.err;
      return run.json()["token_ids"];
    };
    EXPECT_EQ(ask({"run", "-m", out}), ask({"run", "-m", tiny(), "--dtype", dtype}));
  }
}

TEST(Quantize, LeavesOutHowAnotherToolStoredTheWeights) {
  const TempDir folder;
  folder.add_copy_of(data_path("models/text_nf4"));
  const std::string config = read_bytes(folder.file("config.json"));
  folder.add("config.json", replaced(config, "{", "{\"unknown\": [NaN, -Infinity],"));
  const std::string out = folder.file("q8");
  const Finished done = galago({"quantize", folder.path().string(), out, "--dtype", "q8"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(read_bytes(out + "/config.json"), AllOf(HasSubstr("NaN"), HasSubstr("-Infinity"),
                                                      testing::Not(HasSubstr("quantization_config"))));
  const Finished run = galago({"run", "-m", out, "-p", "abc", "-n", "2"});
  EXPECT_EQ(run.code, 0) << run.err;
}

TEST(Quantize, CountsInJson) {
  const TempDir folder;
  const Finished done = galago({"quantize", tiny(), folder.file("out"), "--dtype", "q4", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_GT(done.json()["matrices"]["q4"], 0);
  EXPECT_GT(done.json()["matrices"]["q8"], 0);
  EXPECT_LT(done.json()["bytes_written"], done.json()["bytes"]);
}

TEST(Quantize, SaysThatNothingBecameSmaller) {
  const TempDir folder;
  const std::string out = folder.file("q8"), same = folder.file("same");
  const Finished done = galago({"quantize", tiny(), out, "--dtype", "int8"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, IsEmpty());
  const Finished again = galago({"quantize", out, same, "--dtype", "Q8_0"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("no matrix could be made smaller as q8"));
}

TEST(Quantize, Refuses) {
  const TempDir folder;
  const std::string out = folder.file("out");
  EXPECT_EQ(galago({"quantize", tiny(), out}).code, 64);
  EXPECT_EQ(galago({"quantize", tiny(), out, "--dtype", "q5"}).code, 64);
  EXPECT_EQ(galago({"quantize", folder.file("none"), out, "--dtype", "q8"}).code, 66);
  const Finished full = galago({"quantize", tiny(), folder.path().string(), "--dtype", "q8"});
  EXPECT_EQ(full.code, 0) << full.err;  // an empty folder is taken
  const Finished again = galago({"quantize", tiny(), folder.path().string(), "--dtype", "q8"});
  EXPECT_EQ(again.code, 74);
  EXPECT_THAT(again.err, HasSubstr("a folder that is not empty"));
}

}  // namespace
}  // namespace galago::test
