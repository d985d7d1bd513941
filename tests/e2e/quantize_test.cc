// `galago quantize` from the outside: what is written, that it runs, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

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

/// A model directory with the weights that an older galago wrote as q4.
void add_older(const TempDir& folder) {
  folder.add_copy_of(data_path("models/smolvlm_tiles"));
  folder.add("model.safetensors", read_bytes(data_path("quantised/smolvlm_tiles_q4_planes.safetensors")));
}

// Converted at load, written now, written by an older galago, written anew from that: one answer.
TEST(Quantize, OlderFoldersAnswerTheSame) {
  const TempDir older, folder;
  add_older(older);
  const std::string model = tiny(), picture = data_path("pictures/shapes_100x80.png");
  const std::string now = folder.file("now"), again = folder.file("again");
  ASSERT_EQ(galago({"quantize", model, now, "--dtype", "q4"}).code, 0);
  const Finished upgrade = galago({"quantize", older.path().string(), again, "--dtype", "q4"});
  ASSERT_EQ(upgrade.code, 0) << upgrade.err;
  EXPECT_THAT(upgrade.err, IsEmpty());
  EXPECT_THAT(upgrade.out, HasSubstr("23 that were quantised before now lie as they are read"));
  // Every number of every station, to the bit.
  const auto trace = [&](const std::string& path) {
    const std::string file = folder.file("trace.safetensors");
    const Finished run = galago({"trace", "-m", path, "-i", picture, "-p", "abc", "-n", "4", "-o", file});
    EXPECT_EQ(run.code, 0) << run.err;
    const std::string bytes = read_bytes(file);
    uint64_t header = 0;  // which names the model
    std::memcpy(&header, bytes.data(), sizeof header);
    return bytes.substr(8 + header);
  };
  const auto ask = [&](const std::string& path, const std::vector<std::string>& flags) {
    std::vector<std::string> arguments{"run", "-m", path, "-i", picture, "-p", "abc", "-n", "8", "--json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Finished run = galago(arguments);
    EXPECT_EQ(run.code, 0) << run.err;
    return run.json()["token_ids"];
  };
  const std::string stations = trace(older.path().string());
  const auto answer = ask(model, {"--dtype", "q4"});
  for (const std::string& path : {now, again, older.path().string()}) {
    EXPECT_TRUE(trace(path) == stations) << path;
    EXPECT_EQ(ask(path, {}), answer) << path;
    EXPECT_EQ(ask(path, {"--no-mmap"}), answer) << path;
    EXPECT_EQ(ask(path, {"--dtype", "q4"}), answer) << path;
  }
  // What is counted is weights, not bytes of a layout.
  const auto inspect = [&](const std::string& path) {
    const Finished done = galago({"inspect", "-m", path, "--json"});
    EXPECT_EQ(done.code, 0) << done.err;
    return done.json();
  };
  const auto before = inspect(older.path().string()), after = inspect(now);
  EXPECT_EQ(before["matrices"], after["matrices"]);
  EXPECT_EQ(before["dtype"], after["dtype"]);
  for (size_t i = 0; i < before["stations"].size(); ++i)
    EXPECT_EQ(before["stations"][i]["parameters"], after["stations"][i]["parameters"]) << i;
}

TEST(Quantize, DamagedFoldersAreRefused) {
  const TempDir folder;
  const std::string out = folder.file("out");
  ASSERT_EQ(galago({"quantize", tiny(), out, "--dtype", "q8"}).code, 0);
  const std::string whole = read_bytes(out + "/model.safetensors");
  const auto run_with = [&](const std::string& bytes) {
    std::ofstream(out + "/model.safetensors", std::ios::binary) << bytes;
    return galago({"run", "-m", out, "-p", "abc", "-n", "2"});
  };
  const Finished later = run_with(replaced(whole, "panels 1", "panels 2"));
  EXPECT_EQ(later.code, 78);
  EXPECT_THAT(later.err, AllOf(HasSubstr("\"panels 2\""), HasSubstr("run galago quantize again")));
  EXPECT_EQ(run_with(replaced(whole, "q8 ", "q4 ")).code, 78);
  EXPECT_EQ(run_with(whole.substr(0, whole.size() - 64)).code, 78);
  EXPECT_EQ(run_with(whole).code, 0);
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
