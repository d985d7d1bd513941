// First the settings, then every tensor by the end of its name. Nothing is taken for something else: a key or
// a tensor that is not known to change nothing is refused.
#include "formats/lora_adapter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/fault_list.h"
#include "core/limits.h"
#include "core/printable.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"
#include "galago/error.h"
#include "io/files.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = "adapter_config.json";
constexpr const char* kTensors = "adapter_model.safetensors";

// Keys that say how the adapter was trained or found its modules, which its tensors' names say again.
// fan_in_fan_out is about layers that keep their weights the other way round; no family here has them.
constexpr std::array<std::string_view, 35> kPassed = {"alpha_pattern",
                                                      "auto_mapping",
                                                      "base_model_name_or_path",
                                                      "bias",
                                                      "corda_config",
                                                      "eva_config",
                                                      "exclude_modules",
                                                      "fan_in_fan_out",
                                                      "inference_mode",
                                                      "init_lora_weights",
                                                      "layers_pattern",
                                                      "layers_to_transform",
                                                      "loftq_config",
                                                      "lora_alpha",
                                                      "lora_bias",
                                                      "lora_dropout",
                                                      "lora_ga_config",
                                                      "megatron_config",
                                                      "megatron_core",
                                                      "modules_to_save",
                                                      "peft_type",
                                                      "peft_version",
                                                      "qalora_group_size",
                                                      "r",
                                                      "rank_pattern",
                                                      "revision",
                                                      "runtime_config",
                                                      "target_modules",
                                                      "task_type",
                                                      "use_dora",
                                                      "use_rslora",
                                                      "ensure_weight_tying",
                                                      "enable_lora",
                                                      "merge_weights",
                                                      "custom_modules"};
// Ways to begin training that leave the base alone.
constexpr std::array<std::string_view, 3> kInits = {"gaussian", "eva", "orthogonal"};

bool is_off(const Json& value) {
  return value.is_null() || value == false || ((value.is_array() || value.is_object()) && value.empty());
}

/// lora_alpha for one module, and what it is divided by.
class Scaling {
 public:
  explicit Scaling(const JsonField& root)
      : alpha_(root.value().contains("lora_alpha")
                   ? root.at("lora_alpha").number(-kMostLoraScale, kMostLoraScale)
                   : 8),
        root_of_rank_(boolean_or(root, "use_rslora", false)) {
    const auto patterns = root.find("alpha_pattern");
    if (!patterns) return;
    patterns->expect_object();
    for (const auto& [key, value] : patterns->value().items())
      patterns_.emplace_back(plain_pattern(*patterns, key),
                             patterns->at(key).number(-kMostLoraScale, kMostLoraScale));
  }

  double of(const std::string& module, int64_t rank, const std::string& where) const {
    std::optional<double> alpha;
    for (const auto& [pattern, value] : patterns_) {
      if (!matches(pattern, module)) continue;
      if (alpha && *alpha != value)
        throw Error(ErrorCode::model_unsupported, {.where = where + ": alpha_pattern",
                                                   .got = "two values for " + printable(module),
                                                   .expected = "one"});
      alpha = value;
    }
    const auto r = static_cast<double>(rank);
    return alpha.value_or(alpha_) / (root_of_rank_ ? std::sqrt(r) : r);
  }

 private:
  /// A module's name or the end of one; "^" before a whole one. Other regular expressions are not followed.
  static std::string plain_pattern(const JsonField& patterns, const std::string& key) {
    const std::string_view name = std::string_view(key).substr(key.starts_with('^') ? 1 : 0);
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '.';
    });
    if (name.empty() || !plain)
      throw Error(ErrorCode::model_unsupported, {.where = patterns.where(),
                                                 .got = in_quotes(key),
                                                 .expected = "names of modules, or the ends of them"});
    return key;
  }
  static bool matches(const std::string& pattern, const std::string& module) {
    if (pattern.starts_with('^')) return module == pattern.substr(1);
    return module == pattern || module.ends_with("." + pattern);
  }

  double alpha_;
  bool root_of_rank_;
  std::vector<std::pair<std::string, double>> patterns_;
};

