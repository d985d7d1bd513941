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

/// The hub has pages of its own there and no organisation: datasets/ORG, models/demo.
bool is_reserved(std::string_view organisation) {
  return organisation == "models" || organisation == "datasets" || organisation == "spaces";
}

/// A branch, a tag or a commit; refs/pr/1 is a name, too.
bool is_revision(std::string_view text) {
  for (size_t slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/')) {
    if (!is_word(text.substr(0, slash))) return false;
    text.remove_prefix(slash + 1);
  }
  return is_word(text);
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

constexpr int64_t kRefBytes = 1024;  // one holds a commit's 40 digits

}  // namespace

std::optional<HubName> parse_hub_name(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const size_t colon = text.find(':'), at = text.find('@');
  if (at != std::string_view::npos && (at < slash || at > colon)) return {};
  const size_t end = std::min(colon, text.size()), name_end = std::min(at, end);
  if (name_end < slash) return {};
  HubName parts{
      .organisation = std::string(text.substr(0, slash)),
      .name = std::string(text.substr(slash + 1, name_end - slash - 1)),
      .revision = name_end < end ? std::string(text.substr(name_end + 1, end - name_end - 1)) : "main",
      .file = end < text.size() ? std::string(text.substr(end + 1)) : ""};
  const bool file = end == text.size() || is_word(parts.file);
  if (!is_word(parts.organisation) || is_reserved(parts.organisation) || !is_word(parts.name) ||
      !is_revision(parts.revision) || !file)
    return {};
  return parts;
}

bool is_hub_name(std::string_view text) { return parse_hub_name(text).has_value(); }

fs::path expanded_path(std::string text) {
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

fs::path hub_home() {
  if (const std::string home = variable("HF_HOME"); !home.empty()) return expanded_path(home);
  const std::string shared = variable("XDG_CACHE_HOME");
  return expanded_path(shared.empty() ? "~/.cache" : shared) / "huggingface";
}

fs::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const std::string cache = variable(name); !cache.empty()) return expanded_path(cache);
  return hub_home() / "hub";
}

fs::path hub_repository(const fs::path& cache, const HubName& name) {
  return cache / ("models--" + name.organisation + "--" + name.name);
}

std::optional<fs::path> find_in_hub_cache(std::string_view text) {
  const auto name = parse_hub_name(text);
  if (!name) return {};
  return find_in_hub_cache(*name, hub_cache());
}

std::optional<fs::path> find_in_hub_cache(const HubName& name, const fs::path& cache) {
  const fs::path model = hub_repository(cache, name);
  std::error_code error;
  if (!fs::is_directory(model / "snapshots", error)) return {};
  std::string commit = read_if_present(model / "refs" / name.revision, kRefBytes).value_or(name.revision);
  commit.erase(std::min(commit.find_first_of(" \r\n"), commit.size()));
  if (is_word(commit) && fs::is_directory(model / "snapshots" / commit, error))
    return model / "snapshots" / commit;
  if (name.revision != "main") return {};
  std::optional<fs::path> only;
  for (fs::directory_iterator it(model / "snapshots", error), end; !error && it != end; it.increment(error)) {
    if (only) return {};
    only = it->path();
  }
  if (error) return {};
  return only;
}

}  // namespace galago
