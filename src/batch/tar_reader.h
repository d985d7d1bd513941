// The members of a tar archive. In: a file. Out: name, place and size of each regular member; nothing is
// unpacked. Reference: POSIX.1-2001 pax (ustar headers, x records path and size), GNU's long names and
// numbers of 256.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/byte_source.h"

namespace galago::batch {

struct TarMember {
  std::string name;    ///< as it stands: it may be any bytes, "../x" and "/x" too
  int64_t offset = 0;  ///< of its content in the file
  int64_t size = 0;    ///< which the file is long enough for
};

class TarReader {
 public:
  /// Error{not_found}, Error{input_invalid}; Error{unsupported_media} for a compressed archive.
  explicit TarReader(const std::filesystem::path& path);

  /// The next regular member; none at the end. Error{input_invalid} for a header that is none, a member that
  /// the file is too short for, a name longer than 64 KiB; there is nothing behind it.
  std::optional<TarMember> next();
  const ByteFile& file() const { return file_; }

 private:
  struct Header;
  std::optional<Header> read_header();
  std::string content(const Header& header) const;
  void read_pax(const std::string& records);
  [[noreturn]] void fail(const std::string& got, const std::string& expected) const;

  ByteFile file_;
  int64_t at_ = 0;
  // Of the next member, where records before it say them.
  std::string name_;
  std::optional<int64_t> size_;
};

}  // namespace galago::batch
