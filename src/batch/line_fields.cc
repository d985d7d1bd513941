// See the header.
#include "batch/line_fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "core/words.h"
#include "messages/conversation.h"
#include "messages/uri.h"

namespace galago::batch {
namespace {

constexpr std::initializer_list<const char*> kPictureKeys = {"image", "images", "file_name", "path",
                                                             "image_path"};

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
  // One text, "yes,no", would leave the model no choice at all.
  if (const OrderedJson* list = fields.find({"choices"}); list && !list->is_array())
    fail(fields.place(), *list, "a list of texts");
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

// A picture of the item itself among the words of messages: no file has such a name.
std::string own_word(size_t number) { return std::string(1, '\0') + std::to_string(number); }

std::optional<size_t> own_number(const std::string& word, size_t count) {
  if (!word.starts_with('\0')) return {};
  size_t number = count;
  std::from_chars(word.data() + 1, word.data() + word.size(), number);
  return number < count ? std::optional(number) : std::nullopt;
}

OrderedJson own_part(size_t number) { return {{"type", "image"}, {"path", own_word(number)}}; }

bool is_picture_part(const OrderedJson& part) {
  if (!part.is_object()) return false;
  const auto type = part.find("type");
  return type != part.end() && (*type == "image" || *type == "image_url");
}

bool names_its_picture(const OrderedJson& part) {
  return std::ranges::any_of(std::initializer_list<const char*>{"path", "url", "image", "image_url"},
                             [&](const char* key) { return part.contains(key) && !part[key].is_null(); });
}

/// How the pictures of a conversation are named: in its parts, or by what stands beside it.
struct Parts {
  size_t open = 0;  // parts that name none; each gets one of the item's, as far as they go
  bool named = false;
  OrderedJson* question = nullptr;  // the last message of a user
};

Parts fill_parts(OrderedJson& messages, size_t count) {
  Parts parts;
  for (OrderedJson& message : messages) {
    if (!message.is_object()) continue;
    if (message.value("role", OrderedJson()) == "user") parts.question = &message;
    const auto content = message.find("content");
    if (content == message.end() || !content->is_array()) continue;
    for (OrderedJson& part : *content) {
      if (!is_picture_part(part)) continue;
      if (names_its_picture(part))
        parts.named = true;
      else if (parts.open++ < count)
        part = own_part(parts.open - 1);
    }
  }
  return parts;
}

// The item's own pictures in its messages; else they would be answered without a word about them.
void place_own(OrderedJson& messages, size_t count, const std::string& where) {
  if (count == 0 || !messages.is_array()) return;
  const Parts parts = fill_parts(messages, count);
  if (parts.open == count) return;
  const std::string pictures = std::to_string(count) + (count == 1 ? " picture" : " pictures");
  if (parts.open > 0 || parts.named || !parts.question)
    throw Error(ErrorCode::input_invalid,
                {.where = where + ": messages",
                 .got = pictures + " beside a conversation with " +
                        (parts.open > 0 ? std::to_string(parts.open) + " parts for them"
                         : parts.named  ? "pictures of its own"
                                        : "no message of a user"),
                 .expected = "as many parts {\"type\": \"image\"}, or none and a question"});
  OrderedJson content = OrderedJson::array();
  for (size_t i = 0; i < count; ++i) content.push_back(own_part(i));
  const OrderedJson said = parts.question->value("content", OrderedJson());
  if (said.is_array())
    content.insert(content.end(), said.begin(), said.end());
  else if (!said.is_null())
    content.push_back({{"type", "text"}, {"text", said}});
  (*parts.question)["content"] = std::move(content);
}

// The line's own system message, or the run's where the conversation begins with none.
void place_system(const OrderedJson& line, const std::string& where, std::string system, Request& request) {
  if (system.empty()) return;
  const bool has_one = request.messages[0].role == "system" || request.messages[0].role == "developer";
  if (has_one && line.contains("system") && !line["system"].is_null())
    fail(where + ": system", line["system"], "none beside messages that begin with a system message");
  if (!has_one)
    request.messages.insert(request.messages.begin(),
                            {.role = "system", .parts = {std::move(system)}, .fields = {}});
}

void read_conversation_of(const OrderedJson& line, const std::filesystem::path& root,
                          const std::string& where, const OwnPictures& own, Request& request) {
  OrderedJson document = OrderedJson::object();
  for (const char* key :
       {"messages", "tools", "template_arguments", "add_generation_prompt", "continue_final_message"})
    if (line.contains(key)) document[key] = line[key];
  place_own(document["messages"], own.count, where);
  int64_t count = 0;
  const PartOpeners open = {
      .image =
          [&](const std::string& word) {
            if (++count > limits::kImagesPerPrompt)
              throw Error(ErrorCode::input_too_large,
                          {.where = where,
                           .got = "more pictures",
                           .expected = "at most " + std::to_string(limits::kImagesPerPrompt)});
            const auto number = own_number(word, own.count);
            return number ? own.open(*number) : open_picture(word, root);
          },
      .video = [&](const std::string&) -> Video {
        throw Error(ErrorCode::unsupported_media,
                    {.where = where, .got = "a video", .expected = "pictures and texts"});
      }};
  request.prompt.clear();
  std::string system = std::exchange(request.system, {});
  read_conversation(document.dump(), where, open, request);
  place_system(line, where, std::move(system), request);
}

/// Whether a value seems to name a picture, or the key says so of any text.
bool seems_a_picture(const std::string& key, const OrderedJson& value) {
  const OrderedJson& one = value.is_array() && !value.empty() ? value[0] : value;
  const std::string name = lower_ascii(key);
  const bool called =
      std::ranges::any_of(std::initializer_list<const char*>{"image", "img", "picture", "photo"},
                          [&](const char* word) { return name.find(word) != std::string::npos; });
  if (called && (one.is_object() || (one.is_string() && one != ""))) return true;
  if (!one.is_string()) return false;
  const std::string& text = one.get_ref<const std::string&>();
  return has_scheme(text, "data:image/") ||
         (ends_like_picture(text) && text.find_first_of(" \t\n") == std::string::npos);
}

bool has_picture_parts(const OrderedJson& messages) {
  return std::any_of(messages.begin(), messages.end(), [](const OrderedJson& message) {
    const auto content = message.is_object() ? message.find("content") : message.end();
    return content != message.end() && content->is_array() &&
           std::any_of(content->begin(), content->end(), is_picture_part);
  });
}

// Data sets have columns of their own; but where nothing says that there is no picture, none may be
// overlooked.
void check_other_keys(const OrderedJson& line, const Columns& columns, const std::string& where) {
  const auto messages = line.find("messages");
  if (messages != line.end() && messages->is_array() && has_picture_parts(*messages)) return;
  if (std::ranges::any_of(kPictureKeys, [&](const char* key) { return line.contains(key); })) return;
  for (const auto& [key, value] : line.items()) {
    const std::string& name = key;
    const bool known =
        std::ranges::any_of(std::initializer_list<const char*>{"id", "custom_id", "prompt", "question"},
                            [&](const char* one) { return name == one; });
    if (known || name == columns.id || name == columns.prompt || !seems_a_picture(name, value)) continue;
    throw Error(ErrorCode::input_invalid,
                {.where = where + ": " + printable(name, 60),
                 .got = "what seems to be a picture, " + shown_json(value),
                 .expected = "a picture under image, images, file_name, path or image_path",
                 .hint = "--image-column takes another key; \"image\": null says that there is none"});
  }
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
    fields.texts(kPictureKeys, words);
  if (columns.image.empty() && words.empty()) check_other_keys(line, columns, where);
  if (std::ssize(words) > limits::kImagesPerPrompt)
    throw Error(ErrorCode::input_too_large,
                {.where = fields.place(),
                 .got = std::to_string(words.size()) + " pictures",
                 .expected = "at most " + std::to_string(limits::kImagesPerPrompt)});
  return words;
}

void read_fields(const OrderedJson& line, const Columns& columns, const std::filesystem::path& root,
                 const std::string& where, const OwnPictures& own, Request& request) {
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
  if (fields.find({"messages"})) return read_conversation_of(line, root, where, own, request);
  for (size_t i = 0; i < own.count; ++i) request.images.push_back(own.open(i));
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
