// A file that is only ever appended to, by one process at a time: a journal. In: a path, then records. Out: a
// file in which a record stands whole or not at all, as far as this process could help it. Reference:
// flock(2), fsync(2); Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace galago {

/// Locked while the object lives; the system lets go of it when the process ends in whatever way.
class AppendFile {
 public:
  /// Opens the file, or makes an empty one. Error{overloaded} when another process holds it,
  /// Error{output_io}.
  explicit AppendFile(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  int64_t size() const { return size_; }
  /// Bytes from `offset` on, as many as there are of `into`.
  size_t read(int64_t offset, std::span<char> into) const;
  /// All of it or nothing: what a full disk took of it is cut off again. Error{output_io}, after which
  /// nothing more is appended.
  void append(std::string_view record);
  /// Until it is on the disk. Error{output_io}: what was written since the last time may be lost.
  void sync();
  /// Cuts the file.
  void truncate(int64_t size);
  /// Takes the file's name away.
  void remove();

 private:
  [[noreturn]] void fail(int error) const;
  void open();
  bool lock();

  std::filesystem::path path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
  bool broken_ = false;
};

/// A file that is not there yet, of which nothing is certain to be on the disk. Error{output_io}.
void write_new_file(const std::filesystem::path& path, std::string_view text);
/// Until the folder's names are on the disk: a file that was made, renamed or removed there.
/// Error{output_io}.
void sync_folder(const std::filesystem::path& folder);
/// Until everything on the file system of that folder is on the disk. Error{output_io}.
void sync_file_system(const std::filesystem::path& folder);

}  // namespace galago
