// config -> wired modules for model_type llava_next.
#include "models/llava_next.h"

#include <numeric>
#include <string>

#include "formats/config/llava_config.h"
#include "galago/error.h"
#include "image/any_resolution.h"
#include "models/towers.h"
#include "nn/connector/any_resolution_rows.h"
#include "nn/connector/mlp_projector.h"
#include "nn/decoder/llama.h"
#include "nn/vision/encoder.h"
#include "text/prompt/image_prompt.h"

namespace galago {
namespace {

// Prefixes of the checkpoint's names. Directories written before transformers 4.52 have no "model." before
// the first three, and the whole text model, its head included, under language_model.
constexpr const char* kVision = "vision_tower";
constexpr const char* kProjector = "multi_modal_projector";
constexpr const char* kNewline = "image_newline";
constexpr const char* kText = "language_model";

// C of all tapped layers together.
int64_t tapped_width(const LlavaNextConfig& config) {
  return config.vision.hidden_size * static_cast<int64_t>(config.vision_feature_layer.size());
}

TiledPicture tiled_picture(const ImagePlan& plan, const LlavaNextConfig& config) {
  return {.height = plan.size.height,
          .width = plan.size.width,
          .grid = plan.grid,
          .patches_per_side = config.vision.patches_per_side()};
}

[[noreturn]] void contradiction(const std::string& where, const std::string& got,
                                const std::string& expected) {
  throw Error(ErrorCode::model_invalid, {.where = where, .got = got, .expected = expected});
}

std::string text_of(Resolution size) {
  return "[" + std::to_string(size.height) + ", " + std::to_string(size.width) + "]";
}

// The tower gets whole tiles of its image_size, and both files allow the same resolutions.
void check_tiles(const LlavaNextConfig& model, const AnyResolutionConfig& images, const std::string& where) {
  const int64_t side = model.vision.image_size;
  if (const Resolution tile = tile_size(images); tile != Resolution{side, side} || images.tile_side != side)
    contradiction(where + ": size, crop_size",
                  "tiles of " + text_of(tile) + " from squares of " + std::to_string(images.tile_side),
                  "both " + std::to_string(side) + ", the tower's image_size");
  for (const Resolution& size : model.image_grid_pinpoints)
    if (size.height % side != 0 || size.width % side != 0)
      contradiction("config.json: image_grid_pinpoints", text_of(size),
                    "multiples of the tower's image_size " + std::to_string(side));
  if (images.image_grid_pinpoints != model.image_grid_pinpoints)
    contradiction(where + ": image_grid_pinpoints", "another list", "the one of config.json");
}

// The features that the strategy leaves must be one for each patch, and the processor must count the same.
void check_strategy(const LlavaNextConfig& model, const LlavaNextProcessorConfig& processor) {
  const int64_t extra = class_tokens(model.vision);
  const std::string fitting = extra == 1 ? "default" : "full";
  if (model.vision_feature_select_strategy != fitting)
    contradiction("config.json: vision_feature_select_strategy", model.vision_feature_select_strategy,
                  "\"" + fitting + "\" for a tower with " + std::to_string(extra) + " class tokens");
  const std::string where = "processor_config.json: ";
  if (const auto& said = processor.vision_feature_select_strategy; said && *said != fitting)
    contradiction(where + "vision_feature_select_strategy", *said, fitting + ", as in config.json");
  if (const auto said = processor.patch_size; said && *said != model.vision.patch_size)
    contradiction(where + "patch_size", std::to_string(*said),
                  std::to_string(model.vision.patch_size) + ", the tower's");
  if (const auto said = processor.num_additional_image_tokens; said && *said != extra)
    contradiction(where + "num_additional_image_tokens", std::to_string(*said),
                  std::to_string(extra) + ", the tower's class tokens");
}

class LlavaNextFrontend final : public Frontend {
 public:
  LlavaNextFrontend(std::shared_ptr<const ModelFiles> files, Resizer resizer, kernels::SharedDevice device)
      : Frontend(std::move(files), std::move(device)), settings_(read_llava_next_settings(this->files())) {
    const LlavaNextConfig& model = settings_.model;
    settings_.preprocessor.resizer = resizer;
    check_tiles(model, settings_.preprocessor, "image processor");
    check_strategy(model, settings_.processor);
    const std::string& token = settings_.processor.image_token;
    const auto id = tokenizer().token_to_id(token);
    if (!id || *id != model.image_token_id || *id >= model.text.vocab_size)
      contradiction("config.json: image_token_index", std::to_string(model.image_token_id),
                    "the tokenizer's id of " + token + ", " + (id ? std::to_string(*id) : "which it lacks"));
  }

