// What reaches a terminal: no control character that a file, a model or a user wrote. Run in a real terminal
// (a pty); through a pipe or into a file everything stays as it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>

#include "core/utf8.h"
#include "program.h"
#include "support/gguf_models.h"

namespace galago::test {
namespace {

using testing::HasSubstr;

/// A run whose stdout and stderr are one terminal.
struct Shown {
  int code = 0;
  std::string text;  ///< without the status line's own sequences
};

std::string without(std::string text, const std::string& part) {
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at))
    text.erase(at, part.size());
  return text;
}

Shown on_terminal(std::vector<std::string> arguments) {
  int master = -1;
  const pid_t child = forkpty(&master, nullptr, nullptr, nullptr);
  if (child == 0) {
    termios plain{};
    tcgetattr(STDOUT_FILENO, &plain);
    cfmakeraw(&plain);  // line ends as they are written
    tcsetattr(STDOUT_FILENO, TCSANOW, &plain);
    setenv("TERM", "xterm", 1);
    setenv("COLORTERM", "truecolor", 1);
    unsetenv("NO_COLOR");
    arguments.insert(arguments.begin(), GALAGO_PROGRAM);
    std::vector<char*> argv;
    for (std::string& word : arguments) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(GALAGO_PROGRAM, argv.data());
    _exit(127);
  }
  Shown shown;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(master, buffer, sizeof buffer)) > 0;)
    shown.text.append(buffer, static_cast<size_t>(n));
  shown.code = wait_for(child, 120);
  close(master);
  shown.text = without(shown.text, "\r\033[K");
  return shown;
}

/// Control characters but line ends and tabs, C1 and the direction's overrides among them.
MATCHER(IsHarmless, "") {
  for (const char c : arg)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F) return false;
  for (unsigned c1 = 0x80; c1 < 0xA0; ++c1)
    if (arg.find(std::string("\xC2") + static_cast<char>(c1)) != std::string::npos) return false;
  return arg.find("\u202e") == std::string::npos && unicode::find_malformed(arg) == std::string::npos;
}

/// A text model that says the same token for ever.
std::string model_that_says(const TempDir& folder, const std::string& token) {
  GgufBuilder builder = tiny_text();
  builder.without("tokenizer.ggml.tokens").without("tokenizer.ggml.merges");
  builder.texts("tokenizer.ggml.tokens", {token, "b", "c", "<image>"}).texts("tokenizer.ggml.merges", {});
  return folder.add("model.gguf", builder.bytes());
}

std::vector<std::string> question(const std::string& model) {
  return {"run", "-t", "1", "-m", model, "--raw", "-p", "b", "-n", "3"};
}

TEST(Terminal, FileNamesInErrorsAreSpelledOut) {
  const std::string name = "/nowhere/\x1b]0;title\x07\x1b[31m\xc2\x9b\x9b\u202egnp.png\nsecond line";
  const Shown shown = on_terminal({"run", "-p", "x", "--image", name});
  EXPECT_EQ(shown.code, 66);
  EXPECT_THAT(shown.text, IsHarmless());
  EXPECT_THAT(shown.text,
              HasSubstr("\\u001b]0;title\\u0007\\u001b[31m\\u009b\uFFFD\\u202egnp.png\\u000asecond line"));
  const Finished piped = galago({"run", "-p", "x", "--image", name});
  EXPECT_THAT(piped.err, HasSubstr(name));
}

TEST(Terminal, NamesInsideAModelsFilesAreSpelledOut) {
  const TempDir folder;
  folder.add_copy_of(tiny());
  std::filesystem::remove(folder.file("model.safetensors"));
  folder.add("model.safetensors.index.json",
             R"({"weight_map":{"a":"\u001b]0;pwn\u0007\u001b[31mX.safetensors"}})");
  for (const bool json : {false, true}) {
    std::vector<std::string> arguments{"run", "-p", "x", "-m", folder.path().string()};
    if (json) arguments.push_back("--json");
    const Shown shown = on_terminal(arguments);
    EXPECT_NE(shown.code, 0);
    EXPECT_THAT(shown.text, HasSubstr("X.safetensors"));
    EXPECT_THAT(shown.text, IsHarmless());
  }
}

TEST(Terminal, WhatAModelSaysIsSpelledOut) {
  const TempDir folder;
  const std::string model = model_that_says(folder, "\u011b");  // the byte 0x1B of byte-level BPE
  const Shown shown = on_terminal(question(model));
  EXPECT_EQ(shown.code, 0) << shown.text;
  EXPECT_THAT(shown.text, IsHarmless());
  EXPECT_THAT(shown.text, HasSubstr("\\u001b\\u001b\\u001b"));
  EXPECT_EQ(galago(question(model)).out, "\x1b\x1b\x1b\n");
}

TEST(Terminal, C1ControlsOfAModelAreSpelledOut) {
  const TempDir folder;
  const std::string model = model_that_says(folder, "\u00c2\u013d");  // the bytes C2 9B: U+009B
  const Shown shown = on_terminal(question(model));
  EXPECT_THAT(shown.text, IsHarmless());
  EXPECT_THAT(shown.text, HasSubstr("\\u009b\\u009b\\u009b"));
  EXPECT_EQ(galago(question(model)).out, "\u009b\u009b\u009b\n");
}

TEST(Terminal, LinesTabsAndLettersStay) {
  const TempDir folder;
  EXPECT_THAT(on_terminal(question(model_that_says(folder, "\u010a"))).text, HasSubstr("\n\n\n"));
  EXPECT_THAT(on_terminal(question(model_that_says(folder, "\u0109"))).text, HasSubstr("\t\t\t"));
  // The bytes C3 A9, e with an acute accent.
  EXPECT_THAT(on_terminal(question(model_that_says(folder, "\u00c3\u00a9"))).text,
              HasSubstr("\u00e9\u00e9\u00e9"));
}

TEST(Terminal, QuestionsAreRepeatedWithoutTheirControls) {
  const Shown shown =
      on_terminal({"run", "-t", "1", "-m", tiny(), "-n", "1", "-p", "x", "-p", "y\u202e\x1b[2J"});
  EXPECT_EQ(shown.code, 0) << shown.text;
  EXPECT_THAT(shown.text, IsHarmless());
  EXPECT_THAT(shown.text, HasSubstr("> y\\u202e\\u001b[2J\n"));
}

TEST(Terminal, ThePictureIsStillDrawn) {
  const Shown shown = on_terminal({"run", "-t", "1", "-m", tiny(), "--image", picture("shapes_64x64.png"),
                                   "-p", "x", "-n", "1", "--show-image"});
  EXPECT_EQ(shown.code, 0) << shown.text;
  EXPECT_THAT(shown.text, HasSubstr("\033[38;2;"));
}

}  // namespace
}  // namespace galago::test
