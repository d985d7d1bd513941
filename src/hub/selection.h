// Which files of a repository galago needs. In: the paths of all of them. Out: those that are fetched, and
// what of them is loaded. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/hub.h"

namespace galago::hub {

struct Selection {
  std::vector<std::string> paths;  ///< sorted
  std::string model;               ///< the GGUF file to load; empty: the folder
};

/// A GGUF model of a repository that may have several.
struct GgufChoice {
  std::string model;               ///< its first part
  std::vector<std::string> files;  ///< all its parts, and the file with the eyes (mmproj) beside it
};
/// `wanted`: a quantisation such as Q4_K_M in any case, or a file's name; empty: Q4_K_M, Q8_0, or the first.
/// Nothing where there is none of that kind. Order and matching: llama.cpp's -hf.
std::optional<GgufChoice> choose_gguf(const std::vector<std::string>& paths, std::string_view wanted);
/// Whether its files are as many as their names say.
bool has_all_parts(const GgufChoice& choice);

/// Settings, tokenizer, templates and the safetensors that transformers would load, or the GGUF file that
/// `wanted` names; what the options' patterns say instead. `where` opens error texts. Error{not_found} where
/// nothing matches; Error{model_unsupported} for a repository without weights that galago reads.
Selection select_files(const std::vector<std::string>& paths, const std::string& wanted,
                       const PullOptions& options, const std::string& where);

/// Whether a path fits a pattern as Python's fnmatch has it, which huggingface_hub uses: * crosses folders,
/// and a pattern that ends with / means what lies below.
bool fits_pattern(const std::string& path, std::string pattern);

}  // namespace galago::hub
