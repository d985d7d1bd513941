// `galago run` from the outside: the goldens' answers, every flag, pipes, and interruption.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "endless_model.h"
#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& item : object.items()) names.push_back(item.key());
  return names;
}

class GoldenRun : public testing::TestWithParam<const char*> {};

TEST_P(GoldenRun, AnswersAsTransformersDoes) {
  const Finished json = galago(golden_run(GetParam()) + std::vector<std::string>{"--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  const Json answer = json.json();
  const Json facts = golden(GetParam());
  EXPECT_EQ(answer["token_ids"].get<std::vector<int64_t>>(), golden_ids(GetParam(), "generated_ids"));
  EXPECT_EQ(answer["prompt_token_ids"].get<std::vector<int64_t>>(), golden_ids(GetParam(), "input_ids"));
  EXPECT_EQ(answer["text"], facts["generated_text"]);
  EXPECT_EQ(answer["finish_reason"], facts["stopped_at_eos"].get<bool>() ? "stop" : "length");
  EXPECT_EQ(answer["images"].size(), facts["images"].size());

  const Finished plain = galago(golden_run(GetParam()));
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(plain.out, facts["generated_text"].get<std::string>() + "\n");
  if (facts["stopped_at_eos"].get<bool>())
    EXPECT_THAT(plain.err, IsEmpty());
  else
    EXPECT_THAT(plain.err, HasSubstr("cut after 64 tokens"));
}

INSTANTIATE_TEST_SUITE_P(Goldens, GoldenRun,
                         testing::Values("smolvlm_tiles", "two_images", "no_split", "text_only", "tied_head",
                                         "grid25_llama3", "grid27_scale3"),
                         [](const auto& param) { return param.param; });

std::vector<std::string> ask(const std::vector<std::string>& more = {}) {
  return std::vector<std::string>{"run",
                                  "-m",
                                  tiny(),
                                  "-i",
                                  picture("shapes_100x80.png"),
                                  "-n",
                                  "12",
                                  "-p",
                                  "What is in this image?"} +
         more;
}

Json ask_json(const std::vector<std::string>& more, const Surroundings& around = {}) {
  const Finished done = galago(ask(more) + std::vector<std::string>{"--json"}, around);
  EXPECT_EQ(done.code, 0) << done.err;
  return done.code == 0 ? done.json() : Json::object();
}

TEST(Run, SeveralQuestionsAreAnsweredTogetherEachAsIfAlone) {
  const std::vector<std::string> second = {"-p", "Which colours are there?"};
  const Finished json = galago(ask(second) + std::vector<std::string>{"--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  std::istringstream lines(json.out);
  std::string first_line, second_line;
  ASSERT_TRUE(std::getline(lines, first_line) && std::getline(lines, second_line));
  const Json first = Json::parse(first_line), other = Json::parse(second_line);
  EXPECT_EQ(first["prompt"], "What is in this image?");
  EXPECT_EQ(other["prompt"], "Which colours are there?");
  EXPECT_EQ(first["token_ids"], ask_json({})["token_ids"]);
  const auto both = [&](const char* what) {
    return first["cache"][what].get<int64_t>() + other["cache"][what].get<int64_t>();
  };
  EXPECT_EQ(both("memory_hits"), 1) << "the picture is encoded once, whoever is first";
  EXPECT_EQ(both("misses"), 1);
  const Finished alone = galago(
      {"run", "-m", tiny(), "-i", picture("shapes_100x80.png"), "-n", "12", "-p", second[1], "--json"});
  EXPECT_EQ(other["token_ids"], alone.json()["token_ids"]);
  const Finished text = galago(ask(second));
  EXPECT_EQ(text.out, "> What is in this image?\n" + first["text"].get<std::string>() +
                          "\n\n> Which colours are there?\n" + other["text"].get<std::string>() + "\n\n");
}

TEST(Run, AQuestionThatFailsHasItsPlaceAmongTheAnswers) {
  const std::string large(60'000, 'x');
  const Finished json = galago({"run", "-m", tiny(), "-n", "2", "-p", large, "-p", "Hm?", "--json"});
  EXPECT_EQ(json.code, 65);
  std::istringstream lines(json.out);
  std::string first;
  std::string second;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_EQ(Json::parse(first)["error"]["code"], "input_too_large");
  EXPECT_EQ(Json::parse(first)["prompt"], large);
  EXPECT_EQ(Json::parse(second)["prompt"], "Hm?");
  EXPECT_THAT(json.err, HasSubstr("galago: input_too_large"));
}

TEST(Run, JsonHasEveryPublishedKey) {
  const Json answer = ask_json({});
  EXPECT_THAT(keys(answer), testing::UnorderedElementsAre("text", "token_ids", "prompt_token_ids",
                                                          "finish_reason", "seed", "images", "videos",
                                                          "usage", "timings", "peak_memory_bytes", "cache"));
  EXPECT_THAT(keys(answer["cache"]),
              testing::UnorderedElementsAre("memory_hits", "directory_hits", "misses", "unsaved",
                                            "tiles_encoded", "tiles_repeated"));
  EXPECT_THAT(keys(answer["usage"]), testing::UnorderedElementsAre("prompt_tokens", "image_tokens",
                                                                   "completion_tokens", "cached_tokens"));
  EXPECT_THAT(keys(answer["timings"]),
              testing::UnorderedElementsAre("load_ms", "decode_image_ms", "preprocess_ms", "vision_ms",
                                            "connector_ms", "prefill_ms", "first_token_ms", "decode_ms",
                                            "tokens_per_second"));
  EXPECT_THAT(keys(answer["images"][0]),
              testing::UnorderedElementsAre("path", "width", "height", "rows", "cols", "tiles", "tokens"));
  EXPECT_EQ(answer["images"][0]["path"], picture("shapes_100x80.png"));
  EXPECT_EQ(answer["images"][0]["width"], 100);
  EXPECT_EQ(answer["images"][0]["height"], 80);
  EXPECT_EQ(answer["usage"]["completion_tokens"], 12);
  EXPECT_EQ(answer["usage"]["image_tokens"], answer["images"][0]["tokens"]);
  EXPECT_GT(answer["timings"]["vision_ms"], 0);
  EXPECT_GT(answer["timings"]["tokens_per_second"], 0);
}

TEST(Run, StatsGoToStderrAndLeaveTheAnswerAlone) {
  const Finished with = galago(ask({"--stats"}));
  const Finished without = galago(ask());
  EXPECT_EQ(with.out, without.out);
  EXPECT_THAT(with.err, AllOf(HasSubstr("image 100x80"), HasSubstr("vision tower"), HasSubstr("prefill"),
                              HasSubstr("tokens/s")));
  EXPECT_THAT(without.err, HasSubstr("cut after 12 tokens"));
}

TEST(Run, StopTextEndsTheAnswerBeforeIt) {
  const std::string whole = ask_json({})["text"];
  const std::string stop = whole.substr(whole.size() / 2, 3);
  const Json answer = ask_json({"--stop", stop});
  EXPECT_EQ(answer["text"], whole.substr(0, whole.find(stop)));
  EXPECT_EQ(answer["finish_reason"], "stop");
  EXPECT_EQ(ask_json({"--stop", "never said", "--stop", stop})["text"], answer["text"]);
}

TEST(Run, SamplingWithASeedIsReproducible) {
  const auto sample = [](const std::string& seed) {
    return ask_json(
        {"--temp", "1", "--top-k", "50", "--top-p", "0.95", "--min-p", "0.001", "--seed", seed})["token_ids"];
  };
  EXPECT_EQ(sample("3"), sample("3"));
  EXPECT_NE(sample("3"), sample("4"));
}

TEST(Run, TopKOfOneIsGreedy) {
  EXPECT_EQ(ask_json({"--temp", "1", "--top-k", "1", "--seed", "9"})["token_ids"], ask_json({})["token_ids"]);
}

TEST(Run, RepetitionPenaltyChangesTheAnswer) {
  EXPECT_NE(ask_json({"--repetition-penalty", "1.8"})["token_ids"], ask_json({})["token_ids"]);
}

TEST(Run, ThreadsDoNotChangeTheAnswer) {
  EXPECT_EQ(ask_json({"-t", "1"})["token_ids"], ask_json({"-t", "2"})["token_ids"]);
}

TEST(Run, SystemMessageAndSplittingChangeThePrompt) {
  const Json plain = ask_json({});
  EXPECT_NE(ask_json({"--system", "Be brief."})["prompt_token_ids"], plain["prompt_token_ids"]);
  const Json whole = ask_json({"--no-split"});
  EXPECT_EQ(whole["images"][0]["tiles"], 1);
  EXPECT_GT(plain["images"][0]["tiles"], 1);
  EXPECT_EQ(ask_json({"--split"})["token_ids"], plain["token_ids"]);
}

TEST(Run, ParseSpecialMakesTypedTokensControl) {
  const auto ids = [](const std::vector<std::string>& more) {
    const Finished done = galago(std::vector<std::string>{"run", "-m", tiny(), "-n", "1", "--json", "-p",
                                                          "Say <end_of_utterance> twice"} +
                                 more);
    EXPECT_EQ(done.code, 0) << done.err;
    return done.json()["prompt_token_ids"].size();
  };
  EXPECT_LT(ids({"--parse-special"}), ids({}));
}

TEST(Run, PromptComesFromStandardInput) {
  const std::vector<std::string> arguments{"run", "-m", tiny(), "-i", picture("shapes_100x80.png"),
                                           "-n",  "12", "-p",   "-"};
  const Finished piped = galago(arguments, {.input = "What is in this image?"});
  EXPECT_EQ(piped.code, 0) << piped.err;
  EXPECT_EQ(piped.out, galago(ask()).out);
  std::vector<std::string> from_file = arguments;
  from_file[from_file.size() - 2] = "-f";
  EXPECT_EQ(galago(from_file, {.input = "What is in this image?"}).out, piped.out);
}

TEST(Run, NoQuestionIsAskedWithoutAText) {
  EXPECT_EQ(galago({"run", "-m", tiny(), "-p", ""}).code, 64);
  EXPECT_EQ(galago({"run", "-m", tiny("text_llama2"), "-n", "1", "--raw", "-p", ""}).code, 0);
  EXPECT_EQ(
      galago({"bench", "-m", tiny(), "-i", picture("shapes_100x80.png"), picture("shapes_100x80.png")}).code,
      64);
}

TEST(Run, ImageComesFromStandardInput) {
  const Finished piped = galago({"run", "-m", tiny(), "-i", "-", "-n", "12", "-p", "What is in this image?"},
                                {.input = read_bytes(picture("shapes_100x80.png"))});
  EXPECT_EQ(piped.code, 0) << piped.err;
  EXPECT_EQ(piped.out, galago(ask()).out);
}

TEST(Run, ShowImagePrintsItsSizeFirst) {
  const Finished shown = galago(ask({"--show-image"}));
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_EQ(shown.out, picture("shapes_100x80.png") + ": 100x80\n" + galago(ask()).out);
}

TEST(Run, KeepSpecialShowsTheEndToken) {
  const auto arguments = golden_run("text_only");
  const Finished with = galago(arguments + std::vector<std::string>{"--keep-special"});
  EXPECT_EQ(with.code, 0) << with.err;
  EXPECT_EQ(with.out, golden("text_only")["generated_text_with_special"].get<std::string>() + "\n");
}

TEST(Run, ReadsADirectoryThroughSymbolicLinks) {
  const TempDir links;  // as the Hugging Face cache does
  for (const auto& entry : std::filesystem::directory_iterator(tiny()))
    std::filesystem::create_symlink(entry.path(), links.path() / entry.path().filename());
  std::vector<std::string> arguments = ask();
  arguments[2] = links.path().string();
  const Finished linked = galago(arguments);
  EXPECT_EQ(linked.code, 0) << linked.err;
  EXPECT_EQ(linked.out, galago(ask()).out);
}

TEST(Run, AFullDiskIsAnOutputError) {
  for (const auto& more : std::vector<std::vector<std::string>>{{}, {"--json"}, {"--show-image"}}) {
    const Finished full = galago(ask(more), {.output = "/dev/full"});
    EXPECT_EQ(full.code, 74);
    EXPECT_THAT(full.err, HasSubstr("output_io"));
  }
}

TEST(Run, AnErrorThatCannotBePrintedAsJsonIsAnOutputError) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"run", "--json", "-m", "/nonexistent", "-p", "x"}, {"run", "--json", "--no-such-flag"}}) {
    const Finished full = galago(words, {.output = "/dev/full"});
    EXPECT_EQ(full.code, 74);
    EXPECT_THAT(full.err, HasSubstr("output_io"));
  }
}

// Runs the program with its answer going through a pipe that holds one page.
class Piped {
 public:
  explicit Piped(const std::vector<std::string>& arguments) {
    EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0);
    fcntl(ends_[1], F_SETPIPE_SZ, 4096);
    child_ = start(arguments, {.output = "/proc/self/fd/" + std::to_string(kept())}, streams_);
    close(ends_[1]);
    close(kept_);
  }
  ~Piped() { close_reader(); }
  pid_t child() const { return child_; }
  void close_reader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }
  char read_one() {
    char byte = 0;
    EXPECT_EQ(read(ends_[0], &byte, 1), 1);
    return byte;
  }
  void drain() {
    char buffer[4096];
    while (read(ends_[0], buffer, sizeof buffer) > 0) {
    }
  }
  std::string err() const { return read_bytes(streams_.file("err")); }

 private:
  int kept() {  // a copy that the child inherits, to open through /proc
    if (kept_ < 0) kept_ = dup(ends_[1]);
    return kept_;
  }

  int ends_[2] = {-1, -1};
  int kept_ = -1;
  TempDir streams_;
  pid_t child_ = -1;
};

