// See the header. A name is resolved first and must lie within the folder then; reading goes from folder to
// folder without following a link, so that one which appears in between leads nowhere.
#include "server/media/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "messages/uri.h"
#include "server/media/media_error.h"

namespace galago::server {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

[[noreturn]] void refuse_name(const std::string& where) {
  refuse_media(
      "invalid_image_url",
      {.where = where, .got = "a name of no file in the media folder", .expected = "file://NAME of one"});
}

bool is_within(const std::filesystem::path& file, const std::filesystem::path& root) {
  const auto [of_root, of_file] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  return of_root == root.end() && of_file != file.end();
}

}  // namespace

MediaFolder::MediaFolder(const std::filesystem::path& root) {
  if (root.empty()) return;
  std::error_code error;
  root_ = std::filesystem::canonical(root, error);
  if (error || !std::filesystem::is_directory(root_, error))
    throw Error(ErrorCode::not_found,
                {.where = root.string(), .got = "no folder", .expected = "one of media"});
}

std::filesystem::path MediaFolder::file_of(const std::string& uri, const std::string& where) const {
  if (root_.empty())
    refuse_media("invalid_image_url", {.where = where,
                                       .got = "a file: URI",
                                       .expected = "the picture itself: data:image/TYPE;base64,BYTES",
                                       .hint = "this server reads no files for requests"});
  std::filesystem::path name;
  try {
    const std::string_view rest = std::string_view(uri).substr(5);
    const bool of_root =
        rest.starts_with("//") && !rest.starts_with("///") && !has_scheme(rest, "//localhost/");
    // As a path from the root, it is held to the same syntax.
    name = of_root ? root_ / file_of_uri("file:/" + std::string(rest.substr(2))).relative_path()
                   : file_of_uri(uri);
  } catch (const Error&) {
    refuse_name(where);
  }
  const bool up = std::find(name.begin(), name.end(), "..") != name.end();
  const bool hidden_end = name.native().find('\0') != std::string::npos;
  std::error_code error;
  const std::filesystem::path file = up || hidden_end ? name : std::filesystem::canonical(name, error);
  if (up || hidden_end || error || !is_within(file, root_) || !std::filesystem::is_regular_file(file, error))
    refuse_name(where);
  return file;
}

std::string MediaFolder::read(const std::filesystem::path& file, int64_t limit,
                              const std::string& where) const {
  const std::filesystem::path name = file.lexically_relative(root_);
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;  // a pipe keeps nobody waiting
  Descriptor at(::open(root_.c_str(), kFlags | O_DIRECTORY));
  for (auto part = name.begin(); part != name.end() && at.value() >= 0; ++part) {
    const bool last = std::next(part) == name.end();
    at = Descriptor(::openat(at.value(), part->c_str(), last ? kFlags : kFlags | O_DIRECTORY));
  }
  struct stat status {};
  if (at.value() < 0 || ::fstat(at.value(), &status) != 0 || !S_ISREG(status.st_mode)) refuse_name(where);
  if (status.st_size > limit) refuse_bytes(where, std::to_string(status.st_size) + " bytes", limit);
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(at.value(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse_name(where);
    if (got == 0) break;  // it became shorter meanwhile
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace galago::server