void check_settings(const JsonField& root) {
  root.expect_object();
  const JsonField type = root.at("peft_type");
  if (type.string() != "LORA") type.unsupported("LORA");
  for (const auto& [key, value] : root.value().items())
    if (!is_off(value) && std::find(kPassed.begin(), kPassed.end(), key) == kPassed.end())
      root.at(key).unsupported("none: galago adds plain LoRA and DoRA matrices");
  const auto init = root.find("init_lora_weights");
  if (init && init->value().is_string() &&
      std::find(kInits.begin(), kInits.end(), init->string()) == kInits.end())
    throw Error(ErrorCode::model_unsupported,
                {.where = init->where(),
                 .got = in_quotes(init->string()) + ", which changes the base model's weights",
                 .expected = "true, false, \"gaussian\", \"eva\" or \"orthogonal\"",
                 .hint = "save it with path_initial_model_for_weight_conversion to get plain LoRA"});
}

/// "a.lora_A.weight" -> "a" and ".lora_A.weight".
std::optional<std::pair<std::string, std::string_view>> split_name(const std::string& name) {
  static constexpr std::array<std::string_view, 7> kEnds = {".lora_A.weight",
                                                            ".lora_B.weight",
                                                            ".lora_B.bias",
                                                            ".lora_embedding_A",
                                                            ".lora_embedding_B",
                                                            ".lora_magnitude_vector",
                                                            ".lora_magnitude_vector.weight"};
  for (const std::string_view end : kEnds)
    if (name.ends_with(end)) return std::pair(name.substr(0, name.size() - end.size()), end);
  return std::nullopt;
}

/// Takes the first occurrence of a part out of a name.
std::string without(std::string name, std::string_view part) {
  if (const size_t at = name.find(part); at != std::string::npos) name.erase(at, part.size());
  return name;
}

/// Sorts the tensors of a file.
class Reader {
 public:
  Reader(LoraAdapter& adapter, const Scaling& scaling, std::string where)
      : adapter_(adapter), scaling_(scaling), where_(std::move(where)) {}

  void read() {
    for (const auto& [stored, view] : adapter_.tensors.tensors()) {
      constexpr std::string_view kWrapper = "base_model.model.";
      const std::string name = stored.starts_with(kWrapper) ? stored.substr(kWrapper.size()) : stored;
      if (!weight_format(view.dtype))
        faults_.push_back(printable(stored) + ": type " + to_string(view.dtype) +
                          ", expected F32, F16 or BF16");
      else if (const auto parts = split_name(name))
        place(adapter_.matrices[parts->first + ".weight"], parts->second, stored, view);
      else if (name.find(".lora_") != name.npos || name.find("trainable_tokens") != name.npos)
        faults_.push_back("unknown " + printable(stored) + " " + to_string(view.shape));
      else
        put(adapter_.replaced[without(without(name, ".base_layer"), ".modules_to_save")], stored, view);
    }
    for (auto& [name, matrix] : adapter_.matrices) check(name, matrix);
    if (adapter_.matrices.empty() && adapter_.replaced.empty()) faults_.emplace_back("no tensors");
    finish();
  }

 private:
  void place(LoraMatrix& matrix, std::string_view end, const std::string& stored, const TensorView& view) {
    const bool embedding = end.starts_with(".lora_embedding");
    const bool product = embedding || end == ".lora_A.weight" || end == ".lora_B.weight";
    if (product && (matrix.a.data || matrix.b.data) && matrix.embedding != embedding)
      faults_.push_back(printable(stored) + ": of an embedding and of another layer at once");
    if (product) matrix.embedding = embedding;
    if (end == ".lora_B.bias")
      put(matrix.bias, stored, view);
    else if (end.starts_with(".lora_magnitude"))
      put(matrix.magnitude, stored, view);
    else
      put(end.find("_A") != end.npos ? matrix.a : matrix.b, stored, view);
  }

