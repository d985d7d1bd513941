// JSON documents whose keys keep their order, from people and programs: bodies of requests, conversations.
// What reads them may recurse, so depth and width are bounded.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace galago {

using OrderedJson = nlohmann::ordered_json;

/// The document of a text, which `where` names in errors. Error{input_invalid} for what is no JSON, with the
/// byte; Error{input_too_large} for more than limits::kJsonDepth levels, 1000 keys in one object or 250,000
/// values.
OrderedJson parse_ordered_json(std::string_view text, const std::string& where);

/// A value in an error text: its JSON, on one line, cut after 60 characters.
std::string shown_json(const OrderedJson& value);

}  // namespace galago
