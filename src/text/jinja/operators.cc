// Operators and look-ups: arithmetic, "in", attributes and subscripts.
#include "core/checked.h"
#include "core/printable.h"
#include "text/jinja/builtins.h"
#include "text/jinja/numbers.h"
#include "text/jinja/text.h"
#include "text/search.h"

namespace galago::jinja {
namespace {

/// A text or list, repeated.
Value repeat(const Value& value, int64_t times, Meter& meter) {
  const int64_t count = times < 0 ? 0 : times;
  if (const MarkedText* text = value.text()) {
    const auto bytes = checked_mul(count, static_cast<int64_t>(text->size()));
    meter.text(bytes.value_or(INT64_MAX / 2));
    MarkedText out;
    if (!text->empty())
      for (int64_t i = 0; i < count; ++i) out.append(*text);
    return make_text(std::move(out), meter);
  }
  const auto items = checked_mul(count, static_cast<int64_t>(value.list()->items.size()));
  meter.step(items.value_or(INT64_MAX / 2));
  std::vector<Value> out;
  if (!value.list()->items.empty())
    for (int64_t i = 0; i < count; ++i)
      out.insert(out.end(), value.list()->items.begin(), value.list()->items.end());
  return make_list(std::move(out), value.list()->tuple, meter);
}

bool is_range(const Value& value) { return value.list() && value.list()->range; }
bool is_sequence(const Value& value) {
  return value.text() != nullptr || (value.list() && !is_range(value) && value.list()->has_places());
}
/// Also True and False, which are integers to Python.
bool is_integer(const Value& value) {
  return value.get<int64_t>() != nullptr || value.get<bool>() != nullptr;
}

Value join_texts(const MarkedText& a, const MarkedText& b, Meter& meter) {
  meter.text(static_cast<int64_t>(a.size() + b.size()));
  MarkedText out = a;
  out.append(b);
  return Value(std::make_shared<const MarkedText>(std::move(out)));
}

Value loop_attribute(const Value& value, const std::string& name) {
  const Loop& loop = **value.get<Value::LoopRef>();
  const auto length = static_cast<int64_t>(loop.items->items.size());
  const auto index = static_cast<int64_t>(loop.index);
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(length - index);
  if (name == "revindex0") return Value(length - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == length);
  if (name == "length") return Value(length);
  if (name == "depth") return Value(int64_t{loop.level} + 1);
  if (name == "depth0") return Value(int64_t{loop.level});
  if (name == "previtem" && index > 0) return loop.items->items[loop.index - 1];
  if (name == "nextitem" && index + 1 < length) return loop.items->items[loop.index + 1];
  return Value::undefined("loop." + name);
}

/// The item at a Python index; nothing when it is outside.
std::optional<size_t> position(int64_t index, size_t length) {
  const auto size = static_cast<int64_t>(length);
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  return static_cast<size_t>(index);
}

}  // namespace

Value arithmetic(const std::string& op, const Value& a, const Value& b, Meter& meter) {
  meter.step();
  if (op == "~") return join_texts(to_text(a, meter), to_text(b, meter), meter);
  if (is_integer(a) && is_integer(b))
    return integer_arithmetic(op, as_integer(a, meter), as_integer(b, meter), meter);
  if (a.is_number() && b.is_number())
    return float_arithmetic(op, as_double(a, meter), as_double(b, meter), meter);
  if (op == "+" && a.text() && b.text()) return join_texts(*a.text(), *b.text(), meter);
  if (op == "+" && a.list() && b.list() && is_sequence(a) && is_sequence(b) &&
      a.list()->tuple == b.list()->tuple) {
    meter.step(static_cast<int64_t>(a.list()->items.size() + b.list()->items.size()) / 4);
    std::vector<Value> items = a.list()->items;
    items.insert(items.end(), b.list()->items.begin(), b.list()->items.end());
    return make_list(std::move(items), a.list()->tuple, meter);
  }
  if (op == "*" && is_sequence(a) && is_integer(b)) return repeat(a, as_integer(b, meter), meter);
  if (op == "*" && is_integer(a) && is_sequence(b)) return repeat(b, as_integer(a, meter), meter);
  if (op == "%" && a.text()) return percent_format(*a.text(), b, meter);
  meter.invalid(a.kind() + " " + op + " " + b.kind(), "values that the operator takes");
}

bool contains(const Value& container, const Value& item, Meter& meter) {
  if (const MarkedText* text = container.text()) {
    if (!item.text()) meter.invalid(item.kind() + " looked for in a string", "a string");
    meter.scan(text->size());
    meter.read(item.text()->size());  // what is looked for is prepared character by character
    return find_part(text->text(), item.text()->text()) != std::string::npos;
  }
  if (const Mapping* dict = container.dict()) {
    for (const auto& entry : dict->entries)
      if (equal(entry.first, item, meter)) return true;
    return false;
  }
  const Value::List visited = to_items(container, meter);
  for (const Value& held : visited->items)
    if (equal(held, item, meter)) return true;
  return false;
}

Value get_attribute(const Value& value, const std::string& name, Meter& meter) {
  meter.step();
  meter.scan(name.size());
  if (value.is_undefined()) meter.invalid(value.kind(), "a value with the attribute " + in_quotes(name));
  if (has_method(value, name))
    return Value(std::make_shared<const Callable>(Callable{.name = name, .self = value, .method = true}));
  const Value* found = nullptr;
  if (const Mapping* dict = value.dict()) {
    meter.step(static_cast<int64_t>(dict->entries.size()) / 8);
    found = dict->find(name, meter);
  }
  if (const auto* space = value.get<Value::Space>()) {
    meter.step(static_cast<int64_t>((*space)->entries.size()) / 8);
    found = (*space)->find(name, meter);
  }
  if (const Sequence* list = value.list(); list && list->group && (name == "grouper" || name == "list"))
    found = &list->items[name == "list" ? 1 : 0];
  if (value.get<Value::LoopRef>()) return loop_attribute(value, name);
  return found ? *found : Value::undefined(name);
}

Value get_item(const Value& value, const Value& key, Meter& meter) {
  meter.step();
  if (value.is_undefined()) meter.invalid(value.kind(), "a value with items");
  if (const Mapping* dict = value.dict()) {
    for (const auto& entry : dict->entries)
      if (equal(entry.first, key, meter)) return entry.second;
  } else if (is_integer(key)) {
    const int64_t index = as_integer(key, meter);
    if (const Sequence* list = value.list(); list && list->has_places())
      if (const auto at = position(index, list->items.size())) return list->items[*at];
    if (const MarkedText* text = value.text()) {
      meter.read(text->size());
      const std::vector<size_t> offsets = code_point_offsets(text->text());
      if (const auto at = position(index, offsets.size() - 1))
        return make_text(text->slice(offsets[*at], offsets[*at + 1]), meter);
    }
  }
  if (key.text()) return get_attribute(value, key.text()->text(), meter);
  return Value::undefined(to_repr(key, meter).text());
}

}  // namespace galago::jinja
