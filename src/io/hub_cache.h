// Where Hugging Face's tools keep the models that they downloaded. In: a name such as ORG/NAME, the
// environment. Out: the folder of its snapshot. Layout: huggingface_hub's cache,
// models--ORG--NAME/{refs,snapshots}. Nothing is downloaded.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace galago {

/// A model's name on the hub: ORG/NAME, ORG/NAME@REVISION, and of a repository of GGUF files
/// ORG/NAME:Q4_K_M with the file that is meant.
struct HubName {
  std::string organisation, name;
  std::string revision;  ///< a branch, a tag or a commit; "main" when none is said
  std::string file;      ///< what stands behind the colon; may be empty

  std::string repository() const { return organisation + "/" + name; }
};
/// Nothing for a text that is no such name.
std::optional<HubName> parse_hub_name(std::string_view text);
bool is_hub_name(std::string_view text);

/// The cache's folder: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or
/// ~/.cache/huggingface/hub; a leading ~ and $NAME in them are expanded.
std::filesystem::path hub_cache();

/// The folder of a repository in a cache: models--ORG--NAME.
std::filesystem::path hub_repository(const std::filesystem::path& cache, const HubName& name);

/// Where Hugging Face's tools keep what is theirs: HF_HOME, XDG_CACHE_HOME/huggingface or
/// ~/.cache/huggingface.
std::filesystem::path hub_home();
/// A leading ~, $NAME and ${NAME} become what they stand for, as Python's expanduser and expandvars have it;
/// what is not set stays.
std::filesystem::path expanded_path(std::string text);

/// The snapshot of that name and revision ("main" when none is said): one that a ref names, a commit, or the
/// only one that is there. Nothing when it is not in the cache, or for a text that is_hub_name refuses.
std::optional<std::filesystem::path> find_in_hub_cache(std::string_view name);
std::optional<std::filesystem::path> find_in_hub_cache(const HubName& name,
                                                       const std::filesystem::path& cache);

}  // namespace galago
