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
                                                : ChatTemplate::find(*files_)),
      context_(read_template_context(*files_)) {}

Segments Frontend::prompt(const PromptText& text, std::span<const ImagePlan> images) const {
  if (!templated(text)) {
    if (!text.system.empty())
      throw Error(
          ErrorCode::input_invalid,
          {.where = "system message", .got = "one", .expected = "none in a prompt without chat template"});
    return expand({{.text = text.prompt, .user = true}}, images, text.parse_special);
  }
  std::vector<ChatMessage> messages;
  using Type = ContentPart::Type;
  if (!text.system.empty())
    messages.push_back({.role = "system", .content = {{.type = Type::text, .text = text.system}}});
  ChatMessage user{.role = "user", .content = {}};
  for (size_t i = 0; i < images.size(); ++i) user.content.push_back({.type = Type::image, .text = {}});
  user.content.push_back({.type = Type::text, .text = text.prompt});
  messages.push_back(std::move(user));
  return expand(template_->render(messages, context_), images, text.parse_special);
}

std::vector<int32_t> Frontend::prompt_ids(const PromptText& text, std::span<const ImagePlan> images) const {
  std::vector<int32_t> ids = tokenizer_.encode(prompt(text, images), text.parse_special);
  if (style_ == PromptStyle::tokenizer && templated(text)) return ids;
  return tokenizer_.add_special_tokens(std::move(ids));
}

}  // namespace galago
