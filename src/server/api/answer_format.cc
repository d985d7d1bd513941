// See the header.
#include "server/api/answer_format.h"

#include "server/api/api_error.h"
#include "server/api/json_response.h"

namespace galago::server {
namespace {

using Kind = AnswerFormat::Kind;

constexpr const char* kAnyTool = "*";
constexpr size_t kMostForced = 128;  // each is a way to read the same beginning

// A form, and the field that asked for it.
class OneFormat {
 public:
  void set(const std::string& field, AnswerFormat format) {
    if (!field_.empty()) refuse_field(field, "a second form of the answer", "none beside " + field_);
    field_ = field;
    format_ = std::move(format);
  }
  AnswerFormat take() { return std::move(format_); }

 private:
  std::string field_;
  AnswerFormat format_;
};

AnswerFormat schema_format(const OrderedJson& schema, const std::string& where) {
  if (schema.is_string())
    return {.kind = Kind::json_schema, .definition = schema.get<std::string>(), .choices = {}};
  if (!schema.is_object() && !schema.is_boolean()) refuse_field(where, shown_json(schema), "a JSON schema");
  return {.kind = Kind::json_schema, .definition = written(schema), .choices = {}};
}

AnswerFormat choice_format(const Fields& body, const char* key) {
  return {.kind = Kind::choice, .definition = {}, .choices = body.texts(key, 10000)};
}

// {"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}}; llama-server takes "schema" in
// place.
AnswerFormat response_format(const Fields& format) {
  const std::string type = format.text("type").value_or("text");
  if (type == "text") return {};
  const OrderedJson* schema = format.find("schema");
  if (type == "json_object" && !schema) return {.kind = Kind::json_object, .definition = {}, .choices = {}};
  std::string where = format.path("schema");
  if (!schema)
    if (const OrderedJson* named = format.find("json_schema")) {
      schema = Fields(*named, format.path("json_schema")).find("schema");
      where = format.path("json_schema.schema");
    }
  if (type == "json_schema" || type == "json_object") {
    if (!schema) refuse_field(where, "nothing", "a JSON schema");
    return schema_format(*schema, where);
  }
  if (type == "regex" || type == "grammar") {
    const auto text = format.text("definition");
    if (!text) refuse_field(format.path("definition"), "nothing", "a text");
    return {.kind = type == "regex" ? Kind::regex : Kind::grammar, .definition = *text, .choices = {}};
  }
  refuse_field(format.path("type"), shown_json(type), "text, json_object or json_schema");
}

void read_named(const Fields& body, const std::string& prefix, OneFormat& one) {
  const auto key = [&](const char* name) { return prefix + name; };
  if (const OrderedJson* schema = body.find(key("json").c_str()))
    one.set(body.path(key("json")), schema_format(*schema, body.path(key("json"))));
  if (const auto text = body.text(key("regex").c_str()))
    one.set(body.path(key("regex")), {.kind = Kind::regex, .definition = *text, .choices = {}});
  if (const auto text = body.text(key("grammar").c_str()); text && !text->empty())
    one.set(body.path(key("grammar")), {.kind = Kind::grammar, .definition = *text, .choices = {}});
  if (body.has(key("choice").c_str()))
    one.set(body.path(key("choice")), choice_format(body, key("choice").c_str()));
}

OrderedJson parameters_of(const Fields& function) {
  const OrderedJson* schema = function.find("parameters");
  return schema ? *schema : OrderedJson{{"type", "object"}};
}

}  // namespace

AnswerFormat answer_format(const Fields& body) {
  OneFormat one;
  if (const OrderedJson* asked = body.find("response_format")) {
    AnswerFormat format = response_format(Fields(*asked, body.path("response_format")));
    if (format.kind != Kind::text) one.set(body.path("response_format"), std::move(format));
  }
  if (const OrderedJson* schema = body.find("json_schema"))
    one.set(body.path("json_schema"), schema_format(*schema, body.path("json_schema")));
  if (const auto text = body.text("grammar"); text && !text->empty())
    one.set(body.path("grammar"), {.kind = Kind::grammar, .definition = *text, .choices = {}});
  read_named(body, "guided_", one);
  if (const OrderedJson* asked = body.find("structured_outputs"))
    read_named(Fields(*asked, body.path("structured_outputs")), "", one);
  return one.take();
}

ToolChoice tool_choice(const Fields& body) {
  ToolChoice choice;
  const OrderedJson* tools = body.find("tools");
  if (!tools) return choice;
  if (!tools->is_array()) refuse_field(body.path("tools"), shown_json(*tools), "a list of tools");
  const OrderedJson* asked = body.find("tool_choice");
  const std::string word = asked && asked->is_string() ? asked->get<std::string>() : "";
  if (word == "none" || tools->empty()) return choice;
  choice.tools = written(*tools);
  if (!asked || word == "auto") return choice;
  std::string wanted;
  if (asked->is_object()) {  // {"type": "function", "function": {"name": ...}}, or the name beside the type
    const Fields object(*asked, body.path("tool_choice"));
    const OrderedJson* function = object.find("function");
    const auto name =
        function ? Fields(*function, object.path("function")).text("name") : object.text("name");
    if (!name) refuse_field(body.path("tool_choice"), shown_json(*asked), "the name of a function");
    wanted = *name;
  } else if (word != "required") {
    refuse_field(body.path("tool_choice"), shown_json(*asked), "none, auto, required or a function's name");
  }
  std::vector<std::pair<std::string, OrderedJson>> functions;
  for (size_t i = 0; i < tools->size(); ++i) {
    const std::string where = body.path("tools") + "[" + std::to_string(i) + "]";
    const Fields tool((*tools)[i], where);
    const OrderedJson* inner = tool.find("function");
    const Fields function(inner ? *inner : (*tools)[i], inner ? where + ".function" : where);
    const auto name = function.text("name");
    if (!name || name->empty() || *name == kAnyTool)
      refuse_field(function.path("name"), name ? shown_json(*name) : "nothing", "the function's name");
    if (wanted.empty() || wanted == *name) functions.emplace_back(*name, parameters_of(function));
  }
  if (functions.empty())
    refuse_field(body.path("tool_choice"), shown_json(wanted), "the name of one of the tools");
  if (functions.size() > kMostForced)
    refuse_field(body.path("tools"), std::to_string(functions.size()) + " functions",
                 "at most " + std::to_string(kMostForced) + " where one of them has to be called");
  if (functions.size() == 1) {
    choice.name = functions[0].first;
    choice.format = schema_format(functions[0].second, body.path("tools"));
    return choice;
  }
  OrderedJson calls = OrderedJson::array();
  for (const auto& [name, schema] : functions)
    calls.push_back({{"type", "object"},
                     {"properties", {{"name", {{"const", name}}}, {"arguments", schema}}},
                     {"required", {"name", "arguments"}},
                     {"additionalProperties", false}});
  choice.name = kAnyTool;
  choice.format = schema_format({{"anyOf", calls}}, body.path("tools"));
  return choice;
}

}  // namespace galago::server
