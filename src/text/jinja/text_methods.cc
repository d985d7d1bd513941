// String methods that look for another string, pad, or ask what the characters are. Positions are code
// points. Reference: Python 3 str.
#include <algorithm>
#include <array>

#include "core/printable.h"
#include "text/jinja/builtins.h"
#include "text/jinja/text.h"
#include "text/search.h"
#include "text/unicode/letter_case.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

/// Where the last `part` begins in `text`: the first one, read backwards.
size_t find_last(std::string_view text, std::string_view part) {
  const std::string backwards(text.rbegin(), text.rend());
  const size_t at = find_part(backwards, std::string(part.rbegin(), part.rend()));
  return at == kNone ? kNone : text.size() - at - part.size();
}

/// The part of a text between the arguments start and end, and the code points before it; nothing when start
/// is behind the text.
struct Window {
  std::string_view text;
  int64_t before = 0;
};

std::optional<Window> window_of(std::string_view text, const Values& arguments, Meter& meter) {
  const auto bound = [&](size_t at, std::string_view name) -> std::optional<int64_t> {
    const Value* given = arguments.find(at, name);
    if (!given || given->is_none()) return std::nullopt;
    return as_integer(*given, meter);
  };
  const auto start = bound(1, "start");
  const auto end = bound(2, "end");
  if (!start && !end) return Window{text, 0};
  meter.read(2 * text.size());
  const std::vector<size_t> offsets = code_point_offsets(text);
  const auto length = static_cast<int64_t>(offsets.size() - 1);
  if (start && *start > length) return std::nullopt;
  const SliceBounds bounds = slice_bounds(length, start, end, 1);
  if (bounds.stop < bounds.start) return std::nullopt;
  const size_t begin = offsets[static_cast<size_t>(bounds.start)];
  return Window{text.substr(begin, offsets[static_cast<size_t>(bounds.stop)] - begin), bounds.start};
}

/// startswith and endswith, which also take a tuple of texts.
Value affix(const std::string& name, const MarkedText& text, const Values& arguments, Meter& meter) {
  arguments.at_most(3, name, meter);
  if (arguments.positional.empty() || !arguments.named.empty())
    meter.invalid(name + "() with names of arguments or without any", "a string");
  const auto window = window_of(text.text(), arguments, meter);
  const auto matches = [&](const Value& part) {
    if (!part.text()) meter.invalid(name + "() of " + part.kind(), "a string or a tuple of strings");
    const std::string& wanted = part.text()->text();
    meter.read(wanted.size());
    if (!window) return false;
    return name == "startswith" ? window->text.starts_with(wanted) : window->text.ends_with(wanted);
  };
  const Value& given = arguments.positional[0];
  if (!given.list() || !given.list()->tuple) return Value(matches(given));
  return Value(std::any_of(given.list()->items.begin(), given.list()->items.end(), matches));
}

/// find, rfind, index, rindex.
Value position_of(const std::string& name, const MarkedText& text, const Values& arguments, Meter& meter) {
  arguments.at_most(3, name, meter);
  const std::string& part = arguments.text(0, "sub", meter).text();
  const auto window = window_of(text.text(), arguments, meter);
  meter.read(text.size() + part.size());
  const size_t at = !window                 ? kNone
                    : name.starts_with('r') ? find_last(window->text, part)
                                            : find_part(window->text, part);
  if (at != kNone)
    return Value(window->before + static_cast<int64_t>(unicode::count(window->text.substr(0, at))));
  if (name.ends_with("index")) meter.invalid(name + "() of a text that is not there");
  return Value(int64_t{-1});
}

Value count_of(const MarkedText& text, const Values& arguments, Meter& meter) {
  arguments.at_most(3, "count", meter);
  const std::string& part = arguments.text(0, "sub", meter).text();
  const auto window = window_of(text.text(), arguments, meter);
  if (!window) return Value(int64_t{0});
  meter.read(window->text.size() + part.size());
  if (part.empty()) return Value(static_cast<int64_t>(unicode::count(window->text)) + 1);
  int64_t count = 0;
  for (size_t at = find_part(window->text, part); at != kNone;
       at = find_part(window->text, part, at + part.size())) {
    ++count;
    meter.read(8);
  }
  return Value(count);
}

Value partition(const std::string& name, const MarkedText& text, const Values& arguments, Meter& meter) {
  arguments.at_most(1, name, meter);
  const std::string& separator = arguments.text(0, "sep", meter).text();
  if (separator.empty()) meter.invalid("an empty separator", "a separator of some characters");
  const bool last = name.starts_with('r');
  meter.read(text.size() + separator.size());
  const size_t at = last ? find_last(text.text(), separator) : find_part(text.text(), separator);
  const auto part = [&](size_t begin, size_t end) { return make_text(text.slice(begin, end), meter); };
  const size_t size = text.size();
  if (at == kNone && last) return make_list({part(0, 0), part(0, 0), part(0, size)}, true, meter);
  if (at == kNone) return make_list({part(0, size), part(0, 0), part(0, 0)}, true, meter);
  const size_t behind = at + separator.size();
  return make_list({part(0, at), part(at, behind), part(behind, size)}, true, meter);
}

