// What a template can call: filters, tests, methods and functions. Each takes values and gives a value.
// An unknown name is Error{model_unsupported}, a value that does not fit is Error{model_invalid}.
// Reference: Jinja 3.1 filters and tests; transformers 5.18 utils/chat_template_utils.py (tojson,
// raise_exception, strftime_now); Python's str, dict and list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace galago::jinja {

/// Evaluated arguments of a call.
struct Values {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at that place or of that name; nullptr when it is not given.
  const Value* find(size_t index, std::string_view name) const;
  /// Error{model_invalid} when there are more than `most` positional arguments.
  void at_most(size_t most, const std::string& function, Meter& meter) const;
  /// The argument, which must be a text.
  const MarkedText& text(size_t index, std::string_view name, Meter& meter) const;
  /// The arguments from `first` on.
  Values from(size_t first) const;
};

Value apply_filter(const std::string& name, const Value& value, const Values& arguments, Meter& meter);
bool apply_test(const std::string& name, const Value& value, const Values& arguments, Meter& meter);
/// Whether a value of this kind has the method (Python's getattr finds it).
bool has_method(const Value& self, std::string_view name);
/// Methods of strings that look for another one, pad, or ask what the characters are; nothing for another
/// name.
std::optional<Value> search_method(const std::string& name, const MarkedText& text, const Values& arguments,
                                   Meter& meter);
std::optional<Value> form_method(const std::string& name, const MarkedText& text, const Values& arguments,
                                 Meter& meter);
/// Filters that order, group or add up items; nothing for another name.
std::optional<Value> ordering_filter(const std::string& name, const Value& value, const Values& arguments,
                                     Meter& meter);
/// "format" % values
Value percent_format(const MarkedText& format, const Value& values, Meter& meter);
Value call_method(const Callable& method, const Values& arguments, Meter& meter);
/// Whether the environment has the function.
bool has_function(std::string_view name);
/// `now` is the time that strftime_now tells: seconds since 1970, nothing for the clock of the machine.
Value call_function(const std::string& name, const Values& arguments, std::optional<int64_t> now,
                    Meter& meter);

/// value.name and value[key], as Jinja looks them up.
Value get_attribute(const Value& value, const std::string& name, Meter& meter);
Value get_item(const Value& value, const Value& key, Meter& meter);
/// "a in b".
bool contains(const Value& container, const Value& item, Meter& meter);
/// + - * / // % ** ~
Value arithmetic(const std::string& op, const Value& a, const Value& b, Meter& meter);

/// Python's json.dumps as transformers' tojson calls it.
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool user = false;  ///< whether indent or separators are a user's text
};
MarkedText to_json(const Value& value, const JsonStyle& style, Meter& meter);

}  // namespace galago::jinja
