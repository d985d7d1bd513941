// The public API's pictures, videos and loading; ask.cc has the questions.
#include <string>
#include <utility>

#include "core/clock.h"
#include "ffmpeg/ffmpeg_video.h"
#include "formats/weights.h"
#include "io/process_memory.h"
#include "models/registry.h"
#include "runtime/guarded.h"
#include "runtime/image_key.h"
#include "runtime/model_state.h"
#include "runtime/request_scheduler.h"

namespace galago {

Model::State::State() = default;
Model::State::~State() = default;

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

Image Image::with_split(bool split) const {
  Image image = *this;
  image.split_ = split;
  return image;
}

int64_t Image::width() const { return data_->rgb.width; }
int64_t Image::height() const { return data_->rgb.height; }
std::span<const uint8_t> Image::pixels() const { return data_->rgb.pixels; }

Video Video::open(const std::filesystem::path& path, std::optional<double> fps) {
  return guarded([&] { return Data::video(open_video(path, fps)); });
}

Video Video::open_with_ffmpeg(const std::filesystem::path& path, const FfmpegOptions& options) {
  return guarded([&] { return Data::video(open_ffmpeg_video(path, options)); });
}

bool Video::needs_ffmpeg(const std::filesystem::path& path) {
  return guarded([&] {
    std::error_code none;
    return !std::filesystem::is_directory(path, none) && video_container(path).has_value();
  });
}

Video Video::from_frames(std::span<const Image> frames, double fps) {
  return guarded([&] {
    std::vector<std::shared_ptr<const RgbImage>> pictures;
    for (const Image& frame : frames) pictures.emplace_back(frame.data_, &frame.data_->rgb);
    return Data::video(video_of_frames(std::move(pictures), fps));
  });
}

int64_t Video::frames() const { return data_->source->facts().frames; }
double Video::fps() const { return data_->source->facts().fps; }
double Video::seconds() const { return data_->source->facts().duration; }

Model Model::load(const std::filesystem::path& directory, const LoadOptions& options) {
  const Clock clock;
  if (options.prefix_cache_bytes < 0)
    throw Error(ErrorCode::usage, {.where = "prefix_cache_bytes",
                                   .got = std::to_string(options.prefix_cache_bytes),
                                   .expected = "0 (off) or more"});
  return guarded([&] {
    auto state = std::make_shared<State>();
    state->image_cache = std::make_unique<FeatureCache>(options.image_cache, [model = state.get(), options] {
      // Files anew: of weights that were converted, memory that was theirs alone is gone.
      return model_key(*model->frontend, model->frontend->files().checkpoint(),
                       std::string(to_string(options.dtype)) + " " + to_string(options.compute) + " pillow " +
                           std::to_string(options.pillow));
    });
    state->frontend = load_frontend(directory, model_options(options));
    state->checkpoint = state->frontend->files().checkpoint();
    state->engine = state->frontend->load_engine(state->checkpoint);
    state->warnings = unused_warnings(state->engine->unused, options.strict, directory.string());
    if (state->frontend->template_ignores_text())
      state->warnings.push_back(directory.string() +
                                ": the chat template does not write the question's text");
    if (const auto& keys = state->frontend->generation().sampling; !keys.empty()) {
      std::string named;
      for (const std::string& key : keys) named += (named.empty() ? "" : ", ") + key;
      state->warnings.push_back(directory.string() + ": generation_config.json asks for sampling (" + named +
                                "); answers are greedy unless a request says otherwise");
    }
    state->doctags = DocTagsVocabulary::of(state->frontend->tokenizer());
    state->grammars = std::make_unique<GrammarCompiler>(state->frontend->tokenizer(),
                                                        state->frontend->config().text.vocab_size,
                                                        state->frontend->generation().eos_token_id);
    state->options = options;
    state->pages = std::make_shared<KvPages>(state->engine->decoder().cache_shape(state->cache_dtype()), 0,
                                             state->frontend->device().memory());
    if (options.prefix_cache_bytes > 0)
      state->prefixes = std::make_unique<PrefixIndex>(options.prefix_cache_bytes, state->pages->page_bytes());
    state->scheduler = std::make_unique<RequestScheduler>(*state, options.scheduler);
    state->load_ms = clock.ms();
    return Model(std::move(state));
  });
}

const std::vector<std::string>& Model::warnings() const { return state_->warnings; }

AnswerDefaults Model::answer_defaults() const { return state_->frontend->answer_defaults(); }

Capabilities Model::capabilities() const {
  const Frontend& frontend = *state_->frontend;
  return {.images = frontend.tile_shape().side > 0,
          .videos = frontend.video() != nullptr,
          .chat_template = frontend.has_template()};
}

int64_t Model::context_length() const { return state_->frontend->config().text.max_position_embeddings; }

std::vector<int32_t> Model::tokenize(std::string_view text, bool parse_special, bool add_special) const {
  return guarded([&] {
    const Tokenizer& tokenizer = state_->frontend->tokenizer();
    std::vector<int32_t> ids = tokenizer.encode({{.text = std::string(text), .user = true}}, parse_special);
    return add_special ? tokenizer.add_special_tokens(std::move(ids)) : ids;
  });
}

std::string Model::detokenize(std::span<const int32_t> ids, bool keep_special) const {
  return guarded([&] { return state_->frontend->tokenizer().decode(ids, !keep_special); });
}

std::string Model::digest() const {
  return guarded([&] {
    std::call_once(state_->digest_made, [&] {
      // Files anew, as for the image cache's key.
      state_->digest = to_hex(model_digest(*state_->frontend, state_->frontend->files().checkpoint()));
    });
    return state_->digest;
  });
}

void Model::State::done_with_pictures() const {
  if (!options.low_memory) return;
  for (const ModuleShape& module : frontend->modules())
    if (module.stage == Stage::image) checkpoint.release(module.prefixes);
  give_back_free_memory();  // tiles and scratch of the tower, which the allocator may keep
}

}  // namespace galago
