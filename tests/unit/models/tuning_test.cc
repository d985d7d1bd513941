// Choices of ways that are remembered: what is written comes back, nothing else is believed, and no fault of
// the folder is the caller's.
#include "models/tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "galago/error.h"
#include "io/processor.h"
#include "support/fixtures.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;
using kernels::PrefetchHint;
using kernels::Tuning;

const TuningKey kKey{
    .version = "1.2.3", .processor = "Some-1-2-3", .backend = "cpu: AVX3+BF16", .threads = 2};
const Tuning kChoice{.ways = {.prefetch = {PrefetchHint::t1, 8192},
                              .rows_together = 4,
                              .panel_depth = 512,
                              .amx_depth = 256,
                              .operations_per_part = 131'072},
                     .bf16_is_faster = true};

/// remembered_tuning that measures kChoice; how often it did.
int times_measured(const fs::path& folder, const TuningKey& key = kKey, bool settled = true) {
  int times = 0;
  const Tuning got = remembered_tuning(folder, key, [&] {
    ++times;
    return kernels::TuningTable{.choice = kChoice, .ways = {}, .settled = settled};
  });
  EXPECT_EQ(got, kChoice);
  return times;
}

TEST(Tuning, IsMeasuredOnceAndRemembered) {
  const TempDir cache;
  const fs::path folder = fs::path(cache.path()) / "a" / "b";
  EXPECT_EQ(times_measured(folder), 1);
  EXPECT_EQ(times_measured(folder), 0);
  for (TuningKey other : {kKey, kKey, kKey, kKey}) {
    static int which = 0;
    switch (which++) {
      case 0:
        other.version = "1.2.4";
        break;
      case 1:
        other.processor = "Some-1-2-4";
        break;
      case 2:
        other.backend = "cpu: AVX2 (GALAGO_CPU=avx2)";
        break;
      default:
        other.threads = 1;
    }
    EXPECT_EQ(times_measured(folder, other), 1) << which;
    EXPECT_EQ(times_measured(folder, other), 0) << which;
  }
  EXPECT_EQ(times_measured(folder), 0) << "the others have files of their own";
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 5)
      << "and left nothing else";
}

TEST(Tuning, WhatABusyMachineGivesIsNotKept) {
  const TempDir cache;
  EXPECT_EQ(times_measured(cache.path(), kKey, false), 1);
  EXPECT_EQ(times_measured(cache.path(), kKey, true), 1);
  EXPECT_EQ(times_measured(cache.path(), kKey, true), 0);
}

TEST(Tuning, OneMeasuresForAllThatStartTogether) {
  const TempDir cache;
  const fs::path folder = fs::path(cache.path()) / "new";
  std::atomic<int> times = 0;
  std::vector<std::thread> starts;
  for (int i = 0; i < 4; ++i)
    starts.emplace_back([&] {
      const Tuning got = remembered_tuning(folder, kKey, [&] {
        ++times;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return kernels::TuningTable{.choice = kChoice, .ways = {}};
      });
      EXPECT_EQ(got, kChoice);
    });
  for (std::thread& start : starts) start.join();
  EXPECT_EQ(times, 1);
}

TEST(Tuning, FileNamesArePlain) {
  TuningKey key = kKey;
  EXPECT_EQ(key.file_name(), "Some-1-2-3.cpu_AVX3+BF16.2.1.2.3.json");
  key.backend = "a/../b (c=d)\n\x80";
  EXPECT_EQ(key.file_name(), "Some-1-2-3.a_.._bc_d__.2.1.2.3.json");
}

