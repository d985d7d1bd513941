// Cutting and joining keep runs as they are; changes of case look at the whole text and write run by run.
// In: marked texts. Out: marked texts. Reference: Python 3 str.
#include "text/jinja/text.h"

#include <algorithm>
#include <unordered_set>

#include "text/search.h"
#include "text/unicode/letter_case.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

/// Every character through put(out, at), which appends what becomes of the one at `at` of the whole text.
template <typename Put>
MarkedText map_characters(const MarkedText& text, Put put) {
  MarkedText made;
  size_t at = 0;
  for (const MarkedText::Run& run : text.runs()) {
    std::string out;
    while (at < run.end) {
      const auto c = unicode::decode_at(text.text(), at);
      put(out, at, c.value);
      at += static_cast<size_t>(c.length);
    }
    made.append(out, run.user);
  }
  return made;
}

/// Which characters a strip takes off.
class Dropped {
 public:
  explicit Dropped(const std::optional<std::string_view>& characters) : spaces_(!characters) {
    for (size_t i = 0; characters && i < characters->size();) {
      const auto c = unicode::decode_at(*characters, i);
      set_.insert(c.value);
      i += static_cast<size_t>(c.length);
    }
  }
  bool operator()(char32_t c) const { return spaces_ ? unicode::is_python_space(c) : set_.contains(c); }

 private:
  bool spaces_;
  std::unordered_set<char32_t> set_;
};

