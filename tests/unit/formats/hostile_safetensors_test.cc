// Broken and hostile weight files, one case a line: the exact code, and the file and field named in the text.
// None may make memory grow: operator new is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <ostream>

#include "formats/safetensors/safetensors.h"
#include "support/temporary_files.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::length_prefix;
using test::tensor_file;
using testing::HasSubstr;

constexpr auto kInvalid = ErrorCode::model_invalid;
constexpr auto kUnsupported = ErrorCode::model_unsupported;
constexpr auto kTooLarge = ErrorCode::input_too_large;

struct FileCase {
  const char* name;
  std::function<std::string()> bytes;
  ErrorCode code;
  const char* names;  ///< the field or fact that the text must hold
  int64_t most_bytes = 1 << 20;
};

void PrintTo(const FileCase& test, std::ostream* out) { *out << test.name; }

/// A whole header and 8 bytes of data.
std::function<std::string()> header(const std::string& text) {
  return [text] { return tensor_file(text, 8); };
}

/// One tensor "a" of 8 bytes of data with these fields.
std::function<std::string()> entry(const std::string& fields) { return header("{\"a\":{" + fields + "}}"); }

std::function<std::string()> shape(const std::string& list) {
  return entry(R"("dtype":"F32","data_offsets":[0,8],"shape":)" + list);
}
std::function<std::string()> offsets(const std::string& list) {
  return entry(R"("dtype":"F32","shape":[2],"data_offsets":)" + list);
}
std::function<std::string()> dtype(const std::string& value) {
  return entry(R"("shape":[2],"data_offsets":[0,8],"dtype":)" + value);
}
std::function<std::string()> raw(const std::string& bytes) {
  return [bytes] { return bytes; };
}

/// Two tensors of 4 bytes with these offsets.
std::function<std::string()> two(const std::string& first, const std::string& second) {
  return header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
                R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}");
}

std::string many_tensors(int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i)
    text += (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  return tensor_file(text + "}", 0);
}

