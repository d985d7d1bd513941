// tojson: a value as JSON, as Python's json.dumps writes it.
#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

void append_hex(std::string& out, uint32_t unit) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unit >> shift & 15];
}

std::string escaped(std::string_view text, bool ensure_ascii) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    const std::string_view bytes = text.substr(i, static_cast<size_t>(c.length));
    i += static_cast<size_t>(c.length);
    constexpr std::string_view kSpecial = "\"\\\n\r\t\b\f";
    constexpr std::string_view kLetters = "\"\\nrtbf";
    const size_t special = c.length == 1 ? kSpecial.find(bytes) : std::string_view::npos;
    if (special != std::string_view::npos) {
      out += '\\';
      out += kLetters[special];
    } else if (c.value < 0x20 || (ensure_ascii && c.value > 0x7F && c.value < 0x10000)) {
      append_hex(out, c.value);
    } else if (ensure_ascii && c.value >= 0x10000) {
      append_hex(out, 0xD800 + ((c.value - 0x10000) >> 10));
      append_hex(out, 0xDC00 + ((c.value - 0x10000) & 0x3FF));
    } else {
      out += bytes;
    }
  }
  return out;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return float_text(value);
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Meter& meter) : style_(style), meter_(meter) {}

  MarkedText run(const Value& value) {
    write(value, 0);
    return std::move(out_);
  }

 private:
  void put(std::string_view text) {
    meter_.text(static_cast<int64_t>(text.size()));
    out_.append(text, false);
  }

  /// Indentation and separators, which a template may have from a user.
  void put_given(std::string_view text) {
    meter_.text(static_cast<int64_t>(text.size()));
    out_.append(text, style_.user);
  }

  void write_text(const MarkedText& text) {
    put("\"");
    meter_.text(static_cast<int64_t>(text.size()));
    out_.append(text.map_runs([this](std::string_view run) { return escaped(run, style_.ensure_ascii); }));
    put("\"");
  }

  /// What stands before an item: a comma but for the first, and a new line when indenting.
  void separate(bool first, int level) {
    if (!first) put_given(style_.item_separator);
    line(level);
  }

  void line(int level) {
    if (!style_.indent) return;
    put("\n");
    for (int i = 0; i < level; ++i) put_given(*style_.indent);
  }

  void write(const Value& value, int level) {
    meter_.step();
    if (const MarkedText* text = value.text()) {
      write_text(*text);
    } else if (const Sequence* list = value.list(); list && !list->range && list->has_places()) {
      write_list(*list, level);
    } else if (const Mapping* dict = value.dict()) {
      write_dict(*dict, level);
    } else {
      put(scalar(value));
    }
  }

  std::string scalar(const Value& value) {
    if (value.is_none()) return "null";
    if (const bool* b = value.get<bool>()) return *b ? "true" : "false";
    if (const int64_t* i = value.get<int64_t>()) return std::to_string(*i);
    if (const double* d = value.get<double>()) return number_text(*d);
    meter_.invalid(value.kind() + " as JSON", "a value that JSON has");
  }

  void write_list(const Sequence& list, int level) {
    put("[");
    for (size_t i = 0; i < list.items.size(); ++i) {
      separate(i == 0, level + 1);
      write(list.items[i], level + 1);
    }
    if (!list.items.empty()) line(level);
    put("]");
  }

  void write_dict(const Mapping& dict, int level) {
    put("{");
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys)
      std::sort(entries.begin(), entries.end(),
                [this](const auto* a, const auto* b) { return less(a->first, b->first, meter_); });
    for (size_t i = 0; i < entries.size(); ++i) {
      separate(i == 0, level + 1);
      const Value& key = entries[i]->first;
      write_text(key.text() ? *key.text() : MarkedText(scalar(key)));
      put_given(style_.key_separator);
      write(entries[i]->second, level + 1);
    }
    if (!entries.empty()) line(level);
    put("}");
  }

  const JsonStyle& style_;
  Meter& meter_;
  MarkedText out_;
};

}  // namespace

MarkedText to_json(const Value& value, const JsonStyle& style, Meter& meter) {
  return JsonWriter(style, meter).run(value);
}

}  // namespace galago::jinja
