// See the header.
#include "batch/names.h"

#include <algorithm>
#include <cstdio>

#include "batch/journal.h"
#include "batch/sources.h"
#include "core/utf8.h"
#include "core/words.h"

namespace galago::batch {
namespace {

constexpr size_t kLongestPart = 180;
constexpr std::string_view kUnfit = "\\:*?\"<>|%";

std::string escaped(char c) {
  char text[4];
  std::snprintf(text, sizeof text, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
  return text;
}

std::string safe_part(std::string_view part) {
  std::string out;
  for (size_t at = 0; at < part.size();) {
    const auto c = unicode::decode_at(part, at);
    const std::string_view bytes = part.substr(at, static_cast<size_t>(c.length));
    const bool malformed = bytes.size() == 1 && static_cast<unsigned char>(bytes[0]) >= 0x80;
    const bool control = c.value < 0x20 || (c.value >= 0x7F && c.value < 0xA0);
    const bool hidden = at == 0 && bytes == ".";
    if (malformed || control || hidden || kUnfit.find(bytes[0]) != std::string_view::npos)
      for (const char byte : bytes) out += escaped(byte);
    else
      out += bytes;
    at += bytes.size();
  }
  if (out.size() <= kLongestPart) return out;
  char digest[24];
  std::snprintf(digest, sizeof digest, "-%016llx", static_cast<unsigned long long>(short_digest(part)));
  size_t end = kLongestPart - 17;
  while (end > 0 && !unicode::begins_character(out[end])) --end;
  return out.substr(0, end) + digest;
}

std::string_view without_picture_ending(std::string_view id) {
  const size_t dot = id.rfind('.');
  const bool has =
      dot != std::string_view::npos && dot > 0 && id[dot - 1] != '/' && ends_like_picture(id.substr(dot));
  return has ? id.substr(0, dot) : id;
}

}  // namespace

std::string safe_name(std::string_view id) {
  std::string path;
  for (std::string_view rest = without_picture_ending(id); !rest.empty();) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    const bool folder = slash < rest.size();
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.find_first_not_of('.') == std::string_view::npos) continue;
    std::string name = safe_part(part);
    if (folder) {
      // So that no folder is called as a file may be.
      const std::string small = lower_ascii(name);
      if (small.ends_with(".txt") || small.ends_with(".json")) name += '~';
      name += '/';
    }
    path += name;
  }
  while (path.ends_with('/')) path.pop_back();
  return path.empty() ? "item" : path;
}

std::string Names::next(std::string_view id) {
  const std::string name = safe_name(id);
  std::string unique = name;
  for (int64_t copy = 2; !given_.insert(short_digest(unique)).second; ++copy)
    unique = name + "~" + std::to_string(copy);
  return unique;
}

}  // namespace galago::batch
