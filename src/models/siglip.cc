// config -> a vision tower with its pooling head, a text tower, scale and bias.
#include "models/siglip.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "formats/config/siglip_config.h"
#include "galago/error.h"
#include "image/fixed_size.h"
#include "image/naflex.h"
#include "models/towers.h"
#include "nn/vision/naflex.h"
#include "nn/vision/siglip.h"
#include "nn/vision/siglip_text.h"
#include "text/tokenizer/padded_text.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {
namespace {

// The half that sees: pictures in, [n, D] out.
class PictureHalf {
 public:
  virtual ~PictureHalf() = default;
  virtual int64_t images_per_call() const = 0;
  virtual Tensor encode(std::span<const RgbImage> images, Workspace& workspace) const = 0;
};

// Every picture is squeezed into the tower's size.
class FixedSizeHalf final : public PictureHalf {
 public:
  FixedSizeHalf(const SiglipSettings& settings, const Scope& scope)
      : preprocessor_(settings.preprocessor),
        patches_per_side_(settings.model.vision.patches_per_side()),
        tower_(settings.model.vision, scope,
               {.positions = PatchPositions::in_order, .taps = {}, .pooling_head = true}) {}

  int64_t images_per_call() const override { return tiles_per_call(patches_per_side_ * patches_per_side_); }
  Tensor encode(std::span<const RgbImage> images, Workspace& workspace) const override {
    const Tiles tiles = make_fixed_size_tiles(images, preprocessor_, workspace.device());
    const PixelBatch batch{.pixels = normalise(tiles, preprocessor_, workspace.device()), .patch_mask = {}};
    return std::move(*tower_.forward(batch, 0, tiles.count, workspace).pooler_output);  // [n, D]
  }

 private:
  FixedSizeConfig preprocessor_;
  int64_t patches_per_side_;
  SiglipTower tower_;
};

// Every picture becomes as many patches of its own shape as the settings allow.
class NaflexHalf final : public PictureHalf {
 public:
  NaflexHalf(const NaflexSettings& settings, const Scope& scope)
      : preprocessor_(settings.preprocessor), tower_(settings.model.vision, scope) {}

  int64_t images_per_call() const override { return tiles_per_call(preprocessor_.max_num_patches); }
  Tensor encode(std::span<const RgbImage> images, Workspace& workspace) const override {
    const PatchBatch batch = make_patches(images, preprocessor_, workspace.device());
    return std::move(*tower_.forward(batch, workspace).pooler_output);  // [n, D]
  }

 private:
  NaflexConfig preprocessor_;
  NaflexTower tower_;
};

// Binds the half that sees to the weights under a prefix.
using MakePictureHalf = std::function<std::unique_ptr<const PictureHalf>(const Scope& scope)>;

class Siglip final : public DualEncoder {
 public:
  /// attention_mask: whether padding is hidden from a text's other ids.
  Siglip(const std::shared_ptr<const ModelFiles>& files, SiglipConfig config, bool attention_mask,
         kernels::SharedDevice device, const MakePictureHalf& make_pictures)
      : device_(std::move(device)),
        config_(std::move(config)),
        attention_mask_(attention_mask),
        tokenizer_(Tokenizer::from_files(*files)),
        checkpoint_(files->checkpoint()),
        binder_(std::make_unique<Binder>(checkpoint_, *device_)),
        pictures_(make_pictures(binder_->root().sub("vision_model"))),
        text_(config_.text, binder_->root().sub("text_model")) {
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

  const kernels::Device& device() const override { return *device_; }
  int64_t dimension() const override { return config_.vision.hidden_size; }
  float logit_scale() const override { return logit_scale_; }
  float logit_bias() const override { return logit_bias_; }
  int64_t images_per_call() const override { return pictures_->images_per_call(); }
  int64_t texts_per_call() const override { return tiles_per_call(config_.text.max_position_embeddings); }

  Tensor encode_images(std::span<const RgbImage> images, Workspace& workspace) const override {
    return pictures_->encode(images, workspace);
  }

  EncodedTexts encode_texts(std::span<const std::string> texts, bool parse_special,
                            Workspace& workspace) const override {
    PaddedIds all;
    int64_t tokens = 0;
    for (const std::string& text : texts) {
      const PaddedIds own =
          encode_padded(tokenizer_, text, config_.text.max_position_embeddings, parse_special);
      all.ids.insert(all.ids.end(), own.ids.begin(), own.ids.end());
      tokens += std::count(own.mask.begin(), own.mask.end(), 1);
      if (attention_mask_) all.mask.insert(all.mask.end(), own.mask.begin(), own.mask.end());
    }
    return {.rows = text_.forward(all.ids, static_cast<int64_t>(texts.size()), all.mask, workspace),
            .tokens = tokens};
  }

 private:
  void check_vocabulary(const ModelFiles& files) const {
    if (tokenizer_.vocab_size() <= config_.text.vocab_size) return;
    throw Error(ErrorCode::model_invalid,
                {.where = files.where("config.json") + ": text_config.vocab_size",
                 .got = std::to_string(config_.text.vocab_size),
                 .expected = std::to_string(tokenizer_.vocab_size()) + " or more, as the tokenizer has"});
  }

  kernels::SharedDevice device_;
  SiglipConfig config_;
  bool attention_mask_;
  Tokenizer tokenizer_;
  Checkpoint checkpoint_;           // before the towers: they read its memory maps
  std::unique_ptr<Binder> binder_;  // while the towers are being made
  std::unique_ptr<const PictureHalf> pictures_;
  SiglipTextTower text_;
  float logit_scale_ = 0;
  float logit_bias_ = 0;
};

}  // namespace

std::unique_ptr<const DualEncoder> make_siglip(std::shared_ptr<const ModelFiles> files, Resizer resizer,
                                               kernels::SharedDevice device) {
  SiglipSettings settings = read_siglip_settings(*files);
  settings.preprocessor.resizer = resizer;
  return std::make_unique<const Siglip>(
      files, settings.model, settings.attention_mask, std::move(device),
      [&](const Scope& scope) { return std::make_unique<const FixedSizeHalf>(settings, scope); });
}

std::unique_ptr<const DualEncoder> make_siglip2(std::shared_ptr<const ModelFiles> files, Resizer resizer,
                                                kernels::SharedDevice device) {
  NaflexSettings settings = read_naflex_settings(*files);
  settings.preprocessor.resizer = resizer;
  return std::make_unique<const Siglip>(
      files, settings.model, settings.attention_mask, std::move(device),
      [&](const Scope& scope) { return std::make_unique<const NaflexHalf>(settings, scope); });
}

}  // namespace galago
