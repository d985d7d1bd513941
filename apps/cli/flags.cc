// See the header.
#include "flags.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <random>
#include <string_view>

#include "core/limits.h"
#include "core/words.h"
#include "model_path.h"
#include "wording.h"

namespace galago::cli {
namespace {

template <class Number>
std::optional<Number> whole_number(const std::string& text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return {};
  return number;
}

/// A flag with the words of an enum of galago/dtype.h.
template <class Dtype, class Parse>
CLI::Option* add_dtype(CLI::App& command, const std::string& flag, Dtype& dtype, Parse parse,
                       const std::string& help) {
  std::string all;
  for (int i = 0; to_string(static_cast<Dtype>(i)) != std::string_view("unknown"); ++i)
    all += (i > 0 ? "," : "") + std::string(to_string(static_cast<Dtype>(i)));
  const CLI::callback_t take = [&dtype, parse](const CLI::results_t& words) {
    dtype = parse(words.back());
    return true;
  };
  return command.add_option(flag, take, help)->type_name("TYPE:{" + all + "}")->default_str(to_string(dtype));
}

[[noreturn]] void refuse(const char* flag, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::usage, {.where = flag, .got = got, .expected = expected});
}

}  // namespace

CLI::Option* add_model(CLI::App& command, std::string& model, const std::string& help) {
  return command.add_option("-m,--model", model, help)->group("Model")->type_name("MODEL");
}

void add_model_files(CLI::App& command, LoadOptions& load) {
  const char* group = "Model files";
  command
      .add_option_function<std::vector<std::string>>(
          "--lora",
          [&load](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) load.lora.push_back(lora_of(text));
          },
          kLoraHelp)
      ->type_name("DIR[:SCALE]")
      ->allow_extra_args(false)
      ->group(group);
  command
      .add_option("--mmproj", load.mmproj,
                  "Of a GGUF model: the file with its eyes (default: the best beside the model that fits)")
      ->type_name("FILE")
      ->group(group);
}

CLI::Option* add_threads(CLI::App& command, int& threads) {
  return command.add_option("-t,--threads", threads, "Threads; 0: one for each processor")
      ->group(kSpeedGroup)
      ->check(CLI::Range(0, 1024));
}

void add_weights(CLI::App& command, LoadOptions& load) {
  add_threads(command, load.threads);
  add_pillow(command, load.pillow);
  add_weight_dtype(command, load.dtype, "Weights: auto (as stored), f32, bf16, q8 or q4")->group(kSpeedGroup);
  add_dtype(
      command, "--compute", load.compute, compute_dtype,
      "How products with pictures and prompts multiply: f32, as exactly as floats can; bf16, about three "
      "digits; int8, about two for pictures and bf16 for prompts; auto: f32 or bf16. Which is fastest "
      "depends on the processor")
      ->group(kSpeedGroup);
}

void add_numbers(CLI::App& command, LoadOptions& load) {
  add_weights(command, load);
  command
      .add_flag("!--no-mmap", load.mmap,
                "Copy the weights instead of mapping the file: faster tokens, more memory, slower start")
      ->group(kSpeedGroup);
}

CLI::Option* add_weight_dtype(CLI::App& command, WeightDtype& dtype, const std::string& help) {
  const auto parse = [](const std::string& word) { return weight_dtype(dtype_name(word)); };
  return add_dtype(command, "--dtype", dtype, parse, help);
}

CLI::Option* add_kv_cache_dtype(CLI::App& command, KvCacheDtype& dtype, const std::string& help) {
  return add_dtype(command, "--kv-cache-dtype", dtype, kv_cache_dtype, help);
}

