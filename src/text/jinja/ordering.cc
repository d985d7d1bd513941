// Filters that order, group and add up items. Reference: Jinja 3.1 filters.py.
#include <algorithm>

#include "text/jinja/attribute_path.h"
#include "text/jinja/builtins.h"
#include "text/jinja/text.h"

namespace galago::jinja {
namespace {

using Key = std::vector<Value>;

bool flag(const Values& arguments, size_t index, std::string_view name) {
  const Value* given = arguments.find(index, name);
  return given && given->truth();
}

/// What items are compared by: an attribute, or several with commas between them; texts without their case.
class KeyMaker {
 public:
  KeyMaker(const Value* attribute, bool case_sensitive, Meter& meter, const Value* otherwise = nullptr)
      : case_sensitive_(case_sensitive), meter_(meter) {
    paths_.emplace_back(attribute ? *attribute : Value(), otherwise, meter);
  }
  /// Of sort, whose attributes may be several.
  static KeyMaker of_several(const Value* attribute, bool case_sensitive, Meter& meter) {
    KeyMaker made(attribute, case_sensitive, meter);
    const MarkedText* text = attribute ? attribute->text() : nullptr;
    if (!text) return made;
    made.paths_.clear();
    for (const MarkedText& path : split(*text, ",", -1, meter))
      made.paths_.emplace_back(make_text(path, meter), nullptr, meter);
    return made;
  }

  Key operator()(const Value& item) const {
    Key key;
    for (const AttributePath& path : paths_) key.push_back(folded(path(item)));
    return key;
  }

 private:
  Value folded(const Value& value) const {
    if (case_sensitive_ || !value.text()) return value;
    meter_.read(value.text()->size());
    return make_text(lower(*value.text()), meter_);
  }

  std::vector<AttributePath> paths_;
  bool case_sensitive_;
  Meter& meter_;
};

bool less_keys(const Key& a, const Key& b, Meter& meter) {
  for (size_t i = 0; i < a.size(); ++i)
    if (i + 1 == a.size() || !equal(a[i], b[i], meter)) return less(a[i], b[i], meter);
  return false;
}

struct Keyed {
  Key key;
  Value item;
};

std::vector<Keyed> keyed(const Value& value, const KeyMaker& key, Meter& meter) {
  std::vector<Keyed> out;
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) {
    meter.step();
    out.push_back({key(item), item});
  }
  return out;
}

void sort_keyed(std::vector<Keyed>& items, bool reverse, Meter& meter) {
  std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
    return reverse ? less_keys(b.key, a.key, meter) : less_keys(a.key, b.key, meter);
  });
}

Value sorted(const Value& value, const Values& arguments, Meter& meter) {
  arguments.at_most(3, "sort", meter);
  const KeyMaker key =
      KeyMaker::of_several(arguments.find(2, "attribute"), flag(arguments, 1, "case_sensitive"), meter);
  std::vector<Keyed> items = keyed(value, key, meter);
  sort_keyed(items, flag(arguments, 0, "reverse"), meter);
  std::vector<Value> out;
  for (Keyed& entry : items) out.push_back(std::move(entry.item));
  return make_list(std::move(out), false, meter);
}

Value extreme(const Value& value, const Values& arguments, bool largest, Meter& meter) {
  arguments.at_most(2, "max", meter);
  const KeyMaker key(arguments.find(1, "attribute"), flag(arguments, 0, "case_sensitive"), meter);
  const std::vector<Keyed> items = keyed(value, key, meter);
  if (items.empty()) return Value::undefined("the largest or least of nothing");
  const Keyed* best = &items[0];
  for (const Keyed& entry : items)
    if (largest ? less_keys(best->key, entry.key, meter) : less_keys(entry.key, best->key, meter))
      best = &entry;
  return best->item;
}

