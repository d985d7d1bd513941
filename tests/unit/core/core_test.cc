// Error texts and codes, checked arithmetic, dtype conversion.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/checked.h"
#include "core/tensor.h"
#include "galago/error.h"
#include "io/process_memory.h"

namespace galago {
namespace {

TEST(Error, ComposesItsPartsAndMapsToExitCodes) {
  const Error error(
      ErrorCode::model_invalid,
      {.where = "config.json: hidden_size", .got = "-1", .expected = "at least 1", .hint = "check the file"});
  EXPECT_STREQ(error.what(), "config.json: hidden_size: got -1, expected at least 1 (check the file)");
  EXPECT_EQ(exit_code(ErrorCode::model_invalid), 78);
  EXPECT_EQ(exit_code(ErrorCode::usage), 64);
  EXPECT_EQ(http_status(ErrorCode::input_too_large), 413);
  EXPECT_STREQ(to_string(ErrorCode::model_unsupported), "model_unsupported");
}

TEST(Error, LeavesEmptyPartsOut) {
  EXPECT_STREQ(Error(ErrorCode::not_found, {.where = "x", .got = "no such file"}).what(),
               "x: got no such file");
  EXPECT_STREQ(Error(ErrorCode::usage, {.where = "x", .expected = "y"}).what(), "x: expected y");
}

TEST(Checked, FindsOverflow) {
  EXPECT_EQ(checked_mul<int64_t>(1 << 20, 1 << 20), int64_t{1} << 40);
  EXPECT_FALSE(checked_mul<int64_t>(int64_t{1} << 40, int64_t{1} << 40));
  EXPECT_FALSE(checked_add<int64_t>(std::numeric_limits<int64_t>::max(), 1));
  EXPECT_FALSE(element_count({int64_t{1} << 40, int64_t{1} << 40}));
  EXPECT_FALSE(element_count({-1}));
  EXPECT_EQ(element_count({}), 1);
}

TEST(DType, ConvertsHalfFormatsExactly) {
  const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x7c00, 0x8000, 0x3555};
  const float expected[] = {1.0F,     -2.0F,    0x1p-24F, 1023 * 0x1p-24F,
                            65504.0F, INFINITY, -0.0F,    0.333251953125F};
  const TensorView view{DType::f16, {8}, reinterpret_cast<const std::byte*>(halves)};
  float out[8];
  to_floats(view, out);
  EXPECT_EQ(std::memcmp(out, expected, sizeof out), 0);
  const uint16_t brain[] = {0x3f80, 0xc040, 0x7f80};
  EXPECT_EQ(element({DType::bf16, {3}, reinterpret_cast<const std::byte*>(brain)}, 1), -3.0F);
}

TEST(DType, RefusesIntegersAsWeights) {
  const int64_t value = 1;
  EXPECT_THROW(element({DType::i64, {1}, reinterpret_cast<const std::byte*>(&value)}, 0), Error);
}

TEST(ProcessMemory, GrowsWithWhatIsTouchedAndThePeakStays) {
  constexpr int64_t kMegabyte = 1 << 20;
  const int64_t before = resident_memory();
  {
    Tensor tensor({64 * kMegabyte / 4});
    EXPECT_LT(resident_memory(), before + 32 * kMegabyte);  // nothing was touched yet
    std::fill_n(tensor.data(), tensor.size(), 1.0F);
    EXPECT_GT(resident_memory(), before + 60 * kMegabyte);
  }
  EXPECT_GT(peak_memory(), before + 60 * kMegabyte);
}

}  // namespace
}  // namespace galago
