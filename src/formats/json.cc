// The document is built from nlohmann::json's events, which come from a loop with its own stack, so every
// bracket, value and key passes the limits before it takes memory. (Its parser with a callback would do the
// same, but takes time quadratic in the members of an object.)
#include "formats/json.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

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

/// The length of a number that Python writes and JSON does not have, at the beginning of a text; 0: none.
size_t python_number(std::string_view text) {
  for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
    if (text.starts_with(word)) return word.size();
  return 0;
}

/// Hands out a text in pieces, and whether each is such a number. Texts of the document stay as they are.
template <class Each>
void for_each_piece(std::string_view text, const Each& each) {
  bool in_text = false;
  for (size_t i = 0; i < text.size();) {
    const size_t length = in_text ? 0 : python_number(text.substr(i));
    const size_t bytes = length > 0 ? length : in_text && text[i] == '\\' && i + 1 < text.size() ? 2 : 1;
    if (text[i] == '"') in_text = !in_text;
    each(text.substr(i, bytes), length > 0);
    i += bytes;
  }
}

/// The text with such numbers between quotes, behind a mark: texts, which no read of a number takes.
std::string with_quoted_numbers(std::string_view text, std::string_view mark = "") {
  std::string out;
  for_each_piece(text, [&](std::string_view piece, bool number) {
    if (number)
      out.append(1, '"').append(mark).append(piece).append(1, '"');
    else
      out.append(piece);
  });
  return out;
}

/// The byte of a text, counted from 1, that is byte `quoted` of it with its numbers between quotes.
size_t byte_before_quotes(std::string_view text, size_t quoted) {
  size_t byte = 0, there = 0;
  for_each_piece(text, [&](std::string_view piece, bool number) {
    if (there >= quoted) return;
    byte += piece.size();
    there += piece.size() + (number ? 2 : 0);
  });
  return byte + (quoted > there ? quoted - there : 0);  // the end of the text is a byte, too
}

/// Receives the parser's events and builds the document within the rules.
class Builder : public Json::json_sax_t {
 public:
  /// `quoted`: what is parsed is the text with Python's numbers between quotes.
  Builder(std::string_view text, bool quoted, const std::string& where, const JsonRules& rules)
      : text_(text), quoted_(quoted), where_(where), rules_(rules) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // no such thing in a text

  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [place, fresh] = open_.back()->get_ref<Json::object_t&>().try_emplace(name);
    if (!fresh && rules_.refuse_duplicate_keys)
      throw Error(ErrorCode::model_invalid, {.where = where_,
                                             .got = "the key " + in_quotes(name) + " twice in one object",
                                             .expected = "each key once"});
    member_ = &place->second;
    return true;
  }

  bool parse_error(size_t byte, const std::string&, const Json::exception& error) override {
    throw Error(ErrorCode::model_invalid,
                {.where = where_ + ": " + position(text_, quoted_ ? byte_before_quotes(text_, byte) : byte),
                 .got = reason(error.what()),
                 .expected = "JSON"});
  }

  Json take() { return std::move(document_); }

 private:
  /// Puts a value where the document stands open and gives its place.
  Json& place(Json value) {
    if (++values_ > rules_.max_values) refuse("more JSON values than ", rules_.max_values);
    if (open_.empty()) return document_ = std::move(value);
    if (open_.back()->is_array()) return open_.back()->emplace_back(std::move(value));
    return *member_ = std::move(value);
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (std::cmp_greater_equal(open_.size(), rules_.max_depth))
      refuse("JSON nested deeper than ", rules_.max_depth);
    open_.push_back(&place(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  [[noreturn]] void refuse(const std::string& what, int64_t limit) const {
    throw Error(ErrorCode::input_too_large, {.where = where_,
                                             .got = what + std::to_string(limit),
                                             .expected = "at most " + std::to_string(limit)});
  }

  std::string_view text_;
  bool quoted_;
  const std::string& where_;
  const JsonRules& rules_;
  int64_t values_ = 0;
  Json document_;
  // An open value does not move: what holds it grows only after it is closed.
  std::vector<Json*> open_;
  Json* member_ = nullptr;
};

bool may_hold_python_numbers(std::string_view text) {
  return text.find("NaN") != std::string_view::npos || text.find("Infinity") != std::string_view::npos;
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
  // No other reader of such a file takes them where equal keys are refused.
  const bool quoted = !rules.refuse_duplicate_keys && may_hold_python_numbers(text);
  Builder builder(text, quoted, where, rules);
  if (quoted)
    Json::sax_parse(with_quoted_numbers(text), &builder);
  else
    Json::sax_parse(text, &builder);
  return builder.take();
}

std::string change_json(std::string_view text, const std::string& where,
                        const std::function<void(nlohmann::ordered_json&)>& change) {
  parse_json(text, where);  // its rules and its errors
  constexpr std::string_view kMark = "\x7f";
  auto document = nlohmann::ordered_json::parse(with_quoted_numbers(text, kMark));
  change(document);
  std::string changed = document.dump(2) + "\n";
  for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
    const std::string marked = '"' + std::string(kMark) + std::string(word) + '"';
    for (size_t at = 0; (at = changed.find(marked, at)) != std::string::npos; at += word.size())
      changed.replace(at, marked.size(), word);
  }
  return changed;
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
