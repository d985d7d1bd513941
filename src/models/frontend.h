// Everything of a model that needs no weights: settings, tokenizer, chat template, image plan and prompt ids.
// In: a model's files, a question, image sizes or pixels. Out: token ids and tiles for the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tile_grid.h"
#include "formats/config/config.h"
#include "formats/model_files.h"
#include "galago/options.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "models/engine.h"
#include "models/video_frontend.h"
#include "text/prompt/chat_template.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {

/// The words of one request: a prompt with its images and videos before it, or a conversation.
struct PromptText {
  std::string prompt;
  std::string system;
  bool parse_special = false;
  /// The prompt is taken as it stands, without template: the tokenizer's own tokens are put around it.
  bool raw = false;
  /// A conversation in the place of prompt and system; its placeholders stand for the images and videos, in
  /// their order.
  std::vector<ChatMessage> messages{};
  bool add_generation_prompt = true;
  bool continue_final_message = false;
  std::string tools{};      ///< as TemplateContext::tools
  std::string arguments{};  ///< as TemplateContext::arguments
};

/// How a family makes a prompt of a message.
enum class PromptStyle {
  /// As a processor: there must be a template, and what it writes gets the tokenizer's tokens around it, but
  /// for a prompt that begins with the start token (ProcessorMixin.apply_chat_template).
  processor,
  /// As a text model's tokenizer: what the template writes is the whole prompt.
  /// A directory without a template has none to write,
  /// and the text is the prompt.
  tokenizer,
};

/// What one image of a given size becomes.
struct ImagePlan {
  ImageSize size;  ///< of the picture
  TileGrid grid;
  std::optional<bool> split{};  ///< what it was planned with
  int64_t tiles = 0;            ///< that go through the tower
  int64_t tokens = 0;           ///< image tokens in the prompt, one for each image row
};

/// When a module works: before the decoder, on one picture after the other, or with the decoder, from the
/// prompt to the last token.
enum class Stage { image, text };

/// Its name in every model.
inline constexpr const char* kEmbeddingModule = "embedding";

/// One tile on its way to the decoder, in numbers; all 0 for a model that reads no pictures.
struct TileShape {
  int64_t side = 0;        ///< pixels
  int64_t tower_rows = 0;  ///< in the tower: patches and class tokens
  int64_t features = 0;    ///< width of a patch's vector when it leaves the tower: C, or C * taps
  bool tapped = false;     ///< whether it is put together from hidden states
  int64_t rows = 0;        ///< that the connector makes of it
  int64_t width = 0;       ///< of these, D'
};

/// One module as `galago inspect` shows it.
struct ModuleShape {
  std::string name;
  std::string input;  ///< shape with its letters filled in
  std::string output;
  std::vector<std::string> prefixes;  ///< of the checkpoint names that belong to it
  Stage stage = Stage::text;
};

/// The weight-free half of a model; const and thread-safe after construction.
class Frontend {
 public:
  virtual ~Frontend() = default;

  const ModelFiles& files() const { return *files_; }
  /// What the model runs on, preprocessing included.
  const kernels::Device& device() const { return *device_; }
  const GenerationConfig& generation() const { return generation_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  bool has_template() const { return template_.has_value(); }
  /// The source of the chat template; empty without one.
  std::string template_source() const { return template_ ? template_->source() : std::string(); }
  /// Whether the template makes a prompt without the user's text.
  bool template_ignores_text() const { return template_ && template_->ignores_text(); }
  /// What every family's config.json says.
  virtual const ModelConfig& config() const = 0;

  /// Rendered and expanded prompt of a conversation, or of one user message: images first, then videos, then
  /// the text. Error{input_invalid} for a system message or a conversation without a template to place it,
  /// Error{not_found} where there must be a template and is none, and the errors of ChatTemplate::render.
  Segments prompt(const PromptText& text, std::span<const ImagePlan> images,
                  std::span<const VideoPlan> videos = {}) const;
  /// Token ids of prompt().
  std::vector<int32_t> prompt_ids(const PromptText& text, std::span<const ImagePlan> images,
                                  std::span<const VideoPlan> videos = {}) const;

  /// What an answer gets where its options leave it open.
  AnswerDefaults answer_defaults() const;

  /// The modules in order, with this model's numbers.
  virtual std::vector<ModuleShape> modules() const = 0;
  /// Grid, tiles and tokens of an image; touches no pixels. `split`: cut it into tiles or do not; nothing: as
  /// the model's settings say. Error{input_invalid} when the model reads no pictures.
  virtual ImagePlan plan(ImageSize size, std::optional<bool> split) const = 0;
  /// The tiles of plan(), as bytes.
  virtual Tiles tiles(const RgbImage& image, std::optional<bool> split) const = 0;
  /// Normalised pixels and patch masks of one image's tiles.
  virtual PixelBatch pixels(const Tiles& tiles) const = 0;
  /// Whether the reference's processor gives a pixel mask beside the pixels: for a trace.
  virtual bool has_pixel_mask() const { return false; }
  /// The image placeholders written out for these images.
  virtual Segments expand(const Segments& rendered, std::span<const ImagePlan> images,
                          bool parse_special) const = 0;

  /// Whether the model has eyes.
  virtual bool reads_pictures() const { return true; }
  /// The part that reads videos; null for a model that reads none.
  virtual const VideoFrontend* video() const { return nullptr; }
  /// The same; Error{model_unsupported} instead of null, Error{input_invalid} without eyes.
  const VideoFrontend& require_video() const;

  /// Binds the weights. The checkpoint's maps and the device must outlive the engine.
  virtual std::unique_ptr<const Engine> load_engine(const Checkpoint& checkpoint) const = 0;

  /// For planning memory.
  virtual TileShape tile_shape() const { return {}; }

 protected:
  Frontend(std::shared_ptr<const ModelFiles> files, kernels::SharedDevice device,
           PromptStyle style = PromptStyle::processor);

 private:
  Segments expand_all(const Segments& rendered, std::span<const ImagePlan> images,
                      std::span<const VideoPlan> videos, bool parse_special) const;
  /// Whether a template writes this prompt. Error{not_found} where one must and there is none.
  bool templated(const PromptText& text, bool videos) const;
  /// What the template writes, or the text alone.
  Segments rendered(const PromptText& text, size_t images, size_t videos) const;
  bool begins_with_start(const Segments& prompt, bool parse_special) const;

  std::shared_ptr<const ModelFiles> files_;
  kernels::SharedDevice device_;
  PromptStyle style_;
  GenerationConfig generation_;
  Tokenizer tokenizer_;
  std::optional<ChatTemplate> template_;
  TemplateContext context_;
};

}  // namespace galago
