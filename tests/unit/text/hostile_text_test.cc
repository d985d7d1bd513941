// Malformed and hostile tokenizer files and prompts: each ends in the error that its row names,
// quickly and without growing.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "core/limits.h"
#include "galago/error.h"
#include "support/refusals.h"
#include "text/prompt/image_prompt.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {
namespace {

using test::expect_errors;
using test::repeated;

/// A small valid tokenizer.json whose parts can be replaced.
struct File {
  std::string added = R"([{"id": 3, "content": "<s>", "special": true, "normalized": false}])";
  std::string normalizer = "null";
  std::string pre_tokenizer = "null";
  std::string post_processor = "null";
  std::string decoder = R"({"type": "Fuse"})";
  std::string vocab = R"({"a": 0, "b": 1, "ab": 2})";
  std::string merges = R"([["a", "b"]])";
  std::string options = R"("type": "BPE")";

  std::string text() const {
    return R"({"version": "1.0", "added_tokens": )" + added + R"(, "normalizer": )" + normalizer +
           R"(, "pre_tokenizer": )" + pre_tokenizer + R"(, "post_processor": )" + post_processor +
           R"(, "decoder": )" + decoder + R"(, "model": {)" + options + R"(, "vocab": )" + vocab +
           R"(, "merges": )" + merges + "}}";
  }
};

/// The most memory that a row may hold at once: for a tokenizer file, and where a text of the allowed length
/// is copied or written.
constexpr int64_t kMostBytesOfFile = 1 << 20;
constexpr int64_t kMostBytesOfText = 6 * limits::kPromptBytes;

std::function<void()> load(const File& file) {
  return [text = file.text()] { Tokenizer::from_json(text, "tokenizer.json"); };
}

/// Loads a tokenizer with that split pattern and encodes a text.
std::function<void()> split_with(const std::string& pattern, const std::string& text) {
  File file;
  file.pre_tokenizer = R"({"type": "Split", "pattern": {"Regex": ")" + pattern +
                       R"("}, "behavior": "Isolated", "invert": false})";
  return [json = file.text(), text] { Tokenizer::from_json(json, "tokenizer.json").encode(text); };
}

constexpr ErrorCode kInvalid = ErrorCode::model_invalid;
constexpr ErrorCode kUnsupported = ErrorCode::model_unsupported;
constexpr ErrorCode kTooLarge = ErrorCode::input_too_large;

/// Loads a file and encodes a text.
std::function<void()> encode_with(const File& file, const std::string& text) {
  return [json = file.text(), text] { Tokenizer::from_json(json, "tokenizer.json").encode(text); };
}

std::string replacement(const std::string& from, const std::string& to) {
  return R"({"type": "Replace", "pattern": {"String": ")" + from + R"("}, "content": ")" + to + "\"}";
}

std::string sequence_of(const std::string& list, const std::string& step, size_t times) {
  return R"({"type": "Sequence", ")" + list + R"(": [)" + repeated(step + ",", times - 1) + step + "]}";
}