  const LlavaNextConfig& config() const override { return settings_.model; }

  std::vector<ModuleShape> modules() const override {
    const LlavaNextConfig& m = settings_.model;
    const auto text = [](std::initializer_list<int64_t> sizes) { return to_string(Shape(sizes)).substr(1); };
    const auto both = [](const std::string& part) { return std::vector{"model." + part, part}; };
    const int64_t patches = m.vision.patches_per_side() * m.vision.patches_per_side();
    const std::string tiles = "[N, " + text({3, m.vision.image_size, m.vision.image_size});
    const std::string seen = "[N, " + text({patches, tapped_width(m)});
    const std::string connected = "[N, " + text({patches, m.text.hidden_size});
    const std::string rows = "[R, " + text({m.text.hidden_size});
    const std::string sequence = "[L, " + text({m.text.hidden_size});
    const std::string language = kText;
    return {{"image", "file", tiles, {}, Stage::image},
            {"vision tower", tiles, seen, both(std::string(kVision) + "."), Stage::image},
            {"connector", seen, connected, both(std::string(kProjector) + "."), Stage::image},
            {"unpad, new lines", connected, rows, both(kNewline), Stage::image},
            {kEmbeddingModule,
             "ids [L]",
             sequence,
             {"model." + language + ".embed_tokens.", language + ".model.embed_tokens.",
              language + ".embed_tokens."}},
            {"pack", rows + " + " + sequence, sequence, {}},
            {"text backbone",
             sequence,
             sequence,
             {"model." + language + ".", language + ".model.", language + ".layers.", language + ".norm."}},
            {"head", sequence, "[L, " + text({m.text.vocab_size}), {"lm_head.", language + ".lm_head."}}};
  }

  TileShape tile_shape() const override {
    const LlavaNextConfig& m = settings_.model;
    const int64_t patches = m.vision.patches_per_side() * m.vision.patches_per_side();
    return {.side = m.vision.image_size,
            .tower_rows = patches + class_tokens(m.vision),
            .features = tapped_width(m),
            .tapped = true,
            .rows = patches,
            .width = m.text.hidden_size};
  }

  ImagePlan plan(ImageSize size, std::optional<bool> split) const override {
    check_split(split);
    ImagePlan plan{.size = size, .grid = plan_any_resolution(size, settings_.preprocessor).grid};
    plan.tiles = plan.grid.tiles();
    plan.tokens = rows_for(tiled_picture(plan, config()));
    return plan;
  }

  Tiles tiles(const RgbImage& image, std::optional<bool> split) const override {
    check_split(split);
    return make_any_resolution_tiles(image, settings_.preprocessor, device());
  }

  PixelBatch pixels(const Tiles& tiles) const override {
    return {.pixels = normalise(tiles, settings_.preprocessor, device()), .patch_mask = {}};
  }

  Segments expand(const Segments& rendered, std::span<const ImagePlan> images,
                  bool parse_special) const override {
    std::vector<int64_t> rows;
    for (const ImagePlan& image : images) rows.push_back(image.tokens);
    return expand_image_rows(rendered, rows, settings_.processor.image_token, parse_special);
  }

  std::unique_ptr<const Engine> load_engine(const Checkpoint& checkpoint) const override;

