// What walks a value (repr, comparison) counts steps: values share parts, so a small one can be long to
// write. Reference: Python 3 for truth, equality, str and repr.
#include "text/jinja/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/printable.h"
#include "text/jinja/numbers.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

void check_depth(int depth, Meter& meter) {
  if (depth > limits::kTemplateDepth)
    meter.invalid("values nested deeper than " + std::to_string(limits::kTemplateDepth));
}

/// A namespace within another value could hold itself, and so could the body of a call block: they are not
/// let in.
void check_item(const Value& value, Meter& meter) {
  if (const auto* function = value.get<Value::Function>(); function && (*function)->closure)
    meter.unsupported("a caller within another value", "it as a variable");
  if (value.get<Value::Space>()) meter.unsupported("a namespace within another value", "it as a variable");
}

std::string escaped(std::string_view text, char quote) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    const std::string_view bytes = text.substr(i, static_cast<size_t>(c.length));
    i += static_cast<size_t>(c.length);
    constexpr std::string_view kHex = "0123456789abcdef";
    if (c.value == static_cast<char32_t>(quote) || c.value == '\\') {
      out += '\\';
      out += bytes;
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (!unicode::is_python_printable(c.value)) {
      const int digits = c.value > 0xFFFF ? 8 : c.value > 0xFF ? 4 : 2;
      out += digits == 8 ? "\\U" : digits == 4 ? "\\u" : "\\x";
      for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[c.value >> shift & 15];
    } else {
      out += bytes;
    }
  }
  return out;
}

MarkedText text_repr(const MarkedText& text) {
  const bool single = text.text().find('\'') != std::string::npos;
  const bool twice = text.text().find('"') != std::string::npos;
  const char quote = single && !twice ? '"' : '\'';
  MarkedText out(std::string(1, quote));
  out.append(text.map_runs([quote](std::string_view run) { return escaped(run, quote); }));
  out.append(std::string(1, quote), false);
  return out;
}

void write_repr(const Value& value, MarkedText& out, Meter& meter);

void write_range(const Range& range, MarkedText& out) {
  std::string text = "range(" + std::to_string(range.start) + ", " + std::to_string(range.stop);
  if (range.step != 1) text += ", " + std::to_string(range.step);
  out.append(text + ")", false);
}

void write_list(const Sequence& list, MarkedText& out, Meter& meter) {
  if (list.range) return write_range(*list.range, out);
  if (!list.view.empty()) out.append(std::string(list.view) + "(", false);
  out.append(list.tuple ? "(" : "[", false);
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.append(", ", false);
    write_repr(list.items[i], out, meter);
  }
  if (list.tuple && list.items.size() == 1) out.append(",", false);
  out.append(list.tuple ? ")" : "]", false);
  if (!list.view.empty()) out.append(")", false);
}

void write_dict(const Mapping& dict, MarkedText& out, Meter& meter) {
  out.append("{", false);
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) out.append(", ", false);
    write_repr(dict.entries[i].first, out, meter);
    out.append(": ", false);
    write_repr(dict.entries[i].second, out, meter);
  }
  out.append("}", false);
}

void write_repr(const Value& value, MarkedText& out, Meter& meter) {
  meter.step();
  if (const MarkedText* text = value.text()) {
    meter.text(static_cast<int64_t>(text->size()));
    out.append(text_repr(*text));
  } else if (value.is_undefined()) {
    out.append("Undefined", false);
  } else if (const Sequence* list = value.list()) {
    write_list(*list, out, meter);
  } else if (const Mapping* dict = value.dict()) {
    write_dict(*dict, out, meter);
  } else {
    out.append(to_text(value, meter));
  }
}

bool equal_lists(const Sequence& a, const Sequence& b, Meter& meter) {
  if (a.tuple != b.tuple || a.range.has_value() != b.range.has_value() || a.view != b.view ||
      a.items.size() != b.items.size())
    return false;
  for (size_t i = 0; i < a.items.size(); ++i)
    if (!equal(a.items[i], b.items[i], meter)) return false;
  return true;
}

bool equal_dicts(const Mapping& a, const Mapping& b, Meter& meter) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const auto same = [&, &k = key](const auto& entry) { return equal(entry.first, k, meter); };
    const auto found = std::find_if(b.entries.begin(), b.entries.end(), same);
    if (found == b.entries.end() || !equal(found->second, value, meter)) return false;
  }
  return true;
}

}  // namespace

namespace {

/// Texts of different lengths are told apart at once; others cost by their length.
bool same_name(const std::string& name, std::string_view key, Meter& meter) {
  if (name.size() != key.size()) return false;
  if (key.size() > 64) meter.scan(key.size());
  return name == key;
}

}  // namespace

