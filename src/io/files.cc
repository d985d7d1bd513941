// POSIX calls, because the standard library neither maps files nor says why opening one failed.
#include "io/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"
#include "io/temporary_name.h"

namespace galago {
namespace {

std::string system_words(int error) { return std::generic_category().message(error); }

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

[[noreturn]] void refuse_open(const std::filesystem::path& path, int error) {
  const bool exhausted = error == EMFILE || error == ENFILE || error == ENOMEM;
  throw Error(exhausted ? ErrorCode::resource : ErrorCode::not_found,
              {.where = path.string(), .got = system_words(error), .expected = "a readable file"});
}

/// Opens for reading and gives the descriptor. O_NONBLOCK: opening a pipe must not wait for a writer.
int open_regular(const std::filesystem::path& path) {
  if (path.native().find('\0') != std::string::npos) refuse_open(path.c_str(), ENOENT);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) refuse_open(path, errno);
  return descriptor;
}

int64_t regular_size(const Descriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.value(), &status) != 0) refuse_open(path, errno);
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::input_invalid,
                {.where = path.string(),
                 .got = S_ISDIR(status.st_mode) ? "a directory" : "a pipe, socket or device",
                 .expected = "a regular file"});
  return status.st_size;
}

[[noreturn]] void refuse_size(const std::filesystem::path& path, int64_t size, int64_t limit) {
  throw Error(ErrorCode::input_too_large, {.where = path.string(),
                                           .got = "at least " + std::to_string(size) + " bytes",
                                           .expected = "at most " + std::to_string(limit)});
}

}  // namespace

std::string read_text_file(const std::filesystem::path& path, int64_t limit) {
  const Descriptor file(open_regular(path));
  const int64_t size = regular_size(file, path);
  if (size > limit) refuse_size(path, size, limit);
  std::string text(static_cast<size_t>(size), '\0');
  size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = ::read(file.value(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(ErrorCode::input_invalid, {.where = path.string(), .got = system_words(errno)});
    if (got == 0) break;  // it became shorter meanwhile
    filled += static_cast<size_t>(got);
  }
  text.resize(filled);
  return text;
}

std::optional<std::string> read_if_present(const std::filesystem::path& path, int64_t limit) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::nullopt;
  return read_text_file(path, limit);
}

namespace {

/// What a signal handler may read of a map. An entry with begin 0 is free.
struct MapEntry {
  std::atomic<uintptr_t> begin = 0;
  std::atomic<uintptr_t> end = 0;
  std::atomic<const char*> name = nullptr;
};
std::array<MapEntry, 4096> maps;

/// A free entry, taken for that range; null when all are taken.
MapEntry* enter_map(const void* address, size_t size, const char* name) {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  for (MapEntry& entry : maps) {
    uintptr_t free = 0;
    if (!entry.begin.compare_exchange_strong(free, begin)) continue;
    entry.name = name;
    entry.end = begin + size;
    return &entry;
  }
  return nullptr;
}

}  // namespace

const char* mapped_file_at(const void* address) noexcept {
  const auto at = reinterpret_cast<uintptr_t>(address);
  for (const MapEntry& entry : maps)
    if (entry.begin != 0 && entry.begin <= at && at < entry.end) return entry.name;
  return nullptr;
}

struct MappedFile::Mapping {
  void* address;
  size_t size;
  std::string name;
  MapEntry* entry;

  Mapping(void* at, size_t bytes, const std::filesystem::path& path)
      : address(at),
        size(bytes),
        name(printable(path.string(), 1000)),
        entry(bytes > 0 ? enter_map(at, bytes, name.c_str()) : nullptr) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (entry != nullptr) {
      entry->end = 0;
      entry->begin = 0;
    }
    if (size > 0) ::munmap(address, size);
  }
};

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const Descriptor file(open_regular(path));
  const int64_t size = regular_size(file, path);
  void* address = nullptr;
  if (size > 0) {  // an empty file cannot be mapped
    address = ::mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_PRIVATE, file.value(), 0);
    if (address == MAP_FAILED)
      throw Error(ErrorCode::resource, {.where = path.string(), .got = system_words(errno)});
  }
  mapping_ = std::make_shared<Mapping>(address, static_cast<size_t>(size), path);
}

std::span<const std::byte> MappedFile::bytes() const {
  return {static_cast<const std::byte*>(mapping_->address), mapping_->size};
}

void MappedFile::release(std::span<const std::byte> range) const noexcept {
  if (range.empty() || mapping_->size == 0) return;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<uintptr_t>(mapping_->address);
  const auto begin = std::max(reinterpret_cast<uintptr_t>(range.data()), start);
  const auto end = std::min(reinterpret_cast<uintptr_t>(range.data() + range.size()), start + mapping_->size);
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t last = end / page * page;
  // Nothing was written to this private map, so dropping its pages loses nothing. A system that refuses the
  // advice keeps them.
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(path) {
  std::error_code ignored;
  // A link keeps its place and its target gets the new content; a device or directory is not replaced.
  if (std::filesystem::is_symlink(path_, ignored)) {
    std::error_code error;
    path_ = std::filesystem::weakly_canonical(path, error);
    if (error)
      throw Error(ErrorCode::output_io,
                  {.where = path.string(), .got = error.message(), .expected = "a file"});
  }
  const auto status = std::filesystem::status(path_, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw Error(ErrorCode::output_io, {.where = path.string(),
                                       .got = "something that is not a regular file",
                                       .expected = "a new or regular file"});
  do {
    temporary_ = path_.parent_path() / temporary_name();
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      const int error = errno;
      temporary_.clear();  // it is not ours to remove
      fail(error);
    }
  } while (!keep_locked(descriptor_, temporary_));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(int error) const {
  throw Error(ErrorCode::output_io,
              {.where = path_.string(), .got = system_words(error), .expected = "to write this file"});
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  constexpr size_t kMostAtOnce = size_t{1} << 30;  // one write() call takes less than 2 GiB
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kMostAtOnce));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail(errno);
  // Some file systems report a failed write only here.
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  temporary_.clear();
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace galago
