// The shared part of all frontends: settings, tokenizer, template, prompt.
#include "models/frontend.h"

#include "core/limits.h"
#include "galago/error.h"

namespace galago {

Frontend::Frontend(std::shared_ptr<const ModelFiles> files, PromptStyle style)
    : files_(std::move(files)),
      style_(style),
      generation_(read_generation_config(*files_)),
      tokenizer_(Tokenizer::from_files(*files_)),
      template_(style == PromptStyle::processor ? ChatTemplate::from_files(*files_)
                                                : ChatTemplate::find(*files_, TemplateOwner::tokenizer)),
      context_(read_template_context(*files_)) {}

const VideoFrontend& Frontend::require_video() const {
  if (video()) return *video();
  throw Error(ErrorCode::model_unsupported, {.where = files_->path().string(),
                                             .got = "a video",
                                             .expected = "pictures: this model has no settings for videos",
                                             .hint = "give a few frames of it as --image instead"});
}

Segments Frontend::prompt(const PromptText& text, std::span<const ImagePlan> images,
                          std::span<const VideoPlan> videos) const {
  if (!templated(text)) {
    if (!text.system.empty())
      throw Error(
          ErrorCode::input_invalid,
          {.where = "system message", .got = "one", .expected = "none in a prompt without chat template"});
    return expand_all({{.text = text.prompt, .user = true}}, images, videos, text.parse_special);
  }
  std::vector<ChatMessage> messages;
  using Type = ContentPart::Type;
  if (!text.system.empty())
    messages.push_back({.role = "system", .content = {{.type = Type::text, .text = text.system}}});
  ChatMessage user{.role = "user", .content = {}};
  for (size_t i = 0; i < images.size(); ++i) user.content.push_back({.type = Type::image});
  for (size_t i = 0; i < videos.size(); ++i) user.content.push_back({.type = Type::video});
  user.content.push_back({.type = Type::text, .text = text.prompt});
  messages.push_back(std::move(user));
  const ChatTemplate& chat = videos.empty() ? *template_ : require_video().chat_template();
  return expand_all(chat.render(messages, context_), images, videos, text.parse_special);
}

Segments Frontend::expand_all(const Segments& rendered, std::span<const ImagePlan> images,
                              std::span<const VideoPlan> videos, bool parse_special) const {
  Segments segments = expand(rendered, images, parse_special);
  return videos.empty() ? segments : require_video().expand(segments, videos, parse_special);
}

std::vector<int32_t> Frontend::prompt_ids(const PromptText& text, std::span<const ImagePlan> images,
                                          std::span<const VideoPlan> videos) const {
  std::vector<int32_t> ids = tokenizer_.encode(prompt(text, images, videos), text.parse_special);
  if (style_ == PromptStyle::tokenizer && templated(text)) return ids;
  return tokenizer_.add_special_tokens(std::move(ids));
}

}  // namespace galago