bool ends_line(char32_t c) {
  return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

std::vector<MarkedText> split_at_space(const MarkedText& text, int64_t most, Meter& meter) {
  std::vector<MarkedText> parts;
  const std::string& bytes = text.text();
  const auto skip = [&](size_t at, bool space) {
    while (at < bytes.size()) {
      const auto c = unicode::decode_at(bytes, at);
      if (unicode::is_python_space(c.value) != space) break;
      at += static_cast<size_t>(c.length);
    }
    return at;
  };
  for (size_t at = skip(0, true); at < bytes.size();) {
    meter.step();
    if (most == 0) {
      parts.push_back(text.slice(at, bytes.size()));
      break;
    }
    const size_t end = skip(at, false);
    parts.push_back(text.slice(at, end));
    at = skip(end, true);
    if (most > 0) --most;
  }
  return parts;
}

std::vector<MarkedText> split_backwards_at_space(const MarkedText& text, int64_t most, Meter& meter) {
  std::vector<MarkedText> parts;
  const std::string_view bytes = text.text();
  const auto skip = [&](size_t end, bool space) {
    while (end > 0) {
      const auto c = unicode::decode_before(bytes, end);
      if (unicode::is_python_space(c.value) != space) break;
      end -= static_cast<size_t>(c.length);
    }
    return end;
  };
  for (size_t end = skip(bytes.size(), true); end > 0;) {
    meter.step();
    const size_t begin = most == 0 ? 0 : skip(end, false);
    parts.push_back(text.slice(begin, end));
    end = most == 0 ? 0 : skip(begin, true);
    if (most > 0) --most;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

MarkedText strip(const MarkedText& text, std::optional<std::string_view> characters, Side side,
                 Meter& meter) {
  meter.read(characters ? characters->size() : 0);
  const Dropped drops(characters);
  const std::string_view bytes = text.text();
  size_t begin = 0;
  size_t end = bytes.size();
  while (side != Side::right && begin < end) {
    const auto c = unicode::decode_at(bytes, begin);
    if (!drops(c.value)) break;
    begin += static_cast<size_t>(c.length);
  }
  while (side != Side::left && end > begin) {
    const auto c = unicode::decode_before(bytes, end);
    if (!drops(c.value)) break;
    end -= static_cast<size_t>(c.length);
  }
  meter.read(2 * (bytes.size() - (end - begin)));
  return text.slice(begin, end);
}

std::vector<MarkedText> split(const MarkedText& text, std::optional<std::string_view> separator, int64_t most,
                              Meter& meter) {
  if (!separator) return split_at_space(text, most, meter);
  if (separator->empty()) meter.invalid("an empty separator", "a separator of some characters");
  meter.read(separator->size());
  std::vector<MarkedText> parts;
  size_t at = 0;
  for (; most != 0; --most) {
    const size_t found = find_part(text.text(), *separator, at);
    if (found == std::string::npos) break;
    meter.step();
    parts.push_back(text.slice(at, found));
    at = found + separator->size();
  }
  parts.push_back(text.slice(at, text.size()));
  return parts;
}

std::vector<MarkedText> split_backwards(const MarkedText& text, std::optional<std::string_view> separator,
                                        int64_t most, Meter& meter) {
  if (!separator) return split_backwards_at_space(text, most, meter);
  if (separator->empty()) meter.invalid("an empty separator", "a separator of some characters");
  meter.read(text.size() + separator->size());
  // Read backwards, the last copy is the first.
  const std::string backwards(text.text().rbegin(), text.text().rend());
  const std::string wanted(separator->rbegin(), separator->rend());
  std::vector<MarkedText> parts;
  size_t end = text.size();
  for (; most != 0; --most) {
    const size_t found = find_part(backwards, wanted, text.size() - end);
    if (found == std::string::npos) break;
    meter.step();
    const size_t behind = text.size() - found;
    parts.push_back(text.slice(behind, end));
    end = behind - separator->size();
  }
  parts.push_back(text.slice(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<MarkedText> split_lines(const MarkedText& text, bool keep_ends, Meter& meter) {
  std::vector<MarkedText> lines;
  const std::string_view bytes = text.text();
  for (size_t at = 0; at < bytes.size();) {
    meter.step();
    size_t end = at;
    size_t behind = at;
    while (behind < bytes.size()) {
      const auto c = unicode::decode_at(bytes, end = behind);
      behind += static_cast<size_t>(c.length);
      if (ends_line(c.value)) break;
      end = behind;
    }
    if (bytes.substr(end, 2) == "\r\n") behind = end + 2;
    lines.push_back(text.slice(at, keep_ends ? behind : end));
    at = behind;
  }
  return lines;
}

namespace {

/// An empty text is replaced before every character and at the end.
MarkedText replace_between(const MarkedText& text, const MarkedText& to, int64_t most, Meter& meter) {
  MarkedText out;
  size_t at = 0;
  while (most != 0) {
    meter.step();
    meter.text(static_cast<int64_t>(to.size()));
    out.append(to);
    meter.length(static_cast<int64_t>(out.size()));
    if (most > 0) --most;
    if (at == text.size()) break;
    const size_t next = at + static_cast<size_t>(unicode::decode_at(text.text(), at).length);
    out.append(text, at, next);
    at = next;
  }
  out.append(text, at, text.size());
  return out;
}

}  // namespace

MarkedText replace(const MarkedText& text, std::string_view from, const MarkedText& to, int64_t most,
                   Meter& meter) {
  if (from.empty()) return replace_between(text, to, most, meter);
  meter.read(from.size());
  MarkedText out;
  size_t at = 0;
  for (; most != 0; --most) {
    const size_t found = find_part(text.text(), from, at);
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

MarkedText upper(const MarkedText& text) {
  return map_characters(text, [](std::string& out, size_t, char32_t c) { unicode::append_upper(out, c); });
}

MarkedText lower(const MarkedText& text) {
  return map_characters(
      text, [&](std::string& out, size_t at, char32_t) { unicode::append_lower_at(out, text.text(), at); });
}

MarkedText swap_case(const MarkedText& text) {
  return map_characters(text, [&](std::string& out, size_t at, char32_t c) {
    if (unicode::is_uppercase(c)) {
      unicode::append_lower_at(out, text.text(), at);
    } else if (unicode::is_lowercase(c)) {
      unicode::append_upper(out, c);
    } else {
      unicode::append(out, c);
    }
  });
}

MarkedText capitalize(const MarkedText& text) {
  return map_characters(text, [&](std::string& out, size_t at, char32_t c) {
    if (at == 0) {
      unicode::append_title(out, c);
    } else {
      unicode::append_lower_at(out, text.text(), at);
    }
  });
}

MarkedText title(const MarkedText& text) {
  return map_characters(text, [&, in_word = false](std::string& out, size_t at, char32_t c) mutable {
    if (in_word) {
      unicode::append_lower_at(out, text.text(), at);
    } else {
      unicode::append_title(out, c);
    }
    in_word = unicode::is_cased(c);
  });
}

MarkedText title_words(const MarkedText& text) {
  constexpr std::string_view kBegins = "-({[<";
  const std::string_view bytes = text.text();
  const auto separates = [&](const unicode::CodePoint& c) {
    return unicode::is_python_space(c.value) ||
           (c.length == 1 && kBegins.find(static_cast<char>(c.value)) != std::string_view::npos);
  };
  MarkedText out;
  for (size_t at = 0; at < bytes.size();) {
    const bool separator = separates(unicode::decode_at(bytes, at));
    size_t end = at;
    while (end < bytes.size() && separates(unicode::decode_at(bytes, end)) == separator)
      end += static_cast<size_t>(unicode::decode_at(bytes, end).length);
    const size_t second = at + static_cast<size_t>(unicode::decode_at(bytes, at).length);
    out.append(upper(text.slice(at, second)));
    out.append(lower(text.slice(second, end)));
    at = end;
  }
  return out;
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