Value unique(const Value& value, const Values& arguments, Meter& meter) {
  arguments.at_most(2, "unique", meter);
  const KeyMaker key(arguments.find(1, "attribute"), flag(arguments, 0, "case_sensitive"), meter);
  std::vector<Key> seen;
  std::vector<Value> out;
  for (Keyed& entry : keyed(value, key, meter)) {
    const auto same = [&](const Key& other) { return equal(other[0], entry.key[0], meter); };
    if (std::any_of(seen.begin(), seen.end(), same)) continue;
    seen.push_back(std::move(entry.key));
    out.push_back(std::move(entry.item));
  }
  return make_generator(std::move(out), meter);
}

Value sum(const Value& value, const Values& arguments, Meter& meter) {
  arguments.at_most(2, "sum", meter);
  const Value* attribute = arguments.find(0, "attribute");
  const Value* start = arguments.find(1, "start");
  Value total = start ? *start : Value(int64_t{0});
  if (total.text()) meter.invalid("a sum of strings", "numbers");
  const AttributePath path(attribute ? *attribute : Value(), nullptr, meter);
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) total = arithmetic("+", total, path(item), meter);
  return total;
}

Value batch(const Value& value, const Values& arguments, Meter& meter) {
  arguments.at_most(2, "batch", meter);
  const Value* count = arguments.find(0, "linecount");
  const Value* fill = arguments.find(1, "fill_with");
  if (!count) meter.invalid("batch without a count", "a count");
  const int64_t length = as_integer(*count, meter);
  std::vector<Value> out;
  std::vector<Value> line;
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items) {
    if (std::cmp_equal(line.size(), length)) out.push_back(make_list(std::exchange(line, {}), false, meter));
    line.push_back(item);
  }
  const bool fills = fill && !fill->is_none() && !line.empty();
  if (fills && length > limits::kTemplateSteps) meter.invalid("a batch of " + std::to_string(length));
  while (fills && std::cmp_less(line.size(), length)) {
    meter.step();
    line.push_back(*fill);
  }
  if (!line.empty()) out.push_back(make_list(std::move(line), false, meter));
  return make_generator(std::move(out), meter);
}

Value grouped(const Value& value, const Values& arguments, Meter& meter) {
  arguments.at_most(3, "groupby", meter);
  const Value* attribute = arguments.find(0, "attribute");
  if (!attribute) meter.invalid("groupby without an attribute", "an attribute");
  const bool case_sensitive = flag(arguments, 2, "case_sensitive");
  const KeyMaker key(attribute, case_sensitive, meter, arguments.find(1, "default"));
  const KeyMaker shown(attribute, true, meter, arguments.find(1, "default"));
  std::vector<Keyed> items = keyed(value, key, meter);
  sort_keyed(items, false, meter);
  std::vector<Value> out;
  for (size_t begin = 0; begin < items.size();) {
    std::vector<Value> members;
    size_t end = begin;
    for (; end < items.size() && equal(items[end].key[0], items[begin].key[0], meter); ++end)
      members.push_back(items[end].item);
    const Value grouper = shown(items[begin].item)[0];
    const Value pair = make_list({grouper, make_list(std::move(members), false, meter)}, true, meter);
    Sequence group = *pair.list();
    group.group = true;
    out.emplace_back(std::make_shared<const Sequence>(std::move(group)));
    begin = end;
  }
  return make_list(std::move(out), false, meter);
}

}  // namespace

std::optional<Value> ordering_filter(const std::string& name, const Value& value, const Values& arguments,
                                     Meter& meter) {
  if (name == "sort") return sorted(value, arguments, meter);
  if (name == "min" || name == "max") return extreme(value, arguments, name == "max", meter);
  if (name == "unique") return unique(value, arguments, meter);
  if (name == "sum") return sum(value, arguments, meter);
  if (name == "batch") return batch(value, arguments, meter);
  if (name == "groupby") return grouped(value, arguments, meter);
  return std::nullopt;
}

}  // namespace galago::jinja
