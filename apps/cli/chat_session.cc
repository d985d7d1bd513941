// See the header.
#include "chat_session.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "galago/error.h"
#include "messages/uri.h"
#include "pictures.h"

namespace galago::cli {
namespace {

using Ordered = nlohmann::ordered_json;

const char* kStopped = "cancelled";

/// The name under which the file is found from any folder; URIs as they are.
std::string whole_name(const std::string& file) {
  if (on_the_web(file) || file.starts_with("data:") || file.starts_with("file:")) return file;
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(file, error);
  return error ? file : path.lexically_normal().string();
}

Ordered content_of(const Turn& turn) {
  const std::vector<MessagePart>& parts = turn.message.parts;
  if (parts.empty()) return nullptr;
  if (parts.size() == 1 && std::holds_alternative<std::string>(parts[0]))
    return std::get<std::string>(parts[0]);
  auto list = Ordered::array();
  size_t file = 0;
  for (const MessagePart& part : parts) {
    if (const auto* text = std::get_if<std::string>(&part))
      list.push_back({{"type", "text"}, {"text", *text}});
    else
      list.push_back({{"type", std::holds_alternative<Image>(part) ? "image" : "video"},
                      {"path", whole_name(turn.files.at(file++))}});
  }
  return list;
}

Ordered message_json(const Turn& turn) {
  Ordered message{{"role", turn.message.role}, {"content", content_of(turn)}};
  if (!turn.message.fields.empty()) message.update(Ordered::parse(turn.message.fields));
  if (turn.stopped) message["finish_reason"] = kStopped;
  return message;
}

/// The mark of a stopped answer is no field for a template.
bool take_stopped(Message& message) {
  if (message.fields.empty()) return false;
  Ordered fields = Ordered::parse(message.fields);
  const auto found = fields.find("finish_reason");
  if (message.role != "assistant" || found == fields.end() || *found != kStopped) return false;
  fields.erase("finish_reason");
  message.fields = fields.empty() ? "" : fields.dump();
  return true;
}

}  // namespace

void ChatSession::attach(MessagePart part, const std::string& file) {
  waiting_.message.parts.push_back(std::move(part));
  waiting_.files.push_back(file);
}

void ChatSession::ask(const std::string& text) {
  if (!text.empty()) waiting_.message.parts.emplace_back(text);
  if (waiting_.message.parts.empty()) return;
  waiting_.message.role = "user";
  turns_.push_back(std::exchange(waiting_, {}));
}

void ChatSession::answer(const std::string& text, bool stopped) {
  turns_.push_back(
      {.message = {.role = "assistant", .parts = {text}, .fields = {}}, .files = {}, .stopped = stopped});
}

void ChatSession::retract() {
  if (ends_with_question()) turns_.pop_back();
}

void ChatSession::set_system(const std::string& text) {
  if (!turns_.empty() && turns_[0].message.role == "system") turns_.erase(turns_.begin());
  if (text.empty()) return;
  turns_.insert(turns_.begin(),
                Turn{.message = {.role = "system", .parts = {text}, .fields = {}}, .files = {}});
}

std::string ChatSession::system() const {
  if (turns_.empty() || turns_[0].message.role != "system") return "";
  std::string text;
  for (const MessagePart& part : turns_[0].message.parts)
    if (const auto* piece = std::get_if<std::string>(&part)) text += *piece;
  return text;
}

bool ChatSession::undo() {
  if (attached() > 0) {
    waiting_ = {};
    return true;
  }
  if (questions() == 0) return false;
  while (turns_.back().message.role != "user") turns_.pop_back();
  turns_.pop_back();
  return true;
}

bool ChatSession::drop_answer() {
  if (questions() == 0) return false;
  while (turns_.back().message.role != "user") turns_.pop_back();
  return true;
}

void ChatSession::clear() {
  waiting_ = {};
  const bool keep = !turns_.empty() && turns_[0].message.role == "system";
  turns_.erase(turns_.begin() + (keep ? 1 : 0), turns_.end());
}

bool ChatSession::ends_with_question() const {
  return !turns_.empty() && turns_.back().message.role == "user";
}

size_t ChatSession::questions() const {
  size_t count = 0;
  for (const Turn& turn : turns_) count += turn.message.role == "user" ? 1 : 0;
  return count;
}

Request ChatSession::request(const Request& base) const {
  Request request = base;
  for (const Turn& turn : turns_) request.messages.push_back(turn.message);
  request.tools = tools_;
  request.template_arguments = template_arguments_;
  return request;
}

std::string ChatSession::save() const {
  auto messages = Ordered::array();
  for (const Turn& turn : turns_) messages.push_back(message_json(turn));
  Ordered document{{"messages", messages}};
  if (!tools_.empty()) document["tools"] = Ordered::parse(tools_);
  if (!template_arguments_.empty()) document["template_arguments"] = Ordered::parse(template_arguments_);
  return document.dump(1, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

void ChatSession::load(const std::string& json, const std::string& name, const PartOpeners& open) {
  std::vector<std::string> files;
  const PartOpeners remembering{.image =
                                    [&](const std::string& word) {
                                      files.push_back(word);
                                      return open.image(word);
                                    },
                                .video =
                                    [&](const std::string& word) {
                                      files.push_back(word);
                                      return open.video(word);
                                    }};
  Request request;
  read_conversation(json, name, remembering, request);
  std::vector<Turn> turns;
  auto file = files.begin();
  for (Message& message : request.messages) {
    Turn turn{.message = std::move(message), .files = {}};
    turn.stopped = take_stopped(turn.message);
    for (const MessagePart& part : turn.message.parts)
      if (!std::holds_alternative<std::string>(part)) turn.files.push_back(*file++);
    turns.push_back(std::move(turn));
  }
  turns_ = std::move(turns);
  waiting_ = {};
  tools_ = request.tools;
  template_arguments_ = request.template_arguments;
}

}  // namespace galago::cli
