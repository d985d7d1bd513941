// See the header.
#include "hub/selection.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/printable.h"
#include "core/words.h"
#include "galago/error.h"

namespace galago::hub {
namespace {

constexpr std::string_view kSingle = "model.safetensors", kIndex = "model.safetensors.index.json";

std::string_view folder_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool contains(const std::vector<std::string>& paths, std::string_view path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// Whether the quantisation stands in the path as a word of its own; both in lower case.
bool names_quantisation(std::string_view path, std::string_view tag) {
  for (size_t at = path.find(tag); at != std::string_view::npos; at = path.find(tag, at + 1)) {
    const size_t end = at + tag.size();
    const bool begins = at == 0 || !is_letter_or_digit(path[at - 1]);
    if (begins && end < path.size() && (path[end] == '-' || path[end] == '.' || path[end] == '/'))
      return true;
  }
  return false;
}

/// "x-00002-of-00005.gguf": what stands before and behind the number of the part; empty for a whole file.
struct Part {
  std::string_view stem, rest;
};
Part part_of(std::string_view path) {
  constexpr std::string_view kForm = "-00001-of-00001.gguf";
  if (path.size() <= kForm.size()) return {};
  const std::string_view tail = path.substr(path.size() - kForm.size());
  for (size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = kForm[i] == '0' || kForm[i] == '1';
    if (digit ? tail[i] < '0' || tail[i] > '9' : tail[i] != kForm[i]) return {};
  }
  return {path.substr(0, path.size() - kForm.size()), tail.substr(6)};
}

bool is_first_or_whole(const std::string& path) {
  const Part part = part_of(path);
  return part.rest.empty() || std::string_view(path).substr(part.stem.size(), 6) == "-00001";
}

bool is_eyes(std::string_view path) { return lower_ascii(name_of(path)).find("mmproj") != std::string::npos; }

/// The vision file beside a model: half precision first, which is enough and half as large as F32.
std::string eyes_beside(const std::vector<std::string>& paths, std::string_view model) {
  std::vector<std::string> eyes;
  for (const std::string& path : paths)
    if (path.ends_with(".gguf") && is_eyes(path) && folder_of(path) == folder_of(model)) eyes.push_back(path);
  for (const std::string_view format : {"f16", "bf16", "q8_0", "f32"})
    for (const std::string& path : eyes)
      if (names_quantisation(lower_ascii(path), format)) return path;
  return eyes.empty() ? "" : eyes.front();
}

std::string all_gguf(const std::vector<std::string>& paths) {
  constexpr size_t kMost = 12;
  std::string text;
  size_t count = 0;
  for (const std::string& path : paths)
    if (path.ends_with(".gguf") && !is_eyes(path) && is_first_or_whole(path) && ++count <= kMost)
      text += (text.empty() ? "" : ", ") + printable(path);
  return text + (count > kMost ? " and " + std::to_string(count - kMost) + " more" : "");
}

/// Settings, tokenizer and templates, by the names that galago and transformers know.
bool is_setting(std::string_view path) {
  if (path.starts_with("additional_chat_templates/")) return path.ends_with(".jinja");
  if (path.find('/') != std::string_view::npos) return false;
  constexpr std::array<std::string_view, 11> kNames = {"config.json",
                                                       "tokenizer.json",
                                                       "tokenizer.model",
                                                       "special_tokens_map.json",
                                                       "added_tokens.json",
                                                       "vocab.json",
                                                       "vocab.txt",
                                                       "merges.txt",
                                                       "chat_template.json",
                                                       "spiece.model",
                                                       "sentencepiece.bpe.model"};
  return std::find(kNames.begin(), kNames.end(), path) != kNames.end() || path.ends_with("_config.json") ||
         path.ends_with(".jinja");
}

/// The safetensors that transformers loads: one file before shards, shards before anything else.
std::vector<std::string> weights_of(const std::vector<std::string>& paths) {
  if (contains(paths, kSingle)) return {std::string(kSingle)};
  const bool sharded = contains(paths, kIndex);
  std::vector<std::string> weights;
  for (const std::string& path : paths)
    if (path.find('/') == std::string::npos && path.ends_with(".safetensors") &&
        !(sharded && path.starts_with("consolidated")))
      weights.push_back(path);
  if (sharded && !weights.empty()) weights.emplace_back(kIndex);
  return weights;
}

bool fits_any(const std::string& path, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return fits_pattern(path, pattern); });
}

Selection by_pattern(const std::vector<std::string>& paths, const PullOptions& options,
                     const std::string& where) {
  Selection selection;
  for (const std::string& path : paths)
    if (options.include.empty() || fits_any(path, options.include)) selection.paths.push_back(path);
  if (selection.paths.empty() && !paths.empty())
    throw Error(ErrorCode::not_found, {.where = where,
                                       .got = "no file that fits " + in_quotes(options.include.front()),
                                       .expected = "a pattern such as *.json"});
  return selection;
}

Selection needed(const std::vector<std::string>& paths, const std::string& wanted, const std::string& where) {
  Selection selection;
  std::vector<std::string> weights;
  if (wanted.empty()) weights = weights_of(paths);
  if (weights.empty()) {
    const auto gguf = choose_gguf(paths, wanted);
    if (!gguf && !wanted.empty())
      throw Error(ErrorCode::not_found, {.where = where,
                                         .got = "no GGUF file " + in_quotes(wanted),
                                         .expected = all_gguf(paths).empty() ? "a repository of GGUF files"
                                                                             : "one of " + all_gguf(paths)});
    if (!gguf)
      throw Error(
          ErrorCode::model_unsupported,
          {.where = where,
           .got = contains(paths, "pytorch_model.bin") ? "weights in pytorch_model.bin alone"
                                                       : "no weights that galago reads",
           .expected = "safetensors or GGUF",
           .hint = "look for a revision such as @refs/pr/1 that has them; --all fetches what there is"});
    weights = gguf->files;
    selection.model = gguf->model;
  }
  selection.paths = std::move(weights);
  for (const std::string& path : paths)
    if (is_setting(path)) selection.paths.push_back(path);
  return selection;
}

}  // namespace

