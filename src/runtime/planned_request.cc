// See the header.
#include "runtime/planned_request.h"

#include <algorithm>
#include <utility>

#include "runtime/constraints.h"
#include "runtime/options.h"
#include "structured/doctags_elements.h"

namespace galago {
namespace {

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
    throw Error(ErrorCode::usage,
                {.where = "messages",
                 .got = "prompt, system, images or videos beside them",
                 .expected = "a conversation alone, which holds all of its texts and pictures"});
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

}  // namespace

ImageInfo image_info(const ImagePlan& plan) {
  return {.width = plan.size.width,
          .height = plan.size.height,
          .rows = plan.grid.rows,
          .cols = plan.grid.cols,
          .tiles = plan.tiles,
          .tokens = plan.tokens};
}

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

PlannedRequest::PlannedRequest(const Model::State& model, Request request)
    : model_(model), request_(std::move(request)) {
  const Frontend& frontend = *model_.frontend;
  GenerateOptions& options = request_.options;
  if (!options.max_new_tokens) options.max_new_tokens = frontend.answer_defaults().max_new_tokens;
  check_options(options);
  if (const auto texts = std::exchange(options.draft.texts, {}); !texts.empty())
    generate_.draft_texts = std::make_shared<DraftTexts>(texts, frontend.tokenizer());
  const PromptText text = take_words();
  std::vector<ImageSize> sizes;
  std::vector<std::optional<bool>> splits;
  std::vector<VideoFacts> videos;
  for (const Image& image : request_.images) {
    sizes.push_back({.width = image.width(), .height = image.height()});
    splits.push_back(image.split());
    answer_.timings.decode_image_ms += image.data().decode_ms;
  }
  for (const Video& video : request_.videos) videos.push_back(video.data().source->facts());
  plan_ = plan_prompt(frontend, text, sizes, request_.split_images, videos, splits);
  for (const ImagePlan& image : plan_.images) answer_.images.push_back(image_info(image));
  for (const VideoPlan& video : plan_.videos) answer_.videos.push_back(video_info(video));
  answer_.usage = {.prompt_tokens = std::ssize(plan_.ids), .image_tokens = plan_.image_tokens};
  answer_.timings.load_ms = model_.load_ms;
  generate_ = {.ids = plan_.ids,
               .end_ids = end_ids(),
               .stop_ids = stop_ids(),
               .image_tokens = plan_.image_tokens,
               .options = options,
               .rules = token_rules(frontend),
               .draft_texts = std::move(generate_.draft_texts)};
  generate_.rules.end_ids = generate_.end_ids;
  for (const int32_t id : generate_.stop_ids) generate_.rules.end_ids.push_back(id);
  generate_.scored = model_.doctags != nullptr;
  generate_.constraint = make_constraint(model_, options,
                                         {.prompt = plan_.ids,
                                          .end_ids = generate_.rules.end_ids,
                                          .continued = request_.raw || request_.continue_final_message});
}

std::vector<int32_t> PlannedRequest::end_ids() const {
  const GenerateOptions& options = request_.options;
  std::vector<int32_t> ids = options.stop_token_ids;
  if (options.ignore_eos) return ids;
  const auto& eos = model_.frontend->generation().eos_token_id;
  ids.insert(ids.end(), eos.begin(), eos.end());
  return ids;
}

std::vector<int32_t> PlannedRequest::stop_ids() const {
  const Tokenizer& tokenizer = model_.frontend->tokenizer();
  std::vector<int32_t> ids;
  for (const std::string& text : request_.options.stop)
    if (const auto id = tokenizer.token_to_id(text); id && tokenizer.is_special(*id)) ids.push_back(*id);
  return ids;
}

PromptText PlannedRequest::take_words() {
  check_words(request_);
  PromptText text{
      .prompt = std::move(request_.prompt),
      .system = std::move(request_.system),
      .parse_special = request_.parse_special,
      .raw = request_.raw,
      .add_generation_prompt = request_.add_generation_prompt.value_or(!request_.continue_final_message),
      .continue_final_message = request_.continue_final_message,
      .tools = std::move(request_.tools),
      .arguments = std::move(request_.template_arguments)};
  for (Message& message : std::exchange(request_.messages, {})) {
    ChatMessage& taken = text.messages.emplace_back();
    taken.role = std::move(message.role);
    taken.fields = std::move(message.fields);
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

Visuals PlannedRequest::visuals() const {
  Visuals visuals;
  for (const Image& image : request_.images) visuals.images.push_back(&image.data().rgb);
  for (const Video& video : request_.videos) visuals.videos.push_back(video.data().source.get());
  return visuals;
}

int64_t PlannedRequest::bytes() const {
  const TileShape tile = model_.frontend->tile_shape();
  const int64_t width = model_.frontend->config().text.hidden_size;
  int64_t pixels = plan_.tiles * tile.side * tile.side * 3;
  for (const Image& image : request_.images) pixels += image.width() * image.height() * 3;
  // Image rows by themselves, then in their places.
  const int64_t floats =
      (std::ssize(plan_.ids) + plan_.image_tokens) * width + plan_.tiles * tile.rows * tile.width;
  return pixels + floats * static_cast<int64_t>(sizeof(float));
}

bool PlannedRequest::keep_special() const {
  return request_.options.keep_special.value_or(model_.frontend->answer_defaults().doctags);
}

void PlannedRequest::forget_functions() {
  for (GenerateOptions* options : {&request_.options, &generate_.options}) {
    options->draft.source = {};
    options->processors.clear();
  }
}

// The end token tells nothing of the text before it.
void PlannedRequest::add_confidence(const Generation& generation) {
  const std::span<const float> logprobs(generation.logprobs), margins(generation.margins);
  if (logprobs.empty()) return;
  const auto& ends = generate_.rules.end_ids;
  const size_t count = logprobs.size() - (std::ranges::count(ends, answer_.token_ids.back()) > 0 ? 1 : 0);
  answer_.confidence = confidence(logprobs.first(count), margins.first(count));
  if (model_.doctags) answer_.elements = elements(*model_.doctags, answer_.token_ids, logprobs, margins);
}

Answer PlannedRequest::finish(Generation generation) {
  answer_.text = std::move(generation.text);
  answer_.token_ids = std::move(generation.token_ids);
  answer_.finish_reason = generation.finish_reason;
  answer_.tokens = std::move(generation.tokens);
  answer_.prompt_tokens = std::move(generation.prompt_tokens);
  add_confidence(generation);
  answer_.usage.completion_tokens = generation.usage.completion_tokens;
  answer_.usage.cached_tokens = generation.usage.cached_tokens;
  answer_.usage.drafted_tokens = generation.usage.drafted_tokens;
  answer_.usage.accepted_tokens = generation.usage.accepted_tokens;
  answer_.timings.prefill_ms = generation.timings.prefill_ms;
  answer_.timings.first_token_ms = generation.timings.first_token_ms;
  answer_.timings.decode_ms = generation.timings.decode_ms;
  answer_.timings.tokens_per_second = generation.timings.tokens_per_second;
  answer_.prompt_token_ids = plan_.ids;
  return std::move(answer_);
}

}  // namespace galago
