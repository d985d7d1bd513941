// Filters and tests.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/printable.h"
#include "text/jinja/builtins.h"
#include "text/jinja/text.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

Value length_of(const Value& value, Meter& meter) {
  if (const MarkedText* text = value.text()) {
    meter.scan(text->size());
    return Value(static_cast<int64_t>(unicode::count(text->text())));
  }
  if (const Sequence* list = value.list()) return Value(static_cast<int64_t>(list->items.size()));
  if (const Mapping* dict = value.dict()) return Value(static_cast<int64_t>(dict->entries.size()));
  if (value.is_undefined()) return Value(int64_t{0});
  meter.invalid("the length of " + value.kind(), "a string, list or dict");
}

Value join_filter(const Value& value, const Values& arguments, Meter& meter) {
  const Value* separator = arguments.find(0, "d");
  const Value* attribute = arguments.find(1, "attribute");
  const MarkedText between = separator ? to_text(*separator, meter) : MarkedText();
  MarkedText out;
  bool first = true;
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) {
    const MarkedText text =
        to_text(attribute ? path_of(item, arguments.text(1, "attribute", meter).text(), meter) : item, meter);
    meter.text(static_cast<int64_t>(text.size() + between.size()));
    if (!first) out.append(between);
    out.append(text);
    meter.length(static_cast<int64_t>(out.size()));
    first = false;
  }
  return make_text(std::move(out), meter);
}

Value first_or_last(const Value& value, bool first, Meter& meter) {
  if (!first && value.get<Value::Stream>()) meter.invalid("the last item of " + value.kind(), "a list");
  const Value::List items = to_items(value, meter);
  if (items->items.empty())
    return Value::undefined(first ? "the first item of nothing" : "the last item of nothing");
  return first ? items->items.front() : items->items.back();
}

Value default_filter(const Value& value, const Values& arguments, Meter& meter) {
  arguments.at_most(2, "default", meter);
  const Value* otherwise = arguments.find(0, "default_value");
  const Value* also_false = arguments.find(1, "boolean");
  const bool replaced = value.is_undefined() || (also_false && also_false->truth() && !value.truth());
  if (!replaced) return value;
  return otherwise ? *otherwise : Value::text("");
}

Value json_filter(const Value& value, const Values& arguments, Meter& meter) {
  JsonStyle style;
  const Value* ascii = arguments.find(0, "ensure_ascii");
  const Value* indent = arguments.find(1, "indent");
  const Value* separators = arguments.find(2, "separators");
  const Value* sort = arguments.find(3, "sort_keys");
  style.ensure_ascii = ascii && ascii->truth();
  style.sort_keys = sort && sort->truth();
  if (indent && !indent->is_none()) {
    style.item_separator.assign(1, ',');
    const int64_t spaces =
        indent->text() ? 0 : std::clamp(as_integer(*indent, meter), int64_t{0}, int64_t{64});
    style.indent = indent->text() ? indent->text()->text() : std::string(static_cast<size_t>(spaces), ' ');
  }
  if (separators && !separators->is_none()) {
    const Sequence* pair = separators->list();
    if (!pair || pair->items.size() != 2 || !pair->items[0].text() || !pair->items[1].text())
      meter.invalid("separators that are no pair of strings");
    style.item_separator = pair->items[0].text()->text();
    style.key_separator = pair->items[1].text()->text();
  }
  return make_text(to_json(value, style, meter), meter);
}

Value to_integer(const Value& value, const Values& arguments, Meter& meter) {
  const Value* otherwise = arguments.find(0, "default");
  if (value.is_undefined()) meter.invalid(value.kind(), "a value to make an integer of");
  if (const double* d = value.get<double>(); d && std::fabs(*d) < 9e18)
    return Value(static_cast<int64_t>(*d));
  if (value.get<int64_t>() || value.get<bool>()) return Value(as_integer(value, meter));
  if (const MarkedText* text = value.text()) {
    const std::string digits = strip(*text, std::nullopt, Side::both, meter).text();
    const char* begin = digits.data() + (digits.starts_with('+') ? 1 : 0);
    const char* end = digits.data() + digits.size();
    int64_t number = 0;
    if (const auto [stop, error] = std::from_chars(begin, end, number); error == std::errc{} && stop == end)
      return Value(number);
    double fraction = 0;
    if (const auto [stop, error] = std::from_chars(begin, end, fraction);
        error == std::errc{} && stop == end && std::fabs(fraction) < 9e18)
      return Value(static_cast<int64_t>(fraction));
  }
  return otherwise ? *otherwise : Value(int64_t{0});
}

