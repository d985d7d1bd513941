// Models out of the Hugging Face hub. In: a name such as ORG/NAME. Out: the model's files in the cache that
// Hugging Face's own tools use, downloaded if they are not there, each checked by its hash. Layout and order
// of the environment's variables: huggingface_hub 2.4. docs/hub.md tells users.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace galago::hub {

/// A file that is pulled.
struct PlannedFile {
  std::string path;  ///< in the repository
  int64_t size = 0;  ///< bytes
  bool cached = false;
};

/// What a pull comes to, known before any file is fetched.
struct Plan {
  std::string repository;  ///< ORG/NAME
  std::string commit;      ///< 40 hexadecimal digits
  std::vector<PlannedFile> files;
  int64_t bytes = 0;           ///< of all files
  int64_t bytes_to_fetch = 0;  ///< of those that are not in the cache
};

/// A file on its way.
struct FileProgress {
  std::string path;
  int64_t bytes = 0;  ///< that are here, those of an earlier attempt included
  int64_t total = 0;
};

/// How far a pull is.
struct Progress {
  int64_t bytes = 0;  ///< of the files that the cache lacked
  int64_t total = 0;
  double bytes_per_second = 0;       ///< over the last few seconds
  std::vector<FileProgress> active;  ///< a few at a time
};

/// Empty fields are what the environment says, and else what Hugging Face's tools take.
struct PullOptions {
  std::string revision;              ///< a branch, a tag or a commit; before the one in the name
  std::vector<std::string> include;  ///< patterns (*, ?, [a-z]; * crosses folders): these files, no others
  std::vector<std::string> exclude;  ///< these not
  bool all = false;                  ///< every file of the repository
  bool plan_only = false;            ///< ask what there is, fetch nothing
  int workers = 4;                   ///< files at a time, 1 to 16
  std::filesystem::path cache;       ///< HF_HUB_CACHE and its like
  std::string endpoint;              ///< HF_ENDPOINT
  std::optional<std::string> token;  ///< HF_TOKEN, HF_TOKEN_PATH; "" for none
  std::optional<bool> offline;       ///< HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE

  /// Both are called on the thread that called pull, the second about ten times a second. What they throw
  /// leaves pull, after its own threads have ended.
  std::function<void(const Plan&)> on_plan;
  std::function<void(const Progress&)> on_progress;
  /// Asked at the same pace; true ends the pull with Cancelled (core/cancelled.h). What has arrived stays and
  /// is gone on with by the next pull.
  std::function<bool()> cancelled;
};

struct Pulled {
  std::filesystem::path snapshot;  ///< the folder with the files
  std::filesystem::path model;     ///< what to load: the folder, or the GGUF file in it
  Plan plan;                       ///< no files in it when offline
};

/// Brings the files that galago needs into the cache. `name`: ORG/NAME, ORG/NAME@REVISION,
/// ORG/NAME:Q4_K_M for one of several GGUF files. Always asks the hub which commit the revision is, unless it
/// is one or `offline`. Several processes may pull the same at once: each file is fetched by one of them.
/// Error: usage for a name that is none, not_found (repository, revision, file), auth (gated, token),
/// unavailable and timeout (network), overloaded (429), input_invalid (an answer that is no hub's, a wrong
/// checksum), input_too_large, output_io (no room), model_unsupported (no weights that galago reads).
Pulled pull(const std::string& name, const PullOptions& options = {});

/// What to load for a name, where the cache holds all that galago needs of it: a snapshot, or the GGUF file
/// in one. No request is made.
std::optional<std::filesystem::path> find_model(const std::string& name, const PullOptions& options = {});

/// find_model, or pull. Of a snapshot with files missing that cannot be completed for want of a network:
/// the snapshot.
std::filesystem::path model_path(const std::string& name, const PullOptions& options = {});

}  // namespace galago::hub
