// The words of the command line: every habit of the table, free words, flags with mistakes in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "app.h"
#include "arguments.h"
#include "galago/error.h"
#include "habits.h"
#include "support/fixtures.h"

namespace galago::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

Words arrange(const Words& words) {
  Action action;
  return arranged(*make_app(action), words);
}

// What refuses the words; fails when nothing does.
Error refusal(const Words& words) {
  try {
    arrange(words);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << testing::PrintToString(words) << " was taken";
  return Error(ErrorCode::internal, {});
}

std::string said(const Words& words) {
  const Error error = refusal(words);
  EXPECT_EQ(error.code(), ErrorCode::usage);
  return error.what();
}

const CLI::App& command(const CLI::App& app, const std::string& name) { return *app.get_subcommand(name); }

TEST(Habits, EveryRowLeadsSomewhere) {
  Action action;
  const auto app = make_app(action);
  std::set<std::string> seen;
  for (const Habit& habit : habits())
    for_each_name(habit.names, [&](std::string_view view) {
      const std::string name(view), flag(habit.flag);
      const std::string of = habit.command.empty() ? "run" : std::string(habit.command);
      SCOPED_TRACE(of + " " + name);
      EXPECT_TRUE(seen.insert(std::string(habit.command) + name).second) << "twice in the table";
      EXPECT_EQ(name.find('_'), std::string::npos);
      const CLI::App& run = command(*app, of);
      EXPECT_EQ(run.get_option_no_throw(name), nullptr) << "a flag of its own";
      ASSERT_TRUE(flag.empty() || run.get_option_no_throw(flag)) << flag;
      if (habit.answer.empty()) {
        const bool value = run.get_option_no_throw(flag)->get_items_expected_max() > 0;
        EXPECT_EQ(arrange(value ? Words{of, name, "5"} : Words{of, name}),
                  value ? (Words{of, flag, "5"}) : (Words{of, flag}));
        return;
      }
      const std::string text = said({of, name, "5"});
      EXPECT_THAT(text, HasSubstr(name));
      EXPECT_THAT(text, HasSubstr(std::string(habit.answer)));
    });
  EXPECT_GT(seen.size(), 250U);
}

TEST(Habits, AnswersNameFlagsThatExist) {
  Action action;
  const auto app = make_app(action);
  const std::regex flag("--[a-z][a-z-]*");
  for (const Habit& habit : habits()) {
    const std::string text(habit.answer);
    for (std::sregex_iterator it(text.begin(), text.end(), flag), end; it != end; ++it)
      EXPECT_TRUE(command(*app, habit.command.empty() ? "run" : std::string(habit.command))
                      .get_option_no_throw(it->str()))
          << it->str() << " in: " << text;
  }
}

TEST(Flags, OfBatchThatSaySomethingElseTwiceAreRefused) {
  const Words once{"batch", "photos", "-p", "What?", "-o", "a.jsonl"};
  EXPECT_EQ(arrange(once).size(), once.size());
  for (const Words& more : {Words{"-p", "Why?"}, {"--question", "Why?"}, {"--prompt=Why?"}}) {
    Words twice = once;
    twice.insert(twice.end(), more.begin(), more.end());
    EXPECT_THAT(said(twice), AllOf(HasSubstr("--prompt"), HasSubstr("got 2 of them")));
  }
  EXPECT_THAT(said({"batch", "photos", "-o", "a.jsonl", "--output", "b.jsonl"}), HasSubstr("--output"));
  EXPECT_EQ(arrange({"run", "-n", "4", "-n", "5", "-p", "a", "-p", "b"}).size(), 9U);
}

TEST(Habits, UnderscoresAreHyphens) {
  EXPECT_THAT(arrange({"run", "--top_p", "0.5", "--max_new_tokens=4", "--n_predict", "3"}),
              ElementsAre("run", "--top-p", "0.5", "--max-new-tokens", "4", "--max-new-tokens", "3"));
  EXPECT_THAT(said({"run", "--do_sample", "True"}), HasSubstr("--temp 0.7"));
  EXPECT_THAT(arrange({"run", "--model_path", "a_b"}), ElementsAre("run", "--model", "a_b"));
}

TEST(Habits, CommandsByOtherNames) {
  Action action;
  const auto app = make_app(action);
  for (const CommandHabit& habit : command_habits())
    for_each_name(habit.names, [&](std::string_view name) {
      EXPECT_NO_THROW(app->get_subcommand(std::string(habit.command)));
      EXPECT_THROW(app->get_subcommand(std::string(name)), CLI::OptionNotFound) << name;
      EXPECT_THAT(said({std::string(name)}), HasSubstr("did you mean galago " + std::string(habit.command)));
    });
}

TEST(Arguments, MistakesAreNamedWithWhatWasMeant) {
  struct Case {
    Words words;
    const char* says;
  };
  const Case cases[] = {
      {{}, "no command"},
      {{"rum"}, "unknown command \"rum\" (did you mean galago run?)"},
      {{"\x1b[2J"}, "unknown command \"\\u001b[2J\""},
      {{"quantise"}, "did you mean galago quantize?"},
      {{"dance"}, "the commands are run, chat, inspect"},
      {{"photo.jpg", "What?"}, "galago run photo.jpg"},
      {{"-m", "DIR", "run"}, "the command comes first: galago run -m"},
      {{"-hf", "x"}, "the command comes first: galago run -hf"},
      {{"run", "-hff", "x"}, "-m ORG/NAME:FILE.gguf"},
      {{"run", "--token", "x"}, "HF_TOKEN in the environment"},
      {{"run", "-hfx"}, "unknown flag -hfx"},
      {{"download", "x"}, "did you mean galago pull?"},
      {{"run", "--promt", "x"}, "unknown flag --promt (did you mean --prompt?)"},
      {{"run", "--max-token", "x"}, "did you mean --max-new-tokens?"},
      {{"run", "--temperatur", "1"}, "did you mean --temp?"},
      {{"run", "--crx-size", "1"}, "the context is the model's own"},
      {{"run", "--labels", "a"}, "galago classify has --labels"},
      {{"embed", "--temperature", "1"}, "galago run has --temp"},
      {{"embed", "-p", "x"}, "--text TEXT gives a text"},
      {{"bench", "-n", "3"}, "galago run has -n"},
      {{"run", "-V"}, "galago version prints it"},
      {{"run", "-x"}, "galago run --help shows its flags"},
      {{"run", "-q"}, "leave it out"},
      {{"run", "--no-stream"}, "--json prints one object"},
      {{"run", "--eos-token", "x"}, "an answer ends with the model's end token"},
      {{"run", "--oes-token", "x"}, "an answer ends with the model's end token"},
      {{"quantize", "-m", "DIR"}, "galago quantize IN OUT"},
      {{"quantize", "a", "-o", "DIR"}, "galago quantize IN OUT"},
      {{"run", "--zzzzzzzz"}, "galago run --help shows its flags"},
      {{"run", "-p"}, "-p: got no value, expected -p TEXT"},
      {{"run", "-p", "--image", "a.png"}, "--image after it is a flag"},
      {{"run", "-n"}, "-n: got no value, expected -n N"},
      {{"run", "-prompts", "x"}, "did you mean --prompt?"},
      {{"run", "-p", "What", "is", "this"}, "put a question into quotes"},
      {{"embed", "a.png", "a text"}, "--text"},
      {{"classify", "a.png", "cat"}, "--labels"},
      {{"verify", "x"}, "got the word \"x\", expected flags alone"},
      {{"export", test::data_path("models/smolvlm_tiles")}, "a model is named with -m"},
      {{"run", test::data_path("models/smolvlm_tiles"), "a.png", "Hm?"}, "a model is named with -m"},
      {{"run", "HuggingFaceTB/SmolVLM-256M-Instruct", "a.png", "Hm?"}, "a model is named with -m"},
      {{"run", "smolvlm", "a.png"}, "a question of one word: -p WORD"},
      {{"inspect", "SmolVLM"}, "a model is named with -m"},
      {{"run", test::data_path("models/gguf_llama2/model.gguf"), "-p", "x"}, "a model is named with -m"},
      {{"run", "-m", "", "-p", "x"}, "-m: got an empty text, expected a model"},
      {{"run", "--temp=", "-p", "x"}, "--temp: got an empty text, expected a number"},
      {{"run", "--top-p", "", "-p", "x"}, "--top-p: got an empty text, expected a number"},
      {{"run", "-i", "", "-p", "x"}, "-i: got an empty text, expected a file"},
      {{"quantize", "", "out"}, "an empty word"},
      {{"run", "--video-fps", "2"}, "how many frames of --video are sampled"},
  };
  for (const Case& row : cases) EXPECT_THAT(said(row.words), HasSubstr(row.says));
}

TEST(Arguments, FreeWordsArePicturesAndTheLastTheQuestion) {
  EXPECT_THAT(arrange({"run", "a.jpg", "b.PNG", "What is it?"}),
              ElementsAre("run", "--image", "a.jpg", "--image", "b.PNG", "--prompt", "What is it?"));
  EXPECT_THAT(arrange({"run", "What is it?", "a.jpg"}),
              ElementsAre("run", "--prompt", "What is it?", "--image", "a.jpg"));
  EXPECT_THAT(arrange({"run", "-i", "a", "b.jpg", "-p", "q", "c.jpg"}),
              ElementsAre("run", "-i", "a", "--image", "b.jpg", "-p", "q", "--image", "c.jpg"));
  EXPECT_THAT(arrange({"run", "-p", "q", "a/dir/picture"}),
              ElementsAre("run", "-p", "q", "--image", "a/dir/picture"));
  EXPECT_THAT(arrange({"run", "hello"}), ElementsAre("run", "--prompt", "hello"));
  EXPECT_THAT(arrange({"run", "--", "--odd"}), ElementsAre("run", "--prompt", "--odd"));
  EXPECT_THAT(arrange({"run", "-", "What?"}), ElementsAre("run", "--image", "-", "--prompt", "What?"));
  EXPECT_THAT(arrange({"classify", "a.jpg", "--labels", "x"}),
              ElementsAre("classify", "--image", "a.jpg", "--labels", "x"));
  EXPECT_THAT(arrange({"quantize", "in", "out", "--dtype", "q8"}),
              ElementsAre("quantize", "in", "out", "--dtype", "q8"));
}

TEST(Arguments, ValuesAreTakenAsTheyStand) {
  EXPECT_THAT(arrange({"run", "-p", "-", "-n", "-1", "-n5", "--seed=-1", "-t=2", "-p", "-what", "--prompt="}),
              ElementsAre("run", "-p", "-", "-n", "-1", "-n", "5", "--seed", "-1", "-t", "2", "-p", "-what",
                          "--prompt", ""));
  EXPECT_THAT(arrange({"run", "-mDIR", "-prompt", "x", "-temp", "0.5", "--json"}),
              ElementsAre("run", "-m", "DIR", "--prompt", "x", "--temp", "0.5", "--json"));
}

TEST(Arguments, APictureMayBeAList) {
  const test::TempDir folder;
  folder.add("a.png", "");
  folder.add("b.png", "");
  folder.add("c,d.png", "");
  const std::string a = folder.file("a.png"), b = folder.file("b.png"), c = folder.file("c,d.png");
  EXPECT_THAT(arrange({"run", "--image", a + "," + b, "-p", "q"}),
              ElementsAre("run", "--image", a, "--image", b, "-p", "q"));
  EXPECT_THAT(arrange({"run", "--image", c, "-p", "q"}), ElementsAre("run", "--image", c, "-p", "q"));
  EXPECT_THAT(arrange({"run", "--image", a + ",none", "-p", "q"}),
              ElementsAre("run", "--image", a, "--image", "none", "-p", "q"))
      << "the error will name the one that is missing";
  EXPECT_THAT(arrange({"run", "--image", "x,y", "-p", "q"}), ElementsAre("run", "--image", "x,y", "-p", "q"));
}

TEST(Arguments, HelpAndVersionByOtherNames) {
  EXPECT_THAT(arrange({"help"}), ElementsAre("--help"));
  EXPECT_THAT(arrange({"help", "run"}), ElementsAre("run", "--help"));
  EXPECT_THAT(arrange({"version"}), ElementsAre("--version"));
  EXPECT_THAT(arrange({"-V"}), ElementsAre("--version"));
  EXPECT_THAT(arrange({"-h"}), ElementsAre("--help"));
  EXPECT_THAT(arrange({"run", "-?"}), ElementsAre("run", "--help"));
}

}  // namespace
}  // namespace galago::cli
