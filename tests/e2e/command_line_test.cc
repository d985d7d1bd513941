// The command line as a newcomer meets it: habits of other programs, pictures named in every way, limits that
// are said, the demo model, help and manual page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Words = std::vector<std::string>;

const std::string kPicture = "shapes_100x80.png";

Words ask(const Words& more) { return Words{"run", "-m", tiny(), "-n", "6"} + more; }

Json answer(const Words& words, const Surroundings& around = {}) {
  const Finished done = galago(words + Words{"--json"}, around);
  EXPECT_EQ(done.code, 0) << done.err;
  return done.code == 0 ? done.json() : Json::object();
}

std::string base64(const std::string& bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63];
  }
  return text;
}

TEST(CommandLine, UnknownFlagsAndCommandsAreUsage) {
  const std::pair<Words, const char*> rows[] = {{{"run", "-hft", "x"}, "HF_TOKEN"},
                                                {{"-hf", "x"}, "galago run -hf"},
                                                {{"run", "--temprature", "1"}, "did you mean --temp?"},
                                                {{"rnu"}, "did you mean galago run?"},
                                                {{"run", "-p", "x", "-ngl", "99"}, "leave it out"},
                                                {{"inspect", "--lables"}, "unknown flag --lables"}};
  for (const auto& [words, says] : rows) {
    const Finished done = galago(words);
    EXPECT_EQ(done.code, 64);
    EXPECT_THAT(done.err, AllOf(testing::StartsWith("galago: usage: "), HasSubstr(says)));
    EXPECT_EQ(done.out, "");
  }
}

TEST(CommandLine, ACapOnInstructionSetsIsAWordOfTheList) {
  const Words words = {"run", "-m", tiny(), "-n", "1", "-p", "x", "--json"};
  ::setenv("GALAGO_CPU", "avx3", 1);
  const Finished refused = galago(words);
  EXPECT_EQ(refused.code, 64);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("usage: GALAGO_CPU: got 'avx3'"), HasSubstr("avx512_vnni")));
  ::setenv("GALAGO_CPU", "sse4", 1);
  EXPECT_EQ(galago(words).code, 0);
  const Finished timed = galago({"bench", "-m", tiny(), "--runs", "1", "--only", "decode", "--json"});
  ::unsetenv("GALAGO_CPU");
  EXPECT_THAT(timed.json()["backend"].get<std::string>(), HasSubstr("(GALAGO_CPU=sse4)"));
}

TEST(CommandLine, HabitsOfOtherProgramsAreTaken) {
  const Json here = answer({"run", "-m", tiny(), "-i", picture(kPicture), "-n", "6", "-p", "What is it?",
                            "--temp", "1", "--top-p", "0.9", "--seed", "3", "--system", "Be brief."});
  const Json llama =
      answer({"run", "-m", tiny(), "--image", picture(kPicture), "--n-predict", "6", "--prompt",
              "What is it?", "--temperature", "1", "--top_p", "0.9", "-s", "3", "-sys", "Be brief."});
  const Json hugging = answer({"run", "--model_path", tiny(), "--images", picture(kPicture),
                               "--max_new_tokens=6", "--question", "What is it?", "-temp", "1", "--topp",
                               "0.9", "--seed", "3", "--system_prompt", "Be brief."});
  EXPECT_EQ(here["token_ids"], llama["token_ids"]);
  EXPECT_EQ(here["token_ids"], hugging["token_ids"]);
  EXPECT_EQ(here["prompt_token_ids"], hugging["prompt_token_ids"]);
}

TEST(CommandLine, PicturesMayBeNamedInEveryWay) {
  const std::string file = picture(kPicture), bytes = read_bytes(file);
  const Json plain = answer(ask({"-i", file, "-p", "What is it?"}));
  const std::string data = "data:image/png;base64," + base64(bytes);
  for (const Words& words : {Words{file, "-p", "What is it?"}, Words{file, "What is it?"},
                             Words{"What is it?", file}, Words{"-i", "file://" + file, "-p", "What is it?"},
                             Words{data, "What is it?"}, Words{"--image", data, "-p", "What is it?"}}) {
    const Json other = answer(ask(words));
    EXPECT_EQ(other["token_ids"], plain["token_ids"]);
    EXPECT_EQ(other["prompt_token_ids"], plain["prompt_token_ids"]);
  }
  EXPECT_EQ(answer(ask({data, "-p", "x"}))["images"][0]["path"], "data:image/png;base64,...");
  EXPECT_EQ(answer(ask({"-", "What is it?"}), {.input = bytes})["token_ids"], plain["token_ids"]);
  const Json two = answer(ask({"-i", file, picture("shapes_37x90.png"), "-p", "What differs?"}));
  ASSERT_EQ(two["images"].size(), 2U);
  EXPECT_EQ(two["images"][1]["width"], 37);
  EXPECT_EQ(answer(ask({"-i", file + "," + picture("shapes_37x90.png"), "-p", "What differs?"}))["token_ids"],
            two["token_ids"]);
}

