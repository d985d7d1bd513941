// The shared part of all frontends: settings, tokenizer, template, prompt.
#include "models/frontend.h"

#include "core/limits.h"
#include "galago/error.h"

namespace galago {

Frontend::Frontend(ModelDirectory settings)
    : settings_(std::move(settings)),
      tokenizer_(Tokenizer::from_directory(settings_.path)),
      template_(ChatTemplate::from_directory(settings_.path)),
      context_(read_template_context(settings_.path)) {}

PreprocessorConfig Frontend::preprocessing(std::optional<bool> split) const {
  PreprocessorConfig config = settings_.preprocessor;
  if (split) config.do_image_splitting = *split;
  return config;
}

Segments Frontend::prompt(const PromptText& text, std::span<const TileGrid> grids) const {
  std::vector<ChatMessage> messages;
  using Type = ContentPart::Type;
  if (!text.system.empty())
    messages.push_back({.role = "system", .content = {{.type = Type::text, .text = text.system}}});
  ChatMessage user{.role = "user", .content = {}};
  for (size_t i = 0; i < grids.size(); ++i) user.content.push_back({.type = Type::image, .text = {}});
  user.content.push_back({.type = Type::text, .text = text.prompt});
  messages.push_back(std::move(user));
  return expand(template_.render(messages, context_), grids, text.parse_special);
}

std::vector<int32_t> Frontend::prompt_ids(const PromptText& text, std::span<const TileGrid> grids) const {
  return tokenizer_.add_special_tokens(tokenizer_.encode(prompt(text, grids), text.parse_special));
}

}  // namespace galago