 private:
  static void check_split(std::optional<bool> split) {
    if (split.value_or(true)) return;
    throw Error(ErrorCode::usage, {.where = "pictures in one tile",
                                   .got = "asked for",
                                   .expected = "tiles: this family has no other way"});
  }

  LlavaNextSettings settings_;
};

class LlavaNextEngine final : public Engine {
 public:
  /// text: the prefix of embed_tokens; head: the prefix of lm_head.
  LlavaNextEngine(const LlavaNextConfig& config, const Scope& base, const Scope& text, const Scope& head)
      : config_(config),
        tower_(make_tower(config.vision, base.sub(kVision), config.vision_feature_layer)),
        adapter_(tower_, adapter_options(config)),
        projector_(base.sub(kProjector), {config.text.hidden_size, tapped_width(config)},
                   activation_from_name(config.projector_hidden_act, "config.json: projector_hidden_act"),
                   config.multimodal_projector_bias ? Bias::yes : Bias::no),
        image_newline_(base.device().prepare(base.tensor(kNewline, {config.text.hidden_size}))),
        decoder_(config.text, config.tie_word_embeddings, text, head) {}

  std::unique_ptr<FeaturePass> start_image(const PixelBatch& batch, const Memory& memory) const override {
    return adapter_.start(batch, memory);  // [N, P, C * taps]
  }
  int64_t group_size() const override { return adapter_.tiles_per_call(); }
  Tensor connect(const Tensor& features, Workspace& workspace) const override {
    return projector_.forward(features, workspace);  // [N, P, D]
  }
  Tensor image_rows(Tensor connected, const ImagePlan& plan) const override {
    return any_resolution_rows(connected, tiled_picture(plan, config_), image_newline_.matrix(),
                               decoder_.device());  // [R, D]
  }
  const Decoder& decoder() const override { return decoder_; }
  std::vector<int32_t> position_ids(const PixelBatch& batch) const override {
    return tower_->position_ids(batch);
  }
  int64_t patch_size() const override { return tower_->patch_size(); }

 private:
  static AdapterOptions adapter_options(const LlavaNextConfig& config) {
    const int64_t patches = config.vision.patches_per_side() * config.vision.patches_per_side();
    return {.resize = {},
            .normalize = {},  // the preprocessor has normalised already
            .expected_patches = patches,
            .expected_hidden = tapped_width(config),
            .tiles_per_call = tiles_per_call(patches),
            .skip_rows = config.vision_feature_select_strategy == "default" ? 1 : 0};
  }

  LlavaNextConfig config_;
  std::shared_ptr<const VisionTower> tower_;
  VisionTowerAdapter adapter_;
  MlpProjector projector_;
  Tensor image_newline_;  // [D]
  LlamaDecoder decoder_;
};

std::unique_ptr<const Engine> LlavaNextFrontend::load_engine(const Checkpoint& checkpoint) const {
  Binder binder(checkpoint, device());
  const Scope root = binder.root();
  const std::string language = kText;
  const bool old_base = root.has(kNewline);
  const bool old_text = root.has(language + ".model.norm.weight");
  const bool bare_text = root.has(language + ".norm.weight");  // as the base class saves it
  const Scope base = old_base ? root : root.sub("model");
  const Scope text = old_text    ? root.sub(language).sub("model")
                     : bare_text ? root.sub(language)
                                 : root.sub("model").sub(language);
  const Scope head = old_text ? root.sub(language) : root;

  waive_pooling_head(binder, std::string(old_base ? "" : "model.") + kVision + ".");
  auto engine = std::make_unique<LlavaNextEngine>(config(), base, text, head);
  engine->unused = binder.finish(files().path().string());
  return engine;
}

}  // namespace

std::unique_ptr<const Frontend> make_llava_next_frontend(std::shared_ptr<const ModelFiles> files,
                                                         Resizer resizer, kernels::SharedDevice device) {
  return std::make_unique<LlavaNextFrontend>(std::move(files), resizer, std::move(device));
}

}  // namespace galago