TEST(CommandLine, EveryCommandTakesSuchPictures) {
  const std::string file = picture(kPicture), data = "data:image/png;base64," + base64(read_bytes(file));
  EXPECT_THAT(galago({"inspect", "-m", tiny(), file, data}).out,
              AllOf(HasSubstr(file + ": 100x80"), HasSubstr("data:image/png;base64,...: 100x80")));
  const TempDir folder;
  const Finished trace =
      galago({"trace", "-m", tiny(), "-o", folder.file("t.safetensors"), "-n", "1", "-i", data, "-p", "Hm?"});
  EXPECT_EQ(trace.code, 0) << trace.err;
  const Finished embed = galago({"embed", "-m", tiny("siglip"), file, "file://" + file, "--text", "a cat"});
  EXPECT_EQ(embed.code, 0) << embed.err;
  EXPECT_EQ(std::count(embed.out.begin(), embed.out.end(), '\n'), 3);
}

TEST(CommandLine, PicturesThatCannotBeHadSayWhatToDo) {
  const std::tuple<Words, int, const char*> rows[] = {
      {{"-i", "https://example.org/a.png", "-p", "x"}, 64, "curl"},
      {{"file://elsewhere/a.png", "x"}, 64, "host"},
      {{"file:///no/such.png", "x"}, 66, "/no/such.png"},
      {{"data:image/png;base64,@@@@", "x"}, 65, "base64"},
      {{"data:text/html;base64,QUFB", "x"}, 65, "text/html"},
      {{"data:image/png;base64,QUFBQUFBQUE=", "x"}, 65, "data:image/png"},
      {{"missing.jpg", "x"}, 66, "missing.jpg"},
      {{"no/such/*.jpg", "x"}, 66, "matches no file"},
      {{tiny(), "x"}, 64, "-m"},
      {{"-p", "What", "is", "this"}, 64, "quotes"},
      {{picture(kPicture)}, 64, "no question"}};
  for (const auto& [words, code, says] : rows) {
    const Finished done = galago(ask(words));
    EXPECT_EQ(done.code, code) << done.err;
    EXPECT_THAT(done.err, HasSubstr(says));
    EXPECT_EQ(done.out, "");
  }
}

TEST(CommandLine, ModelsThatCannotBeHadSayWhatToDo) {
  setenv("HF_HUB_OFFLINE", "1", 1);
  const std::tuple<std::string, int, const char*> rows[] = {
      {"HuggingFaceTB/SmolVLM-256M-Instruct", 66, "HF_HUB_OFFLINE"},
      {"https://huggingface.co/HuggingFaceTB/SmolVLM-256M-Instruct/tree/main", 66, "HF_HUB_OFFLINE"},
      {"https://example.org/model.gguf", 64, "models of the Hugging Face hub alone"},
      {"https://huggingface.co/datasets/org/name", 64, "no data sets"},
      {"datasets/org", 66, "ORG/NAME"},
      {"SmolVLM-256M-Instruct", 66, "ORG/NAME"},
      {"models/demo", 66, "where -m is left out"},
      {"models/demo-page", 66, "galago convert reads with it"},
      {picture(kPicture), 66, "-i"},
      {"no-such-model", 66, "no-such-model"}};
  for (const auto& [model, code, says] : rows) {
    const Finished done = galago({"run", "-m", model, "-p", "x"});
    EXPECT_EQ(done.code, code) << done.err;
    EXPECT_THAT(done.err, HasSubstr(says));
  }
  unsetenv("HF_HUB_OFFLINE");
}

