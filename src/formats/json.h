// JSON from model directories: a parser with limits, and typed reads that name the file and the field.
// In: the text of a file. Out: an nlohmann::json document, or Error. Nothing here recurses over the input, so
// a deep document is refused rather than survived. Reference: RFC 8259. Internal: no public header includes
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/limits.h"

namespace galago {

using Json = nlohmann::json;

/// What parse_json accepts.
struct JsonRules {
  int64_t max_bytes = limits::kConfigBytes;
  int max_depth = limits::kJsonDepth;        ///< nested arrays and objects
  int64_t max_values = limits::kJsonValues;  ///< numbers, texts, lists and objects
  /// Otherwise, as in Python, the last of several equal keys counts, and NaN and Infinity pass, as texts.
  bool refuse_duplicate_keys = false;
};

/// Parses a whole UTF-8 text; `where` (a file name) opens every error text. Error{input_too_large} over
/// max_bytes, max_depth or max_values; Error{model_invalid} for anything that is not JSON, with line and
/// column.
Json parse_json(std::string_view text, const std::string& where, const JsonRules& rules = {});

/// The text of a document after a change, indented, members in their order; numbers that Python writes and
/// JSON does not have stay. Errors as parse_json's.
std::string change_json(std::string_view text, const std::string& where,
                        const std::function<void(nlohmann::ordered_json&)>& change);

/// A value of a parsed document and the way to it, for errors: "config.json: text_config.hidden_size".
/// Refers to the document, which must outlive it. Every fault of a read is
/// Error{model_invalid}.
class JsonField {
 public:
  /// The document itself; `where` is its file name.
  JsonField(const Json& value, std::string where) : value_(&value), where_(std::move(where)) {}

  /// The member of that name; it is an error when this is not an object or lacks it.
  JsonField at(const std::string& key) const;
  /// The member of that name; nothing when it is absent or null (null means "default" in these files).
  std::optional<JsonField> find(const std::string& key) const;
  /// Whether find(key) would give something.
  bool has(const std::string& key) const { return find(key).has_value(); }
  /// Entry of an array of size().
  JsonField at(size_t index) const;
  /// Entries of an array; an error when this is not one.
  size_t size() const;

  /// An integer within [least, most].
  int64_t integer(int64_t least, int64_t most) const;
  /// A finite number within [least, most].
  double number(double least, double most) const;
  bool boolean() const;
  const std::string& string() const;
  /// Throws unless this is an object.
  void expect_object() const;

  const Json& value() const { return *value_; }
  const std::string& where() const { return where_; }
  /// Throws Error{model_invalid}: where, what the value is, and what would have been right.
  [[noreturn]] void fail(const std::string& expected, const std::string& hint = {}) const;
  /// The same for a well-formed value that galago does not run: Error{model_unsupported}.
  [[noreturn]] void unsupported(const std::string& expected) const;

 private:
  std::string child(const std::string& name) const;

  const Json* value_;
  std::string where_;
  bool root_ = true;
};

/// A value in an error text: its JSON, shortened.
std::string describe(const Json& value);

}  // namespace galago
