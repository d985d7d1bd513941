// A JSON Schema, understood: what json_schema.cc makes of its text, and what schema_grammar.cc makes a
// grammar of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galago {

/// A limit of a number, as an exact decimal.
struct NumberLimit {
  bool negative = false;
  std::string whole = "0";  ///< digits without leading zeros
  std::string fraction;     ///< digits without trailing zeros
  bool exclusive = false;
};

struct SchemaNode {
  enum class Kind { never, any, null, boolean, integer, number, string, array, object, literal, choice };
  struct Property {
    std::string name;
    bool required;
    int node;
  };
  Kind kind = Kind::any;
  std::vector<int> parts;            ///< of a choice: its ways; of an array: the first items
  std::vector<Property> properties;  ///< in the order in which they are written
  int rest = -1;                     ///< node of further items or properties; -1: none
  int64_t least = 0;                 ///< items, properties, characters
  int64_t most = -1;                 ///< -1: no limit
  std::string text;                  ///< a literal as JSON; of a string: an expression for its contents
  std::optional<NumberLimit> low;
  std::optional<NumberLimit> high;
};

struct SchemaNodes {
  std::vector<SchemaNode> nodes;
  int root = 0;
};

SchemaNodes read_schema(std::string_view schema);
/// Error{input_invalid} when no value satisfies it.
std::string schema_grammar(SchemaNodes schema);

/// An expression for JSON numbers within limits; empty when there is none. `integer`: without fraction.
std::string number_range(const std::optional<NumberLimit>& low, const std::optional<NumberLimit>& high,
                         bool integer);

}  // namespace galago
