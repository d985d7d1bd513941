// See the header.
#include "hub/local.h"

#include <set>
#include <vector>

#include "core/limits.h"
#include "formats/json.h"
#include "galago/error.h"
#include "hub/selection.h"
#include "io/files.h"

namespace galago::hub {
namespace fs = std::filesystem;
namespace {

constexpr int kDepth = 4;
constexpr size_t kMostPaths = 10'000;

std::vector<std::string> paths_in(const fs::path& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at.depth() >= kDepth) at.disable_recursion_pending();
    std::error_code ignored;
    if (fs::is_regular_file(at->path(), ignored))
      paths.push_back(at->path().lexically_relative(folder).string());
    if (paths.size() == kMostPaths) break;
  }
  return paths;
}

/// Whether every shard that the index names is there.
bool has_shards(const fs::path& folder, const std::set<std::string>& names) {
  const fs::path index = folder / "model.safetensors.index.json";
  try {
    const Json json = parse_json(read_text_file(index, limits::kConfigBytes), index.string());
    const auto map = json.find("weight_map");
    if (map == json.end() || !map->is_object()) return false;
    for (const auto& shard : *map)
      if (!shard.is_string() || !names.contains(shard.get_ref<const std::string&>())) return false;
    return true;
  } catch (const Error&) {
    return false;  // the loader tells what is wrong with it
  }
}

bool is_whole_directory(const fs::path& folder, const std::set<std::string>& names) {
  if (names.contains("adapter_config.json") && names.contains("adapter_model.safetensors")) return true;
  const bool weights = names.contains("model.safetensors") || has_shards(folder, names);
  const bool words =
      names.contains("tokenizer.json") || names.contains("tokenizer.model") || names.contains("spiece.model");
  return names.contains("config.json") && weights && words;
}

}  // namespace

std::optional<fs::path> loadable(const fs::path& snapshot, const std::string& wanted) {
  const std::vector<std::string> paths = paths_in(snapshot);
  if (wanted.empty() && is_whole_directory(snapshot, {paths.begin(), paths.end()})) return snapshot;
  const auto gguf = choose_gguf(paths, wanted);
  if (!gguf || !has_all_parts(*gguf)) return {};
  return snapshot / gguf->model;
}

}  // namespace galago::hub
