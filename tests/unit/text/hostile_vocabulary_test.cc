// Malformed and hostile SentencePiece files, Unigram models, character maps and tokenizer settings: each ends
// in the error that its row names, quickly and without growing.
#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <limits>
#include <map>

#include "core/limits.h"
#include "formats/model_files.h"
#include "galago/error.h"
#include "support/refusals.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/padded_text.h"
#include "text/tokenizer/sentencepiece.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {
namespace {

constexpr ErrorCode kInvalid = ErrorCode::model_invalid;
constexpr ErrorCode kUnsupported = ErrorCode::model_unsupported;
constexpr ErrorCode kTooLarge = ErrorCode::input_too_large;

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string key(uint64_t number, uint64_t type) { return varint(number << 3 | type); }
std::string bytes_field(uint64_t number, const std::string& bytes) {
  return key(number, 2) + varint(bytes.size()) + bytes;
}
std::string number_field(uint64_t number, uint64_t value) { return key(number, 0) + varint(value); }
std::string float_field(uint64_t number, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  std::string out = key(number, 5);
  for (int i = 0; i < 4; ++i) out += static_cast<char>(bits >> (8 * i));
  return out;
}
std::string piece(const std::string& text, int kind = 1, float score = -1) {
  return bytes_field(1, bytes_field(1, text) + float_field(2, score) +
                            number_field(3, static_cast<uint64_t>(static_cast<int64_t>(kind))));
}

/// A small valid file whose parts can be replaced.
struct File {
  std::string pieces = piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + piece("a") + piece("b") +
                       piece("ab") + piece("\xE2\x96\x81");
  std::string trainer = number_field(3, 2);
  std::string normalizer{};
  std::string rest{};
  std::string bytes() const { return pieces + bytes_field(2, trainer) + bytes_field(3, normalizer) + rest; }
};

using Texts = std::map<std::string, std::string>;

/// A model's files in memory.
class Files final : public ModelFiles {
 public:
  explicit Files(Texts texts) : texts_(std::move(texts)) {}
  const std::filesystem::path& path() const override { return path_; }
  std::optional<std::string> find(const std::string& name, int64_t limit) const override {
    const auto found = texts_.find(name);
    if (found == texts_.end()) return std::nullopt;
    if (std::cmp_greater(found->second.size(), limit)) throw Error(kTooLarge, {.where = name});
    return found->second;
  }
  std::string where(const std::string& name) const override { return name; }
  Checkpoint checkpoint() const override { throw Error(ErrorCode::internal, {}); }

