// Faults of the machine around the program: kills, full disks, limits, files that change, streams that fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>
#include <random>

#include "program.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

/// The files of a folder by name.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[fs::relative(entry.path(), folder)] = read_bytes(entry.path().string());
  return files;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// Starts the program and kills it after a moment of chance. Whether it was killed before its end.
bool killed(const std::vector<std::string>& arguments, std::mt19937& chance, int most_microseconds) {
  const TempDir streams;
  const pid_t child = start(arguments, {}, streams);
  std::this_thread::sleep_for(std::chrono::microseconds(chance() % static_cast<unsigned>(most_microseconds)));
  kill(child, SIGKILL);
  return wait_for(child, 60) == -1;
}

/// How often a test kills: GALAGO_TEST_KILLS for more than a few.
int kills() {
  const char* wanted = std::getenv("GALAGO_TEST_KILLS");
  return wanted ? std::atoi(wanted) : 8;
}

TEST(Faults, AKilledExportLeavesTheOldFolderOrTheNewOne) {
  const TempDir parent;
  const std::string folder = parent.file("tower");
  const auto exported = [&](const std::string& model, const std::string& to) {
    return std::vector<std::string>{"export", "--vision-tower", to, "-m", tiny(model), "--force"};
  };
  const std::string models[] = {"grid25_llama3", "smolvlm_tiles"};
  std::map<std::string, std::string> whole[2];
  for (int i = 0; i < 2; ++i) {
    const std::string to = parent.file("whole" + std::to_string(i));
    ASSERT_EQ(galago(exported(models[i], to)).code, 0);
    whole[i] = files_of(to);
    whole[i]["mine/notes.txt"] = "kept";
  }
  ASSERT_EQ(galago(exported(models[0], folder)).code, 0);
  fs::create_directory(folder + "/mine");
  std::ofstream(folder + "/mine/notes.txt") << "kept";
  std::mt19937 chance(std::random_device{}());
  int early = 0;
  for (int i = 0; i < kills(); ++i) {
    early += killed(exported(models[i % 2], folder), chance, 20'000);
    const auto found = files_of(folder);
    ASSERT_TRUE(found == whole[0] || found == whole[1]) << "mixed after kill " << i;
  }
  ASSERT_EQ(galago(exported(models[1], folder)).code, 0);
  EXPECT_EQ(files_of(folder), whole[1]);
  EXPECT_EQ(names_in(parent.path()), (std::vector<std::string>{"tower", "whole0", "whole1"}));
  RecordProperty("killed", early);
}

TEST(Faults, WhatKilledRunsLeftIsRemovedByTheNext) {
  const TempDir parent;
  const std::string out = parent.file("out");
  const std::vector<std::string> arguments{"quantize", tiny(), out, "--dtype", "q8"};
  std::mt19937 chance(std::random_device{}());
  for (int i = 0; i < kills(); ++i) {
    killed(arguments, chance, 20'000);
    fs::remove_all(out);
  }
  // What a killed run may leave, whatever the moments above were; and what looks alike and is somebody's.
  fs::create_directory(parent.path() / ".galago-1-2.tmp");
  parent.add(".galago-1-2.tmp/model.safetensors", "half");
  parent.add(".galago-3-4.tmp", "a file");
  parent.add(".galago-notes.tmp", "mine");
  const Finished done = galago(arguments);
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(names_in(parent.path()), (std::vector<std::string>{".galago-notes.tmp", "out"}));
}

TEST(Faults, ALimitOnFileSizesIsAFailedWrite) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 8192;
  const TempDir parent;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);  // of the programs that are started, too
  const Finished quantised = galago({"quantize", tiny(), parent.file("out"), "--dtype", "q8"});
  const Finished traced =
      galago({"trace", "-m", tiny(), "-p", "x", "-n", "1", "-o", parent.file("trace.safetensors")});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  for (const Finished& done : {quantised, traced}) {
    EXPECT_EQ(done.code, 74) << done.err;
    EXPECT_THAT(done.err, AllOf(HasSubstr("output_io"), HasSubstr("File too large")));
  }
  EXPECT_THAT(names_in(parent.path()), IsEmpty());
}

/// Waits until a process has mapped a file of that name; false when it ends before.
bool has_mapped(pid_t child, const std::string& name) {
  while (kill(child, 0) == 0) {
    const std::string maps = read_bytes("/proc/" + std::to_string(child) + "/maps");
    if (maps.find(name) != std::string::npos) return true;
    if (maps.empty()) return false;  // a process that ended
  }
  return false;
}

