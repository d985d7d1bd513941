// Each function below is one alternative of the patterns, tried in the pattern's order; 0 means "no match".
#include "text/tokenizer/scanners.h"

#include <string>

#include "text/unicode/unicode.h"

namespace galago {
namespace {

using unicode::CodePoint;
using unicode::decode_at;

bool is_other(char32_t c) {
  return !unicode::is_space(c) && !unicode::is_letter(c) && !unicode::is_number(c);
}
bool is_line_break(char32_t c) { return c == '\r' || c == '\n'; }

/// End of the longest run of code points that satisfy `is`, at most `most` of them.
template <typename Is>
size_t run(std::string_view text, size_t at, const Is& is, size_t most = static_cast<size_t>(-1)) {
  for (; most > 0; --most) {
    const CodePoint c = decode_at(text, at);
    if (c.length == 0 || !is(c.value)) break;
    at += static_cast<size_t>(c.length);
  }
  return at;
}

/// ASCII lower case, and the long s, which folds to s.
char32_t fold(char32_t c) {
  if (c == 0x17F) return 's';
  return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/// 's 't 're 've 'm 'll 'd; ignore_case as (?i:...).
size_t contraction(std::string_view text, size_t at, bool ignore_case) {
  if (text[at] != '\'') return 0;
  const CodePoint first = decode_at(text, at + 1);
  if (first.length == 0) return 0;
  const char32_t a = ignore_case ? fold(first.value) : first.value;
  const size_t after = at + 1 + static_cast<size_t>(first.length);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return after;
  const CodePoint second = decode_at(text, after);
  if (second.length == 0) return 0;
  const char32_t b = ignore_case ? fold(second.value) : second.value;
  const bool pair = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
  return pair ? after + static_cast<size_t>(second.length) : 0;
}

/// " ?X+" for a class X.
template <typename Is>
size_t spaced_run(std::string_view text, size_t at, const Is& is) {
  const size_t begin = at + (text[at] == ' ' ? 1 : 0);
  const size_t end = run(text, begin, is);
  return end > begin ? end : 0;
}

/// "\s+(?!\S)|\s+": a run of spaces, without its last one when something follows.
size_t spaces(std::string_view text, size_t at) {
  const size_t end = run(text, at, unicode::is_space);
  if (end == text.size()) return end;
  const size_t last = end - static_cast<size_t>(unicode::decode_before(text, end).length);
  return last > at ? last : end;
}

size_t next_gpt2(std::string_view text, size_t at) {
  if (const size_t end = contraction(text, at, false)) return end;
  if (const size_t end = spaced_run(text, at, unicode::is_letter)) return end;
  if (const size_t end = spaced_run(text, at, unicode::is_number)) return end;
  if (const size_t end = spaced_run(text, at, is_other)) return end;
  return spaces(text, at);
}

/// "[^\r\n\p{L}\p{N}]?\p{L}+"
size_t word_with_mark(std::string_view text, size_t at) {
  const CodePoint first = decode_at(text, at);
  size_t begin = at;
  if (!unicode::is_letter(first.value)) {
    if (is_line_break(first.value) || unicode::is_number(first.value)) return 0;
    begin += static_cast<size_t>(first.length);
  }
  const size_t end = run(text, begin, unicode::is_letter);
  return end > begin ? end : 0;
}

/// "\s*[\r\n]+": a run of spaces up to its last line break.
size_t line_end(std::string_view text, size_t at) {
  const size_t end = run(text, at, unicode::is_space);
  const size_t found = text.substr(at, end - at).find_last_of("\r\n");
  return found == std::string_view::npos ? 0 : at + found + 1;
}

size_t next_llama3(std::string_view text, size_t at, size_t digits) {
  if (const size_t end = contraction(text, at, true)) return end;
  if (const size_t end = word_with_mark(text, at)) return end;
  if (const size_t end = run(text, at, unicode::is_number, digits); end > at) return end;
  if (const size_t end = spaced_run(text, at, is_other)) return run(text, end, is_line_break);
  if (const size_t end = line_end(text, at)) return end;
  return spaces(text, at);
}

std::string llama3_expression(std::string_view digits) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + std::string(digits) +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

}  // namespace

size_t WordScanner::next(std::string_view text, size_t offset) const {
  return kind == Kind::gpt2 ? next_gpt2(text, offset) : next_llama3(text, offset, digits);
}

std::optional<WordScanner> known_scanner(std::string_view expression) {
  if (expression == R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)")
    return kGpt2Scanner;
  if (expression == llama3_expression(R"(\p{N}{1,3})")) return WordScanner{WordScanner::Kind::llama3, 3};
  if (expression == llama3_expression(R"(\p{N})")) return WordScanner{WordScanner::Kind::llama3, 1};
  return std::nullopt;
}

}  // namespace galago
