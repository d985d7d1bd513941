// Pre-tokenizers: fields that may be absent, and files whose steps are too many or make too much.
// Reference: `tokenizers` 0.23.
#include "text/tokenizer/pretokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "galago/error.h"
#include "support/allocation.h"
#include "text/growth.h"
#include "text/tokenizer/detokenizer.h"
#include "text/tokenizer/normalizer.h"

namespace galago {
namespace {

std::string sequence_of(const std::string& list, const std::string& step, size_t times) {
  std::string out = R"({"type": "Sequence", ")" + list + R"(": [)";
  for (size_t i = 0; i < times; ++i) out += (i > 0 ? "," : "") + step;
  return out + "]}";
}

template <typename Stage>
Stage load(const std::string& json) {
  const Json document = parse_json(json, "stage");
  return Stage::from_json(JsonField(document, "stage"));
}

std::vector<std::string> pieces(const std::string& json, const std::string& text) {
  const auto stage = load<PreTokenizer>(json);
  std::vector<std::string> out;
  PreTokenizer::Run run(stage, most_grown(text.size()));
  run({text, true}, [&out](const Piece& piece) { out.push_back(piece.text); });
  return out;
}

const std::string kByteLevel =
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})";
const std::string kPrefix =
    R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false})";

TEST(Steps, AreBounded) {
  for (const size_t times : {65U, 30'000U}) {
    EXPECT_THROW(load<PreTokenizer>(sequence_of("pretokenizers", R"({"type": "WhitespaceSplit"})", times)),
                 Error);
    EXPECT_THROW(load<Normalizer>(sequence_of("normalizers", R"({"type": "NFC"})", times)), Error);
    EXPECT_THROW(load<Detokenizer>(sequence_of("decoders", R"({"type": "Fuse"})", times)), Error);
  }
  // Nested sequences have their steps together.
  const std::string half = sequence_of("pretokenizers", R"({"type": "WhitespaceSplit"})", 33);
  EXPECT_THROW(load<PreTokenizer>(sequence_of("pretokenizers", half, 2)), Error);
  const std::string all = sequence_of("pretokenizers", R"({"type": "WhitespaceSplit"})", 64);
  EXPECT_EQ(pieces(all, "a b"), (std::vector<std::string>{"a", "b"}));
}

// 27 of these would make gigabytes of some characters.
TEST(PreTokenizerGrowth, IsStoppedWhileItGrows) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\u00E9";
  const std::string words =
      R"({"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": false})";
  const std::string spaced = kPrefix + "," + words;
  for (const std::string& step : {kByteLevel, spaced}) {
    const auto stage = load<PreTokenizer>(sequence_of("pretokenizers", step, 31));
    PreTokenizer::Run run(stage, most_grown(text.size()));
    const test::AllocationWatch watch;
    try {
      run({text, true}, [](const Piece&) {});
      ADD_FAILURE() << "no error for " << step;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input_too_large) << error.what();
    }
    EXPECT_LT(watch.peak(), 16 << 20);
  }
  EXPECT_EQ(pieces(sequence_of("pretokenizers", kByteLevel, 3), "\u00E9")[0].size(), 16U);
}

// Each step keeps the word that those behind it cut.
TEST(PreTokenizerGrowth, AWordIsNotKeptByEveryOfManySteps) {
  const std::string all = sequence_of("pretokenizers", R"({"type": "WhitespaceSplit"})", 64);
  const std::string word(8 << 20, 'a');
  EXPECT_THROW(pieces(all, word), Error);
  EXPECT_EQ(pieces(sequence_of("pretokenizers", R"({"type": "WhitespaceSplit"})", 6), word).size(), 1U);
}

TEST(PreTokenizerFields, ThatMayBeAbsent) {
  EXPECT_EQ(pieces(R"({"type": "FixedLength"})", "abcdefgh ij 12"),
            (std::vector<std::string>{"abcde", "fgh i", "j 12"}));
  EXPECT_THROW(load<PreTokenizer>(R"({"type": "FixedLength", "length": 0})"), Error);
  EXPECT_THROW(load<PreTokenizer>(R"({"type": "Digits"})"), Error);
}

TEST(PreTokenizerFields, OfMetaspaceMustAgree) {
  const auto with = [](const std::string& fields) {
    return R"({"type": "Metaspace", "replacement": "_")" + fields + "}";
  };
  const std::vector<std::string> prefixed = {"_a", "_b"};
  const std::vector<std::string> bare = {"a", "_b"};
  EXPECT_EQ(pieces(with(""), "a b"), prefixed);
  EXPECT_EQ(pieces(with(R"(, "add_prefix_space": true)"), "a b"), prefixed);
  EXPECT_EQ(pieces(with(R"(, "add_prefix_space": true, "prepend_scheme": "never")"), "a b"), bare);
  EXPECT_EQ(pieces(with(R"(, "add_prefix_space": false, "prepend_scheme": "never")"), "a b"), bare);
  for (const char* fields :
       {R"(, "add_prefix_space": false)", R"(, "add_prefix_space": false, "prepend_scheme": "always")",
        R"(, "add_prefix_space": false, "prepend_scheme": "first")"}) {
    EXPECT_THROW(load<PreTokenizer>(with(fields)), Error) << fields;
    EXPECT_THROW(load<Detokenizer>(with(fields)), Error) << fields;
  }
}

}  // namespace
}  // namespace galago
