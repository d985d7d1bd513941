// Broken and hostile GGUF files, one case a line: the exact code, and the fact that the text must name. None
// may make memory grow: operator new is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "formats/gguf/gguf.h"
#include "support/gguf_builder.h"
#include "support/temporary_files.h"

namespace galago {
namespace {

using test::gguf_text;
using test::GgufBuilder;
using test::little;
using testing::HasSubstr;

constexpr auto kInvalid = ErrorCode::model_invalid;
constexpr auto kUnsupported = ErrorCode::model_unsupported;
constexpr auto kTooLarge = ErrorCode::input_too_large;
constexpr uint64_t kHuge = ~uint64_t{0};
constexpr uint64_t kSign = uint64_t{1} << 63;

struct FileCase {
  const char* name;
  std::function<std::string()> bytes;
  ErrorCode code;
  const char* names;
  int64_t most_bytes = 1 << 20;
};

void PrintTo(const FileCase& test, std::ostream* out) { *out << test.name; }

std::function<std::string()> raw(const std::string& bytes) {
  return [bytes] { return bytes; };
}
/// A builder changed by `change`.
std::function<std::string()> made(const std::function<void(GgufBuilder&)>& change) {
  return [change] {
    GgufBuilder builder;
    change(builder);
    return builder.bytes();
  };
}
/// One key "k" of that type and bytes.
std::function<std::string()> value(uint32_t type, const std::string& bytes) {
  return made([=](GgufBuilder& b) { b.raw("k", type, bytes); });
}
/// One tensor "t" over 64 bytes of data.
std::function<std::string()> tensor(const std::vector<uint64_t>& sizes, uint32_t type, uint64_t offset) {
  return made([=](GgufBuilder& b) {
    b.describe("t", sizes, type, offset);
    b.data = std::string(64, '\0');
  });
}
/// Two F32 tensors "a" and "b" of 16 elements over 128 bytes.
std::function<std::string()> two(uint64_t first, uint64_t second) {
  return made([=](GgufBuilder& b) {
    b.describe("a", {16}, 0, first).describe("b", {16}, 0, second);
    b.data = std::string(128, '\0');
  });
}
std::function<std::string()> aligned(uint32_t alignment) {
  return made([=](GgufBuilder& b) {
    b.u32("general.alignment", alignment).describe("t", {4}, 0, 0);
    b.data = std::string(64, '\0');
  });
}
std::string nested(int depth) {
  std::string bytes;
  for (int i = 0; i < depth; ++i) bytes += little<uint32_t>(9) + little<uint64_t>(1);
  return bytes + little<uint32_t>(0) + little<uint64_t>(1) + "x";
}
/// The file of a good builder, cut after some bytes.
std::function<std::string()> cut(size_t bytes) {
  return [bytes] {
    GgufBuilder builder;
    builder.text("general.architecture", "llama").zeros("t", {8});
    return builder.bytes().substr(0, bytes);
  };
}

const FileCase kCases[] = {
    {"Empty", raw(""), kInvalid, "magic: got 0 bytes left"},
    {"ThreeBytes", raw("GGU"), kInvalid, "magic: got 3 bytes left"},
    {"MagicOnly", raw("GGUF"), kInvalid, "version: got 0 bytes left"},
    {"MagicOfGgml", raw("ggml" + std::string(60, '\0')), kInvalid, "magic: got \"ggml\""},
    {"MagicOfSafetensors", raw(std::string("\x08\0\0\0\0\0\0\0{}      ", 16)), kInvalid, "magic"},
    {"MagicSwapped", raw("FUGG" + std::string(60, '\0')), kInvalid, "magic"},
    {"GitLfsPointer", raw("version https://git-lfs.github.com/spec/v1\n"), kInvalid, "magic: got \"vers\""},
    {"Version0", made([](GgufBuilder& b) { b.version = 0; }), kInvalid, "version: got 0"},
    {"Version1", made([](GgufBuilder& b) { b.version = 1; }), kUnsupported, "version: got 1"},
    {"Version4", made([](GgufBuilder& b) { b.version = 4; }), kUnsupported, "version: got 4"},
    {"BigEndian", made([](GgufBuilder& b) { b.version = 3U << 24; }), kUnsupported, "big-endian"},
    {"NoCounts", raw("GGUF" + little<uint32_t>(3)), kInvalid, "tensor count"},
    {"NoKeyCount", raw("GGUF" + little<uint32_t>(3) + little<uint64_t>(0)), kInvalid, "key count"},
    {"TensorCountMaximum", made([](GgufBuilder& b) { b.tensor_count = kHuge; }), kInvalid,
     "tensor count: got 18446744073709551615"},
    {"TensorCountSignBit", made([](GgufBuilder& b) { b.tensor_count = kSign; }), kInvalid, "tensor count"},
    {"TensorCountBeyondTheFile", made([](GgufBuilder& b) { b.tensor_count = 2; }), kInvalid,
     "tensor count: got 2, expected at most 0"},
    {"TensorCountOverTheLimit", made([](GgufBuilder& b) {
       b.tensor_count = 100'001;
       b.data = std::string(4 << 20, '\0');
     }),
     kTooLarge, "tensor count: got 100001, expected at most 100000"},
    {"TensorCountOneTooMany", made([](GgufBuilder& b) {
       b.zeros("t", {8});
       b.tensor_count = 2;
     }),
     kInvalid, "tensor"},
    {"KeyCountMaximum", made([](GgufBuilder& b) { b.key_count = kHuge; }), kInvalid, "key count"},
    {"KeyCountBeyondTheFile", made([](GgufBuilder& b) { b.key_count = 7; }), kInvalid,
     "key count: got 7, expected at most 0"},
    {"KeyCountOverTheLimit", made([](GgufBuilder& b) {
       b.key_count = 65'537;
       b.data = std::string(2 << 20, '\0');
     }),
     kTooLarge, "key count: got 65537, expected at most 65536"},
    {"KeyLengthMaximum", made([](GgufBuilder& b) {
       b.key_count = 1;
       b.tail_of_header = little(kHuge) + std::string(16, 'k');
     }),
     kInvalid, "key: length: got 18446744073709551615"},
    {"KeyLengthSignBit", made([](GgufBuilder& b) {
       b.key_count = 1;
       b.tail_of_header = little(kSign) + std::string(16, 'k');
     }),
     kInvalid, "key: length"},
    {"KeyLengthOnePastTheEnd", made([](GgufBuilder& b) {
       b.key_count = 1;
       b.tail_of_header = little<uint64_t>(17) + std::string(16, 'k');
     }),
     kInvalid, "key: length: got 17, expected at most 16"},
    {"KeyTooLong", made([](GgufBuilder& b) { b.u32(std::string(65'536, 'k'), 1); }), kTooLarge,
     "key: length: got 65536, expected at most 65535"},
    {"KeyTwice", made([](GgufBuilder& b) { b.u32("k", 1).u32("k", 1); }), kInvalid, "k: got the key twice"},
    {"KeyWithoutType", made([](GgufBuilder& b) {
       b.key_count = 1;
       b.tail_of_header = gguf_text("kkkkk");
     }),
     kInvalid, "kkkkk: type: got 0 bytes left"},
    {"KeyWithEscapes", made([](GgufBuilder& b) { b.raw("\x1b[31m", 13, "x"); }), kInvalid,
     "\\u001b[31m: got value type 13"},
    {"ValueType13", value(13, "x"), kInvalid, "k: got value type 13, expected 0 to 12"},
    {"ValueTypeMaximum", value(~0U, "x"), kInvalid, "k: got value type 4294967295"},
    {"ValueCutShort", value(10, "1234567"), kInvalid, "k: got 7 bytes left"},
    {"ValueMissing", value(0, ""), kInvalid, "k: got 0 bytes left"},
    {"BoolOf2", value(7, "\x02"), kInvalid, "k: got a bool of 2, expected 0 or 1"},
    {"BoolOf255", value(7, "\xff"), kInvalid, "k: got a bool of 255"},
    {"TextLengthMaximum", value(8, little(kHuge) + "x"), kInvalid, "k: string length"},
    {"TextLengthOnePastTheEnd", value(8, little<uint64_t>(2) + "x"), kInvalid,
     "k: string length: got 2, expected at most 1"},
    {"TextLengthCutShort", value(8, "1234"), kInvalid, "k: string length: got 4 bytes left"},
    {"KeyNotUtf8", made([](GgufBuilder& b) { b.u32("k\xff", 1); }), kInvalid,
     "key: got a byte that is not UTF-8 at offset 1 of \"k\\xff\", expected UTF-8 text"},
    {"TextNotUtf8", value(8, gguf_text("ab\xe2\x96")), kInvalid,
     "k: got a byte that is not UTF-8 at offset 2"},
    {"TextWithASurrogate", value(8, gguf_text("\xed\xa0\x80")), kInvalid, "k: got a byte that is not UTF-8"},
    {"ListOfTextsNotUtf8",
     value(9, little<uint32_t>(8) + little<uint64_t>(2) + gguf_text("good") + gguf_text("\x96 bad")),
     kInvalid, "k: got a byte that is not UTF-8 at offset 0 of \"\\x96 bad\""},
    {"TensorNameNotUtf8", made([](GgufBuilder& b) { b.zeros("t\x80", {8}); }), kInvalid,
     "tensor name: got a byte that is not UTF-8"},
    {"ListTypeUnknown", value(9, little<uint32_t>(77) + little<uint64_t>(0)), kInvalid, "value type 77"},
    {"ListWithoutCount", value(9, little<uint32_t>(0)), kInvalid, "k: count"},
    {"ListCountMaximum", value(9, little<uint32_t>(0) + little(kHuge)), kInvalid, "k: count"},
    {"ListCountWrapsInBytes", value(9, little<uint32_t>(10) + little(uint64_t{1} << 61) + "12345678"),
     kInvalid, "k: count: got 2305843009213693952, expected at most 1"},
    {"ListCountWrapsInWords", value(9, little<uint32_t>(4) + little(uint64_t{1} << 62) + "1234"), kInvalid,
     "k: count: got 4611686018427387904, expected at most 1"},
    {"ListOnePastTheEnd", value(9, little<uint32_t>(2) + little<uint64_t>(3) + "12345"), kInvalid,
     "k: count: got 3, expected at most 2"},
    {"ListOfTextsTooMany", value(9, little<uint32_t>(8) + little<uint64_t>(1 << 20) + gguf_text("a")),
     kInvalid, "k: count: got 1048576"},
    {"ListOfTextsCutShort", value(9, little<uint32_t>(8) + little<uint64_t>(2) + gguf_text("12345678")),
     kInvalid, "k: string length: got 0 bytes left"},
    {"ListOfTextsWithLengthMaximum", value(9, little<uint32_t>(8) + little<uint64_t>(1) + little(kHuge)),
     kInvalid, "k: string length"},
    {"ListOfBoolsWithATwo", value(9, little<uint32_t>(7) + little<uint64_t>(3) + std::string("\0\1\2", 3)),
     kInvalid, "k: got a bool of 2"},
    {"ListOfListsOfListsOfLists", value(9, nested(4)), kTooLarge, "k: got lists nested deeper than 4"},
    {"ListsNestedTenThousandDeep", value(9, nested(10'000)), kTooLarge, "nested deeper than 4"},
    {"ListOfListsCountMaximum", value(9, little<uint32_t>(9) + little(kHuge)), kInvalid, "k: count"},
    {"ListOfListsOneMissing",
     value(9, little<uint32_t>(9) + little<uint64_t>(2) + little<uint32_t>(0) + little<uint64_t>(12) +
                  std::string(12, '\0')),
     kInvalid, "k: type: got 0 bytes left"},
    {"Alignment0", aligned(0), kInvalid, "general.alignment: got 0"},
    {"Alignment3", aligned(3), kInvalid, "general.alignment: got 3, expected a power of two"},
    {"Alignment48", aligned(48), kInvalid, "general.alignment: got 48"},
    {"AlignmentMaximum", aligned(~0U), kInvalid, "general.alignment: got 4294967295"},
    {"AlignmentIsAText", made([](GgufBuilder& b) { b.text("general.alignment", "32"); }), kInvalid,
     "general.alignment: got \"32\""},
    {"AlignmentIsAList", made([](GgufBuilder& b) { b.numbers<uint32_t>("general.alignment", 4, {32}); }),
     kInvalid, "general.alignment: got a list of 1 uint32"},
    {"AlignmentBeyondTheFile", aligned(1 << 20), kInvalid, "tensor t: got 16 bytes at offset 0"},
    {"TensorTwice", two(0, 0), kInvalid, "tensor b: got an overlap"},
    {"TensorNameTwice", made([](GgufBuilder& b) { b.zeros("t", {8}).zeros("t", {8}); }), kInvalid,
     "tensor t: got a second tensor of that name"},
    {"TensorNameMaximum", made([](GgufBuilder& b) {
       b.tensor_count = 1;
       b.tail_of_header = little(kHuge) + std::string(24, 't');
     }),
     kInvalid, "tensor name: length"},
    {"TensorNameTooLong", made([](GgufBuilder& b) { b.zeros(std::string(65'536, 't'), {8}); }), kTooLarge,
     "tensor name: length: got 65536"},
    {"TensorOf5Dimensions", tensor({1, 1, 1, 1, 1}, 0, 0), kTooLarge,
     "tensor t: got 5 dimensions, expected at most 4"},
    {"TensorOfFourBillionDimensions", made([](GgufBuilder& b) {
       b.tensor_count = 1;
       b.tail_of_header = gguf_text("t") + little(~0U) + std::string(24, '\0');
     }),
     kTooLarge, "tensor t: got 4294967295 dimensions"},
    {"TensorOfNothing", tensor({4, 0}, 0, 0), kInvalid, "tensor t: got a dimension of 0"},
    {"TensorSizeMaximum", tensor({kHuge}, 0, 0), kInvalid, "a dimension of 18446744073709551615"},
    {"TensorSizeSignBit", tensor({kSign}, 0, 0), kInvalid, "a dimension of 9223372036854775808"},
    {"TensorElementsOverflow", tensor({uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0), kInvalid,
     "a shape whose bytes fit 63 bits"},
    {"TensorBytesOverflow", tensor({uint64_t{1} << 62}, 0, 0), kInvalid, "a shape whose bytes fit 63 bits"},
    {"TensorElementsWrapToZero",
     tensor({uint64_t{1} << 31, uint64_t{1} << 31, uint64_t{1} << 31, uint64_t{1} << 31}, 0, 0), kInvalid,
     "a shape whose bytes fit 63 bits"},
    {"TensorTypeOfActivations", tensor({256}, 15, 0), kUnsupported, "tensor t: got type Q8_K"},
    {"TensorTypeQ1", tensor({256}, 41, 0), kUnsupported, "type Q1_0, expected F32, F16, BF16, Q4_0"},
    {"TensorTypeI8", tensor({4}, 24, 0), kUnsupported, "type I8"},
    {"TensorTypeWithdrawn", tensor({32}, 4, 0), kUnsupported, "tensor type 4"},
    {"TensorTypeOfTheFuture", tensor({32}, 99, 0), kUnsupported, "tensor type 99"},
    {"TensorTypeDamaged", tensor({32}, 256, 0), kInvalid, "tensor type 256"},
    {"TensorTypeMaximum", tensor({32}, ~0U, 0), kInvalid, "tensor type 4294967295"},
    {"TensorRowsNoWholeBlocks", tensor({33}, 8, 0), kInvalid,
     "tensor t: got rows of 33 elements, expected a multiple of 32"},
    {"TensorRowsHalfASuperBlock", tensor({128, 2}, 12, 0), kInvalid, "a multiple of 256, the block of Q4_K"},
    {"TensorRowsHalfACodebookBlock", tensor({128, 2}, 16, 0), kInvalid, "the block of IQ2_XXS"},
    {"QuantisedScalar", tensor({}, 2, 0), kInvalid, "got rows of 1 elements"},
    {"OffsetBeyondTheData", tensor({4}, 0, 96), kInvalid, "tensor t: got 16 bytes at offset 96"},
    {"OffsetOneBlockTooFar", tensor({16}, 0, 32), kInvalid, "expected an end of at most 64"},
    {"OffsetMaximum", tensor({4}, 0, kHuge), kInvalid, "tensor t: got offset 18446744073709551615"},
    {"OffsetSignBit", tensor({4}, 0, kSign), kInvalid, "tensor t: got offset 9223372036854775808"},
    {"OffsetWrapsWithTheBytes", tensor({16}, 0, kSign - 32), kInvalid, "tensor t: got 64 bytes at offset"},
    {"OffsetNotAligned", tensor({4}, 0, 4), kInvalid, "tensor t: got offset 4, expected a multiple of 32"},
    {"OverlapByHalf", two(0, 32), kInvalid, "tensor b: got an overlap with \"a\""},
    {"OverlapInReverse", two(32, 0), kInvalid, "tensor a: got an overlap with \"b\""},
    {"TensorWithoutData", made([](GgufBuilder& b) { b.describe("t", {4}, 0, 0); }), kInvalid,
     "tensor t: got 16 bytes at offset 0, expected an end of at most 0"},
    {"DataCutShort", made([](GgufBuilder& b) {
       b.describe("t", {16}, 0, 0);
       b.data = std::string(63, '\0');
     }),
     kInvalid, "expected an end of at most 63"},
    {"CutInTheMagic", cut(2), kInvalid, "magic"},
    {"CutInTheKey", cut(40), kInvalid, "key: length"},
    {"CutInTheValue", cut(63), kInvalid, "general.architecture"},
    {"CutInTheTensor", cut(90), kInvalid, "tensor t: type: got 0 bytes left"},
};

class HostileGguf : public testing::TestWithParam<FileCase> {};

TEST_P(HostileGguf, IsRefused) {
  const FileCase& param = GetParam();
  const test::TemporaryDirectory directory;
  const auto file = directory.add("model.gguf", param.bytes());
  const test::AllocationWatch watch;
  const Error error = test::error_of([&] { GgufFile(file).tensors(); });
  EXPECT_LT(watch.total(), param.most_bytes);
  EXPECT_STREQ(to_string(error.code()), to_string(param.code)) << error.what();
  EXPECT_TRUE(error.where().starts_with(file.string())) << error.where();
  EXPECT_THAT(error.what(), HasSubstr(param.names));
  EXPECT_LT(std::string(error.what()).size(), 1000u);
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileGguf, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(HostileGgufFile, MissingOrAFolder) {
  const test::TemporaryDirectory directory;
  EXPECT_EQ(test::error_of([&] { GgufFile(directory.path() / "no.gguf"); }).code(), ErrorCode::not_found);
  EXPECT_EQ(test::error_of([&] { GgufFile(directory.path()); }).code(), ErrorCode::input_invalid);
}

// Every prefix and every changed byte of a good file is either read or refused: nothing else happens.
TEST(HostileGgufFile, EveryPrefixAndEveryChangedByteIsAnAnswer) {
  GgufBuilder builder;
  builder.text("general.architecture", "llama").u32("general.alignment", 32).texts("t", {"a", "bc"});
  builder.numbers<float>("f", 6, {1, 2}).zeros("one", {8}).zeros("two", {2, 2});
  const std::string good = builder.bytes();
  const auto read = [](const std::string& bytes) {
    try {
      read_gguf_header(std::as_bytes(std::span(bytes)), "file");
    } catch (const Error&) {
    }
  };
  for (size_t size = 0; size <= good.size(); ++size) read(good.substr(0, size));
  for (size_t i = 0; i < good.size(); ++i)
    for (const int flip : {1, 0x80, 0xff}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      read(bad);
    }
}

}  // namespace
}  // namespace galago
