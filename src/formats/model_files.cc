// A directory's files are read when they are asked for.
#include "formats/model_files.h"

#include <system_error>
#include <utility>

#include "core/limits.h"
#include "formats/json.h"
#include "formats/prequantised/prequantised.h"
#include "galago/error.h"
#include "io/files.h"

namespace galago {

std::string ModelFiles::read(const std::string& name, int64_t limit) const {
  if (auto text = find(name, limit)) return std::move(*text);
  throw Error(ErrorCode::not_found, {.where = where(name), .got = "no such file"});
}

DirectoryFiles::DirectoryFiles(std::filesystem::path directory) : directory_(std::move(directory)) {
  std::error_code error;
  if (std::filesystem::is_regular_file(directory_, error))
    throw Error(ErrorCode::model_invalid, {.where = directory_.string(),
                                           .got = "a file that is no GGUF",
                                           .expected = "a model directory, or a GGUF file"});
  if (!std::filesystem::is_directory(directory_, error))
    throw Error(ErrorCode::not_found, {.where = directory_.string(),
                                       .got = "no such directory",
                                       .expected = "a model directory",
                                       .hint = "models of the Hugging Face hub have two words, ORG/NAME"});
}

Checkpoint DirectoryFiles::checkpoint() const {
  Checkpoint checkpoint = Checkpoint::open_directory(directory_);
  if (const auto text = find("config.json", limits::kConfigBytes)) {
    const Json config = parse_json(*text, where("config.json"));
    unpack_prequantised(checkpoint, JsonField(config, where("config.json")));
  }
  return checkpoint;
}

std::vector<std::string> DirectoryFiles::notes() const {
  const auto text = find("config.json", limits::kConfigBytes);
  if (!text) return {};
  const Json config = parse_json(*text, where("config.json"));
  return quantization_notes(JsonField(config, where("config.json")));
}

std::optional<std::string> DirectoryFiles::find(const std::string& name, int64_t limit) const {
  return read_if_present(directory_ / name, limit);
}

}  // namespace galago
