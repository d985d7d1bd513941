// Bad files are answered with the right error: a table of damaged, lying and foreign files, most of them made
// by changing a few bytes of a good one. Both decode_image and read_image_size must stay within the error
// contract.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/limits.h"
#include "galago/error.h"
#include "hostile_cases.h"
#include "image/image.h"
#include "image_test_support.h"
#include "support/allocation.h"

namespace galago {
namespace {

using namespace image_test;
using namespace std::string_view_literals;

constexpr ErrorCode kInvalid = ErrorCode::input_invalid;
constexpr ErrorCode kTooLarge = ErrorCode::input_too_large;
constexpr ErrorCode kUnsupported = ErrorCode::unsupported_media;

/// The most memory that any bad file may make decode_image hold at once.
constexpr int64_t kMostBytes = 1 << 20;

std::span<const std::byte> span_of(const Bytes& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

TEST(Hostile, EveryBadFileHasItsErrorCode) {
  const std::vector<Hostile> cases = all_hostile();
  EXPECT_GE(cases.size(), 120U);
  for (const Hostile& hostile : cases) {
    SCOPED_TRACE(hostile.name);
    const test::AllocationWatch watch;
    try {
      decode_image(span_of(hostile.bytes), hostile.name);
      ADD_FAILURE() << "was decoded";
    } catch (const Error& error) {
      EXPECT_STREQ(to_string(error.code()), to_string(hostile.code)) << error.what();
      EXPECT_EQ(error.where(), hostile.name);
      EXPECT_FALSE(error.got().empty());
    }
    EXPECT_LT(watch.peak(), kMostBytes);
  }
}

TEST(Hostile, HeadersOfBombsAreRefusedWithoutTheirPixels) {
  for (const Hostile& hostile : all_hostile()) {
    if (hostile.code != kTooLarge || std::string_view(hostile.name) == "jpeg_many_scans") continue;
    SCOPED_TRACE(hostile.name);
    const test::AllocationWatch watch;
    try {
      read_image_size(span_of(hostile.bytes), hostile.name);
      ADD_FAILURE() << "was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), kTooLarge);
    }
    EXPECT_LT(watch.peak(), kMostBytes);
  }
}

TEST(Hostile, ForeignFormatsAreNamedWithAWayOut) {
  struct Foreign {
    std::string_view bytes;
    std::string_view name;
    std::string_view way_out;
  };
  const std::array<Foreign, 9> files = {{
      {"%PDF-1.7", "PDF", "pdftoppm"},
      {"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "SVG", "rsvg-convert"},
      {"<?xml version=\"1.0\"?>\n<svg/>", "SVG", "rsvg-convert"},
      {"8BPS and more", "PSD", "magick"},
      {"\0\0\0\x0cjP  \r\n"sv, "JPEG 2000", "opj_decompress"},
      {"II*\0\x10\0\0\0CR\2\0"sv, "a camera's raw file (CR2)", "darktable"},
      {"\0\0\0\x18"
       "ftypcrx \0\0"sv,
       "a camera's raw file (CR3)", "darktable"},
      {"\0\0\0\x18"
       "ftypisom\0\0"sv,
       "MP4 or QuickTime video", "--video"},
      {"hello, this is not a picture", "text", ""},
  }};
  for (const auto& [bytes, name, way_out] : files) {
    try {
      decode_image(std::as_bytes(std::span(bytes)), "foreign");
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), kUnsupported);
      EXPECT_EQ(error.got(), name);
      EXPECT_NE(error.hint().find(way_out), std::string::npos) << error.hint();
    }
  }
}

// Damage that Pillow also survives: the size is right and the rest is the library's best effort.
TEST(Hostile, DamagedButCompleteFilesAreDecoded) {
  const std::vector<Bytes> files = {
      good("jpeg_420.jpg") + "trailing junk",
      good("png_rgb_8.png") + "trailing junk",
      good("gif_plain.gif") + "trailing junk",
      good("bmp_24_bit.bmp") + "trailing junk",
      patched(good("jpeg_420.jpg"), good("jpeg_420.jpg").size() - 300, "\x12\x34\x56"),
      patched_after("png_rgb_8_gamma.png", "gAMA", 8, "\x01\x02\x03\x04"),
  };
  for (const Bytes& file : files) {
    const RgbImage image = decode_image(span_of(file), "damaged");
    EXPECT_EQ(image.width, 53);
    EXPECT_EQ(image.height, 37);
  }
}

TEST(Hostile, EveryPrefixOfEveryFormatIsAnswered) {
  for (const char* name : {"jpeg_progressive_420.jpg", "png_rgba_8_interlaced.png", "gif_transparent.gif",
                           "webp_lossy_alpha.webp", "bmp_8_bit.bmp"}) {
    const Bytes bytes = good(name);
    int refused = 0;
    for (size_t keep = 0; keep < bytes.size(); keep += 7) {
      try {
        decode_image(span_of(bytes.substr(0, keep)), name);
      } catch (const Error& error) {
        const bool expected = error.code() == kInvalid || error.code() == kUnsupported;
        EXPECT_TRUE(expected) << name << " at " << keep << ": " << error.what();
        ++refused;
      }
    }
    EXPECT_GT(refused, 100) << name;
  }
}

TEST(Hostile, FilesOverTheLimitAreNotRead) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "galago_large_image.png";
  std::ofstream(file, std::ios::binary) << "\x89PNG";
  std::filesystem::resize_file(file, limits::kImageBytes + 1);  // sparse
  try {
    load_image(file);
    ADD_FAILURE() << "was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), kTooLarge);
  }
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace galago
