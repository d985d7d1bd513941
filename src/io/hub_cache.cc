// See the header.
#include "io/hub_cache.h"

#include <algorithm>
#include <cstdlib>

#include "core/limits.h"
#include "io/files.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

bool is_word(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= 96 && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), fits);
}

/// A branch, a tag or a commit; refs/pr/1 is a name, too.
bool is_revision(std::string_view text) {
  for (size_t slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/')) {
    if (!is_word(text.substr(0, slash))) return false;
    text.remove_prefix(slash + 1);
  }
  return is_word(text);
}

struct HubName {
  std::string organisation, name, revision;
};

std::optional<HubName> parse(std::string_view text) {
  const size_t slash = text.find('/'), at = text.find('@');
  if (slash == std::string_view::npos || (at != std::string_view::npos && at < slash)) return {};
  const size_t end = std::min(at, text.size());
  HubName parts{.organisation = std::string(text.substr(0, slash)),
                .name = std::string(text.substr(slash + 1, end - slash - 1)),
                .revision = end < text.size() ? std::string(text.substr(end + 1)) : "main"};
  if (!is_word(parts.organisation) || !is_word(parts.name) || !is_revision(parts.revision)) return {};
  return parts;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// A leading ~, $NAME and ${NAME} become what they stand for, as Python's expanduser and expandvars have it;
/// what is not set stays.
fs::path expanded(std::string text) {
  if (text == "~" || text.starts_with("~/"))
    if (const std::string home = variable("HOME"); !home.empty()) text.replace(0, 1, home);
  for (size_t at = 0; (at = text.find('$', at)) != std::string::npos;) {
    const bool braced = text.substr(at + 1, 1) == "{";
    const size_t begin = at + (braced ? 2 : 1);
    size_t end = begin;
    while (end < text.size() && (braced ? text[end] != '}' : is_name_letter(text[end]))) ++end;
    const char* const value = std::getenv(text.substr(begin, end - begin).c_str());
    const bool closed = !braced || end < text.size();
    if (!value || !closed || end == begin) {
      ++at;
      continue;
    }
    const std::string_view content = value;
    text.replace(at, end + (braced ? 1 : 0) - at, content);
    at += content.size();
  }
  return text;
}

constexpr int64_t kRefBytes = 1024;  // one holds a commit's 40 digits

}  // namespace

bool is_hub_name(std::string_view text) { return parse(text).has_value(); }

fs::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const std::string cache = variable(name); !cache.empty()) return expanded(cache);
  if (const std::string home = variable("HF_HOME"); !home.empty()) return expanded(home) / "hub";
  const std::string shared = variable("XDG_CACHE_HOME");
  const fs::path caches = expanded(shared.empty() ? "~/.cache" : shared);
  return caches / "huggingface" / "hub";
}

std::optional<fs::path> find_in_hub_cache(std::string_view text) {
  const auto name = parse(text);
  if (!name) return {};
  const fs::path model = hub_cache() / ("models--" + name->organisation + "--" + name->name);
  std::error_code error;
  if (!fs::is_directory(model / "snapshots", error)) return {};
  std::string commit = read_if_present(model / "refs" / name->revision, kRefBytes).value_or(name->revision);
  commit.erase(std::min(commit.find_first_of(" \r\n"), commit.size()));
  if (is_word(commit) && fs::is_directory(model / "snapshots" / commit, error))
    return model / "snapshots" / commit;
  if (name->revision != "main") return {};
  std::optional<fs::path> only;
  for (fs::directory_iterator it(model / "snapshots", error), end; !error && it != end; it.increment(error)) {
    if (only) return {};
    only = it->path();
  }
  if (error) return {};
  return only;
}

}  // namespace galago
