// Schemas that hold together, as one. In: two schemas. Out: one that allows what both allow, or an error
// where that cannot be written as one.
#pragma once

#include <string>

#include "formats/json.h"

namespace galago {

/// Whether it has keywords beside descriptions.
bool restricts(const nlohmann::ordered_json& schema);
/// References at their top are looked up in the document. Error{input_invalid} with `where`.
nlohmann::ordered_json merge_schemas(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b,
                                     const nlohmann::ordered_json& document, const std::string& where);
/// Error{input_invalid} unless no value can satisfy two of the schemas: other types, other values, or objects
/// that are told apart by the value of a required property.
void expect_disjoint(const nlohmann::ordered_json& list, const nlohmann::ordered_json& document,
                     const std::string& place);

}  // namespace galago
