// `galago chat` as a person and as a script meet it: typed at on a terminal (a pty), and through a pipe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "endless_model.h"
#include "program.h"
#include "support/gguf_models.h"
#include "terminal.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

const char* const kReady = "\x1b[?2004h";  // the prompt stands, a line is awaited

Words chat(const Words& more = {}, const std::string& model = tiny()) {
  return Words{"chat", "-t", "1", "-m", model, "-n", "6"} + more;
}

Finished piped(const std::string& input, const Words& more = {}) {
  return galago(chat(more), {.input = input});
}

Words lines_of(const std::string& text) {
  std::istringstream stream(text);
  Words lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The conversation that /save wrote.
Json saved(const std::string& file) { return Json::parse(read_bytes(file))["messages"]; }

/// A text model that says the byte 0x1B for ever, with a chat template beside it.
Words model_that_escapes(const TempDir& folder) {
  GgufBuilder builder = tiny_text();
  builder.without("tokenizer.ggml.tokens").without("tokenizer.ggml.merges");
  builder.texts("tokenizer.ggml.tokens", {"\u011b", "b", "c", "<image>"}).texts("tokenizer.ggml.merges", {});
  const std::string model = folder.add("model.gguf", builder.bytes());
  const std::string form = folder.add("form.jinja", "{% for m in messages %}{{ m.content }}{% endfor %}");
  return {"chat", "-t", "1", "-m", model, "--chat-template", form, "-n", "3"};
}

/// Its own home, so that no history of somebody is touched.
std::map<std::string, std::string> home(const TempDir& folder) {
  return {{"XDG_STATE_HOME", folder.path().string()}, {"HOME", folder.path().string()}};
}

TEST(ChatPiped, EachLineIsATurnThatKnowsThoseBefore) {
  const TempDir folder;
  const std::string file = folder.file("chat.json");
  const Finished done = piped("What is this?\nAnd now?\n/save " + file + "\n",
                              {picture("shapes_100x80.png"), "--system", "Hm."});
  EXPECT_EQ(done.code, 0) << done.err;
  const Json messages = saved(file);
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[1]["content"][0]["path"], picture("shapes_100x80.png"));
  EXPECT_EQ(done.out, messages[2]["content"].get<std::string>() + "\n" +
                          messages[4]["content"].get<std::string>() + "\n")
      << "answers alone";
  // The same question with the same past.
  Json past = messages;
  past.erase(4);
  folder.add("past.json", past.dump());
  const Finished again =
      galago({"run", "-m", tiny(), "-n", "6", "--json", "--messages", folder.file("past.json")});
  EXPECT_EQ(again.json()["text"], messages[4]["content"]) << again.err;
}

TEST(ChatPiped, ASecondTurnReadsWhatIsNewAlone) {
  const Finished done = piped("What is this?\nAnd now?\n", {picture("shapes_100x80.png"), "--stats"});
  EXPECT_THAT(done.err, HasSubstr("image cache: 1 hit, 0 misses"));
  const size_t last = done.err.rfind("context: ");
  ASSERT_NE(last, std::string::npos) << done.err;
  EXPECT_THAT(done.err.substr(last), Not(HasSubstr(", 0 of them"))) << done.err;
  const Finished anew = piped("What is this?\nAnd now?\n",
                              {picture("shapes_100x80.png"), "--stats", "--prefix-cache-size", "0"});
  EXPECT_THAT(anew.err.substr(anew.err.rfind("context: ")), HasSubstr(", 0 of them"));
}

TEST(ChatPiped, ATurnThatFailsIsToldAndTheOthersGoOn) {
  const TempDir folder;
  const std::string file = folder.file("chat.json");
  const Finished done = piped("/image /no/such.png\nWhat?\n/imge x\n/undo now\n/save\n/dance\n/save " + file +
                              "\n/quit\nNever.\n");
  EXPECT_EQ(done.code, 66) << "of the first that failed";
  EXPECT_THAT(done.err, AllOf(HasSubstr("/no/such.png"), HasSubstr("did you mean /image?"),
                              HasSubstr("/undo: got more behind it, expected /undo alone"),
                              HasSubstr("/save: got nothing behind it, expected /save FILE"),
                              HasSubstr("unknown command /dance (/help lists the commands")));
  EXPECT_EQ(saved(file).size(), 2U);
  EXPECT_EQ(lines_of(done.out).size(), 1U);
}

