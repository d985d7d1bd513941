// Damaged and lying TIFF files are answered with the right error, without memory for pixels that are not
// there and without a word on the streams. Fields are found by their tags in the first directory (TIFF 6.0,
// section 2).
#include <gtest/gtest.h>

#include <random>
#include <string_view>

#include "galago/error.h"
#include "hostile_cases.h"
#include "image/image.h"
#include "image_test_support.h"
#include "support/allocation.h"

namespace galago {
namespace {

using namespace image_test;

constexpr size_t kEntryBytes = 12;
constexpr int64_t kMostBytes = 4 << 20;  // libjpeg and zlib take some hundred kB

uint32_t little(const Bytes& bytes, size_t at, int count) {
  uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes.at(at + i));
  return value;
}

Bytes little32(uint32_t value) {
  Bytes bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

size_t entry_of(const Bytes& bytes, uint32_t tag) {
  const size_t directory = little(bytes, 4, 4);
  for (size_t i = 0; i < little(bytes, directory, 2); ++i) {
    const size_t at = directory + 2 + i * kEntryBytes;
    if (little(bytes, at, 2) == tag) return at;
  }
  ADD_FAILURE() << "no tag " << tag;
  return directory;
}

/// The file with another value in the field of a tag.
Bytes with_value(const std::string& name, uint32_t tag, uint32_t value) {
  const Bytes bytes = good(name);
  return patched(bytes, entry_of(bytes, tag) + 8, little32(value));
}

Bytes with_count(const std::string& name, uint32_t tag, uint32_t count) {
  const Bytes bytes = good(name);
  return patched(bytes, entry_of(bytes, tag) + 4, little32(count));
}

Bytes with_both(Bytes bytes, uint32_t tag, uint32_t value) {
  return patched(bytes, entry_of(bytes, tag) + 8, little32(value));
}

ErrorCode refusal(const Bytes& bytes, const char* name) {
  const auto span = std::as_bytes(std::span(bytes));
  const test::AllocationWatch watch;
  ErrorCode code = ErrorCode::internal;
  try {
    decode_image(span, name);
    ADD_FAILURE() << name << " was decoded";
  } catch (const Error& error) {
    code = error.code();
    EXPECT_EQ(error.where(), name);
  }
  // For rows that do not come, address space is set aside, not memory.
  if (!std::string_view(name).starts_with("many_pixels")) EXPECT_LT(watch.peak(), kMostBytes) << name;
  return code;
}

TEST(HostileTiff, EveryBadFileHasItsErrorCode) {
  constexpr ErrorCode invalid = ErrorCode::input_invalid;
  constexpr ErrorCode too_large = ErrorCode::input_too_large;
  constexpr ErrorCode unsupported = ErrorCode::unsupported_media;
  const std::vector<Hostile> cases = {
      {"magic_alone", {"II*\0\x08\0\0\0", 8}, invalid},
      {"big_endian_magic_alone", {"MM\0*\0\0\0\x08", 8}, invalid},
      {"directory_past_the_end", patched(good("tiff_rgb.tif"), 4, "\xff\xff\xff\x7f"), invalid},
      {"cut_in_directory", good("tiff_rgb.tif").substr(0, good("tiff_rgb.tif").size() - 60), invalid},
      {"zero_width", with_value("tiff_rgb.tif", 256, 0), invalid},
      {"zero_height", with_value("tiff_rgb.tif", 257, 0), invalid},
      {"four_billion_wide", with_value("tiff_rgb.tif", 256, 0xFFFFFFFF), too_large},
      {"billion_pixels", with_both(with_value("tiff_gray_8.tif", 256, 40000), 257, 40000), too_large},
      {"many_pixels_of_nothing", with_both(with_value("tiff_gray_8.tif", 256, 13000), 257, 13000), invalid},
      {"many_pixels_of_deflate",
       with_both(with_value("tiff_rgb_deflate_predicted.tif", 256, 13000), 257, 13000), invalid},
      {"tiles_of_four_gigabytes", with_both(with_value("tiff_rgb_tiles_deflate.tif", 322, 65536), 323, 65536),
       too_large},
      {"tiles_of_four_gigabytes_raw", with_both(with_value("tiff_rgb_tiles.tif", 322, 65536), 323, 65536),
       too_large},
      {"tiles_of_width_zero", with_value("tiff_rgb_tiles.tif", 322, 0), invalid},
      {"strips_past_the_end", with_value("tiff_rgb_one_strip.tif", 273, 0x7FFFFFFF), invalid},
      {"compression_of_34676", with_value("tiff_rgb.tif", 259, 34676), unsupported},
      {"old_jpeg", with_value("tiff_rgb.tif", 259, 6), unsupported},
      {"unknown_compression", with_value("tiff_rgb.tif", 259, 12345), unsupported},
      {"lab", with_value("tiff_rgb.tif", 262, 8), unsupported},
      {"jpeg_that_is_none", with_value("tiff_gray_8.tif", 259, 7), invalid},
      {"lzw_that_is_none", with_value("tiff_gray_8.tif", 259, 5), invalid},
      {"deflate_that_is_none", with_value("tiff_gray_8.tif", 259, 8), invalid},
  };
  for (const Hostile& hostile : cases)
    EXPECT_STREQ(to_string(refusal(hostile.bytes, hostile.name)), to_string(hostile.code)) << hostile.name;
}

// More values than a tag can have are cut, not stored.
TEST(HostileTiff, CountsOfABillionTakeNoMemory) {
  for (const Bytes& bytes : {with_count("tiff_rgb_strips_of_one_row.tif", 273, 0x40000000),
                             with_count("tiff_palette_8.tif", 320, 0x40000000)}) {
    const test::AllocationWatch watch;
    EXPECT_EQ(decode_image(std::as_bytes(std::span(bytes)), "counts").width, 29);
    EXPECT_LT(watch.peak(), kMostBytes);
  }
}

TEST(HostileTiff, DirectoriesInALoopAreOnePicture) {
  Bytes bytes = good("tiff_two_pages.tif");
  const uint32_t directory = little(bytes, 4, 4);
  bytes = patched(bytes, directory + 2 + little(bytes, directory, 2) * kEntryBytes, little32(directory));
  EXPECT_EQ(decode_image(std::as_bytes(std::span(bytes)), "loop").pixels,
            load_image(data_path("tiff_two_pages.tif")).pixels);
}

// Truncated and damaged files give a picture or an Error, and libtiff says nothing.
TEST(HostileTiff, DamageIsAnsweredInSilence) {
  std::mt19937 random(7);
  testing::internal::CaptureStderr();
  int refused = 0;
  for (const char* name :
       {"tiff_rgb_lzw.tif", "tiff_rgb_jpeg.tif", "tiff_bilevel_group4.tif", "tiff_rgb_lzma.tif",
        "tiff_rgb_planes_tiles_deflate.tif", "tiff_ycbcr_lzw.tif", "tiff_palette_4.tif",
        "tiff_bilevel_group3.tif", "tiff_rgb_zstd.tif", "tiff_rgb_packbits.tif"}) {
    const Bytes whole = good(name);
    const auto answer = [&](const Bytes& bytes) {
      try {
        decode_image(std::as_bytes(std::span(bytes)), name);
      } catch (const Error& error) {
        EXPECT_NE(error.code(), ErrorCode::internal) << error.what();
        ++refused;
      }
    };
    for (size_t keep = 0; keep < whole.size(); keep += 1 + whole.size() / 150) answer(whole.substr(0, keep));
    for (int round = 0; round < 400; ++round) {
      Bytes bytes = whole;
      for (int i = 0; i < 1 + round % 4; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
      answer(bytes);
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_GT(refused, 1500);
}

}  // namespace
}  // namespace galago
