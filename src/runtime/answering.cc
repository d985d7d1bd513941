// See the header. Model::ask is one request, answered as soon as it is planned.
#include "runtime/answering.h"

#include <algorithm>
#include <utility>

#include "core/cancelled.h"
#include "runtime/fallback.h"
#include "runtime/guarded.h"
#include "runtime/image_encoder.h"
#include "runtime/options.h"
#include "runtime/sequence.h"

namespace galago {
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

// A conversation stands in the place of the short form, and needs a template.
void check_words(const Request& request) {
  const bool talk = !request.messages.empty();
  if (talk && (!request.prompt.empty() || !request.system.empty() || !request.images.empty() ||
               !request.videos.empty()))
    throw Error(ErrorCode::usage, {.where = "messages",
                                   .got = "prompt, system, images or videos beside them",
                                   .expected = "a conversation holds all of its texts and pictures"});
  if (request.raw && (talk || !request.tools.empty() || !request.template_arguments.empty() ||
                      request.continue_final_message))
    throw Error(ErrorCode::usage, {.where = "raw",
                                   .got = "a conversation, tools or arguments of a template",
                                   .expected = "a prompt alone: a raw prompt goes through no template"});
}

[[noreturn]] void throw_image_behind_video() {
  throw Error(ErrorCode::model_unsupported,
              {.where = "messages", .got = "an image behind a video", .expected = "all images first"});
}

// Where each picture's or frame's rows begin among the ids.
std::vector<ContentMark> content_marks(std::span<const int32_t> ids, int64_t placeholder,
                                       std::span<const EncodedPicture> pictures) {
  std::vector<ContentMark> marks;
  auto place = ids.begin();
  for (const auto& [key, rows] : pictures) {
    place = std::find(place, ids.end(), static_cast<int32_t>(placeholder));
    marks.push_back({.begin = place - ids.begin(), .key = key});
    for (int64_t left = rows->shape()[0]; left > 0; ++place)
      if (*place == placeholder) --left;
  }
  return marks;
}

}  // namespace

Answering::Answering(std::shared_ptr<const Model::State> model, Request request)
    : model_(std::move(model)), request_(std::move(request)) {
  if (!request_.options.max_new_tokens)
    request_.options.max_new_tokens = model_->frontend->answer_defaults().max_new_tokens;
  check_options(request_.options);
  const PromptText text = take_words();
  std::vector<ImageSize> sizes;
  std::vector<VideoFacts> videos;
  for (const Image& image : request_.images) {
    sizes.push_back({.width = image.width(), .height = image.height()});
    answer_.timings.decode_image_ms += image.data_->decode_ms;
  }
  for (const Video& video : request_.videos) videos.push_back(video.data_->source->facts());
  plan_ = plan_prompt(*model_->frontend, text, sizes, request_.split_images, videos);
  for (const ImagePlan& image : plan_.images) answer_.images.push_back(image_info(image));
  for (const VideoPlan& video : plan_.videos) answer_.videos.push_back(video_info(video));
  answer_.usage = {.prompt_tokens = std::ssize(plan_.ids), .image_tokens = plan_.image_tokens};
  answer_.timings.load_ms = model_->load_ms;
}

PromptText Answering::take_words() {
  PromptText text{
      .prompt = request_.prompt,
      .system = request_.system,
      .parse_special = request_.parse_special,
      .raw = request_.raw,
      .add_generation_prompt = request_.add_generation_prompt.value_or(!request_.continue_final_message),
      .continue_final_message = request_.continue_final_message,
      .tools = request_.tools,
      .arguments = request_.template_arguments};
  check_words(request_);
  for (const Message& message : request_.messages) {
    ChatMessage& taken = text.messages.emplace_back();
    taken.role = message.role;
    taken.fields = message.fields;
    taken.no_content = message.parts.empty();
    for (const MessagePart& part : message.parts) {
      ContentPart& content = taken.content.emplace_back();
      if (const auto* image = std::get_if<Image>(&part)) {
        content.type = ContentPart::Type::image;
        if (!request_.videos.empty()) throw_image_behind_video();
        request_.images.push_back(*image);
      } else if (const auto* video = std::get_if<Video>(&part)) {
        content.type = ContentPart::Type::video;
        request_.videos.push_back(*video);
      } else {
        content.text = std::get<std::string>(part);
      }
    }
  }
  return text;
}

