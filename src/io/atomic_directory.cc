// POSIX rename: a new folder takes its place at once, also where an empty one is.
#include "io/atomic_directory.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "galago/error.h"
#include "io/temporary_name.h"

namespace galago {
namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse(const fs::path& path, const std::string& got, const std::string& hint = {}) {
  throw Error(
      ErrorCode::output_io,
      {.where = path.string(), .got = got, .expected = "a new or empty folder to write", .hint = hint});
}

/// The folder that is meant: links resolved, no separator at the end.
fs::path resolved(const fs::path& path) {
  if (path.empty() || path.native().find('\0') != std::string::npos) refuse(path.c_str(), "no usable name");
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) refuse(path, error.message());
  return whole.has_filename() ? whole : whole.parent_path();
}

}  // namespace

AtomicDirectory::AtomicDirectory(const fs::path& path, Existing existing) : path_(resolved(path)) {
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (fs::exists(status)) {
    if (!fs::is_directory(status)) refuse(path_, "something that is no folder");
    const bool empty = fs::is_empty(path_, error);
    if (error) refuse(path_, error.message());
    if (!empty && existing == Existing::refuse)
      refuse(path_, "a folder that is not empty", "name another one, or allow replacing its files (--force)");
    replace_ = !empty;
  }
  if (!fs::is_directory(path_.parent_path(), error)) refuse(path_, "no folder to put it in");
  const fs::path temporary = path_.parent_path() / temporary_name();
  if (::mkdir(temporary.c_str(), 0777) != 0) fail(errno);
  temporary_ = temporary;
}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void AtomicDirectory::fail(int error) const { refuse(path_, std::generic_category().message(error)); }

fs::path AtomicDirectory::file(const std::string& name) {
  names_.push_back(name);
  return temporary_ / name;
}

void AtomicDirectory::commit() {
  if (!replace_) {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
    temporary_.clear();
    return;
  }
  for (const std::string& name : names_)
    if (::rename((temporary_ / name).c_str(), (path_ / name).c_str()) != 0) fail(errno);
}

}  // namespace galago
