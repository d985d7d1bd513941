// Methods of strings, dicts and lists, and the functions of the environment.
#include <algorithm>
#include <array>
#include <clocale>
#include <ctime>

#include "core/printable.h"
#include "text/jinja/builtins.h"
#include "text/jinja/text.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

/// As in Jinja's sandbox.
constexpr int64_t kRangeItems = 100'000;

constexpr auto kTextMethods = std::to_array<std::string_view>(
    {"strip",    "lstrip",  "rstrip",  "split",   "rsplit",      "splitlines",   "startswith",
     "endswith", "upper",   "lower",   "title",   "capitalize",  "swapcase",     "replace",
     "find",     "rfind",   "index",   "rindex",  "count",       "partition",    "rpartition",
     "join",     "isdigit", "isalpha", "isalnum", "isdecimal",   "isnumeric",    "isspace",
     "isupper",  "islower", "istitle", "isascii", "isprintable", "removeprefix", "removesuffix",
     "format",   "encode",  "zfill",   "center",  "ljust",       "rjust"});
constexpr std::array<std::string_view, 10> kDictMethods = {
    "items", "keys", "values", "get", "copy", "pop", "update", "setdefault", "clear", "popitem"};
constexpr std::array<std::string_view, 11> kListMethods = {
    "index", "count", "append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear", "copy"};