GenerateRequest Answering::prompt() const {
  return {.rows = {},
          .ids = plan_.ids,
          .end_ids = model_->frontend->generation().eos_token_id,
          .image_tokens = plan_.image_tokens,
          .options = request_.options,
          .on_piece = request_.on_text,
          .rules = token_rules(*model_->frontend)};
}

Tensor Answering::rows() {
  Visuals visuals;
  for (const Image& image : request_.images) visuals.images.push_back(&image.data_->rgb);
  for (const Video& video : request_.videos) visuals.videos.push_back(video.data_->source.get());
  const auto progress = [&](int64_t done, int64_t total) {
    return !request_.on_progress ||
           request_.on_progress(
               {.tiles_done = done, .tiles_total = total, .prompt_tokens = std::ssize(plan_.ids)});
  };
  ImageEncoder encoder(
      *model_->frontend, *model_->engine,
      {.split = request_.split_images, .progress = progress, .cache = model_->image_cache.get()});
  const std::vector<EncodedPicture> encoded =
      encoder.encode(visuals, plan_, {.timings = answer_.timings, .cache = answer_.cache});
  Tensor rows = pack_prompt(*model_->frontend, *model_->engine, plan_.ids, views(encoded));
  if (model_->prefixes)
    content_ = content_marks(plan_.ids, model_->frontend->config().image_token_id, encoded);
  model_->done_with_pictures();
  before_ms_ = clock_.ms();
  return rows;
}

Answer Answering::finish(Generation generation) {
  answer_.text = std::move(generation.text);
  answer_.token_ids = std::move(generation.token_ids);
  answer_.finish_reason = generation.finish_reason;
  answer_.usage.completion_tokens = generation.usage.completion_tokens;
  answer_.usage.cached_tokens = generation.usage.cached_tokens;
  answer_.timings.prefill_ms = generation.timings.prefill_ms;
  answer_.timings.first_token_ms = before_ms_ + generation.timings.first_token_ms;
  answer_.timings.decode_ms = generation.timings.decode_ms;
  answer_.timings.tokens_per_second = generation.timings.tokens_per_second;
  answer_.prompt_token_ids = std::move(plan_.ids);
  return std::move(answer_);
}

Answer Answering::cancelled() {
  answer_.finish_reason = FinishReason::cancelled;
  answer_.prompt_token_ids = std::move(plan_.ids);
  return std::move(answer_);
}

Answer Model::ask(const Request& request) const {
  return guarded([&] {
    Answering asked(state_, request);
    try {
      const Tensor rows = asked.rows();
      DecoderSequences sequences(state_->engine->decoder(), state_->cache_dtype(), state_->prefixes.get());
      CausalBackbone backbone(sequences);
      TokenizerText pieces(state_->frontend->tokenizer(), asked.keep_special());
      GenerateRequest prompt = asked.prompt();
      prompt.rows = rows.matrix();
      prompt.content = asked.content();
      return asked.finish(generate_answer({.from_embeds = &backbone}, prompt, pieces));
    } catch (const Cancelled&) {
      return asked.cancelled();
    }
  });
}

ImageInfo Model::plan_image(int64_t width, int64_t height, std::optional<bool> split_images) const {
  const ImageSize size{.width = width, .height = height};
  return image_info(state_->frontend->plan(size, split_images));
}

int64_t Model::count_tokens(const Request& request) const {
  return guarded([&] { return Answering(state_, request).prompt_tokens(); });
}

}  // namespace galago