 private:
  std::filesystem::path path_ = "model";
  Texts texts_;
};

using test::expect_errors;

std::function<void()> load(const std::string& bytes) {
  return [bytes] { Tokenizer::from_files(Files(Texts{{"tokenizer.model", bytes}})); };
}
std::function<void()> load(const File& file) { return load(file.bytes()); }
std::function<void()> with_pieces(const std::string& pieces) {
  return load(File{.pieces = File{}.pieces + pieces});
}
std::function<void()> load_siglip(const File& file) {
  return [bytes = file.bytes()] {
    Tokenizer::from_files(Files(Texts{
        {"spiece.model", bytes}, {"tokenizer_config.json", R"({"tokenizer_class": "SiglipTokenizer"})"}}));
  };
}

TEST(HostileSentencePiece, TheFileThatTheRowsChangeIsValid) {
  const Tokenizer bpe = Tokenizer::from_files(Files(Texts{{"tokenizer.model", File{}.bytes()}}));
  EXPECT_EQ(bpe.encode("ab ba<s>"), (std::vector<int32_t>{5, 6, 4, 3, 1}));
  EXPECT_EQ(bpe.decode(std::vector<int32_t>{5, 6, 4}, false), "ab b");
  const Tokenizer unigram =
      Tokenizer::from_files(Files(Texts{{"tokenizer.model", File{.trainer = number_field(3, 1)}.bytes()}}));
  EXPECT_EQ(unigram.encode("abba?!"), (std::vector<int32_t>{5, 4, 3, 0}));
}

TEST(HostileSentencePiece, UnknownFieldsAndDefaultsAreFine) {
  const std::string odd = number_field(99, 7) + bytes_field(4, "self test") + float_field(98, 1) +
                          key(97, 1) + std::string(8, 'x');
  EXPECT_NO_THROW(load(File{.rest = odd})());
  EXPECT_NO_THROW(load(File{}.pieces)());  // no trainer_spec: a Unigram model, ids at their defaults
}

TEST(HostileSentencePiece, WireFormat) {
  const std::string whole = File{}.bytes();
  expect_errors({
      {"empty file", kInvalid, load("")},
      {"not a message", kInvalid, load("{\"model\": {}}")},
      {"text", kInvalid, load(std::string(100, 'a'))},
      {"zero bytes", kInvalid, load(std::string(64, '\0'))},
      {"cut in a piece", kInvalid, load(whole.substr(0, 20))},
      {"cut at the end", kInvalid, load(whole.substr(0, whole.size() - 3))},
      {"cut in a key", kInvalid, load(whole + "\x80")},
      {"endless number", kInvalid, load(whole + key(9, 0) + std::string(20, '\xFF'))},
      {"number over 64 bits", kInvalid, load(whole + key(9, 0) + std::string(9, '\xFF') + "\x02")},
      {"length over the file", kInvalid, load(whole + key(1, 2) + varint(1000) + "x")},
      {"length of 2^63", kInvalid, load(whole + key(1, 2) + varint(uint64_t{1} << 63))},
      {"length of 2^64 - 1", kInvalid, load(whole + key(1, 2) + varint(~uint64_t{0}))},
      {"length that wraps", kInvalid, load(whole + key(1, 2) + varint(~uint64_t{0} - 8) + "abc")},
      {"field number 0", kInvalid, load(whole + std::string(1, '\0') + "x")},
      {"field number 2^29", kInvalid, load(whole + key(uint64_t{1} << 29, 0) + "x")},
      {"start of a group", kInvalid, load(whole + key(5, 3))},
      {"end of a group", kInvalid, load(whole + key(5, 4))},
      {"groups in groups", kInvalid, load(whole + std::string(100000, '\x0B'))},
      {"wire type 6", kInvalid, load(whole + key(5, 6))},
      {"half a float", kInvalid, load(whole + key(5, 5) + "ab")},
      {"half a double", kInvalid, load(whole + key(5, 1) + "abcd")},
      {"pieces as a number", kInvalid, load(whole + number_field(1, 5))},
      {"trainer_spec as a number", kInvalid, load(whole + number_field(2, 5))},
      {"normalizer_spec as a float", kInvalid, load(whole + float_field(3, 1))},
      {"broken message in a message", kInvalid, load(whole + bytes_field(2, "\x18"))},
  });
  const auto limit = static_cast<size_t>(limits::kSentencePieceBytes);
  expect_errors({{"over the limit", kTooLarge, load(std::string(limit + 1, 'a'))}},
                3 * limits::kSentencePieceBytes);
}

TEST(HostileSentencePiece, MergesOfAPieceThatIsNoText) {
  SentencePieceModel model;
  for (const char* text : {"a", "b", "a\xff", "\xe2\x96",
                           "\x96\xff"
                           "b",
                           "ab"})
    model.pieces.push_back({.text = text});
  const Json merges = bpe_model_of(model)["merges"];
  EXPECT_EQ(merges, Json::array({Json::array({"a", "b"})}));
}

TEST(HostileSentencePiece, Pieces) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  std::string bytes;
  for (unsigned byte = 0; byte < 255; ++byte)
    bytes +=
        piece("<0x" + std::string(1, "0123456789ABCDEF"[byte >> 4]) + "0123456789ABCDEF"[byte & 15] + ">", 6);
  const std::string fallback = number_field(3, 2) + number_field(35, 1);
  expect_errors({
      {"no pieces", kInvalid, load(File{.pieces = ""})},
      {"empty piece", kInvalid, with_pieces(piece(""))},
      {"piece without text", kInvalid, with_pieces(bytes_field(1, ""))},
      {"long piece", kInvalid, with_pieces(piece(std::string(513, 'x')))},
      {"not UTF-8", kInvalid, with_pieces(piece("\xFF"))},
      {"half a character", kInvalid, with_pieces(piece("\xE2\x96"))},
      {"surrogate", kInvalid, with_pieces(piece("\xED\xA0\x80"))},
      {"overlong", kInvalid, with_pieces(piece("\xC0\x80"))},
      {"piece twice", kInvalid, with_pieces(piece("ab"))},
      {"piece and control token", kInvalid, with_pieces(piece("<s>"))},
      {"score is not a number", kInvalid, with_pieces(piece("x", 1, nan))},
      {"infinite score", kInvalid, with_pieces(piece("x", 1, infinity))},
      {"minus infinity", kInvalid, with_pieces(piece("x", 1, -infinity))},
      {"score as a number field", kInvalid,
       with_pieces(bytes_field(1, bytes_field(1, "x") + number_field(2, 1)))},
      {"text as a float", kInvalid, with_pieces(bytes_field(1, float_field(1, 1)))},
      {"kind 0", kInvalid, with_pieces(piece("x", 0))},
      {"kind 7", kInvalid, with_pieces(piece("x", 7))},
      {"negative kind", kInvalid, with_pieces(piece("x", -1))},
      {"no unknown piece", kInvalid, load(File{.pieces = piece("a") + piece("b")})},
      {"two unknown pieces", kInvalid, with_pieces(piece("<unk2>", 2))},
      {"byte piece without fallback", kInvalid, with_pieces(piece("<0x41>", 6))},
      {"fallback without byte pieces", kInvalid, load(File{.trainer = fallback})},
      {"255 byte pieces", kInvalid, load(File{.pieces = File{}.pieces + bytes, .trainer = fallback})},
      {"a byte that is none", kInvalid,
       load(File{.pieces = File{}.pieces + bytes + piece("<0xff>", 6), .trainer = fallback})},
      {"a byte of three digits", kInvalid,
       load(File{.pieces = File{}.pieces + bytes + piece("<0x100>", 6), .trainer = fallback})},
      {"unk_id of a word", kInvalid, load(File{.trainer = number_field(3, 2) + number_field(40, 3)})},
      {"unk_id outside", kInvalid, load(File{.trainer = number_field(40, 2000000000)})},
      {"negative unk_id", kInvalid, load(File{.trainer = number_field(40, ~uint64_t{0})})},
      {"unk_id as text", kInvalid, load(File{.trainer = bytes_field(40, "0")})},
      {"unk_piece not UTF-8", kInvalid, load(File{.trainer = bytes_field(45, "\xFF")})},
      {"an unknown name", kInvalid, load(File{.trainer = number_field(3, 2) + bytes_field(45, "<what>")})},
      {"word model", kUnsupported, load(File{.trainer = number_field(3, 3)})},
      {"character model", kUnsupported, load(File{.trainer = number_field(3, 4)})},
      {"model type 0", kUnsupported, load(File{.trainer = number_field(3, 0)})},
      {"spaces behind words", kUnsupported, load(File{.trainer = number_field(3, 2) + number_field(24, 1)})},
      {"BPE for SigLIP", kUnsupported, load_siglip(File{})},
  });
}

