// config -> a vision tower with its pooling head, a text tower, scale and bias.
#include "models/siglip.h"

#include <cmath>

#include "formats/config/siglip_config.h"
#include "galago/error.h"
#include "image/fixed_size.h"
#include "models/towers.h"
#include "nn/vision/siglip.h"
#include "nn/vision/siglip_text.h"
#include "text/tokenizer/padded_text.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {
namespace {

class Siglip final : public DualEncoder {
 public:
  Siglip(std::shared_ptr<const ModelFiles> files, Resizer resizer)
      : settings_(read_siglip_settings(*files)),
        tokenizer_(Tokenizer::from_files(*files)),
        checkpoint_(files->checkpoint()),
        binder_(std::make_unique<Binder>(checkpoint_)),
        vision_(settings_.model.vision, binder_->root().sub("vision_model"),
                {.positions = PatchPositions::in_order, .taps = {}, .pooling_head = true}),
        text_(settings_.model.text, binder_->root().sub("text_model")) {
    settings_.preprocessor.resizer = resizer;
    const Tensor scale = to_tensor(binder_->root().tensor("logit_scale", {1}));
    const Tensor bias = to_tensor(binder_->root().tensor("logit_bias", {1}));
    unused = binder_->finish(files->path().string());
    binder_.reset();
    logit_scale_ = std::exp(scale.data()[0]);
    logit_bias_ = bias.data()[0];
    if (!std::isfinite(logit_scale_) || !std::isfinite(logit_bias_))
      throw Error(ErrorCode::model_invalid,
                  {.where = files->path().string() + ": logit_scale, logit_bias",
                   .got = std::to_string(scale.data()[0]) + ", " + std::to_string(logit_bias_),
                   .expected = "finite numbers, the first of them below 88"});
    check_vocabulary(*files);
  }

  int64_t dimension() const override { return settings_.model.vision.hidden_size; }
  float logit_scale() const override { return logit_scale_; }
  float logit_bias() const override { return logit_bias_; }
  int64_t images_per_call() const override {
    const int64_t side = settings_.model.vision.patches_per_side();
    return tiles_per_call(side * side);
  }
  int64_t texts_per_call() const override {
    return tiles_per_call(settings_.model.text.max_position_embeddings);
  }

  Tensor encode_images(std::span<const RgbImage> images, Workspace& workspace) const override {
    const Tiles tiles = make_fixed_size_tiles(images, settings_.preprocessor);
    const PixelBatch batch{.pixels = normalise(tiles, settings_.preprocessor), .patch_mask = {}};
    return std::move(*vision_.forward(batch, 0, tiles.count, workspace).pooler_output);  // [n, D]
  }

  Tensor encode_texts(std::span<const std::string> texts, bool parse_special,
                      Workspace& workspace) const override {
    PaddedIds all;
    for (const std::string& text : texts) {
      const PaddedIds own =
          encode_padded(tokenizer_, text, settings_.model.text.max_position_embeddings, parse_special);
      all.ids.insert(all.ids.end(), own.ids.begin(), own.ids.end());
      if (settings_.attention_mask) all.mask.insert(all.mask.end(), own.mask.begin(), own.mask.end());
    }
    return text_.forward(all.ids, static_cast<int64_t>(texts.size()), all.mask, workspace);  // [n, D]
  }

 private:
  void check_vocabulary(const ModelFiles& files) const {
    if (tokenizer_.vocab_size() <= settings_.model.text.vocab_size) return;
    throw Error(ErrorCode::model_invalid,
                {.where = files.where("config.json") + ": text_config.vocab_size",
                 .got = std::to_string(settings_.model.text.vocab_size),
                 .expected = std::to_string(tokenizer_.vocab_size()) + " or more, as the tokenizer has"});
  }

  SiglipSettings settings_;
  Tokenizer tokenizer_;
  Checkpoint checkpoint_;           // before the towers: they read its memory maps
  std::unique_ptr<Binder> binder_;  // while the towers are being made
  SiglipTower vision_;
  SiglipTextTower text_;
  float logit_scale_ = 0;
  float logit_bias_ = 0;
};

}  // namespace

std::unique_ptr<const DualEncoder> make_siglip(std::shared_ptr<const ModelFiles> files, Resizer resizer) {
  return std::make_unique<const Siglip>(std::move(files), resizer);
}

}  // namespace galago
