// A template is tried out when it is loaded, to learn whether it takes a message's content as a list of
// parts or as a text: templates of processors want the one, templates of text models the other, some take
// both.
#include "text/prompt/chat_template.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "core/words.h"
#include "formats/json.h"
#include "galago/error.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/json_reader.h"
#include "text/jinja/text.h"
#include "text/tokenizer/token_names.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

using jinja::Value;

/// What a template expects message['content'] to be.
enum class ContentForm { parts, text };

/// A value of a message: lists and dicts of a few levels, which no budget need count.
Value list_of(std::vector<Value> items, int depth) {
  return Value(std::make_shared<const jinja::Sequence>(jinja::Sequence{std::move(items), false, depth}));
}
Value dict_of(std::vector<std::pair<Value, Value>> entries, int depth) {
  return Value(std::make_shared<const jinja::Mapping>(jinja::Mapping{std::move(entries), depth}));
}
Value user_text(const MarkedText& text) { return Value(std::make_shared<const MarkedText>(text)); }

Value content_parts(const ChatMessage& message) {
  std::vector<Value> parts;
  for (const ContentPart& part : message.content) {
    if (part.type != ContentPart::Type::text) {
      const bool video = part.type == ContentPart::Type::video;
      parts.push_back(dict_of({{Value::text("type"), Value::text(video ? "video" : "image")}}, 1));
    } else {
      parts.push_back(dict_of({{Value::text("type"), Value::text("text")},
                               {Value::text("text"), user_text(MarkedText(part.text, true))}},
                              1));
    }
  }
  return list_of(std::move(parts), 2);
}

Value content_text(const ChatMessage& message, const std::string& where) {
  MarkedText text;
  for (const ContentPart& part : message.content) {
    if (part.type != ContentPart::Type::text)
      throw Error(ErrorCode::input_invalid, {.where = where,
                                             .got = "a picture in a message",
                                             .expected = "text: this template takes messages as plain text"});
    text.append(part.text, true);
  }
  return user_text(text);
}

