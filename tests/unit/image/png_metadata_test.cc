// What the chunks of a PNG say of its orientation where they are broken, cut off or bombs: nothing, in
// bounded memory and time. Sound ones are among the pictures of decode_test.cc, and EXIF blocks in exif.json.
#include "image/png_metadata.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <string_view>
#include <vector>

#include "image/orientation.h"
#include "image_test_support.h"
#include "support/allocation.h"

namespace galago {
namespace {

using namespace image_test;
using namespace std::string_literals;

const std::string kProfile = "Raw profile type exif\0"s;

std::string big32(size_t value) {
  std::string text(4, '\0');
  for (int i = 0; i < 4; ++i) text[i] = static_cast<char>(value >> (24 - 8 * i));
  return text;
}

std::string chunk(const std::string& name, const std::string& data) {
  return big32(data.size()) + name + data + "\0\0\0\0"s;
}

std::string png(const std::string& chunks) { return "\x89PNG\r\n\x1a\n" + chunks; }

PngMetadata metadata_of(const std::string& file) {
  return read_png_metadata({.bytes = std::as_bytes(std::span(file)), .where = "a.png"});
}

std::string packed(const std::string& text) {
  std::string out(compressBound(text.size()), '\0');
  uLongf size = out.size();
  compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
            text.size(), 9);
  return out.substr(0, size);
}

TEST(PngMetadata, ReadsHexadecimalDigitsAsPythonDoes) {
  EXPECT_EQ(metadata_of(png(chunk("tEXt", kProfile + "\nexif\n  3\n61\n6\n2 \t63"))).exif, "abc");
  EXPECT_EQ(metadata_of(png(chunk("tEXt", kProfile + "\nexif\n  3\n4A4b"))).exif, "JK");
}

TEST(PngMetadata, BrokenDigitsStateNothing) {
  for (const char* digits : {"6", "616", "6 1", "6\r1", "61zz", "0x61", "61\xa0", "61,62", "6161 \x01"})
    EXPECT_EQ(metadata_of(png(chunk("tEXt", kProfile + "\nexif\n  1\n" + digits))).exif, "") << digits;
  EXPECT_EQ(metadata_of(png(chunk("tEXt", kProfile + "616263"))).exif, "");
  EXPECT_EQ(metadata_of(png(chunk("tEXt", "Raw profile type exif"))).exif, "");
}

TEST(PngMetadata, BrokenChunksStateNothing) {
  const std::string text = "\nexif\n  1\n61";
  EXPECT_EQ(metadata_of(png(chunk("zTXt", kProfile + "\1"s + packed(text)))).exif, "");
  EXPECT_EQ(metadata_of(png(chunk("zTXt", kProfile))).exif, "");
  EXPECT_EQ(metadata_of(png(chunk("iTXt", kProfile + "\1\1\0\0"s + packed(text)))).exif, "");
  EXPECT_EQ(metadata_of(png(chunk("iTXt", kProfile + "\0\0\0"s + text))).exif, "");
  EXPECT_EQ(metadata_of(png(chunk("iTXt", kProfile + "\0"s))).exif, "");
  EXPECT_EQ(metadata_of(png(chunk("IDAT", "") + chunk("t\0Xt"s, "") + chunk("eXIf", "II"))).exif, "");
}

TEST(PngMetadata, AChunkLongerThanTheFileEndsIt) {
  const std::string whole = chunk("tEXt", kProfile + "\nexif\n  1\n61");
  EXPECT_EQ(metadata_of(png(whole)).exif, "a");
  const test::AllocationWatch watch;
  EXPECT_EQ(metadata_of(png("\xff\xff\xff\xf0" + whole.substr(4))).exif, "");
  EXPECT_EQ(metadata_of(png(whole.substr(0, whole.size() - 1))).exif, "");
  EXPECT_EQ(metadata_of(png(big32(0x7fffffff) + "tEXtabcd")).exif, "");
  EXPECT_LT(watch.peak(), 1 << 16);
}

TEST(PngMetadata, ABombStatesNothingInBoundedMemory) {
  const std::string bomb = chunk("zTXt", kProfile + "\0"s + packed(std::string(32 << 20, '\n')));
  const std::string other =
      chunk("iTXt", "XML:com.adobe.xmp\0\1\0\0\0"s + packed(std::string(32 << 20, 'x')));
  const test::AllocationWatch watch;
  const PngMetadata found = metadata_of(png(bomb + other));
  EXPECT_EQ(found.exif, "");
  EXPECT_EQ(found.xmp, "");
  EXPECT_LT(watch.peak(), 4 * kPngTextBytes);
}

// Each chunk alone is within its limit; all together are not looked at.
TEST(PngMetadata, ManyLargeTextsEndTheReading) {
  const std::string large = chunk("zTXt", kProfile + "\0"s + packed(std::string(kPngTextBytes, ' ')));
  std::string all;
  for (int i = 0; i < 100; ++i) all += large;
  const std::string last = chunk("zTXt", kProfile + "\0"s + packed("\nexif\n  1\n61"));
  EXPECT_EQ(metadata_of(png(large + last)).exif, "a");
  EXPECT_EQ(metadata_of(png(all + last)).exif, "");
}

TEST(Orientation, IsWhatPillowTakesFromExif) {
  const nlohmann::json table = read_table("exif.json");
  ASSERT_GT(table["rows"].size(), 200U);
  for (const auto& row : table["rows"]) {
    const std::string digits = row[1];
    std::vector<uint8_t> block;
    for (size_t i = 0; i < digits.size(); i += 2)
      block.push_back(static_cast<uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    EXPECT_EQ(read_orientation(block, "tiff:Orientation=\"3\""), row[2].get<int>()) << row[0];
  }
}

// Blocks that Pillow refuses a picture for.
TEST(Orientation, BrokenExifStatesNothing) {
  for (const std::string& block : {"II*\0\1"s, "junk and more junk"s, "II+\0\0\0\0\0\0\0\0\0"s,
                                   "II*\0\xff\xff\xff\xff"s, "Exif\0\0Exif\0\0Exif\0\0II*\0"s})
    EXPECT_EQ(read_orientation({reinterpret_cast<const uint8_t*>(block.data()), block.size()},
                               "<tiff:Orientation>6</tiff:Orientation>"),
              6);
}

}  // namespace
}  // namespace galago
