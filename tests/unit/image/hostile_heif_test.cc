// Damaged and lying HEIC and AVIF files are answered with the right error, and never
// decoded to another size than the header's. Boxes are found by their names (ISO 14496-12).
#include <gtest/gtest.h>

#include <random>

#include "galago/error.h"
#include "hostile_cases.h"
#include "image/heif.h"
#include "image/image.h"
#include "image_test_support.h"
#include "support/allocation.h"

namespace galago {
namespace {

using namespace image_test;

/// The file with bytes replaced at `offset` after the name of its first such box.
Bytes boxed(const std::string& name, std::string_view box, size_t offset, std::string_view with) {
  const Bytes bytes = good(name);
  const size_t at = bytes.find(box);
  EXPECT_NE(at, Bytes::npos) << box;
  return patched(bytes, at + 4 + offset, with);
}

Bytes box(const Bytes& name, const Bytes& body) {
  return big32(static_cast<uint32_t>(8 + body.size())) + name + body;
}

TEST(HostileHeif, EveryBadFileHasItsErrorCode) {
  constexpr ErrorCode invalid = ErrorCode::input_invalid;
  constexpr ErrorCode too_large = ErrorCode::input_too_large;
  const Bytes whole = good("heic_420.heic");
  const std::vector<Hostile> cases = {
      {"type_alone",
       {"\0\0\0\x18"
        "ftypheic\0\0\0\0",
        16},
       invalid},
      {"avif_type_alone",
       {"\0\0\0\x14"
        "ftypavif\0\0\0\0mif1",
        20},
       invalid},
      {"cut_in_meta", whole.substr(0, 200), invalid},
      {"cut_in_data", whole.substr(0, whole.size() - 200), invalid},
      {"avif_cut_in_data", good("avif_420.avif").substr(0, good("avif_420.avif").size() - 200), invalid},
      {"meta_of_four_gigabytes", patched(whole, whole.find("meta") - 4, "\xff\xff\xff\xff"), invalid},
      {"box_of_seven_bytes", patched(whole, whole.find("pitm") - 4, {"\0\0\0\7", 4}), invalid},
      {"no_width", boxed("heic_420.heic", "ispe", 4, {"\0\0\0\0", 4}), invalid},
      {"four_billion_wide", boxed("heic_420.heic", "ispe", 4, "\xff\xff\xff\xff"), too_large},
      {"billion_pixels", boxed("heic_420.heic", "ispe", 4, {"\0\0\x7f\xff\0\0\x7f\xff", 8}), too_large},
      {"avif_another_size", boxed("avif_420.avif", "ispe", 4, {"\0\0\0\x40\0\0\0\x40", 8}), invalid},
      {"no_primary_item", boxed("heic_420.heic", "pitm", 4, "\x7f\x7f"), invalid},
      {"aperture_divided_by_zero", boxed("avif_cropped.avif", "clap", 4, {"\0\0\0\0", 4}), invalid},
      {"other_item_type", patched(whole, whole.find("hvc1"), "abcd"), invalid},
  };
  for (const Hostile& hostile : cases)
    EXPECT_STREQ(to_string(refusal(hostile.bytes, hostile.name)), to_string(hostile.code)) << hostile.name;
}

// An association names a property by 15 bits: no file makes galago keep more of them.
TEST(HostileHeif, MillionsOfPropertiesTakeNoMemory) {
  Bytes properties;
  for (int i = 0; i < 2'000'000; ++i) properties += box("free", "");
  const Bytes meta = Bytes(4, '\0') + box("pitm", {"\0\0\0\0\0\1", 6}) +
                     box("iprp", box("ipma", Bytes(8, '\0')) + box("ipco", properties));
  const Bytes file = box("ftyp", {"heic\0\0\0\0heic", 12}) + box("meta", meta);
  const test::AllocationWatch watch;
  EXPECT_EQ(refusal(file, "properties"), ErrorCode::input_invalid);
  EXPECT_LT(watch.peak(), 8 << 20);
}

// Bytes a pixel that a process grew by for large pictures of these kinds.
TEST(HostileHeif, MemoryIsWhatWasMeasured) {
  struct Measured {
    const char* name;
    double bytes;
  };
  for (const auto& [name, bytes] : {Measured{"avif_gray.avif", 4.5},
                                    {"avif_420.avif", 6.8},
                                    {"avif_420_alpha.avif", 8.3},
                                    {"avif_444.avif", 13.3},
                                    {"avif_10_bit.avif", 13.1},
                                    {"avif_10_bit_444_alpha.avif", 25.7},
                                    {"heic_420.heic", 7.4},
                                    {"heic_alpha.heic", 8.6},
                                    {"heic_10_bit.heic", 14.8}}) {
    const Bytes file = good(name);
    const EncodedImage encoded{std::as_bytes(std::span(file)), name};
    const ImageSize coded = read_heif_boxes(encoded).size;
    const auto planes = static_cast<double>(read_heif_header(encoded).memory - 2 * encoded.size());
    const double said = planes / static_cast<double>(coded.width * coded.height);
    EXPECT_GE(said, bytes) << name;
    EXPECT_LE(said, bytes * 1.7) << name;
  }
}

TEST(HostileHeif, DamageIsAnswered) {
  std::mt19937 random(11);
  testing::internal::CaptureStderr();  // libde265 and dav1d report some damage there themselves
  int refused = 0;
  for (const char* name : {"heic_420.heic", "heic_grid.heic", "heic_10_bit.heic", "avif_420_alpha.avif",
                           "avif_grid.avif", "avif_cropped.avif", "heic_icc.heic"})
    refused += answer_damage(name, 60, 200, random);
  testing::internal::GetCapturedStderr();
  EXPECT_GT(refused, 400);
}

}  // namespace
}  // namespace galago
