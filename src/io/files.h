// Whole files: read or memory-mapped with a limit, and written so that a reader never sees half of one.
// In: paths. Out: bytes, or Error with the system's words. Only regular files are read (symbolic links are
// followed, since the Hugging Face cache is made of them): a pipe or device would block or never end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace galago {

/// The text of a file of at most `limit` bytes. Error{not_found}, Error{input_too_large} (limit and size
/// named) or Error{input_invalid} when it is not a regular file.
std::string read_text_file(const std::filesystem::path& path, int64_t limit);

/// read_text_file, or nothing when there is no such file. One that is there and cannot be reached (a link to
/// itself, a folder that may not be searched) is an error, not absent.
std::optional<std::string> read_if_present(const std::filesystem::path& path, int64_t limit);

/// A read-only memory map of a regular file; the bytes stay valid while the object or a copy of it lives.
/// Its length is the file's at the time of opening: replace a model file by renaming, never by shortening it.
class MappedFile {
 public:
  /// Error{not_found}, Error{input_invalid} when it is not a regular file, Error{resource}.
  explicit MappedFile(const std::filesystem::path& path);
  std::span<const std::byte> bytes() const;
  /// Gives back the memory of the pages that lie wholly inside `range`; the system keeps them in its cache of
  /// files as long as it likes, and whoever touches the bytes next gets them from there. Bytes of other
  /// memory are left alone. Safe while other threads read the same bytes.
  void release(std::span<const std::byte> range) const noexcept;
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Mapping;
  std::filesystem::path path_;
  std::shared_ptr<const Mapping> mapping_;
};

/// The file, in words fit for an error, whose map holds that address; null when none of the first 4096 maps
/// does. For a handler of SIGBUS, which is what a file that was shortened leads to: safe in a signal handler,
/// takes no memory. The library installs none itself, for a host program may have its own.
const char* mapped_file_at(const void* address) noexcept;

/// A file that appears under its name only when it is complete: a temporary file beside it, then a rename.
/// Every fault is Error{output_io}; the temporary file goes away with the object. It is locked, so that
/// remove_abandoned (temporary_name.h) knows that somebody writes it.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// Flushes to the disk and gives the file its name; nothing may be written afterwards.
  void commit();

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// Writes all of a file through AtomicFile. Error{output_io}.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace galago