// A template puts roles into control tokens and around them: one that could close a turn or stand for a
// picture is none.
void check_role(const std::string& role) {
  const bool plain = !role.empty() && role.size() <= 64 && std::all_of(role.begin(), role.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  if (!plain)
    throw Error(ErrorCode::input_invalid, {.where = "role of a message",
                                           .got = in_quotes(role),
                                           .expected = "1 to 64 letters, digits, - _ or ."});
}

int64_t message_bytes(const std::vector<ChatMessage>& messages, const TemplateContext& context) {
  if (std::cmp_greater(messages.size(), limits::kMessages))
    throw Error(ErrorCode::input_too_large, {.where = "messages",
                                             .got = std::to_string(messages.size()),
                                             .expected = "at most " + std::to_string(limits::kMessages)});
  auto bytes = static_cast<int64_t>(context.tools.size() + context.arguments.size());
  for (const ChatMessage& message : messages) {
    bytes += static_cast<int64_t>(message.role.size() + message.fields.size());
    check_role(message.role);
    for (const ContentPart& part : message.content) {
      bytes += static_cast<int64_t>(part.text.size());
      unicode::require_well_formed(part.text, "text of a message");
    }
  }
  if (bytes > limits::kPromptBytes)
    throw Error(ErrorCode::input_too_large, {.where = "messages",
                                             .got = std::to_string(bytes) + " bytes",
                                             .expected = "at most " + std::to_string(limits::kPromptBytes)});
  return bytes;
}

/// A JSON object's entries; none of an empty text.
std::vector<std::pair<Value, Value>> entries_of(const std::string& json, const std::string& where,
                                                int64_t& values_left) {
  if (json.empty()) return {};
  const Value value = jinja::read_json(json, where, values_left);
  if (!value.dict())
    throw Error(ErrorCode::input_invalid, {.where = where, .got = value.kind(), .expected = "a JSON object"});
  return value.dict()->entries;
}

Value content_of(const ChatMessage& message, ContentForm form, const std::string& where) {
  if (message.no_content) return Value();
  return form == ContentForm::parts ? content_parts(message) : content_text(message, where);
}

Value message_value(const ChatMessage& message, ContentForm form, const std::string& where,
                    int64_t& values_left) {
  std::vector<std::pair<Value, Value>> entries = {{Value::text("role"), Value::text(message.role)},
                                                  {Value::text("content"), content_of(message, form, where)}};
  int depth = 3;
  for (auto& [key, value] : entries_of(message.fields, "fields of a message", values_left)) {
    const std::string& name = key.text()->text();
    if (name == "role" || name == "content")
      throw Error(
          ErrorCode::input_invalid,
          {.where = "fields of a message", .got = name, .expected = "keys other than role and content"});
    depth = std::max(depth, value.depth() + 1);
    entries.emplace_back(std::move(key), std::move(value));
  }
  return dict_of(std::move(entries), depth);
}

Value tools_value(const std::string& json, int64_t& values_left) {
  if (json.empty()) return Value();
  Value tools = jinja::read_json(json, "tools", values_left);
  if (!tools.list())
    throw Error(ErrorCode::input_invalid,
                {.where = "tools", .got = tools.kind(), .expected = "a JSON list of functions"});
  return tools;
}

MarkedText render_as(const jinja::Block& block, const std::string& where, ContentForm form,
                     const std::vector<ChatMessage>& messages, const TemplateContext& context,
                     jinja::Meter& meter) {
  std::vector<Value> list;
  int depth = 3;
  int64_t values_left = limits::kMessageJsonValues;
  for (const ChatMessage& message : messages) {
    list.push_back(message_value(message, form, where, values_left));
    depth = std::max(depth, list.back().depth());
  }
  jinja::Interpreter::Variables variables;
  if (!context.bos_token.empty()) variables["bos_token"] = Value::text(context.bos_token);
  if (!context.eos_token.empty()) variables["eos_token"] = Value::text(context.eos_token);
  for (const auto& [name, token] : context.other_tokens) variables[name] = Value::text(token);
  for (const auto& [key, value] : entries_of(context.arguments, "arguments of the template", values_left))
    variables[key.text()->text()] = value;
  variables["messages"] = list_of(std::move(list), depth + 1);
  variables["add_generation_prompt"] = Value(context.add_generation_prompt);
  variables["tools"] = tools_value(context.tools, values_left);
  variables.try_emplace("documents", Value());
  return jinja::Interpreter(std::move(variables), context.now, meter).render(block);
}

/// Whether the form makes the template write a message's text as it is, not as the repr of a list of parts.
bool writes_content(const jinja::Block& block, ContentForm form, bool with_system, jinja::Meter& meter) {
  constexpr std::string_view kProbe = "galago";
  std::vector<ChatMessage> messages;
  if (with_system) messages.push_back({"system", {{ContentPart::Type::text, "a"}}});
  messages.push_back({"user", {{ContentPart::Type::text, std::string(kProbe)}}});
  try {
    const TemplateContext context{.bos_token = "<s>", .eos_token = "</s>"};
    // A template may change the case.
    const std::string text = lower_ascii(render_as(block, "", form, messages, context, meter).text());
    const size_t at = text.find(kProbe);
    return at != std::string::npos && !(at >= 9 && text.compare(at - 9, 7, "'text':") == 0) &&
           !(at >= 9 && text.compare(at - 9, 7, "\"text\":") == 0);
  } catch (const Error&) {
    return false;
  }
}

/// Whether a prompt comes of a message at all, for a template that does not write its text.
bool writes_without_content(const jinja::Block& block, ContentForm form, jinja::Meter& meter) {
  try {
    return render_as(block, "", form, {{"user", {{ContentPart::Type::text, "galago"}}}}, {}, meter)
               .text()
               .find("galago") == std::string::npos;
  } catch (const Error&) {
    return false;
  }
}

std::optional<ContentForm> find_form(const jinja::Block& block, TemplateOwner owner, jinja::Meter& meter) {
  const bool parts_first = owner == TemplateOwner::processor;
  const ContentForm first = parts_first ? ContentForm::parts : ContentForm::text;
  const ContentForm second = parts_first ? ContentForm::text : ContentForm::parts;
  for (const bool with_system : {false, true})
    for (const ContentForm form : {first, second})
      if (writes_content(block, form, with_system, meter)) return form;
  return std::nullopt;
}

// What marks the end of the message that is to be continued. A template that strips messages strips its space
// too.
constexpr std::string_view kEnd = "CONTINUE_FINAL_MESSAGE_TAG ";

/// Puts the mark behind the last text of the last message, and returns the text.
std::string mark_end(std::vector<ChatMessage>& messages) {
  if (!messages.empty()) {
    auto& parts = messages.back().content;
    const auto text = std::find_if(parts.rbegin(), parts.rend(), [](const ContentPart& part) {
      return part.type == ContentPart::Type::text;
    });
    if (text != parts.rend()) {
      std::string unmarked = text->text;
      text->text += kEnd;
      return unmarked;
    }
  }
  throw Error(ErrorCode::input_invalid, {.where = "continue_final_message",
                                         .got = "no text in the final message",
                                         .expected = "one to continue"});
}

/// The prompt up to the mark behind the final text; without white space before it where the template stripped
/// the mark's own.
MarkedText until_mark(const MarkedText& written, const std::string& final_text, jinja::Meter& meter) {
  const std::string& text = written.text();
  const std::string_view bare = kEnd.substr(0, kEnd.size() - 1);
  const size_t at = text.rfind(bare);
  const MarkedText stripped = jinja::strip(MarkedText(final_text), {}, jinja::Side::both, meter);
  if (at == std::string::npos || text.find(stripped.text()) == std::string::npos)
    throw Error(ErrorCode::input_invalid, {.where = "continue_final_message",
                                           .got = "a template that does not write the final message",
                                           .expected = "its text in the prompt"});
  MarkedText before = written.slice(0, at);
  if (text.compare(at, kEnd.size(), kEnd) == 0) return before;
  return jinja::strip(before, {}, jinja::Side::right, meter);
}

std::optional<std::string> template_of(const ModelFiles& files, const std::string& name) {
  const auto text = files.find(name, limits::kConfigBytes);
  if (!text) return std::nullopt;
  return template_in(parse_json(*text, files.where(name)), files.where(name));
}

}  // namespace