TEST(CommandLine, AModelOfTheHubCacheIsFoundByItsName) {
  const TempDir cache;
  const auto model = cache.path() / "models--org--tiny";
  std::filesystem::create_directories(model / "snapshots");
  std::filesystem::create_directories(model / "refs");
  std::filesystem::create_directory_symlink(tiny(), model / "snapshots" / "0123abcd");
  cache.add("models--org--tiny/refs/main", "0123abcd");
  setenv("HF_HUB_CACHE", cache.path().c_str(), 1);
  setenv("HF_HUB_OFFLINE", "1", 1);
  const Json named = answer({"run", "-m", "org/tiny", "-n", "6", "-p", "x"});
  EXPECT_EQ(answer({"run", "-m", "org/tiny@0123abcd", "-n", "6", "-p", "x"})["token_ids"],
            named["token_ids"]);
  EXPECT_EQ(galago({"run", "-m", "org/tiny@other", "-n", "6", "-p", "x"}).code, 66);
  EXPECT_EQ(galago({"run", "-m", "org/other", "-n", "6", "-p", "x"}).code, 66);
  std::filesystem::create_directories(cache.path() / "models--org--lora" / "snapshots");
  std::filesystem::create_directory_symlink(data_path("adapters/smollm2_all"),
                                            cache.path() / "models--org--lora" / "snapshots" / "0123abcd");
  const Words base{"run", "-m", tiny("text_smollm2"), "-n", "6", "-p", "x"};
  EXPECT_EQ(answer(base + Words{"--lora", "org/lora:0.5"})["token_ids"],
            answer(base + Words{"--lora", data_path("adapters/smollm2_all:0.5")})["token_ids"]);
  EXPECT_THAT(galago(base + Words{"--lora", "org/none"}).err, HasSubstr("HF_HUB_OFFLINE"));
  unsetenv("HF_HUB_CACHE");
  unsetenv("HF_HUB_OFFLINE");
  EXPECT_EQ(named["token_ids"], answer(ask({"-p", "x"}))["token_ids"]);
}

TEST(CommandLine, ACutAnswerIsSaidWithTheFlagThatLiftsIt) {
  const Finished cut = galago(ask({"-p", "Tell me a story."}));
  EXPECT_EQ(cut.code, 0);
  EXPECT_THAT(cut.err, AllOf(HasSubstr("cut after 6 tokens"), HasSubstr("-n 12"), HasSubstr("-n -1")));
  EXPECT_EQ(std::count(cut.err.begin(), cut.err.end(), '\n'), 1);
  const Finished whole = galago({"run", "-m", tiny(), "-n", "-1", "-p", "What is in this image?"});
  EXPECT_EQ(whole.code, 0) << whole.err;
  EXPECT_THAT(whole.err, IsEmpty()) << "it ended by itself";
}

