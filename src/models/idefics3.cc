// config -> wired modules for model_type idefics3 and smolvlm.
#include "models/idefics3.h"

#include <string>

#include "core/limits.h"
#include "formats/json.h"
#include "galago/error.h"
#include "models/smolvlm_video.h"
#include "models/towers.h"
#include "nn/connector/connector.h"
#include "nn/decoder/llama.h"
#include "text/prompt/image_prompt.h"

namespace galago {
namespace {

// Prefixes of the checkpoint's names.
constexpr const char* kVision = "vision_model";
constexpr const char* kConnector = "connector";
constexpr const char* kAlign = "hidden_align";
constexpr const char* kText = "text_model";

// A part's prefix, with the whole model's before it or, as the base class saves its tensors, without.
std::vector<std::string> prefixes(const std::string& part) { return {"model." + part, part}; }

// The texts around image rows as a SmolVLM tokenizer may name them, at the top level of tokenizer_config.json
// or under extra_special_tokens; Idefics3's are fixed. Reference: transformers 5.18
// SmolVLMProcessor.__init__.
ImageTokens read_image_tokens(const ModelFiles& files) {
  ImageTokens tokens;
  const std::string where = files.where("tokenizer_config.json");
  const auto text = files.find("tokenizer_config.json", limits::kConfigBytes);
  if (!text) return tokens;
  const Json document = parse_json(*text, where);
  const JsonField root(document, where);
  const auto extra = root.find("extra_special_tokens");
  const auto read = [&](const char* key, std::string& token) {
    for (const auto& place : {std::optional(root), extra})
      if (place && place->value().is_object())
        if (const auto named = place->find(key); named && named->value().is_string()) token = named->string();
  };
  read("image_token", tokens.image);
  read("fake_image_token", tokens.fake);
  read("global_image_token", tokens.global_image);
  return tokens;
}

class Idefics3Frontend final : public Frontend {
 public:
  Idefics3Frontend(std::shared_ptr<const ModelFiles> files, Resizer resizer, ImageTokens tokens,
                   kernels::SharedDevice device)
      : Frontend(std::move(files), std::move(device)),
        settings_(read_idefics3_settings(this->files())),
        tokens_(std::move(tokens)) {
    const Idefics3Config& model = settings_.model;
    settings_.preprocessor.resizer = resizer;
    rows_per_tile_ = rows_for(model.vision.patches_per_side(), model.scale_factor);
    check_tile_side();
    const auto said = settings_.processor.image_seq_len;
    if (said && *said != rows_per_tile_)
      throw Error(ErrorCode::model_invalid,
                  {.where = "processor_config.json: image_seq_len",
                   .got = std::to_string(*said),
                   .expected = std::to_string(rows_per_tile_) + ", as config.json gives"});
    const auto image = tokenizer().token_to_id(tokens_.image);
    if (!image || *image != model.image_token_id)
      throw Error(ErrorCode::model_invalid,
                  {.where = "config.json: image_token_id",
                   .got = std::to_string(model.image_token_id),
                   .expected = "the tokenizer's id of " + tokens_.image + ", " +
                               (image ? std::to_string(*image) : "which it lacks")});
    video_ = make_smolvlm_video(this->files(), model, tokens_, this->device());
  }

  const Idefics3Config& config() const override { return settings_.model; }

  std::vector<ModuleShape> modules() const override {
    const Idefics3Config& m = settings_.model;
    const auto text = [](std::initializer_list<int64_t> sizes) { return to_string(Shape(sizes)).substr(1); };
    const int64_t side = m.vision.patches_per_side();
    const int64_t pixels = settings_.preprocessor.max_image_size_longest_edge;
    const std::string tiles = "[N, " + text({3, pixels, pixels});
    const std::string patches = "[N, " + text({side * side, m.vision.hidden_size});
    const std::string connected = "[N, " + text({rows_per_tile_, m.connector_hidden_size});
    const std::string rows = "[N, " + text({rows_per_tile_, m.text.hidden_size});
    const std::string sequence = "[L, " + text({m.text.hidden_size});
    const std::string dot = ".";
    return {{"image", "file", tiles, {}, Stage::image},
            {"vision tower", tiles, patches, prefixes(kVision + dot), Stage::image},
            {"connector", patches, connected, prefixes(kConnector + dot), Stage::image},
            {"hidden align", connected, rows, prefixes(kAlign + dot), Stage::image},
            {kEmbeddingModule, "ids [L]", sequence, prefixes(kText + dot + "embed_tokens.")},
            {"pack", rows + " + " + sequence, sequence, {}},
            {"text backbone", sequence, sequence, prefixes(kText + dot)},
            {"head", sequence, "[L, " + text({m.text.vocab_size}), {"lm_head."}}};
  }

  TileShape tile_shape() const override {
    const Idefics3Config& m = settings_.model;
    const int64_t side = m.vision.patches_per_side();
    return {.side = settings_.preprocessor.max_image_size_longest_edge,
            .tower_rows = side * side + class_tokens(m.vision),
            .features = m.vision.hidden_size,
            .rows = rows_per_tile_,
            .width = m.connector_hidden_size};
  }

  ImagePlan plan(ImageSize size, std::optional<bool> split) const override {
    const TileGrid grid = plan_tiles(size, preprocessing(split));
    return {
        .size = size, .grid = grid, .tiles = grid.tiles(), .tokens = image_token_count(grid, rows_per_tile_)};
  }

