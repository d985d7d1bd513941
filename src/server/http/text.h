// Small readers of HTTP's text: characters, lists, targets. In: text of a head. Out: its parts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace galago::http {

/// token of RFC 9110, section 5.6.2.
bool is_token(std::string_view text);
/// Without regard to case, ASCII alone.
bool equals(std::string_view one, std::string_view other);
/// Without blanks and tabs around it.
std::string_view trim(std::string_view text);
/// Whether a comma-separated list has that token, without regard to case.
bool has_token(std::string_view list, std::string_view token);
/// %XX decoded; null for an escape that is none and for one of a control character.
std::optional<std::string> decode_percent(std::string_view text);
/// Digits alone, at most 18 of them.
std::optional<long long> parse_decimal(std::string_view text);
/// uri-host [ ":" port ], by its characters.
bool is_host(std::string_view text);
/// chunk-ext of RFC 9112, section 7.1.1: ";name", ";name=token", ";name=\"text\"", any number, or nothing.
bool is_chunk_extension(std::string_view text);

/// A request target in its parts: authority empty where it has none.
struct Target {
  std::string_view authority, path, query;
};
/// Origin, absolute, authority (CONNECT) and asterisk form of RFC 9112, section 3.2; null for others.
std::optional<Target> split_target(std::string_view method, std::string_view target);

}  // namespace galago::http
