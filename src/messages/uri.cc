// See the header.
#include "messages/uri.h"

#include <algorithm>
#include <optional>

#include "core/base64.h"
#include "core/limits.h"
#include "core/printable.h"
#include "core/words.h"
#include "galago/error.h"

namespace galago {
namespace {

[[noreturn]] void malformed(const std::string& where, const std::string& got, const std::string& expected,
                            const std::string& hint = "") {
  throw Error(ErrorCode::input_invalid, {.where = where, .got = got, .expected = expected, .hint = hint});
}

}  // namespace

bool has_scheme(std::string_view text, std::string_view scheme) {
  return lower_ascii(text.substr(0, scheme.size())) == scheme;
}

bool on_the_web(std::string_view text) { return has_scheme(text, "http://") || has_scheme(text, "https://"); }

std::string decode_base64(std::string_view text, const std::string& where) {
  const std::string expected = "base64 (A-Z, a-z, 0-9, +, /) padded with = to groups of four";
  size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  const size_t bad = static_cast<size_t>(
      std::find_if_not(text.begin(), text.begin() + digits, is_base64_digit) - text.begin());
  if (bad < digits) {
    const char c = text[bad];
    malformed(where, in_quotes(text.substr(bad, 1)) + " at character " + std::to_string(bad + 1), expected,
              c == '%' ? "percent escapes are no part of base64: write the characters themselves"
              : c == '\n' || c == '\r' ? "base64 -w0 FILE writes it without line ends"
                                       : "");
  }
  std::optional<std::string> out = from_base64(text.substr(0, digits));
  if (text.size() % 4 != 0 || !out) malformed(where, std::to_string(text.size()) + " characters", expected);
  const size_t rest = digits % 4 == 0 ? 0 : digits % 4 - 1;  // bytes of the group that is not full
  if (rest > 0 &&
      to_base64(std::string_view(*out).substr(out->size() - rest)) != text.substr(text.size() - 4))
    malformed(where, "bits after the last byte", expected);
  return *std::move(out);
}

std::string percent_decoded(std::string_view text, const std::string& where) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) malformed(where, in_quotes(text.substr(i, 3)), "two hexadecimal digits after %");
    if (high == 0 && low == 0) malformed(where, "%00", "no byte 0 in a file's name");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

DataUri parse_data_uri(std::string_view uri, const std::string& where) {
  const size_t comma = uri.find(',');
  if (comma == std::string_view::npos) malformed(where, "no comma", "data:image/TYPE;base64,BYTES");
  const std::string head = lower_ascii(uri.substr(5, comma - 5));
  return {.type = head.substr(0, head.find(';')),
          .base64 = head.ends_with(";base64"),
          .data = uri.substr(comma + 1)};
}

std::string picture_of_data_uri(std::string_view text) {
  const std::string where = "data: URI";
  const std::string form = "data:image/TYPE;base64,BYTES";
  const auto refuse = [&](const std::string& got, const std::string& expected) {
    throw Error(ErrorCode::input_invalid, {.where = where, .got = got, .expected = expected});
  };
  const DataUri uri = parse_data_uri(text, where);
  if (!uri.type.starts_with("image/")) refuse(in_quotes(uri.type, 60), "a picture: " + form);
  if (!uri.base64) refuse(in_quotes(uri.type, 60), "base64: " + form);
  if (uri.data.empty()) refuse("no bytes", form);
  if (static_cast<int64_t>(uri.data.size()) / 4 * 3 > limits::kImageBytes)
    throw Error(ErrorCode::input_too_large,
                {.where = where,
                 .got = std::to_string(uri.data.size()) + " characters",
                 .expected = "at most " + std::to_string(limits::kImageBytes) + " bytes of a picture"});
  return decode_base64(uri.data, where);
}

std::filesystem::path file_of_uri(std::string_view uri) {
  std::string_view rest = uri.substr(5);
  if (rest.starts_with("//")) {
    const size_t slash = std::min(rest.find('/', 2), rest.size());
    const std::string host = lower_ascii(rest.substr(2, slash - 2));
    if (!host.empty() && host != "localhost")
      throw Error(ErrorCode::usage, {.where = "file: URI",
                                     .got = "the host " + in_quotes(host),
                                     .expected = "a file of this machine, file:///PATH",
                                     .hint = "write ./NAME for a file in this folder"});
    rest = rest.substr(slash);
  }
  if (!rest.starts_with('/')) malformed("file: URI", in_quotes(uri), "a path from the root, file:///PATH");
  if (const size_t at = rest.find_first_of("?#"); at != std::string_view::npos)
    malformed("file: URI", in_quotes(rest.substr(at, 1)) + " in its path", "a path alone",
              rest[at] == '?' ? "write it %3F" : "write it %23");
  return percent_decoded(rest, "file: URI");
}

}  // namespace galago
