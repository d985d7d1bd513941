// First the vocabulary is found and brought into the form of tokenizer.json, then the recipe of the
// tokenizer's class is put around it, then the added tokens are listed in the order in which the reference
// adds them.
#include "text/tokenizer/tokenizer_files.h"

#include <optional>
#include <utility>

#include "core/base64.h"
#include "galago/error.h"
#include "text/tokenizer/added_token_list.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/plain_text.h"
#include "text/tokenizer/sentencepiece.h"
#include "text/tokenizer/token_settings.h"
#include "text/tokenizer/unigram.h"

namespace galago {
namespace {

using Kind = TokenizerRecipe::Kind;

constexpr const char* kSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's space

/// What the parts below work on.
struct Assembly {
  TokenSettings settings;
  TokenizerDocument document;
  std::optional<SentencePieceModel> pieces;  ///< where the vocabulary came from a SentencePiece file
};

Json replace_step(const std::string& from, const std::string& to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

/// "▁" to spaces, byte tokens to bytes, all joined; Llama's takes the first space off again.
Json fallback_decoder(bool strip) {
  Json steps = Json::array({replace_step(kSpace, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
  if (strip) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

/// Vocabulary and merges stay; the options of the model are the class's own.
void set_model_options(Json& json, const std::string& where, bool byte_fallback) {
  const JsonField model = JsonField(json, where).at("model");
  if (const auto type = model.find("type"); type && type->string() != "BPE")
    type->unsupported("\"BPE\", for this tokenizer_class");
  Json kept = {{"type", "BPE"},
               {"vocab", std::move(json["model"]["vocab"])},
               {"merges", std::move(json["model"]["merges"])},
               {"byte_fallback", byte_fallback},
               {"fuse_unk", byte_fallback}};
  json["model"] = std::move(kept);
}

void apply_metaspace(Assembly& made) {
  const TokenSettings& settings = made.settings;
  Json& json = made.document.json;
  set_model_options(json, made.document.where, true);
  const bool prefix = settings.flag("add_prefix_space", true);
  const char* scheme = !prefix ? "never" : settings.flag("legacy", false) ? "always" : "first";
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", kSpace}, {"prepend_scheme", scheme}, {"split", false}};
  json["decoder"] = fallback_decoder(prefix);
}

void apply_bytes(Assembly& made) {
  Json& json = made.document.json;
  set_model_options(json, made.document.where, false);
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {{"type", "ByteLevel"},
                           {"add_prefix_space", made.settings.flag("add_prefix_space", false)}};
  json["decoder"] = {{"type", "ByteLevel"}};
}

void apply_spaces(Assembly& made) {
  Json& json = made.document.json;
  set_model_options(json, made.document.where, true);
  const std::string unknown = made.settings.name("unk_token");
  if (json["model"]["vocab"].contains(unknown)) json["model"]["unk_token"] = unknown;
  Json steps = Json::array();
  if (made.settings.recipe.lower_case) steps.push_back({{"type", "Lowercase"}});
  steps.push_back(replace_step(" ", kSpace));
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
  json["pre_tokenizer"] = {{"type", "Split"},
                           {"pattern", {{"String", " "}}},
                           {"behavior", "MergedWithPrevious"},
                           {"invert", false}};
  json["decoder"] = fallback_decoder(false);
}

/// SigLIP's: the text is made plain and goes through SentencePiece's own normalizer and search.
void apply_plain_text(Assembly& made) {
  const SentencePieceModel& pieces = *made.pieces;
  if (pieces.algorithm != SentencePieceModel::Algorithm::unigram)
    throw Error(ErrorCode::model_unsupported, {.where = made.document.where,
                                               .got = "a BPE model",
                                               .expected = "a Unigram model, for this tokenizer_class"});
  Json& json = made.document.json;
  Json& model = json["model"];
  model["single_precision"] = true;
  Json hidden = Json::array();
  for (size_t id = 0; id < pieces.pieces.size(); ++id) {
    using PieceKind = SentencePieceModel::Kind;
    const PieceKind kind = pieces.pieces[id].kind;
    if (kind != PieceKind::normal && kind != PieceKind::user_defined) hidden.push_back(id);
    // Found wherever they are: the reference gives them a score of almost nothing.
    if (kind == PieceKind::user_defined) model["vocab"][id][1] = -0.1;
  }
  model["hidden"] = std::move(hidden);
  Json rules = {{"type", "PlainText"},
                {"lower_case", made.settings.flag("do_lower_case", made.settings.recipe.lower_case)},
                {"unknown", made.settings.name("unk_token")},
                {"add_dummy_prefix", pieces.add_dummy_prefix},
                {"remove_extra_whitespaces", pieces.remove_extra_whitespaces},
                {"escape_whitespaces", pieces.escape_whitespaces}};
  if (!pieces.charsmap.empty()) rules["precompiled_charsmap"] = to_base64(pieces.charsmap);
  const std::string& where = made.document.where;
  std::vector<int32_t> unknown;
  const PlainText plain = PlainText::from_json(JsonField(rules, where));
  Unigram::from_json(JsonField(model, where)).encode(plain.normalized(plain.unknown()), unknown);
  rules["skip"] = unknown.size();
  json["pre_tokenizer"] = std::move(rules);
  json["decoder"] = {
      {"type", "Sequence"},
      {"decoders", Json::array({replace_step(kSpace, " "),
                                {{"type", "Fuse"}},
                                {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}})}};
}

/// A SentencePiece file whose class adds nothing of its own.
void apply_pieces_as_they_are(Assembly& made) {
  const SentencePieceModel& pieces = *made.pieces;
  Json& json = made.document.json;
  Json steps = Json::array();
  if (!pieces.charsmap.empty())
    steps.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", to_base64(pieces.charsmap)}});
  steps.push_back(replace_step(" ", kSpace));
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
  json["decoder"] = pieces.byte_fallback ? fallback_decoder(false) : replace_step(kSpace, " ");
  // A token of the config that has the id of another piece takes its place.
  Json& vocabulary = json["model"]["vocab"];
  if (!vocabulary.is_object()) return;
  for (const auto& [id, token] : made.settings.decoder) {
    const std::string content = token["content"];
    if (std::cmp_greater_equal(id, pieces.pieces.size()) || vocabulary.contains(content)) continue;
    vocabulary.erase(pieces.pieces[static_cast<size_t>(id)].text);
    vocabulary[content] = id;
  }
}

/// The names that a SentencePiece file gives its special tokens, where the config gives none.
void take_names_of(const SentencePieceModel& pieces, TokenSettings& settings) {
  const std::pair<const char*, const std::string*> names[] = {
      {pieces.bos_id >= 0 ? "bos_token" : nullptr, &pieces.bos_piece},
      {pieces.eos_id >= 0 ? "eos_token" : nullptr, &pieces.eos_piece},
      {pieces.unk_id >= 0 ? "unk_token" : nullptr, &pieces.unk_piece}};
  for (const auto& [key, text] : names)
    if (key != nullptr && !settings.config.contains(key) && !text->empty()) settings.config[key] = *text;
}

void read_pieces(Assembly& made, const std::string& name, const std::string& bytes) {
  made.document.where = name;
  made.pieces = SentencePieceModel::parse(bytes, name);
  // The classes that rebuild a tokenizer are BPE classes, whatever the file was trained as.
  const Kind kind = made.settings.recipe.kind;
  const bool as_bpe = kind != Kind::as_is && kind != Kind::plain_text;
  const bool unigram = made.pieces->algorithm == SentencePieceModel::Algorithm::unigram;
  made.document.json["model"] =
      unigram && !as_bpe ? unigram_model_of(*made.pieces) : bpe_model_of(*made.pieces);
}

/// Finds the vocabulary and brings it into the form of tokenizer.json.
void read_vocabulary(Assembly& made, const ModelFiles& files) {
  if (made.settings.recipe.kind == Kind::plain_text) {
    if (const auto bytes = files.find("spiece.model", limits::kSentencePieceBytes)) {
      read_pieces(made, files.where("spiece.model"), *bytes);
      return;
    }
    made.settings.recipe.kind = Kind::as_is;  // converted beforehand: its stages are in tokenizer.json
  }
  if (const auto text = files.find("tokenizer.json", limits::kTokenizerBytes)) {
    made.document.where = files.where("tokenizer.json");
    made.document.json = parse_json(*text, made.document.where, {.max_bytes = limits::kTokenizerBytes});
    JsonField(made.document.json, made.document.where).expect_object();
    return;
  }
  if (const auto bytes = files.find("tokenizer.model", limits::kSentencePieceBytes)) {
    read_pieces(made, files.where("tokenizer.model"), *bytes);
    return;
  }
  throw Error(ErrorCode::not_found, {.where = files.path().string(),
                                     .got = "no tokenizer",
                                     .expected = "tokenizer.json or tokenizer.model"});
}

/// The tokens of a vocabulary file itself: tokenizer.json's list, SentencePiece's control and user pieces.
std::vector<Json> tokens_of_pieces(const SentencePieceModel& pieces) {
  std::vector<Json> tokens;
  for (const SentencePieceModel::Piece& piece : pieces.pieces) {
    const bool control = piece.kind == SentencePieceModel::Kind::control;
    if (control || piece.kind == SentencePieceModel::Kind::user_defined)
      tokens.push_back({{"content", piece.text}, {"special", control}, {"normalized", false}});
  }
  return tokens;
}

void list_added_tokens(Assembly& made) {
  TokenSettings& settings = made.settings;
  Json& json = made.document.json;
  const JsonField field(json, made.document.where);
  AddedTokenList added(field.at("model"));
  const bool from_json = !made.pieces;
  const bool keeps_list = from_json && settings.recipe.kind == Kind::as_is;
  if (const auto list = field.find("added_tokens"); list && from_json) {
    for (size_t i = 0; i < list->size(); ++i) {
      const JsonField entry = list->at(i);
      const std::string& content = entry.at("content").string();
      const int64_t id = entry.at("id").integer(0, limits::kConfigVocabulary);
      if (keeps_list && added.contains(content)) entry.at("content").fail("a text that comes once");
      if (keeps_list) added.add_with_id(entry.value(), id);
      if (!settings.has_decoder) settings.decoder[id] = entry.value();
    }
  }
  const auto named = settings.named();
  const auto is_named = [&](const std::string& content) {
    for (const auto& [key, token] : named)
      if (token["content"] == content) return true;
    return false;
  };
  const auto add = [&](Json token) {
    token.erase("id");
    if (is_named(token["content"])) token["special"] = true;
    added.add(std::move(token));
  };
  for (const auto& [id, token] : settings.decoder) add(token);
  for (const auto& [key, token] : named)
    if (!added.contains(token["content"])) add(token);
  auto extra = settings.extra();
  if (made.pieces && settings.recipe.kind != Kind::plain_text &&
      !settings.config.contains("extra_special_tokens"))
    extra = tokens_of_pieces(*made.pieces);
  for (const Json& token : extra.value_or(std::vector<Json>()))
    if (!added.contains(token["content"])) add(token);
  json["added_tokens"] = added.list();
}

/// What goes around a text: tokenizer.json says it in its post-processor; without one, the config's flags do.
void set_post_processor(Assembly& made) {
  if (!made.pieces) return;
  const TokenSettings& settings = made.settings;
  Json single = Json::array();
  Json tokens = Json::object();
  const auto add = [&](bool wanted, const char* key) {
    const std::string text = settings.name(key);
    if (!wanted || text.empty()) return;
    for (const Json& token : made.document.json["added_tokens"])
      if (token["content"] == text) tokens[text] = {{"ids", Json::array({token["id"]})}};
    single.push_back({{"SpecialToken", {{"id", text}}}});
  };
  const bool plain = settings.recipe.kind == Kind::plain_text;
  add(!plain && settings.flag("add_bos_token", false), "bos_token");
  single.push_back({{"Sequence", {{"id", "A"}}}});
  add(plain || settings.flag("add_eos_token", false), "eos_token");
  made.document.json["post_processor"] = {
      {"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", tokens}};
}

bool is_left(const TokenSettings& settings, const std::string& key, bool fallback) {
  const auto side = JsonField(settings.config, settings.where).find(key);
  if (!side) return fallback;
  if (side->string() != "left" && side->string() != "right") side->fail("left or right");
  return side->string() == "left";
}

}  // namespace

TokenSettings read_named_settings(const ModelFiles& files) {
  TokenSettings settings = read_token_settings(files);
  if (settings.recipe.kind != Kind::as_is) return settings;
  const std::string name = "tokenizer.model";
  const auto bytes = files.find(name, limits::kSentencePieceBytes);
  if (bytes && !files.find("tokenizer.json", limits::kTokenizerBytes))
    take_names_of(SentencePieceModel::parse(*bytes, files.where(name)), settings);
  return settings;
}

TokenizerDocument read_tokenizer_document(const ModelFiles& files) {
  Assembly made{read_token_settings(files), {}, {}};
  read_vocabulary(made, files);
  if (made.pieces && made.settings.recipe.kind == Kind::as_is) take_names_of(*made.pieces, made.settings);
  switch (made.settings.recipe.kind) {
    case Kind::as_is:
      if (made.pieces) apply_pieces_as_they_are(made);
      break;
    case Kind::metaspace:
      apply_metaspace(made);
      break;
    case Kind::bytes:
      apply_bytes(made);
      break;
    case Kind::spaces:
      apply_spaces(made);
      break;
    case Kind::plain_text:
      apply_plain_text(made);
      break;
  }
  list_added_tokens(made);
  set_post_processor(made);
  made.document.padding = {made.settings.name("pad_token"),
                           is_left(made.settings, "padding_side", made.settings.recipe.pad_left),
                           is_left(made.settings, "truncation_side", false)};
  return std::move(made.document);
}

}  // namespace galago
