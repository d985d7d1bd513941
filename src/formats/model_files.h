// Where a model's texts and weights come from: a Hugging Face directory, or another container that can speak
// as one. In: a path. Out: the texts by their Hugging Face file names, and the checkpoint with Hugging Face
// tensor names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/safetensors/safetensors.h"

namespace galago {

/// A text, and how errors name where it is from.
struct NamedText {
  std::string text;
  std::string where;
};

/// The files of one model. Const and thread-safe.
class ModelFiles {
 public:
  virtual ~ModelFiles() = default;

  /// What the user named.
  virtual const std::filesystem::path& path() const = 0;
  /// The content of a file such as "config.json", or nothing when the model has none of that name.
  /// Error{input_too_large} when it is longer than `limit` bytes.
  virtual std::optional<std::string> find(const std::string& name, int64_t limit) const = 0;
  /// How errors name that file.
  virtual std::string where(const std::string& name) const = 0;
  /// The weights. Views live as long as the checkpoint or a copy of it; no number is looked at before it is
  /// asked for.
  virtual Checkpoint checkpoint() const = 0;

  /// What to tell who gives pictures to a model without a tower: why the tower beside it is not used. Empty
  /// where there is nothing to tell.
  virtual std::string why_no_pictures() const { return {}; }

  /// The chat template that the user gave in place of the model's own; nothing: none.
  virtual std::optional<NamedText> given_template() const { return std::nullopt; }

  /// What is done to the files' weights before they are used, a line each: for inspect.
  virtual std::vector<std::string> notes() const { return {}; }

  /// find(), or Error{not_found}.
  std::string read(const std::string& name, int64_t limit) const;
};

/// A directory in Hugging Face's layout.
class DirectoryFiles final : public ModelFiles {
 public:
  /// Error{not_found} when there is no such directory.
  explicit DirectoryFiles(std::filesystem::path directory);

  const std::filesystem::path& path() const override { return directory_; }
  std::optional<std::string> find(const std::string& name, int64_t limit) const override;
  std::string where(const std::string& name) const override { return (directory_ / name).string(); }
  /// Matrices that another tool has quantised are floats in it (formats/prequantised/prequantised.h).
  Checkpoint checkpoint() const override;
  std::vector<std::string> notes() const override;

 private:
  std::filesystem::path directory_;
};

}  // namespace galago
