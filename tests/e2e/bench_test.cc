// `galago bench` from the outside: its structure, its refusals and Ctrl-C; never how long something takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "models/tuning.h"
#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> bench(const std::vector<std::string>& more) {
  return std::vector<std::string>{"bench", "-t", "1", "-m", tiny(), "--runs", "3"} + more;
}

std::vector<std::string> names(const Json& result) {
  std::vector<std::string> all;
  for (const Json& stage : result["stages"]) all.push_back(stage["name"]);
  return all;
}

TEST(Bench, TimesEveryStageOfAPicture) {
  const Finished done = galago(bench({"--json", "--image", picture("shapes_100x80.png")}));
  ASSERT_EQ(done.code, 0) << done.err;
  const Json result = done.json();
  EXPECT_THAT(names(result),
              ElementsAre("decode image", "resize and tile", "normalise", "vision tower", "connector",
                          "tokenizer", "prefill", "decode", "decode batch", "first token"));
  EXPECT_EQ(result["threads"], 1);
  EXPECT_EQ(result["model_type"], "idefics3");
  EXPECT_GT(result["peak"]["gflops"], 0);
  EXPECT_GT(result["peak"]["gb_per_s"], 0);
  for (const Json& stage : result["stages"]) EXPECT_EQ(stage["arithmetic"], "f32");
  for (const Json& stage : result["stages"]) {
    SCOPED_TRACE(stage["name"].get<std::string>());
    EXPECT_EQ(stage["runs_ms"].size(), 3u);
    EXPECT_GT(stage["min_ms"], 0);
    EXPECT_LE(stage["min_ms"], stage["median_ms"]);
    EXPECT_LE(stage["median_ms"], stage["max_ms"]);
    EXPECT_GT(stage["items"], 0);
    if (stage["gflop"] > 0) {
      EXPECT_NEAR(stage["gflops"], stage["gflop"].get<double>() / stage["median_ms"].get<double>() * 1e3,
                  1e-6 * stage["gflops"].get<double>());
    }
  }
}

// Where the processor has the instruction; elsewhere all is float32.
TEST(Bench, AShareIsOfTheInstructionThatAStageUses) {
  const Json result = galago(bench({"--json", "--compute", "bf16", "--context", "40", "--only", "prefill",
                                    "--only", "decode"}))
                          .json();
  const bool has = result["peak"].contains("bf16_gflops");
  const Json &prefill = result["stages"][0], &decode = result["stages"][1];
  EXPECT_EQ(prefill["arithmetic"], has ? "bf16" : "f32");
  EXPECT_EQ(decode["arithmetic"], "f32");
  const auto share = [&](const Json& stage, const char* peak) {
    return stage["gflops"].get<double>() / result["peak"][peak].get<double>();
  };
  EXPECT_NEAR(prefill["of_peak_gflops"], share(prefill, has ? "bf16_gflops" : "gflops"), 1e-6);
  EXPECT_NEAR(decode["of_peak_gflops"], share(decode, "gflops"), 1e-6);
}

TEST(Bench, ThePromptIsThatOfARun) {
  const Json ran =
      galago({"run", "-m", tiny(), "--json", "-n", "1", "-p", "Why?", "-i", picture("shapes_100x80.png")})
          .json();
  const Finished done = galago(bench(
      {"--json", "-p", "Why?", "-i", picture("shapes_100x80.png"), "--only", "prefill", "--only", "decode"}));
  ASSERT_EQ(done.code, 0) << done.err;
  const Json result = done.json();
  EXPECT_THAT(names(result), ElementsAre("prefill", "decode"));
  EXPECT_EQ(result["stages"][0]["items"], ran["usage"]["prompt_tokens"]);
}

TEST(Bench, ContextAndSplittingAreTheCallers) {
  const Json result =
      galago(bench({"--json", "--no-split", "--context", "7", "--only", "prefill", "--only", "normalise"}))
          .json();
  EXPECT_THAT(names(result), ElementsAre("normalise", "prefill"));
  EXPECT_EQ(result["stages"][0]["items"], 1) << "one tile";
  EXPECT_EQ(result["stages"][1]["items"], 7);
}

TEST(Bench, ABatchHasAsManySequencesAsAsked) {
  for (const auto& [count, positions] : {std::pair{"1", "4"}, {"3", "4"}, {"40", "2"}}) {
    const Json result = galago(bench({"--json", "--no-split", "--context", positions, "--sequences", count,
                                      "--only", "decode batch"}))
                            .json();
    EXPECT_EQ(result["stages"][0]["items"], std::stoi(count));
  }
}

