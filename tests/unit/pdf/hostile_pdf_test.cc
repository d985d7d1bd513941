// PDF files that lie, loop and swell: each is drawn or refused, soon, and nothing else.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>

#include "galago/error.h"
#include "pdf/pdf.h"
#include "support/fixtures.h"
#include "support/pdf.h"

namespace galago {
namespace {

using test::pdf_of;
using test::pdf_stream;

enum class Fate { drawn, refused };

struct Case {
  const char* name;
  Fate fate;
  std::string bytes;
};

const std::string kCatalogue = "<</Type/Catalog/Pages 2 0 R>>";
const std::string kPages = "<</Type/Pages/Count 1/Kids[3 0 R]>>";
const std::string kPage = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R>>";

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::string deflated(const std::string& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
            bytes.size(), 9);
  out.resize(size);
  return out;
}

std::string with_pages(const std::string& pages) {
  return pdf_of({kCatalogue, pages, kPage, pdf_stream("")});
}
std::string with_page(const std::string& entries, const std::vector<std::string>& more = {}) {
  std::vector<std::string> objects = {kCatalogue, kPages, "<</Type/Page/Parent 2 0 R" + entries + ">>"};
  objects.insert(objects.end(), more.begin(), more.end());
  return pdf_of(objects);
}
std::string with_ink(const std::string& stream) { return pdf_of({kCatalogue, kPages, kPage, stream}); }
std::string with_trailer(const std::string& trailer) {
  return pdf_of({kCatalogue, kPages, kPage, pdf_stream("")}, trailer);
}

std::vector<Case> cases() {
  const std::string box = "/MediaBox[0 0 200 100]", good = with_ink(pdf_stream("1 1 5 5 re f"));
  const std::string drawing = box + "/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>";
  std::vector<Case> all = {
      {"count_of_100000", Fate::refused, with_pages("<</Type/Pages/Count 100000/Kids[3 0 R]>>")},
      {"count_below_0", Fate::refused, with_pages("<</Type/Pages/Count -5/Kids[3 0 R]>>")},
      {"count_beyond_integers", Fate::refused,
       with_pages("<</Type/Pages/Count 99999999999999/Kids[3 0 R]>>")},
      {"pages_in_themselves", Fate::refused, with_pages("<</Type/Pages/Count 1/Kids[2 0 R]>>")},
      {"pages_without_kids", Fate::refused, with_pages("<</Type/Pages/Count 1/Kids[]>>")},
      {"kid_that_is_missing", Fate::refused, with_pages("<</Type/Pages/Count 1/Kids[99 0 R]>>")},
      {"catalogue_in_itself", Fate::refused, pdf_of({"1 0 R"})},
      {"catalogue_of_text", Fate::refused, pdf_of({"(hello)"})},
      {"no_catalogue", Fate::refused, pdf_of({})},
      {"no_box", Fate::drawn, with_page("")},
      {"short_box", Fate::drawn, with_page("/MediaBox[0 0]")},
      {"box_of_words", Fate::drawn, with_page("/MediaBox[(a)(b)(c)(d)]")},
      {"box_the_other_way", Fate::drawn, with_page("/MediaBox[200 100 0 0]")},
      {"box_below_0", Fate::drawn, with_page("/MediaBox[-100 -50 -10 -5]")},
      {"box_of_nothing", Fate::drawn, with_page("/MediaBox[0 0 0 0]")},
      {"turned_by_45", Fate::drawn, with_page(box + "/Rotate 45")},
      {"turned_very_often", Fate::drawn, with_page(box + "/Rotate 999999999990")},
      {"great_unit", Fate::drawn, with_page(box + "/UserUnit 1e9")},
      {"lists_in_lists", Fate::drawn, with_page(box + "/X " + repeated("[", 50000) + repeated("]", 50000))},
      {"content_is_the_page", Fate::drawn, with_page(box + "/Contents 3 0 R")},
      {"form_in_itself", Fate::drawn,
       with_page(drawing,
                 {pdf_stream("/X Do"),
                  pdf_stream("/X Do",
                             "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>")})},
      {"picture_of_great_size", Fate::drawn,
       with_page(drawing, {pdf_stream("200 0 0 100 0 0 cm /X Do"),
                           pdf_stream("ab",
                                      "/Type/XObject/Subtype/Image/Width 2000000000/Height "
                                      "2000000000/BitsPerComponent 8/ColorSpace/DeviceRGB")})},
      {"font_in_itself", Fate::drawn,
       with_page(box + "/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>",
                 {pdf_stream("BT /F 10 Tf 5 5 Td (hi) Tj ET"),
                  "<</Type/Font/Subtype/TrueType/BaseFont/X/FontDescriptor<</FontFile2 5 0 R>>>>"})},
      {"length_that_lies", Fate::drawn, with_ink("<</Length 999999999>>stream\nq\nendstream")},
      {"length_in_itself", Fate::drawn, with_ink("<</Length 4 0 R>>stream\nq\nendstream")},
      {"thousand_filters", Fate::drawn,
       with_ink(pdf_stream("x", "/Filter[" + repeated("/FlateDecode ", 1000) + "]"))},
      {"bytes_that_swell", Fate::drawn,
       with_ink(pdf_stream(deflated(std::string(50'000'000, '\0')), "/Filter/FlateDecode"))},
      {"bytes_that_swell_twice", Fate::drawn,
       with_ink(pdf_stream(deflated(deflated(std::string(50'000'000, '\0'))),
                           "/Filter[/FlateDecode/FlateDecode]"))},
      {"states_on_states", Fate::drawn, with_ink(pdf_stream(repeated("q ", 20000)))},
      {"unknown_encryption", Fate::drawn, with_trailer("/Encrypt<</Filter/Standard/V 99/R 99/O()/U()/P 0>>")},
      {"missing_encryption", Fate::drawn, with_trailer("/Encrypt 77 0 R")},
      {"script", Fate::drawn,
       pdf_of({"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>", kPages, kPage,
               pdf_stream("")})},
      {"program", Fate::drawn,
       pdf_of({"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/Launch/F(/bin/sh)>>>>", kPages, kPage,
               pdf_stream("")})},
      {"zeros", Fate::refused, "%PDF-1.4\n" + std::string(100000, '\0')},
      {"head_alone", Fate::refused, "%PDF-9.9"},
      {"end_first", Fate::refused, "%%EOF\n%PDF-1.4"},
      {"no_pdf", Fate::refused, "PDF-1.4\n" + good.substr(9)},
      {"head_too_late", Fate::refused, std::string(1500, 'x') + good},
      {"rubbish_before", Fate::drawn, std::string(500, 'x') + good},
      {"rubbish_behind", Fate::drawn, good + std::string(100000, 'x')},
      {"no_table", Fate::refused, good.substr(0, good.find("xref"))},
      {"no_page_any_more", Fate::refused, good.substr(0, good.find("/Type/Page/"))},
  };
  return all;
}

class HostilePdf : public testing::TestWithParam<Case> {};

TEST_P(HostilePdf, IsDrawnOrRefused) {
  if (std::system("pdfinfo -v >/dev/null 2>&1 && pdftoppm -v >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "poppler-utils is not installed";
  const test::TempDir folder;
  const std::string file = folder.add("a.pdf", GetParam().bytes);
  try {
    const RgbImage image = PdfFile(file, {.seconds = 120}).draw(1, 0.5).image;
    EXPECT_EQ(GetParam().fate, Fate::drawn);
    EXPECT_EQ(std::ssize(image.pixels), 3 * image.width * image.height);
  } catch (const Error& error) {
    EXPECT_EQ(GetParam().fate, Fate::refused) << error.what();
    EXPECT_EQ(error.code(), ErrorCode::input_invalid) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Files, HostilePdf, testing::ValuesIn(cases()),
                         [](const auto& param) { return std::string(param.param.name); });

// Every byte of a small file, one after the other, in steps.
TEST(HostilePdf, ManyBytesMayBeWrong) {
  if (std::system("pdfinfo -v >/dev/null 2>&1 && pdftoppm -v >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "poppler-utils is not installed";
  const std::string good = with_ink(pdf_stream("1 1 5 5 re f"));
  const test::TempDir folder;
  int drawn = 0, refused = 0;
  for (size_t i = 0; i < good.size(); i += 11) {
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
    try {
      PdfFile(folder.add("a.pdf", bytes), {}).draw(1, 0.5);
      ++drawn;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input_invalid) << i << error.what();
      ++refused;
    }
  }
  EXPECT_GT(drawn, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace galago
