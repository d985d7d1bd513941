// Cutting and joining keep runs as they are; changes of case go through every run in turn.
// In: marked texts. Out: marked texts. Reference: Python 3 str.
#include "text/jinja_text.h"

#include <utf8proc.h>

#include <algorithm>

#include "text/unicode.h"

namespace galago::jinja {
namespace {

/// Python's str.isspace.
bool is_python_space(char32_t c) { return unicode::is_space(c) || (c >= 0x1C && c <= 0x1F); }

void append_upper(std::string& out, char32_t c) {
  if (c == 0xDF) {
    out += "SS";  // the sharp s has no single upper case letter
  } else {
    unicode::append(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
  }
}

void append_title(std::string& out, char32_t c) {
  if (c == 0xDF) {
    out += "Ss";
  } else {
    unicode::append(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
  }
}

void append_lower(std::string& out, char32_t c) {
  unicode::append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

/// Every character through put(out, c); put may remember what came before.
template <typename Put>
MarkedText map_characters(const MarkedText& text, Put put) {
  return text.map_runs([&put](std::string_view run) {
    std::string out;
    for (size_t i = 0; i < run.size();) {
      const auto c = unicode::decode_at(run, i);
      put(out, c.value);
      i += static_cast<size_t>(c.length);
    }
    return out;
  });
}

bool drops(const std::optional<std::string_view>& characters, std::string_view bytes, char32_t c) {
  return characters ? characters->find(bytes) != std::string_view::npos : is_python_space(c);
}

std::vector<MarkedText> split_at_space(const MarkedText& text, int64_t most, Meter& meter) {
  std::vector<MarkedText> parts;
  const std::string& bytes = text.text();
  const auto skip = [&](size_t at, bool space) {
    while (at < bytes.size()) {
      const auto c = unicode::decode_at(bytes, at);
      if (is_python_space(c.value) != space) break;
      at += static_cast<size_t>(c.length);
    }
    return at;
  };
  for (size_t at = skip(0, true); at < bytes.size();) {
    meter.step();
    if (most == 0) {
      parts.push_back(strip(text.slice(at, bytes.size()), std::nullopt, Side::right));
      break;
    }
    const size_t end = skip(at, false);
    parts.push_back(text.slice(at, end));
    at = skip(end, true);
    if (most > 0) --most;
  }
  return parts;
}

}  // namespace

MarkedText strip(const MarkedText& text, std::optional<std::string_view> characters, Side side) {
  const std::string_view bytes = text.text();
  size_t begin = 0;
  size_t end = bytes.size();
  while (side != Side::right && begin < end) {
    const auto c = unicode::decode_at(bytes, begin);
    const auto length = static_cast<size_t>(c.length);
    if (!drops(characters, bytes.substr(begin, length), c.value)) break;
    begin += length;
  }
  while (side != Side::left && end > begin) {
    const auto c = unicode::decode_before(bytes, end);
    const auto length = static_cast<size_t>(c.length);
    if (!drops(characters, bytes.substr(end - length, length), c.value)) break;
    end -= length;
  }
  return text.slice(begin, end);
}

std::vector<MarkedText> split(const MarkedText& text, std::optional<std::string_view> separator, int64_t most,
                              Meter& meter) {
  if (!separator) return split_at_space(text, most, meter);
  if (separator->empty()) meter.invalid("an empty separator", "a separator of some characters");
  std::vector<MarkedText> parts;
  size_t at = 0;
  for (; most != 0; --most) {
    const size_t found = text.text().find(*separator, at);
    if (found == std::string::npos) break;
    meter.step();
    parts.push_back(text.slice(at, found));
    at = found + separator->size();
  }
  parts.push_back(text.slice(at, text.size()));
  return parts;
}

std::vector<MarkedText> split_lines(const MarkedText& text, Meter& meter) {
  std::vector<MarkedText> lines;
  const std::string& bytes = text.text();
  for (size_t at = 0; at < bytes.size();) {
    meter.step();
    const size_t end = std::min(bytes.find_first_of("\r\n", at), bytes.size());
    lines.push_back(text.slice(at, end));
    at = end + (bytes.compare(end, 2, "\r\n") == 0 ? 2 : 1);
  }
  return lines;
}

MarkedText replace(const MarkedText& text, std::string_view from, const MarkedText& to, int64_t most,
                   Meter& meter) {
  if (from.empty()) meter.unsupported("the replacement of an empty text");
  MarkedText out;
  size_t at = 0;
  for (; most != 0; --most) {
    const size_t found = text.text().find(from, at);
    if (found == std::string::npos) break;
    meter.step();
    meter.text(static_cast<int64_t>(to.size()));
    out.append(text, at, found);
    out.append(to);
    meter.length(static_cast<int64_t>(out.size()));
    at = found + from.size();
  }
  out.append(text, at, text.size());
  return out;
}

MarkedText upper(const MarkedText& text) { return map_characters(text, append_upper); }

MarkedText lower(const MarkedText& text) { return map_characters(text, append_lower); }

MarkedText capitalize(const MarkedText& text) {
  return map_characters(text, [first = true](std::string& out, char32_t c) mutable {
    if (first) {
      append_title(out, c);
    } else {
      append_lower(out, c);
    }
    first = false;
  });
}

MarkedText title(const MarkedText& text) {
  return map_characters(text, [in_word = false](std::string& out, char32_t c) mutable {
    if (in_word) {
      append_lower(out, c);
    } else {
      append_title(out, c);
    }
    in_word = unicode::is_letter(c);
  });
}

SliceBounds slice_bounds(int64_t length, std::optional<int64_t> start, std::optional<int64_t> stop,
                         int64_t step) {
  const int64_t least = step > 0 ? 0 : -1;
  const int64_t most = step > 0 ? length : length - 1;
  const auto clamp = [&](int64_t i) {
    if (i < 0) i = std::max(i, -length - 1) + length;
    return std::clamp(i, least, most);
  };
  return {start ? clamp(*start) : (step > 0 ? least : most), stop ? clamp(*stop) : (step > 0 ? most : least),
          step};
}

std::vector<size_t> code_point_offsets(std::string_view text) {
  std::vector<size_t> offsets;
  for (size_t i = 0; i < text.size(); i += static_cast<size_t>(unicode::decode_at(text, i).length))
    offsets.push_back(i);
  offsets.push_back(text.size());
  return offsets;
}

}  // namespace galago::jinja
