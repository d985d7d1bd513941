// Filters that order, group and add up items. Reference: Jinja 3.1 filters.py.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/printable.h"
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
  KeyMaker(const Value* attribute, bool case_sensitive, bool several, Meter& meter)
      : case_sensitive_(case_sensitive), meter_(meter) {
    if (!attribute || attribute->is_none()) return;
    const std::string path = to_text(*attribute, meter).text();
    for (size_t begin = 0; begin <= path.size();) {
      const size_t end = several ? std::min(path.find(',', begin), path.size()) : path.size();
      paths_.push_back(path.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  Key operator()(const Value& item) const {
    Key key;
    if (paths_.empty()) key.push_back(folded(item));
    for (const std::string& path : paths_) {
      const Value held = path_of(item, path, meter_);
      key.push_back(folded(held.is_undefined() && otherwise_ ? *otherwise_ : held));
    }
    return key;
  }

  void set_default(const Value* value) { otherwise_ = value; }

 private:
  Value folded(const Value& value) const {
    if (case_sensitive_ || !value.text()) return value;
    return make_text(lower(*value.text()), meter_);
  }

  std::vector<std::string> paths_;
  bool case_sensitive_;
  const Value* otherwise_ = nullptr;
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
  const KeyMaker key(arguments.find(2, "attribute"), flag(arguments, 1, "case_sensitive"), true, meter);
  std::vector<Keyed> items = keyed(value, key, meter);
  sort_keyed(items, flag(arguments, 0, "reverse"), meter);
  std::vector<Value> out;
  for (Keyed& entry : items) out.push_back(std::move(entry.item));
  return make_list(std::move(out), false, meter);
}

Value extreme(const Value& value, const Values& arguments, bool largest, Meter& meter) {
  arguments.at_most(2, "max", meter);
  const KeyMaker key(arguments.find(1, "attribute"), flag(arguments, 0, "case_sensitive"), false, meter);
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
  const KeyMaker key(arguments.find(1, "attribute"), flag(arguments, 0, "case_sensitive"), false, meter);
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
  const bool whole = !attribute || attribute->is_none();
  const std::string path = whole ? "" : to_text(*attribute, meter).text();
  const Value::List visited = to_items(value, meter);
  for (const Value& item : visited->items)
    total = arithmetic("+", total, whole ? item : path_of(item, path, meter), meter);
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
  KeyMaker key(attribute, case_sensitive, false, meter);
  KeyMaker shown(attribute, true, false, meter);
  key.set_default(arguments.find(1, "default"));
  shown.set_default(arguments.find(1, "default"));
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

/// Python's round(): the nearest in decimal, halves to even.
double rounded(double value, int64_t precision) {
  if (!std::isfinite(value)) return value;
  if (precision < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / unit) * unit;
  }
  char buffer[512];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed,
                                 static_cast<int>(precision))
                       .ptr;
  double out = 0;
  std::from_chars(buffer, end, out);
  return out;
}

Value round_filter(const Value& value, const Values& arguments, Meter& meter) {
  arguments.at_most(2, "round", meter);
  const Value* digits = arguments.find(0, "precision");
  const std::string method =
      arguments.find(1, "method") ? arguments.text(1, "method", meter).text() : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    meter.invalid("the way to round " + in_quotes(method), "common, ceil or floor");
  const int64_t precision = digits ? as_integer(*digits, meter) : 0;
  if (precision < -15 || precision > 60)
    meter.unsupported("rounding to " + std::to_string(precision) + " digits");
  if (method == "common") {
    if (value.get<double>()) return Value(rounded(as_double(value, meter), precision));
    const int64_t whole = as_integer(value, meter);
    return Value(precision >= 0 ? whole
                                : static_cast<int64_t>(rounded(static_cast<double>(whole), precision)));
  }
  const double unit = std::pow(10.0, static_cast<double>(precision));
  const double scaled = as_double(value, meter) * unit;
  return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit);
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
  if (name == "round") return round_filter(value, arguments, meter);
  return std::nullopt;
}

}  // namespace galago::jinja