const FileCase kFileCases[] = {
    {"Empty", raw(""), kInvalid, "got 0 bytes, expected at least 8"},
    {"SevenBytes", raw("1234567"), kInvalid, "got 7 bytes, expected at least 8"},
    {"LengthZero", raw(length_prefix(0)), kInvalid, "header"},
    {"LengthOnly", raw(length_prefix(100)), kInvalid, "header length: got 100, expected at most 0"},
    {"LengthOnePastTheEnd", raw(length_prefix(3) + "{}"), kInvalid,
     "header length: got 3, expected at most 2"},
    {"LengthMaximum", raw(length_prefix(~uint64_t{0}) + "{}"), kInvalid,
     "header length: got 18446744073709551615"},
    {"LengthSignBit", raw(length_prefix(uint64_t{1} << 63) + "{}"), kInvalid, "header length"},
    {"LengthWrapsWithPrefix", raw(length_prefix(~uint64_t{0} - 7) + "{}"), kInvalid, "header length"},
    {"LengthOverTheLimitInAShortFile", raw(length_prefix(100'000'001) + "{}"), kInvalid,
     "header length: got 100000001"},
    {"GitLfsPointer", raw("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 513028808\n"),
     kInvalid, "Git LFS pointer"},
    {"GgufFile", raw(std::string("GGUF\3\0\0\0", 8) + std::string(64, '\0')), kInvalid, "header length"},
    {"PickleZip", raw("PK\3\4" + std::string(64, '\0')), kInvalid, "header"},
    {"HeaderIsAList", header("[1,2]"), kInvalid, "header: got \"[1,2]"},
    {"HeaderBeginsWithSpace", header(" {}"), kInvalid, "header: got \" {}"},
    {"HeaderOfNulBytes", raw(length_prefix(8) + std::string(8, '\0')), kInvalid, "header"},
    {"HeaderPaddedWithNul", header(std::string("{}\0\0", 4)), kInvalid, "a NUL byte at offset 2"},
    {"HeaderCutShort", header(R"({"a":{"dtype":"F32")"), kInvalid, "header: line 1"},
    {"HeaderWithTrailingText", header("{} x"), kInvalid, "header: line 1, column 4"},
    {"HeaderNotUtf8", header("{\"\xff\xfe\":1}"), kInvalid, "header: line 1"},
    {"HeaderWithNan", header(R"({"a":NaN})"), kInvalid, "header: line 1"},
    {"HeaderTrailingComma", header(R"({"a":1,})"), kInvalid, "header: line 1"},
    {"NestedAMillionDeep", header("{\"a\":" + std::string(1'000'000, '[')), kTooLarge,
     "header: got JSON nested deeper than 64", 8 << 20},
    {"NestedObjectsDeep",
     [] {
       std::string t;
       for (int i = 0; i < 50'000; ++i) t += "{\"a\":";
       return tensor_file(t, 0);
     },
     kTooLarge, "nested deeper than 64", 2 << 20},
    {"DuplicateTensor",
     header(
         R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
     kInvalid, "the key \"a\" twice"},
    {"DuplicateField", entry(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])"), kInvalid,
     "the key \"dtype\" twice"},
    {"EntryIsANumber", header(R"({"a":1})"), kInvalid, "a: got 1, expected an object"},
    {"EntryIsNull", header(R"({"a":null})"), kInvalid, "a: got nothing"},
    {"DtypeMissing", entry(R"("shape":[2],"data_offsets":[0,8])"), kInvalid, "a.dtype"},
    {"DtypeIsANumber", dtype("4"), kInvalid, "a.dtype: got 4, expected a string"},
    {"DtypeEmpty", dtype("\"\""), kInvalid, "a.dtype"},
    {"DtypeLowerCase", dtype("\"float32\""), kInvalid, "a.dtype: got \"float32\""},
    {"DtypeFloat8Scale", dtype("\"F8_E8M0\""), kUnsupported, "a.dtype: got \"F8_E8M0\", expected F64, F32"},
    {"DtypeComplex64", dtype("\"C64\""), kUnsupported, "a.dtype: got \"C64\""},
    {"DtypeWithTerminalEscape", dtype(R"("F\u001b[31m")"), kInvalid, "a.dtype: got \"F\\u001b[31m\""},
    {"ShapeMissing", entry(R"("dtype":"F32","data_offsets":[0,8])"), kInvalid, "a.shape"},
    {"ShapeIsANumber", shape("2"), kInvalid, "a.shape: got 2, expected a list"},
    {"DimensionNegative", shape("[-2]"), kInvalid, "a.shape[0]: got -2"},
    {"DimensionsNegativeTwice", shape("[-1,-2]"), kInvalid, "a.shape[0]: got -1"},
    {"DimensionFloat", shape("[2.0]"), kInvalid, "a.shape[0]: got 2.0"},
    {"DimensionText", shape("[\"2\"]"), kInvalid, "a.shape[0]: got \"2\""},
    {"DimensionTrue", shape("[true,2]"), kInvalid, "a.shape[0]: got true"},
    {"DimensionOver63Bits", shape("[9223372036854775808]"), kInvalid, "a.shape[0]: got 9223372036854775808"},
    {"DimensionOver64Bits", shape("[18446744073709551618]"), kInvalid, "a.shape[0]"},
    {"ProductOverflows", shape("[4294967296,4294967296]"), kInvalid, "a.shape: got [4294967296, 4294967296]"},
    {"ProductOverflowsBackToTwo", shape("[9223372036854775807,2,3]"), kInvalid, "a.shape"},
    {"BytesOverflow", shape("[4611686018427387904]"), kInvalid, "a.shape: got [4611686018427387904]"},
    {"OverflowHiddenBehindZero", shape("[4611686018427387904,4611686018427387904,0]"), kInvalid, "a.shape"},
    {"NineDimensions", shape("[1,1,1,1,1,1,1,1,2]"), kTooLarge,
     "a.shape: got 9 dimensions, expected at most 8"},
    {"OffsetsMissing", entry(R"("dtype":"F32","shape":[2])"), kInvalid, "a.data_offsets"},
    {"OffsetsOne", offsets("[0]"), kInvalid, "a.data_offsets: got [0], expected two"},
    {"OffsetsThree", offsets("[0,8,8]"), kInvalid, "a.data_offsets: got [0, 8, 8], expected two"},
    {"OffsetsNegative", offsets("[-8,0]"), kInvalid, "a.data_offsets[0]: got -8"},
    {"OffsetsReversed", offsets("[8,0]"), kInvalid, "a.data_offsets: got [8, 0], expected begin <= end"},
    {"OffsetsPastTheEnd", offsets("[0,9]"), kInvalid,
     "a.data_offsets: got [0, 9], expected an end of at most 8"},
    {"OffsetsFarPastTheEnd", offsets("[9223372036854775799,9223372036854775807]"), kInvalid,
     "a.data_offsets"},
    {"OffsetsFloat", offsets("[0,8e0]"), kInvalid, "a.data_offsets[1]: got 8.0"},
    {"OffsetsShorterThanTheShape", offsets("[0,4]"), kInvalid,
     "a.data_offsets: got [0, 4], expected 8 bytes, as F32 [2] takes"},
    {"ShapeShorterThanTheOffsets", shape("[1]"), kInvalid, "a.data_offsets: got [0, 8], expected 4 bytes"},
    {"ScalarOfEightBytes", shape("[]"), kInvalid,
     "a.data_offsets: got [0, 8], expected 4 bytes, as F32 [] takes"},
    {"SameBytesTwice", two("[0,4]", "[0,4]"), kInvalid,
     "b.data_offsets: got begin 0, an overlap with \"a\", expected begin 4"},
    {"Overlap", two("[2,6]", "[0,4]"), kInvalid, "a.data_offsets: got begin 2, an overlap with \"b\""},
    {"GapBetween",
     header(
         R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})"),
     kInvalid, "b.data_offsets: got begin 4, a gap, expected begin 2"},
    {"GapAtTheStart", header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})"), kInvalid,
     "a.data_offsets: got begin 4, a gap, expected begin 0"},
    {"BytesBehindTheLastTensor", header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"),
     kInvalid, "got 4 bytes after the last tensor"},
    {"DataWithoutTensors", header("{}"), kInvalid, "got 8 bytes after the last tensor"},
    {"EmptyTensorOutsideTheData",
     header(
         R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}})"),
     kInvalid, "b.data_offsets: got begin 4, an overlap"},
    {"DataCutShort",
     [] { return tensor_file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7); }, kInvalid,
     "a.data_offsets: got [0, 8], expected an end of at most 7"},
    {"MetadataIsAList", header(R"({"__metadata__":["x"]})"), kInvalid,
     "__metadata__: got [\"x\"], expected an object"},
    {"MetadataNumber", header(R"({"__metadata__":{"step":5}})"), kInvalid,
     "__metadata__.step: got 5, expected a string"},
    {"MetadataNested", header(R"({"__metadata__":{"x":{"y":"z"}}})"), kInvalid, "__metadata__.x"},
    {"TooManyTensors", [] { return many_tensors(100'001); }, kTooLarge,
     "header: got 100001 tensors, expected at most 100000", 200 << 20},
    {"TooManyValues",
     [] {
       std::string t = "{\"a\":{\"x\":[";
       for (int i = 0; i < 1'500'000; ++i) t += "0,";
       return tensor_file(t + "0]}}", 0);
     },
     kTooLarge, "more JSON values than", 200 << 20},
};

class HostileSafetensors : public testing::TestWithParam<FileCase> {};

TEST_P(HostileSafetensors, IsRefused) {
  const FileCase& param = GetParam();
  const test::TemporaryDirectory directory;
  const fs::path file = directory.add("model.safetensors", param.bytes());
  const test::AllocationWatch watch;
  const Error error = test::error_of([&] { Checkpoint::open_directory(directory.path()); });
  EXPECT_LT(watch.total(), param.most_bytes);
  EXPECT_STREQ(to_string(error.code()), to_string(param.code));
  EXPECT_TRUE(error.where().starts_with(file.string())) << error.where();
  EXPECT_THAT(error.what(), HasSubstr(param.names));
  EXPECT_LT(std::string(error.what()).size(), 1000u);
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileSafetensors, testing::ValuesIn(kFileCases),
                         [](const auto& test) { return std::string(test.param.name); });

// A file that is as large as it says: only its length is looked at.
TEST(HostileSafetensorsFile, HeaderOverTheLimitIsRefusedUnread) {
  const test::TemporaryDirectory directory;
  const fs::path file = directory.add("model.safetensors", length_prefix(100'000'001) + "{");
  ASSERT_EQ(::truncate(file.c_str(), 100'000'100), 0);
  const test::AllocationWatch watch;
  const Error error = test::error_of([&] { Checkpoint::open_file(file); });
  EXPECT_LT(watch.total(), 1 << 16);
  EXPECT_EQ(error.code(), kTooLarge);
  EXPECT_THAT(error.what(), HasSubstr("header length: got 100000001, expected at most 100000000"));
}

constexpr const char* kIndex = "model.safetensors.index.json";

struct IndexCase {
  const char* name;
  std::string index;
  ErrorCode code;
  const char* names;
};

void PrintTo(const IndexCase& test, std::ostream* out) { *out << test.name; }

std::string mapped(const std::string& shard) { return R"({"weight_map":{"a":")" + shard + "\"}}"; }

