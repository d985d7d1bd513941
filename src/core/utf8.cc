// UTF-8 is decoded by hand because the error rule matters: maximal ill-formed subparts.
#include "core/utf8.h"

#include <cstdint>

namespace galago::unicode {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr size_t kMostBytes = 4;

uint8_t byte_at(std::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

/// The range that the second byte must be in, which excludes overlong forms, surrogates and values too large.
struct SecondByte {
  uint8_t least = 0x80;
  uint8_t most = 0xBF;
};

SecondByte second_byte(uint8_t lead) {
  if (lead == 0xE0) return {0xA0, 0xBF};
  if (lead == 0xED) return {0x80, 0x9F};
  if (lead == 0xF0) return {0x90, 0xBF};
  if (lead == 0xF4) return {0x80, 0x8F};
  return {};
}

/// Bytes of a character by its first byte; 0 when no character starts so.
int length_of(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

/// How many bytes from `offset` are a well-formed beginning of one character (0 when the first is not).
int valid_prefix(std::string_view text, size_t offset) {
  const uint8_t lead = byte_at(text, offset);
  const int length = length_of(lead);
  if (length <= 1) return length;
  for (int i = 1; i < length; ++i) {
    if (offset + static_cast<size_t>(i) >= text.size()) return i;
    const uint8_t byte = byte_at(text, offset + static_cast<size_t>(i));
    const SecondByte range = i == 1 ? second_byte(lead) : SecondByte{};
    if (byte < range.least || byte > range.most) return i;
  }
  return length;
}

}  // namespace

CodePoint decode_at(std::string_view text, size_t offset) {
  if (offset >= text.size()) return {};
  const uint8_t lead = byte_at(text, offset);
  const int length = length_of(lead);
  if (length == 1) return {lead, 1};
  if (length == 0 || valid_prefix(text, offset) != length) return {kReplacement, 1};
  char32_t value = lead & (0x7FU >> length);
  for (int i = 1; i < length; ++i)
    value = value << 6 | (byte_at(text, offset + static_cast<size_t>(i)) & 0x3FU);
  return {value, length};
}

CodePoint decode_before(std::string_view text, size_t offset) {
  if (offset == 0) return {};
  size_t begin = offset - 1;
  while (begin > 0 && offset - begin < kMostBytes && !begins_character(text[begin])) --begin;
  const CodePoint c = decode_at(text, begin);
  return begin + static_cast<size_t>(c.length) == offset ? c : CodePoint{kReplacement, 1};
}

void append(std::string& out, char32_t value) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | value >> 6);
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | value >> 12);
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | value >> 18);
    put(0x80 | (value >> 12 & 0x3F));
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

size_t find_malformed(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    if (byte_at(text, i) < 0x80) {
      ++i;
      continue;
    }
    const int length = length_of(byte_at(text, i));
    if (length == 0 || valid_prefix(text, i) != length) return i;
    i += static_cast<size_t>(length);
  }
  return std::string_view::npos;
}

size_t count(std::string_view text) {
  size_t n = 0;
  for (const char c : text) n += begins_character(c);
  return n;
}

std::string take_text(std::string& pending, bool last) {
  std::string out;
  size_t i = 0;
  while (i < pending.size()) {
    const int whole = length_of(byte_at(pending, i));
    const int valid = valid_prefix(pending, i);
    if (whole > 0 && valid == whole) {
      out.append(pending, i, static_cast<size_t>(whole));
      i += static_cast<size_t>(whole);
      continue;
    }
    if (!last && valid > 0 && i + static_cast<size_t>(valid) == pending.size()) break;
    append(out, kReplacement);
    i += static_cast<size_t>(valid > 0 ? valid : 1);
  }
  pending.erase(0, i);
  return out;
}

}  // namespace galago::unicode
