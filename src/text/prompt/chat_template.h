// Chat templates: the subset of Jinja that the supported models' templates use, with a step and depth budget.
// In: a template's source and messages. Out: prompt segments; text that a user typed stays marked as the
// user's. Reference: transformers 5.18 utils/chat_template_utils.py (trim_blocks, lstrip_blocks,
// raise_exception), Jinja 3.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "formats/model_files.h"
#include "text/segment.h"

namespace galago {

/// One part of a message: the placeholder of an image or a video, or a text.
struct ContentPart {
  enum class Type { text, image, video } type = Type::text;
  std::string text{};
};

/// One message of a conversation.
struct ChatMessage {
  /// "system", "user", "assistant", "tool": up to 64 letters, digits and -_. of ASCII, since templates write
  /// it among control tokens. Another one is Error{input_invalid}.
  std::string role;
  std::vector<ContentPart> content;
  /// What else a template may read of it, a JSON object: {"tool_calls": [...]}; empty: nothing.
  std::string fields{};
  bool no_content = false;  ///< the template finds none in the place of an empty content
};

/// What a template sees beside the messages.
struct TemplateContext {
  bool add_generation_prompt = true;
  std::string bos_token;         ///< empty: the template finds it undefined
  std::string eos_token;         ///< empty: the template finds it undefined
  std::optional<int64_t> now{};  ///< the time for strftime_now, seconds since 1970 (UTC); nothing: the clock
  /// The other named special tokens: ("unk_token", "<unk>").
  std::vector<std::pair<std::string, std::string>> other_tokens{};
  /// The prompt ends with the last message's text, for the model to go on with it; not with
  /// add_generation_prompt.
  bool continue_final_message = false;
  std::string tools{};      ///< a JSON list of the functions that the model may call; empty: none
  std::string arguments{};  ///< a JSON object of further variables, which win over tokens; empty: none
};

/// What reads a model's template in the reference: where it looks, and what it gives as a message's content.
enum class TemplateOwner {
  processor,  ///< all files; a list of parts, if the template can take one
  tokenizer,  ///< the tokenizer's files; a text, if the template can take one
};

/// A parsed template; immutable, cheap to copy. Whether it takes a message's content as a list of parts or as
/// a text is found out when it is made; where both are possible, the owner decides.
class ChatTemplate {
 public:
  /// The first that is there: the one that the user gave; for a processor, chat_template in
  /// processor_config.json, then in chat_template.json; for both, chat_template.jinja, then chat_template in
  /// tokenizer_config.json (of several named templates, "default"). Error{not_found} when none has one.
  static ChatTemplate from_files(const ModelFiles& files, TemplateOwner owner = TemplateOwner::processor);
  /// The same, or nothing when none has one.
  static std::optional<ChatTemplate> find(const ModelFiles& files,
                                          TemplateOwner owner = TemplateOwner::processor);
  /// Error{model_invalid} with line and what was expected when the source is malformed;
  /// Error{model_unsupported} names a construct outside the subset.
  static ChatTemplate from_source(std::string_view source, const std::string& where,
                                  TemplateOwner owner = TemplateOwner::processor);

  const std::string& source() const;
  /// Whether it makes a prompt of a user's message without the message's text.
  bool ignores_text() const;

  /// The prompt. Error{model_invalid} when the budget is exceeded or an operation fails; Error{input_invalid}
  /// with the template's own words when it calls raise_exception, for JSON that is none, or for a final
  /// message to continue that the template does not write; Error{input_too_large} over limits::kMessages.
  Segments render(const std::vector<ChatMessage>& messages, const TemplateContext& context) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// The template that a JSON document has as its chat_template: a text, or "default" of several named ones;
/// nothing when it has none. Error{model_invalid}.
std::optional<std::string> template_in(const Json& document, const std::string& where);

/// bos_token and eos_token as tokenizer_config.json / special_tokens_map.json name them; empty when absent.
TemplateContext read_template_context(const ModelFiles& files);

}  // namespace galago