bool fits_pattern(const std::string& path, std::string pattern) {
  if (pattern.ends_with('/')) pattern += '*';
  return ::fnmatch(pattern.c_str(), path.c_str(), FNM_NOESCAPE) == 0;
}

std::optional<GgufChoice> choose_gguf(const std::vector<std::string>& paths, std::string_view wanted) {
  std::vector<std::string> models;
  for (const std::string& path : paths)
    if (path.ends_with(".gguf") && !is_eyes(path) && is_first_or_whole(path) &&
        lower_ascii(path).find("imatrix") == std::string::npos)
      models.push_back(path);
  std::sort(models.begin(), models.end());
  const std::string tag = lower_ascii(wanted);
  std::vector<std::string_view> tags{tag};
  if (tag.empty()) tags = {"q4_k_m", "q8_0"};
  const std::string* chosen = nullptr;
  for (const std::string_view one : tags)
    for (const std::string& path : models)
      if (!chosen && (lower_ascii(name_of(path)) == one || names_quantisation(lower_ascii(path), one)))
        chosen = &path;
  if (!chosen && tag.empty() && !models.empty()) chosen = &models.front();
  if (!chosen) return {};
  GgufChoice choice{.model = *chosen, .files = {*chosen}};
  const Part first = part_of(*chosen);
  for (const std::string& path : paths) {
    const Part part = part_of(path);
    if (!part.rest.empty() && part.stem == first.stem && part.rest == first.rest && path != *chosen)
      choice.files.push_back(path);
  }
  if (std::string eyes = eyes_beside(paths, *chosen); !eyes.empty()) choice.files.push_back(std::move(eyes));
  return choice;
}

bool has_all_parts(const GgufChoice& choice) {
  const Part first = part_of(choice.model);
  if (first.rest.empty()) return true;
  int64_t count = 0;
  std::from_chars(first.rest.data() + 4, first.rest.data() + 9, count);  // "-of-00005.gguf"
  return std::count_if(choice.files.begin(), choice.files.end(),
                       [](const std::string& path) { return !is_eyes(path); }) == count;
}

Selection select_files(const std::vector<std::string>& paths, const std::string& wanted,
                       const PullOptions& options, const std::string& where) {
  const bool patterns = options.all || !options.include.empty();
  Selection selection = patterns ? by_pattern(paths, options, where) : needed(paths, wanted, where);
  if (patterns && !wanted.empty())
    if (const auto gguf = choose_gguf(selection.paths, wanted)) selection.model = gguf->model;
  std::erase_if(selection.paths, [&](const std::string& path) { return fits_any(path, options.exclude); });
  if (!contains(selection.paths, selection.model)) selection.model.clear();
  std::sort(selection.paths.begin(), selection.paths.end());
  selection.paths.erase(std::unique(selection.paths.begin(), selection.paths.end()), selection.paths.end());
  return selection;
}

}  // namespace galago::hub