Value to_float(const Value& value, const Values& arguments, Meter& meter) {
  const Value* otherwise = arguments.find(0, "default");
  if (value.is_undefined()) meter.invalid(value.kind(), "a value to make a float of");
  if (value.is_number()) return Value(as_double(value, meter));
  if (const MarkedText* text = value.text()) {
    const std::string digits = strip(*text, std::nullopt, Side::both, meter).text();
    double number = 0;
    const char* end = digits.data() + digits.size();
    if (const auto [stop, error] = std::from_chars(digits.data(), end, number);
        error == std::errc{} && stop == end)
      return Value(number);
  }
  return otherwise ? *otherwise : Value(0.0);
}

Value items_filter(const Value& value, Meter& meter) {
  if (value.is_undefined()) return make_list({}, false, meter);
  if (!value.dict()) meter.invalid("the items of " + value.kind(), "a dict");
  std::vector<Value> items;
  for (const auto& [key, held] : value.dict()->entries) items.push_back(make_list({key, held}, true, meter));
  return make_list(std::move(items), false, meter);
}

Value dictsort(const Value& value, const Values& arguments, Meter& meter) {
  if (!arguments.positional.empty() || !arguments.named.empty()) meter.unsupported("dictsort with arguments");
  std::vector<Value> items = items_filter(value, meter).list()->items;
  const auto key = [&](const Value& item) {
    const Value& name = item.list()->items[0];
    return name.text() ? Value::text(lower(*name.text()).text()) : name;
  };
  std::stable_sort(items.begin(), items.end(),
                   [&](const Value& a, const Value& b) { return less(key(a), key(b), meter); });
  return make_list(std::move(items), false, meter);
}

/// map("filter"), map(attribute="name").
Value map_filter(const Value& value, const Values& arguments, Meter& meter) {
  if (!value.truth()) return make_generator({}, meter);  // also none
  std::vector<Value> out;
  const bool by_attribute = arguments.positional.empty();
  const std::string name =
      by_attribute ? arguments.text(0, "attribute", meter).text() : arguments.text(0, "", meter).text();
  const Value* otherwise = by_attribute ? arguments.find(1, "default") : nullptr;
  if (name == "map" || name.starts_with("select") || name.starts_with("reject"))
    if (!by_attribute) meter.unsupported("map() of the filter " + in_quotes(name));
  const Values rest = by_attribute ? Values() : arguments.from(1);
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) {
    Value mapped = by_attribute ? path_of(item, name, meter) : apply_filter(name, item, rest, meter);
    out.push_back(mapped.is_undefined() && otherwise ? *otherwise : std::move(mapped));
  }
  return make_generator(std::move(out), meter);
}

/// select, reject, selectattr, rejectattr.
Value select_filter(const std::string& name, const Value& value, const Values& arguments, Meter& meter) {
  if (!value.truth()) return make_generator({}, meter);  // also none
  const bool by_attribute = name.ends_with("attr");
  const bool keep = name.starts_with("select");
  const size_t test_at = by_attribute ? 1 : 0;
  const std::string attribute = by_attribute ? arguments.text(0, "attribute", meter).text() : "";
  const bool has_test = arguments.positional.size() > test_at;
  const std::string test = has_test ? arguments.text(test_at, "", meter).text() : "";
  const Values rest = arguments.from(std::min(test_at + 1, arguments.positional.size()));
  std::vector<Value> out;
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) {
    const Value subject = by_attribute ? path_of(item, attribute, meter) : item;
    const bool holds = has_test ? apply_test(test, subject, rest, meter) : subject.truth();
    if (holds == keep) out.push_back(item);
  }
  return make_generator(std::move(out), meter);
}

Value reversed(const Value& value, Meter& meter) {
  std::vector<Value> items = to_items(value, meter)->items;
  std::reverse(items.begin(), items.end());
  if (!value.text()) return make_list(std::move(items), false, meter);
  MarkedText out;
  for (const Value& item : items) out.append(*item.text());
  return make_text(std::move(out), meter);
}

