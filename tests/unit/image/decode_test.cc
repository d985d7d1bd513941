// Decoding is Pillow's, bit for bit: every picture of tests/data/images against images.json and heif.json.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <ostream>

#include "galago/error.h"
#include "image/image.h"
#include "image_test_support.h"

namespace galago {
namespace {

using namespace image_test;

struct ImageGolden {
  std::string file;
  int64_t width = 0;
  int64_t height = 0;
  std::string crc32;
};

void PrintTo(const ImageGolden& golden, std::ostream* out) { *out << golden.file; }

std::vector<ImageGolden> image_goldens() {
  std::vector<ImageGolden> goldens;
  for (const char* name : {"images.json", "heif.json"}) {
    const nlohmann::json table = read_table(name);
    for (const auto& row : table["rows"])
      goldens.push_back({row["file"], row["width"], row["height"], row["crc32"]});
  }
  return goldens;
}

class DecodedFile : public testing::TestWithParam<ImageGolden> {};

TEST_P(DecodedFile, HasThePixelsOfPillow) {
  const RgbImage image = load_image(data_path(GetParam().file));
  EXPECT_EQ(image.width, GetParam().width);
  EXPECT_EQ(image.height, GetParam().height);
  EXPECT_EQ(checksum(image.pixels.data(), image.pixels.size()), GetParam().crc32);
}

TEST_P(DecodedFile, HeaderStatesTheUprightSize) {
  const ImageSize size = read_image_size(read_bytes(GetParam().file), GetParam().file);
  EXPECT_EQ(size.width, GetParam().width);
  EXPECT_EQ(size.height, GetParam().height);
}

INSTANTIATE_TEST_SUITE_P(Goldens, DecodedFile, testing::ValuesIn(image_goldens()), [](const auto& golden) {
  std::string name = golden.param.file;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
});

TEST(Decode, HasGoldensOfEveryKind) { EXPECT_GE(image_goldens().size(), 120U); }

TEST(Decode, NeverLooksAtTheName) {
  const std::vector<std::byte> bytes = read_bytes("png_rgb_8.png");
  const RgbImage from_png = decode_image(bytes, "photo.jpg");
  EXPECT_EQ(from_png.pixels, load_image(data_path("png_rgb_8.png")).pixels);
}

TEST(Decode, SaysWhyAFileCannotBeRead) {
  const std::pair<std::filesystem::path, ErrorCode> cases[] = {
      {data_path("no_such_file.png"), ErrorCode::not_found},
      {data_path(""), ErrorCode::input_invalid},
      {"/dev/zero", ErrorCode::input_invalid}};
  for (const auto& [file, code] : cases) {
    try {
      load_image(file);
      FAIL() << file;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      EXPECT_EQ(error.where(), file.string());
    }
  }
}

}  // namespace
}  // namespace galago
