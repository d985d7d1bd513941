// Flags that several commands have, and kinds of values that the parser does not know.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "galago/galago.h"

namespace galago::cli {

inline constexpr const char* kSpeedGroup = "Speed and memory";
inline constexpr const char* kImageHelp =
    "A picture (JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF), told by its content; - reads standard input; "
    "data: and file: URIs are taken too";

inline constexpr const char* kDualModelHelp =
    "Directory of a SigLIP or SigLIP2 model, or its ORG/NAME on the Hugging Face hub";

/// -m, --model.
CLI::Option* add_model(CLI::App& command, std::string& model,
                       const std::string& help =
                           "Model directory, GGUF file, or ORG/NAME of the Hugging Face "
                           "hub (default: the demo model that ships with galago)");
/// The flags of every command that computes: threads, formats of weights, arithmetic.
void add_numbers(CLI::App& command, LoadOptions& load);
/// The same but for --no-mmap.
void add_weights(CLI::App& command, LoadOptions& load);
/// --dtype, with the names of dtype_name too.
CLI::Option* add_weight_dtype(CLI::App& command, WeightDtype& dtype, const std::string& help);
/// --kv-cache-dtype.
CLI::Option* add_kv_cache_dtype(CLI::App& command, KvCacheDtype& dtype, const std::string& help);
/// Names of other programs for --dtype: bfloat16, float32, int8, q8_0 and their like. Error{usage} for
/// float16, which weights may be stored in, but are not converted to.
std::string dtype_name(const std::string& text);
/// --pillow, which is also one of add_numbers.
CLI::Option* add_pillow(CLI::App& command, int& pillow);
/// --strict.
CLI::Option* add_strict(CLI::App& command, LoadOptions& load);
/// --lora and --mmproj: files beside the model.
void add_model_files(CLI::App& command, LoadOptions& load);
inline constexpr const char* kLoraHelp =
    "Add a LoRA adapter that peft has saved, a directory or ORG/NAME of the Hugging Face hub, with this "
    "scale "
    "(default 1); may be given several times";
/// -t, --threads alone.
CLI::Option* add_threads(CLI::App& command, int& threads);

inline constexpr const char* kFpsHelp =
    "Frames of the input per second, in place of the file's own rate (needed for folders); not how many are "
    "sampled";
inline constexpr const char* kChatTemplateHelp =
    "A Jinja file, or a JSON file with chat_template, in place of the model's own chat template";
/// --chat-template; Error{not_found} when there is no such file.
CLI::Option* add_chat_template(CLI::App& command, std::filesystem::path& file, const std::string& help);

/// A flag that takes one text each time it is given, any text at all.
CLI::Option* add_texts(CLI::App& command, const std::string& names, std::vector<std::string>& texts,
                       const std::string& help);
/// The parts of a list such as "cat, dog" of --labels; spaces around one do not count. Error{usage} for an
/// empty part; `thing` is what a part is, "label", whose flag of its own takes one with commas in it.
std::vector<std::string> split_list(const std::string& list, const std::string& thing);
/// -n, --max-new-tokens: 1 or more, or -1 for what the context holds.
CLI::Option* add_token_limit(CLI::App& command, std::optional<int64_t>& tokens, const std::string& help);
/// --seed: 0 or more, or -1 for one of chance.
CLI::Option* add_seed(CLI::App& command, uint64_t& seed, const std::string& help);

}  // namespace galago::cli
