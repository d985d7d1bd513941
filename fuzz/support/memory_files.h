// A model's texts held in memory, for targets that need a directory's files and no weights.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "formats/model_files.h"
#include "galago/error.h"

namespace galago::fuzz {

/// As a directory that holds these files.
class MemoryFiles final : public ModelFiles {
 public:
  explicit MemoryFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}

  const std::filesystem::path& path() const override { return path_; }
  std::optional<std::string> find(const std::string& name, int64_t limit) const override {
    const auto found = files_.find(name);
    if (found == files_.end()) return std::nullopt;
    if (static_cast<int64_t>(found->second.size()) > limit)
      throw Error(ErrorCode::input_too_large, {.where = where(name)});
    return found->second;
  }
  std::string where(const std::string& name) const override { return "fuzz/" + name; }
  Checkpoint checkpoint() const override { return {}; }

 private:
  std::filesystem::path path_ = "fuzz";
  std::map<std::string, std::string> files_;
};

}  // namespace galago::fuzz
