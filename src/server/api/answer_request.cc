// See the header. Places in errors are those of the body, messages[0].content[1].image_url.
#include "server/api/answer_request.h"

#include <algorithm>

#include "messages/conversation.h"
#include "server/api/answer_format.h"
#include "server/api/api_error.h"
#include "server/api/json_response.h"

namespace galago::server {
namespace {

// Fields that would change what the operator decided.
void refuse_unsupported(const Fields& body) {
  for (const char* key :
       {"chat_template", "functions", "function_call", "audio", "suffix", "previous_response_id"})
    if (body.has(key))
      throw ApiError(400, "unsupported_parameter", body.path(key), body.path(key) + " is not supported");
  if (const OrderedJson* modalities = body.find("modalities"))
    for (const OrderedJson& one : *modalities)
      if (one != "text") refuse_field(body.path("modalities"), shown_json(one), "text");
}

// One tile, cut, or by size: cut only where the picture is larger than one tile. Without it, as the model's
// settings.
Image with_detail(Image image, const std::string& detail, const ServedModel& model,
                  const std::string& where) {
  if (detail.empty()) return image;
  if (detail == "low") return image.with_split(false);
  if (detail == "high") return image.with_split(true);
  if (detail != "auto" && detail != "original") refuse_field(where, shown_json(detail), "low, high or auto");
  if (detail == "original") return image;
  const ImageInfo whole = model.chat->plan_image(image.width(), image.height(), true);
  const bool small = std::max(image.width(), image.height()) <= model.tile_side && whole.tiles > 1;
  return small ? image.with_split(false) : image;
}

class PartsReader {
 public:
  PartsReader(const ReadContext& context, const ServedModel& model) : context_(context), model_(model) {}

  MessagePart operator()(const OrderedJson& part, const std::string& where) {
    if (part.is_string()) return part.get<std::string>();
    const Fields fields(part, where);
    const std::string type = fields.text("type").value_or("");
    if (type == "text" || type == "input_text" || type == "output_text") {
      const auto text = fields.text("text");
      if (!text) refuse_field(fields.path("text"), "nothing", "a text");
      return *text;
    }
    if (type == "refusal") return fields.text("refusal").value_or("");
    if (type == "image_url" || type == "input_image" || type == "image") return image(fields);
    if (type == "video_url" || type == "video") return video(fields);
    refuse_field(fields.path("type"), shown_json(type), "text, image_url or video_url");
  }

 private:
  MessagePart image(const Fields& part) {
    std::string key;
    const OrderedJson* source = part.find({"image_url", "url", "image"}, &key);
    if (!source)
      throw ApiError(400, "invalid_image_url", part.path("image_url"), part.path("image_url") + ": missing");
    std::string where = part.path(key);
    std::string detail = part.text("detail").value_or("");
    std::string url;
    if (source->is_object()) {
      const Fields object(*source, where);
      url = text_of(source->contains("url") ? (*source)["url"] : OrderedJson(), object.path("url"));
      detail = object.text("detail").value_or(detail);
      where = object.path("url");
    } else {
      url = text_of(*source, where);
    }
    return with_detail(context_.media.image(url, where, &context_.use), detail, model_, part.path("detail"));
  }

  // {"video_url": {"url": ...}}, or {"frames": [urls], "fps": 2}.
  MessagePart video(const Fields& part) {
    std::string key;
    const OrderedJson* source = part.find({"video_url", "url", "video"}, &key);
    if (!source) refuse_field(part.path("video_url"), "nothing", "an address, or frames");
    const std::string where = part.path(key);
    if (source->is_string()) return context_.media.video(source->get<std::string>(), where, &context_.use);
    const Fields object(*source, where);
    if (const auto url = object.text("url"))
      return context_.media.video(*url, object.path("url"), &context_.use);
    const std::vector<std::string> frames = object.texts("frames", 10000);
    if (frames.empty()) refuse_field(object.path("url"), "nothing", "an address, or frames beside it");
    return context_.media.frames(frames, object.number("fps", 0.01, 1000).value_or(1), object.path("frames"),
                                 &context_.use);
  }