TEST(ChatPiped, APictureThatIsNotThereIsNotAskedAbout) {
  const Finished done = piped("nope.jpg What is this?\nHm?\n");
  EXPECT_EQ(done.code, 66);
  EXPECT_THAT(done.err, HasSubstr("nope.jpg: got no such picture"));
  EXPECT_EQ(lines_of(done.out).size(), 1U);
}

TEST(ChatPiped, APictureThatIsAWordOfAQuestionIsTold) {
  const Finished done =
      piped("What is in nope.jpg?\n" + picture("shapes_100x80.png") + " What is in shapes_100x80.png?\n");
  EXPECT_EQ(done.code, 0);
  EXPECT_THAT(done.err, HasSubstr("galago: nope.jpg is a word of this question"));
  EXPECT_THAT(done.err, Not(HasSubstr("shapes_100x80.png is a word")));
}

TEST(ChatPiped, HostileLinesAreAnswered) {
  const TempDir folder;
  const std::string file = folder.file("chat.json");
  const std::string lines = std::string("a\0b\n", 4) + "\xff\xfe\n" + "\x1b]0;title\x07\n" +
                            std::string(1 << 20, 'x') + "\n" + std::string((16 << 20) + 5, ' ') + "\n" +
                            "//etc\n\n   \n/\n\"\"\"one\ntwo\"\"\"\na\\\nb\r\n<end_of_utterance>\n/save " +
                            file + "\n\"\"\"never closed";
  const Finished done = galago(chat({"-n", "2"}), {.input = lines});
  EXPECT_EQ(done.code, 65) << done.err.substr(0, 2000);
  EXPECT_THAT(done.err, AllOf(HasSubstr("input_too_large"), HasSubstr("/clear begins anew"),
                              HasSubstr("more characters than a line may have")));
  Words asked;
  for (const Json& message : saved(file))
    if (message["role"] == "user") asked.push_back(message["content"]);
  EXPECT_THAT(asked, testing::IsSupersetOf({"/etc", "/", "one\ntwo", "a\nb", "<end_of_utterance>"}));
}

TEST(ChatPiped, AConversationIsSavedLoadedAndChanged) {
  const TempDir folder;
  const std::string first = folder.file("a.json"), second = folder.file("b.json"),
                    third = folder.file("c.json");
  const std::string there = folder.add("there.json", "mine");
  EXPECT_EQ(piped("'" + picture("shapes_100x80.png") + "' What?\nAnd?\n/save " + first + "\n").code, 0);
  const Finished done = piped("/load " + first + "\n/save " + second + "\n/regenerate\n/undo\n/save " +
                              third + "\n/system Hm.\n/save " + first + "\n/save " + there + "\n");
  EXPECT_EQ(done.code, 64);
  EXPECT_THAT(done.err, HasSubstr("a file that is there"));
  EXPECT_EQ(read_bytes(there), "mine");
  EXPECT_EQ(saved(third).size(), 2U);
  EXPECT_EQ(saved(first)[0], Json({{"role", "system"}, {"content", "Hm."}}))
      << "what was loaded may be replaced";
  EXPECT_EQ(lines_of(done.out)[0], saved(second)[3]["content"]) << "greedy: the same answer again";
  const Finished with_flag = piped("/save " + folder.file("d.json") + "\n", {"--messages", second});
  EXPECT_EQ(saved(folder.file("d.json")), saved(second)) << with_flag.err;
}

TEST(ChatPiped, AFullContextIsToldAndCleared) {
  std::string lines;
  for (int i = 0; i < 4; ++i) lines += "/image " + picture("shapes_100x80.png") + "\nWhat?\n";
  const TempDir folder;
  folder.add_copy_of(tiny());
  folder.add("config.json",
             replaced(read_bytes(folder.file("config.json")), "\"max_position_embeddings\": 2048",
                      "\"max_position_embeddings\": 700"));
  const Finished done = galago(chat({}, folder.path().string()), {.input = lines + "/clear\nWhat?\n"});
  EXPECT_EQ(done.code, 65) << done.err;
  EXPECT_THAT(done.err, HasSubstr("nothing of it was kept; /undo takes back"));
  EXPECT_GE(lines_of(done.out).size(), 2U);
}

