// special_tokens_map.json and added_tokens.json count only where tokenizer_config.json has no
// added_tokens_decoder, which later versions write instead of both.
#include "text/tokenizer/token_settings.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "text/tokenizer/vocabulary.h"

namespace galago {
namespace {

/// The order in which the reference asks for them.
constexpr std::array<const char*, 7> kNamed = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};

bool is_standard(const std::string& key) {
  return std::find(kNamed.begin(), kNamed.end(), key) != kNamed.end();
}

/// The object of a JSON file; an empty one when there is no such file.
Json object_of(const ModelFiles& files, const std::string& name) {
  const auto text = files.find(name, limits::kConfigBytes);
  if (!text) return Json::object();
  Json document = parse_json(*text, files.where(name));
  JsonField(document, files.where(name)).expect_object();
  return document;
}

/// A token as an object. `special` where the value itself does not say.
Json token_of(const JsonField& field, bool special) {
  Json token = {{"special", special}};
  if (field.value().is_string()) {
    token["content"] = field.string();
  } else {
    token["content"] = field.at("content").string();
    for (const char* flag : {"special", "normalized", "lstrip", "rstrip", "single_word"})
      if (const auto set = field.find(flag)) token[flag] = set->boolean();
  }
  return token;
}

/// Whether a value counts as true in Python.
bool holds_something(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && !found->is_null() && !found->empty();
}

/// Two names of one list: the older one is taken where the newer one has nothing.
void rename_additional(Json& config) {
  if (!config.contains("additional_special_tokens") || holds_something(config, "extra_special_tokens"))
    return;
  config["extra_special_tokens"] = config["additional_special_tokens"];
  config.erase("additional_special_tokens");
}

void merge_special_tokens_map(Json& config, const ModelFiles& files) {
  const Json map = object_of(files, "special_tokens_map.json");
  for (const auto& [key, value] : map.items()) {
    Json& mine = config[key];
    if (key == "extra_special_tokens" && value.is_array() && mine.is_array()) {
      for (const Json& token : value)
        if (std::find(mine.begin(), mine.end(), token) == mine.end()) mine.push_back(token);
      continue;
    }
    mine = value;
    if (value.is_object() && key != "extra_special_tokens") mine["special"] = true;
  }
}

int64_t id_of_key(const JsonField& field, const std::string& key) {
  int64_t id = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size() || id < 0 || id > kMaxTokenId)
    field.fail("keys that are ids of 0 to " + std::to_string(kMaxTokenId));
  return id;
}

void read_decoder(TokenSettings& settings, const JsonField& field) {
  field.expect_object();
  for (const auto& [key, value] : field.value().items()) {
    const JsonField entry = field.at(key);
    if (!value.is_object()) entry.fail("an object with \"content\"");
    settings.decoder[id_of_key(field, key)] = token_of(entry, false);
  }
}

/// added_tokens.json: texts and ids; those that a key names as special are special.
void read_added_tokens_file(TokenSettings& settings, const ModelFiles& files) {
  const std::string where = files.where("added_tokens.json");
  const Json document = object_of(files, "added_tokens.json");
  const JsonField field(document, where);
  std::vector<std::string> special;
  for (const auto& [key, token] : settings.named())
    if (is_standard(key)) special.push_back(token["content"]);
  for (const Json& token : settings.extra().value_or(std::vector<Json>()))
    special.push_back(token["content"]);
  for (const auto& [content, value] : document.items()) {
    const int64_t id = field.at(content).integer(0, kMaxTokenId);
    const bool is_special = std::find(special.begin(), special.end(), content) != special.end();
    settings.decoder[id] = {{"content", content}, {"special", is_special}, {"normalized", !is_special}};
  }
}

std::string text_or_empty(const Json& object, const std::string& key, const std::string& where) {
  const auto field = JsonField(object, where).find(key);
  return field ? field->string() : std::string();
}

}  // namespace

std::vector<std::pair<std::string, Json>> TokenSettings::named() const {
  std::vector<std::pair<std::string, Json>> tokens;
  const JsonField field(config, where);
  const bool strips = recipe.kind == TokenizerRecipe::Kind::plain_text;
  const auto token_named_by_class = [&](const std::string& text) {
    return Json{{"content", text}, {"special", true}, {"lstrip", strips}, {"rstrip", strips}};
  };
  for (const char* key : kNamed) {
    if (const auto token = field.find(key)) {
      const bool text = token->value().is_string();
      tokens.emplace_back(key, text ? token_named_by_class(token->string()) : token_of(*token, true));
      tokens.back().second["special"] = true;
    }
    if (config.contains(key)) continue;  // null: none, whatever the class would name
    for (const auto& [name, text] : recipe.names)
      if (name == key) tokens.emplace_back(key, token_named_by_class(text));
  }
  const auto add_own = [&](const std::string& key, const JsonField& value) {
    tokens.emplace_back(key, token_of(value, true));
    tokens.back().second["special"] = true;
  };
  for (const auto& [key, value] : config.items())
    if (key.ends_with("_token") && !is_standard(key) &&
        (value.is_string() || (value.is_object() && value.contains("content"))))
      add_own(key, field.at(key));
  if (const auto own = field.find("extra_special_tokens"); own && own->value().is_object())
    for (const auto& [key, value] : own->value().items()) add_own(key, own->at(key));
  return tokens;
}

std::optional<std::vector<Json>> TokenSettings::extra() const {
  const bool newer = config.contains("extra_special_tokens");
  if (!newer && !config.contains("additional_special_tokens")) return std::nullopt;
  std::vector<Json> tokens;
  const auto list =
      JsonField(config, where).find(newer ? "extra_special_tokens" : "additional_special_tokens");
  if (!list || list->value().is_object()) return tokens;
  for (size_t i = 0; i < list->size(); ++i) {
    const JsonField token = list->at(i);
    tokens.push_back(token_of(token, token.value().is_string()));
  }
  return tokens;
}

std::string TokenSettings::name(const std::string& key) const {
  for (const auto& [name, token] : named())
    if (name == key) return token["content"];
  return {};
}

bool TokenSettings::flag(const std::string& key, bool fallback) const {
  const auto field = JsonField(config, where).find(key);
  return field ? field->boolean() : fallback;
}

TokenSettings read_token_settings(const ModelFiles& files) {
  TokenSettings settings;
  settings.where = files.where("tokenizer_config.json");
  settings.config = object_of(files, "tokenizer_config.json");
  const Json model = object_of(files, "config.json");
  const std::string model_where = files.where("config.json");
  std::string named = text_or_empty(settings.config, "tokenizer_class", settings.where);
  if (named.empty()) named = text_or_empty(model, "tokenizer_class", model_where);
  settings.recipe = tokenizer_recipe(named, text_or_empty(model, "model_type", model_where));
  rename_additional(settings.config);
  const JsonField field(settings.config, settings.where);
  settings.has_decoder = settings.config.contains("added_tokens_decoder");
  if (settings.has_decoder) {
    if (const auto decoder = field.find("added_tokens_decoder")) read_decoder(settings, *decoder);
  } else {
    merge_special_tokens_map(settings.config, files);
    read_added_tokens_file(settings, files);
  }
  return settings;
}

}  // namespace galago
