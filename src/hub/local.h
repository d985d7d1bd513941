// What the cache holds of a model, told without a request. In: a snapshot's folder. Out: what of it can be
// loaded.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace galago::hub {

/// The folder itself when settings, all weights and a tokenizer are in it (or an adapter), else the GGUF file
/// that choose_gguf takes, with all its parts; nothing when something is missing. `wanted`: as in
/// select_files.
std::optional<std::filesystem::path> loadable(const std::filesystem::path& snapshot,
                                              const std::string& wanted);

}  // namespace galago::hub
