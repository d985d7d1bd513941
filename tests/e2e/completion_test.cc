// Completion as the shells do it: each really reads its script. One that is not installed is skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;
using Words = std::vector<std::string>;

bool has(const std::string& shell) {
  return std::system(("command -v " + shell + " >/dev/null 2>&1").c_str()) == 0;
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (const size_t n = fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, n);
  EXPECT_EQ(pclose(pipe), 0) << command << "\n" << text;
  return text;
}

Words lines_of(const std::string& text) {
  std::istringstream stream(text);
  Words lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string script(const TempDir& folder, const std::string& shell) {
  const Finished made = galago({"completion", shell});
  EXPECT_EQ(made.code, 0) << made.err;
  return folder.add("script." + shell, made.out);
}

/// What bash offers for the last of the words.
Words bash_offers(const std::string& words) {
  const TempDir folder;
  return lines_of(output_of("bash -c 'set -u; source " + script(folder, "bash") +
                            "; complete -p galago >/dev/null || exit 1; COMP_WORDS=(" + words +
                            "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _galago; "
                            "for word in \"${COMPREPLY[@]:-}\"; do printf \"%s\\n\" \"$word\"; done'"));
}

TEST(Completion, BashOffersCommandsFlagsWordsAndFiles) {
  if (!has("bash")) GTEST_SKIP() << "no bash";
  EXPECT_THAT(bash_offers("galago \"\""),
              IsSupersetOf({"run", "chat", "inspect", "completion", "--version"}));
  EXPECT_THAT(bash_offers("galago r"), ElementsAre("run"));
  EXPECT_THAT(bash_offers("galago run --json"), ElementsAre("--json-object", "--json-schema", "--json"));
  EXPECT_THAT(bash_offers("galago run --dtype \"\""), ElementsAre("auto", "f32", "bf16", "q8", "q4"));
  EXPECT_THAT(bash_offers("galago run --dtype = q"), ElementsAre("q8", "q4"));
  EXPECT_THAT(bash_offers("galago run --dtype ="), Contains("bf16"));
  EXPECT_THAT(bash_offers("galago run --pillow \"\""), ElementsAre("12", "13"));
  EXPECT_THAT(bash_offers("galago completion \"\""), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(bash_offers("galago run -n \"\""), ElementsAre("")) << "a number";
  const TempDir folder;
  const std::string picture = folder.add("a cat.png", "");
  std::filesystem::create_directory(folder.file("a folder"));
  EXPECT_THAT(bash_offers("galago run " + folder.file("a")),
              testing::UnorderedElementsAre(picture, folder.file("a folder")));
  EXPECT_THAT(bash_offers("galago run -m " + folder.file("a")), Contains(folder.file("a folder")));
  EXPECT_THAT(bash_offers("galago run --image-cache-dir " + folder.file("a")),
              ElementsAre(folder.file("a folder")));
}

TEST(Completion, EveryFlagOfEveryCommandIsOffered) {
  if (!has("bash")) GTEST_SKIP() << "no bash";
  for (const char* command : {"run", "chat", "inspect", "trace", "verify", "export", "quantize", "embed",
                              "classify", "batch", "convert", "serve", "pull", "bench", "completion"}) {
    const Words offered = bash_offers(std::string("galago ") + command + " -");
    std::istringstream help(galago({command, "--help"}).out);
    for (std::string line; std::getline(help, line);) {
      if (!line.starts_with("  -")) continue;
      std::istringstream words(line);
      for (std::string word; words >> word && word.starts_with('-');) {
        if (word.ends_with(',')) word.pop_back();
        EXPECT_THAT(offered, Contains(word)) << command;
      }
    }
  }
}

TEST(Completion, ZshReadsIt) {
  if (!has("zsh")) GTEST_SKIP() << "no zsh";
  const TempDir folder;
  output_of("zsh -f -c 'autoload -Uz compinit && compinit -u -d " + folder.file("dump") + " && source " +
            script(folder, "zsh") + " && [[ $_comps[galago] == _galago ]]'");
}

TEST(Completion, FishOffersTheSame) {
  if (!has("fish")) GTEST_SKIP() << "no fish";
  const TempDir folder;
  const auto offers = [&](const std::string& line) {
    Words words = lines_of(output_of("HOME=" + folder.path().string() + " fish --no-config -c 'source " +
                                     script(folder, "fish") + "; complete -C \"" + line + "\"'"));
    for (std::string& word : words) word = word.substr(0, word.find('\t'));
    return words;
  };
  EXPECT_THAT(offers("galago ru"), ElementsAre("run"));
  EXPECT_THAT(offers("galago run --dtype "), IsSupersetOf({"auto", "bf16", "q4"}));
  EXPECT_THAT(offers("galago run --json"), AllOf(Contains("--json-schema"), Not(Contains("--dtype"))));
  EXPECT_THAT(offers("galago completion "), IsSupersetOf({"bash", "fish", "zsh"}));
}

TEST(Completion, AnotherShellIsUsage) {
  const Finished done = galago({"completion", "tcsh"});
  EXPECT_EQ(done.code, 64);
  EXPECT_THAT(done.err, testing::HasSubstr("bash"));
  EXPECT_EQ(galago({"completion"}).code, 64);
}

}  // namespace
}  // namespace galago::test
