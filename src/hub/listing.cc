// See the header.
#include "hub/listing.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/checked.h"
#include "core/printable.h"
#include "core/utf8.h"
#include "formats/json.h"
#include "galago/error.h"

namespace galago::hub {
namespace {

constexpr size_t kPathBytes = 1024, kPartBytes = 255;
constexpr size_t kMostFiles = 100'000;
constexpr int64_t kMostBytes = int64_t{1} << 50;
const JsonRules kRules{.max_depth = 16, .max_values = 2'000'000};  // a listing has ten for a file
constexpr size_t kHashLeast = 40, kHashMost = 64;

[[noreturn]] void refuse(const std::string& where, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::input_invalid,
              {.where = where, .got = got, .expected = expected, .hint = "is HF_ENDPOINT a hub?"});
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Json parse(std::string_view text, const std::string& where) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && text[begin] == '<')
    throw Error(ErrorCode::input_invalid, {.where = where,
                                           .got = "a web page",
                                           .expected = "JSON of a Hugging Face hub",
                                           .hint = "is HF_ENDPOINT a hub, and no proxy's page in its way?"});
  try {
    return parse_json(text, where, kRules);
  } catch (const Error& error) {
    throw Error(error.code() == ErrorCode::model_invalid ? ErrorCode::input_invalid : error.code(),
                {.where = error.where(),
                 .got = error.got(),
                 .expected = error.expected(),
                 .hint = "is HF_ENDPOINT a hub?"});
  }
}

std::string text_at(const Json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string())
    refuse(where + ": " + key, found == object.end() ? "nothing" : "no text", "a text");
  return found->get<std::string>();
}

int64_t size_at(const Json& object, const std::string& where) {
  const auto found = object.find("size");
  if (found == object.end() || !found->is_number_integer())
    refuse(where + ": size", found == object.end() ? "nothing" : describe(*found), "a count of bytes");
  const bool counted = !found->is_number_unsigned() || found->get<uint64_t>() <= uint64_t{kMostBytes};
  const int64_t size = counted ? found->get<int64_t>() : -1;
  if (size < 0 || size > kMostBytes)
    refuse(where + ": size", describe(*found), "a count of bytes below 2^50");
  return size;
}

std::string hash_at(const Json& object, const char* key, size_t digits, const std::string& where) {
  std::string hash = text_at(object, key, where);
  if (hash.size() != digits || !is_hex(hash))
    refuse(where + ": " + key, in_quotes(hash), std::to_string(digits) + " hexadecimal digits");
  return hash;
}

RepoFile file_of(const Json& entry, const std::string& where) {
  RepoFile file{.path = text_at(entry, "path", where)};
  if (!is_safe_path(file.path))
    refuse(where, "a file called " + in_quotes(file.path), "a name that stays in its folder");
  const std::string here = where + ": " + printable(file.path);
  file.git_id = hash_at(entry, "oid", kHashLeast, here);
  const auto lfs = entry.find("lfs");
  if (lfs != entry.end() && !lfs->is_null()) {
    if (!lfs->is_object()) refuse(here + ": lfs", describe(*lfs), "an object");
    file.kind = BlobKind::lfs;
    file.sha256 = hash_at(*lfs, "oid", kHashMost, here);
    file.size = size_at(*lfs, here);
  } else {
    file.size = size_at(entry, here);
  }
  const auto xet = entry.find("xetHash");
  if (xet != entry.end() && xet->is_string()) {
    const auto& hash = xet->get_ref<const std::string&>();
    if (hash.size() == kHashMost && is_hex(hash)) file.xet = hash;
  }
  return file;
}

}  // namespace

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > kPathBytes || unicode::find_malformed(path) != std::string_view::npos)
    return false;
  const auto bad = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f' || c == '\\'; };
  if (std::any_of(path.begin(), path.end(), bad)) return false;
  while (true) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == ".." || part.size() > kPartBytes) return false;
    if (part.size() == path.size()) return true;
    path.remove_prefix(part.size() + 1);
  }
}

bool is_commit(std::string_view text) { return text.size() == kHashLeast && is_hex(text); }

std::string commit_of(std::string_view json, const std::string& where) {
  const Json answer = parse(json, where);
  if (!answer.is_object()) refuse(where, describe(answer), "an object with a sha");
  return hash_at(answer, "sha", kHashLeast, where);
}

void add_files(std::vector<RepoFile>& files, std::string_view json, const std::string& where) {
  const Json page = parse(json, where);
  if (!page.is_array()) refuse(where, describe(page), "a list of files");
  for (const Json& entry : page) {
    if (!entry.is_object()) refuse(where, describe(entry), "a file or folder");
    if (text_at(entry, "type", where) != "file") continue;
    if (files.size() == kMostFiles)
      throw Error(ErrorCode::input_too_large,
                  {.where = where,
                   .got = "more files than that",
                   .expected = "at most " + std::to_string(kMostFiles) + " files"});
    files.push_back(file_of(entry, where));
  }
}

void check_files(const std::vector<RepoFile>& files, const std::string& where) {
  std::set<std::string_view> names;
  int64_t sum = 0;
  for (const RepoFile& file : files) {
    if (!names.insert(file.path).second)
      refuse(where, "two files called " + in_quotes(file.path), "each name once");
    const auto more = checked_add(sum, file.size);
    if (!more) refuse(where, "sizes beyond 2^63 bytes", "sizes of files");
    sum = *more;
  }
  for (const std::string_view name : names)
    for (size_t slash = name.find('/'); slash != std::string_view::npos; slash = name.find('/', slash + 1))
      if (names.contains(name.substr(0, slash)))
        refuse(where, "a file and a folder called " + in_quotes(name.substr(0, slash)), "each name once");
}

std::string next_page(std::string_view link) {
  const size_t rel = link.find("rel=\"next\"");
  if (rel == std::string_view::npos) return "";
  const size_t close = link.substr(0, rel).rfind('>');
  if (close == std::string_view::npos) return "";
  const size_t open = link.substr(0, close).rfind('<');
  return open == std::string_view::npos ? "" : std::string(link.substr(open + 1, close - open - 1));
}

std::optional<std::string> hash_of_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  if ((etag.size() != kHashLeast && etag.size() != kHashMost) || !is_hex(etag)) return {};
  return std::string(etag);
}

std::string tree_json(const std::vector<RepoFile>& files) {
  std::map<std::string_view, const RepoFile*> sorted;
  for (const RepoFile& file : files) sorted.emplace(file.path, &file);
  nlohmann::ordered_json entries = nlohmann::ordered_json::object();
  for (const auto& [path, file] : sorted) {
    nlohmann::ordered_json entry{{"size", file->size}, {"blob_id", file->git_id}};
    if (file->kind == BlobKind::lfs) {
      entry["lfs_sha256"] = file->sha256;
      entry["lfs_size"] = file->size;
    }
    if (!file->xet.empty()) entry["xet_hash"] = file->xet;
    entries[std::string(path)] = std::move(entry);
  }
  const nlohmann::ordered_json tree{{"format_version", 1}, {"files", std::move(entries)}};
  return tree.dump(1, ' ', true);
}

}  // namespace galago::hub