/// center, ljust, rjust: the text with so many fill characters before and behind it.
Value padded(const std::string& name, const MarkedText& text, const Values& arguments, Meter& meter) {
  arguments.at_most(2, name, meter);
  const Value* width = arguments.find(0, "width");
  if (!width) meter.invalid(name + "() without a width", "a width");
  const Value* given = arguments.find(1, "fillchar");
  const MarkedText fill = given ? arguments.text(1, "fillchar", meter) : MarkedText(" ");
  if (unicode::count(fill.text()) != 1) meter.invalid("a text to fill with", "one character");
  const int64_t wanted = as_integer(*width, meter);
  const auto count = static_cast<int64_t>(unicode::count(text.text()));
  const int64_t missing = wanted > count ? wanted - count : 0;
  const int64_t left = name == "rjust" ? missing : name == "ljust" ? 0 : missing / 2 + (missing & wanted & 1);
  meter.text(missing > limits::kTemplateBytes ? INT64_MAX / 2 : 4 * missing);
  MarkedText out;
  for (int64_t i = 0; i < left; ++i) out.append(fill);
  out.append(text);
  for (int64_t i = left; i < missing; ++i) out.append(fill);
  return make_text(std::move(out), meter);
}

Value zero_filled(const MarkedText& text, const Values& arguments, Meter& meter) {
  arguments.at_most(1, "zfill", meter);
  const Value* width = arguments.find(0, "width");
  if (!width) meter.invalid("zfill() without a width", "a width");
  const int64_t wanted = as_integer(*width, meter);
  const auto count = static_cast<int64_t>(unicode::count(text.text()));
  const int64_t missing = wanted > count ? wanted - count : 0;
  meter.text(missing);
  const bool sign = text.text().starts_with('+') || text.text().starts_with('-');
  MarkedText out = text.slice(0, sign ? 1 : 0);
  out.append(std::string(static_cast<size_t>(missing), '0'), false);
  out.append(text, sign ? 1 : 0, text.size());
  return make_text(std::move(out), meter);
}

template <typename Is>
bool all_characters(const std::string& text, const Is& is) {
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    if (!is(c.value)) return false;
    i += static_cast<size_t>(c.length);
  }
  return true;
}

/// isupper and islower: some letter with a case, and none of another case.
bool has_case(const std::string& text, bool upper) {
  bool found = false;
  const bool none_of_other = all_characters(text, [&](char32_t c) {
    const bool mine = upper ? unicode::is_uppercase(c) : unicode::is_lowercase(c);
    found = found || mine;
    return mine || !unicode::is_cased(c);
  });
  return found && none_of_other;
}

/// istitle: words that begin in upper case and go on in lower case.
bool is_title(const std::string& text) {
  bool found = false;
  bool in_word = false;
  return all_characters(text,
                        [&](char32_t c) {
                          const bool cased = unicode::is_cased(c);
                          const bool fits = !cased || in_word == unicode::is_lowercase(c);
                          found = found || cased;
                          in_word = cased;
                          return fits;
                        }) &&
         found;
}

bool is_alphanumeric(char32_t c) {
  return unicode::is_letter(c) || unicode::is_python_digit(c) || unicode::is_python_numeric(c);
}

struct CharacterTest {
  std::string_view name;
  bool (*is)(char32_t);
};
constexpr std::array kCharacterTests = {
    CharacterTest{"isdigit", unicode::is_python_digit},
    CharacterTest{"isdecimal", [](char32_t c) { return unicode::category(c) == unicode::Category::nd; }},
    CharacterTest{"isnumeric", unicode::is_python_numeric},
    CharacterTest{"isalpha", unicode::is_letter},
    CharacterTest{"isalnum", is_alphanumeric},
    CharacterTest{"isspace", unicode::is_python_space},
};

}  // namespace

std::optional<Value> search_method(const std::string& name, const MarkedText& text, const Values& arguments,
                                   Meter& meter) {
  if (name == "find" || name == "rfind" || name == "index" || name == "rindex")
    return position_of(name, text, arguments, meter);
  if (name == "startswith" || name == "endswith") return affix(name, text, arguments, meter);
  if (name == "count") return count_of(text, arguments, meter);
  if (name == "partition" || name == "rpartition") return partition(name, text, arguments, meter);
  return std::nullopt;
}

std::optional<Value> form_method(const std::string& name, const MarkedText& text, const Values& arguments,
                                 Meter& meter) {
  if (name == "center" || name == "ljust" || name == "rjust") return padded(name, text, arguments, meter);
  if (name == "zfill") return zero_filled(text, arguments, meter);
  if (name == "isascii") return Value(all_characters(text.text(), [](char32_t c) { return c < 0x80; }));
  if (name == "isprintable") return Value(all_characters(text.text(), unicode::is_python_printable));
  if (name == "isupper" || name == "islower") return Value(has_case(text.text(), name == "isupper"));
  if (name == "istitle") return Value(is_title(text.text()));
  for (const CharacterTest& test : kCharacterTests)
    if (test.name == name) return Value(!text.empty() && all_characters(text.text(), test.is));
  return std::nullopt;
}

}  // namespace galago::jinja
