#include "server/http/text.h"

#include <algorithm>
#include <charconv>

#include "server/http/http.h"

namespace galago::http {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
bool is_token_character(char c) { return is_digit(c) || is_letter(c) || is_one_of(c, "!#$%&'*+-.^_`|~"); }
bool is_host_character(char c) { return is_digit(c) || is_letter(c) || is_one_of(c, "-._~!$&'()*+,;=%:[]"); }
bool is_target_character(char c) { return c > ' ' && c < 0x7f && c != '#'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

}  // namespace

const std::string* find(const Headers& headers, std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const auto& header) { return equals(header.first, name); });
  return found == headers.end() ? nullptr : &found->second;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

bool equals(std::string_view one, std::string_view other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (equals(trim(list.substr(0, comma)), token)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

std::optional<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at];
      continue;
    }
    if (at + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    const int value = high * 16 + low;
    if (value < ' ' || value == 0x7f) return std::nullopt;
    decoded += static_cast<char>(value);
    at += 2;
  }
  return decoded;
}

std::optional<long long> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 18 || !std::all_of(text.begin(), text.end(), is_digit))
    return std::nullopt;
  long long value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool is_host(std::string_view text) { return std::all_of(text.begin(), text.end(), is_host_character); }

namespace {

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

bool skip_token(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_token_character);
  const size_t count = static_cast<size_t>(end - text.begin());
  text.remove_prefix(count);
  return count > 0;
}

bool skip_quoted(std::string_view& text) {
  for (size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      text.remove_prefix(at + 1);
      return true;
    }
  }
  return false;
}

}  // namespace

bool is_chunk_extension(std::string_view text) {
  while (!text.empty()) {
    skip_blanks(text);
    if (text.empty() || text[0] != ';') return false;
    text.remove_prefix(1);
    skip_blanks(text);
    if (!skip_token(text)) return false;
    std::string_view behind = text;
    skip_blanks(behind);
    if (behind.empty() || behind[0] != '=') continue;
    text = behind.substr(1);
    skip_blanks(text);
    if (text.empty() || !(text[0] == '"' ? skip_quoted(text) : skip_token(text))) return false;
  }
  return true;
}

std::optional<Target> split_target(std::string_view method, std::string_view target) {
  if (target.empty() || !std::all_of(target.begin(), target.end(), is_target_character)) return std::nullopt;
  if (method == "CONNECT") {
    if (!is_host(target)) return std::nullopt;
    return Target{.authority = target, .path = target, .query = {}};
  }
  if (target == "*") {
    if (method != "OPTIONS") return std::nullopt;
    return Target{.authority = {}, .path = target, .query = {}};
  }
  Target parts;
  if (target[0] != '/') {
    const size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return std::nullopt;
    if (!equals(target.substr(0, scheme), "http") && !equals(target.substr(0, scheme), "https"))
      return std::nullopt;
    target.remove_prefix(scheme + 3);
    const size_t end = std::min(target.find_first_of("/?"), target.size());
    parts.authority = target.substr(0, end);
    if (parts.authority.empty() || !is_host(parts.authority)) return std::nullopt;
    target.remove_prefix(end);
  }
  const size_t question = std::min(target.find('?'), target.size());
  parts.path = question == 0 ? std::string_view("/") : target.substr(0, question);
  parts.query = target.substr(std::min(question + 1, target.size()));
  return parts;
}

}  // namespace galago::http
