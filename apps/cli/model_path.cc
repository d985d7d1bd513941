// See the header.
#include "model_path.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "console.h"
#include "formats/lora_adapter.h"
#include "hub/hub.h"
#include "io/hub_cache.h"
#include "models/adapters.h"
#include "pictures.h"
#include "pull_progress.h"
#include "wording.h"

namespace galago::cli {
namespace {

// A file out of a model's folder, and a folder with settings whose weights are in GGUF files alone: without
// the settings it is a model of GGUF files.
void check_files_of_model(const std::filesystem::path& given) {
  std::error_code error;
  const std::string extension = given.extension().string();
  if (std::filesystem::is_regular_file(given, error) &&
      (extension == ".safetensors" || extension == ".json")) {
    const std::filesystem::path folder = given.parent_path();
    throw Error(ErrorCode::usage,
                {.where = "-m " + shortened(given.string(), 120),
                 .got = "one file of a model directory",
                 .expected = "the directory, or a GGUF file",
                 .hint = "give the directory: -m " + (folder.empty() ? "." : folder.string())});
  }
  if (!std::filesystem::is_regular_file(given / "config.json", error)) return;
  std::string gguf;
  for (std::filesystem::directory_iterator entry(given, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string kind = entry->path().extension().string();
    if (kind == ".safetensors") return;
    const std::string name = entry->path().string();
    const bool vision = entry->path().filename().string().find("mmproj") != std::string::npos;
    if (kind == ".gguf" && !vision && (gguf.empty() || name < gguf)) gguf = name;
  }
  if (!gguf.empty())
    throw Error(ErrorCode::usage, {.where = "-m " + shortened(given.string(), 120),
                                   .got = "config.json and GGUF files",
                                   .expected = "one of the files, or a folder with safetensors",
                                   .hint = "galago reads GGUF: give -m " + gguf});
}

// Where the code lies that runs: in the Python package it is no program of its own.
std::filesystem::path module_folder() {
  static const char here = 0;
  Dl_info info;
  return dladdr(&here, &info) != 0 ? std::filesystem::path(info.dli_fname).parent_path() : ".";
}

std::filesystem::path downloaded(const std::string& name, bool quiet) {
  if (const auto found = hub::find_model(name)) return *found;
  hub::PullOptions options;
  const PullProgress shown(options, quiet);
  return hub::model_path(name, options);
}

// Of an adapter the base model, too, where that is no folder.
std::filesystem::path with_base(const std::filesystem::path& model, bool quiet) {
  if (!is_lora_adapter(model)) return model;
  const LoraAdapter adapter = read_lora_adapter(model);
  const std::string base = adapter.base + (adapter.revision.empty() ? "" : "@" + adapter.revision);
  std::error_code error;
  if (!std::filesystem::is_directory(adapter.base, error) && is_hub_name(base)) downloaded(base, quiet);
  return model;
}

std::filesystem::path pulled(const std::string& name, bool quiet) {
  return with_base(downloaded(name, quiet), quiet);
}

// A path that is written wrong, rather than a model that somebody put on the hub.
bool is_rather_a_path(const std::string& given) {
  std::error_code error;
  const std::string folder = given.substr(0, given.find('/'));
  const std::string ending = std::filesystem::path(given).extension().string();
  const bool file = ending == ".gguf" || ending == ".safetensors" || ending == ".json";
  return (file && given.find(':') == std::string::npos) || std::filesystem::is_directory(folder, error);
}

}  // namespace

std::filesystem::path demo_model(const std::string& name) {
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::filesystem::path places[] = {folder / "../models" / name,
                                          folder / "../share/galago/models" / name,
                                          module_folder() / "models" / name};
  for (const std::filesystem::path& place : places)
    if (std::filesystem::exists(place / "config.json")) return place.lexically_normal();
  throw Error(ErrorCode::not_found, {.where = "the demo model",
                                     .got = "none beside " + folder.string(),
                                     .expected = "models/" + name + " or share/galago/models/" + name,
                                     .hint = "name a model: -m DIR, or -m ORG/NAME, which is downloaded, "
                                             "such as HuggingFaceTB/SmolVLM-256M-Instruct"});
}

std::filesystem::path model_path(const std::string& given, const std::string& demo, bool quiet) {
  if (given.empty()) {
    std::filesystem::path path = demo_model(demo);
    if (!quiet) notice("no -m, so the small " + demo + " model answers (a real model: -m DIR)");
    return path;
  }
  if (const std::string name = hub_name_of_address(given); !name.empty()) return pulled(name, quiet);
  if (given.starts_with("http://") || given.starts_with("https://"))
    throw Error(ErrorCode::usage, {.where = "-m " + shortened(given, 120),
                                   .got = "an address on the web",
                                   .expected = "a model directory, a GGUF file, or ORG/NAME",
                                   .hint = "galago downloads models of the Hugging Face hub alone, no data "
                                           "sets: get its files first"});
  check_pattern(given);
  check_files_of_model(given);
  std::error_code error;
  if (std::filesystem::is_regular_file(given, error) && ends_like_picture(given))
    throw Error(ErrorCode::not_found, {.where = "-m " + given,
                                       .got = "a picture by its name",
                                       .expected = "a model directory or a GGUF file",
                                       .hint = "a picture is given with -i"});
  if (std::filesystem::exists(given, error)) return with_base(given, quiet);
  if (given == "models/demo" || given == "models/demo-page")
    throw Error(ErrorCode::not_found,
                {.where = "-m " + given,
                 .got = "no such folder from here",
                 .expected = "a model directory, a GGUF file, or ORG/NAME",
                 .hint = given == "models/demo" ? "the demo model answers where -m is left out"
                                                : "galago convert reads with it where -m is left out"});
  if (!is_hub_name(given)) return given;
  if (is_rather_a_path(given) && !hub::find_model(given))
    throw Error(ErrorCode::not_found,
                {.where = "-m " + shortened(given, 120),
                 .got = "no such file or folder, and no model of this name in " + hub_cache().string(),
                 .expected = "a model directory, a GGUF file, or ORG/NAME",
                 .hint = "galago pull " + shortened(given, 120) + " asks the Hugging Face hub"});
  return pulled(given, quiet);
}

Lora lora_of(const std::string& given) {
  Lora lora = parse_lora(given);
  std::error_code error;
  const std::string name = lora.directory.string();
  if (is_hub_name(name) && !is_rather_a_path(name) && !std::filesystem::exists(name, error))
    lora.directory = downloaded(name, false);
  return lora;
}

std::string hub_name_of_address(const std::string& address) {
  const char* const endpoint = std::getenv("HF_ENDPOINT");
  std::string rest;
  for (const std::string& hub : {std::string("https://huggingface.co"), std::string("https://hf.co"),
                                 std::string(endpoint ? endpoint : "https://huggingface.co")})
    if (rest.empty() && address.starts_with(hub + "/")) rest = address.substr(hub.size() + 1);
  rest.erase(std::min(rest.find_first_of("?#"), rest.size()));
  std::vector<std::string> parts;
  std::istringstream words(rest);
  for (std::string part; std::getline(words, part, '/');) parts.push_back(part);
  if (parts.size() < 2) return "";
  std::string name = parts[0] + "/" + parts[1];
  if (parts.size() > 3 && (parts[2] == "tree" || parts[2] == "blob" || parts[2] == "resolve"))
    name += "@" + parts[3] + (parts.back().ends_with(".gguf") ? ":" + parts.back() : "");
  return is_hub_name(name) ? name : "";
}

bool names_model(const std::string& word) {
  std::error_code error;
  return word.ends_with(".gguf") ||
         (!word.empty() && std::filesystem::exists(std::filesystem::path(word) / "config.json", error));
}

}  // namespace galago::cli