std::string little_endian(uint32_t value) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

TEST(HostileCharsmap, Tables) {
  const auto spm = [](const std::string& charsmap) {
    return load(File{.trainer = number_field(3, 1), .normalizer = bytes_field(2, charsmap)});
  };
  // The root leads to unit 'a' (97 ^ 1 with offset 1), which leads to the unit that the row gives.
  const auto table = [](uint32_t leaf, const std::string& texts) {
    std::string units;
    for (uint32_t i = 0; i < 256; ++i)
      units += little_endian(i == 0 ? 1U << 10 : i == 96 ? (2U << 10 | 1U << 8 | 'a') : i == 98 ? leaf : 0U);
    return little_endian(1024) + units + texts;
  };
  const auto mapped = [&](uint32_t leaf, const std::string& texts, const std::string& text) {
    const std::string charsmap = table(leaf, texts);
    return [=] { Charsmap::parse(charsmap, "map").replace_longest(MarkedText(text)); };
  };
  EXPECT_EQ(
      Charsmap::parse(table(0, std::string("xy\0", 3)), "map").replace_longest(MarkedText("aba")).text(),
      "xybxy");
  expect_errors({
      {"three bytes", kInvalid, spm("abc")},
      {"a size of zero", kInvalid, spm(little_endian(0) + "abcd")},
      {"a size over the bytes", kInvalid, spm(little_endian(0xFFFFFFFF) + "abcd")},
      {"a size of odd bytes", kInvalid, spm(little_endian(3) + "abcdefg")},
      {"texts not UTF-8", kInvalid, spm(little_endian(4) + "abcd\xFF")},
      {"a text outside", kInvalid, mapped(1000, std::string("xy\0", 3), "a")},
      {"a text inside a character", kInvalid, mapped(1, std::string("\xC3\xA9\0", 3), "a")},
  });
  // Texts that grow: every "a" becomes a kilobyte.
  expect_errors({{"growing text", kTooLarge, mapped(0, std::string(1024, 'y'), std::string(1 << 20, 'a'))}},
                16 * limits::kPromptBytes);
  // A table that leads outside itself ends the walk.
  EXPECT_NO_THROW(
      Charsmap::parse(little_endian(4) + little_endian(0xFFFFFFFF), "m").replace_longest(MarkedText("abc")));
}

