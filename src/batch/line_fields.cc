// See the header.
#include "batch/line_fields.h"

#include <cmath>
#include <utility>

#include "core/limits.h"
#include "messages/conversation.h"

namespace galago::batch {
namespace {

[[noreturn]] void fail(const std::string& where, const OrderedJson& got, const std::string& expected) {
  throw Error(ErrorCode::input_invalid, {.where = where, .got = shown_json(got), .expected = expected});
}

/// The fields of one object.
class Fields {
 public:
  Fields(const OrderedJson& line, const std::string& where) : line_(line), where_(where) {}

  /// The first of these keys that is there and not null.
  const OrderedJson* find(std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
      const auto found = line_.find(key);
      if (found == line_.end() || found->is_null()) continue;
      key_ = key;
      return &*found;
    }
    return nullptr;
  }
  std::string place() const { return where_ + ": " + key_; }

  void text(std::initializer_list<const char*> keys, std::string& into) {
    if (const OrderedJson* value = find(keys)) {
      if (!value->is_string()) fail(place(), *value, "a text");
      into = value->get<std::string>();
    }
  }
  template <class Number>
  void number(std::initializer_list<const char*> keys, Number& into) {
    if (const OrderedJson* value = find(keys)) {
      if (!value->is_number()) fail(place(), *value, "a number");
      into = value->get<double>();
    }
  }
  /// A whole number from 0 to 2^53; 5.0 is one.
  template <class Number>
  void whole(std::initializer_list<const char*> keys, Number& into) {
    const OrderedJson* value = find(keys);
    if (!value) return;
    const double given = value->is_number() ? value->get<double>() : -1;
    if (!(given >= 0 && given <= 9007199254740992.0) || given != std::floor(given))
      fail(place(), *value, "a whole number of at least 0");
    into = value->get<int64_t>();
  }
  void texts(std::initializer_list<const char*> keys, std::vector<std::string>& into) {
    const OrderedJson* value = find(keys);
    if (!value) return;
    if (value->is_string()) {
      into = {value->get<std::string>()};
      return;
    }
    if (!value->is_array()) fail(place(), *value, "a text or a list of texts");
    into.clear();
    for (const OrderedJson& one : *value) {
      if (!one.is_string()) fail(place(), one, "a text");
      into.push_back(one.get<std::string>());
    }
  }

 private:
  const OrderedJson& line_;
  const std::string& where_;
  std::string key_;
};

void read_format(Fields& fields, AnswerFormat& format) {
  using Kind = AnswerFormat::Kind;
  if (const OrderedJson* schema = fields.find({"json_schema"}))
    format = {.kind = Kind::json_schema,
              .definition = schema->is_string() ? schema->get<std::string>() : schema->dump(),
              .choices = {}};
  for (const auto& [key, kind] : {std::pair{"regex", Kind::regex}, std::pair{"grammar", Kind::grammar}}) {
    std::string definition;
    fields.text({key}, definition);
    if (!definition.empty()) format = {.kind = kind, .definition = definition, .choices = {}};
  }
  std::vector<std::string> choices;
  fields.texts({"choices"}, choices);
  if (!choices.empty()) format = {.kind = Kind::choice, .definition = {}, .choices = choices};
}

void read_options(Fields& fields, GenerateOptions& options) {
  fields.whole({"max_tokens", "max_new_tokens"}, options.max_new_tokens);
  fields.number({"temperature"}, options.temperature);
  fields.whole({"top_k"}, options.top_k);
  fields.number({"top_p"}, options.top_p);
  fields.number({"min_p"}, options.min_p);
  fields.whole({"seed"}, options.seed);
  fields.texts({"stop"}, options.stop);
  fields.number({"repetition_penalty"}, options.repetition_penalty);
  fields.number({"frequency_penalty"}, options.frequency_penalty);
  fields.number({"presence_penalty"}, options.presence_penalty);
  read_format(fields, options.format);
}

void read_conversation_of(const OrderedJson& line, const std::filesystem::path& root,
                          const std::string& where, Request& request) {
  OrderedJson document = OrderedJson::object();
  for (const char* key :
       {"messages", "tools", "template_arguments", "add_generation_prompt", "continue_final_message"})
    if (line.contains(key)) document[key] = line[key];
  int64_t count = 0;
  const PartOpeners open = {
      .image =
          [&](const std::string& word) {
            if (++count > limits::kImagesPerPrompt)
              throw Error(ErrorCode::input_too_large,
                          {.where = where,
                           .got = "more pictures",
                           .expected = "at most " + std::to_string(limits::kImagesPerPrompt)});
            return open_picture(word, root);
          },
      .video = [&](const std::string&) -> Video {
        throw Error(ErrorCode::unsupported_media,
                    {.where = where, .got = "a video", .expected = "pictures and texts"});
      }};
  request.prompt.clear();
  request.system.clear();
  read_conversation(document.dump(), where, open, request);
}

}  // namespace

std::string id_of(const OrderedJson& line, const Columns& columns) {
  for (const std::string& key : {columns.id, std::string("id"), std::string("custom_id")}) {
    const auto found = key.empty() ? line.end() : line.find(key);
    if (found == line.end()) continue;
    if (found->is_string()) return found->get<std::string>();
    if (found->is_number_integer()) return found->dump();
  }
  return {};
}

std::vector<std::string> pictures_of(const OrderedJson& line, const Columns& columns,
                                     const std::string& where) {
  std::vector<std::string> words;
  Fields fields(line, where);
  if (!columns.image.empty())
    fields.texts({columns.image.c_str()}, words);
  else
    fields.texts({"image", "images", "file_name", "path", "image_path"}, words);
  if (std::ssize(words) > limits::kImagesPerPrompt)
    throw Error(ErrorCode::input_too_large,
                {.where = fields.place(),
                 .got = std::to_string(words.size()) + " pictures",
                 .expected = "at most " + std::to_string(limits::kImagesPerPrompt)});
  return words;
}

void read_fields(const OrderedJson& line, const Columns& columns, const std::filesystem::path& root,
                 const std::string& where, Request& request) {
  Fields fields(line, where);
  if (!columns.prompt.empty())
    fields.text({columns.prompt.c_str()}, request.prompt);
  else
    fields.text({"prompt", "question"}, request.prompt);
  fields.text({"system"}, request.system);
  if (const OrderedJson* split = fields.find({"split"})) {
    if (!split->is_boolean()) fail(fields.place(), *split, "true or false");
    request.split_images = split->get<bool>();
  }
  read_options(fields, request.options);
  if (fields.find({"messages"})) read_conversation_of(line, root, where, request);
}

bool asks_itself(const OrderedJson& line, const Columns& columns) {
  if (line.contains("messages")) return true;
  return columns.prompt.empty() ? line.contains("prompt") || line.contains("question")
                                : line.contains(columns.prompt);
}

void check_question(const Request& request, const std::string& where) {
  if (request.prompt.empty() && request.messages.empty() && !request.raw)
    throw Error(ErrorCode::usage, {.where = where,
                                   .got = "no question",
                                   .expected = "a prompt beside the picture, or one for all of them",
                                   .hint = "-p TEXT asks about each"});
}

}  // namespace galago::batch
