// Escapes byte by byte: names in broken files are often not even UTF-8.
#include "core/printable.h"

namespace galago {

std::string printable(std::string_view text, size_t limit) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    if (out.size() >= limit) return out + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += byte < 0x80 ? "\\u00" : "\\x";  // a character, or a byte of one or of none
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string in_quotes(std::string_view text, size_t limit) { return '"' + printable(text, limit) + '"'; }

}  // namespace galago