// An answer that outgrows the pipe.
std::vector<std::string> endless(const EndlessModel& model) {
  return {"run", "-t", "1", "-m", model.path(), "-n", "1800", "-p", "Tell me a long story."};
}

TEST(Run, CtrlCEndsTheAnswerWith130) {
  const EndlessModel model;
  Piped run(endless(model));
  run.read_one();  // it is answering, and will wait for its reader after a page
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto before = std::chrono::steady_clock::now();
  kill(run.child(), SIGINT);
  run.drain();
  EXPECT_EQ(wait_for(run.child(), 60), 130) << run.err();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST(Run, AReaderThatWentAwayIsAnOutputError) {
  const EndlessModel model;
  Piped run(endless(model));
  run.read_one();
  run.close_reader();
  EXPECT_EQ(wait_for(run.child(), 60), 74);
  EXPECT_THAT(run.err(), HasSubstr("output_io"));
}

TEST(Run, ProductsMayBeOfFewerBits) {
  const std::vector<std::string> words = {"run",
                                          "-m",
                                          data_path("../../models/demo"),
                                          "-i",
                                          data_path("../../models/demo/pictures/cat.jpg"),
                                          "-p",
                                          "What is in the picture?"};
  const Finished exact = galago(words);
  for (const std::string compute : {"bf16", "int8"}) {
    const Finished rounded = galago(words + std::vector<std::string>{"--compute", compute});
    EXPECT_EQ(rounded.code, 0) << rounded.err;
    EXPECT_EQ(rounded.out, exact.out) << compute;
  }
  EXPECT_EQ(galago(words + std::vector<std::string>{"--compute", "int4"}).code, 64);
}

TEST(Run, WeightsMayBeCopied) { EXPECT_EQ(ask_json({"--no-mmap"})["token_ids"], ask_json({})["token_ids"]); }

TEST(Run, TheCacheMayHoldHalves) {
  const Json answer = ask_json({"--kv-cache-dtype", "f16"});
  EXPECT_EQ(answer["usage"]["completion_tokens"], 12);
  const Finished refused = galago(ask({"--kv-cache-dtype", "bf16"}));
  EXPECT_EQ(refused.code, 64);
  EXPECT_THAT(refused.err, HasSubstr("--kv-cache-dtype: got bf16, expected f32 or f16"));
}

}  // namespace
}  // namespace galago::test
