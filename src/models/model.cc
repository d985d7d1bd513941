// The public API on top of frontend, engine and pipeline.
#include <string>

#include "core/cancelled.h"
#include "core/clock.h"
#include "galago/galago.h"
#include "generate/fallback.h"
#include "generate/options.h"
#include "kernels/kernels.h"
#include "models/guarded.h"
#include "models/image_encoder.h"
#include "models/pipeline.h"
#include "models/registry.h"
#include "models/sequence.h"

namespace galago {

struct Image::Data {
  RgbImage rgb;
  double decode_ms = 0;
};

struct Video::Data {
  std::shared_ptr<const VideoSource> source;
};

struct Model::State {
  Checkpoint checkpoint;  // first: the engine reads its memory maps
  std::unique_ptr<const Frontend> frontend;
  std::unique_ptr<const Engine> engine;
  double load_ms = 0;
};

const char* version() noexcept { return GALAGO_VERSION; }

Image Image::open(const std::filesystem::path& file) {
  return guarded([&] {
    const Clock clock;
    auto data = std::make_shared<Data>();
    data->rgb = load_image(file);
    data->decode_ms = clock.ms();
    return Image(std::move(data));
  });
}

Image Image::from_bytes(std::span<const std::byte> bytes, const std::string& name) {
  return guarded([&] {
    const Clock clock;
    auto data = std::make_shared<Data>();
    data->rgb = decode_image(bytes, name);
    data->decode_ms = clock.ms();
    return Image(std::move(data));
  });
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

Video Video::open(const std::filesystem::path& path, std::optional<double> fps) {
  return guarded([&] { return Video(std::make_shared<Data>(Data{open_video(path, fps)})); });
}

Video Video::from_frames(std::span<const Image> frames, double fps) {
  return guarded([&] {
    std::vector<std::shared_ptr<const RgbImage>> pictures;
    for (const Image& frame : frames) pictures.emplace_back(frame.data_, &frame.data_->rgb);
    return Video(std::make_shared<Data>(Data{video_of_frames(std::move(pictures), fps)}));
  });
}

int64_t Video::frames() const { return data_->source->facts().frames; }
double Video::fps() const { return data_->source->facts().fps; }
double Video::seconds() const { return data_->source->facts().duration; }

Model Model::load(const std::filesystem::path& directory, const LoadOptions& options) {
  const Clock clock;
  if (options.dtype != "auto" && options.dtype != "f32")
    throw Error(ErrorCode::usage, {.where = "dtype", .got = options.dtype, .expected = "auto or f32"});
  kernels::set_threads(options.threads);
  return guarded([&] {
    auto state = std::make_shared<State>();
    state->frontend = load_frontend(directory);
    state->checkpoint = state->frontend->files().checkpoint();
    state->engine = state->frontend->load_engine(state->checkpoint);
    state->load_ms = clock.ms();
    return Model(std::move(state));
  });
}

namespace {

ImageInfo image_info(const ImagePlan& plan) {
  return {.width = plan.size.width,
          .height = plan.size.height,
          .rows = plan.grid.rows,
          .cols = plan.grid.cols,
          .tiles = plan.tiles,
          .tokens = plan.tokens};
}

VideoInfo video_info(const VideoPlan& plan) {
  return {.width = plan.facts.size.width,
          .height = plan.facts.size.height,
          .frames = plan.facts.frames,
          .fps = plan.facts.fps,
          .seconds = plan.facts.duration,
          .sampled = plan.frames,
          .tokens = plan.tokens};
}

// The packed prompt [L, D] of a request.
Tensor prompt_rows(const Frontend& frontend, const Engine& engine, const PlannedPrompt& plan,
                   const Visuals& visuals, const Request& request, Timings& timings) {
  const auto progress = [&](int64_t done, int64_t total) {
    return !request.on_progress ||
           request.on_progress(
               {.tiles_done = done, .tiles_total = total, .prompt_tokens = std::ssize(plan.ids)});
  };
  ImageEncoder encoder(frontend, engine, {.split = request.split_images, .progress = progress});
  return pack_prompt(frontend, engine, plan.ids, encoder.encode(visuals, plan, timings));
}

// Decodes from a packed prompt [L, D].
Generation generate_text(const Frontend& frontend, const Engine& engine, const PlannedPrompt& plan,
                         const Request& request, const Tensor& rows) {
  DecoderSequence sequence(engine.decoder());
  CausalBackbone backbone(sequence);
  TokenizerText pieces(frontend.tokenizer(), request.options.keep_special);
  return generate_answer({.from_embeds = &backbone},
                         {.rows = rows.matrix(),
                          .ids = plan.ids,
                          .end_ids = frontend.generation().eos_token_id,
                          .image_tokens = plan.image_tokens,
                          .options = request.options,
                          .on_piece = request.on_text,
                          .rules = token_rules(frontend)},
                         pieces);
}

void add_generation(Generation generation, double before_ms, Answer& answer) {
  answer.text = std::move(generation.text);
  answer.token_ids = std::move(generation.token_ids);
  answer.finish_reason = generation.finish_reason;
  answer.usage.completion_tokens = generation.usage.completion_tokens;
  answer.timings.prefill_ms = generation.timings.prefill_ms;
  answer.timings.first_token_ms = before_ms + generation.timings.first_token_ms;
  answer.timings.decode_ms = generation.timings.decode_ms;
  answer.timings.tokens_per_second = generation.timings.tokens_per_second;
}

}  // namespace

Answer Model::ask(const Request& request) const {
  const Clock clock;
  check_options(request.options);
  std::vector<ImageSize> sizes;
  std::vector<VideoFacts> videos;
  Visuals visuals;
  Answer answer;
  answer.timings.load_ms = state_->load_ms;
  for (const Image& image : request.images) {
    visuals.images.push_back(&image.data_->rgb);
    sizes.push_back({.width = image.width(), .height = image.height()});
    answer.timings.decode_image_ms += image.data_->decode_ms;
  }
  for (const Video& video : request.videos) {
    visuals.videos.push_back(video.data_->source.get());
    videos.push_back(video.data_->source->facts());
  }
  const PromptText text{.prompt = request.prompt,
                        .system = request.system,
                        .parse_special = request.parse_special,
                        .raw = request.raw};
  return guarded([&] {
    PlannedPrompt plan = plan_prompt(*state_->frontend, text, sizes, request.split_images, videos);
    for (const ImagePlan& image : plan.images) answer.images.push_back(image_info(image));
    for (const VideoPlan& video : plan.videos) answer.videos.push_back(video_info(video));
    answer.usage = {.prompt_tokens = static_cast<int64_t>(plan.ids.size()),
                    .image_tokens = plan.image_tokens};
    try {
      const Tensor rows =
          prompt_rows(*state_->frontend, *state_->engine, plan, visuals, request, answer.timings);
      const double before_ms = clock.ms();
      add_generation(generate_text(*state_->frontend, *state_->engine, plan, request, rows), before_ms,
                     answer);
    } catch (const Cancelled&) {
      answer.finish_reason = FinishReason::cancelled;
    }
    answer.prompt_token_ids = std::move(plan.ids);
    return std::move(answer);
  });
}

ImageInfo Model::plan_image(int64_t width, int64_t height, std::optional<bool> split_images) const {
  const ImageSize size{.width = width, .height = height};
  return image_info(state_->frontend->plan(size, split_images));
}

}  // namespace galago
