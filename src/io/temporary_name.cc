// flock(2): the lock belongs to the open descriptor, so that it ends with its process, and it holds between
// containers that share a folder, which process ids do not.
#include "io/temporary_name.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace galago {
namespace fs = std::filesystem;

bool is_temporary_name(std::string_view name) {
  if (!name.starts_with(kTemporaryPrefix) || !name.ends_with(kTemporarySuffix)) return false;
  name.remove_prefix(kTemporaryPrefix.size());
  if (name.size() <= kTemporarySuffix.size()) return false;
  name.remove_suffix(kTemporarySuffix.size());
  return name.find_first_not_of("0123456789-") == std::string_view::npos && name.find('-') == name.rfind('-');
}

bool keep_locked(int descriptor, const fs::path& path) {
  const bool locked = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  if (!locked && errno != EWOULDBLOCK) return true;
  struct stat opened {};
  struct stat named {};
  const bool there = ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
                     opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
  if (locked && there) return true;
  ::close(descriptor);
  return false;
}

void remove_abandoned(const fs::path& folder) noexcept try {
  std::error_code error;
  for (fs::directory_iterator at(folder.empty() ? fs::path(".") : folder, error), end; !error && at != end;
       at.increment(error)) {
    if (!is_temporary_name(at->path().filename().native())) continue;
    const int descriptor = ::open(at->path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (descriptor < 0) continue;
    std::error_code ignored;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) fs::remove_all(at->path(), ignored);
    ::close(descriptor);
  }
} catch (const std::exception&) {  // out of memory: another time
}

}  // namespace galago