TEST(Tuning, OnlyItsOwnTextIsBelieved) {
  const std::string text = to_text(kChoice, kKey);
  EXPECT_EQ(parse_tuning(text, kKey), kChoice);
  for (const kernels::WeightPrefetch& way : kernels::prefetch_ways()) {
    const Tuning tuning{.ways = {.prefetch = way}, .bf16_is_faster = false};
    EXPECT_EQ(parse_tuning(to_text(tuning, kKey), kKey), tuning);
  }
  TuningKey other = kKey;
  other.threads = 3;
  EXPECT_EQ(parse_tuning(text, other), std::nullopt);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  for (const std::string& foreign :
       {std::string(), std::string("{}"), std::string("[]"), std::string("null"),
        text.substr(0, text.size() / 2), std::string(100'000, '['), std::string("\0\xff", 2),
        with("8192", "8193"), with("8192", "-1"), with("8192", "1e400"), with("8192", "\"8192\""),
        with("131072", "131071"), with("512", "0"), with("\"rows_together\": 4", "\"rows_together\": 3"),
        with("\"panel_depth\"", "\"depth\""), with("\"amx_depth\": 256", "\"amx_depth\": 64"),
        with("t1", "t9"), with("true", "1"), with("\"threads\"", "\"more\": 1, \"threads\"")})
    EXPECT_EQ(parse_tuning(foreign, kKey), std::nullopt) << foreign.substr(0, 200);
}

TEST(Tuning, AStrangeFileIsMadeAgain) {
  const TempDir cache;
  const fs::path file = fs::path(cache.path()) / kKey.file_name();
  for (const std::string& content : {std::string("half a fi"), std::string(1 << 20, 'x')}) {
    cache.add(kKey.file_name(), content);
    EXPECT_EQ(times_measured(cache.path()), 1);
    EXPECT_EQ(times_measured(cache.path()), 0);
  }
  fs::remove(file);
  fs::create_symlink(file, file);
  EXPECT_EQ(times_measured(cache.path()), 1) << "a link to itself";
  fs::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  EXPECT_EQ(times_measured(cache.path()), 1) << "a pipe, which nobody writes to";
  fs::remove(file);
  fs::create_directory(file);
  EXPECT_EQ(times_measured(cache.path()), 1) << "a folder";
}

TEST(Tuning, AFolderThatCannotBeIsNoFault) {
  const TempDir cache;
  cache.add("file", "");
  for (const fs::path& folder : {fs::path(), fs::path(cache.path()) / "file" / "below",
                                 fs::path("/proc/none/here"), fs::path("/dev/null")}) {
    EXPECT_EQ(times_measured(folder), 1) << folder;
    EXPECT_EQ(times_measured(folder), 1) << folder;
    EXPECT_FALSE(keep_tuning(folder, kKey, kChoice)) << folder;
  }
}

/// The variables of a test, as they were afterwards.
class Variables : public ::testing::Test {
 protected:
  Variables() {
    for (const char* name : {"XDG_CACHE_HOME", "HOME", kTuneVariable}) {
      const char* value = std::getenv(name);
      before_.emplace_back(name, value ? std::optional<std::string>(value) : std::nullopt);
    }
  }
  ~Variables() override {
    for (const auto& [name, value] : before_)
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

TEST_F(Variables, TheFolderIsInTheUsersCache) {
  ::setenv("HOME", "/home/me", 1);
  ::setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(tuning_folder(), "/cache/galago/tuning");
  ::setenv("XDG_CACHE_HOME", "not/absolute", 1);
  EXPECT_EQ(tuning_folder(), "/home/me/.cache/galago/tuning");
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(tuning_folder(), "/home/me/.cache/galago/tuning");
  ::unsetenv("HOME");
  EXPECT_EQ(tuning_folder(), "");
}

TEST_F(Variables, OffMeansTheFixedWays) {
  const TempDir cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  ::setenv(kTuneVariable, "off", 1);
  EXPECT_FALSE(tuning_is_on());
  EXPECT_EQ(tuning_of(1), Tuning());
  EXPECT_EQ(resolved(ComputeDtype::automatic, *tuned_device(1)), ComputeDtype::f32);
  EXPECT_TRUE(fs::is_empty(cache.path()));
  for (const char* word : {"Off", "0", "fast"}) {
    ::setenv(kTuneVariable, word, 1);
    EXPECT_THROW(tuned_device(1), Error) << word;
  }
}

TEST_F(Variables, OnMeansWhatTheFileSays) {
  const TempDir cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  ::setenv(kTuneVariable, "on", 1);
  const int threads = 3;  // of no other test of this process
  ASSERT_TRUE(keep_tuning(tuning_folder(), tuning_key(threads), kChoice));
  EXPECT_EQ(tuning_of(threads), kChoice);
  EXPECT_EQ(resolved(ComputeDtype::automatic, *tuned_device(threads)), ComputeDtype::bf16);
  for (const ComputeDtype asked : {ComputeDtype::f32, ComputeDtype::bf16, ComputeDtype::int8})
    EXPECT_EQ(resolved(asked, *tuned_device(threads)), asked);
  fs::remove_all(tuning_folder());
  EXPECT_EQ(tuning_of(threads), kChoice) << "once in a process";
}

TEST(Processor, HasAWord) {
  EXPECT_THAT(processor_model(), testing::MatchesRegex("[-0-9a-zA-Z]+"));
  EXPECT_EQ(processor_model(), processor_model());
}

}  // namespace
}  // namespace galago::test
