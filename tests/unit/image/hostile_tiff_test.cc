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

ErrorCode watched_refusal(const Bytes& bytes, const char* name) {
  const test::AllocationWatch watch;
  const ErrorCode code = refusal(bytes, name);
  // For rows that do not come, address space is set aside, not memory.
  if (!std::string_view(name).starts_with("many_pixels")) {
    EXPECT_LT(watch.peak(), kMostBytes) << name;
  }
  return code;
}

/// A gray TIFF of bytes that are not compressed: `strips` of one row of one pixel, each said to be all of the
/// `bytes` before the directory.
Bytes with_shared_strips(uint32_t strips, uint32_t bytes) {
  Bytes file = "II*" + Bytes(1, '\0') + little32(bytes) + Bytes(bytes - 8, '\0');
  const auto entry = [](uint32_t tag, uint32_t count, uint32_t value) {
    return little32(tag | 4U << 16) + little32(count) + little32(value);  // LONG
  };
  const uint32_t offsets = bytes + 2 + 9 * kEntryBytes + 4;
  file += Bytes("\x09\0", 2) + entry(256, 1, 1) + entry(257, 1, strips) + entry(258, 1, 8) +
          entry(259, 1, 1) + entry(262, 1, 1) + entry(273, strips, offsets) + entry(277, 1, 1) +
          entry(278, 1, 1) + entry(279, strips, offsets + 4 * strips) + little32(0);
  for (const uint32_t value : {0U, bytes})
    for (uint32_t i = 0; i < strips; ++i) file += little32(value);
  return file;
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
    EXPECT_STREQ(to_string(watched_refusal(hostile.bytes, hostile.name)), to_string(hostile.code))
        << hostile.name;
}

// Blocks are decoded whole, so that few bytes could stand for much work.
TEST(HostileTiff, BlocksAreBoundedByThePictureAndTheFile) {
  constexpr ErrorCode too_large = ErrorCode::input_too_large;
  for (const char* name :
       {"tiff_rgb_tiles.tif", "tiff_rgb_tiles_deflate.tif", "tiff_rgb_planes_tiles_deflate.tif"}) {
    EXPECT_EQ(watched_refusal(with_value(name, 323, 4'000'000), name), too_large);
    EXPECT_EQ(watched_refusal(with_value(name, 322, 4'000'000), name), too_large);
  }
  EXPECT_EQ(refusal(with_shared_strips(200, 1 << 20), "shared"), too_large);
  const Bytes few = with_shared_strips(20, 1 << 20);
  EXPECT_EQ(decode_image(std::as_bytes(std::span(few)), "few").height, 20);
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
        "tiff_bilevel_group3.tif", "tiff_rgb_zstd.tif", "tiff_rgb_packbits.tif"})
    refused += answer_damage(name, 150, 400, random);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_GT(refused, 1500);
}

}  // namespace
}  // namespace galago
