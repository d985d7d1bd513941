// See the header.
#include "structured/json_schema.h"

#include <algorithm>
#include <map>
#include <set>

#include "formats/json.h"
#include "structured/grammar.h"
#include "structured/grammar_text.h"
#include "structured/pattern.h"
#include "structured/schema_merge.h"
#include "structured/schema_node.h"

namespace galago {
namespace {

using Kind = SchemaNode::Kind;
using Schema = nlohmann::ordered_json;

// Keywords that restrict, but that an answer is not held to.
const std::set<std::string, std::less<>> kRefused = {"not",
                                                     "if",
                                                     "then",
                                                     "else",
                                                     "dependentRequired",
                                                     "dependentSchemas",
                                                     "dependencies",
                                                     "contains",
                                                     "minContains",
                                                     "maxContains",
                                                     "patternProperties",
                                                     "propertyNames",
                                                     "unevaluatedItems",
                                                     "additionalItems",
                                                     "$dynamicRef",
                                                     "$recursiveRef",
                                                     "$anchor",
                                                     "multipleOf",
                                                     "disallow",
                                                     "extends",
                                                     "divisibleBy"};

// What each type's keywords are.
const std::map<std::string, std::vector<std::string>, std::less<>> kKeywordsOf = {
    {"object",
     {"properties", "required", "additionalProperties", "unevaluatedProperties", "minProperties",
      "maxProperties"}},
    {"array", {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"}},
    {"string", {"minLength", "maxLength", "pattern", "format"}},
    {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}}};

const std::map<std::string, std::string, std::less<>> kFormats = {
    {"date",
     "^[1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|"
     "1[0-9]|2[0-8]))$"},
    {"time",
     "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"},
    {"date-time",
     "^[1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|"
     "1[0-9]|2[0-8]))"
     "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    {"ipv4",
     "^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$"},
    {"email", "^[A-Za-z0-9_+-]+(\\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9]+([.-][A-Za-z0-9]+)*\\.[A-Za-z]{2,8}$"},
    {"uri", "^https?://[A-Za-z0-9]+([.-][A-Za-z0-9]+)*(/[A-Za-z0-9._~-]+)*/?$"}};

std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

std::string shown(const Schema& value) {
  const std::string text = value.dump(-1, ' ', false, Schema::error_handler_t::replace);
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

/// JSON as answers write it: on one line, with ", " and ": ".
std::string written(const Schema& value) {
  if (value.is_object()) {
    std::string out;
    for (const auto& [key, member] : value.items())
      out += (out.empty() ? "" : ", ") + Schema(key).dump() + ": " + written(member);
    return "{" + out + "}";
  }
  if (value.is_array()) {
    std::string out;
    for (const auto& member : value) out += (out.empty() ? "" : ", ") + written(member);
    return "[" + out + "]";
  }
  return value.dump();
}

bool has_type(const Schema& value, const std::string& type) {
  if (type == "integer") {
    if (value.is_number_float())
      return value.get<double>() == static_cast<double>(static_cast<int64_t>(value.get<double>()));
    return value.is_number_integer();
  }
  if (type == "number") return value.is_number();
  return type == value.type_name();
}

class Reader {
 public:
  explicit Reader(const Schema& document) : document_(document) {}

  SchemaNodes read() {
    out_.nodes.emplace_back();  // the root, which a reference may name
    by_pointer_[""] = 0;
    const int root = node_of(document_, "", 0);
    out_.nodes[0] = SchemaNode{.kind = Kind::choice, .parts = {root}};
    return std::move(out_);
  }

 private:
  [[noreturn]] static void fail(const std::string& place, const std::string& got,
                                const std::string& expected = {}) {
    fail_definition("schema, \"" + place + "\"", got, expected);
  }

  int add(SchemaNode node) {
    out_.nodes.push_back(std::move(node));
    expect_at_most(static_cast<int64_t>(out_.nodes.size()), grammar_limits::kRules, "schema",
                   "schemas in it");
    return static_cast<int>(out_.nodes.size()) - 1;
  }

  int choice(std::vector<int> ways) {
    return ways.size() == 1 ? ways[0] : add({.kind = Kind::choice, .parts = std::move(ways)});
  }

  int node_of(const Schema& schema, const std::string& place, int depth) {
    expect_at_most(depth, grammar_limits::kDepth, "schema, \"" + place + "\"", "schemas in schemas");
    if (schema.is_boolean()) return add({.kind = schema.get<bool>() ? Kind::any : Kind::never});
    if (!schema.is_object()) fail(place, shown(schema), "a schema: an object, true or false");
    for (const auto& [key, value] : schema.items()) {
      if (kRefused.contains(key) || (key == "$id" && !place.empty()))
        fail(place + "/" + key, "a keyword that answers are not held to", "a schema without it");
    }
    if (schema.contains("$ref")) return reference(schema, place, depth);
    for (const char* key : {"allOf", "anyOf", "oneOf"})
      if (schema.contains(key)) return combined(schema, key, place, depth);
    if (schema.contains("const") || schema.contains("enum")) return values(schema, place);
    std::vector<int> ways;
    for (const std::string& type : types(schema, place)) ways.push_back(typed(schema, type, place, depth));
    if (ways.empty()) return add({.kind = Kind::any});
    return choice(std::move(ways));
  }

  static std::vector<std::string> types(const Schema& schema, const std::string& place) {
    static const std::set<std::string> kTypes = {"null",   "boolean", "integer", "number",
                                                 "string", "array",   "object"};
    std::vector<std::string> found;
    if (schema.contains("type")) {
      const Schema& type = schema["type"];
      const Schema list = type.is_array() ? type : Schema::array({type});
      for (const Schema& name : list) {
        if (!name.is_string() || !kTypes.contains(name.get<std::string>()))
          fail(place + "/type", shown(name), "a type of JSON");
        found.push_back(name.get<std::string>());
      }
      if (found.empty()) fail(place + "/type", "no type", "a type of JSON");
      return found;
    }
    // Without a type: those that the keywords speak of.
    for (const char* type : {"object", "array", "string", "number"})
      for (const std::string& key : kKeywordsOf.find(type)->second)
        if (schema.contains(key) && (found.empty() || found.back() != type)) found.push_back(type);
    return found;
  }

  int typed(const Schema& schema, const std::string& type, const std::string& place, int depth) {
    if (type == "null") return add({.kind = Kind::null});
    if (type == "boolean") return add({.kind = Kind::boolean});
    if (type == "string") return text(schema, place);
    if (type == "array") return array(schema, place, depth);
    if (type == "object") return object(schema, place, depth);
    return number(schema, type == "integer", place);
  }

  static int64_t count(const Schema& schema, const char* key, int64_t otherwise, const std::string& place) {
    if (!schema.contains(key)) return otherwise;
    const Schema& value = schema[key];
    const bool whole = value.is_number_integer() || (value.is_number_float() && has_type(value, "integer"));
    if (!whole || value.get<double>() < 0) fail(place + "/" + key, shown(value), "a whole number from 0 on");
    if (value.get<double>() > static_cast<double>(grammar_limits::kRepeat))
      expect_at_most(value.get<double>() > 1e15 ? int64_t{1} << 50 : value.get<int64_t>(),
                     grammar_limits::kRepeat, "schema, \"" + place + "/" + key + "\"", "repetitions");
    return value.get<int64_t>();
  }

  int text(const Schema& schema, const std::string& place) {
    SchemaNode node{.kind = Kind::string};
    node.least = count(schema, "minLength", 0, place);
    node.most = count(schema, "maxLength", -1, place);
    const bool limited = schema.contains("minLength") || schema.contains("maxLength");
    if (schema.contains("pattern") + schema.contains("format") + limited > 1)
      fail(place, "pattern, format or a length beside one another", "one of them");
    if (schema.contains("pattern")) {
      if (!schema["pattern"].is_string())
        fail(place + "/pattern", shown(schema["pattern"]), "a regular expression");
      node.text =
          ebnf_of_json_pattern(schema["pattern"].get<std::string>(), "schema, \"" + place + "/pattern\"");
    }
    if (schema.contains("format")) {
      if (!schema["format"].is_string())
        fail(place + "/format", shown(schema["format"]), "the name of a format");
      const auto format = kFormats.find(schema["format"].get<std::string>());
      if (format == kFormats.end())
        fail(place + "/format", shown(schema["format"]), "date, time, date-time, uuid, ipv4, email or uri");
      node.text = ebnf_of_json_pattern(format->second, place);
    }
    if (node.most >= 0 && node.least > node.most) node.kind = Kind::never;
    return add(std::move(node));
  }

  std::optional<NumberLimit> limit(const Schema& schema, const std::string& key, const std::string& place) {
    if (!schema.contains(key)) return std::nullopt;
    const Schema& value = schema[key];
    if (!value.is_number()) fail(place + "/" + key, shown(value), "a number");
    NumberLimit out = decimal(value, place + "/" + key);
    out.exclusive = key.starts_with("exclusive");
    if (out.exclusive && (out.whole.size() > 7 || out.fraction.size() > 3))
      fail(place + "/" + key, shown(value), "at most 7 digits before the point and 3 after it");
    return out;
  }

  static NumberLimit decimal(const Schema& value, const std::string& place) {
    std::string digits = value.dump();
    NumberLimit out;
    if (digits[0] == '-') {
      out.negative = true;
      digits.erase(0, 1);
    }
    if (const size_t e = digits.find_first_of("eE"); e != std::string::npos || digits.size() > 20)
      fail(place, shown(value), "a number that is written without an exponent, up to 15 digits");
    const size_t point = digits.find('.');
    out.whole = digits.substr(0, point);
    if (point != std::string::npos) out.fraction = digits.substr(point + 1);
    while (out.fraction.ends_with('0')) out.fraction.pop_back();
    if (out.whole.size() > 15) fail(place, shown(value), "up to 15 digits before the point");
    if (out.whole == "0" && out.fraction.empty()) out.negative = false;
    return out;
  }

  int number(const Schema& schema, bool integer, const std::string& place) {
    SchemaNode node{.kind = integer ? Kind::integer : Kind::number};
    // The stricter of two on a side is the one that leaves fewer numbers.
    const auto low = limit(schema, "minimum", place);
    const auto high = limit(schema, "maximum", place);
    const auto above = limit(schema, "exclusiveMinimum", place);
    const auto below = limit(schema, "exclusiveMaximum", place);
    node.low = above && (!low || schema["exclusiveMinimum"].get<double>() >= schema["minimum"].get<double>())
                   ? above
                   : low;
    node.high =
        below && (!high || schema["exclusiveMaximum"].get<double>() <= schema["maximum"].get<double>())
            ? below
            : high;
    if (node.low || node.high) {
      node.text = number_range(node.low, node.high, integer);
      if (node.text.empty()) node.kind = Kind::never;
    }
    return add(std::move(node));
  }

  int array(const Schema& schema, const std::string& place, int depth) {
    SchemaNode node{.kind = Kind::array};
    node.least = count(schema, "minItems", 0, place);
    node.most = count(schema, "maxItems", -1, place);
    if (schema.contains("uniqueItems") && schema["uniqueItems"] != false && node.most != 0 && node.most != 1)
      fail(place + "/uniqueItems", "a keyword that answers are not held to", "a schema without it");
    if (schema.contains("prefixItems")) {
      const Schema& first = schema["prefixItems"];
      if (!first.is_array()) fail(place + "/prefixItems", shown(first), "a list of schemas");
      for (size_t i = 0; i < first.size(); ++i)
        node.parts.push_back(node_of(first[i], place + "/prefixItems/" + std::to_string(i), depth + 1));
    }
    const auto known = static_cast<int64_t>(node.parts.size());
    if (schema.contains("items")) {
      if (schema["items"].is_array())
        fail(place + "/items", "a list of schemas", "prefixItems, as from draft 2020-12 on");
      node.rest = node_of(schema["items"], place + "/items", depth + 1);
    } else if (node.parts.empty() || node.least > known) {
      node.rest = add({.kind = Kind::any});
    }
    if (node.most >= 0 && node.least > node.most) node.kind = Kind::never;
    return add(std::move(node));
  }

  int object(const Schema& schema, const std::string& place, int depth) {
    SchemaNode node{.kind = Kind::object};
    const bool named = schema.contains("properties");
    if (named && !schema["properties"].is_object())
      fail(place + "/properties", shown(schema["properties"]), "an object of schemas");
    const char* rest_key =
        schema.contains("additionalProperties") ? "additionalProperties" : "unevaluatedProperties";
    if (schema.contains(rest_key))
      node.rest = node_of(schema[rest_key], place + "/" + rest_key, depth + 1);
    else if (!named)
      node.rest = add({.kind = Kind::any});
    if (named)
      for (const auto& [name, value] : schema["properties"].items())
        node.properties.push_back(
            {name, false, node_of(value, place + "/properties/" + escaped(name), depth + 1)});
    require(schema, node, place);
    const auto required = std::count_if(node.properties.begin(), node.properties.end(),
                                        [](const auto& p) { return p.required; });
    node.least = count(schema, "minProperties", 0, place);
    node.most = count(schema, "maxProperties", -1, place);
    if (node.least > std::max<int64_t>(required, 1))
      fail(place + "/minProperties", "more than the required properties", "required properties");
    if (node.most >= 0 && node.most < static_cast<int64_t>(node.properties.size()))
      fail(place + "/maxProperties", "fewer than the properties that are named", "no less");
    if (required > 0) node.least = 0;
    return add(std::move(node));
  }

  void require(const Schema& schema, SchemaNode& node, const std::string& place) {
    if (!schema.contains("required")) return;
    const Schema& list = schema["required"];
    if (!list.is_array()) fail(place + "/required", shown(list), "a list of names");
    std::map<std::string, size_t> index;
    for (size_t i = 0; i < node.properties.size(); ++i) index[node.properties[i].name] = i;
    for (const Schema& name : list) {
      if (!name.is_string()) fail(place + "/required", shown(name), "a name");
      const auto found = index.find(name.get<std::string>());
      if (found != index.end()) {
        node.properties[found->second].required = true;
        continue;
      }
      // Not described: any value, or what further properties have to be.
      const bool closed = node.rest < 0 && schema.contains("additionalProperties");
      const int value = node.rest >= 0 ? node.rest : add({.kind = closed ? Kind::never : Kind::any});
      index[name.get<std::string>()] = node.properties.size();
      node.properties.push_back({name.get<std::string>(), true, value});
    }
  }

  int values(const Schema& schema, const std::string& place) {
    const bool one = schema.contains("const");
    const std::string key = one ? "const" : "enum";
    if (!one && (!schema["enum"].is_array() || schema["enum"].empty()))
      fail(place + "/enum", shown(schema["enum"]), "a list of values");
    for (const auto& [type, keywords] : kKeywordsOf)
      for (const std::string& other : keywords)
        if (schema.contains(other) && other != "format")
          fail(place + "/" + other, other + " beside " + key, "one of them");
    if (one && schema.contains("enum")) fail(place + "/enum", "enum beside const", "one of them");
    const std::vector<std::string> allowed = types(schema, place);
    std::vector<int> ways;
    std::set<std::string> seen;
    for (const Schema& value : one ? Schema::array({schema["const"]}) : schema["enum"]) {
      const auto fits = [&](const std::string& type) { return has_type(value, type); };
      if (!allowed.empty() && schema.contains("type") && std::none_of(allowed.begin(), allowed.end(), fits))
        continue;
      std::string text = written(value);
      if (seen.insert(text).second) ways.push_back(add({.kind = Kind::literal, .text = std::move(text)}));
    }
    return ways.empty() ? add({.kind = Kind::never}) : choice(std::move(ways));
  }

  int reference(const Schema& schema, const std::string& place, int depth) {
    const Schema& name = schema["$ref"];
    if (!name.is_string() || !name.get<std::string>().starts_with('#'))
      fail(place + "/$ref", shown(name), "a place in this schema: #/...");
    const std::string pointer = percent_decoded(name.get<std::string>().substr(1));
    const Schema* target = nullptr;
    try {
      target = &document_.at(Schema::json_pointer(pointer));
    } catch (const Schema::exception&) {
      fail(place + "/$ref", shown(name), "a place in this schema");
    }
    Schema rest = schema;
    rest.erase("$ref");
    if (restricts(rest)) return node_of(merged(rest, *target, place), place, depth + 1);
    const auto known = by_pointer_.find(pointer);
    if (known != by_pointer_.end()) return known->second;
    const int placeholder = add({.kind = Kind::never});
    by_pointer_[pointer] = placeholder;
    const int node = node_of(*target, pointer, depth + 1);
    out_.nodes[static_cast<size_t>(placeholder)] = SchemaNode{.kind = Kind::choice, .parts = {node}};
    return placeholder;
  }

  static std::string percent_decoded(const std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      const std::string digits = text[i] == '%' ? text.substr(i + 1, 2) : "";
      if (digits.size() == 2 && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos) {
        out += static_cast<char>(std::stoi(digits, nullptr, 16));
        i += 2;
      } else {
        out += text[i];
      }
    }
    return out;
  }

  int combined(const Schema& schema, const std::string& key, const std::string& place, int depth) {
    const Schema& list = schema[key];
    if (!list.is_array() || list.empty()) fail(place + "/" + key, shown(list), "a list of schemas");
    Schema rest = schema;
    rest.erase(key);
    const bool alone = !restricts(rest);
    if (key == "allOf") {
      Schema all = list[0];
      for (size_t i = 1; i < list.size(); ++i)
        all = merged(all, list[i], place + "/allOf/" + std::to_string(i));
      return node_of(alone ? all : merged(rest, all, place), place, depth + 1);
    }
    if (key == "oneOf" && list.size() > 1) expect_disjoint(list, document_, place + "/oneOf");
    std::vector<int> ways;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string own = place + "/" + key + "/" + std::to_string(i);
      ways.push_back(node_of(alone ? list[i] : merged(rest, list[i], own), own, depth + 1));
    }
    return choice(std::move(ways));
  }

  /// The schema that both ask for, with a budget: what is merged again and again grows.
  Schema merged(const Schema& a, const Schema& b, const std::string& place) {
    expect_at_most(++merges_, grammar_limits::kMerges, "schema, \"" + place + "\"",
                   "schemas that are put together");
    return merge_schemas(a, b, document_, "schema, \"" + place + "\"");
  }

  const Schema& document_;
  SchemaNodes out_;
  std::map<std::string, int> by_pointer_;
  int64_t merges_ = 0;
};

}  // namespace

SchemaNodes read_schema(std::string_view schema) {
  const JsonRules rules{.max_bytes = grammar_limits::kBytes,
                        .max_values = grammar_limits::kRules,
                        .refuse_duplicate_keys = true};
  try {
    parse_json(schema, "schema", rules);
    const Schema document = Schema::parse(schema);
    return Reader(document).read();
  } catch (const Schema::exception& error) {
    fail_definition("schema", error.what(), "JSON");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::model_invalid) throw;
    fail_definition(error.where(), error.got(), error.expected(), error.hint());
  }
}

std::string ebnf_of_schema(std::string_view schema) { return schema_grammar(read_schema(schema)); }

std::string ebnf_of_json_object() { return ebnf_of_schema(R"({"type": "object"})"); }

}  // namespace galago
