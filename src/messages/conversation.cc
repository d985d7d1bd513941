// See the header. The document keeps the order of keys, which a template may write out.
#include "messages/conversation.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr std::array<std::string_view, 5> kKeys = {"messages", "tools", "template_arguments",
                                                   "add_generation_prompt", "continue_final_message"};

[[noreturn]] void fail(const std::string& where, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::input_invalid, {.where = where, .got = got, .expected = expected});
}

std::string text_of(const OrderedJson& value, const std::string& where) {
  if (!value.is_string()) fail(where, shown_json(value), "a text");
  return value.get<std::string>();
}

/// What a part says of its picture: the first of these keys that is there.
std::string source_of(const OrderedJson& part, std::initializer_list<const char*> keys,
                      const std::string& where) {
  std::string all;
  for (const char* key : keys) {
    const auto found = part.find(key);
    if (found != part.end() && !found->is_null()) return text_of(*found, where + "." + key);
    all += (all.empty() ? "" : ", ") + std::string(key);
  }
  fail(where, "no source of the picture", all);
}

MessagePart part_of(const OrderedJson& part, const PartOpeners& open, const std::string& where) {
  if (part.is_string()) return part.get<std::string>();
  if (!part.is_object()) fail(where, shown_json(part), "an object with \"type\"");
  const std::string type = part.contains("type") ? text_of(part["type"], where + ".type") : "";
  if (type == "text") {
    if (!part.contains("text")) fail(where, "no \"text\"", "one in a part of this type");
    return text_of(part["text"], where + ".text");
  }
  if (type == "image") return open.image(source_of(part, {"path", "url", "image"}, where));
  if (type == "video") return open.video(source_of(part, {"path", "url", "video"}, where));
  if (type == "image_url") {
    const OrderedJson& address = part.contains("image_url") ? part["image_url"] : part;
    return open.image(address.is_string() ? address.get<std::string>()
                                          : source_of(address, {"url"}, where + ".image_url"));
  }
  fail(where + ".type", shown_json(part.value("type", OrderedJson())), "text, image, image_url or video");
}

Message message_of(const OrderedJson& entry, const PartReader& read, const std::string& where) {
  if (!entry.is_object() || !entry.contains("role"))
    fail(where, shown_json(entry), "an object with \"role\"");
  Message message;
  OrderedJson fields = OrderedJson::object();
  for (const auto& [key, value] : entry.items()) {
    if (key == "role") {
      message.role = text_of(value, where + ".role");
    } else if (key != "content") {
      fields[key] = value;
    } else if (value.is_array()) {
      for (size_t i = 0; i < value.size(); ++i)
        message.parts.push_back(read(value[i], where + ".content[" + std::to_string(i) + "]"));
    } else if (!value.is_null()) {
      message.parts.emplace_back(text_of(value, where + ".content"));
    }
  }
  if (!fields.empty()) message.fields = fields.dump();
  return message;
}

std::optional<bool> switch_of(const OrderedJson& document, const char* key) {
  const auto found = document.find(key);
  if (found == document.end() || found->is_null()) return std::nullopt;
  if (!found->is_boolean()) fail(key, shown_json(*found), "true or false");
  return found->get<bool>();
}

}  // namespace

std::vector<Message> read_messages(const OrderedJson& list, const std::string& where,
                                   const PartReader& read) {
  std::vector<Message> messages;
  for (size_t i = 0; i < list.size(); ++i)
    messages.push_back(message_of(list[i], read, where + "[" + std::to_string(i) + "]"));
  return messages;
}

void read_conversation(const std::string& text, const std::string& name, const PartOpeners& open,
                       Request& request) {
  OrderedJson document = parse_ordered_json(text, name);
  if (document.is_array()) document = OrderedJson{{"messages", std::move(document)}};
  if (!document.is_object() || !document.contains("messages") || !document["messages"].is_array())
    fail(name, shown_json(document), "a list of messages, or an object with \"messages\"");
  if (document["messages"].empty()) fail(name + ": messages", "an empty list", "at least one message");
  for (const auto& [key, value] : document.items())
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      fail(name + ": " + printable(key, 60), "a key that means nothing here",
           "messages, tools, template_arguments, add_generation_prompt or continue_final_message");
  request.messages = read_messages(
      document["messages"], name + ": messages",
      [&](const OrderedJson& part, const std::string& where) { return part_of(part, open, where); });
  if (document.contains("tools") && !document["tools"].is_null()) request.tools = document["tools"].dump();
  if (document.contains("template_arguments") && !document["template_arguments"].is_null())
    request.template_arguments = document["template_arguments"].dump();
  request.add_generation_prompt = switch_of(document, "add_generation_prompt");
  request.continue_final_message = switch_of(document, "continue_final_message").value_or(false);
}

}  // namespace galago
