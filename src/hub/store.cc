// See the header. POSIX: flock(2), pwrite(2), fsync(2).
#include "hub/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "galago/error.h"
#include "io/files.h"
#include "io/temporary_name.h"

namespace galago::hub {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCacheTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag created by huggingface_hub.\n"
    "# For information about cache directory tags, see:\n"
    "#\thttps://bford.info/cachedir/\n";
constexpr size_t kPiece = 1 << 20;
constexpr int64_t kRefBytes = 1024;

[[noreturn]] void fail_at(const fs::path& path, const std::string& got, const std::string& expected,
                          const std::string& hint = "") {
  throw Error(ErrorCode::output_io, {.where = path.string(), .got = got, .expected = expected, .hint = hint});
}

std::string words(int error) { return std::generic_category().message(error); }

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error && !fs::is_directory(folder)) fail_at(folder, error.message(), "to make this folder");
}

int64_t size_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return -1;
  const auto size = fs::file_size(path, error);
  return error ? -1 : static_cast<int64_t>(size);
}

}  // namespace

Store::Store(fs::path cache, const HubName& name)
    : cache_(std::move(cache)), folder_(hub_repository(cache_, name)) {}

fs::path Store::lock(const std::string& hash) const {
  return cache_ / ".locks" / folder_.filename() / (hash + ".lock");
}

bool Store::has(const RepoFile& file) const { return size_of(blob(file.blob())) == file.size; }

int64_t Store::partial_bytes(const RepoFile& file) const {
  const int64_t size = size_of(partial(file.blob()));
  return size > file.size ? 0 : std::max<int64_t>(size, 0);
}

void Store::check_room(int64_t bytes) const {
  fs::path there = folder_;
  std::error_code error;
  while (!fs::exists(there, error) && there.has_parent_path() && there != there.parent_path())
    there = there.parent_path();
  const fs::space_info room = fs::space(there.empty() ? fs::path(".") : there, error);
  if (error || bytes <= 0 || room.available >= static_cast<uint64_t>(bytes)) return;
  fail_at(cache_, std::to_string(room.available) + " bytes free", std::to_string(bytes) + " for the download",
          "make room, or let HF_HUB_CACHE name a folder on another disk");
}

void Store::prepare() const {
  make_folder(folder_ / "blobs");
  make_folder(cache_ / ".locks" / folder_.filename());
  std::error_code error;
  const fs::path tag = cache_ / "CACHEDIR.TAG";
  if (fs::exists(tag, error)) return;
  const std::string_view text = kCacheTag;
  write_file_atomically(tag, std::as_bytes(std::span(text)));
}

void Store::link(const std::string& commit, const RepoFile& file) const {
  const fs::path pointer = snapshot(commit) / file.path;
  if (size_of(pointer) == file.size) return;
  make_folder(pointer.parent_path());
  fs::path target = "../../blobs";
  for (const char c : file.path)
    if (c == '/') target = ".." / target;
  target /= file.blob();
  std::error_code error;
  fs::remove(pointer, error);
  fs::create_symlink(target, pointer, error);
  if (!error || size_of(pointer) == file.size) return;  // another process came first
  // A disk without links gets a copy, as from huggingface_hub.
  if (error != std::errc::operation_not_permitted && error != std::errc::function_not_supported &&
      error != std::errc::operation_not_supported)
    fail_at(pointer, error.message(), "to link it to its blob");
  fs::copy_file(blob(file.blob()), pointer, fs::copy_options::overwrite_existing, error);
  if (error) fail_at(pointer, error.message(), "to write this file");
}

void Store::put(const fs::path& file, const std::string& text) const {
  std::error_code ignored;
  if (fs::is_regular_file(file, ignored) && read_if_present(file, kRefBytes + std::ssize(text)) == text)
    return;
  make_folder(file.parent_path());
  // Not beside it: whoever lists refs takes every file there for one.
  const fs::path written = folder_ / temporary_name();
  write_file_atomically(written, std::as_bytes(std::span(text)));
  std::error_code error;
  fs::rename(written, file, error);
  if (!error) return;
  fs::remove(written, ignored);
  fail_at(file, error.message(), "to write this file");
}

void Store::set_ref(const std::string& revision, const std::string& commit) const {
  put(folder_ / "refs" / revision, commit);
}

void Store::write_tree(const std::string& commit, const std::vector<RepoFile>& files) const {
  const fs::path file = folder_ / "trees" / (commit + ".json");
  std::error_code error;
  if (!fs::exists(file, error)) put(file, tree_json(files));
}

void Store::mark_missing(const std::string& commit, const std::string& path) const {
  put(folder_ / ".no_exist" / commit / path, "");
}

FileLock::FileLock(const fs::path& file, const std::function<void()>& waiting) {
  while (true) {
    descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0664);
    if (descriptor_ < 0) fail_at(file, words(errno), "to open this lock");
    while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) return;
      try {
        waiting();
      } catch (...) {
        ::close(descriptor_);
        throw;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    struct stat opened {};
    struct stat named {};
    if (::fstat(descriptor_, &opened) == 0 && ::stat(file.c_str(), &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
      return;
    ::close(descriptor_);  // whoever had it removed it
  }
}

FileLock::~FileLock() { ::close(descriptor_); }

PartialBlob::PartialBlob(fs::path file) : file_(std::move(file)) {
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) fail(errno);
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) {
    size_ = status.st_size;
    return;
  }
  ::close(descriptor_);
  fail_at(file_, "no regular file", "a file");
}

PartialBlob::~PartialBlob() { ::close(descriptor_); }

void PartialBlob::fail(int error) const {
  const bool full = error == ENOSPC || error == EDQUOT;
  fail_at(file_, words(error), "to write this file",
          full ? "make room and pull again: what has arrived is kept" : "");
}

void PartialBlob::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), size_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    size_ += written;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void PartialBlob::read(const std::function<void(std::span<const std::byte>)>& take) const {
  std::vector<std::byte> piece(kPiece);
  for (int64_t at = 0; at < size_;) {
    const auto most = static_cast<size_t>(std::min<int64_t>(kPiece, size_ - at));
    const ssize_t got = ::pread(descriptor_, piece.data(), most, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(got < 0 ? errno : EIO);
    take(std::span(piece).first(static_cast<size_t>(got)));
    at += got;
  }
}

void PartialBlob::clear() {
  if (::ftruncate(descriptor_, 0) != 0) fail(errno);
  size_ = 0;
}

void PartialBlob::commit(const fs::path& name) {
  if (::fsync(descriptor_) != 0) fail(errno);
  if (::rename(file_.c_str(), name.c_str()) != 0) fail(errno);
}

}  // namespace galago::hub
