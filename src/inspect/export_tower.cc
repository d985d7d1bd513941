// Three files: the config from shapes and settings, the weights under vision_model., the image processor.
#include "inspect/export_tower.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "core/cancelled.h"
#include "core/limits.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"
#include "galago/error.h"
#include "inspect/tensor_copy.h"
#include "models/towers.h"
#include "nn/vision/position_ids.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr const char* kTable = "embeddings.position_embedding.weight";

// What transformers calls a tower of each layout.
struct Target {
  const char* model_type;
  const char* architecture;
  const char* image_processor;
};
Target target(TowerLayout layout) {
  if (layout == TowerLayout::clip) return {"clip_vision_model", "CLIPVisionModel", "CLIPImageProcessor"};
  return {"siglip_vision_model", "SiglipVisionModel", "SiglipImageProcessor"};
}

[[noreturn]] void refuse(const std::string& what, int64_t got, const std::string& expected) {
  throw Error(ErrorCode::model_invalid,
              {.where = "vision tower: " + what, .got = std::to_string(got), .expected = expected});
}

int64_t image_size(const ExtractedTower& tower, const TowerSettings& settings) {
  return settings.image_size ? settings.image_size : tower.grid_side * tower.patch_size;
}

void check(const ExtractedTower& tower, const TowerSettings& settings) {
  const int64_t heads = settings.num_attention_heads;
  if (heads < 1 || tower.hidden_size % heads != 0)
    refuse("num_attention_heads", heads,
           "a divisor of the hidden size, " + std::to_string(tower.hidden_size));
  if (tower.layout == TowerLayout::clip && settings.positions == PatchPositions::bucketed)
    throw Error(ErrorCode::model_unsupported, {.where = "vision tower: positions",
                                               .got = "bucketed, in a tower with a class token",
                                               .expected = "patches counted one by one"});
  const int64_t least = tower.grid_side * tower.patch_size;
  const int64_t size = image_size(tower, settings);
  if (size < least || size >= least + tower.patch_size)
    refuse("image_size", size,
           std::to_string(least) + " to " + std::to_string(least + tower.patch_size - 1) +
               ", as a table of " + std::to_string(tower.grid_side) + "x" + std::to_string(tower.grid_side) +
               " patches of " + std::to_string(tower.patch_size) + " pixels wants");
}

/// The type of all weights, or float32 where they differ.
std::string dtype_name(const ExtractedTower& tower) {
  std::optional<DType> common;
  for (const auto& [name, view] : tower.tensors) {
    if (common && *common != view.dtype) return "float32";
    common = view.dtype;
  }
  if (common == DType::bf16) return "bfloat16";
  return common == DType::f16 ? "float16" : "float32";
}

/// The shortest decimal that reads back as the same float: 1e-6, not 9.999999974752427e-07.
double shortest(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", static_cast<double>(value));
  return std::strtod(text, nullptr);
}

OrderedJson model_config(const ExtractedTower& tower, const TowerSettings& settings) {
  OrderedJson config = {{"architectures", {target(tower.layout).architecture}},
                        {"attention_dropout", 0.0},
                        {"dtype", dtype_name(tower)},
                        {"hidden_act", settings.hidden_act},
                        {"hidden_size", tower.hidden_size},
                        {"image_size", image_size(tower, settings)},
                        {"intermediate_size", tower.intermediate_size},
                        {"layer_norm_eps", shortest(settings.layer_norm_eps)},
                        {"model_type", target(tower.layout).model_type},
                        {"num_attention_heads", settings.num_attention_heads},
                        {"num_channels", tower.num_channels},
                        {"num_hidden_layers", tower.num_hidden_layers},
                        {"patch_size", tower.patch_size}};
  if (tower.layout == TowerLayout::siglip) config["vision_use_head"] = tower.pooling_head;
  return config;
}

OrderedJson processor_config(const ExtractedTower& tower, const TowerSettings& settings) {
  const int64_t side = image_size(tower, settings);
  OrderedJson config = {{"do_convert_rgb", true},
                        {"do_normalize", settings.scaling.do_normalize},
                        {"do_rescale", settings.scaling.do_rescale},
                        {"do_resize", true},
                        {"image_mean", settings.scaling.image_mean},
                        {"image_processor_type", target(tower.layout).image_processor},
                        {"image_std", settings.scaling.image_std},
                        {"resample", static_cast<int>(settings.resample)},
                        {"rescale_factor", settings.scaling.rescale_factor},
                        {"size", {{"height", side}, {"width", side}}}};
  if (tower.layout == TowerLayout::clip) config["do_center_crop"] = false;
  return config;
}

