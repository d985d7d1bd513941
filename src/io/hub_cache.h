// Where Hugging Face's tools keep the models that they downloaded. In: a name such as ORG/NAME, the
// environment. Out: the folder of its snapshot. Layout: huggingface_hub's cache,
// models--ORG--NAME/{refs,snapshots}. Nothing is downloaded.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace galago {

/// Whether the text has the form of a model's name on the hub, ORG/NAME or ORG/NAME@REVISION.
bool is_hub_name(std::string_view text);

/// The cache's folder: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or
/// ~/.cache/huggingface/hub; a leading ~ and $NAME in them are expanded.
std::filesystem::path hub_cache();

/// The snapshot of that name and revision ("main" when none is said): one that a ref names, a commit, or the
/// only one that is there. Nothing when it is not in the cache, or for a text that is_hub_name refuses.
std::optional<std::filesystem::path> find_in_hub_cache(std::string_view name);

}  // namespace galago