TEST(ChatPiped, WhatCannotBeIsToldAtOnce) {
  EXPECT_EQ(galago({"chat", "-m", tiny("text_base")}, {.input = "x\n"}).code, 78);
  EXPECT_EQ(galago(chat(), {.input = "x\n", .output = "/dev/full"}).code, 74);
  EXPECT_EQ(galago(chat({"--regex", "a", "--json-object"})).code, 64);
  EXPECT_THAT(galago(chat({"-p", "x"})).err, HasSubstr("galago run answers one question"));
  EXPECT_EQ(piped("").code, 0);
  const Finished text =
      galago(chat({}, tiny("text_smollm2")), {.input = "/image " + picture("shapes_100x80.png")});
  EXPECT_EQ(text.code, 65);
  EXPECT_THAT(text.err, HasSubstr("it reads no pictures"));
}

TEST(ChatPiped, FlagsOfAnAnswerCount) {
  const Finished done = piped("What?\nAnd?\n", {"--choices", "yes,no", "--logprobs", "2"});
  EXPECT_EQ(done.code, 0) << done.err;
  for (const std::string& line : lines_of(done.out)) EXPECT_THAT(line, testing::AnyOf("yes", "no"));
  EXPECT_THAT(done.err, HasSubstr("likeliest"));
}

