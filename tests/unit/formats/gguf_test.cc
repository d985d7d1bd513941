// The GGUF reader on a file by the `gguf` package: every kind of value, places and shapes of tensors; and
// ggml's blocks against the package's own floats, bit for bit.
#include "formats/gguf/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/limits.h"
#include "formats/safetensors/safetensors.h"
#include "support/gguf_builder.h"
#include "support/temporary_files.h"

namespace galago {
namespace {

using test::GgufBuilder;
using test::little;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

std::string data(const std::string& name) { return std::string(GALAGO_TEST_DATA) + "/io/" + name; }

TEST(Gguf, ReadsEveryKindOfValue) {
  const GgufFile file(data("values.gguf"));
  EXPECT_EQ(file.at("general.architecture").string(), "test");
  EXPECT_EQ(file.at("v.u8").integer(kLeast, kMost), 200);
  EXPECT_EQ(file.at("v.i8").integer(kLeast, kMost), -100);
  EXPECT_EQ(file.at("v.u16").integer(kLeast, kMost), 60000);
  EXPECT_EQ(file.at("v.i16").integer(kLeast, kMost), -30000);
  EXPECT_EQ(file.at("v.u32").integer(kLeast, kMost), 4000000000);
  EXPECT_EQ(file.at("v.i32").integer(kLeast, kMost), -2000000000);
  EXPECT_EQ(file.at("v.u64").integer(kLeast, kMost), kMost);
  EXPECT_EQ(file.at("v.i64").integer(kLeast, kMost), -(int64_t{1} << 62));
  EXPECT_EQ(file.at("v.f32").number(0, 1), 0.25);
  EXPECT_EQ(file.at("v.f64").number(0, 1), 0.1);
  EXPECT_EQ(file.at("v.u8").number(0, 1000), 200);
  EXPECT_TRUE(file.at("v.bool").boolean());
  EXPECT_EQ(file.at("v.string").string(), "größer");
  EXPECT_THAT(file.at("v.strings").strings(), ElementsAre("a", "", "ccc"));
  EXPECT_THAT(file.at("v.integers").integers(-10, 10), ElementsAre(3, -4, 5));
  EXPECT_THAT(file.at("v.floats").numbers(-10, 10), ElementsAre(0.5, -1.5));
  EXPECT_EQ(file.find("v.none"), std::nullopt);
}

TEST(Gguf, GivesShapesOutermostFirst) {
  const GgufFile file(data("values.gguf"));
  const GgufTensor* matrix = file.tensor("matrix");
  ASSERT_NE(matrix, nullptr);
  EXPECT_THAT(matrix->shape, ElementsAre(2, 3));
  EXPECT_EQ(matrix->bytes, 24);
  float values[6];
  dequantise(matrix->type, matrix->data, 6, values);
  EXPECT_THAT(values, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(file.tensor("nothing"), nullptr);
}

TEST(Gguf, ReadsVersion2AndAScalarAndATensorAtTheVeryEnd) {
  GgufBuilder builder;
  builder.version = 2;
  builder.describe("scalar", {}, 0, 0).describe("end", {2}, 0, 32);
  builder.data = std::string(40, '\1');
  const test::TemporaryDirectory directory;
  const GgufFile file(directory.add("a.gguf", builder.bytes()));
  EXPECT_TRUE(file.tensor("scalar")->shape.empty());
  EXPECT_EQ(file.tensor("scalar")->bytes, 4);
  EXPECT_EQ(file.tensor("end")->bytes, 8);
}

TEST(Gguf, NestedListsAreCheckedAndPassed) {
  // A list of two lists of one u8 each.
  const std::string inner = little<uint32_t>(0) + little<uint64_t>(1) + "\x07";
  GgufBuilder builder;
  builder.raw("nested", 9, little<uint32_t>(9) + little<uint64_t>(2) + inner + inner).u32("after", 5);
  const test::TemporaryDirectory directory;
  const GgufFile file(directory.add("a.gguf", builder.bytes()));
  EXPECT_EQ(file.at("after").integer(0, 10), 5);
  EXPECT_EQ(file.at("nested").count(), 2);
  EXPECT_EQ(test::error_of([&] { file.at("nested").integers(0, 9); }).code(), ErrorCode::model_invalid);
  EXPECT_EQ(test::error_of([&] { file.at("nested").strings(); }).code(), ErrorCode::model_invalid);
}

struct TypedCase {
  const char* name;
  void (*read)(const GgufFile& file);
  const char* text;
};

const TypedCase kTyped[] = {
    {"MissingKey", [](const GgufFile& f) { f.at("v.none"); }, "no v.none"},
    {"IntegerAboveItsRange", [](const GgufFile& f) { f.at("v.u8").integer(0, 199); },
     "v.u8: got 200, expected an integer, 0 to 199"},
    {"IntegerBelowItsRange", [](const GgufFile& f) { f.at("v.i8").integer(0, 199); }, "got -100"},
    {"IntegerOfAFloat", [](const GgufFile& f) { f.at("v.f32").integer(0, 1); }, "got 0.25"},
    {"IntegerOfAText", [](const GgufFile& f) { f.at("general.architecture").integer(0, 1); }, "got \"test\""},
    {"IntegerOfAList", [](const GgufFile& f) { f.at("v.integers").integer(0, 9); }, "got a list of 3 int32"},
    {"NumberOutside", [](const GgufFile& f) { f.at("v.f64").number(1, 2); }, "v.f64"},
    {"NumberOfAFlag", [](const GgufFile& f) { f.at("v.bool").number(0, 1); }, "got true"},
    {"FlagOfANumber", [](const GgufFile& f) { f.at("v.u8").boolean(); }, "expected true or false"},
    {"TextOfANumber", [](const GgufFile& f) { f.at("v.u8").string(); }, "expected a string"},
    {"TextsOfNumbers", [](const GgufFile& f) { f.at("v.integers").strings(); }, "a list of strings"},
    {"TextsOfAText", [](const GgufFile& f) { f.at("v.string").strings(); }, "a list of strings"},
    {"IntegersOfTexts", [](const GgufFile& f) { f.at("v.strings").integers(0, 9); }, "a list of integers"},
    {"IntegersOutside", [](const GgufFile& f) { f.at("v.integers").integers(0, 9); }, "a list of integers"},
    {"IntegersOfOne", [](const GgufFile& f) { f.at("v.u8").integers(0, 9); }, "a list of integers"},
    {"NumbersOfFlags", [](const GgufFile& f) { f.at("v.bools").numbers(0, 9); }, "a list of numbers"},
    {"NumbersOutside", [](const GgufFile& f) { f.at("v.floats").numbers(0, 9); }, "a list of numbers"}};

TEST(Gguf, ReadsOfAnotherTypeSayWhatIsThere) {
  const GgufFile file(data("values.gguf"));
  for (const TypedCase& one : kTyped) {
    const Error error = test::error_of([&] { one.read(file); });
    EXPECT_EQ(error.code(), ErrorCode::model_invalid) << one.name;
    EXPECT_THAT(error.what(), HasSubstr(one.text)) << one.name;
    EXPECT_THAT(error.what(), HasSubstr("values.gguf")) << one.name;
  }
}

TEST(GgmlBlocks, EqualThePackagesFloatsBitForBit) {
  const Checkpoint golden = Checkpoint::open_file(data("gguf_quants.safetensors"));
  int types = 0;
  for (uint32_t number = 0; number < 64; ++number) {
    const auto type = ggml_type(number);
    if (!type) continue;
    ++types;
    const GgmlBlock& block = ggml_block(*type);
    EXPECT_STREQ(ggml_type_name(number), block.name);
    const TensorView* blocks = golden.find(std::string(block.name) + ".blocks");
    const TensorView* floats = golden.find(std::string(block.name) + ".floats");
    ASSERT_TRUE(blocks && floats) << block.name;
    const int64_t count = floats->count();
    ASSERT_EQ(blocks->count(), count / block.elements * block.bytes) << block.name;
    std::vector<float> got(static_cast<size_t>(count));
    dequantise(*type, blocks->data, count, got.data());
    EXPECT_EQ(std::memcmp(got.data(), floats->data, got.size() * sizeof(float)), 0) << block.name;
  }
  EXPECT_EQ(types, 26);
}

// Blocks come from strangers: whatever the bytes, the numbers are made without leaving a table. All ones are
// scales that are not a number and the largest indices there are.
TEST(GgmlBlocks, AnyBytesAreABlock) {
  for (uint32_t number = 0; number < 64; ++number) {
    const auto type = ggml_type(number);
    if (!type) continue;
    const GgmlBlock& block = ggml_block(*type);
    for (const unsigned char fill : {0xff, 0x7c, 0x00}) {
      const std::vector<std::byte> bytes(static_cast<size_t>(block.bytes), std::byte{fill});
      std::vector<float> got(static_cast<size_t>(block.elements), 7.0F);
      dequantise(*type, bytes.data(), block.elements, got.data());
      if (fill == 0x00) {
        EXPECT_THAT(got, testing::Each(testing::Ne(7.0F))) << block.name;
      }
    }
  }
}

// By hand: d = 0.5, m = -1, and the pairs 0x21 0x43 ...: element 0 is 1, element 16 is 2.
TEST(GgmlBlocks, Q4_1ByHand) {
  std::string block = little<uint16_t>(0x3800) + little<uint16_t>(0xbc00) + std::string(16, '\x21');
  float out[32];
  dequantise(GgmlType::q4_1, reinterpret_cast<const std::byte*>(block.data()), 32, out);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(out[i], 0.5F * 1 - 1);
  for (int i = 16; i < 32; ++i) EXPECT_EQ(out[i], 0.5F * 2 - 1);
}

}  // namespace
}  // namespace galago