std::string many_shards() {
  std::string text = R"({"weight_map":{"a":"s-1.safetensors")";
  for (int i = 0; i < 1024; ++i)
    text += ",\"" + std::to_string(i) + "\":\"" + std::to_string(i) + ".safetensors\"";
  return text + "}}";
}

const IndexCase kIndexCases[] = {
    {"Empty", "", kInvalid, kIndex},
    {"NotJson", "weight_map: a", kInvalid, "index.json: line 1"},
    {"AList", "[]", kInvalid, "expected an object"},
    {"NoWeightMap", R"({"metadata":{}})", kInvalid, "weight_map"},
    {"WeightMapNull", R"({"weight_map":null})", kInvalid, "weight_map"},
    {"WeightMapList", R"({"weight_map":["a"]})", kInvalid, "weight_map: got [\"a\"], expected an object"},
    {"WeightMapEmpty", R"({"weight_map":{}})", kInvalid,
     "weight_map: got an object of 0 members, expected at least one tensor"},
    {"ShardIsANumber", R"({"weight_map":{"a":1}})", kInvalid, "weight_map.a: got 1, expected a string"},
    {"ShardIsNull", R"({"weight_map":{"a":null}})", kInvalid, "weight_map.a"},
    {"ShardEmpty", mapped(""), kInvalid, "weight_map.a: got \"\""},
    {"ShardOnlyASuffix", mapped(".safetensors"), kInvalid, "weight_map.a"},
    {"ShardAbove", mapped("../outside.safetensors"), kInvalid,
     "weight_map.a: got \"../outside.safetensors\""},
    {"ShardFarAbove", mapped("../../../../etc/passwd"), kInvalid, "weight_map.a"},
    {"ShardAbsolute", mapped("/etc/passwd.safetensors"), kInvalid, "weight_map.a"},
    {"ShardInAFolder", mapped("sub/s-1.safetensors"), kInvalid, "weight_map.a"},
    {"ShardWithBackslash", mapped("..\\\\s-1.safetensors"), kInvalid, "weight_map.a"},
    {"ShardWithNul", mapped("s-1\\u0000.safetensors"), kInvalid,
     "weight_map.a: got \"s-1\\u0000.safetensors\""},
    {"ShardOfAnotherKind", mapped("pytorch_model.bin"), kInvalid, "weight_map.a"},
    {"ShardMissing", mapped("s-9.safetensors"), ErrorCode::not_found, "s-9.safetensors: got No such file"},
    {"ShardIsAFolder", mapped("folder.safetensors"), ErrorCode::input_invalid,
     "folder.safetensors: got a directory"},
    {"ShardDamaged", mapped("damaged.safetensors"), kInvalid, "damaged.safetensors: header length"},
    {"TensorNotInItsShard", R"({"weight_map":{"a":"s-2.safetensors","b":"s-2.safetensors"}})", kInvalid,
     "weight_map.a: got \"s-2.safetensors\", which lacks this tensor"},
    {"TensorsExchanged", R"({"weight_map":{"a":"s-2.safetensors","b":"s-1.safetensors"}})", kInvalid,
     "which lacks this tensor"},
    {"TensorInNoShard", R"({"weight_map":{"a":"s-1.safetensors","z":"s-1.safetensors"}})", kInvalid,
     "weight_map.z"},
    {"TensorInTwoShards", R"({"weight_map":{"a":"s-1.safetensors","b":"s-3.safetensors"}})", kInvalid,
     "s-3.safetensors: a: got a tensor that "},
    {"DuplicateKey", R"({"weight_map":{"a":"s-1.safetensors","a":"s-2.safetensors"}})", kInvalid,
     "the key \"a\" twice"},
    {"TooManyShards", many_shards(), kTooLarge, "weight_map: got 1025 shards, expected at most 1024"},
    {"TooDeep", "{\"weight_map\":" + std::string(100'000, '['), kTooLarge, "nested deeper than 64"},
    {"TooLong", std::string((16 << 20) + 1, ' '), kTooLarge, "expected at most 16777216"},
};

class HostileIndex : public testing::TestWithParam<IndexCase> {};

TEST_P(HostileIndex, IsRefused) {
  const IndexCase& param = GetParam();
  const test::TemporaryDirectory directory;
  directory.add("s-1.safetensors",
                tensor_file(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1));
  directory.add("s-2.safetensors",
                tensor_file(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1));
  directory.add(
      "s-3.safetensors",
      tensor_file(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
          2));
  directory.add("damaged.safetensors", length_prefix(1000));
  fs::create_directory(directory.path() / "folder.safetensors");
  directory.add(kIndex, param.index);
  const test::AllocationWatch watch;
  const Error error = test::error_of([&] { Checkpoint::open_directory(directory.path()); });
  EXPECT_LT(watch.total(), 2 << 20);
  EXPECT_STREQ(to_string(error.code()), to_string(param.code));
  EXPECT_TRUE(error.where().starts_with(directory.path().string())) << error.where();
  EXPECT_THAT(error.what(), HasSubstr(param.names));
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileIndex, testing::ValuesIn(kIndexCases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(HostileDirectory, SaysWhichWeightsItFoundInstead) {
  for (const char* other :
       {"pytorch_model.bin", "pytorch_model.bin.index.json", "model-q4.gguf", "consolidated.00.pth"}) {
    const test::TemporaryDirectory directory;
    directory.add(other, "x");
    const Error error = test::error_of([&] { Checkpoint::open_directory(directory.path()); });
    EXPECT_EQ(error.code(), kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr(other));
    EXPECT_THAT(error.hint(), HasSubstr("save_pretrained"));
  }
}

TEST(HostileDirectory, MissingOrEmpty) {
  const test::TemporaryDirectory directory;
  EXPECT_EQ(test::error_of([&] { Checkpoint::open_directory(directory.path()); }).code(),
            ErrorCode::not_found);
  EXPECT_EQ(test::error_of([&] { Checkpoint::open_directory(directory.path() / "no"); }).code(),
            ErrorCode::not_found);
  EXPECT_EQ(test::error_of([&] { Checkpoint::open_directory(directory.add("file", "")); }).code(),
            ErrorCode::not_found);
  EXPECT_EQ(test::error_of([&] { Checkpoint::open_file(directory.path() / "no.safetensors"); }).code(),
            ErrorCode::not_found);
}

}  // namespace
}  // namespace galago