const Value* Mapping::find(std::string_view key, Meter& meter) const {
  for (const auto& [name, value] : entries)
    if (const MarkedText* text = name.text(); text && same_name(text->text(), key, meter)) return &value;
  return nullptr;
}

const Value* Namespace::find(std::string_view key, Meter& meter) const {
  for (const auto& [name, value] : entries)
    if (same_name(name, key, meter)) return &value;
  return nullptr;
}

void Namespace::set(const std::string& key, Value value, Meter& meter) {
  meter.step(static_cast<int64_t>(entries.size()) / 8);
  for (auto& [name, held] : entries) {
    if (!same_name(name, key, meter)) continue;
    held = std::move(value);
    return;
  }
  entries.emplace_back(key, std::move(value));
}

const MarkedText* Value::text() const {
  const Text* held = get<Text>();
  return held ? held->get() : nullptr;
}

const Sequence* Value::list() const {
  const List* held = get<List>();
  return held ? held->get() : nullptr;
}

const Mapping* Value::dict() const {
  const Dict* held = get<Dict>();
  return held ? held->get() : nullptr;
}

bool Value::truth() const {
  if (const bool* b = get<bool>()) return *b;
  if (const int64_t* i = get<int64_t>()) return *i != 0;
  if (const double* d = get<double>()) return *d != 0;
  if (const MarkedText* t = text()) return !t->empty();
  if (const Sequence* l = list()) return !l->items.empty();
  if (const Mapping* d = dict()) return !d->entries.empty();
  return !is_undefined() && !is_none();
}

std::string Value::kind() const {
  struct Name {
    std::string operator()(const Undefined&) const { return "an undefined value"; }
    std::string operator()(const None&) const { return "none"; }
    std::string operator()(bool) const { return "a boolean"; }
    std::string operator()(int64_t) const { return "an integer"; }
    std::string operator()(double) const { return "a float"; }
    std::string operator()(const Text&) const { return "a string"; }
    std::string operator()(const List& list) const {
      if (!list->view.empty()) return "a view of a dict";
      return list->range ? "a range" : list->tuple ? "a tuple" : "a list";
    }
    std::string operator()(const Dict&) const { return "a dict"; }
    std::string operator()(const Space&) const { return "a namespace"; }
    std::string operator()(const Stream&) const { return "a generator"; }
    std::string operator()(const LoopRef&) const { return "a loop"; }
    std::string operator()(const Function&) const { return "a function"; }
  };
  if (const auto* undefined = get<Undefined>()) return in_quotes(*undefined->name) + ", which is undefined";
  return std::visit(Name{}, data_);
}

int Value::depth() const {
  if (const Sequence* l = list()) return l->depth;
  if (const Mapping* d = dict()) return d->depth;
  if (const auto* stream = get<Stream>()) return (*stream)->items->depth;
  if (const auto* loop = get<LoopRef>()) return (*loop)->items->depth + 1;
  if (const auto* function = get<Function>()) return (*function)->self.depth() + 1;
  return 0;
}

Value make_text(MarkedText text, Meter& meter) {
  meter.text(static_cast<int64_t>(text.size()));
  return Value(std::make_shared<const MarkedText>(std::move(text)));
}

Value make_list(std::vector<Value> items, bool tuple, Meter& meter) {
  meter.step(static_cast<int64_t>(items.size()) / 4 + 1);
  int depth = 0;
  for (const Value& item : items) {
    check_item(item, meter);
    depth = std::max(depth, item.depth());
  }
  check_depth(depth + 1, meter);
  return Value(std::make_shared<const Sequence>(Sequence{std::move(items), tuple, depth + 1}));
}

Value make_view(std::vector<Value> items, std::string_view kind, Meter& meter) {
  Sequence view = *make_list(std::move(items), false, meter).list();
  view.view = kind;
  return Value(std::make_shared<const Sequence>(std::move(view)));
}

Value make_dict(std::vector<std::pair<Value, Value>> entries, Meter& meter) {
  meter.step(static_cast<int64_t>(entries.size()) + 1);
  int depth = 0;
  for (const auto& [key, value] : entries) {
    check_item(value, meter);
    depth = std::max({depth, key.depth(), value.depth()});
  }
  check_depth(depth + 1, meter);
  return Value(std::make_shared<const Mapping>(Mapping{std::move(entries), depth + 1}));
}

Value make_generator(std::vector<Value> items, Meter& meter) {
  const Value list = make_list(std::move(items), false, meter);
  return Value(std::make_shared<const Generator>(Generator{*list.get<Value::List>()}));
}

