// See the header. A pull asks which commit is meant and what is in it, fetches the blobs, and only then lets
// a snapshot and a ref show them: whoever finds those finds them whole.
#include "hub/hub.h"

#include <algorithm>
#include <map>

#include "core/cancelled.h"
#include "core/printable.h"
#include "galago/error.h"
#include "hub/http.h"
#include "hub/listing.h"
#include "hub/local.h"
#include "hub/refusal.h"
#include "hub/selection.h"
#include "hub/settings.h"
#include "hub/store.h"
#include "hub/transfer.h"
#include "io/hub_cache.h"

namespace galago::hub {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kAnswerBytes = 16 << 20;
constexpr int kMostPages = 1000;

HubName name_of(const std::string& text, const PullOptions& options) {
  auto name = parse_hub_name(text);
  if (name && !options.revision.empty()) {
    const auto named = parse_hub_name(name->repository() + "@" + options.revision);
    if (!named || !named->file.empty())
      throw Error(ErrorCode::usage, {.where = "revision",
                                     .got = in_quotes(options.revision),
                                     .expected = "a branch, a tag or a commit"});
    name->revision = named->revision;
  }
  if (name) return *name;
  const bool other = text.find("datasets/") != std::string::npos || text.find("spaces/") != std::string::npos;
  throw Error(ErrorCode::usage, {.where = "a model of the hub",
                                 .got = in_quotes(text),
                                 .expected = "ORG/NAME, ORG/NAME@REVISION or ORG/NAME:QUANT",
                                 .hint = other ? "galago pulls models, no data sets or spaces"
                                               : "such as HuggingFaceTB/SmolVLM-256M-Instruct"});
}

std::string commit_of_revision(Client& client, const Settings& settings, const HubName& name) {
  if (is_commit(name.revision)) return name.revision;
  const std::string url =
      settings.endpoint + "/api/models/" + name.repository() + "/revision/" + escaped_part(name.revision);
  std::string commit;
  client.persist([&] { commit = commit_of(client.get_text(url, kAnswerBytes).body, url); });
  return commit;
}

std::vector<RepoFile> files_of_commit(Client& client, const Settings& settings, const HubName& name,
                                      const std::string& commit) {
  const std::string first =
      settings.endpoint + "/api/models/" + name.repository() + "/tree/" + commit + "?recursive=true";
  std::vector<RepoFile> files;
  std::string url = first;
  for (int page = 0; !url.empty(); ++page) {
    if (page == kMostPages)
      refuse_answer(first, "pages without end", "at most " + std::to_string(kMostPages));
    Answer answer;
    client.persist([&] { answer = client.get_text(url, kAnswerBytes); });
    add_files(files, answer.body, printable(url));
    const std::string next = next_page(answer.header("link"));
    url = next.empty() ? "" : redirect_target(url, next);
    if (!url.empty() && !same_origin(url, settings.endpoint))
      refuse_answer(first, "a next page at " + in_quotes(url), "one of the hub itself");
  }
  check_files(files, first);
  return files;
}

/// Everything that is known before the first file is fetched.
struct Task {
  HubName name;
  Settings settings;
  Store store;
  std::string commit;
  std::vector<RepoFile> files;    ///< that are wanted
  std::vector<RepoFile> missing;  ///< one of each blob that the cache lacks
  std::vector<RepoFile> listing;  ///< of the whole repository
  std::string model;
  Plan plan;
};

void select(Task& task, const PullOptions& options) {
  std::vector<std::string> paths;
  std::map<std::string_view, const RepoFile*> by_path;
  for (const RepoFile& file : task.listing) {
    paths.push_back(file.path);
    by_path[file.path] = &file;
  }
  const Selection selection = select_files(paths, task.name.file, options, task.name.repository());
  task.model = selection.model;
  task.plan.repository = task.name.repository();
  task.plan.commit = task.commit;
  std::map<std::string_view, bool> blobs;
  for (const std::string& path : selection.paths) {
    const RepoFile& file = *by_path.at(path);
    const bool cached = task.store.has(file);
    task.files.push_back(file);
    task.plan.files.push_back({.path = path, .size = file.size, .cached = cached});
    task.plan.bytes += file.size;
    if (cached || !blobs.emplace(file.blob(), true).second) continue;
    task.missing.push_back(file);
    task.plan.bytes_to_fetch += file.size;
  }
}

void check_room(const Task& task) {
  int64_t bytes = task.plan.bytes_to_fetch;
  for (const RepoFile& file : task.missing) bytes -= task.store.partial_bytes(file);
  task.store.check_room(bytes);
}

// The snapshot's settings last: what looks for a model finds it when the rest is there.
void show(const Task& task) {
  const auto is_config = [](const RepoFile& file) { return file.path == "config.json"; };
  for (const RepoFile& file : task.files)
    if (!is_config(file)) task.store.link(task.commit, file);
  for (const RepoFile& file : task.files)
    if (is_config(file)) task.store.link(task.commit, file);
  if (task.name.revision != task.commit) task.store.set_ref(task.name.revision, task.commit);
  // huggingface_hub takes a snapshot for incomplete that lacks a file of the listing.
  if (task.files.size() == task.listing.size()) task.store.write_tree(task.commit, task.listing);
}

Pulled from_cache(const HubName& name, const Settings& settings) {
  const auto snapshot = find_in_hub_cache(name, settings.cache);
  if (const auto model = snapshot ? loadable(*snapshot, name.file) : std::nullopt)
    return {.snapshot = *snapshot, .model = *model, .plan = {.repository = name.repository()}};
  throw Error(
      ErrorCode::not_found,
      {.where = name.repository(),
       .got = (snapshot ? "only some of its files in " : "no such model in ") + settings.cache.string(),
       .expected = "a model that was downloaded",
       .hint = "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, so nothing is downloaded"});
}

}  // namespace

