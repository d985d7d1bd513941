// See the header. POSIX calls: reads at an offset, and from pipes.
#include "io/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "galago/error.h"

namespace galago {
namespace {

constexpr size_t kBuffer = size_t{1} << 18;

std::string system_words(int error) { return std::generic_category().message(error); }

std::shared_ptr<const int> opened(const std::filesystem::path& path, int flags) {
  const bool whole = path.native().find('\0') == std::string::npos;
  const int descriptor = whole ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags) : -1;
  if (descriptor < 0) {
    const int error = whole ? errno : ENOENT;
    const bool exhausted = error == EMFILE || error == ENFILE || error == ENOMEM;
    throw Error(exhausted ? ErrorCode::resource : ErrorCode::not_found,
                {.where = path.string(), .got = system_words(error), .expected = "a readable file"});
  }
  return {new int(descriptor), [](const int* value) {
            ::close(*value);
            delete value;
          }};
}

[[noreturn]] void fail_reading(const std::string& name, int error) {
  throw Error(ErrorCode::input_invalid,
              {.where = name, .got = system_words(error), .expected = "to read this file"});
}

}  // namespace

ByteFile::ByteFile(const std::filesystem::path& path) : path_(path), descriptor_(opened(path, O_NONBLOCK)) {
  struct stat status {};
  if (::fstat(*descriptor_, &status) != 0) fail_reading(path.string(), errno);
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::input_invalid,
                {.where = path.string(),
                 .got = S_ISDIR(status.st_mode) ? "a directory" : "a pipe or device",
                 .expected = "a regular file"});
  size_ = status.st_size;
}

size_t ByteFile::read(int64_t offset, std::span<char> into) const {
  size_t filled = 0;
  while (filled < into.size()) {
    const ssize_t got = ::pread(*descriptor_, into.data() + filled, into.size() - filled,
                                static_cast<off_t>(offset) + static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_reading(path_.string(), errno);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return filled;
}

LineReader::LineReader(const std::filesystem::path& path, int64_t longest)
    : name_(path == "-" ? "standard input" : path.string()),
      longest_(longest),
      descriptor_(path == "-" ? std::make_shared<const int>(STDIN_FILENO) : opened(path, 0)) {
  struct stat status {};
  if (::fstat(*descriptor_, &status) != 0) fail_reading(name_, errno);
  if (S_ISDIR(status.st_mode)) fail_reading(name_, EISDIR);
}

bool LineReader::fill() {
  buffer_.resize(kBuffer);
  at_ = 0;
  for (;;) {
    const ssize_t got = ::read(*descriptor_, buffer_.data(), buffer_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_reading(name_, errno);
    buffer_.resize(static_cast<size_t>(got));
    return got > 0;
  }
}

bool LineReader::begins_with(char byte) { return (at_ < buffer_.size() || fill()) && buffer_[at_] == byte; }

void LineReader::append(Line& line, std::string_view piece) const {
  const size_t room = static_cast<size_t>(longest_) - line.text.size();
  line.cut |= piece.size() > room;
  line.text += piece.substr(0, room);
}

bool LineReader::next(Line& line) {
  line = {};
  bool any = false;
  for (;;) {
    if (at_ == buffer_.size() && !fill()) break;
    any = true;
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    const size_t end = rest.find('\n');
    append(line, rest.substr(0, end));
    const size_t taken = end == std::string_view::npos ? rest.size() : end + 1;
    at_ += taken;
    if (end != std::string_view::npos) break;
  }
  if (!any) return false;
  line.number = ++number_;
  if (!line.cut && line.text.ends_with('\r')) line.text.pop_back();
  return true;
}

}  // namespace galago