  /// Different names may mean one tensor: with a wrapper and without, say.
  void put(TensorView& slot, const std::string& stored, const TensorView& view) {
    if (slot.data) faults_.push_back(printable(stored) + ": another tensor of the file means the same");
    slot = view;
  }

  void check(const std::string& name, LoraMatrix& matrix) {
    const std::string module = name.substr(0, name.rfind('.'));
    if (!matrix.a.data || !matrix.b.data) {
      faults_.push_back(printable(module) + ": only one of lora_A and lora_B");
      return;
    }
    const Shape &a = matrix.a.shape, &b = matrix.b.shape;
    const int64_t rank = a.empty() ? 0 : a[0];
    const bool flat = a.size() == 2 && b.size() == 2;
    const bool convolution = a.size() == 4 && b.size() == 4 && b[2] == 1 && b[3] == 1;
    if (rank < 1 || !(flat || convolution) || b[1] != rank || b[0] < 1 || matrix.a.count() < 1) {
      faults_.push_back(printable(module) + ": lora_A " + to_string(a) + " and lora_B " + to_string(b) +
                        ", expected [r, in] and [out, r]");
      return;
    }
    const auto vector = [&](const TensorView& view, const char* what) {
      if (view.data && view.shape != Shape{b[0]})
        faults_.push_back(printable(module) + ": " + what + " " + to_string(view.shape) + ", expected [" +
                          std::to_string(b[0]) + "]");
    };
    vector(matrix.bias, "lora_B.bias");
    vector(matrix.magnitude, "lora_magnitude_vector");
    if (matrix.magnitude.data && (matrix.embedding || convolution))
      throw Error(ErrorCode::model_unsupported, {.where = where_ + ": " + printable(module),
                                                 .got = "DoRA of an embedding or a convolution",
                                                 .expected = "DoRA of linear layers"});
    matrix.scale = scaling_.of(module, rank, where_);
  }

  void finish() const {
    if (faults_.empty()) return;
    throw Error(ErrorCode::model_invalid, {.where = where_,
                                           .got = fault_list(faults_),
                                           .expected = "pairs of lora_A and lora_B, and whole tensors"});
  }

  LoraAdapter& adapter_;
  const Scaling& scaling_;
  std::string where_;
  std::vector<std::string> faults_;
};

}  // namespace

bool is_lora_adapter(const fs::path& directory) {
  std::error_code error;
  return fs::exists(directory / kConfig, error) && !fs::exists(directory / "config.json", error);
}

LoraAdapter read_lora_adapter(const fs::path& directory) {
  const fs::path settings = directory / kConfig;
  std::error_code error;
  if (!fs::exists(settings, error))
    throw Error(ErrorCode::not_found,
                {.where = directory.string(),
                 .got = "no LoRA adapter",
                 .expected = std::string("a directory with ") + kConfig + " and " + kTensors});
  const Json document = parse_json(read_text_file(settings, limits::kConfigBytes), settings.string());
  const JsonField root(document, settings.string());
  check_settings(root);
  const fs::path file = directory / kTensors;
  if (!fs::exists(file, error) && fs::exists(directory / "adapter_model.bin", error))
    throw Error(ErrorCode::model_unsupported,
                {.where = directory.string(),
                 .got = "weights as adapter_model.bin",
                 .expected = kTensors,
                 .hint = "load it with peft and call save_pretrained to get safetensors"});
  LoraAdapter adapter{.tensors = Checkpoint::open_file(file)};
  adapter.base = string_or(root, "base_model_name_or_path", "");
  adapter.revision = string_or(root, "revision", "");
  const Scaling scaling(root);
  Reader(adapter, scaling, file.string()).read();
  return adapter;
}

}  // namespace galago