TEST(ChatPiped, CtrlCEndsItWith130AfterWhatWasSaid) {
  const EndlessModel model;
  const TempDir streams;
  const pid_t child = start(chat({"-n", "1800"}, model.path()), {.input = "Tell me.\nNever.\n"}, streams);
  for (int i = 0; i < 20'000 && read_bytes(streams.file("out")).empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child, 60), 130);
  const std::string said = read_bytes(streams.file("out"));
  EXPECT_NE(said, "");
  EXPECT_LT(said.size(), galago(chat({"-n", "1800"}, model.path()), {.input = "Tell me.\n"}).out.size());
}

TEST(ChatTyped, LinesAreEditedAndRemembered) {
  const TempDir folder;
  const std::string file = folder.file("chat.json");
  {
    Terminal terminal(chat(), home(folder));
    EXPECT_THAT(terminal.until(kReady), HasSubstr("/help lists the commands"));
    terminal.type("What is thit?\x1b[D\x7fs\n");  // one to the left, rubbed out, put right
    terminal.until(kReady);
    terminal.type("\x03");
    EXPECT_THAT(terminal.until(kReady), HasSubstr("Ctrl-D or /quit leaves"));
    terminal.type("gr\u00fc\xff\u00df\n");
    terminal.until(kReady);
    terminal.type("given up");
    terminal.until("given up");
    terminal.type("\x03");
    EXPECT_THAT(terminal.until(kReady), Not(HasSubstr("Ctrl-D or")));
    terminal.type("/save " + file + "\n");
    terminal.until("saved as");
    terminal.until(kReady);
    terminal.type("\x04");
    EXPECT_EQ(terminal.finish(), 0);
  }
  EXPECT_EQ(saved(file)[0]["content"], "What is this?");
  EXPECT_EQ(saved(file)[2]["content"], "gr\u00fc\uFFFD\u00df");
  struct stat facts {};
  ASSERT_EQ(stat(folder.file("galago/history").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  Terminal terminal(chat(), home(folder));
  terminal.until(kReady);
  terminal.type("\x1b[A\x1b[A\x1b[A\n");  // three lines up
  terminal.until(kReady);
  terminal.type("/save " + folder.file("again.json") + "\n/quit\n");
  EXPECT_EQ(terminal.finish(), 0);
  EXPECT_EQ(saved(folder.file("again.json"))[0]["content"], "What is this?");
}

TEST(ChatTyped, NoHistoryIsNone) {
  const TempDir folder;
  Terminal terminal(chat({"--no-history"}), home(folder));
  terminal.until(kReady);
  terminal.type("What?\n");
  terminal.until(kReady);
  terminal.type("\x04");
  EXPECT_EQ(terminal.finish(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder.file("galago/history")));
}

TEST(ChatTyped, CtrlCStopsTheAnswerAlone) {
  const EndlessModel model;
  const TempDir folder;
  const std::string file = folder.file("chat.json");
  Terminal terminal(chat({"-n", "1800"}, model.path()), home(folder));
  terminal.until(kReady);
  terminal.type("Tell me.\n");
  terminal.until("\x1b[?2004l");  // it answers, for a third of a second
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  terminal.type("\x03");
  terminal.until("stopped");
  terminal.until(kReady);
  terminal.type("/save " + file + "\n");
  terminal.until("saved as");
  terminal.until(kReady);
  terminal.type("/quit\n");
  EXPECT_EQ(terminal.finish(), 0);
  for (const Json& message : saved(file))
    if (message["role"] == "assistant") {
      EXPECT_EQ(message["finish_reason"], "cancelled");
    }
}

TEST(ChatTyped, TheTerminalIsLeftAsItWasWhenTold) {
  const TempDir folder;
  Terminal terminal(chat(), home(folder));
  terminal.until(kReady);
  kill(terminal.child(), SIGTERM);
  std::string rest;
  EXPECT_EQ(terminal.finish(&rest), 143);
  EXPECT_THAT(rest, HasSubstr("\x1b[?2004l"));
}

TEST(ChatTyped, WhatIsPastedStaysOneTurn) {
  const TempDir folder;
  const std::string file = folder.file("chat.json");
  Terminal terminal(chat(), home(folder));
  terminal.until(kReady);
  terminal.type("Say: \x1b[200~one\rtwo\x1b]0;x\x07\rthree\r\x1b[201~\n");
  terminal.until(kReady);
  terminal.type("a\\\n");
  terminal.until(kReady);
  terminal.type("b\n");
  terminal.until(kReady);
  terminal.type("/save " + file + "\n/quit\n");
  EXPECT_EQ(terminal.finish(), 0);
  EXPECT_EQ(saved(file)[0]["content"], "Say: one\ntwo]0;x\nthree");
  EXPECT_EQ(saved(file)[2]["content"], "a\nb");
}

TEST(ChatTyped, AVeryLongLineIsRefusedInTime) {
  const TempDir folder;
  Terminal terminal(chat(), home(folder));
  terminal.until(kReady);
  terminal.type(std::string(1 << 20, 'x') + "\n");
  EXPECT_THAT(terminal.until("a line may have"), HasSubstr("input_too_large"));
  terminal.until(kReady);
  terminal.type("/quit\n");
  EXPECT_EQ(terminal.finish(), 0);
}

TEST(ChatTyped, AnswersCannotControlTheTerminal) {
  const TempDir folder;
  Terminal terminal(model_that_escapes(folder), home(folder));
  terminal.until(kReady);
  terminal.type("b\n");
  terminal.until("\\u001b\\u001b\\u001b");
  terminal.until(kReady);
  terminal.type("\x04");
  EXPECT_EQ(terminal.finish(), 0);
}

TEST(ChatTyped, PicturesAreDrawnWhereTheTerminalCan) {
  const TempDir folder;
  const struct {
    std::map<std::string, std::string> variables;
    Words flags;
    const char* drawn;
  } rows[] = {{{{"COLORTERM", "truecolor"}}, {}, "\033[38;2;"},
              {{}, {}, "\033[38;5;"},
              {{{"NO_COLOR", "1"}}, {}, nullptr},
              {{}, {"--no-color"}, nullptr},
              {{{"TERM", "dumb"}}, {}, nullptr}};
  for (const auto& row : rows) {
    auto variables = home(folder);
    variables.insert(row.variables.begin(), row.variables.end());
    Terminal terminal(chat(row.flags), variables);
    terminal.until("> ");
    terminal.type("file://" + picture("shapes_100x80.png") + "\n");
    const std::string shown = terminal.until("100x80, goes with the next question");
    terminal.until("> ");
    EXPECT_EQ(shown.find("\033[38;") != std::string::npos, row.drawn != nullptr);
    if (row.drawn) {
      EXPECT_THAT(shown, HasSubstr(row.drawn));
    }
    terminal.type("\x04");
    EXPECT_EQ(terminal.finish(), 0);
  }
}

TEST(ChatTyped, TheDemoModelTalks) {
  const TempDir folder;
  Terminal terminal({"chat", "-t", "1"}, home(folder));
  terminal.until(kReady);
  terminal.type(data_path("../../models/demo/pictures/fruit.jpg") + " Where is the banana?\n");
  terminal.until("top right");
  terminal.until(kReady);
  terminal.type("\x04");
  EXPECT_EQ(terminal.finish(), 0);
}

}  // namespace
}  // namespace galago::test
