// Parsing uses nlohmann::json's callback, which sees every bracket and key before the document grows: the
// depth limit and the duplicate check live there. The parser keeps its own stack on the heap.
#include "io/json.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

/// Checks each parse event against the rules.
class Watch {
 public:
  Watch(const std::string& where, const JsonRules& rules) : where_(where), rules_(rules) {}

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= rules_.max_depth) refuse("JSON nested deeper than ", rules_.max_depth);
    if ((opens || event == Json::parse_event_t::value) && ++values_ > rules_.max_values)
      refuse("more JSON values than ", rules_.max_values);
    if (rules_.refuse_duplicate_keys) check_key(event, parsed);
    return true;
  }

 private:
  void refuse(const std::string& what, int64_t limit) const {
    throw Error(ErrorCode::input_too_large, {.where = where_,
                                             .got = what + std::to_string(limit),
                                             .expected = "at most " + std::to_string(limit)});
  }

  void check_key(Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start) open_objects_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects_.pop_back();
    if (event != Json::parse_event_t::key) return;
    const auto& key = parsed.get_ref<const std::string&>();
    if (!open_objects_.back().insert(key).second)
      throw Error(ErrorCode::model_invalid, {.where = where_,
                                             .got = "the key " + in_quotes(key) + " twice in one object",
                                             .expected = "each key once"});
  }

  const std::string& where_;
  const JsonRules& rules_;
  int64_t values_ = 0;
  std::vector<std::unordered_set<std::string>> open_objects_;
};

/// "line 3, column 7" of a byte, counted from 1 as nlohmann::json does.
std::string position(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, std::min(text.size(), byte > 0 ? byte - 1 : 0));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_begin = before.rfind('\n');
  const size_t column = before.size() - (line_begin == std::string_view::npos ? 0 : line_begin + 1) + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// The library's words without its "[json.exception...] parse error at ...: " opening.
std::string reason(std::string_view what) {
  for (const std::string_view mark : {"] ", "parse error at ", ": "}) {
    const size_t at = what.find(mark);
    if (at != std::string_view::npos) what.remove_prefix(at + mark.size());
  }
  return printable(what, 160);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where, const JsonRules& rules) {
  if (std::cmp_greater(text.size(), rules.max_bytes))
    throw Error(ErrorCode::input_too_large, {.where = where,
                                             .got = std::to_string(text.size()) + " bytes of JSON",
                                             .expected = "at most " + std::to_string(rules.max_bytes)});
  // nlohmann::json takes a NUL for the end of the text and would not look behind it.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos)
    throw Error(ErrorCode::model_invalid,
                {.where = where, .got = "a NUL byte at offset " + std::to_string(nul), .expected = "JSON"});
  try {
    // The callback type is a std::function and would copy the state at each call: hand it a reference.
    Watch watch(where, rules);
    return Json::parse(text, std::ref(watch));
  } catch (const Json::parse_error& error) {
    throw Error(ErrorCode::model_invalid, {.where = where + ": " + position(text, error.byte),
                                           .got = reason(error.what()),
                                           .expected = "JSON"});
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::model_invalid, {.where = where, .got = reason(error.what()), .expected = "JSON"});
  }
}

std::string describe(const Json& value) {
  // A container may be large or hold text that cannot be dumped: its kind and size say enough.
  if (value.is_object()) return "an object of " + std::to_string(value.size()) + " members";
  if (value.is_array() && value.size() > 8) return "a list of " + std::to_string(value.size());
  if (value.is_array()) {
    std::string text = "[";
    for (size_t i = 0; i < value.size(); ++i)
      text += (i ? ", " : "") + (value[i].is_array() ? "[...]" : describe(value[i]));
    return text + "]";
  }
  if (value.is_string()) return in_quotes(value.get_ref<const std::string&>());
  return value.dump();
}

void JsonField::fail(const std::string& expected, const std::string& hint) const {
  throw Error(ErrorCode::model_invalid,
              {.where = where_, .got = describe(*value_), .expected = expected, .hint = hint});
}

void JsonField::unsupported(const std::string& expected) const {
  throw Error(ErrorCode::model_unsupported,
              {.where = where_, .got = describe(*value_), .expected = expected});
}

std::string JsonField::child(const std::string& name) const {
  return where_ + (root_ ? ": " : ".") + printable(name);
}

void JsonField::expect_object() const {
  if (!value_->is_object()) fail("an object");
}

std::optional<JsonField> JsonField::find(const std::string& key) const {
  expect_object();
  const auto found = value_->find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  JsonField field(*found, child(key));
  field.root_ = false;
  return field;
}

JsonField JsonField::at(const std::string& key) const {
  auto field = find(key);
  if (!field)
    throw Error(ErrorCode::model_invalid,
                {.where = child(key), .got = "nothing", .expected = "a value for this key"});
  return *field;
}

size_t JsonField::size() const {
  if (!value_->is_array()) fail("a list");
  return value_->size();
}

JsonField JsonField::at(size_t index) const {
  if (index >= size()) fail("at least " + std::to_string(index + 1) + " entries");
  JsonField field((*value_)[index], where_ + (root_ ? ": [" : "[") + std::to_string(index) + "]");
  field.root_ = false;
  return field;
}

int64_t JsonField::integer(int64_t least, int64_t most) const {
  const auto range = [&] {
    return "an integer from " + std::to_string(least) + " to " + std::to_string(most);
  };
  if (!value_->is_number_integer()) fail(range());
  if (value_->is_number_unsigned() && std::cmp_greater(value_->get<uint64_t>(), most)) fail(range());
  const auto number = value_->get<int64_t>();
  if (number < least || number > most) fail(range());
  return number;
}

double JsonField::number(double least, double most) const {
  const auto range = [&] { return "a number from " + Json(least).dump() + " to " + Json(most).dump(); };
  if (!value_->is_number()) fail(range());
  const auto number = value_->get<double>();
  if (!std::isfinite(number) || number < least || number > most) fail(range());
  return number;
}

bool JsonField::boolean() const {
  if (!value_->is_boolean()) fail("true or false");
  return value_->get<bool>();
}

const std::string& JsonField::string() const {
  if (!value_->is_string()) fail("a string");
  return value_->get_ref<const std::string&>();
}

}  // namespace galago