  const ReadContext& context_;
  const ServedModel& model_;
};

// Pictures of a list of messages, and frames of its videos; parts of no kind count as none.
int64_t count_pictures(const OrderedJson& messages) {
  int64_t count = 0;
  for (const OrderedJson& message : messages) {
    const auto content = message.find("content");
    if (!message.is_object() || content == message.end() || !content->is_array()) continue;
    for (const OrderedJson& part : *content) {
      if (!part.is_object() || !part.contains("type") || !part["type"].is_string()) continue;
      const std::string type = part["type"].get<std::string>();
      if (type.find("image") == std::string::npos && type.find("video") == std::string::npos) continue;
      const auto video = part.find("video_url");
      const bool frames = video != part.end() && video->is_object() && video->contains("frames");
      count += frames && (*video)["frames"].is_array() ? std::ssize((*video)["frames"]) : 1;
    }
  }
  return count;
}

// Before the first of them is decoded.
void check_count(const OrderedJson& messages, const std::string& where, int64_t most) {
  if (const int64_t count = count_pictures(messages); count > most)
    throw ApiError(
        400, "too_many_images", where,
        where + ": got " + std::to_string(count) + " pictures, expected at most " + std::to_string(most));
}

void read_template(const Fields& body, Request& request) {
  if (const OrderedJson* arguments = body.find("chat_template_kwargs")) {
    if (!arguments->is_object())
      refuse_field(body.path("chat_template_kwargs"), shown_json(*arguments), "an object");
    request.template_arguments = written(*arguments);
  }
  request.add_generation_prompt = body.boolean("add_generation_prompt");
  request.continue_final_message = body.boolean("continue_final_message").value_or(false);
  request.parse_special = body.boolean("parse_special").value_or(false);
}

void refuse_silence(const AnswerCall& call) {
  if (call.silent) refuse_field("max_tokens", "0", "at least 1, or -1 for as many as fit");
}

void take_tools(const Fields& body, AnswerCall& call) {
  ToolChoice choice = tool_choice(body);
  call.request.tools = std::move(choice.tools);
  if (choice.name.empty()) return;
  AnswerFormat& format = call.request.options.format;
  if (format.kind != AnswerFormat::Kind::text)
    refuse_field(body.path("tool_choice"), "a call", "none beside another form of the answer");
  format = std::move(choice.format);
  call.tool = std::move(choice.name);
}

std::vector<Message> messages_of(const OrderedJson& list, const std::string& where,
                                 const ReadContext& context, const ServedModel& model) {
  if (!list.is_array() || list.empty())
    refuse_field(where, shown_json(list), "a list of at least one message");
  check_count(list, where, context.api.max_images);
  // "developer" is OpenAI's newer name of "system".
  std::vector<Message> messages = read_messages(list, where, PartsReader(context, model));
  for (Message& message : messages) {
    if (message.role == "developer") message.role = "system";
    // "content": null, as beside tool_calls: templates look at the first part.
    if (message.parts.empty()) message.parts.emplace_back(std::string());
  }
  return messages;
}

// Items of /v1/responses as messages of chat.
OrderedJson messages_of_items(const OrderedJson& input) {
  OrderedJson messages = OrderedJson::array();
  for (size_t i = 0; i < input.size(); ++i) {
    const std::string where = "input[" + std::to_string(i) + "]";
    const Fields item(input[i], where);
    const std::string type = item.text("type").value_or("message");
    if (type == "message") {
      OrderedJson message{{"role", item.text("role").value_or("user")}};
      message["content"] = input[i].value("content", OrderedJson());
      messages.push_back(std::move(message));
    } else if (type == "function_call") {
      const OrderedJson call{
          {"id", item.text("call_id").value_or("")},
          {"type", "function"},
          {"function",
           {{"name", item.text("name").value_or("")}, {"arguments", item.text("arguments").value_or("{}")}}}};
      messages.push_back(
          {{"role", "assistant"}, {"content", ""}, {"tool_calls", OrderedJson::array({call})}});
    } else if (type == "function_call_output") {
      const OrderedJson* output = item.find("output");
      messages.push_back(
          {{"role", "tool"},
           {"tool_call_id", item.text("call_id").value_or("")},
           {"content",
            output && output->is_string() ? *output : OrderedJson(output ? written(*output) : "")}});
    } else if (type != "reasoning") {
      refuse_field(where + ".type", shown_json(type), "message, function_call or function_call_output");
    }
  }
  return messages;
}

// {"text": {"format": ...}} of responses is response_format of chat.
OrderedJson as_chat(const OrderedJson& body) {
  OrderedJson chat = body;
  if (const auto text = body.find("text");
      text != body.end() && text->is_object() && text->contains("format"))
    chat["response_format"] = (*text)["format"];
  chat.erase("text");
  if (const auto top = body.find("top_logprobs"); top != body.end() && top->is_number() && *top > 0)
    chat["logprobs"] = true;
  if (const auto tools = body.find("tools"); tools != body.end() && tools->is_array()) {
    OrderedJson nested = OrderedJson::array();
    for (OrderedJson tool : *tools) {
      if (tool.is_object() && tool.value("type", OrderedJson()) == "function" && !tool.contains("function")) {
        tool.erase("type");
        tool = {{"type", "function"}, {"function", tool}};
      }
      nested.push_back(std::move(tool));
    }
    chat["tools"] = std::move(nested);
  }
  return chat;
}

}  // namespace

void read_chat(const OrderedJson& body, const ReadContext& context, AnswerCall& call) {
  const Fields fields(body);
  refuse_unsupported(fields);
  read_generation(fields, context.api, call);
  read_template(fields, call.request);
  take_tools(fields, call);
  refuse_silence(call);
  const OrderedJson* messages = fields.find("messages");
  call.request.messages = messages_of(messages ? *messages : OrderedJson(), "messages", context, *call.model);
}

std::vector<OrderedJson> prompts_of(const OrderedJson& body) {
  const Fields fields(body);
  const OrderedJson* prompt = fields.find("prompt");
  if (!prompt) refuse_field("prompt", "nothing", "a text");
  const bool list = prompt->is_array() && !prompt->empty() && !(*prompt)[0].is_number();
  if (!list) return {*prompt};
  if (prompt->size() > 64) refuse_field("prompt", std::to_string(prompt->size()) + " prompts", "at most 64");
  return {prompt->begin(), prompt->end()};
}

void read_completion(const OrderedJson& body, const OrderedJson& prompt, const ReadContext& context,
                     AnswerCall& call) {
  const Fields fields(body);
  refuse_unsupported(fields);
  read_generation(fields, context.api, call);
  call.request.raw = true;
  call.request.parse_special = true;
  if (prompt.is_array()) {
    std::vector<int32_t> ids;
    for (const OrderedJson& id : prompt)
      ids.push_back(static_cast<int32_t>(integer_of(id, "prompt", 0, INT32_MAX)));
    call.request.prompt = call.model->chat->detokenize(ids, true);
    if (call.model->chat->tokenize(call.request.prompt, true) != ids)
      refuse_field("prompt", "token ids that are not what the tokenizer makes of their text", "a text");
  } else {
    call.request.prompt = text_of(prompt, "prompt");
  }
  call.echo = fields.boolean("echo").value_or(false);
  GenerateOptions& options = call.request.options;
  if (call.echo && options.logprobs) options.prompt_logprobs = options.logprobs;
}

void read_response(const OrderedJson& body, const ReadContext& context, AnswerCall& call) {
  const OrderedJson chat = as_chat(body);
  const Fields fields(chat);
  refuse_unsupported(fields);
  read_generation(fields, context.api, call);
  read_template(fields, call.request);
  take_tools(fields, call);
  refuse_silence(call);
  if (call.n != 1) refuse_field("n", std::to_string(call.n), "1");
  const OrderedJson* input = fields.find("input");
  if (!input || (!input->is_string() && !input->is_array()))
    refuse_field("input", input ? shown_json(*input) : "nothing", "a text or a list of items");
  const OrderedJson items = input->is_string() ? OrderedJson::array({{{"role", "user"}, {"content", *input}}})
                                               : messages_of_items(*input);
  call.request.messages = messages_of(items, "input", context, *call.model);
  if (const auto system = fields.text("instructions"); system && !system->empty())
    call.request.messages.insert(call.request.messages.begin(),
                                 {.role = "system", .parts = {*system}, .fields = {}});
}

}  // namespace galago::server