std::string dtype_name(const std::string& text) {
  static const std::map<std::string, std::string> kNames = {
      {"bfloat16", "bf16"}, {"float32", "f32"}, {"float", "f32"}, {"fp32", "f32"},
      {"int8", "q8"},       {"q8_0", "q8"},     {"8bit", "q8"},   {"int4", "q4"},
      {"q4_0", "q4"},       {"q4_1", "q4"},     {"4bit", "q4"},   {"default", "auto"}};
  std::string name = lower_ascii(text);
  if (name.starts_with("torch.")) name.erase(0, 6);
  if (name == "f16" || name == "fp16" || name == "float16" || name == "half")
    throw Error(ErrorCode::usage,
                {.where = "--dtype",
                 .got = text,
                 .expected = "auto, f32, bf16, q8 or q4",
                 .hint = "weights that are stored as float16 stay so with auto, the default"});
  const auto found = kNames.find(name);
  return found == kNames.end() ? name : found->second;
}

CLI::Option* add_strict(CLI::App& command, LoadOptions& load) {
  return command
      .add_flag("--strict", load.strict,
                "Refuse a checkpoint with tensors that the model does not use, instead of a warning")
      ->group("Model");
}

CLI::Option* add_pillow(CLI::App& command, int& pillow) {
  return command.add_option("--pillow", pillow, "Resize pictures as this Pillow does: 13 or 12")
      ->group("Model")
      ->check(CLI::IsMember({12, 13}))
      ->capture_default_str();
}

CLI::Option* add_chat_template(CLI::App& command, std::filesystem::path& file, const std::string& help) {
  const CLI::callback_t take = [&file](const CLI::results_t& words) {
    file = words.back();
    std::error_code error;
    if (!std::filesystem::exists(file, error))
      throw Error(ErrorCode::not_found, {.where = "--chat-template " + shortened(file.string(), 120),
                                         .got = "no such file",
                                         .expected = "a file with a template",
                                         .hint = "--chat-template takes a Jinja file; built-in names and "
                                                 "inline templates are not known"});
    return true;
  };
  return command.add_option("--chat-template", take, help)->type_name("FILE");
}

CLI::Option* add_texts(CLI::App& command, const std::string& names, std::vector<std::string>& texts,
                       const std::string& help) {
  // The parser's own lists take "{}" for none and "[a,b]" for two.
  const CLI::callback_t take = [&texts](const CLI::results_t& words) {
    texts = words;
    return true;
  };
  return command.add_option(names, take, help)->take_all()->allow_extra_args(false);
}

std::vector<std::string> split_list(const std::string& list, const std::string& thing) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const size_t first = list.find_first_not_of(' ', begin);
    if (first >= end)
      throw Error(ErrorCode::usage, {.where = "--" + thing + "s",
                                     .got = list,
                                     .expected = "a " + thing + " between any two commas",
                                     .hint = "a " + thing + " with commas in it is for --" + thing});
    parts.push_back(list.substr(first, list.find_last_not_of(' ', end - 1) + 1 - first));
    begin = end + 1;
  }
  return parts;
}

CLI::Option* add_token_limit(CLI::App& command, std::optional<int64_t>& tokens, const std::string& help) {
  const CLI::callback_t take = [&tokens](const CLI::results_t& words) {
    tokens = whole_number<int64_t>(words.back());
    if (!tokens) refuse("--max-new-tokens", words.back(), "a whole number of at least 1, or -1");
    if (*tokens == -1) tokens = limits::kConfigPositions;  // no context is longer
    return true;
  };
  return command.add_option("-n,--max-new-tokens", take, help)->type_name("N");
}

CLI::Option* add_seed(CLI::App& command, uint64_t& seed, const std::string& help) {
  const CLI::callback_t take = [&seed](const CLI::results_t& words) {
    if (words.back() == "-1") {
      seed = std::random_device()();
      return true;
    }
    const auto number = whole_number<uint64_t>(words.back());
    if (!number) refuse("--seed", words.back(), "a whole number from 0 to 18446744073709551615, or -1");
    seed = *number;
    return true;
  };
  return command.add_option("--seed", take, help)->type_name("N");
}

}  // namespace galago::cli
