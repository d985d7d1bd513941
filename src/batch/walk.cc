// See the header.
#include "batch/walk.h"

#include <algorithm>
#include <system_error>

#include "batch/sources.h"
#include "galago/error.h"

namespace galago::batch {
namespace {

namespace fs = std::filesystem;

// Whether [..] at the beginning of `pattern` holds `c`; its length, 0 when it does not end.
size_t class_of(std::string_view pattern, char c, bool& holds) {
  const bool negated = pattern.size() > 1 && (pattern[1] == '!' || pattern[1] == '^');
  size_t at = negated ? 2 : 1;
  const size_t end = pattern.find(']', at + 1);
  if (end == std::string_view::npos) return 0;
  holds = false;
  for (; at < end; ++at) {
    if (at + 2 < end && pattern[at + 1] == '-') {
      const auto value = static_cast<unsigned char>(c);
      holds |= static_cast<unsigned char>(pattern[at]) <= value &&
               value <= static_cast<unsigned char>(pattern[at + 2]);
      at += 2;
    } else {
      holds |= pattern[at] == c;
    }
  }
  holds = holds != negated;
  return end + 1;
}

// One part. Goes back to the last * alone, so that it takes no longer than both lengths multiplied.
bool part_matches(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, star_name = 0;
  while (n < name.size()) {
    bool holds = false;
    size_t taken = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
      continue;
    }
    if (p < pattern.size()) {
      taken = 1;
      if (pattern[p] == '?')
        holds = true;
      else if (const size_t length = pattern[p] == '[' ? class_of(pattern.substr(p), name[n], holds) : 0)
        taken = length;
      else
        holds = pattern[p] == name[n];
    }
    if (holds) {
      p += taken;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0;;) {
    const size_t end = path.find('/', begin);
    parts.push_back(path.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

}  // namespace

bool matches(std::string_view pattern, std::string_view path) {
  const auto patterns = parts_of(pattern);
  const auto names = parts_of(path);
  // fits[j]: the parts of the pattern so far match the first j names.
  std::vector<char> fits(names.size() + 1, 0);
  fits[0] = 1;
  for (const std::string_view part : patterns) {
    std::vector<char> next(names.size() + 1, 0);
    if (part == "**") {
      bool any = false;
      for (size_t j = 0; j <= names.size(); ++j) next[j] = any |= fits[j] != 0;
    } else {
      for (size_t j = 0; j < names.size(); ++j) next[j + 1] = fits[j] != 0 && part_matches(part, names[j]);
    }
    fits = std::move(next);
  }
  return fits.back() != 0;
}

Walk::Walk(const fs::path& folder, std::string pattern) : pattern_(std::move(pattern)) { enter(folder, ""); }

void Walk::enter(const fs::path& folder, const std::string& below) {
  Level level{.folder = folder, .below = below, .names = {}};
  std::error_code error;
  fs::directory_iterator at(folder.empty() ? "." : folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    std::string name = at->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code unknown;
    if (at->symlink_status(unknown).type() == fs::file_type::directory) name += '/';
    level.names.push_back(std::move(name));
  }
  if (error)
    throw Error(ErrorCode::not_found,
                {.where = folder.string(), .got = error.message(), .expected = "a folder that can be read"});
  std::ranges::sort(level.names, std::greater<>());
  levels_.push_back(std::move(level));
}

std::optional<fs::path> Walk::next() {
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.names.empty()) {
      levels_.pop_back();
      continue;
    }
    const std::string name = std::move(level.names.back());
    level.names.pop_back();
    if (name.ends_with('/')) {
      const fs::path folder = level.folder / name.substr(0, name.size() - 1);
      enter(folder, level.below + name);
      continue;
    }
    const bool wanted = pattern_.empty() ? ends_like_picture(name) : matches(pattern_, level.below + name);
    if (wanted) return level.folder / name;
  }
  return {};
}

}  // namespace galago::batch