std::optional<std::string> template_in(const Json& document, const std::string& where) {
  const auto field = JsonField(document, where).find("chat_template");
  if (!field) return std::nullopt;
  if (!field->value().is_array()) return field->string();
  for (size_t i = 0; i < field->size(); ++i)
    if (field->at(i).at("name").string() == "default") return field->at(i).at("template").string();
  field->fail("a template named \"default\"");
}

struct ChatTemplate::Impl {
  std::string where;
  std::string source;
  jinja::Block block;
  ContentForm form = ContentForm::parts;
  bool ignores_text = false;
};

std::optional<ChatTemplate> ChatTemplate::find(const ModelFiles& files, TemplateOwner owner) {
  if (const auto given = files.given_template()) return from_source(given->text, given->where, owner);
  if (owner == TemplateOwner::processor)
    for (const char* name : {"processor_config.json", "chat_template.json"})
      if (const auto source = template_of(files, name)) return from_source(*source, files.where(name), owner);
  const std::string jinja_file = "chat_template.jinja";
  if (const auto source = files.find(jinja_file, limits::kTemplateBytes))
    return from_source(*source, files.where(jinja_file), owner);
  const std::string config = "tokenizer_config.json";
  if (const auto source = template_of(files, config)) return from_source(*source, files.where(config), owner);
  return std::nullopt;
}

ChatTemplate ChatTemplate::from_files(const ModelFiles& files, TemplateOwner owner) {
  if (auto found = find(files, owner)) return *std::move(found);
  throw Error(
      ErrorCode::not_found,
      {.where = files.path().string(),
       .got = "no chat template",
       .expected = "chat_template.jinja, or chat_template in chat_template.json or tokenizer_config.json",
       .hint = "--chat-template names a file with one; with --raw the text is the prompt"});
}

ChatTemplate ChatTemplate::from_source(std::string_view source, const std::string& where,
                                       TemplateOwner owner) {
  if (const size_t offset = unicode::find_malformed(source); offset != std::string_view::npos)
    throw Error(ErrorCode::model_invalid,
                {.where = where, .got = "a byte that is not UTF-8 at offset " + std::to_string(offset)});
  auto impl = std::make_shared<Impl>();
  impl->where = where;
  impl->source = source;
  impl->block = jinja::parse(source, where);
  jinja::Meter meter("", 0);  // one for all tries: a template that spends it takes its time once
  const std::optional<ContentForm> form = find_form(impl->block, owner, meter);
  impl->form = form ? *form : owner == TemplateOwner::processor ? ContentForm::parts : ContentForm::text;
  impl->ignores_text = !form && writes_without_content(impl->block, impl->form, meter);
  ChatTemplate made;
  made.impl_ = std::move(impl);
  return made;
}

const std::string& ChatTemplate::source() const { return impl_->source; }
bool ChatTemplate::ignores_text() const { return impl_->ignores_text; }

Segments ChatTemplate::render(const std::vector<ChatMessage>& messages,
                              const TemplateContext& context) const {
  jinja::Meter meter(impl_->where, message_bytes(messages, context));
  const auto write = [&](const std::vector<ChatMessage>& list) {
    return render_as(impl_->block, impl_->where, impl_->form, list, context, meter);
  };
  if (!context.continue_final_message) return write(messages).segments();
  if (context.add_generation_prompt)
    throw Error(ErrorCode::usage, {.where = "continue_final_message",
                                   .got = "a final message to continue, and one to begin",
                                   .expected = "one of the two"});
  std::vector<ChatMessage> marked = messages;
  const std::string final_text = mark_end(marked);
  return until_mark(write(marked), final_text, meter).segments();
}

TemplateContext read_template_context(const ModelFiles& files) {
  const TokenNames names = read_token_names(files);
  TemplateContext context;
  context.bos_token = names.bos;
  context.eos_token = names.eos;
  context.other_tokens = names.others;
  return context;
}

}  // namespace galago
