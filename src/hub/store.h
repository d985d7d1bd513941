// The folder of one repository in the Hugging Face cache, laid out as huggingface_hub 2.4 does:
// blobs/HASH, snapshots/COMMIT/FILE -> ../../blobs/HASH, refs/REVISION, trees/COMMIT.json,
// .no_exist/COMMIT/FILE, and beside it .locks/models--ORG--NAME/HASH.lock and CACHEDIR.TAG. In: checked names
// (listing.h). Out: files that are whole whenever they are there; Error{output_io}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "hub/listing.h"
#include "io/hub_cache.h"

namespace galago::hub {

class Store {
 public:
  Store(std::filesystem::path cache, const HubName& name);

  std::filesystem::path blob(const std::string& hash) const { return folder_ / "blobs" / hash; }
  std::filesystem::path partial(const std::string& hash) const { return blob(hash + ".incomplete"); }
  std::filesystem::path lock(const std::string& hash) const;
  std::filesystem::path snapshot(const std::string& commit) const { return folder_ / "snapshots" / commit; }

  /// Whether the file's blob is there in its full size.
  bool has(const RepoFile& file) const;
  /// Bytes of it that an earlier attempt left.
  int64_t partial_bytes(const RepoFile& file) const;
  /// Error{output_io} unless the disk has room for that many bytes.
  void check_room(int64_t bytes) const;

  /// Folders for blobs and locks, and the mark that tells backup programs to pass over the cache.
  void prepare() const;
  /// Makes the snapshot show the file's blob.
  void link(const std::string& commit, const RepoFile& file) const;
  void set_ref(const std::string& revision, const std::string& commit) const;
  void write_tree(const std::string& commit, const std::vector<RepoFile>& files) const;
  /// Notes that the hub does not have the file.
  void mark_missing(const std::string& commit, const std::string& path) const;

 private:
  void put(const std::filesystem::path& file, const std::string& text) const;

  std::filesystem::path cache_, folder_;
};

/// A lock between processes: flock(2), which huggingface_hub's filelock takes, too. Where the system has
/// none: no lock.
class FileLock {
 public:
  /// Waits; `waiting` is called ten times a second and may throw.
  FileLock(const std::filesystem::path& file, const std::function<void()>& waiting);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// A blob that is being written, under its lock; what is there when it is closed is gone on with later.
class PartialBlob {
 public:
  explicit PartialBlob(std::filesystem::path file);
  ~PartialBlob();
  PartialBlob(const PartialBlob&) = delete;
  PartialBlob& operator=(const PartialBlob&) = delete;

  int64_t size() const { return size_; }
  void append(std::span<const std::byte> bytes);
  /// Calls `take` with all that is there, in pieces.
  void read(const std::function<void(std::span<const std::byte>)>& take) const;
  void clear();
  /// Flushes to the disk and gives the file its name.
  void commit(const std::filesystem::path& name);

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path file_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace galago::hub