Value indent_filter(const MarkedText& text, const Values& arguments, Meter& meter) {
  const Value* width = arguments.find(0, "width");
  const Value* first = arguments.find(1, "first");
  const Value* blank = arguments.find(2, "blank");
  const auto spaces =
      static_cast<size_t>(std::clamp(width ? as_integer(*width, meter) : 4, int64_t{0}, int64_t{64}));
  MarkedText out;
  std::vector<MarkedText> lines = split(text, "\n", -1, meter);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append("\n", false);
    const bool wanted = i == 0 ? first && first->truth() : !lines[i].empty() || (blank && blank->truth());
    meter.text(static_cast<int64_t>(lines[i].size() + spaces));
    if (wanted) out.append(std::string(spaces, ' '), false);
    out.append(lines[i]);
    meter.length(static_cast<int64_t>(out.size()));
  }
  return make_text(std::move(out), meter);
}

Value absolute(const Value& value, Meter& meter) {
  if (const double* d = value.get<double>()) return Value(std::fabs(*d));
  const int64_t number = as_integer(value, meter);
  if (number == INT64_MIN) meter.invalid("an integer over 64 bits");
  return Value(number < 0 ? -number : number);
}

Value trim_filter(const MarkedText& text, const Values& arguments, Meter& meter) {
  const Value* characters = arguments.find(0, "chars");
  if (!characters || characters->is_none())
    return make_text(strip(text, std::nullopt, Side::both, meter), meter);
  return make_text(strip(text, arguments.text(0, "chars", meter).text(), Side::both, meter), meter);
}

Value replace_filter(const MarkedText& text, const Values& arguments, Meter& meter) {
  const Value* most = arguments.find(2, "count");
  const MarkedText& to = arguments.text(1, "new", meter);
  return make_text(
      replace(text, arguments.text(0, "old", meter).text(), to, most ? as_integer(*most, meter) : -1, meter),
      meter);
}

/// As markupsafe: the signs of HTML as entities.
Value escape_filter(const MarkedText& text, Meter& meter) {
  meter.text(5 * static_cast<int64_t>(text.size()));
  return make_text(text.map_runs([](std::string_view run) {
    std::string out;
    for (const char c : run) {
      if (c == '&') {
        out += "&amp;";
      } else if (c == '<') {
        out += "&lt;";
      } else if (c == '>') {
        out += "&gt;";
      } else if (c == '"') {
        out += "&#34;";
      } else if (c == '\'') {
        out += "&#39;";
      } else {
        out += c;
      }
    }
    return out;
  }),
                   meter);
}

Value format_filter(const MarkedText& text, const Values& arguments, Meter& meter) {
  if (arguments.named.empty())
    return percent_format(text, make_list(arguments.positional, true, meter), meter);
  if (!arguments.positional.empty()) meter.invalid("format with values with and without names", "one kind");
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [name, value] : arguments.named) set_entry(entries, Value::text(name), value, meter);
  return percent_format(text, make_dict(std::move(entries), meter), meter);
}

/// What getattr finds: methods, and the attributes of a namespace or loop; no keys.
Value attribute_filter(const Value& value, const Values& arguments, Meter& meter) {
  const std::string& name = arguments.text(0, "name", meter).text();
  if (value.dict() && !has_method(value, name)) return Value::undefined(name);
  return get_attribute(value, name, meter);
}

/// Filters that first make a string of their value; nothing when the name is not one of them.
std::optional<Value> text_filter(const std::string& name, const Value& value, const Values& arguments,
                                 Meter& meter) {
  if (name == "escape" || name == "e") return escape_filter(to_text(value, meter), meter);
  if (name == "format") return format_filter(to_text(value, meter), arguments, meter);
  if (name == "center") {
    Values width = arguments;
    if (width.positional.empty() && width.named.empty()) width.positional.push_back(Value(int64_t{80}));
    return form_method(name, to_text(value, meter), width, meter);
  }
  if (name == "trim") return trim_filter(to_text(value, meter), arguments, meter);
  if (name == "upper") return make_text(upper(to_text(value, meter)), meter);
  if (name == "lower") return make_text(lower(to_text(value, meter)), meter);
  if (name == "capitalize") return make_text(capitalize(to_text(value, meter)), meter);
  if (name == "title") return make_text(title_words(to_text(value, meter)), meter);
  if (name == "string" || name == "safe") return make_text(to_text(value, meter), meter);
  if (name == "replace") return replace_filter(to_text(value, meter), arguments, meter);
  if (name == "indent") return indent_filter(to_text(value, meter), arguments, meter);
  return std::nullopt;
}