template <size_t kCount>
bool has(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value list_of(std::vector<MarkedText> texts, Meter& meter) {
  std::vector<Value> items;
  items.reserve(texts.size());
  for (MarkedText& text : texts) items.push_back(make_text(std::move(text), meter));
  return make_list(std::move(items), false, meter);
}

Value stripped(const MarkedText& text, Side side, const Values& arguments, Meter& meter) {
  arguments.at_most(1, "strip", meter);
  const Value* characters = arguments.find(0, "chars");
  if (!characters || characters->is_none()) return make_text(strip(text, std::nullopt, side, meter), meter);
  return make_text(strip(text, arguments.text(0, "chars", meter).text(), side, meter), meter);
}

Value split_text(const MarkedText& text, const Values& arguments, Side from, Meter& meter) {
  arguments.at_most(2, "split", meter);
  const Value* separator = arguments.find(0, "sep");
  const Value* most = arguments.find(1, "maxsplit");
  std::optional<std::string_view> at;
  if (separator && !separator->is_none()) at = arguments.text(0, "sep", meter).text();
  const int64_t cuts = most ? as_integer(*most, meter) : -1;
  return list_of(from == Side::left ? split(text, at, cuts, meter) : split_backwards(text, at, cuts, meter),
                 meter);
}

Value split_to_lines(const MarkedText& text, const Values& arguments, Meter& meter) {
  arguments.at_most(1, "splitlines", meter);
  const Value* keep = arguments.find(0, "keepends");
  return list_of(split_lines(text, keep && keep->truth(), meter), meter);
}

Value join_items(const MarkedText& separator, const Values& arguments, Meter& meter) {
  const Value* items = arguments.find(0, "iterable");
  if (!items) meter.invalid("join() without a list", "a list");
  MarkedText out;
  bool first = true;
  const Value::List visited = to_items(*items, meter);
  for (const Value& item : visited->items) {
    if (!item.text()) meter.invalid("join() of " + item.kind(), "strings");
    meter.text(static_cast<int64_t>(separator.size() + item.text()->size()));
    if (!first) out.append(separator);
    out.append(*item.text());
    meter.length(static_cast<int64_t>(out.size()));
    first = false;
  }
  return make_text(std::move(out), meter);
}

Value without_affix(const MarkedText& text, const Values& arguments, bool front, Meter& meter) {
  const std::string& part = arguments.text(0, "prefix", meter).text();
  if (front && text.text().starts_with(part)) return make_text(text.slice(part.size(), text.size()), meter);
  if (!front && text.text().ends_with(part))
    return make_text(text.slice(0, text.size() - part.size()), meter);
  return make_text(text, meter);
}

/// The value of a replacement field: "" is the next of the positional ones.
const Value& field_value(const std::string& field, size_t& next, const Values& arguments, Meter& meter) {
  const bool number = !field.empty() && field.find_first_not_of("0123456789") == std::string::npos;
  if (field.find_first_of(".[]!:{") != std::string::npos || field.size() > (number ? 4 : 64))
    meter.unsupported("the replacement field " + in_quotes(field), "{}, {0} or {name}");
  constexpr size_t kNone = SIZE_MAX;
  const size_t index = field.empty() ? next++ : number ? std::stoul(field) : kNone;
  const Value* value = arguments.find(index, index == kNone ? field : "");
  if (!value) meter.invalid("format() without a value for " + in_quotes("{" + field + "}"), "a value");
  return *value;
}

/// str.format with fields that name a value and say nothing of its form.
Value format_text(const MarkedText& text, const Values& arguments, Meter& meter) {
  const std::string& format = text.text();
  MarkedText out;
  size_t next = 0;
  for (size_t at = 0; at < format.size();) {
    const size_t brace = std::min(format.find_first_of("{}", at), format.size());
    out.append(text, at, brace);
    if (brace == format.size()) break;
    const bool twice = brace + 1 < format.size() && format[brace + 1] == format[brace];
    const size_t end = twice ? brace + 1 : format.find('}', brace + 1);
    if (end == std::string::npos || (!twice && format[brace] == '}'))
      meter.invalid("format() of a text with a single brace", "{{ or }}");
    if (twice) {
      out.append(text, brace, brace + 1);
    } else {
      const std::string field = format.substr(brace + 1, end - brace - 1);
      const MarkedText value = to_text(field_value(field, next, arguments, meter), meter);
      meter.text(static_cast<int64_t>(value.size()));
      out.append(value);
    }
    meter.step();
    meter.length(static_cast<int64_t>(out.size()));
    at = end + 1;
  }
  return make_text(std::move(out), meter);
}

Value text_method(const std::string& name, const MarkedText& text, const Values& arguments, Meter& meter) {
  if (auto found = search_method(name, text, arguments, meter)) return *std::move(found);
  if (name == "strip") return stripped(text, Side::both, arguments, meter);
  if (name == "lstrip") return stripped(text, Side::left, arguments, meter);
  if (name == "rstrip") return stripped(text, Side::right, arguments, meter);
  meter.read(text.size());
  if (auto found = form_method(name, text, arguments, meter)) return *std::move(found);
  if (name == "split") return split_text(text, arguments, Side::left, meter);
  if (name == "rsplit") return split_text(text, arguments, Side::right, meter);
  if (name == "splitlines") return split_to_lines(text, arguments, meter);
  if (name == "upper") return make_text(upper(text), meter);
  if (name == "lower") return make_text(lower(text), meter);
  if (name == "title") return make_text(title(text), meter);
  if (name == "capitalize") return make_text(capitalize(text), meter);
  if (name == "replace") {
    const Value* most = arguments.find(2, "count");
    return make_text(replace(text, arguments.text(0, "old", meter).text(), arguments.text(1, "new", meter),
                             most ? as_integer(*most, meter) : -1, meter),
                     meter);
  }
  if (name == "format") return format_text(text, arguments, meter);
  if (name == "join") return join_items(text, arguments, meter);
  if (name == "removeprefix" || name == "removesuffix")
    return without_affix(text, arguments, name == "removeprefix", meter);
  if (name == "swapcase") return make_text(swap_case(text), meter);
  meter.unsupported("the string method " + in_quotes(name));
}

Value dict_method(const std::string& name, const Value& self, const Values& arguments, Meter& meter) {
  const Mapping& dict = *self.dict();
  std::vector<Value> out;
  if (name == "get") {
    const Value* key = arguments.find(0, "key");
    const Value* otherwise = arguments.find(1, "default");
    if (!key) meter.invalid("get() without a key", "a key");
    for (const auto& entry : dict.entries)
      if (equal(entry.first, *key, meter)) return entry.second;
    return otherwise ? *otherwise : Value();
  }
  if (name == "copy") return self;
  if (name != "items" && name != "keys" && name != "values")
    meter.invalid("the dict method " + in_quotes(name), "a template that changes no dict");
  for (const auto& [key, value] : dict.entries)
    out.push_back(name == "keys" ? key : name == "values" ? value : make_list({key, value}, true, meter));
  return make_view(std::move(out),
                   name == "items"  ? "dict_items"
                   : name == "keys" ? "dict_keys"
                                    : "dict_values",
                   meter);
}

Value list_method(const std::string& name, const Sequence& list, const Values& arguments, Meter& meter) {
  if (name != "index" && name != "count")
    meter.invalid("the list method " + in_quotes(name), "a template that changes no list");
  const Value* wanted = arguments.find(0, "value");
  if (!wanted) meter.invalid(name + "() without a value", "a value");
  int64_t count = 0;
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (!equal(list.items[i], *wanted, meter)) continue;
    if (name == "index") return Value(static_cast<int64_t>(i));
    ++count;
  }
  if (name == "index") meter.invalid("index() of a value that the list lacks");
  return Value(count);
}

