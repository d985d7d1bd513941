// Whole files, read or memory-mapped, with a limit.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace galago {

/// The text of a file of at most `limit` bytes. Error{not_found}, Error{input_too_large} (limit and size
/// named) or Error{input_invalid} when it is not a regular file.
std::string read_text_file(const std::filesystem::path& path, int64_t limit);

/// A read-only memory map of a regular file; the bytes stay valid while the object lives. Movable.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  std::span<const std::byte> bytes() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Mapping;
  std::filesystem::path path_;
  std::shared_ptr<const Mapping> mapping_;
};

/// Writes bytes to path through a temporary file beside it and a rename; Error{output_io} with the system's
/// words.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace galago