bool is_whole(const Value& value) { return value.get<int64_t>() && !value.get<bool>(); }

const Value& other_side(const std::string& name, const Values& arguments, Meter& meter) {
  if (arguments.positional.size() != 1)
    meter.invalid("the test " + in_quotes(name) + " without a value to compare with");
  return arguments.positional[0];
}

/// Tests that compare with an argument; nothing when the name is not one of them.
std::optional<bool> comparing_test(const std::string& name, const Value& value, const Values& arguments,
                                   Meter& meter) {
  const auto other = [&]() -> const Value& { return other_side(name, arguments, meter); };
  if (name == "eq" || name == "equalto" || name == "==") return equal(value, other(), meter);
  if (name == "ne" || name == "!=") return !equal(value, other(), meter);
  if (name == "lt" || name == "lessthan" || name == "<") return less(value, other(), meter);
  if (name == "gt" || name == "greaterthan" || name == ">") return less(other(), value, meter);
  if (name == "le" || name == "<=") return !less(other(), value, meter);
  if (name == "ge" || name == ">=") return !less(value, other(), meter);
  if (name == "in") return contains(other(), value, meter);
  if (name == "sameas") return value.kind() == other().kind() && equal(value, other(), meter);
  if (name == "divisibleby") {
    const int64_t by = as_integer(other(), meter);
    if (by == 0) meter.invalid("a division by zero");
    return by == -1 || as_integer(value, meter) % by == 0;
  }
  return std::nullopt;
}

}  // namespace

Value path_of(const Value& value, const std::string& path, Meter& meter) {
  Value at = value;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    int64_t index = 0;
    const bool number =
        std::from_chars(name.data(), name.data() + name.size(), index).ptr == name.data() + name.size();
    at = get_item(at, number && !name.empty() ? Value(index) : Value::text(name), meter);
    begin = end + 1;
  }
  return at;
}

Value apply_filter(const std::string& name, const Value& value, const Values& arguments, Meter& meter) {
  meter.step();
  if (const auto text = text_filter(name, value, arguments, meter)) return *text;
  if (auto ordered = ordering_filter(name, value, arguments, meter)) return *std::move(ordered);
  if (name == "attr") return attribute_filter(value, arguments, meter);
  if (name == "length" || name == "count") return length_of(value, meter);
  if (name == "join") return join_filter(value, arguments, meter);
  if (name == "first" || name == "last") return first_or_last(value, name == "first", meter);
  if (name == "default" || name == "d") return default_filter(value, arguments, meter);
  if (name == "tojson") return json_filter(value, arguments, meter);
  if (name == "list") return make_list(to_items(value, meter)->items, false, meter);
  if (name == "int") return to_integer(value, arguments, meter);
  if (name == "float") return to_float(value, arguments, meter);
  if (name == "items") return items_filter(value, meter);
  if (name == "dictsort") return dictsort(value, arguments, meter);
  if (name == "map") return map_filter(value, arguments, meter);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr")
    return select_filter(name, value, arguments, meter);
  if (name == "reverse") return reversed(value, meter);
  if (name == "abs") return absolute(value, meter);
  meter.unsupported("the filter " + in_quotes(name));
}

bool apply_test(const std::string& name, const Value& value, const Values& arguments, Meter& meter) {
  meter.step();
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.text() != nullptr;
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "iterable" && value.get<Value::Stream>()) return true;
  if (name == "sequence" || name == "iterable")
    return value.text() || value.list() || value.dict() || value.is_undefined();
  if (name == "number") return value.is_number();
  if (name == "integer") return is_whole(value);
  if (name == "float") return value.get<double>() != nullptr;
  if (name == "boolean") return value.get<bool>() != nullptr;
  if (name == "true") return value.get<bool>() && value.truth();
  if (name == "false") return value.get<bool>() && !value.truth();
  if (name == "lower" || name == "upper") {
    const MarkedText text = to_text(value, meter);
    meter.read(text.size());
    return form_method(name == "lower" ? "islower" : "isupper", text, {}, meter)->truth();
  }
  if (name == "callable") return value.get<Value::Function>() != nullptr;
  if (name == "odd") return as_integer(value, meter) % 2 != 0;
  if (name == "even") return as_integer(value, meter) % 2 == 0;
  if (const auto answer = comparing_test(name, value, arguments, meter)) return *answer;
  meter.unsupported("the test " + in_quotes(name));
}

}  // namespace galago::jinja
