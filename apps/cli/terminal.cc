// See the header. Which characters: ECMA-48's C0 and C1, and the embeddings, overrides and isolates of UAX 9.
#include "terminal.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <streambuf>

#include "core/utf8.h"

namespace galago::cli {
namespace {

enum class Lines { keep, spell };

bool is_control(char32_t c, Lines lines) {
  if (c == '\n' || c == '\t') return lines == Lines::spell;
  return c < 0x20 || (c >= 0x7F && c <= 0x9F);
}
bool turns_direction(char32_t c) { return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069); }

std::string escaped_characters(std::string_view text, Lines lines) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto c = unicode::decode_at(text, at);
    const auto length = static_cast<size_t>(c.length);
    if (is_control(c.value, lines) || turns_direction(c.value)) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c.value));
      out += code;
    } else {
      out += text.substr(at, length);
    }
    at += length;
  }
  return out;
}

/// Passes on what it is given, escaped; it keeps nothing back but the beginning of a character.
class EscapingBuffer final : public std::streambuf {
 public:
  explicit EscapingBuffer(std::streambuf* out) : out_(out) {}

 protected:
  std::streamsize xsputn(const char* text, std::streamsize count) override {
    const std::string safe = text_.take({text, static_cast<size_t>(count)});
    const auto size = static_cast<std::streamsize>(safe.size());
    return out_->sputn(safe.data(), size) == size ? count : 0;
  }
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    const char one = traits_type::to_char_type(c);
    return xsputn(&one, 1) == 1 ? c : traits_type::eof();
  }
  int sync() override { return out_->pubsync(); }

 private:
  std::streambuf* out_;
  TerminalText text_;
};

}  // namespace

std::string escaped_for_terminal(std::string_view text) {
  std::string pending(text);
  return escaped_characters(unicode::take_text(pending, true), Lines::keep);
}

std::string escaped_line(std::string_view text) {
  std::string pending(text);
  return escaped_characters(unicode::take_text(pending, true), Lines::spell);
}

std::string TerminalText::take(std::string_view piece) {
  pending_ += piece;
  return escaped_characters(unicode::take_text(pending_, false), Lines::keep);
}

void guard_stderr() {
  if (!isatty(STDERR_FILENO)) return;
  static EscapingBuffer buffer(std::cerr.rdbuf());
  std::cerr.rdbuf(&buffer);
}

void to_terminal(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace galago::cli
