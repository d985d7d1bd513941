// tokenizer.json and tokenizer_config.json out of token lists. Two kinds of tokenizer: byte-level BPE, whose
// file names the way to cut a text into words ("pre"), and SentencePiece's BPE, whose scores order the
// merges.
#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "galago/error.h"
#include "models/gguf/parts.h"
#include "text/tokenizer/sentencepiece.h"

namespace galago {
namespace {

constexpr const char* kSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's space

/// tokenizer.ggml.token_type; SentencePiece's numbers.
enum class Kind : int64_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct Vocabulary {
  std::vector<std::string> tokens;  ///< the index is the id
  std::vector<Kind> kinds;
};

std::string key(const char* name) { return std::string("tokenizer.ggml.") + name; }

Vocabulary read_vocabulary(const GgufFile& text) {
  const GgufField tokens = text.at(key("tokens"));
  if (tokens.count() > limits::kConfigVocabulary)
    throw Error(ErrorCode::input_too_large,
                {.where = tokens.where(),
                 .got = std::to_string(tokens.count()) + " tokens",
                 .expected = "at most " + std::to_string(limits::kConfigVocabulary)});
  Vocabulary vocabulary;
  for (const std::string_view token : tokens.strings()) {
    // Several ids may have no text; llama.cpp gives them these names too.
    const size_t id = vocabulary.tokens.size();
    vocabulary.tokens.push_back(token.empty() ? "[EMPTY_" + std::to_string(id) + "]" : std::string(token));
  }
  vocabulary.kinds.assign(vocabulary.tokens.size(), Kind::normal);
  if (const auto types = text.find(key("token_type"))) {
    const auto numbers = types->integers(0, 6);
    if (numbers.size() != vocabulary.tokens.size())
      types->fail("one for each of the " + std::to_string(vocabulary.tokens.size()) + " tokens");
    for (size_t i = 0; i < numbers.size(); ++i)
      vocabulary.kinds[i] = numbers[i] == 0 ? Kind::normal : static_cast<Kind>(numbers[i]);
  }
  return vocabulary;
}

/// Rows of the embedding table without a token: the converter calls them [PAD and their id].
bool is_filler(const Vocabulary& vocabulary, size_t id) {
  return vocabulary.kinds[id] == Kind::unused && vocabulary.tokens[id] == "[PAD" + std::to_string(id) + "]";
}

bool is_added(Kind kind) { return kind == Kind::control || kind == Kind::user_defined; }

/// The vocabulary as {token: id}. Error{model_invalid} for a token that is there twice.
Json vocabulary_json(const GgufFile& text, const Vocabulary& vocabulary) {
  Json json = Json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (is_filler(vocabulary, id)) continue;
    const auto [place, fresh] = json.emplace(vocabulary.tokens[id], id);
    if (!fresh)
      throw Error(ErrorCode::model_invalid, {.where = text.path().string() + ": " + key("tokens"),
                                             .got = "the token " + in_quotes(vocabulary.tokens[id]) + " at " +
                                                    place.value().dump() + " and at " + std::to_string(id),
                                             .expected = "each token once"});
  }
  return json;
}

Json added_tokens(const Vocabulary& vocabulary, bool with_unknown) {
  Json list = Json::array();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Kind kind = vocabulary.kinds[id];
    const bool unknown = with_unknown && kind == Kind::unknown;
    if (!is_added(kind) && !unknown) continue;
    list.push_back({{"id", id},
                    {"content", vocabulary.tokens[id]},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", kind != Kind::user_defined}});
  }
  return list;
}

// Words, as GPT-2 cuts them.
constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json split_step(const char* expression) {
  return {
      {"type", "Split"}, {"pattern", {{"Regex", expression}}}, {"behavior", "Isolated"}, {"invert", false}};
}
Json bytes_step(bool words) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", words}};
}
Json sequence(Json steps) { return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}}; }

Json words_gpt2() { return bytes_step(true); }
Json words_single_digits() {
  return sequence(Json::array({{{"type", "Digits"}, {"individual_digits", true}}, bytes_step(true)}));
}
Json words_llama3() { return sequence(Json::array({split_step(kLlama3), bytes_step(false)})); }
Json words_default() {
  return sequence(Json::array({split_step(R"([\p{P}\$\+<=>\^~\|]+)"), split_step(kGpt2),
                               split_step(R"(\p{N}+)"), split_step("[0-9][0-9][0-9]"), bytes_step(false)}));
}

/// A value of tokenizer.ggml.pre.
struct PreTokenizerName {
  std::string_view name;
  Json (*words)();
  bool whole_words = false;  ///< a word that is a token is not merged from bytes
  bool add_bos = false;      ///< where the file does not say
};

constexpr std::array<PreTokenizerName, 15> kPreTokenizers = {{{"default", words_default},
                                                              {"gpt-2", words_gpt2},
                                                              {"granite-docling", words_gpt2},
                                                              {"olmo", words_gpt2},
                                                              {"mpt", words_gpt2},
                                                              {"phi-2", words_gpt2},
                                                              {"smollm", words_single_digits},
                                                              {"refact", words_single_digits},
                                                              {"starcoder", words_single_digits},
                                                              {"codeshell", words_single_digits},
                                                              {"command-r", words_single_digits},
                                                              {"exaone", words_single_digits},
                                                              {"llama-bpe", words_llama3, true, true},
                                                              {"llama3", words_llama3, true, true},
                                                              {"llama-v3", words_llama3, true, true}}};

