// utf8proc orders combining marks by swapping neighbours, which takes quadratic time for a long run of them.
// So a text is decomposed code point by code point, its runs are sorted here, and utf8proc composes.
#include "text/normal_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "galago/error.h"
#include "text/unicode.h"

namespace galago {
namespace {

/// As many code points as one can become: U+FDFA is 18.
constexpr size_t kMostOfOne = 32;

using CodePoints = std::vector<utf8proc_int32_t>;

utf8proc_ssize_t checked(utf8proc_ssize_t count) {
  if (count < 0) throw Error(ErrorCode::resource, {.where = "normalizer", .got = utf8proc_errmsg(count)});
  return count;
}

CodePoints decomposed(std::string_view text, utf8proc_option_t options) {
  CodePoints out;
  out.reserve(text.size());
  std::array<utf8proc_int32_t, kMostOfOne> parts{};
  int no_boundary = 0;
  for (size_t at = 0; at < text.size();) {
    const auto c = unicode::decode_at(text, at);
    const auto count = static_cast<size_t>(
        checked(utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c.value), parts.data(),
                                        static_cast<utf8proc_ssize_t>(parts.size()), options, &no_boundary)));
    if (count > parts.size())
      throw Error(ErrorCode::resource, {.where = "normalizer", .got = "a code point of many parts"});
    out.insert(out.end(), parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(count));
    at += static_cast<size_t>(c.length);
  }
  return out;
}

utf8proc_propval_t combining_class(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

/// The canonical ordering: each run of marks by combining class, equal classes as they came.
void order_marks(CodePoints& text) {
  const auto is_mark = [](utf8proc_int32_t c) { return combining_class(c) != 0; };
  for (auto at = text.begin(); at != text.end();) {
    const auto begin = std::find_if(at, text.end(), is_mark);
    const auto end = std::find_if_not(begin, text.end(), is_mark);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    at = end;
  }
}

/// Composes in place. U+11A7 is a starter that combines with nothing, but utf8proc takes it for the first of
/// the final Hangul consonants, which follow it: so each part that it begins is composed alone.
void compose(CodePoints& text, utf8proc_option_t options) {
  constexpr utf8proc_int32_t kBeforeFinals = 0x11A7;
  auto kept = text.begin();
  for (auto at = text.begin(); at != text.end();) {
    const auto end = std::find(at + 1, text.end(), kBeforeFinals);
    const utf8proc_ssize_t count = checked(utf8proc_normalize_utf32(&*at, end - at, options));
    kept = kept == at ? at + count : std::copy(at, at + count, kept);
    at = end;
  }
  text.erase(kept, text.end());
}

}  // namespace

std::string to_normal_form(std::string_view text, NormalForm form) {
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE |
                                                      (form.compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                                                      (form.compatibility ? UTF8PROC_COMPAT : 0));
  CodePoints points = decomposed(text, options);
  order_marks(points);
  if (form.compose) compose(points, options);
  std::string out;
  out.reserve(text.size());
  for (const utf8proc_int32_t c : points) unicode::append(out, static_cast<char32_t>(c));
  return out;
}

}  // namespace galago