TEST(Faults, WeightsThatAreShortenedMeanwhileAreSaid) {
  int said = 0;
  for (int i = 0; i < 12; ++i) {
    const TempDir folder;
    const TempDir streams;
    folder.add_copy_of(tiny());
    const std::string weights = folder.file("model.safetensors");
    const bool json = i % 2 == 1;
    std::vector<std::string> arguments{"run", "-t",  "2",  "-m", folder.path().string(),
                                       "-p",  "abc", "-n", "400"};
    if (json) arguments.push_back("--json");
    const pid_t child = start(arguments, {}, streams);
    if (has_mapped(child, weights)) fs::resize_file(weights, 0);
    const int code = wait_for(child, 120);
    const std::string err = read_bytes(streams.file("err"));
    ASSERT_TRUE(code == 0 || code == 78) << code << ": " << err;
    if (code == 0 || err.find("model_changed") == std::string::npos)
      continue;  // it was done, or looked first
    ++said;
    EXPECT_THAT(err, AllOf(HasSubstr(weights), HasSubstr("became shorter")));
    if (!json) continue;
    EXPECT_EQ(Json::parse(read_bytes(streams.file("out")))["error"]["code"], "model_changed");
  }
  EXPECT_GT(said, 0);
}

TEST(Faults, WeightsThatAreReplacedOrRemovedMeanwhileDoNoHarm) {
  const std::vector<std::string> question{"-p", "abc", "-n", "40"};
  const std::string expected = galago(std::vector<std::string>{"run", "-m", tiny()} + question).out;
  for (const bool replaced : {true, false}) {
    const TempDir folder;
    const TempDir streams;
    folder.add_copy_of(tiny());
    const std::string weights = folder.file("model.safetensors");
    folder.add("other", "not a model");
    const pid_t child = start(
        std::vector<std::string>{"run", "-t", "1", "-m", folder.path().string()} + question, {}, streams);
    if (has_mapped(child, weights))
      replaced ? fs::rename(folder.file("other"), weights) : void(fs::remove(weights));
    EXPECT_EQ(wait_for(child, 120), 0) << read_bytes(streams.file("err"));
    EXPECT_EQ(read_bytes(streams.file("out")), expected);
  }
}

TEST(Faults, AStandardInputThatCannotBeReadIsAnError) {
  const TempDir folder;
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"run", "-m", tiny(), "-p", "-"},
        std::vector<std::string>{"run", "-m", tiny(), "-p", "x", "--image", "-"}}) {
    const Finished done = galago(arguments, {.source = folder.path().string()});  // a directory
    EXPECT_EQ(done.code, 65) << done.err;
    EXPECT_THAT(done.err, AllOf(HasSubstr("standard input"), HasSubstr("Is a directory")));
  }
}

TEST(Faults, NumbersThatDoNotFitAreUsageErrors) {
  const std::vector<std::vector<std::string>> cases = {
      {"run", "-p", "x", "-n", "9223372036854775808"},
      {"run", "-p", "x", "-n", "99999999999999999999"},
      {"run", "-p", "x", "--seed", "99999999999999999999"},
      {"run", "-p", "x", "--seed", "18446744073709551616"},
      {"run", "-p", "x", "--top-k", "9223372036854775808"},
      {"run", "-p", "x", "-t", "4294967297"},
      {"run", "-p", "x", "--temp", "1e999"},
      {"run", "-p", "x", "--temp", "nan"},
      {"run", "-p", "x", "--top-p", "inf"},
      {"run", "-p", "x", "--repetition-penalty", "1e400"},
      {"run", "-p", "x", "--prefill-chunk", "9223372036854775808"},
      {"run", "-p", "x", "--fps", "1e999"},
      {"run", "-p", "x", "--image-cache-dir", "/nowhere", "--image-cache-size", "99999999999999999999"},
      {"bench", "--sequences", "9223372036854775808"},
      {"inspect", "-n", "9223372036854775808"},
  };
  for (const auto& arguments : cases) {
    const Finished done = galago(arguments);
    EXPECT_EQ(done.code, 64) << testing::PrintToString(arguments) << ": " << done.err;
    EXPECT_THAT(done.err, HasSubstr("usage"));
  }
}

TEST(Faults, AFullDeviceIsAFailedWrite) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"--version"}, {"run", "--help"}, {"inspect", "-m", tiny()}}) {
    const Finished done = galago(arguments, {.output = "/dev/full"});
    EXPECT_EQ(done.code, 74) << testing::PrintToString(arguments);
    EXPECT_THAT(done.err, HasSubstr("output_io: standard output"));
  }
}

}  // namespace
}  // namespace galago::test
