// Finds the two files, and hands out the generated texts.
#include "models/gguf/files.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/words.h"
#include "galago/error.h"
#include "models/gguf/parts.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

constexpr const char* kImageToken = "<image>";

bool named_gguf(const fs::path& path) { return lower_ascii(path.extension().string()) == ".gguf"; }
bool named_mmproj(const fs::path& path) {
  return lower_ascii(path.filename().string()).find("mmproj") != std::string::npos;
}

/// Regular .gguf files of a directory, by name; of a file in parts the first that is there.
std::vector<fs::path> gguf_files_in(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (named_gguf(it->path()) && it->is_regular_file(ignored)) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  std::set<std::pair<std::string, int64_t>> seen;
  std::erase_if(found, [&](const fs::path& file) {
    const auto part = gguf_part_name(file);
    return part && !seen.emplace(part->stem, part->count).second;
  });
  return found;
}

/// A vision file of a directory, or one whose header cannot be read and whose name says that it is one.
struct Eyes {
  fs::path path;
  std::optional<GgufFile> file;
  std::string fault;  ///< of the header
};

/// What a .gguf file is, by its header; nothing for a file that is no vision file.
std::optional<Eyes> look_at(const fs::path& path) {
  try {
    GgufFile file(path);
    if (gguf_architecture(file) != "clip") return std::nullopt;
    return Eyes{path, std::move(file), ""};
  } catch (const Error& fault) {
    if (!named_mmproj(path)) return std::nullopt;
    return Eyes{path, std::nullopt, fault.what()};
  }
}

/// The text file that a path means.
fs::path text_file(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  std::vector<fs::path> texts;
  std::string names;
  for (const fs::path& file : gguf_files_in(path)) {
    if (look_at(file)) continue;
    names += (texts.empty() ? "" : ", ") + file.filename().string();
    texts.push_back(file);
  }
  if (texts.empty())
    throw Error(
        ErrorCode::not_found,
        {.where = path.string(), .got = "no text model", .expected = "a .gguf file beside the mmproj"});
  if (texts.size() > 1)
    throw Error(
        ErrorCode::usage,
        {.where = path.string(), .got = names, .expected = "one .gguf file with a text model: name it"});
  return texts.front();
}

/// The width of a vision file's rows; 0 where no projector that galago reads tells. SigLIP files of older
/// converters say 0 in their keys: the projector's last layer tells.
int64_t row_width(const GgufFile& vision) {
  for (const char* last : {"mm.model.fc.weight", "mm.2.weight"})
    if (const GgufTensor* tensor = vision.tensor(last); tensor && tensor->shape.size() == 2)
      return tensor->shape[0];
  return 0;
}

/// Why a vision file does not belong to a text model, or empty: its rows have the text model's width, the
/// vocabulary has a place for them, and together they make a config.json.
std::string misfit(const Eyes& eyes, const GgufFile& text) {
  if (!eyes.file) return eyes.fault;
  const std::string name = eyes.path.string();
  const int64_t width =
      text.at(gguf_architecture(text) + ".embedding_length").integer(1, limits::kConfigWidth);
  const int64_t rows = row_width(*eyes.file);
  if (rows == 0) return name + ": no projector that galago reads";
  if (rows != width)
    return name + ": its rows are " + std::to_string(rows) + " wide, the text model " + std::to_string(width);
  if (!gguf_token_id(text, kImageToken))
    return name + ": the text model's vocabulary has no " + std::string(kImageToken);
  try {
    gguf_config({text, eyes.file});
  } catch (const Error& fault) {
    return fault.what();
  }
  return "";
}

/// general.name, or empty: what a converter writes into both files of a model.
std::string model_name(const GgufFile& file) {
  try {
    const auto name = file.find("general.name");
    return name ? name->string() : "";
  } catch (const Error&) {
    return "";  // only a preference hangs on it
  }
}

