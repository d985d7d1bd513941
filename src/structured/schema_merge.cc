// See the header.
#include "structured/schema_merge.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <vector>

#include "structured/grammar_text.h"

namespace galago {
namespace {

using Schema = nlohmann::ordered_json;

const std::set<std::string, std::less<>> kDescriptions = {
    "title",       "description",    "default",         "example", "examples", "deprecated",  "readOnly",
    "writeOnly",   "$comment",       "$schema",         "$id",     "$defs",    "definitions", "discriminator",
    "$vocabulary", "$dynamicAnchor", "$recursiveAnchor"};
const std::set<std::string, std::less<>> kLargest = {"minLength", "minItems", "minProperties", "minimum",
                                                     "exclusiveMinimum"};
const std::set<std::string, std::less<>> kSmallest = {"maxLength", "maxItems", "maxProperties", "maximum",
                                                      "exclusiveMaximum"};

/// The schema that a chain of bare references ends at.
Schema looked_up(const Schema& schema, const Schema& document, const std::string& where) {
  Schema found = schema;
  for (int i = 0; found.is_object() && found.contains("$ref"); ++i) {
    const Schema& name = found["$ref"];
    Schema rest = found;
    rest.erase("$ref");
    if (i == 32 || restricts(rest) || !name.is_string() || !name.get<std::string>().starts_with('#'))
      fail_definition(where, "a reference beside other keywords that cannot be put together");
    try {
      found = Schema(document.at(Schema::json_pointer(name.get<std::string>().substr(1))));
    } catch (const Schema::exception&) {
      fail_definition(where, name.get<std::string>(), "a place in this schema");
    }
  }
  return found;
}

Schema both(const Schema& a, const Schema& b) {
  return a == b ? a : Schema{{"allOf", Schema::array({a, b})}};
}

Schema type_list(const Schema& type) { return type.is_array() ? type : Schema::array({type}); }

Schema common_types(const Schema& a, const Schema& b) {
  Schema out = Schema::array();
  const Schema others = type_list(b);
  const auto has = [](const Schema& list, const Schema& type) {
    return std::find(list.begin(), list.end(), type) != list.end();
  };
  for (const Schema& type : type_list(a)) {
    if (has(others, type) || (type == "integer" && has(others, "number"))) out.push_back(type);
    if (type == "number" && !has(others, type) && has(others, "integer")) out.push_back("integer");
  }
  return out;
}

Schema common_values(const Schema& a, const Schema& b) {
  Schema out = Schema::array();
  for (const Schema& value : a)
    if (std::find(b.begin(), b.end(), value) != b.end()) out.push_back(value);
  return out;
}

/// Where one is closed to further properties, the other may not name more: they would be allowed there alone.
void expect_same_properties(const Schema& closed, const Schema& other, const std::string& where) {
  if (!closed.contains("additionalProperties") && !closed.contains("unevaluatedProperties")) return;
  if (!other.contains("properties")) return;
  for (const auto& [name, value] : other["properties"].items())
    if (!closed.contains("properties") || !closed["properties"].contains(name))
      fail_definition(where, "additionalProperties in one of several schemas that hold together",
                      "it beside all properties");
}

/// `items` speaks of those behind its own prefixItems.
void expect_same_beginning(const Schema& items, const Schema& other, const std::string& where) {
  if (!items.contains("items") || !other.contains("prefixItems")) return;
  if (!items.contains("prefixItems") || items["prefixItems"] != other["prefixItems"])
    fail_definition(where, "items and prefixItems in two schemas that hold together", "both in one");
}

/// False: nothing satisfies both.
bool merge_key(Schema& own, const std::string& key, const Schema& value, const std::string& where) {
  if (own == value) return true;
  if (kLargest.contains(key) || kSmallest.contains(key)) {
    if (!own.is_number() || !value.is_number()) fail_definition(where, key + " that is no number");
    if (kLargest.contains(key) == (value.get<double>() > own.get<double>())) own = value;
  } else if (key == "properties" && own.is_object() && value.is_object()) {
    for (const auto& [name, schema] : value.items())
      own[name] = own.contains(name) ? both(own[name], schema) : schema;
  } else if (key == "required" && own.is_array() && value.is_array()) {
    for (const Schema& name : value)
      if (std::find(own.begin(), own.end(), name) == own.end()) own.push_back(name);
  } else if (key == "items" || key == "additionalProperties" || key == "unevaluatedProperties") {
    own = both(own, value);
  } else if (key == "enum" && own.is_array() && value.is_array()) {
    own = common_values(own, value);
    return !own.empty();
  } else if (key == "uniqueItems") {
    own = true;
  } else {
    fail_definition(where, key + " in two schemas that hold together", "one of them");
  }
  return true;
}

using Types = std::set<std::string>;

/// The types that a schema allows, as far as its `type` or its values tell.
std::optional<Types> types_of(const Schema& schema) {
  Types types;
  if (!schema.is_object()) return std::nullopt;
  if (schema.contains("type")) {
    for (const Schema& type : type_list(schema["type"])) {
      if (!type.is_string()) return std::nullopt;
      types.insert(type == "integer" ? "number" : type.get<std::string>());
    }
    return types;
  }
  return std::nullopt;
}

std::optional<Schema> values_of(const Schema& schema) {
  if (!schema.is_object()) return std::nullopt;
  if (schema.contains("const")) return Schema::array({schema["const"]});
  if (schema.contains("enum") && schema["enum"].is_array()) return schema["enum"];
  return std::nullopt;
}

bool is_required(const Schema& schema, const std::string& name) {
  return schema.contains("required") && schema["required"].is_array() &&
         std::find(schema["required"].begin(), schema["required"].end(), name) != schema["required"].end();
}

/// Both have a required property whose values differ.
bool told_apart(const Schema& a, const Schema& b) {
  if (!a.contains("properties") || !b.contains("properties") || !a["properties"].is_object() ||
      !b["properties"].is_object())
    return false;
  if (types_of(a) != Types{"object"} || types_of(b) != Types{"object"}) return false;
  for (const auto& [name, schema] : a["properties"].items()) {
    if (!b["properties"].contains(name) || !is_required(a, name) || !is_required(b, name)) continue;
    const auto left = values_of(schema);
    const auto right = values_of(b["properties"][name]);
    if (left && right && common_values(*left, *right).empty()) return true;
  }
  return false;
}

bool disjoint(const Schema& a, const Schema& b) {
  if (!a.is_object() || !b.is_object()) return false;
  const auto left = values_of(a);
  const auto right = values_of(b);
  if (left && right) return common_values(*left, *right).empty();
  const auto left_types = types_of(a);
  const auto right_types = types_of(b);
  if (left_types && right_types) {
    Types common;
    std::set_intersection(left_types->begin(), left_types->end(), right_types->begin(), right_types->end(),
                          std::inserter(common, common.begin()));
    if (common.empty()) return true;
  }
  return told_apart(a, b);
}

}  // namespace

bool restricts(const Schema& schema) {
  if (!schema.is_object()) return true;
  for (const auto& [key, value] : schema.items())
    if (!kDescriptions.contains(key)) return true;
  return false;
}

Schema merge_schemas(const Schema& first, const Schema& second, const Schema& document,
                     const std::string& where) {
  const Schema a = looked_up(first, document, where);
  const Schema b = looked_up(second, document, where);
  if (a.is_boolean()) return a.get<bool>() ? b : a;
  if (b.is_boolean()) return b.get<bool>() ? a : b;
  if (!a.is_object() || !b.is_object())
    fail_definition(where, "what is no schema", "an object, true or false");
  expect_same_properties(a, b, where);
  expect_same_properties(b, a, where);
  expect_same_beginning(a, b, where);
  expect_same_beginning(b, a, where);
  Schema out = a;
  for (const auto& [key, value] : b.items()) {
    if (kDescriptions.contains(key)) continue;
    if (!out.contains(key)) {
      out[key] = value;
    } else if (key == "type") {
      const Schema common = common_types(out["type"], value);
      if (common.empty()) return false;
      out["type"] = common;
    } else if (key == "allOf" && out[key].is_array() && value.is_array()) {
      for (const Schema& part : value) out[key].push_back(part);
    } else if (key == "anyOf" || key == "oneOf") {
      if (out[key] != value) out["allOf"].push_back(Schema{{key, value}});
    } else if (!merge_key(out[key], key, value, where)) {
      return false;
    }
  }
  return out;
}

void expect_disjoint(const Schema& list, const Schema& document, const std::string& place) {
  std::vector<Schema> found;
  for (const Schema& schema : list) found.push_back(looked_up(schema, document, "schema, \"" + place + "\""));
  for (size_t i = 0; i < found.size(); ++i)
    for (size_t j = i + 1; j < found.size(); ++j)
      if (!disjoint(found[i], found[j]))
        fail_definition(
            "schema, \"" + place + "\"",
            "schemas " + std::to_string(i) + " and " + std::to_string(j) + ", which one value may satisfy",
            "other types, other values, or a required property whose value tells them apart; or anyOf");
}

}  // namespace galago
