// What a Hugging Face hub says: a line of headers (Link, ETag, Location), then a listing as JSON. No name may
// leave its folder, no redirect TLS, and what is chosen is in the listing.
#include <algorithm>
#include <string>
#include <vector>

#include "hub/http.h"
#include "hub/listing.h"
#include "hub/selection.h"
#include "support/fuzz.h"

using namespace galago;
using namespace galago::hub;

namespace {

void check_file(const RepoFile& file) {
  const auto part = "/" + file.path + "/";
  fuzz::require(part.find("/../") == std::string::npos && part.find("//") == std::string::npos);
  fuzz::require(part.find("/./") == std::string::npos && file.path.find('\0') == std::string::npos);
  fuzz::require(file.size >= 0 && is_commit(file.git_id));
  fuzz::require(file.blob().find_first_not_of("0123456789abcdef") == std::string::npos);
}

void check_header(const std::string& text) {
  const std::string target = redirect_target("https://hub.example/a/b", text);
  fuzz::require(target.empty() || target.starts_with("https://"));
  const std::string from = next_page(text);
  if (!from.empty()) redirect_target("https://hub.example/", from);
  if (const auto hash = hash_of_etag(text)) fuzz::require(is_safe_path(*hash));
  fuzz::require(escaped_part(text).find_first_of("/?# \n") == std::string::npos);
  retry_after(text);
}

void check_selection(const std::vector<RepoFile>& files, const std::string& wanted) {
  std::vector<std::string> paths;
  for (const RepoFile& file : files) paths.push_back(file.path);
  fuzz::accept([&] {
    const Selection selection = select_files(paths, wanted, {}, "org/name");
    for (const std::string& path : selection.paths)
      fuzz::require(std::find(paths.begin(), paths.end(), path) != paths.end());
    fuzz::require(selection.model.empty() ||
                  std::binary_search(selection.paths.begin(), selection.paths.end(), selection.model));
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::as_text(data, size);
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string line(text.substr(0, end));
  const std::string_view json = text.substr(std::min(end + 1, text.size()));
  check_header(line);
  fuzz::accept([&] { fuzz::require(is_commit(commit_of(json, "revision"))); });
  fuzz::accept([&] {
    std::vector<RepoFile> files;
    add_files(files, json, "tree");
    check_files(files, "tree");
    for (const RepoFile& file : files) check_file(file);
    tree_json(files);
    check_selection(files, "");
    check_selection(files, line);
  });
  return 0;
}
