// The shared part of all frontends: settings, tokenizer, template, prompt.
#include "models/frontend.h"

#include <algorithm>
#include <string_view>

#include "core/limits.h"
#include "galago/error.h"

namespace galago {
namespace {

// The tag around a page, which Docling's models have as one special token, and tokens enough for the page:
// the limit of their own examples.
constexpr const char* kDocTag = "<doctag>";
constexpr int64_t kDocTagsNewTokens = 8192;

}  // namespace

Frontend::Frontend(std::shared_ptr<const ModelFiles> files, kernels::SharedDevice device, PromptStyle style)
    : files_(std::move(files)),
      device_(std::move(device)),
      style_(style),
      generation_(read_generation_config(*files_)),
      tokenizer_(Tokenizer::from_files(*files_)),
      template_(ChatTemplate::find(
          *files_, style == PromptStyle::processor ? TemplateOwner::processor : TemplateOwner::tokenizer)),
      context_(read_template_context(*files_)) {}

AnswerDefaults Frontend::answer_defaults() const {
  const std::optional<int32_t> tag = tokenizer_.token_to_id(kDocTag);
  if (!tag || !tokenizer_.is_special(*tag)) return {};
  return {.max_new_tokens = kDocTagsNewTokens, .doctags = true};
}

const VideoFrontend& Frontend::require_video() const {
  if (video()) return *video();
  if (!reads_pictures())
    throw Error(ErrorCode::input_invalid, {.where = "videos",
                                           .got = "one",
                                           .expected = "none: this model reads no videos and no pictures",
                                           .hint = files_->why_no_pictures()});
  throw Error(ErrorCode::model_unsupported, {.where = files_->path().string(),
                                             .got = "a video",
                                             .expected = "pictures: this model has no settings for videos",
                                             .hint = "give a few frames of it as --image instead"});
}

bool Frontend::templated(const PromptText& text, bool videos) const {
  if (text.raw) return false;
  if (videos) return true;  // they bring one of their own
  if (!template_ && style_ == PromptStyle::processor) ChatTemplate::from_files(*files_);  // throws
  return template_.has_value();
}

namespace {

/// The conversation of a prompt: one message of the user's, behind what the system says.
std::vector<ChatMessage> messages_of(const PromptText& text, size_t images, size_t videos) {
  std::vector<ChatMessage> messages;
  using Type = ContentPart::Type;
  if (!text.system.empty())
    messages.push_back({.role = "system", .content = {{.type = Type::text, .text = text.system}}});
  ChatMessage user{.role = "user", .content = {}};
  for (size_t i = 0; i < images; ++i) user.content.push_back({.type = Type::image});
  for (size_t i = 0; i < videos; ++i) user.content.push_back({.type = Type::video});
  user.content.push_back({.type = Type::text, .text = text.prompt});
  messages.push_back(std::move(user));
  return messages;
}

}  // namespace

Segments Frontend::rendered(const PromptText& text, size_t images, size_t videos) const {
  if (!templated(text, videos > 0)) {
    if (!text.system.empty() || !text.messages.empty())
      throw Error(ErrorCode::input_invalid, {.where = text.messages.empty() ? "system message" : "messages",
                                             .got = "one",
                                             .expected = "none in a prompt without chat template"});
    return {{.text = text.prompt, .user = true}};
  }
  TemplateContext context = context_;
  context.add_generation_prompt = text.add_generation_prompt;
  context.continue_final_message = text.continue_final_message;
  context.tools = text.tools;
  context.arguments = text.arguments;
  const ChatTemplate& chat = videos == 0 ? *template_ : require_video().chat_template();
  return chat.render(text.messages.empty() ? messages_of(text, images, videos) : text.messages, context);
}

Segments Frontend::prompt(const PromptText& text, std::span<const ImagePlan> images,
                          std::span<const VideoPlan> videos) const {
  return expand_all(rendered(text, images.size(), videos.size()), images, videos, text.parse_special);
}

Segments Frontend::expand_all(const Segments& rendered, std::span<const ImagePlan> images,
                              std::span<const VideoPlan> videos, bool parse_special) const {
  Segments segments = expand(rendered, images, parse_special);
  return videos.empty() ? segments : require_video().expand(segments, videos, parse_special);
}

bool Frontend::begins_with_start(const Segments& prompt, bool parse_special) const {
  std::string_view start = context_.bos_token;
  if (start.empty()) return false;
  for (const Segment& segment : prompt) {
    if (segment.user && !parse_special && !segment.text.empty()) return false;
    const size_t length = std::min(start.size(), segment.text.size());
    if (start.substr(0, length) != std::string_view(segment.text).substr(0, length)) return false;
    start.remove_prefix(length);
    if (start.empty()) return true;
  }
  return false;
}

std::vector<int32_t> Frontend::prompt_ids(const PromptText& text, std::span<const ImagePlan> images,
                                          std::span<const VideoPlan> videos) const {
  const Segments written = rendered(text, images.size(), videos.size());
  std::vector<int32_t> ids =
      tokenizer_.encode(expand_all(written, images, videos, text.parse_special), text.parse_special);
  const bool whole = templated(text, !videos.empty()) &&
                     (style_ == PromptStyle::tokenizer || begins_with_start(written, text.parse_special));
  return whole ? ids : tokenizer_.add_special_tokens(std::move(ids));
}

}  // namespace galago
