// POSIX calls: locks, and writes that are on the disk when they say so.
#include "io/append_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "galago/error.h"

namespace galago {
namespace {

std::string system_words(int error) { return std::generic_category().message(error); }

std::filesystem::path or_here(const std::filesystem::path& folder) { return folder.empty() ? "." : folder; }

/// Calls `sync` on the folder.
void sync_with(const std::filesystem::path& folder, int (*sync)(int)) {
  const std::filesystem::path path = or_here(folder);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = descriptor >= 0 && (sync(descriptor) == 0 || errno == EINVAL);
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!done)
    throw Error(ErrorCode::output_io,
                {.where = path.string(), .got = system_words(error), .expected = "to write this folder"});
}

}  // namespace

AppendFile::AppendFile(const std::filesystem::path& path) : path_(path) {
  do open();
  while (!lock());
}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AppendFile::fail(int error) const {
  throw Error(ErrorCode::output_io,
              {.where = path_.string(), .got = system_words(error), .expected = "to write this file"});
}

void AppendFile::open() {
  // O_NONBLOCK: a pipe of that name must not wait for a reader.
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
  if (descriptor_ < 0) fail(errno);
}

// False when the file was removed before the lock was there: another one is to be made.
bool AppendFile::lock() {
  struct stat own {};
  struct stat named {};
  int result = 0;
  do result = ::flock(descriptor_, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  // A system without such locks keeps nobody out.
  const bool none = result != 0 && (errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK);
  int error = result == 0 || none ? 0 : errno;
  if (error == 0 && ::fstat(descriptor_, &own) != 0) error = errno;
  if (error == 0 && !S_ISREG(own.st_mode)) error = EINVAL;
  if (error == 0 &&
      (::stat(path_.c_str(), &named) != 0 || named.st_ino != own.st_ino || named.st_dev != own.st_dev)) {
    ::close(std::exchange(descriptor_, -1));
    return false;
  }
  if (error == 0) {
    size_ = own.st_size;
    return true;
  }
  ::close(std::exchange(descriptor_, -1));
  if (error == EWOULDBLOCK)
    throw Error(ErrorCode::overloaded, {.where = path_.string(),
                                        .got = "a file that another process is writing",
                                        .expected = "to be the only one",
                                        .hint = "wait for it to end, or name another output"});
  fail(error);
}

size_t AppendFile::read(int64_t offset, std::span<char> into) const {
  size_t filled = 0;
  while (filled < into.size()) {
    const ssize_t got = ::pread(descriptor_, into.data() + filled, into.size() - filled,
                                static_cast<off_t>(offset) + static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      throw Error(ErrorCode::output_io,
                  {.where = path_.string(), .got = system_words(errno), .expected = "to read this file"});
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return filled;
}

void AppendFile::append(std::string_view record) {
  if (broken_) fail(EIO);
  size_t done = 0;
  while (done < record.size()) {
    const ssize_t written = ::write(descriptor_, record.data() + done, record.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      broken_ = true;
      // A reader drops half a record at the end anyway.
      if (done > 0 && ::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) fail(errno);
      fail(error);
    }
    done += static_cast<size_t>(written);
  }
  size_ += static_cast<int64_t>(done);
}

void AppendFile::sync() {
  if (broken_) fail(EIO);
  if (::fsync(descriptor_) == 0) return;
  broken_ = true;  // the system may have dropped what it could not write: trying again would say "done"
  fail(errno);
}

void AppendFile::truncate(int64_t size) {
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) fail(errno);
  size_ = size;
}

void AppendFile::remove() {
  if (::unlink(path_.c_str()) != 0) fail(errno);
}

void write_new_file(const std::filesystem::path& path, std::string_view text) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  int error = descriptor < 0 ? errno : 0;
  while (error == 0 && !text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written >= 0)
      text.remove_prefix(static_cast<size_t>(written));
    else if (errno != EINTR)
      error = errno;
  }
  if (descriptor >= 0 && ::close(descriptor) != 0 && error == 0) error = errno;
  if (error != 0)
    throw Error(ErrorCode::output_io,
                {.where = path.string(), .got = system_words(error), .expected = "to write this file"});
}

void sync_folder(const std::filesystem::path& folder) { sync_with(folder, ::fsync); }
void sync_file_system(const std::filesystem::path& folder) { sync_with(folder, ::syncfs); }

}  // namespace galago