Pulled pull(const std::string& text, const PullOptions& options) {
  const HubName name = name_of(text, options);
  Task task{.name = name, .settings = read_settings(options), .store = Store({}, name)};
  if (task.settings.offline) return from_cache(name, task.settings);
  task.store = Store(task.settings.cache, name);
  Client client(task.settings, [&] { return options.cancelled && options.cancelled(); });
  task.commit = commit_of_revision(client, task.settings, name);
  task.listing = files_of_commit(client, task.settings, name, task.commit);
  select(task, options);
  if (options.on_plan) options.on_plan(task.plan);
  const fs::path snapshot = task.store.snapshot(task.commit);
  Pulled pulled{.snapshot = snapshot,
                .model = task.model.empty() ? snapshot : snapshot / task.model,
                .plan = task.plan};
  if (options.plan_only) return pulled;
  if (!task.missing.empty()) {
    check_room(task);
    task.store.prepare();
    const Source source{.settings = task.settings,
                        .store = task.store,
                        .repository = name.repository(),
                        .commit = task.commit};
    download_all(source, task.missing, options);
  }
  show(task);
  return pulled;
}

std::optional<fs::path> find_model(const std::string& text, const PullOptions& options) {
  const HubName name = name_of(text, options);
  const auto snapshot = find_in_hub_cache(name, options.cache.empty() ? hub_cache() : options.cache);
  return snapshot ? loadable(*snapshot, name.file) : std::nullopt;
}

fs::path model_path(const std::string& text, const PullOptions& options) {
  if (const auto found = find_model(text, options)) return *found;
  try {
    return pull(text, options).model;
  } catch (const Error& error) {
    const bool network = error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout ||
                         read_settings(options).offline;
    const HubName name = name_of(text, options);
    const auto snapshot = find_in_hub_cache(name, options.cache.empty() ? hub_cache() : options.cache);
    if (network && snapshot && name.file.empty()) return *snapshot;
    throw;
  }
}

}  // namespace galago::hub