/// A table in which "aaa..." of a number of steps is known; `back` leads from the last one to the first
/// again.
std::string chain(uint32_t steps, bool back) {
  std::vector<uint32_t> units(256 * (size_t{steps} + 2));
  units[0] = 256U << 10;
  for (uint32_t i = 1; i <= steps; ++i) {
    const uint32_t at = 256 * i ^ 'a';
    const uint32_t next = back && i == steps ? 256 : 256 * (i + 1);
    units[at] = (at ^ next) << 10 | 'a';
  }
  if (!back) units[256 * steps ^ 'a'] |= 1U << 8;
  std::string bytes = little_endian(static_cast<uint32_t>(4 * units.size()));
  for (const uint32_t unit : units) bytes += little_endian(unit);
  return bytes + std::string("xy\0", 3);
}

// A walk takes no more steps than the longest prefix has bytes, so a text takes time in proportion to it.
TEST(HostileCharsmap, LongWalksAreRefused) {
  const auto parse = [](const std::string& charsmap) { return [=] { Charsmap::parse(charsmap, "map"); }; };
  const auto replaced = [](const std::string& charsmap, const std::string& text) {
    return Charsmap::parse(charsmap, "map").replace_longest(MarkedText(text)).text();
  };
  EXPECT_EQ(replaced(chain(128, false), std::string(300, 'a')), "xyxy" + std::string(300 - 256, 'a'));
  const std::string million(1 << 20, 'a');
  EXPECT_EQ(replaced(chain(128, false), million).size(), 2 * million.size() / 128);
  expect_errors(
      {
          {"a prefix of 129 bytes", kInvalid, parse(chain(129, false))},
          {"a prefix of 2000 bytes", kInvalid, parse(chain(2000, false))},
          {"a circle of one step", kInvalid, parse(chain(1, true))},
          {"a circle of two steps", kInvalid, parse(chain(2, true))},
          {"a circle of 200 steps", kInvalid, parse(chain(200, true))},
      },
      8 << 20);
}

// Builders of these tables store equal ends of texts once: "ab" and "cb" share the step "b".
TEST(HostileCharsmap, SharedEndsAreNoCircle) {
  std::vector<uint32_t> units(1024);
  units[0] = 256U << 10;
  for (const uint32_t byte : {'a', 'c'}) units[256 ^ byte] = (256 ^ byte ^ 512) << 10 | byte;
  units[512 ^ 'b'] = (512 ^ 'b' ^ 768) << 10 | 1U << 8 | 'b';
  std::string bytes = little_endian(4096);
  for (const uint32_t unit : units) bytes += little_endian(unit);
  const Charsmap map = Charsmap::parse(bytes + std::string("xy\0", 3), "map");
  EXPECT_EQ(map.replace_longest(MarkedText("abcbb")).text(), "xyxyb");
}

std::function<void()> unigram(const std::string& model, const std::string& text = "") {
  const std::string json = R"({"model": {"type": "Unigram", )" + model + "}}";
  return [=] { Tokenizer::from_json(json, "tokenizer.json").encode(text); };
}

