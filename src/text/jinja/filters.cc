// Filters and tests.
#include <algorithm>

#include "core/printable.h"
#include "text/jinja/attribute_path.h"
#include "text/jinja/builtins.h"
#include "text/jinja/numbers.h"
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
  meter.scan(between.size());
  const AttributePath path(attribute ? *attribute : Value(), nullptr, meter);
  MarkedText out;
  bool first = true;
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) {
    const MarkedText text = to_text(path(item), meter);
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

/// An indentation: a text as it is, or so many spaces.
std::string indentation(const Value& given, Meter& meter) {
  if (const MarkedText* text = given.text()) {
    meter.scan(text->size());
    return text->text();
  }
  const int64_t spaces = std::max<int64_t>(0, as_integer(given, meter));
  meter.text(spaces);
  return std::string(static_cast<size_t>(spaces), ' ');
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
    style.indent = indentation(*indent, meter);
    style.user = indent->text() && indent->text()->any_user();
  }
  if (separators && !separators->is_none()) {
    const Sequence* pair = separators->list();
    if (!pair || pair->items.size() != 2 || !pair->items[0].text() || !pair->items[1].text())
      meter.invalid("separators that are no pair of strings");
    meter.scan(pair->items[0].text()->size() + pair->items[1].text()->size());
    style.item_separator = pair->items[0].text()->text();
    style.key_separator = pair->items[1].text()->text();
    style.user |= pair->items[0].text()->any_user() || pair->items[1].text()->any_user();
  }
  return make_text(to_json(value, style, meter), meter);
}

Value items_filter(const Value& value, Meter& meter) {
  if (value.is_undefined()) return make_generator({}, meter);
  if (!value.dict()) meter.invalid("the items of " + value.kind(), "a dict");
  std::vector<Value> items;
  for (const auto& [key, held] : value.dict()->entries) items.push_back(make_list({key, held}, true, meter));
  return make_generator(std::move(items), meter);
}

Value dictsort(const Value& value, const Values& arguments, Meter& meter) {
  if (!arguments.positional.empty() || !arguments.named.empty()) meter.unsupported("dictsort with arguments");
  if (value.is_undefined()) meter.invalid(value.kind(), "a dict");
  Values by_key;
  by_key.named.emplace_back("attribute", Value(int64_t{0}));
  return *ordering_filter("sort", items_filter(value, meter), by_key, meter);
}

/// map(attribute="name")
Value map_attribute(const Value& value, const Values& arguments, Meter& meter) {
  const Value* attribute = arguments.find(0, "attribute");
  if (!attribute) meter.invalid("map() without a filter or an attribute", "one of them");
  for (const auto& [name, given] : arguments.named)
    if (name != "attribute" && name != "default")
      meter.invalid("the argument " + in_quotes(name) + " of map()", "attribute or default");
  const AttributePath path(*attribute, arguments.find(1, "default"), meter);
  std::vector<Value> out;
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) out.push_back(path(item));
  return make_generator(std::move(out), meter);
}

/// map("filter"), map(attribute="name").
Value map_filter(const Value& value, const Values& arguments, Meter& meter) {
  if (!value.truth()) return make_generator({}, meter);  // also none
  if (arguments.positional.empty()) return map_attribute(value, arguments, meter);
  const std::string& name = arguments.text(0, "", meter).text();
  if (name == "map" || name.starts_with("select") || name.starts_with("reject"))
    meter.unsupported("map() of the filter " + in_quotes(name));
  const Values rest = arguments.from(1);
  std::vector<Value> out;
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) out.push_back(apply_filter(name, item, rest, meter));
  return make_generator(std::move(out), meter);
}