Value make_range(const Values& arguments, Meter& meter) {
  arguments.at_most(3, "range", meter);
  const auto at = [&](size_t i) { return as_integer(arguments.positional[i], meter); };
  const size_t count = arguments.positional.size();
  if (count == 0) meter.invalid("range() without a bound", "one to three integers");
  const int64_t start = count > 1 ? at(0) : 0;
  const int64_t stop = count > 1 ? at(1) : at(0);
  const int64_t step = count > 2 ? at(2) : 1;
  if (step == 0) meter.invalid("range() with step 0", "a step");
  std::vector<Value> items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (std::cmp_greater_equal(items.size(), kRangeItems))
      meter.invalid("a range of more than " + std::to_string(kRangeItems) + " numbers");
    meter.step();
    items.push_back(Value(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  const Value list = make_list(std::move(items), false, meter);
  return Value(
      std::make_shared<const Sequence>(Sequence{list.list()->items, false, 1, Range{start, stop, step}}));
}

std::vector<std::pair<Value, Value>> named_entries(const Values& arguments, Meter& meter) {
  arguments.at_most(1, "dict", meter);
  std::vector<std::pair<Value, Value>> entries;
  if (!arguments.positional.empty()) {
    const Mapping* first = arguments.positional[0].dict();
    if (!first) meter.unsupported("dict() of " + arguments.positional[0].kind());
    entries = first->entries;
  }
  for (const auto& [name, value] : arguments.named) {
    const auto same = [&n = name](const auto& entry) {
      return entry.first.text() && entry.first.text()->text() == n;
    };
    meter.step(static_cast<int64_t>(entries.size()) / 8 + 1);
    const auto held = std::find_if(entries.begin(), entries.end(), same);
    if (held != entries.end()) {
      held->second = value;
    } else {
      entries.emplace_back(Value::text(name), value);
    }
  }
  return entries;
}

Value make_namespace(const Values& arguments, Meter& meter) {
  auto space = std::make_shared<Namespace>();
  for (const auto& [name, value] : named_entries(arguments, meter)) {
    if (!name.text()) meter.invalid("namespace() with " + name.kind() + " as a name", "a string");
    if (value.get<Value::Space>()) meter.unsupported("a namespace within another value");
    space->set(name.text()->text(), value, meter);
  }
  return Value(space);
}

/// The date in the C locale's words.
Value format_time(const Values& arguments, std::optional<int64_t> now, Meter& meter) {
  const std::string& format = arguments.text(0, "format", meter).text();
  const bool user = arguments.text(0, "format", meter).any_user();
  std::tm parts{};
  if (now) {
    const std::time_t given = *now;
    gmtime_r(&given, &parts);
  } else {
    const std::time_t clock = std::time(nullptr);
    localtime_r(&clock, &parts);
  }
  char buffer[512];
  if (format.size() > 128) meter.invalid("a date format of " + std::to_string(format.size()) + " bytes");
  // The host program may have set another locale.
  static const locale_t kPlain = newlocale(LC_ALL_MASK, "C", nullptr);
  const size_t length = strftime_l(buffer, sizeof buffer, format.c_str(), &parts, kPlain);
  return make_text(MarkedText(std::string_view(buffer, length), user), meter);
}

}  // namespace

const Value* Values::find(size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  for (const auto& [key, value] : named)
    if (key == name) return &value;
  return nullptr;
}

void Values::at_most(size_t most, const std::string& function, Meter& meter) const {
  if (positional.size() > most)
    meter.invalid(std::to_string(positional.size()) + " arguments of " + function,
                  "at most " + std::to_string(most));
}

const MarkedText& Values::text(size_t index, std::string_view name, Meter& meter) const {
  const Value* value = find(index, name);
  if (!value || !value->text())
    meter.invalid(value ? value->kind() : "no argument " + in_quotes(name), "a string");
  return *value->text();
}

Values Values::from(size_t first) const {
  Values rest;
  rest.named = named;
  for (size_t i = first; i < positional.size(); ++i) rest.positional.push_back(positional[i]);
  return rest;
}

bool has_method(const Value& self, std::string_view name) {
  if (self.text()) return has(kTextMethods, name);
  if (self.dict()) return has(kDictMethods, name);
  if (self.list()) return self.list()->has_places() && has(kListMethods, name);
  return self.get<Value::LoopRef>() && (name == "cycle" || name == "changed");
}

Value call_method(const Callable& method, const Values& arguments, Meter& meter) {
  meter.step();
  if (const MarkedText* text = method.self.text()) return text_method(method.name, *text, arguments, meter);
  if (method.self.dict()) return dict_method(method.name, method.self, arguments, meter);
  if (const Sequence* list = method.self.list()) return list_method(method.name, *list, arguments, meter);
  if (arguments.positional.empty()) meter.invalid("cycle() without values", "some values");
  return arguments.positional[(*method.self.get<Value::LoopRef>())->index % arguments.positional.size()];
}

bool has_function(std::string_view name) {
  return name == "range" || name == "namespace" || name == "dict" || name == "raise_exception" ||
         name == "strftime_now";
}

Value call_function(const std::string& name, const Values& arguments, std::optional<int64_t> now,
                    Meter& meter) {
  meter.step();
  if (name == "range") return make_range(arguments, meter);
  if (name == "namespace") return make_namespace(arguments, meter);
  if (name == "dict") return make_dict(named_entries(arguments, meter), meter);
  if (name == "strftime_now") return format_time(arguments, now, meter);
  const Value* words = arguments.find(0, "message");
  meter.fail(ErrorCode::input_invalid, "messages that the template refuses: " +
                                           printable(words ? to_text(*words, meter).text() : "", 400));
}

}  // namespace galago::jinja