TEST(HostileUnigram, Models) {
  const std::string pieces = R"("vocab": [["<unk>", 0], ["a", -1]])";
  EXPECT_NO_THROW(unigram(pieces + R"(, "unk_id": 0)", "ab")());
  expect_errors({
      {"no vocabulary", kInvalid, unigram(R"("unk_id": 0)")},
      {"vocabulary of ids", kInvalid, unigram(R"("vocab": {"a": 0})")},
      {"empty vocabulary", kInvalid, unigram(R"("vocab": [])")},
      {"a piece without score", kInvalid, unigram(R"("vocab": [["a"]])")},
      {"a score that is text", kInvalid, unigram(R"("vocab": [["a", "-1"]])")},
      {"a piece that is a number", kInvalid, unigram(R"("vocab": [[1, -1]])")},
      {"a score of null", kInvalid, unigram(R"("vocab": [["a", null]])")},
      {"a score over doubles", kInvalid, unigram(R"("vocab": [["a", 1e999]])")},
      {"a long piece", kInvalid, unigram(R"("vocab": [[")" + std::string(600, 'x') + R"(", 0]])")},
      {"unk_id outside", kInvalid, unigram(pieces + R"(, "unk_id": 2)")},
      {"negative unk_id", kInvalid, unigram(pieces + R"(, "unk_id": -1)")},
      {"unk_id as text", kInvalid, unigram(pieces + R"(, "unk_id": "<unk>")")},
      {"unknown text without unk_id", kInvalid, unigram(pieces, "b")},
      {"hidden outside", kInvalid, unigram(pieces + R"(, "hidden": [9])")},
      {"byte_fallback as a number", kInvalid, unigram(pieces + R"(, "byte_fallback": 1)")},
      {"map that is no base64", kInvalid,
       [] {
         Tokenizer::from_json(R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "?"},
                                  "model": {"vocab": {}, "merges": []}})",
                              "t");
       }},
      {"map of one digit", kInvalid,
       [] {
         Tokenizer::from_json(R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "A"},
                                  "model": {"vocab": {}, "merges": []}})",
                              "t");
       }},
  });
}

TEST(HostileUnigram, TimeIsTheTextTimesTheLongestPiece) {
  std::string pieces = R"("vocab": [["<unk>", 0])";
  for (size_t length = 1; length <= 64; ++length)
    pieces += ", [\"" + std::string(length, 'a') + "\", -" + std::to_string(length) + ".5]";
  const std::string json = R"({"model": {"type": "Unigram", "unk_id": 0, )" + pieces + "]}}";
  const Tokenizer tokenizer = Tokenizer::from_json(json, "tokenizer.json");
  EXPECT_EQ(tokenizer.encode(std::string(1 << 20, 'a')).size(), size_t{1} << 14);
  EXPECT_EQ(tokenizer.encode(std::string(1 << 20, 'b')).size(), 1U);
}

std::function<void()> settings(const std::string& name, const std::string& text) {
  return [=] { Tokenizer::from_files(Files(Texts{{"tokenizer.model", File{}.bytes()}, {name, text}})); };
}

