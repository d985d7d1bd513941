// POSIX rename: a new folder takes its place at once, also where an empty one is. Linux's RENAME_EXCHANGE:
// two folders change places at once.
#include "io/atomic_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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
  remove_abandoned(path_.parent_path());
  make_temporary();
}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  ::close(lock_);
}

void AtomicDirectory::make_temporary() {
  do {
    const fs::path temporary = path_.parent_path() / temporary_name();
    if (::mkdir(temporary.c_str(), 0777) != 0) fail(errno);
    lock_ = ::open(temporary.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ < 0 && errno != ENOENT) {
      const int error = errno;
      ::rmdir(temporary.c_str());
      fail(error);
    }
    temporary_ = temporary;
  } while (lock_ < 0 || !keep_locked(lock_, temporary_));
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
  adopt_others();
  if (!exchange()) move_files();
}

// The new folder gets what stays of the old one: the same files under a second name, the same permissions.
void AtomicDirectory::adopt_others() {
  if (::access(path_.c_str(), W_OK) != 0) fail(errno);
  std::error_code error;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    const fs::path target = temporary_ / at->path().filename();
    if (std::find(names_.begin(), names_.end(), target.filename().string()) != names_.end()) continue;
    if (fs::is_directory(at->symlink_status(error)))
      fs::copy(
          at->path(), target,
          fs::copy_options::recursive | fs::copy_options::create_hard_links | fs::copy_options::copy_symlinks,
          error);
    else if (::link(at->path().c_str(), target.c_str()) != 0)
      fs::copy(at->path(), target, fs::copy_options::copy_symlinks, error);
    if (error) break;
  }
  if (!error) fs::permissions(temporary_, fs::status(path_, error).permissions(), error);
  if (error) refuse(path_, "something that cannot be kept: " + error.message());
}

bool AtomicDirectory::exchange() {
  // The content is on the disk (AtomicFile); now the names in it.
  if (::fsync(lock_) != 0 && errno != EINVAL) fail(errno);
  return ::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0;
}

void AtomicDirectory::move_files() {
  for (const std::string& name : names_)
    if (::rename((temporary_ / name).c_str(), (path_ / name).c_str()) != 0) fail(errno);
}

}  // namespace galago