  Tiles tiles(const RgbImage& image, std::optional<bool> split) const override {
    return make_tiles(image, preprocessing(split), device());
  }

  PixelBatch pixels(const Tiles& tiles) const override {
    return {.pixels = normalise(tiles, settings_.preprocessor, device()), .patch_mask = {}};
  }

  bool has_pixel_mask() const override { return true; }

  const VideoFrontend* video() const override { return video_.get(); }

  Segments expand(const Segments& rendered, std::span<const ImagePlan> images,
                  bool parse_special) const override {
    std::vector<TileGrid> grids;
    for (const ImagePlan& image : images) grids.push_back(image.grid);
    return expand_image_prompt(rendered, grids, rows_per_tile_, tokens_, parse_special);
  }

  std::unique_ptr<const Engine> load_engine(const Checkpoint& checkpoint) const override;

 private:
  PreprocessorConfig preprocessing(std::optional<bool> split) const {
    PreprocessorConfig config = settings_.preprocessor;
    if (split) config.do_image_splitting = *split;
    return config;
  }

  // Tiles of the preprocessor must have as many patches as the tower's rows are counted for.
  void check_tile_side() const {
    const VisionConfig& vision = settings_.model.vision;
    const int64_t tile = settings_.preprocessor.max_image_size_longest_edge;
    const bool whole = patch_positions(vision) == PatchPositions::in_order;
    if (whole ? tile != vision.image_size : tile / vision.patch_size != vision.patches_per_side())
      throw Error(ErrorCode::model_invalid,
                  {.where = "preprocessor_config.json: max_image_size.longest_edge",
                   .got = std::to_string(tile),
                   .expected = std::to_string(vision.image_size) + ", the tower's image_size"});
  }

  Idefics3Settings settings_;
  ImageTokens tokens_;
  int64_t rows_per_tile_ = 0;
  std::unique_ptr<const VideoFrontend> video_;  // null for a processor without videos
};

class Idefics3Engine final : public Engine {
 public:
  /// model: the prefix of all parts but the head.
  Idefics3Engine(const Idefics3Config& config, const Scope& model, const Scope& head)
      : tower_(make_tower(config.vision, model.sub(kVision))),
        adapter_(tower_, adapter_options(config)),
        connector_(model.sub(kConnector), config.vision.hidden_size, config.scale_factor,
                   config.connector_hidden_size),
        align_(model.sub(kAlign), config.connector_hidden_size, config.text.hidden_size),
        decoder_(config.text, config.tie_word_embeddings, model.sub(kText), head) {}

  std::unique_ptr<FeaturePass> start_image(const PixelBatch& batch, const Memory& memory) const override {
    return adapter_.start(batch, memory);  // [N, P, C]
  }
  int64_t group_size() const override { return adapter_.tiles_per_call(); }
  Tensor connect(const Tensor& features, Workspace& workspace) const override {
    return connector_.forward(features, workspace);  // [N, T, D']
  }
  Tensor image_rows(Tensor connected, const ImagePlan&) const override {
    Tensor rows = align_.forward(std::move(connected), decoder_.device());  // [N, T, D]
    rows.reshape({rows.matrix().rows, rows.shape().back()});                // [N*T, D]
    return rows;
  }
  const Decoder& decoder() const override { return decoder_; }
  std::vector<int32_t> position_ids(const PixelBatch& batch) const override {
    return tower_->position_ids(batch);
  }
  int64_t patch_size() const override { return tower_->patch_size(); }

 private:
  static AdapterOptions adapter_options(const Idefics3Config& config) {
    const int64_t patches = config.vision.patches_per_side() * config.vision.patches_per_side();
    return {.resize = {},
            .normalize = {},  // the preprocessor has normalised already
            .expected_patches = patches,
            .expected_hidden = config.vision.hidden_size,
            .tiles_per_call = tiles_per_call(patches),
            .skip_rows = class_tokens(config.vision)};
  }

  std::shared_ptr<const VisionTower> tower_;
  VisionTowerAdapter adapter_;
  Idefics3Connector connector_;
  HiddenAlign align_;
  LlamaDecoder decoder_;
};

std::unique_ptr<const Engine> Idefics3Frontend::load_engine(const Checkpoint& checkpoint) const {
  Binder binder(checkpoint, device());
  const Scope root = binder.root();
  const std::string norm = std::string(kText) + ".norm.weight";
  const bool base = !root.has("model." + norm) && root.has(norm);
  if (patch_positions(config().vision) == PatchPositions::in_order)
    waive_pooling_head(binder, std::string(base ? "" : "model.") + kVision + ".");
  auto engine = std::make_unique<Idefics3Engine>(config(), base ? root : root.sub("model"), root);
  engine->unused = binder.finish(files().path().string());
  return engine;
}

}  // namespace

std::unique_ptr<const Frontend> make_idefics3_frontend(std::shared_ptr<const ModelFiles> files,
                                                       Resizer resizer, kernels::SharedDevice device) {
  return std::make_unique<Idefics3Frontend>(std::move(files), resizer, ImageTokens(), std::move(device));
}

std::unique_ptr<const Frontend> make_smolvlm_frontend(std::shared_ptr<const ModelFiles> files,
                                                      Resizer resizer, kernels::SharedDevice device) {
  ImageTokens tokens = read_image_tokens(*files);
  return std::make_unique<Idefics3Frontend>(std::move(files), resizer, std::move(tokens), std::move(device));
}

}  // namespace galago