TEST(HostileSettings, Files) {
  const std::string config = "tokenizer_config.json";
  const std::string llama = R"("tokenizer_class": "LlamaTokenizer")";
  const std::string unigram_json = R"({"model": {"type": "Unigram", "vocab": [["a", 0]]}})";
  expect_errors({
      {"no tokenizer", ErrorCode::not_found,
       [] {
         Tokenizer::from_files(Files(Texts{{"config.json", "{}"}}));
       }},
      {"a list", kInvalid, settings(config, "[]")},
      {"no JSON", kInvalid, settings(config, "{")},
      {"class as a number", kInvalid, settings(config, R"({"tokenizer_class": 5})")},
      {"model type as a list", kInvalid, settings("config.json", R"({"model_type": []})")},
      {"token as a list", kInvalid, settings(config, R"({"bos_token": ["<s>"]})")},
      {"token without content", kInvalid, settings(config, R"({"bos_token": {"lstrip": true}})")},
      {"flag as text", kInvalid, settings(config, R"({"bos_token": {"content": "a", "lstrip": "yes"}})")},
      {"decoder as a list", kInvalid, settings(config, R"({"added_tokens_decoder": []})")},
      {"decoder id as text", kInvalid,
       settings(config, R"({"added_tokens_decoder": {"x": {"content": "y"}}})")},
      {"negative decoder id", kInvalid,
       settings(config, R"({"added_tokens_decoder": {"-1": {"content": "y"}}})")},
      {"huge decoder id", kInvalid,
       settings(config, R"({"added_tokens_decoder": {"99999999999999999999": {"content": "y"}}})")},
      {"decoder entry as text", kInvalid, settings(config, R"({"added_tokens_decoder": {"7": "y"}})")},
      {"decoder entry without content", kInvalid, settings(config, R"({"added_tokens_decoder": {"7": {}}})")},
      {"long token", kInvalid, settings(config, R"({"pad_token": ")" + std::string(600, 'p') + R"("})")},
      {"extra tokens as text", kInvalid, settings(config, R"({"extra_special_tokens": "<x>"})")},
      {"extra token as a number", kInvalid, settings(config, R"({"additional_special_tokens": [1]})")},
      {"add_bos_token as text", kInvalid, settings(config, R"({"add_bos_token": "yes"})")},
      {"legacy as text", kInvalid, settings(config, "{" + llama + R"(, "legacy": "no"})")},
      {"side as a number", kInvalid, settings(config, R"({"padding_side": 1})")},
      {"a third side", kInvalid, settings(config, R"({"truncation_side": "top"})")},
      {"added_tokens.json as a list", kInvalid, settings("added_tokens.json", "[]")},
      {"added_tokens.json with a text id", kInvalid, settings("added_tokens.json", R"({"<x>": "7"})")},
      {"added_tokens.json with a huge id", kInvalid, settings("added_tokens.json", R"({"<x>": 1e12})")},
      {"special_tokens_map.json as a list", kInvalid, settings("special_tokens_map.json", "[]")},
      {"a renamed piece that merges", kInvalid,
       settings(config, R"({"added_tokens_decoder": {"3": {"content": "<new>"}}})")},
      {"Unigram for a BPE class", kUnsupported,
       [=] {
         Tokenizer::from_files(Files(Texts{{"tokenizer.json", unigram_json}, {config, "{" + llama + "}"}}));
       }},
      {"token twice in tokenizer.json", kInvalid,
       [] {
         Tokenizer::from_files(Files(Texts{{"tokenizer.json", R"({"added_tokens": [{"id": 0, "content": "x"},
           {"id": 1, "content": "x"}], "model": {"vocab": {}, "merges": []}})"}}));
       }},
  });
}

TEST(HostileSettings, TextsOfAFixedLength) {
  const Tokenizer plain = Tokenizer::from_files(Files(Texts{{"tokenizer.model", File{}.bytes()}}));
  const Tokenizer padded = Tokenizer::from_files(Files(Texts{
      {"tokenizer.model", File{}.bytes()},
      {"tokenizer_config.json", R"({"pad_token": "</s>", "add_bos_token": true, "add_eos_token": true})"}}));
  EXPECT_EQ(encode_padded(padded, "ab", 5).ids, (std::vector<int32_t>{1, 5, 2, 2, 2}));
  EXPECT_EQ(encode_padded(padded, "ab", 5).mask, (std::vector<uint8_t>{1, 1, 1, 0, 0}));
  EXPECT_EQ(encode_padded(padded, "abab", 3).ids, (std::vector<int32_t>{1, 5, 2}));
  expect_errors({
      {"no padding token", kInvalid, [&] { encode_padded(plain, "a", 8); }},
      {"no place for text", kInvalid, [&] { encode_padded(padded, "a", 2); }},
      {"no length", kInvalid, [&] { encode_padded(padded, "a", 0); }},
      {"negative length", kInvalid, [&] { encode_padded(padded, "a", -5); }},
      {"endless length", kInvalid, [&] { encode_padded(padded, "a", int64_t{1} << 60); }},
      {"not UTF-8", ErrorCode::input_invalid, [&] { encode_padded(padded, "a\xFF", 8); }},
  });
}

}  // namespace
}  // namespace galago
