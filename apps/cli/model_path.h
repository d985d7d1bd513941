// Which model -m names. In: the flag's value. Out: the directory or file to load.
#pragma once

#include <filesystem>
#include <string>

namespace galago::cli {

/// The model that ships with galago: beside the build folder or under share/. Error{not_found} with a hint.
std::filesystem::path demo_model();

/// The path itself; for ORG/NAME the model's snapshot in the Hugging Face cache; for "" the demo model, and a
/// line on stderr that says so. Error{not_found} with the way to get the model, Error{usage} for an address
/// on the web.
std::filesystem::path model_path(const std::string& given);

/// Whether the word that stands alone is meant as a model: a folder with a config.json, a .gguf file.
bool names_model(const std::string& word);

}  // namespace galago::cli
