// Pages of PDF files through the installed Poppler: sizes, pixels, and files that are broken, locked or lie.
// Tests are skipped where it is not installed.
#include "pdf/pdf.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "core/cancelled.h"
#include "galago/error.h"
#include "support/pdf.h"

namespace galago {
namespace {

bool installed() { return std::system("pdfinfo -v >/dev/null 2>&1 && pdftoppm -v >/dev/null 2>&1") == 0; }

class Pdf : public testing::Test {
 protected:
  void SetUp() override {
    if (!installed()) GTEST_SKIP() << "poppler-utils is not installed";
  }
};

std::filesystem::path temporary(const std::string& name) {
  return std::filesystem::path(testing::TempDir()) / name;
}

std::filesystem::path written(const std::string& name, const std::string& bytes) {
  std::ofstream(temporary(name), std::ios::binary) << bytes;
  return temporary(name);
}

/// A program of the test's own, in the place of Poppler's.
std::string script(const std::string& name, const std::string& text) {
  const std::filesystem::path file = written("poppler_" + name, "#!/bin/sh\n" + text + "\n");
  chmod(file.c_str(), 0755);
  return file.string();
}

template <typename Action>
Error refusal(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "was accepted";
  return {ErrorCode::internal, {}};
}

// Where a picture is dark.
bool dark(const RgbImage& image, int64_t x, int64_t y) { return image.row(y)[3 * x] < 64; }

TEST_F(Pdf, PagesHaveTheirSizesAndPixels) {
  const auto file = written("three.pdf", test::pdf({{.width = 200, .height = 100, .ink = "10 10 50 20 re f"},
                                                    {.width = 100.5, .height = 100},
                                                    {.width = 200, .height = 100, .turned = 90}}));
  const PdfFile pdf(file, {});
  ASSERT_EQ(pdf.pages(), 3);
  EXPECT_EQ(pdf.size(1).width, 200);
  EXPECT_EQ(pdf.size(2).width, 100.5);
  EXPECT_EQ(pdf.size(3).width, 100) << "turned";
  const RgbImage image = pdf.draw(1, 2).image;
  EXPECT_EQ(image.width, 400);
  EXPECT_EQ(image.height, 200);
  EXPECT_TRUE(dark(image, 22, 142));  // from the bottom, 10 points: from the top 70, two pixels each
  EXPECT_TRUE(dark(image, 118, 178));
  EXPECT_FALSE(dark(image, 16, 160));
  EXPECT_FALSE(dark(image, 60, 184));
  EXPECT_EQ(pdf.draw(2, 1).image.width, 101);
  EXPECT_EQ(pdf.draw(3, 1).image.width, 100);
  EXPECT_EQ(pdf.draw(3, 1).image.height, 200);
}

TEST_F(Pdf, WordsHaveTheirPlaces) {
  const auto file = written(
      "words.pdf",
      test::pdf({{.width = 200, .height = 100, .ink = "BT /F1 10 Tf 20 70 Td (Two <words> & more) Tj ET"},
                 {.width = 200, .height = 100}}));
  const PdfFile pdf(file, {});
  const std::vector<PdfWord> words = pdf.words(1);
  ASSERT_EQ(words.size(), 4U);
  EXPECT_EQ(words[1].text, "<words>");
  EXPECT_EQ(words[2].text, "&");
  EXPECT_NEAR(words[0].left, 0.1, 0.01);
  EXPECT_NEAR((words[0].top + words[0].bottom) / 2, 0.27, 0.03) << "10 points above a base line at 30 of 100";
  EXPECT_LT(words[0].right, words[1].left);
  EXPECT_TRUE(pdf.words(2).empty());
  EXPECT_EQ(refusal([&] { pdf.words(3); }).code(), ErrorCode::input_invalid);
  const auto lying = [&](const std::string& lines) {
    return PdfFile(file, {.pdftotext = script("text", "printf '" + lines + "'")}).words(1);
  };
  const std::string page = "<page width=\"10\" height=\"10\">\n";
  for (const char* bad :
       {"<word>a</word>", "<word xMin=\"a\" yMin=\"1\" xMax=\"2\" yMax=\"2\">a</word>",
        "</word><word xMin=\"1\"", "<word xMin=\"nan\" yMin=\"1\" xMax=\"2\" yMax=\"2\">a</word>"})
    EXPECT_TRUE(lying(page + bad + "\n").empty()) << bad;
  EXPECT_EQ(lying(page + "<word xMin=\"1\" yMin=\"1\" xMax=\"2\" yMax=\"2\">a&lt;b</word>\n").at(0).text,
            "a<b");
}

// What a viewer shows is what is drawn, and where words are counted from.
TEST_F(Pdf, APageIsItsCropBox) {
  const auto file =
      written("crop.pdf", test::pdf({{.width = 600,
                                      .height = 800,
                                      .ink = "20 60 30 20 re f BT /F1 10 Tf 170 150 Td (word) Tj ET",
                                      .entries = "/CropBox[20 60 320 260]"}}));
  const PdfFile pdf(file, {});
  const PdfDrawing page = pdf.draw(1, 2);
  EXPECT_EQ(page.size.width, 300);
  EXPECT_EQ(page.image.width, 600);
  EXPECT_EQ(page.image.height, 400);
  EXPECT_TRUE(dark(page.image, 2, 397)) << "the ink's corner is the page's";
  ASSERT_EQ(pdf.words(1).size(), 1U);
  EXPECT_NEAR(pdf.words(1)[0].left, 0.5, 0.01);
  EXPECT_NEAR((pdf.words(1)[0].top + pdf.words(1)[0].bottom) / 2, 0.53, 0.03);
}

TEST_F(Pdf, WordsOfTurnedPagesAreWhereTheyAreShown) {
  for (const int turned : {0, 90, 180, 270}) {
    const PdfFile pdf(
        written("turned.pdf", test::pdf({{.width = 300,
                                          .height = 200,
                                          .ink = "40 150 30 10 re f BT /F1 10 Tf 40 152 Td (word) Tj ET",
                                          .turned = turned}})),
        {});
    const RgbImage image = pdf.draw(1, 1).image;
    ASSERT_EQ(pdf.words(1).size(), 1U) << turned;
    const PdfWord word = pdf.words(1)[0];
    const auto x = static_cast<int64_t>((word.left + word.right) / 2 * static_cast<double>(image.width));
    const auto y = static_cast<int64_t>((word.top + word.bottom) / 2 * static_cast<double>(image.height));
    ASSERT_TRUE(x >= 0 && x < image.width && y >= 0 && y < image.height) << turned;
    EXPECT_TRUE(dark(image, x, y)) << turned << ": " << x << ", " << y;
  }
}

TEST_F(Pdf, ANameLikeAFlagIsAName) {
  const auto before = std::filesystem::current_path();
  written("-r.pdf", test::pdf({{.width = 10, .height = 10}}));
  std::filesystem::current_path(testing::TempDir());
  EXPECT_EQ(PdfFile("-r.pdf", {}).draw(1, 1).image.width, 10);
  std::filesystem::current_path(before);
}

TEST_F(Pdf, LockedFilesAskForTheirPassword) {
  const auto file =
      std::filesystem::path(GALAGO_TEST_DATA) / "pdf/locked.pdf";  // qpdf --encrypt user owner 256
  for (const char* wrong : {"", "guess"}) {
    const Error error = refusal([&] { PdfFile(file, {.password = wrong}); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
    EXPECT_EQ(error.expected(), "its password");
  }
  for (const char* right : {"user", "owner"})
    EXPECT_EQ(PdfFile(file, {.password = right}).draw(1, 1).image.width, 200) << right;
}

TEST_F(Pdf, WhatIsNoPdfOrBrokenIsRefused) {
  EXPECT_EQ(refusal([] { PdfFile("/nonexistent.pdf", {}); }).code(), ErrorCode::not_found);
  EXPECT_EQ(refusal([] { PdfFile("/tmp", {}); }).code(), ErrorCode::input_invalid);
  const std::string whole = test::pdf({{.width = 200, .height = 100}});
  for (const std::string& bytes : {std::string(), std::string("hello"), std::string("%PDF-1.4\n"),
                                   std::string("%PDF-") + std::string(3000, '\0'), whole.substr(0, 60)})
    EXPECT_EQ(refusal([&] { PdfFile(written("broken.pdf", bytes), {}); }).code(), ErrorCode::input_invalid)
        << bytes.size();
  // Poppler rebuilds a table that is missing.
  EXPECT_EQ(PdfFile(written("cut.pdf", whole.substr(0, whole.rfind("xref"))), {}).pages(), 1);
  const PdfFile one(written("one.pdf", whole), {});
  for (const int64_t page : {int64_t{-1}, int64_t{2}, int64_t{1} << 40})
    EXPECT_EQ(refusal([&] { one.draw(page, 1); }).code(), ErrorCode::input_invalid) << page;
}

TEST_F(Pdf, HugePagesAreRefusedBeforeTheyAreDrawn) {
  for (const auto& [width, height] :
       {std::pair{1e9, 1e9}, std::pair{14400.0, 14400.0}, std::pair{70000.0, 1.0}}) {
    const PdfFile pdf(written("huge.pdf", test::pdf({{.width = width, .height = height}})), {});
    EXPECT_EQ(refusal([&] { pdf.draw(1, 1); }).code(), ErrorCode::input_too_large) << width;
  }
}

TEST(PdfPrograms, LyingProgramsAreAnswered) {
  const auto file = written("any.pdf", "%PDF-1.4");
  const std::string info =
      script("info", "echo 'Pages: 2'; echo 'Page    1 size: 10 x 5 pts'; echo 'Page 1 rot: 0'");
  const auto draw = [&](const std::string& ppm) {
    PdfFile(file, {.pdfinfo = info, .pdftoppm = script("ppm", ppm), .seconds = 20}).draw(1, 1);
  };
  for (const char* ppm :
       {"exit 0", "printf 'P5\\n1 1\\n255\\na'", "printf 'P6\\n0 1\\n255\\n'", "printf 'P6\\n1 1\\n9\\nabc'",
        "printf 'P6\\n60000 60000\\n255\\n'", "printf 'P6\\n2 1\\n255\\nabc'", "yes", "cat /dev/zero",
        "printf 'P6\\n1 1\\n255\\nabc'; exit 1"})
    EXPECT_EQ(refusal([&] { draw(ppm); }).code(), ErrorCode::input_invalid) << ppm;
  draw("printf 'P6\\n1 1\\n255\\nabc'");
  for (const char* killed : {"kill -9 $$", "kill -TERM $$", "printf 'P6\\n1 1\\n255\\nabc'; kill -INT $$"})
    EXPECT_EQ(refusal([&] { draw(killed); }).code(), ErrorCode::resource)
        << killed << ": not the file's fault";
  EXPECT_EQ(refusal([&] { draw("kill -SEGV $$"); }).code(), ErrorCode::input_invalid);
  for (const char* facts : {"exit 0", "echo 'Pages: 0'", "echo 'Pages: -3'", "echo 'Pages: x'", "exit 3"})
    EXPECT_EQ(refusal([&] { PdfFile(file, {.pdfinfo = script("facts", facts)}); }).code(),
              ErrorCode::input_invalid)
        << facts;
  for (const char* size : {"0 x 5", "-1 x 5", "nan x 5", "inf x 5", "5", ""}) {
    const PdfFile pdf(
        file,
        {.pdfinfo = script("sizes", "echo 'Pages: 1'; echo 'Page 1 size: " + std::string(size) + " pts'")});
    EXPECT_EQ(refusal([&] { pdf.size(1); }).code(), ErrorCode::input_invalid) << size;
  }
  EXPECT_EQ(refusal([&] { PdfFile(file, {.pdfinfo = "/nonexistent/pdfinfo"}); }).code(),
            ErrorCode::not_found);
  EXPECT_EQ(
      refusal([&] { PdfFile(file, {.pdfinfo = script("slow", "exec sleep 60"), .seconds = 0.2}); }).code(),
      ErrorCode::timeout);
  EXPECT_THROW(
      PdfFile(file, {.pdfinfo = script("slow", "exec sleep 60"), .keep_going = [] { return false; }}),
      Cancelled);
}

}  // namespace
}  // namespace galago
