// Which model -m names. In: the flag's value. Out: the directory or file to load.
#pragma once

#include <filesystem>
#include <string>

#include "galago/galago.h"

namespace galago::cli {

/// A model that ships with galago, "demo" or "demo-page": beside the build folder or under share/.
/// Error{not_found} with a hint.
std::filesystem::path demo_model(const std::string& name = "demo");

/// The path itself; for ORG/NAME and its address on the web the model in the Hugging Face cache, downloaded
/// if it is not there; for "" the demo model of that name. A line on stderr says so, unless `quiet`.
/// Error{usage} for another address; errors of hub::pull.
std::filesystem::path model_path(const std::string& given, const std::string& demo = "demo",
                                 bool quiet = false);

/// What --lora names, DIR[:SCALE]; of ORG/NAME the adapter in the Hugging Face cache, downloaded as models
/// are.
Lora lora_of(const std::string& given);

/// The name of a model in an address such as https://huggingface.co/ORG/NAME/tree/REVISION; empty for any
/// other text.
std::string hub_name_of_address(const std::string& address);

/// Whether the word that stands alone is meant as a model: a folder with a config.json, a .gguf file.
bool names_model(const std::string& word);

}  // namespace galago::cli