void set_entry(std::vector<std::pair<Value, Value>>& entries, const Value& key, const Value& value,
               Meter& meter) {
  if (!key.text() && !key.is_number() && !key.is_none())
    meter.unsupported(key.kind() + " as a key", "a string");
  for (auto& entry : entries) {
    if (!equal(entry.first, key, meter)) continue;
    entry.second = value;
    return;
  }
  entries.emplace_back(key, value);
}

bool equal(const Value& a, const Value& b, Meter& meter) {
  meter.step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b, meter) == 0;
  if (a.text() && b.text()) {
    if (a.text()->size() == b.text()->size()) meter.scan(a.text()->size());
    return a.text()->text() == b.text()->text();
  }
  if (a.list() && b.list()) return equal_lists(*a.list(), *b.list(), meter);
  if (a.dict() && b.dict()) return equal_dicts(*a.dict(), *b.dict(), meter);
  if (a.get<Value::Space>() && b.get<Value::Space>()) return *a.get<Value::Space>() == *b.get<Value::Space>();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

namespace {

/// a < b, or a <= b.
bool ordered(const Value& a, const Value& b, bool or_equal, Meter& meter);

bool ordered_lists(const Sequence& a, const Sequence& b, bool or_equal, Meter& meter) {
  for (size_t i = 0; i < std::min(a.items.size(), b.items.size()); ++i)
    if (!equal(a.items[i], b.items[i], meter)) return ordered(a.items[i], b.items[i], or_equal, meter);
  return or_equal ? a.items.size() <= b.items.size() : a.items.size() < b.items.size();
}

bool ordered(const Value& a, const Value& b, bool or_equal, Meter& meter) {
  meter.step();
  if (a.is_number() && b.is_number()) {
    const auto order = compare_numbers(a, b, meter);
    return or_equal ? order <= 0 : order < 0;
  }
  // UTF-8 sorts as its code points do.
  if (a.text() && b.text()) {
    meter.scan(std::min(a.text()->size(), b.text()->size()));
    const int order = a.text()->text().compare(b.text()->text());
    return or_equal ? order <= 0 : order < 0;
  }
  if (a.list() && b.list() && a.list()->tuple == b.list()->tuple)
    return ordered_lists(*a.list(), *b.list(), or_equal, meter);
  meter.invalid("a comparison of " + a.kind() + " with " + b.kind(), "two numbers or two strings");
}

}  // namespace

bool less(const Value& a, const Value& b, Meter& meter) { return ordered(a, b, false, meter); }
bool less_or_equal(const Value& a, const Value& b, Meter& meter) { return ordered(a, b, true, meter); }

double as_double(const Value& value, Meter& meter) {
  if (const double* d = value.get<double>()) return *d;
  return static_cast<double>(as_integer(value, meter));
}

int64_t as_integer(const Value& value, Meter& meter) {
  if (const int64_t* i = value.get<int64_t>()) return *i;
  if (const bool* b = value.get<bool>()) return *b ? 1 : 0;
  meter.invalid(value.kind(), "an integer");
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const double size = std::fabs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);  // Python's rule
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, format).ptr;
  std::string text(buffer, end);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

MarkedText to_text(const Value& value, Meter& meter) {
  if (const MarkedText* text = value.text()) return *text;
  if (value.is_undefined()) return {};
  if (value.is_none()) return MarkedText("None");
  if (const bool* b = value.get<bool>()) return MarkedText(*b ? "True" : "False");
  if (const int64_t* i = value.get<int64_t>()) return MarkedText(std::to_string(*i));
  if (const double* d = value.get<double>()) return MarkedText(float_text(*d));
  if (!value.list() && !value.dict()) meter.unsupported(value.kind() + " written as text");
  return to_repr(value, meter);
}

MarkedText to_repr(const Value& value, Meter& meter) {
  MarkedText out;
  write_repr(value, out, meter);
  meter.text(static_cast<int64_t>(out.size()));
  return out;
}

Value::List to_items(const Value& value, Meter& meter) {
  if (const auto* list = value.get<Value::List>()) return *list;
  if (const auto* stream = value.get<Value::Stream>()) return (*stream)->items;
  std::vector<Value> items;
  if (const Mapping* dict = value.dict()) {
    for (const auto& entry : dict->entries) items.push_back(entry.first);
  } else if (const MarkedText* text = value.text()) {
    for (size_t i = 0; i < text->size();) {
      const auto length = static_cast<size_t>(unicode::decode_at(text->text(), i).length);
      meter.step();
      items.push_back(make_text(text->slice(i, i + length), meter));
      i += length;
    }
  } else if (!value.is_undefined()) {
    meter.invalid(value.kind(), "something to loop over");
  }
  return *make_list(std::move(items), false, meter).get<Value::List>();
}

}  // namespace galago::jinja
