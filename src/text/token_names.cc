// Both files are read where they exist; what tokenizer_config.json says comes first.
// Reference: transformers 5.18 tokenization_utils_base.py.
#include "text/token_names.h"

#include "io/json.h"

namespace galago {
namespace {

/// A token given as a string or as an object with "content"; empty when absent.
std::string token_text(const JsonField& file, const std::string& key) {
  const auto field = file.find(key);
  if (!field) return {};
  return field->value().is_object() ? field->at("content").string() : field->string();
}

}  // namespace

TokenNames read_token_names(const ModelFiles& files) {
  TokenNames names;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const auto text = files.find(name, limits::kConfigBytes);
    if (!text) continue;
    const Json document = parse_json(*text, files.where(name));
    const JsonField file(document, files.where(name));
    if (names.bos.empty()) names.bos = token_text(file, "bos_token");
    if (names.eos.empty()) names.eos = token_text(file, "eos_token");
    if (const auto add = file.find("add_bos_token"); add && !names.add_bos) names.add_bos = add->boolean();
    if (const auto add = file.find("add_eos_token"); add && !names.add_eos) names.add_eos = add->boolean();
  }
  return names;
}

}  // namespace galago