TEST(CommandLine, WithoutALimitTheContextIsTheEnd) {
  TempDir endless;  // never says its end token
  endless.add_copy_of(tiny());
  endless.add("generation_config.json",
              replaced(read_bytes(endless.file("generation_config.json")), "511", "[]"));
  const Finished done = galago({"run", "-m", endless.path().string(), "-n", "-1", "-p", "x", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const Json usage = done.json()["usage"];
  EXPECT_EQ(usage["prompt_tokens"].get<int>() + usage["completion_tokens"].get<int>(), 2048);
  EXPECT_THAT(done.err, HasSubstr("at the end of the model's context"));
}

TEST(CommandLine, ASeedOfChanceIsSaid) {
  const Words sampled = ask({"-p", "Tell me a story.", "--temp", "1.5", "-n", "12"});
  const Json first = answer(sampled + Words{"--seed", "-1"}),
             second = answer(sampled + Words{"--seed", "-1"});
  EXPECT_NE(first["seed"], second["seed"]);
  const std::string seed = std::to_string(first["seed"].get<uint64_t>());
  EXPECT_EQ(answer(sampled + Words{"--seed", seed})["token_ids"], first["token_ids"]);
  const Finished stats = galago(sampled + Words{"--seed", seed, "--stats"});
  EXPECT_THAT(stats.err, HasSubstr("seed " + seed));
  EXPECT_EQ(galago(sampled + Words{"--seed", "-2"}).code, 64);
  EXPECT_EQ(galago(sampled + Words{"--seed", "99999999999999999999"}).code, 64);
  EXPECT_EQ(galago(sampled + Words{"-n", "9223372036854775808"}).code, 64);
}

TEST(CommandLine, FiltersWithoutTemperatureAreSaid) {
  EXPECT_THAT(galago(ask({"-p", "x", "--top-k", "5"})).err, HasSubstr("--temp is 0"));
  EXPECT_THAT(galago(ask({"-p", "x", "--top-k", "5", "--temp", "1"})).err, Not(HasSubstr("--temp is 0")));
}

TEST(CommandLine, AQuestionMayStandInAFile) {
  const TempDir folder;
  folder.add("q.txt", "What is it?\n");
  EXPECT_EQ(answer(ask({"-f", folder.file("q.txt")}))["prompt_token_ids"],
            answer(ask({"-p", "What is it?"}))["prompt_token_ids"]);
  EXPECT_EQ(galago(ask({"-f", folder.file("none.txt")})).code, 66);
}

TEST(CommandLine, AnyTextIsAQuestion) {
  std::set<std::vector<int>> prompts;
  for (const char* text : {"{}", "[a,b]", "%%", "-what", " "})
    prompts.insert(answer(ask({"-p", text}))["prompt_token_ids"].get<std::vector<int>>());
  EXPECT_EQ(prompts.size(), 5U);
}

TEST(CommandLine, APictureThatIsAWordOfTheQuestionIsTold) {
  const std::string file = picture(kPicture);
  EXPECT_THAT(galago(ask({"-p", "What is in " + file + "?"})).err, HasSubstr("-i " + file + " shows"));
  EXPECT_THAT(galago(ask({"-p", "What is in " + file + "?", "-i", file})).err, Not(HasSubstr(" shows")));
  EXPECT_THAT(galago(ask({"-p", "What is in no.jpg?"})).err, Not(HasSubstr(" shows")));
}

TEST(CommandLine, WithoutAModelTheDemoModelIsNamed) {
  const Finished done = galago({"run", "-n", "4", "-p", "Hm?"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("no -m, so the small demo model answers"));
  EXPECT_THAT(galago({"inspect"}).err, HasSubstr("demo model"));
}

TEST(CommandLine, ErrorsAreShort) {
  const std::string lots(100'000, 'x');
  for (const Words& words :
       {Words{"run", "--" + lots}, Words{"run", "-m", lots, "-p", "x"}, Words{lots},
        Words{"run", "-p", "x", lots}, Words{"run", "-p", "x", "-n", lots},
        Words{"run", "-p", "x", "-i", lots}, Words{"run", "-p", "x", "--temp", lots},
        Words{"run", "-p", "x", "-i", "data:" + lots}, Words{"run", "-p", "x", "-i", "https://" + lots},
        Words{"run", "-p", "x", "--dtype", lots}, Words{"verify", lots}}) {
    const Finished done = galago(words);
    EXPECT_NE(done.code, 0);
    EXPECT_LT(done.err.size(), 1500U) << done.err;
    const Finished json = galago(words + Words{"--json"});
    EXPECT_LT(json.out.size(), 4000U);
  }
}

TEST(CommandLine, DocTagsAreKept) {
  const Json facts = golden("docling");
  std::string tags = facts["generated_text_with_special"];
  tags.resize(tags.size() - std::string("<|end_of_text|>").size());
  ASSERT_THAT(tags, HasSubstr("<nl></otsl>"));
  // The tiny model writes tags as they come.
  const Words as_they_come = golden_run("docling") + Words{"--no-legal-doctags"};
  EXPECT_EQ(galago(as_they_come).out, tags + "\n");
  EXPECT_EQ(galago(as_they_come + Words{"--skip-special"}).out,
            facts["generated_text"].get<std::string>() + "\n");
  const Json plan = galago({"inspect", "-m", tiny("docling"), "--json"}).json();
  EXPECT_GT(plan["memory"]["max_new_tokens"], 256) << "a page of text";
}

TEST(CommandLine, DocTagsAreLegal) {
  EXPECT_THAT(galago(golden_run("docling")).out, testing::Not(HasSubstr("</otsl>"))) << "none is open";
  // A page that the prompt begins.
  const Words page = {"run", "-m",  tiny("docling"), "-p", "<doctag>", "--raw", "--parse-special",
                      "-n",  "200", "--json"};
  const Json on = galago(page).json();
  EXPECT_EQ(on["finish_reason"], "stop");
  EXPECT_TRUE(std::string(on["text"]).ends_with("</doctag>")) << on["text"];
  ASSERT_GT(on["elements"].size(), 0U);
  const Json& first = on["elements"][0];
  EXPECT_TRUE(std::string(on["text"]).starts_with("<" + std::string(first["name"]) + ">"));
  EXPECT_LT(first["confidence"]["min_logprob"], first["confidence"]["mean_logprob"]);
  EXPECT_GT(on["confidence"]["tokens"], first["confidence"]["tokens"]);
  const Json off = galago(page + Words{"--no-legal-doctags"}).json();
  EXPECT_NE(off["token_ids"], on["token_ids"]);
}

TEST(CommandLine, SpecialTokensAreShownOrNot) {
  const Finished both = galago({"run", "-m", tiny(), "-p", "a", "--keep-special", "--skip-special"});
  EXPECT_EQ(both.code, 64);
  EXPECT_THAT(both.err, HasSubstr("excludes"));
}

TEST(CommandLine, ErrorsNameTheFlag) {
  const auto said = [](const Words& words) {
    const Finished done = galago(Words{"run", "-m", tiny(), "-p", "a"} + words);
    EXPECT_EQ(done.code, 64) << done.err;
    return done.err;
  };
  EXPECT_THAT(said({"--top-p", "1.5"}), HasSubstr("--top-p: got 1.5"));
  EXPECT_THAT(said({"--temp", "-1"}), HasSubstr("--temp: got -1"));
  EXPECT_THAT(said({"--dtype", "f8"}), HasSubstr("--dtype: got f8"));
  EXPECT_THAT(said({"--dtype", "float16"}), HasSubstr("stay so with auto"));
  EXPECT_THAT(said({"-p", "b", "--min-p", "7"}), HasSubstr("--min-p: got 7"));
  EXPECT_THAT(said({"--temp", "hot"}), HasSubstr("--temp: got hot, expected a number ("));
  EXPECT_THAT(said({"--answers", "0"}), HasSubstr("--answers: got 0, expected a whole number from 1 to 128"));
  EXPECT_THAT(said({"--pillow", "11"}), HasSubstr("--pillow: got 11, expected one of 12,13"));
  EXPECT_EQ(galago({"run", "-m", tiny(), "-p", "a", "-n", "1", "--dtype", "bfloat16"}).code, 0);
}

TEST(CommandLine, TheParsersOwnErrorsAreToldAsAllOthers) {
  setenv("GALAGO_MAX_N", "many", 1);
  const Finished variable = galago({"serve", "-m", tiny(), "--port", "0"}, {.seconds = 20});
  unsetenv("GALAGO_MAX_N");
  EXPECT_EQ(variable.code, 64);
  EXPECT_THAT(variable.err, HasSubstr("GALAGO_MAX_N: got many, expected a whole number from 1 to 128"));
  const std::pair<Words, const char*> rows[] = {
      {{"serve", "--port", "99999"}, "--port: got 99999, expected a whole number from 0 to 65535"},
      {{"serve", "--port", "0", "--max-body", "1XB"}, "--max-body: got 1XB, expected a number of bytes"},
      {{"serve", "--port", "0", "--max-body", "-5"}, "--max-body: got -5, expected a number of bytes"},
      {{"serve", "--port", "0", "--max-headers", "99999999999999999999"}, "a whole number between"},
      {{"batch", "photos", "-p", "What?"}, "galago batch: got no --output"},
      {{"batch", "photos", "-o", "a.jsonl", "--from", "zip"}, "--from: got zip, expected one of auto,"},
      {{"pull"}, "galago pull: got no NAME"}};
  for (const auto& [words, says] : rows) {
    const Finished done = galago(words, {.seconds = 20});
    EXPECT_EQ(done.code, 64);
    EXPECT_THAT(done.err, HasSubstr(says));
    EXPECT_THAT(done.err, HasSubstr("galago " + words[0] + " --help"));
  }
}

TEST(CommandLine, HelpTeaches) {
  for (const char* command : {"run", "chat", "inspect", "trace", "verify", "export", "quantize", "embed",
                              "classify", "batch", "convert", "serve", "pull", "bench"}) {
    const Finished help = galago({command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, AllOf(HasSubstr("Usage: galago " + std::string(command)), HasSubstr("Example"),
                                HasSubstr("Exit codes: 0 done")));
    EXPECT_EQ(galago({"help", command}).out, help.out);
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 110U) << line;
  }
  EXPECT_THAT(galago({"version"}).out, testing::StartsWith("galago "));
  EXPECT_EQ(galago({"--help"}, {.output = "/dev/full"}).code, 74);
}

TEST(ManualPage, IsCleanAndHasEveryFlag) {
  const Finished page = galago({"--man"});
  ASSERT_EQ(page.code, 0) << page.err;
  for (const char* word :
       {".TH GALAGO 1", "\\-\\-max\\-new\\-tokens", "\\-\\-vision\\-tower", ".SH EXIT STATUS"})
    EXPECT_THAT(page.out, HasSubstr(word));
  if (std::system("command -v groff >/dev/null 2>&1") != 0) GTEST_SKIP() << "no groff";
  const TempDir folder;
  folder.add("galago.1", page.out);
  const std::string formats =
      "groff -man -ww -z -Tutf8 " + folder.file("galago.1") + " 2>" + folder.file("warnings");
  EXPECT_EQ(std::system(formats.c_str()), 0);
  EXPECT_THAT(read_bytes(folder.file("warnings")), IsEmpty());
}

}  // namespace
}  // namespace galago::test
