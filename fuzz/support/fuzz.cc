// The scratch folder and its files.
#include "support/fuzz.h"

#include <unistd.h>

#include <fstream>
#include <system_error>

namespace galago::fuzz {
namespace {

namespace fs = std::filesystem;

/// Removed when the process ends in order; fuzz/run removes what crashed processes leave.
class Scratch {
 public:
  Scratch() {
    const char* const given = std::getenv("GALAGO_FUZZ_SCRATCH");
    path_ = fs::path(given ? given : "/dev/shm") / ("galago-fuzz-" + std::to_string(getpid()));
    fs::create_directories(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

void touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte byte : bytes) sum += std::to_integer<unsigned>(byte);
  static volatile unsigned seen;
  seen = seen + sum;
}

const fs::path& scratch() {
  static const Scratch folder;
  return folder.path();
}

fs::path scratch_file(const std::string& name, std::string_view content) {
  fs::path path = scratch() / name;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  return path;
}

}  // namespace galago::fuzz
