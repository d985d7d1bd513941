// config -> wired stations for model_type idefics3 and smolvlm.
#include "models/idefics3.h"

#include <chrono>
#include <string>

#include "connector/connector.h"
#include "galago/error.h"
#include "core/clock.h"
#include "vision/siglip.h"

namespace galago {
namespace {

// Tiles that go through the tower together: enough rows for the products, little enough scratch to stay near
// the core.
constexpr int64_t kRowsPerTowerCall = 1024;

class Idefics3Frontend final : public Frontend {
 public:
  explicit Idefics3Frontend(ModelDirectory settings) : Frontend(std::move(settings)) {
    const ModelConfig& model = this->settings().model;
    rows_per_tile_ = rows_for(model.vision.patches_per_side(), model.scale_factor);
    const auto said = this->settings().processor.image_seq_len;
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
  }

  std::vector<StationShape> stations() const override {
    const ModelConfig& m = settings().model;
    const auto text = [](std::initializer_list<int64_t> sizes) { return to_string(Shape(sizes)).substr(1); };
    const int64_t side = m.vision.patches_per_side();
    const std::string tiles = "[N, " + text({3, m.vision.image_size, m.vision.image_size});
    const std::string patches = "[N, " + text({side * side, m.vision.hidden_size});
    const std::string rows = "[N, " + text({rows_per_tile_, m.text.hidden_size});
    const std::string sequence = "[L, " + text({m.text.hidden_size});
    return {{"image", "file", tiles, {}},
            {"vision tower", tiles, patches, {"model.vision_model."}},
            {"connector", patches, rows, {"model.connector."}},
            {"hidden align", rows, rows + " (identity)", {}},
            {"embedding", "ids [L]", sequence, {"model.text_model.embed_tokens."}},
            {"pack", rows + " + " + sequence, sequence, {}},
            {"text backbone", sequence, sequence, {"model.text_model.layers.", "model.text_model.norm."}},
            {"head", sequence, "[L, " + text({m.text.vocab_size}), {"lm_head."}}};
  }

  ImagePlan plan(ImageSize size, const PreprocessorConfig& config) const override {
    const TileGrid grid = plan_tiles(size, config);
    return {.grid = grid, .tiles = grid.tiles(), .tokens = image_token_count(grid, rows_per_tile_)};
  }

  PixelBatch pixels(const Tiles& tiles, const PreprocessorConfig& config) const override {
    return {.pixels = normalise(tiles, config), .patch_mask = {}};
  }

  Segments expand(const Segments& rendered, std::span<const TileGrid> grids,
                  bool parse_special) const override {
    return expand_image_prompt(rendered, grids, rows_per_tile_, tokens_, parse_special);
  }

 private:
  ImageTokens tokens_;
  int64_t rows_per_tile_ = 0;
};

class Idefics3Engine final : public Engine {
 public:
  Idefics3Engine(const ModelConfig& config, Binder& binder)
      : tower_(std::make_shared<const SiglipTower>(config.vision,
                                                   binder.root().sub("model").sub("vision_model"))),
        adapter_(tower_, adapter_options(config)),
        connector_(binder.root().sub("model").sub("connector"), config.vision.hidden_size,
                   config.scale_factor, config.text.hidden_size),
        align_(config.text.hidden_size),
        decoder_(config.text, config.tie_word_embeddings, binder.root().sub("model").sub("text_model"),
                 binder.root()) {}

  ImageFeatures encode(const PixelBatch& batch, Workspace& workspace,
                       const TileProgress& progress) const override {
    ImageFeatures out;
    const Clock clock;
    out.vision_last_hidden_state = adapter_.forward(batch, workspace, progress);  // [N, P, C]
    out.vision_ms = clock.ms();
    out.connector_output = connector_.forward(out.vision_last_hidden_state, workspace);  // [N, T, D']
    out.image_rows = align_.forward(out.connector_output.copy());                        // [N, T, D]
    out.image_rows.reshape({out.image_rows.matrix().rows, out.image_rows.shape().back()});
    out.connector_ms = clock.ms() - out.vision_ms;
    return out;
  }

  const LlamaDecoder& decoder() const override { return decoder_; }
  std::vector<int32_t> position_ids(const PixelBatch& batch) const override {
    return tower_->position_ids(batch);
  }
  int64_t patch_size() const override { return tower_->patch_size(); }

 private:
  static AdapterOptions adapter_options(const ModelConfig& config) {
    const int64_t patches = config.vision.patches_per_side() * config.vision.patches_per_side();
    return {.resize = {},
            .normalize = {},  // the preprocessor has normalised already
            .expected_patches = patches,
            .expected_hidden = config.vision.hidden_size,
            .tiles_per_call = std::max<int64_t>(1, kRowsPerTowerCall / patches)};
  }

  std::shared_ptr<const SiglipTower> tower_;
  VisionTowerAdapter adapter_;
  Idefics3Connector connector_;
  HiddenAlign align_;
  LlamaDecoder decoder_;
};

}  // namespace

std::unique_ptr<const Frontend> make_idefics3_frontend(ModelDirectory settings) {
  return std::make_unique<Idefics3Frontend>(std::move(settings));
}

std::unique_ptr<const Engine> make_idefics3_engine(const Frontend& frontend, const Checkpoint& checkpoint) {
  Binder binder(checkpoint);
  if (frontend.settings().model.tie_word_embeddings)
    binder.waive("lm_head.weight");  // a copy of the tied table
  auto engine = std::make_unique<Idefics3Engine>(frontend.settings().model, binder);
  binder.finish(frontend.settings().path.string());
  return engine;
}

}  // namespace galago
