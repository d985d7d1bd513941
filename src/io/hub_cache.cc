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
  if (!is_word(parts.organisation) || !is_word(parts.name) || !is_word(parts.revision)) return {};
  return parts;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

constexpr int64_t kRefBytes = 1024;  // one holds a commit's 40 digits

}  // namespace

bool is_hub_name(std::string_view text) { return parse(text).has_value(); }

fs::path hub_cache() {
  if (const std::string cache = variable("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  const std::string shared = variable("XDG_CACHE_HOME");
  const fs::path caches = shared.empty() ? fs::path(variable("HOME")) / ".cache" : fs::path(shared);
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
  for (const auto& entry : fs::directory_iterator(model / "snapshots", error)) {
    if (only) return {};
    only = entry.path();
  }
  return only;
}

}  // namespace galago
