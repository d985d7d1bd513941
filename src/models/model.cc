// The public API on top of frontend, engine and pipeline.
#include <algorithm>
#include <string>

#include "core/cancelled.h"
#include "core/checked.h"
#include "galago/galago.h"
#include "generate/fallback.h"
#include "generate/options.h"
#include "kernels/kernels.h"
#include "core/clock.h"
#include "models/pipeline.h"
#include "models/registry.h"
#include "models/sequence.h"

namespace galago {

struct Image::Data {
  RgbImage rgb;
  double decode_ms = 0;
};

struct Model::State {
  Checkpoint checkpoint;  // first: the engine reads its memory maps
  std::unique_ptr<const Frontend> frontend;
  std::unique_ptr<const Engine> engine;
  double load_ms = 0;
};

const char* version() noexcept { return GALAGO_VERSION; }

Image Image::open(const std::filesystem::path& file) {
  const Clock clock;
  auto data = std::make_shared<Data>();
  data->rgb = load_image(file);
  data->decode_ms = clock.ms();
  return Image(std::move(data));
}

Image Image::from_bytes(std::span<const std::byte> bytes, const std::string& name) {
  const Clock clock;
  auto data = std::make_shared<Data>();
  data->rgb = decode_image(bytes, name);
  data->decode_ms = clock.ms();
  return Image(std::move(data));
}

Image Image::from_rgb(int64_t width, int64_t height, std::span<const uint8_t> pixels) {
  const auto count = element_count({height, width, 3});
  if (width < 1 || height < 1 || count != static_cast<int64_t>(pixels.size()))
    throw Error(ErrorCode::input_invalid,
                {.where = "image from RGB",
                 .got = std::to_string(pixels.size()) + " bytes",
                 .expected = std::to_string(width) + " x " + std::to_string(height) + " x 3"});
  auto data = std::make_shared<Data>();
  data->rgb = {.width = width, .height = height, .pixels = {pixels.begin(), pixels.end()}};
  return Image(std::move(data));
}

int64_t Image::width() const { return data_->rgb.width; }
int64_t Image::height() const { return data_->rgb.height; }
std::span<const uint8_t> Image::pixels() const { return data_->rgb.pixels; }

Model Model::load(const std::filesystem::path& directory, const LoadOptions& options) {
  const Clock clock;
  if (options.dtype != "auto" && options.dtype != "f32")
    throw Error(ErrorCode::usage, {.where = "dtype", .got = options.dtype, .expected = "auto or f32"});
  kernels::set_threads(options.threads);
  auto state = std::make_shared<State>();
  state->frontend = load_frontend(directory);
  state->checkpoint = Checkpoint::open_directory(directory);
  state->engine = load_engine(*state->frontend, state->checkpoint);
  state->load_ms = clock.ms();
  return Model(std::move(state));
}

namespace {

ImageInfo image_info(ImageSize size, const ImagePlan& plan) {
  return {.width = size.width,
          .height = size.height,
          .rows = plan.grid.rows,
          .cols = plan.grid.cols,
          .tiles = plan.tiles,
          .tokens = plan.tokens};
}

// Encodes images one after another; tile counts run on over all of them.
class ImageEncoder {
 public:
  ImageEncoder(const Frontend& frontend, const Engine& engine, const PlannedPrompt& plan,
               const ProgressCallback& progress)
      : frontend_(frontend), engine_(engine), plan_(plan), progress_(progress) {}

  // Image rows [R, D]; adds to the timings.
  Tensor encode(const RgbImage& image, Timings& timings) {
    const Clock clock;
    const PixelBatch batch = prepare_image(frontend_, image, plan_.preprocessing);
    timings.preprocess_ms += clock.ms();
    ImageFeatures features = engine_.encode(batch, workspace_, [this](int64_t done, int64_t) {
      return !progress_ || progress_({.tiles_done = done_ + done,
                                      .tiles_total = plan_.tiles,
                                      .prompt_tokens = static_cast<int64_t>(plan_.ids.size())});
    });
    done_ += batch.pixels.shape()[0];
    timings.vision_ms += features.vision_ms;
    timings.connector_ms += features.connector_ms;
    return std::move(features.image_rows);
  }

 private:
  const Frontend& frontend_;
  const Engine& engine_;
  const PlannedPrompt& plan_;
  const ProgressCallback& progress_;
  Workspace workspace_;
  int64_t done_ = 0;
};

}  // namespace

Answer Model::ask(const Request& request) const {
  const Clock clock;
  check_options(request.options);
  std::vector<ImageSize> sizes;
  for (const Image& image : request.images)
    sizes.push_back({.width = image.width(), .height = image.height()});
  const PromptText text{
      .prompt = request.prompt, .system = request.system, .parse_special = request.parse_special};
  PlannedPrompt plan = plan_prompt(*state_->frontend, text, sizes, request.split_images);

  Answer answer;
  answer.usage = {.prompt_tokens = static_cast<int64_t>(plan.ids.size()), .image_tokens = plan.image_tokens};
  answer.timings.load_ms = state_->load_ms;
  for (size_t i = 0; i < sizes.size(); ++i) answer.images.push_back(image_info(sizes[i], plan.images[i]));
  try {
    std::vector<Tensor> image_rows;
    ImageEncoder encoder(*state_->frontend, *state_->engine, plan, request.on_progress);
    for (const Image& image : request.images) {
      answer.timings.decode_image_ms += image.data_->decode_ms;
      image_rows.push_back(encoder.encode(image.data_->rgb, answer.timings));
    }
    const Tensor rows = pack_prompt(*state_->frontend, *state_->engine, plan.ids, image_rows);
    const double before_ms = clock.ms();

    DecoderSequence sequence(state_->engine->decoder());
    CausalBackbone backbone(sequence);
    TokenizerText pieces(state_->frontend->tokenizer(), request.options.keep_special);
    Generation generation = generate_answer({.from_embeds = &backbone},
                                            {.rows = rows.matrix(),
                                             .ids = plan.ids,
                                             .end_ids = state_->frontend->settings().generation.eos_token_id,
                                             .image_tokens = plan.image_tokens,
                                             .options = request.options,
                                             .on_piece = request.on_text},
                                            pieces);
    answer.text = std::move(generation.text);
    answer.token_ids = std::move(generation.token_ids);
    answer.finish_reason = generation.finish_reason;
    answer.usage.completion_tokens = generation.usage.completion_tokens;
    answer.timings.prefill_ms = generation.timings.prefill_ms;
    answer.timings.first_token_ms = before_ms + generation.timings.first_token_ms;
    answer.timings.decode_ms = generation.timings.decode_ms;
    answer.timings.tokens_per_second = generation.timings.tokens_per_second;
  } catch (const Cancelled&) {
    answer.finish_reason = FinishReason::cancelled;
  }
  answer.prompt_token_ids = std::move(plan.ids);
  return answer;
}

ImageInfo Model::plan_image(int64_t width, int64_t height, std::optional<bool> split_images) const {
  const ImageSize size{.width = width, .height = height};
  return image_info(size, state_->frontend->plan(size, state_->frontend->preprocessing(split_images)));
}

}  // namespace galago
