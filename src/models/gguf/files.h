// A model in llama.cpp's files: a text GGUF, and an mmproj GGUF for its eyes. In: a path. Out: the same texts
// (config.json, tokenizer.json, ...) and tensor names that a Hugging Face directory of the model has, made
// from the metadata, so that everything behind ModelFiles is one path. Reference: llama.cpp's converter
// (conversion/*.py, gguf-py) and the spelling of transformers' config classes.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "formats/gguf/gguf.h"
#include "formats/model_files.h"

namespace galago {

/// The two files of one model. The vision file is absent for a text model.
struct GgufPair {
  GgufFile text;
  std::optional<GgufFile> vision;
};

/// ModelFiles out of GGUF. Matrices of Q8_0, Q4_0 and Q4_1 are q8 and q4 in blocks, other blocks float32;
/// what is F32, F16, BF16, q8 or q4 stays in the file's map, unless its rows are in another order than
/// transformers'.
class GgufFiles final : public ModelFiles {
 public:
  /// `path`: the text file, one of its parts, or a directory that holds it. `mmproj`: the vision file; one
  /// that does not fit is Error{model_invalid}. Empty: of the vision files beside the text file
  /// (general.architecture "clip") that fit, the best is taken; one that does not fit or cannot be read
  /// counts for nothing. Error{not_found}, Error{usage} where it is not clear which text file is meant, and
  /// the errors of GgufFile.
  explicit GgufFiles(std::filesystem::path path, const std::filesystem::path& mmproj = {});

  const std::filesystem::path& path() const override { return path_; }
  std::optional<std::string> find(const std::string& name, int64_t limit) const override;
  std::string where(const std::string& name) const override;
  Checkpoint checkpoint() const override;
  std::string why_no_pictures() const override { return unusable_; }

 private:
  std::filesystem::path path_;
  std::shared_ptr<const GgufPair> pair_;
  std::string unusable_;
};

/// Whether open_model should read a path as GGUF: a file that is named .gguf or begins as one (those of
/// ollama have no extension), or a directory with .gguf files that is no Hugging Face directory (no
/// config.json).
bool is_gguf_model(const std::filesystem::path& path);

}  // namespace galago