TEST(Bench, ACacheInFloat16IsHalfAsLarge) {
  const auto bytes = [](const char* dtype, const char* context) {
    const Json result = galago(bench({"--json", "--no-split", "--kv-cache-dtype", dtype, "--context", context,
                                      "--only", "decode"}))
                            .json();
    return result["stages"][0]["gb"].get<double>() * 1e9;
  };
  const double seven_positions = bytes("f32", "9") - bytes("f32", "2");
  EXPECT_GT(seven_positions, 0);
  EXPECT_NEAR(bytes("f16", "9") - bytes("f16", "2"), seven_positions / 2, 0.1);
}

TEST(Bench, PrintsATable) {
  const Finished done = galago(bench({"--only", "vision tower", "--only", "decode"}));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out,
              AllOf(HasSubstr("this machine's peak"), HasSubstr("vision tower"),
                    HasSubstr("1 tile of 256 patches"), HasSubstr("GFLOP/s"), HasSubstr("tokens/s")));
  EXPECT_THAT(done.err, IsEmpty());
}

TEST(Bench, RefusesWhatItCannotTime) {
  EXPECT_EQ(galago(bench({"--only", "no such stage"})).code, 64);
  EXPECT_EQ(galago(bench({"--runs", "0"})).code, 64);
  EXPECT_EQ(galago(bench({"--context", "99999999"})).code, 64);
  EXPECT_EQ(galago(bench({"--kv-cache-dtype", "q8"})).code, 64);
  EXPECT_EQ(galago(bench({"--sequences", "0"})).code, 64);
  EXPECT_EQ(galago(bench({"--sequences", "1025"})).code, 64);
  EXPECT_EQ(galago(bench({"--only", "decode image"})).code, 64)
      << "without a picture there is nothing to decode";
  EXPECT_EQ(galago(bench({"--image", "/nowhere.png"})).code, 66);
  const Finished broken = galago(bench({"--json", "--image", tiny() + "/config.json"}));
  EXPECT_EQ(broken.code, 65);
  EXPECT_EQ(broken.json()["error"]["code"], "unsupported_media");
}

TEST(Bench, TuneShowsTheWaysAndKeepsTheChoice) {
  const TempDir cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  ::setenv("GALAGO_TUNE", "on", 1);
  const Finished done = galago({"bench", "--tune", "-t", "1", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const Json result = done.json();
  EXPECT_EQ(result["threads"], 1);
  EXPECT_GE(result["ways"].size(), 4u);
  EXPECT_EQ(result["kept"].is_null(), !result["settled"].get<bool>()) << "a busy machine tells nothing";
  if (!result["kept"].is_null()) {
    EXPECT_THAT(result["kept"].get<std::string>(), testing::StartsWith(cache.path()));
    const Json file = Json::parse(read_bytes(result["kept"]));
    EXPECT_EQ(file["prefetch"], result["prefetch"]["hint"]);
    for (const char* number : {"rows_together", "panel_depth", "amx_depth", "operations_per_part"})
      EXPECT_EQ(file[number], result[number]) << number;
    EXPECT_EQ(file["bf16_is_faster"], result["compute_auto"] == "bf16");
  }
  EXPECT_THAT(galago({"bench", "--tune", "-t", "1"}).out,
              AllOf(HasSubstr("prefetch nta 8192"), HasSubstr("rows together 4"),
                    HasSubstr("panel depth 512"), HasSubstr("chosen"), HasSubstr("--compute auto means")));
  ::setenv("GALAGO_TUNE", "off", 1);
  EXPECT_TRUE(galago({"bench", "--tune", "-t", "1", "--json"}).json()["kept"].is_null());
  ::setenv("GALAGO_TUNE", "never", 1);
  EXPECT_EQ(galago(bench({"--only", "normalise"})).code, 64);
  ::setenv("GALAGO_TUNE", "off", 1);
  ::unsetenv("XDG_CACHE_HOME");
}

TEST(Bench, AModelGoesByTheChoiceThatIsKept) {
  const TempDir cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  kernels::Tuning choice{.ways = {.prefetch = kernels::prefetch_ways().back()}, .bf16_is_faster = true};
  ASSERT_TRUE(keep_tuning(tuning_folder(), tuning_key(1), choice));
  const auto computes = [](const char* word) {
    ::setenv("GALAGO_TUNE", word, 1);
    return galago(bench({"--json", "--only", "normalise", "--compute", "auto"})).json()["numbers"]["compute"];
  };
  EXPECT_EQ(computes("on"), "bf16");
  EXPECT_EQ(computes("off"), "f32");
  ::unsetenv("XDG_CACHE_HOME");
}

TEST(Bench, CtrlCStopsIt) {
  const TempDir streams;
  const pid_t child =
      start({"bench", "-t", "1", "-m", tiny(), "--runs", "10000", "--only", "prefill"}, {}, streams);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child, 60), 130);
  EXPECT_THAT(read_bytes(streams.file("out")), IsEmpty());
}

}  // namespace
}  // namespace galago::test