const PreTokenizerName& pre_tokenizer(const GgufFile& text) {
  const auto field = text.find(key("pre"));
  const std::string name = field ? field->string() : "default";
  std::string known;
  for (const PreTokenizerName& entry : kPreTokenizers) {
    if (entry.name == name) return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  field->unsupported("one of " + known);
}

bool is_sentencepiece(const GgufFile& text) {
  const GgufField model = text.at(key("model"));
  const std::string name = model.string();
  if (name != "gpt2" && name != "llama") model.unsupported("\"gpt2\" or \"llama\"");
  return name == "llama";
}

Json byte_level_tokenizer(const GgufFile& text, const Vocabulary& vocabulary) {
  const PreTokenizerName& pre = pre_tokenizer(text);
  Json merges = Json::array();
  for (const std::string_view merge : text.at(key("merges")).strings()) merges.push_back(merge);
  return {{"version", "1.0"},
          {"added_tokens", added_tokens(vocabulary, false)},
          {"normalizer", nullptr},
          {"pre_tokenizer", pre.words()},
          {"post_processor", nullptr},
          {"decoder", bytes_step(true)},
          {"model",
           {{"type", "BPE"},
            {"byte_fallback", false},
            {"fuse_unk", false},
            {"ignore_merges", pre.whole_words},
            {"vocab", vocabulary_json(text, vocabulary)},
            {"merges", std::move(merges)}}}};
}

bool flag(const GgufFile& text, const char* name, bool fallback) {
  const auto field = text.find(key(name));
  return field ? field->boolean() : fallback;
}

SentencePieceModel pieces_of(const GgufFile& text, const Vocabulary& vocabulary) {
  const GgufField field = text.at(key("scores"));
  const auto scores = field.numbers(-1e30, 1e30);
  if (scores.size() != vocabulary.tokens.size())
    field.fail("one for each of the " + std::to_string(vocabulary.tokens.size()) + " tokens");
  SentencePieceModel model;
  model.algorithm = SentencePieceModel::Algorithm::bpe;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const auto kind = static_cast<SentencePieceModel::Kind>(vocabulary.kinds[id]);
    model.pieces.push_back({vocabulary.tokens[id], static_cast<float>(scores[id]), kind});
    model.byte_fallback = model.byte_fallback || vocabulary.kinds[id] == Kind::byte;
    if (vocabulary.kinds[id] != Kind::unknown) continue;
    model.unk_id = static_cast<int32_t>(id);
    model.unk_piece = vocabulary.tokens[id];
  }
  return model;
}

Json replace_step(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

/// "▁" before each stretch of text and for each space, and back.
Json sentencepiece_tokenizer(const GgufFile& text, const Vocabulary& vocabulary) {
  vocabulary_json(text, vocabulary);  // each token once
  const bool prefix = flag(text, "add_space_prefix", true);
  Json normalizer = Json::array();
  if (prefix) normalizer.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
  normalizer.push_back(replace_step(" ", kSpace));
  Json decoder = Json::array({replace_step(kSpace, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
  if (prefix) decoder.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"version", "1.0"},
          {"added_tokens", added_tokens(vocabulary, true)},
          {"normalizer", {{"type", "Sequence"}, {"normalizers", std::move(normalizer)}}},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", {{"type", "Sequence"}, {"decoders", std::move(decoder)}}},
          {"model", bpe_model_of(pieces_of(text, vocabulary))}};
}

}  // namespace

std::optional<int64_t> gguf_token_id(const GgufFile& text, std::string_view token) {
  const auto field = text.find(key("tokens"));
  if (!field) return std::nullopt;
  const auto tokens = field->strings();
  const auto found = std::find(tokens.begin(), tokens.end(), token);
  if (found == tokens.end()) return std::nullopt;
  return found - tokens.begin();
}

bool gguf_is_control(const GgufFile& text, int64_t id) {
  return read_vocabulary(text).kinds[static_cast<size_t>(id)] == Kind::control;
}

Json gguf_tokenizer(const GgufFile& text) {
  const Vocabulary vocabulary = read_vocabulary(text);
  return is_sentencepiece(text) ? sentencepiece_tokenizer(text, vocabulary)
                                : byte_level_tokenizer(text, vocabulary);
}

Json gguf_tokenizer_config(const GgufFile& text) {
  const bool pieces = is_sentencepiece(text);
  const Vocabulary vocabulary = read_vocabulary(text);
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"add_bos_token", flag(text, "add_bos_token", pieces || pre_tokenizer(text).add_bos)},
                 {"add_eos_token", flag(text, "add_eos_token", false)}};
  struct Name {
    const char* id_key;
    const char* name;
    int64_t fallback;  ///< the id in a SentencePiece file that does not say
  };
  constexpr Name kNames[] = {{"bos_token_id", "bos_token", 1},
                             {"eos_token_id", "eos_token", 2},
                             {"unknown_token_id", "unk_token", 0},
                             {"padding_token_id", "pad_token", -1}};
  for (const Name& name : kNames) {
    const auto field = text.find(key(name.id_key));
    const auto last = static_cast<int64_t>(vocabulary.tokens.size()) - 1;
    const int64_t id = field ? field->integer(0, last) : pieces ? std::min(name.fallback, last) : -1;
    if (id >= 0) config[name.name] = vocabulary.tokens[static_cast<size_t>(id)];
  }
  if (const auto chat = text.find("tokenizer.chat_template")) config["chat_template"] = chat->string();
  return config;
}

}  // namespace galago
