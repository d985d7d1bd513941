// config -> decoder for a text model alone.
#include "models/text_model.h"

#include <string>

#include "core/limits.h"
#include "galago/error.h"
#include "nn/decoder/llama.h"

namespace galago {
namespace {

[[noreturn]] void no_pictures(const std::string& why = {}) {
  throw Error(
      ErrorCode::input_invalid,
      {.where = "images", .got = "one", .expected = "none: this model reads no pictures", .hint = why});
}

class TextEngine final : public Engine {
 public:
  TextEngine(const ModelConfig& config, const Scope& text, const Scope& head)
      : decoder_(config.text, config.tie_word_embeddings, text, head) {}

  std::unique_ptr<FeaturePass> start_image(const PixelBatch&, const Memory&) const override { no_pictures(); }
  int64_t group_size() const override { no_pictures(); }
  Tensor connect(const Tensor&, Workspace&) const override { no_pictures(); }
  Tensor image_rows(Tensor, const ImagePlan&) const override { no_pictures(); }
  const Decoder& decoder() const override { return decoder_; }
  std::vector<int32_t> position_ids(const PixelBatch&) const override { no_pictures(); }
  int64_t patch_size() const override { no_pictures(); }

 private:
  LlamaDecoder decoder_;
};

class TextFrontend final : public Frontend {
 public:
  TextFrontend(std::shared_ptr<const ModelFiles> files, kernels::SharedDevice device)
      : Frontend(std::move(files), std::move(device), PromptStyle::tokenizer),
        config_(parse_text_model_config(this->files().read("config.json", limits::kConfigBytes),
                                        this->files().where("config.json"))) {}

  const ModelConfig& config() const override { return config_; }
  bool reads_pictures() const override { return false; }

  std::vector<ModuleShape> modules() const override {
    const std::string rows = "[L, " + std::to_string(config_.text.hidden_size) + "]";
    const std::string logits = "[L, " + std::to_string(config_.text.vocab_size) + "]";
    return {{kEmbeddingModule, "ids [L]", rows, {"model.embed_tokens.", "embed_tokens."}},
            {"text backbone", rows, rows, {"model.", "layers.", "norm."}},
            {"head", rows, logits, {"lm_head."}}};
  }

  ImagePlan plan(ImageSize, std::optional<bool>) const override { no_pictures(files().why_no_pictures()); }
  Tiles tiles(const RgbImage&, std::optional<bool>) const override { no_pictures(files().why_no_pictures()); }
  PixelBatch pixels(const Tiles&) const override { no_pictures(); }
  Segments expand(const Segments& rendered, std::span<const ImagePlan>, bool) const override {
    return rendered;
  }

  std::unique_ptr<const Engine> load_engine(const Checkpoint& checkpoint) const override {
    Binder binder(checkpoint, device());
    const Scope root = binder.root();
    // The base class saves its tensors without prefix.
    const bool base = !root.has("model.norm.weight") && root.has("norm.weight");
    const Scope text = base ? root : root.sub("model");
    auto engine = std::make_unique<TextEngine>(config_, text, root);
    engine->unused = binder.finish(files().path().string());
    return engine;
  }

 private:
  ModelConfig config_;
};

}  // namespace

std::unique_ptr<const Frontend> make_text_frontend(std::shared_ptr<const ModelFiles> files, Resizer,
                                                   kernels::SharedDevice device) {
  return std::make_unique<TextFrontend>(std::move(files), std::move(device));
}

}  // namespace galago
