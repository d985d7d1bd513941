// Files that are larger than memory, read piece by piece. In: a path, or standard input. Out: bytes at an
// offset; lines of bounded length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace galago {

/// A regular file, read at any place. Safe from several threads.
class ByteFile {
 public:
  /// Error{not_found}, Error{input_invalid} for what is no regular file.
  explicit ByteFile(const std::filesystem::path& path);
  int64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  /// Bytes from `offset` on, as many as there are of `into`. Error{input_invalid} when reading fails.
  size_t read(int64_t offset, std::span<char> into) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const int> descriptor_;
  int64_t size_ = 0;
};

/// The lines of a file, a pipe or standard input, in their order.
class LineReader {
 public:
  /// "-" is standard input. A line keeps `longest` bytes at most. Error{not_found}.
  LineReader(const std::filesystem::path& path, int64_t longest);

  struct Line {
    std::string text;    ///< without its end, \n or \r\n
    bool cut = false;    ///< there was more of it, which was skipped
    int64_t number = 0;  ///< from 1
  };
  /// False at the end. The last line may have no end. Error{input_invalid} when reading fails.
  bool next(Line& line);
  /// Whether this is the first byte that is still to be read.
  bool begins_with(char byte);
  /// Whether nothing is left to be read.
  bool at_end() { return at_ >= buffer_.size() && !fill(); }
  const std::string& name() const { return name_; }

 private:
  bool fill();
  void append(Line& line, std::string_view piece) const;

  std::string name_;
  int64_t longest_;
  std::shared_ptr<const int> descriptor_;
  std::string buffer_;
  size_t at_ = 0;
  int64_t number_ = 0;
};

}  // namespace galago