void write_json(const fs::path& file, const OrderedJson& value) {
  const std::string text = value.dump(2) + "\n";
  write_file_atomically(file, std::as_bytes(std::span(text)));
}

/// The position table with row i = the row that patch i of a whole tile takes. Padding and tiles of other
/// sizes, which would take other rows, are beyond a tower that counts its patches.
struct GatheredTable {
  std::vector<std::byte> bytes;
  int64_t changed = 0;
};
GatheredTable gather_positions(const Checkpoint& checkpoint, const ExtractedTower& tower) {
  const TensorView table = checkpoint.read(tower.prefix + kTable);
  const std::vector<uint8_t> all_picture(static_cast<size_t>(tower.positions), 1);
  const std::vector<int32_t> ids =
      vision_position_ids(all_picture, tower.grid_side, tower.grid_side, tower.grid_side);
  const auto row_bytes = static_cast<size_t>(tower.hidden_size * size_of(table.dtype));
  GatheredTable gathered;
  gathered.bytes.resize(ids.size() * row_bytes);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto from = static_cast<size_t>(ids[i]);
    std::memcpy(gathered.bytes.data() + i * row_bytes, table.data + from * row_bytes, row_bytes);
    gathered.changed += from != i;
  }
  checkpoint.unload(tower.prefix + kTable);
  return gathered;
}

/// A folder that holds the weights that are read would lose the model around them.
void check_folder(const Checkpoint& checkpoint, const fs::path& folder) {
  std::error_code error;
  for (const fs::path& file : checkpoint.files())
    if (fs::equivalent(file.parent_path().empty() ? "." : file.parent_path(), folder, error))
      throw Error(ErrorCode::usage, {.where = folder.string(),
                                     .got = "the folder of the checkpoint itself",
                                     .expected = "another folder to write"});
}

}  // namespace

TowerSettings read_tower_settings(const ModelFiles& files, const VisionConfig& vision,
                                  const ExtractedTower& tower) {
  const auto agree = [&](const char* key, int64_t said, int64_t found) {
    if (said != found)
      throw Error(ErrorCode::model_invalid, {.where = files.where("config.json") + ": vision_config." + key,
                                             .got = std::to_string(said),
                                             .expected = std::to_string(found) + ", as the weights have it"});
  };
  agree("hidden_size", vision.hidden_size, tower.hidden_size);
  agree("intermediate_size", vision.intermediate_size, tower.intermediate_size);
  agree("num_hidden_layers", vision.num_hidden_layers, tower.num_hidden_layers);
  agree("num_channels", vision.num_channels, tower.num_channels);
  agree("patch_size", vision.patch_size, tower.patch_size);
  TowerSettings settings{.num_attention_heads = vision.num_attention_heads,
                         .image_size = vision.image_size,
                         .hidden_act = vision.hidden_act,
                         .layer_norm_eps = vision.layer_norm_eps};
  settings.positions = patch_positions(vision);
  const ImageProcessorText text = read_image_processor(files);
  const Json document = parse_json(text.json, text.where);
  const JsonField root(document, text.where);
  const JsonField object = root.find("image_processor").value_or(root);
  read_pixel_scaling(object, settings.scaling);
  settings.resample = read_resample(object, Resample::bicubic);
  return settings;
}

int64_t to_hf_api(const Checkpoint& checkpoint, const ExtractedTower& tower, const TowerSettings& settings,
                  const fs::path& folder, const ExportOptions& options) {
  check(tower, settings);
  check_folder(checkpoint, folder);
  const bool gather = settings.positions == PatchPositions::bucketed;
  const GatheredTable table = gather ? gather_positions(checkpoint, tower) : GatheredTable();
  std::vector<NamedTensor> tensors;
  for (const auto& [name, view] : tower.tensors) {
    tensors.push_back(copy_of(checkpoint, tower.prefix + name, "vision_model." + name));
    if (!gather || name != kTable) continue;
    tensors.back().view.data = table.bytes.data();
    tensors.back().make = {};
  }
  AtomicDirectory out(folder, options.existing);
  write_safetensors(out.file("model.safetensors"), tensors, {{"format", "pt"}}, options.go_on);
  write_json(out.file("preprocessor_config.json"), processor_config(tower, settings));
  write_json(out.file("config.json"), model_config(tower, settings));
  if (options.go_on && !options.go_on()) throw Cancelled{};
  out.commit();
  return table.changed;
}

}  // namespace galago