bool same_model(const GgufFile& vision, const GgufFile& text) {
  const std::string name = model_name(text);
  return !name.empty() && name == model_name(vision);
}

/// Bits of one weight, in the type that most of a file's weights have.
double precision(const GgufFile& file) {
  std::map<GgmlType, int64_t> bytes;
  for (const auto& [name, tensor] : file.tensors()) bytes[tensor.type] += tensor.bytes;
  double bits = 0;
  double most = 0;
  for (const auto& [type, held] : bytes) {
    const GgmlBlock& block = ggml_block(type);
    const double each = 8.0 * static_cast<double>(block.bytes) / static_cast<double>(block.elements);
    const double weights = static_cast<double>(held) / each;
    if (weights <= most) continue;
    most = weights;
    bits = each;
  }
  return bits;
}

struct Choice {
  std::optional<GgufFile> vision;
  std::string unusable;  ///< why vision files were passed over; empty where one was taken
};

/// The vision file beside a text file: of those that fit the one of the text's general.name, then of the
/// highest precision, then the first by name.
Choice vision_file(const GgufFile& text) {
  Choice choice;
  std::pair<bool, double> best;
  const fs::path parent = text.path().parent_path();
  const fs::path folder = parent.empty() ? fs::path(".") : parent;
  for (const fs::path& file : gguf_files_in(folder)) {
    if (file.filename() == text.path().filename()) continue;
    const auto eyes = look_at(file);
    if (!eyes) continue;
    if (const std::string reason = misfit(*eyes, text); !reason.empty()) {
      choice.unusable += (choice.unusable.empty() ? "not used: " : "; ") + reason;
      continue;
    }
    const std::pair rank(same_model(*eyes->file, text), precision(*eyes->file));
    if (choice.vision && rank <= best) continue;
    choice.vision = eyes->file;
    best = rank;
  }
  if (choice.vision)
    choice.unusable.clear();
  else if (choice.unusable.empty())
    choice.unusable = "no vision file (mmproj) among the .gguf files of " + folder.string();
  if (!choice.vision) choice.unusable += "; --mmproj FILE names one";
  return choice;
}

/// The vision file that the user names.
GgufFile named_vision(const fs::path& file, const GgufFile& text) {
  GgufFile vision(file);
  if (gguf_architecture(vision) != "clip")
    throw Error(ErrorCode::model_invalid, {.where = file.string(),
                                           .got = "general.architecture " + gguf_architecture(vision),
                                           .expected = "a vision file (mmproj): clip"});
  if (const std::string reason = misfit({file, vision, ""}, text); !reason.empty())
    throw Error(ErrorCode::model_invalid,
                {.where = reason, .got = {}, .expected = "a vision file that fits " + text.path().string()});
  return vision;
}

GgufFile open_text(const fs::path& path) {
  GgufFile text = GgufFile::open_parts(text_file(path));
  if (gguf_architecture(text) == "clip")
    throw Error(ErrorCode::model_invalid, {.where = text.path().string(),
                                           .got = "a vision file (mmproj)",
                                           .expected = "the text model's file",
                                           .hint = "the mmproj beside it is found by itself, and --mmproj "
                                                   "names another"});
  return text;
}

}  // namespace

GgufFiles::GgufFiles(fs::path path, const fs::path& mmproj) : path_(std::move(path)) {
  GgufFile text = open_text(path_);
  Choice choice = mmproj.empty() ? vision_file(text) : Choice{named_vision(mmproj, text), ""};
  unusable_ = std::move(choice.unusable);
  pair_ = std::make_shared<const GgufPair>(GgufPair{std::move(text), std::move(choice.vision)});
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
  std::string text = json.dump();
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

Checkpoint GgufFiles::checkpoint() const { return gguf_checkpoint(*pair_); }

bool is_gguf_model(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return named_gguf(path) || has_gguf_magic(path);
  return !fs::exists(path / "config.json", error) && !gguf_files_in(path).empty();
}

}  // namespace galago