// Each would make gigabytes of some kilobytes; it is stopped while it grows.
TEST(HostileTokenizer, TextsThatGrow) {
  const std::string text = repeated("a", 50'000);
  const std::string tokens = repeated("a<s>", 10'000);
  const std::string long_text = repeated("b", 46'000);
  const std::string doubling = replacement("a", "aa");
  expect_errors(
      {
          {"replacement", kTooLarge, encode_with({.normalizer = replacement("a", long_text)}, text)},
          {"replacement between tokens", kTooLarge,
           encode_with({.normalizer = replacement("a", long_text)}, tokens)},
          {"doublings", kTooLarge,
           encode_with({.normalizer = sequence_of("normalizers", doubling, 30)}, text)},
          {"prefix of every part", kTooLarge,
           encode_with({.normalizer = R"({"type": "Prepend", "prepend": ")" + long_text + "\"}"}, tokens)},
          {"longest compatibility forms, twice replaced", kTooLarge,
           encode_with({.normalizer = R"({"type": "Sequence", "normalizers": [)" +
                                      replacement("a", repeated("\uFDFA", 9)) + R"(, {"type": "NFKD"}]})"},
                       text)},
          {"empty matches", kTooLarge,
           encode_with({.normalizer = R"x({"type": "Replace", "pattern": {"Regex": "(?=a)"}, "content": ")x" +
                                      long_text + "\"}"},
                       text)},
          {"added token", kInvalid,
           load({.added = R"([{"id": 3, "content": "aaaa", "normalized": true}])",
                 .normalizer = replacement("a", long_text)})},
          {"long added token", kInvalid,
           load({.added = R"([{"id": 3, "content": ")" + text + R"(", "normalized": true}])",
                 .normalizer = replacement("a", "bb")})},
          {"decoder", kInvalid, load({.decoder = replacement("a", long_text)})},
          {"decoder that doubles", kInvalid, load({.decoder = sequence_of("decoders", doubling, 30)})},
      },
      16 << 20);
}

TEST(HostileTokenizer, TheFileThatTheRowsChangeIsValid) {
  const Tokenizer tokenizer = Tokenizer::from_json(File{}.text(), "tokenizer.json");
  EXPECT_EQ(tokenizer.encode("ab<s>a"), (std::vector<int32_t>{2, 3, 0}));
}

TEST(HostileTokenizer, DocumentsAndVocabularies) {
  expect_errors(
      {
          {"empty", kInvalid, [] { Tokenizer::from_json("", "t"); }},
          {"no JSON", kInvalid, [] { Tokenizer::from_json("{\"model\": ", "t"); }},
          {"not UTF-8", kInvalid, [] { Tokenizer::from_json("{\"model\": \"\xFF\"}", "t"); }},
          {"lone surrogate", kInvalid, [] { Tokenizer::from_json(R"({"model": "\ud800"})", "t"); }},
          {"a list", kInvalid, [] { Tokenizer::from_json("[]", "t"); }},
          {"no model", kInvalid, [] { Tokenizer::from_json("{}", "t"); }},
          {"depth bomb", kTooLarge, [] { Tokenizer::from_json(repeated("[", 100000), "t"); }},
          {"nested sequences", kInvalid,
           load({.pre_tokenizer =
                     repeated(R"({"type": "Sequence", "pretokenizers": [)", 12) + repeated("]}", 12)})},
          {"model is a list", kInvalid, [] { Tokenizer::from_json(R"({"model": []})", "t"); }},
          {"word level", kUnsupported, load({.options = R"("type": "WordLevel")"})},
          {"type is a number", kInvalid, load({.options = R"("type": 3)"})},
          {"vocab is a list", kInvalid, load({.vocab = "[1]"})},
          {"id is a string", kInvalid, load({.vocab = R"({"a": "0"})"})},
          {"negative id", kInvalid, load({.vocab = R"({"a": -1, "b": 1, "ab": 2})"})},
          {"huge id", kInvalid, load({.vocab = R"({"a": 4294967296, "b": 1, "ab": 2})"})},
          {"id over 64 bits", kInvalid, load({.vocab = R"({"a": 99999999999999999999, "b": 1, "ab": 2})"})},
          {"an id far above the others", kInvalid, load({.vocab = R"({"a": 0, "b": 1, "ab": 16777215})"})},
          {"fractional id", kInvalid, load({.vocab = R"({"a": 0.5, "b": 1, "ab": 2})"})},
          {"an id twice", kInvalid, load({.vocab = R"({"a": 0, "b": 0, "ab": 2})"})},
          {"no merges", kInvalid, load({.merges = "null"})},
          {"merges is a dict", kInvalid, load({.merges = "{}"})},
          {"merge of unknown tokens", kInvalid, load({.merges = R"([["a", "z"]])"})},
          {"merge into an unknown token", kInvalid, load({.merges = R"([["b", "a"]])"})},
          {"merge of three", kInvalid, load({.merges = R"([["a", "b", "c"]])"})},
          {"merge without a space", kInvalid, load({.merges = R"(["ab"])"})},
          {"merge with two spaces", kInvalid, load({.merges = R"(["a b c"])"})},
          {"merge of numbers", kInvalid, load({.merges = "[[1, 2]]"})},
          {"dropout", kUnsupported, load({.options = R"("type": "BPE", "dropout": 0.1)"})},
          {"word prefix", kUnsupported,
           load({.options = R"("type": "BPE", "continuing_subword_prefix": "##")"})},
          {"word suffix", kUnsupported, load({.options = R"("type": "BPE", "end_of_word_suffix": "</w>")"})},
          {"unknown unk_token", kInvalid, load({.options = R"("type": "BPE", "unk_token": "?")"})},
          {"byte_fallback is a string", kInvalid,
           load({.options = R"("type": "BPE", "byte_fallback": "yes")"})},
      },
      kMostBytesOfFile);
}

TEST(HostileTokenizer, AddedTokensAndStages) {
  expect_errors(
      {
          {"added_tokens is a dict", kInvalid, load({.added = "{}"})},
          {"added token without id", kInvalid, load({.added = R"([{"content": "<s>"}])"})},
          {"empty content", kInvalid, load({.added = R"([{"id": 3, "content": ""}])"})},
          {"long content", kInvalid,
           load({.added = R"([{"id": 3, "content": ")" + repeated("x", 600) + R"("}])"})},
          {"added id twice", kInvalid,
           load({.added = R"([{"id": 3, "content": "x"}, {"id": 3, "content": "y"}])"})},
          {"content twice", kInvalid,
           load({.added = R"([{"id": 3, "content": "x"}, {"id": 4, "content": "x"}])"})},
          {"id of another word", kInvalid, load({.added = R"([{"id": 1, "content": "x"}])"})},
          {"other id than the vocabulary's", kInvalid, load({.added = R"([{"id": 5, "content": "ab"}])"})},
          {"negative added id", kInvalid, load({.added = R"([{"id": -3, "content": "x"}])"})},
          {"huge added id", kInvalid, load({.added = R"([{"id": 2000000000, "content": "x"}])"})},
          {"an added id far above the others", kInvalid,
           load({.added = R"([{"id": 16777215, "content": "x"}])"})},
          {"special is a number", kInvalid, load({.added = R"([{"id": 3, "content": "x", "special": 1}])"})},
          {"same text when normalized", kInvalid,
           load(
               {.added =
                    R"([{"id": 3, "content": "x", "normalized": true}, {"id": 4, "content": "X", "normalized": true}])",
                .normalizer = R"({"type": "Lowercase"})"})},
          {"normalizer without type", kInvalid, load({.normalizer = "{}"})},
          {"unknown normalizer", kUnsupported, load({.normalizer = R"({"type": "Squeeze"})"})},
          {"replace without content", kInvalid,
           load({.normalizer = R"({"type": "Replace", "pattern": {"String": "a"}})"})},
          {"empty pattern", kInvalid,
           load({.normalizer = R"({"type": "Replace", "pattern": {"String": ""}, "content": "x"})"})},
          {"unknown pre-tokenizer", kUnsupported, load({.pre_tokenizer = R"({"type": "UnicodeScripts"})"})},
          {"unknown behavior", kInvalid,
           load(
               {.pre_tokenizer =
                    R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Smashed", "invert": false})"})},
          {"metaspace of two characters", kInvalid,
           load({.pre_tokenizer = R"({"type": "Metaspace", "replacement": "__"})"})},
          {"unknown decoder", kUnsupported, load({.decoder = R"({"type": "WordPiece"})"})},
          {"bytes behind fuse", kUnsupported,
           load({.decoder =
                     R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]})"})},
          {"negative strip", kInvalid,
           load({.decoder = R"({"type": "Strip", "content": " ", "start": -1, "stop": 0})"})},
          {"unknown post-processor", kUnsupported, load({.post_processor = R"({"type": "BertProcessing"})"})},
          {"post-processor with a bad id", kInvalid,
           load({.post_processor = R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s"}},
             {"Sequence": {"id": "A"}}], "special_tokens": {"s": {"ids": [77]}}})"})},
          {"bad regex", kInvalid, split_with("(unclosed", "ab")},
          {"regex of lone bytes", kUnsupported, split_with(R"(\\C)", "ab")},
          {"catastrophic regex", kInvalid, split_with("(a+)+$", repeated("a", 5000) + "b")},
          {"catastrophic alternation", kInvalid, split_with("(a|aa)+c", repeated("a", 5000) + "bc")},
          {"huge regex", kInvalid, split_with(repeated("(ab)?", 5000), "ab")},
          {"recursive regex", kUnsupported, split_with("(?R)?a(?R)?b", repeated("a", 4000) + "cb")},
      },
      kMostBytesOfFile);
}

TEST(HostileTokenizer, Prompts) {
  const Tokenizer tokenizer = Tokenizer::from_json(File{}.text(), "tokenizer.json");
  const auto too_long = std::string(static_cast<size_t>(limits::kPromptBytes) + 1, 'a');
  const std::vector<int32_t> negative = {-1};
  const std::vector<TileGrid> two(2);
  const std::vector<TileGrid> wide = {{int64_t{1} << 40, int64_t{1} << 40}};
  const Segments image = {{"<image>", false}};
  expect_errors(
      {
          {"not UTF-8", ErrorCode::input_invalid, [&] { tokenizer.encode("a\xC3"); }},
          {"surrogate", ErrorCode::input_invalid, [&] { tokenizer.encode("\xED\xA0\x80"); }},
          {"overlong", ErrorCode::input_invalid, [&] { tokenizer.encode("\xC0\x80"); }},
          {"character across segments", ErrorCode::input_invalid,
           [&] {
             tokenizer.encode({{"\xC3", false}, {"\xA9", true}});
           }},
          {"too long", kTooLarge, [&] { tokenizer.encode(too_long); }},
          {"bytes of an id outside", ErrorCode::input_invalid, [&] { tokenizer.token_bytes(4); }},
          {"negative id", ErrorCode::input_invalid, [&] { tokenizer.decode(negative, false); }},
          {"one placeholder, two images", ErrorCode::input_invalid,
           [&] { expand_image_prompt(image, two, 4, {}); }},
          {"one placeholder, no image", ErrorCode::input_invalid,
           [&] { expand_image_prompt(image, {}, 4, {}); }},
          {"a grid beyond counting", kTooLarge, [&] { expand_image_prompt(image, wide, 4, {}); }},
          {"rows beyond the limit", kTooLarge,
           [&] { expand_image_prompt(image, std::vector<TileGrid>(1), int64_t{1} << 30, {}); }},
      },
      kMostBytesOfText);
}

TEST(HostileTokenizer, ALongWordIsMergedInNearLinearTime) {
  File file;
  file.vocab = R"({"a": 0, "b": 1, "ab": 2, "aa": 4, "aaaa": 5})";
  file.merges = R"([["a", "a"], ["aa", "aa"], ["a", "b"]])";
  const Tokenizer tokenizer = Tokenizer::from_json(file.text(), "tokenizer.json");
  const std::vector<int32_t> ids = tokenizer.encode(std::string(1 << 20, 'a'));
  EXPECT_EQ(ids.size(), static_cast<size_t>(1 << 18));
}

}  // namespace
}  // namespace galago
