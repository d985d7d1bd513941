// Finds the two files, and hands out the generated texts.
#include "models/gguf_files.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "galago/error.h"
#include "models/gguf_parts.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

constexpr const char* kImageToken = "<image>";

bool named_gguf(const fs::path& path) { return path.extension() == ".gguf"; }

/// Regular .gguf files of a directory, by name.
std::vector<fs::path> gguf_files_in(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (named_gguf(it->path()) && it->is_regular_file(ignored)) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool has_mmproj_name(const fs::path& file) {
  return file.filename().string().find("mmproj") != std::string::npos;
}

[[noreturn]] void refuse_choice(const fs::path& path, const std::vector<fs::path>& files,
                                const std::string& expected) {
  std::string got;
  for (const fs::path& file : files) got += (got.empty() ? "" : ", ") + file.filename().string();
  throw Error(ErrorCode::usage, {.where = path.string(), .got = got, .expected = expected});
}

/// The text file that a path means.
fs::path text_file(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  std::vector<fs::path> texts;
  for (const fs::path& file : gguf_files_in(path))
    if (!has_mmproj_name(file)) texts.push_back(file);
  if (texts.empty())
    throw Error(
        ErrorCode::not_found,
        {.where = path.string(), .got = "no text model", .expected = "a .gguf file beside the mmproj"});
  if (texts.size() > 1) refuse_choice(path, texts, "one .gguf file with a text model: name it");
  return texts.front();
}

/// Whether a vision file gives rows of the text model's width, and its vocabulary has a place for them.
bool fits(const GgufFile& vision, const GgufFile& text) {
  const auto width = text.find(gguf_architecture(text) + ".embedding_length");
  if (!width || gguf_architecture(vision) != "clip" || !gguf_token_id(text, kImageToken)) return false;
  const int64_t columns = width->integer(1, limits::kConfigWidth);
  // SigLIP files of older converters say 0: their projector's last layer tells.
  for (const char* last : {"mm.model.fc.weight", "mm.2.weight"})
    if (const GgufTensor* tensor = vision.tensor(last); tensor && tensor->shape.size() == 2)
      return tensor->shape[0] == columns;
  return false;
}

std::optional<GgufFile> vision_file(const GgufFile& text) {
  std::vector<fs::path> candidates;
  const fs::path parent = text.path().parent_path();
  for (const fs::path& file : gguf_files_in(parent.empty() ? fs::path(".") : parent))
    if (has_mmproj_name(file) && fits(GgufFile(file), text)) candidates.push_back(file);
  if (candidates.size() > 1)
    refuse_choice(text.path(), candidates, "one mmproj file that fits beside the text model");
  if (candidates.empty()) return std::nullopt;
  return GgufFile(candidates.front());
}

GgufFile open_text(const fs::path& path) {
  GgufFile text(text_file(path));
  if (gguf_architecture(text) == "clip")
    throw Error(ErrorCode::model_invalid, {.where = text.path().string(),
                                           .got = "a vision file (mmproj)",
                                           .expected = "the text model's file",
                                           .hint = "the mmproj beside it is found by itself"});
  if (const auto parts = text.find("split.count"); parts && parts->integer(0, limits::kShards) > 1)
    throw Error(ErrorCode::model_unsupported, {.where = parts->where(),
                                               .got = "a file in several parts",
                                               .expected = "one file",
                                               .hint = "join them with llama-gguf-split --merge"});
  return text;
}

/// JSON has no way to write bytes that are not UTF-8.
std::string text_of(const Json& json, const std::string& where) {
  try {
    return json.dump();
  } catch (const Json::type_error&) {
    throw Error(ErrorCode::model_invalid,
                {.where = where, .got = "bytes that are not UTF-8 in the metadata"});
  }
}

}  // namespace

GgufFiles::GgufFiles(fs::path path) : path_(std::move(path)) {
  GgufFile text = open_text(path_);
  auto vision = vision_file(text);
  pair_ = std::make_shared<const GgufPair>(GgufPair{std::move(text), std::move(vision)});
}

std::optional<std::string> GgufFiles::find(const std::string& name, int64_t limit) const {
  Json json;
  if (name == "config.json") {
    json = gguf_config(*pair_);
  } else if (name == "generation_config.json") {
    json = gguf_generation_config(pair_->text);
  } else if (name == "tokenizer.json") {
    json = gguf_tokenizer(pair_->text);
  } else if (name == "tokenizer_config.json") {
    json = gguf_tokenizer_config(pair_->text);
  } else if (pair_->vision && name == "preprocessor_config.json") {
    json = gguf_preprocessor_config(*pair_);
  } else if (pair_->vision && name == "processor_config.json") {
    json = gguf_processor_config(*pair_);
  } else {
    return std::nullopt;
  }
  std::string text = text_of(json, where(name));
  if (std::cmp_greater(text.size(), limit))
    throw Error(ErrorCode::input_too_large, {.where = where(name),
                                             .got = std::to_string(text.size()) + " bytes",
                                             .expected = "at most " + std::to_string(limit)});
  return text;
}

std::string GgufFiles::where(const std::string& name) const {
  const bool image = pair_->vision && (name == "preprocessor_config.json" || name == "processor_config.json");
  return (image ? pair_->vision->path() : pair_->text.path()).string() + " as " + name;
}

Checkpoint GgufFiles::checkpoint() const { return gguf_checkpoint(*pair_, TensorData::read); }
Checkpoint GgufFiles::outline() const { return gguf_checkpoint(*pair_, TensorData::leave); }

bool is_gguf_model(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return named_gguf(path);
  return !fs::exists(path / "config.json", error) && !gguf_files_in(path).empty();
}

}  // namespace galago