/// select, reject, selectattr, rejectattr.
Value select_filter(const std::string& name, const Value& value, const Values& arguments, Meter& meter) {
  if (!value.truth()) return make_generator({}, meter);  // also none
  const bool by_attribute = name.ends_with("attr");
  const bool keep = name.starts_with("select");
  const size_t test_at = by_attribute ? 1 : 0;
  const Value* attribute = by_attribute ? arguments.find(0, "attribute") : nullptr;
  if (by_attribute && !attribute) meter.invalid(name + " without an attribute", "an attribute");
  const AttributePath path(attribute ? *attribute : Value(), nullptr, meter);
  const bool has_test = arguments.positional.size() > test_at;
  const std::string test = has_test ? arguments.text(test_at, "", meter).text() : "";
  const Values rest = arguments.from(std::min(test_at + 1, arguments.positional.size()));
  std::vector<Value> out;
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) {
    const Value subject = path(item);
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
  const MarkedText indent = !width          ? MarkedText("    ")
                            : width->text() ? *width->text()
                                            : MarkedText(indentation(*width, meter));
  meter.scan(indent.size());
  MarkedText whole = text;
  whole.append("\n", false);  // as in the reference: a line break at the end begins one more line
  MarkedText out;
  const std::vector<MarkedText> lines = split_lines(whole, false, meter);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append("\n", false);
    const bool wanted = i == 0 ? first && first->truth() : !lines[i].empty() || (blank && blank->truth());
    meter.text(static_cast<int64_t>(lines[i].size() + (wanted ? indent.size() : 0)));
    if (wanted) out.append(indent);
    out.append(lines[i]);
    meter.length(static_cast<int64_t>(out.size()));
  }
  return make_text(std::move(out), meter);
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

Value center_filter(const MarkedText& text, const Values& arguments, Meter& meter) {
  Values width = arguments;
  if (width.positional.empty() && width.named.empty()) width.positional.push_back(Value(int64_t{80}));
  return *form_method("center", text, width, meter);
}

/// What getattr finds: methods, and the attributes of a namespace or loop; no keys.
Value attribute_filter(const Value& value, const Values& arguments, Meter& meter) {
  const std::string& name = arguments.text(0, "name", meter).text();
  meter.scan(name.size());
  if (value.dict() && !has_method(value, name)) return Value::undefined(name);
  return get_attribute(value, name, meter);
}

using TextFilter = Value (*)(const MarkedText&, const Values&, Meter&);

/// Filters that first make a string of their value.
TextFilter text_filter(const std::string& name) {
  using Text = const MarkedText&;
  using Given = const Values&;
  if (name == "escape" || name == "e") return [](Text t, Given, Meter& m) { return escape_filter(t, m); };
  if (name == "format") return format_filter;
  if (name == "center") return center_filter;
  if (name == "trim") return trim_filter;
  if (name == "upper") return [](Text t, Given, Meter& m) { return make_text(upper(t), m); };
  if (name == "lower") return [](Text t, Given, Meter& m) { return make_text(lower(t), m); };
  if (name == "capitalize") return [](Text t, Given, Meter& m) { return make_text(capitalize(t), m); };
  if (name == "title") return [](Text t, Given, Meter& m) { return make_text(title_words(t), m); };
  if (name == "replace") return replace_filter;
  if (name == "indent") return indent_filter;
  return nullptr;
}

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
  if (name == "le" || name == "<=") return less_or_equal(value, other(), meter);
  if (name == "ge" || name == ">=") return less_or_equal(other(), value, meter);
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

Value apply_filter(const std::string& name, const Value& value, const Values& arguments, Meter& meter) {
  meter.step();
  if (const TextFilter filter = text_filter(name)) {
    const MarkedText text = to_text(value, meter);
    meter.read(text.size());
    return filter(text, arguments, meter);
  }
  if (name == "string" || name == "safe") return make_text(to_text(value, meter), meter);
  if (const auto number = number_filter(name, value, arguments, meter)) return *number;
  if (auto ordered = ordering_filter(name, value, arguments, meter)) return *std::move(ordered);
  if (name == "attr") return attribute_filter(value, arguments, meter);
  if (name == "length" || name == "count") return length_of(value, meter);
  if (name == "join") return join_filter(value, arguments, meter);
  if (name == "first" || name == "last") return first_or_last(value, name == "first", meter);
  if (name == "default" || name == "d") return default_filter(value, arguments, meter);
  if (name == "tojson") return json_filter(value, arguments, meter);
  if (name == "list") return make_list(to_items(value, meter)->items, false, meter);
  if (name == "items") return items_filter(value, meter);
  if (name == "dictsort") return dictsort(value, arguments, meter);
  if (name == "map") return map_filter(value, arguments, meter);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr")
    return select_filter(name, value, arguments, meter);
  if (name == "reverse") return reversed(value, meter);
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
  if (name == "sequence" && value.list()) return value.list()->has_places();
  if (name == "sequence" || name == "iterable")
    return value.text() || value.list() || value.dict() || value.is_undefined();
  if (name == "number") return value.is_number();
  if (name == "integer") return value.get<int64_t>() != nullptr;
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
