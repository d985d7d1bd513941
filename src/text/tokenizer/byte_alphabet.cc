// The alphabet as two tables, made once: 188 printable bytes of Latin-1 stand for themselves, the other 68
// are U+0100 and up, in the order of the bytes. Reference: bytes_to_unicode in GPT-2's encoder.py.
#include "text/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "text/unicode/unicode.h"

namespace galago {
namespace {

constexpr size_t kAlphabetEnd = 256 + 68;  // 188 bytes stand for themselves, 68 move to U+0100 and up

/// Printable bytes of Latin-1 stand for themselves.
bool is_own_character(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Tables {
  std::array<std::string, 256> characters;    // byte -> UTF-8 of its character
  std::array<int16_t, kAlphabetEnd> bytes{};  // character -> byte, or -1
  Tables() {
    bytes.fill(-1);
    char32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const char32_t c = is_own_character(byte) ? byte : next++;
      unicode::append(characters[byte], c);
      bytes[c] = static_cast<int16_t>(byte);
    }
  }
};

const Tables& tables() {
  static const Tables made;
  return made;
}

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  const Tables& t = tables();
  std::string out;
  for (const char byte : bytes) out += t.characters[static_cast<uint8_t>(byte)];
  return out;
}

std::string from_byte_alphabet(std::string_view token) {
  const Tables& t = tables();
  std::string out;
  for (size_t i = 0; i < token.size();) {
    const auto c = unicode::decode_at(token, i);
    if (c.value >= kAlphabetEnd || t.bytes[c.value] < 0) return std::string(token);
    out.push_back(static_cast<char>(t.bytes[c.value]));
    i += static_cast<size_t>(c.length);
  }
  return out;
}

}  // namespace galago
