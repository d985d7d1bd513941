// galago convert as a user runs it: PDF files and pictures in, documents out, whatever happens in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "program.h"
#include "support/pdf.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;
using Words = std::vector<std::string>;

Words convert(const Words& more, const char* tokens = "8") {
  Words words{"convert", "-m", tiny("docling"), "-t", "1", "-n", tokens};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

bool poppler() { return std::system("pdfinfo -v >/dev/null 2>&1 && pdftoppm -v >/dev/null 2>&1") == 0; }

class Convert : public testing::Test {
 protected:
  void SetUp() override {
    if (!poppler()) GTEST_SKIP() << "poppler-utils is not installed";
    std::vector<PdfPage> pages;
    for (int i = 0; i < 20; ++i)
      pages.push_back({.width = 60, .height = 40, .ink = std::to_string(i) + " 5 20 10 re f"});
    folder_.add("in.pdf", pdf(pages));
  }
  std::string file(const std::string& name) const { return folder_.file(name); }
  TempDir folder_;
};

TEST_F(Convert, WritesToStandardOutputOrAFile) {
  const Finished shown = galago(convert({file("in.pdf"), "--pages", "2-3", "--no-retry"}));
  EXPECT_EQ(shown.code, 3) << shown.err;
  EXPECT_FALSE(shown.out.empty());
  EXPECT_THAT(shown.err, HasSubstr("in.pdf#2: ends at the token limit, so the rest is missing"));
  EXPECT_THAT(shown.err, HasSubstr("2 pages of 1 document"));
  const Finished written =
      galago(convert({file("in.pdf"), "--pages", "2-3", "--no-retry", "-o", file("out.md"), "-q"}));
  EXPECT_EQ(written.out, "");
  EXPECT_EQ(read_bytes(file("out.md")), shown.out);
  const Finished both = galago(convert({file("in.pdf"), "--pages", "1", "-o", file("out"), "--format",
                                        "html,json", "--report", "--dpi", "100"}));
  EXPECT_EQ(both.code, 3);
  EXPECT_THAT(read_bytes(file("out/in.html")), StartsWith("<!DOCTYPE html>"));
  EXPECT_EQ(Json::parse(read_bytes(file("out/in.json")))["pages"]["1"]["size"]["width"], 60);
  EXPECT_THAT(read_bytes(file("out/in.pages/page-0001.svg")), HasSubstr("viewBox=\"0 0 84.0 56.0\""));
}

// A fresh machine, no model named: the sample pages are read as they are printed.
TEST_F(Convert, TheModelThatShipsReadsItsSample) {
  const std::string sample = GALAGO_SOURCE_DIR "/models/demo-page/pages/sample.pdf";
  const Finished read = galago({"convert", sample});
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_THAT(read.err, HasSubstr("demo-page"));
  EXPECT_THAT(read.out, StartsWith("# "));
  EXPECT_THAT(read.out, HasSubstr("\n- "));
  EXPECT_THAT(read.out, HasSubstr("\n|---"));
  EXPECT_EQ(galago({"convert", sample, "-t", "1"}).out, read.out);
}

TEST_F(Convert, KilledAndStartedAgainGivesTheSameBytes) {
  const auto words = [this](const std::string& output) {
    return convert({file("in.pdf"), "-o", file(output), "--format", "md,json"});
  };
  EXPECT_EQ(galago(words("whole")).code, 3);
  std::mt19937 chance(3);
  int killed = 0;
  for (int code = -1; code == -1;) {
    ASSERT_LT(killed, 200);
    const TempDir streams;
    const pid_t child = start(words("out"), {}, streams);
    std::this_thread::sleep_for(std::chrono::milliseconds(chance() % 80 + 10 * killed));
    kill(child, SIGKILL);
    code = wait_for(child, 60);
    killed += code == -1;
  }
  EXPECT_GT(killed, 0);
  for (const char* name : {"in.md", "in.json"})
    EXPECT_EQ(read_bytes(file("out/") + name), read_bytes(file("whole/") + name)) << name;
  EXPECT_FALSE(fs::exists(file("out/.galago-convert.journal")));
}

TEST_F(Convert, ToldToEndGoesOnLater) {
  const TempDir streams;
  const Words words = convert({file("in.pdf"), "-o", file("out")}, "60");  // not over before it is told
  const pid_t child = start(words, {}, streams);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto lines = [this] {
    return std::ranges::count(read_bytes(file("out/.galago-convert.journal")), '\n');
  };
  while (std::chrono::steady_clock::now() < end && lines() < 3)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(child, SIGTERM);
  EXPECT_EQ(wait_for(child, 60), 143);
  EXPECT_THAT(read_bytes(streams.file("err")), HasSubstr("the same command goes on from there"));
  EXPECT_FALSE(fs::exists(file("out/in.md")));
  const Finished rest = galago(words);
  EXPECT_EQ(rest.code, 3);
  EXPECT_THAT(rest.err, HasSubstr("were done already"));
  EXPECT_TRUE(fs::exists(file("out/in.md")));
}

TEST_F(Convert, WhatIsWrongIsSaid) {
  folder_.add("broken.pdf", "%PDF-1.4 and no more");
  folder_.add("text.pdf", "hello");
  const std::string locked = data_path("pdf/locked.pdf");
  const struct {
    Words words;
    int code;
    const char* said;
  } cases[] = {
      {{}, 64, "a PDF, a picture or a folder of them"},
      {{file("nowhere.pdf")}, 66, "no such file or folder"},
      {{folder_.path().string()}, 64, "-o, --output"},
      {{file("in.pdf"), file("broken.pdf"), "-o", file("two.md")}, 64, "there may be several documents"},
      {{file("in.pdf"), "--pages", "0"}, 64, "--pages"},
      {{file("in.pdf"), "--pages", "30-"}, 3, "20 pages"},
      {{file("in.pdf"), "--format", "docx"}, 64, "md, html, json, txt or doctags"},
      {{file("in.pdf"), "--scale", "0"}, 64, "--scale"},
      {{file("in.pdf"), "--scale", "2", "--dpi", "100"}, 64, "--dpi"},
      {{file("in.pdf"), "--overlay"}, 64, "a place for the pictures of pages"},
      {{file("broken.pdf")}, 3, "broken.pdf"},
      {{file("text.pdf")}, 3, "text.pdf"},
      {{locked}, 3, "--password TEXT gives it"},
      {{locked, "--password", "wrong"}, 3, "an encrypted PDF"},
  };
  for (const auto& one : cases) {
    const Finished run = galago(convert(one.words));
    EXPECT_EQ(run.code, one.code) << testing::PrintToString(one.words) << run.err;

    EXPECT_THAT(run.err, HasSubstr(one.said)) << testing::PrintToString(one.words);
  }
  EXPECT_EQ(galago(convert({locked, "--password", "user"})).code, 3);
}

}  // namespace
}  // namespace galago::test
