// operator new is replaced in this test binary so that hostile input can be shown not to make it grow.
#include "support.h"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <system_error>

namespace {

std::atomic<int64_t> allocated{0};

void* counted(std::size_t size) {
  allocated += static_cast<int64_t>(size);
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace galago::test {

namespace fs = std::filesystem;

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (fs::temp_directory_path() / "galago-io-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), name);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path TemporaryDirectory::add(const std::string& name, std::string_view content) const {
  std::ofstream out(path_ / name, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  return path_ / name;
}

std::string length_prefix(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i) & 0xff);
  return bytes;
}

std::string tensor_file(std::string_view header, size_t data_bytes) {
  return length_prefix(header.size()) + std::string(header) + std::string(data_bytes, '\0');
}

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, {});
}

AllocationWatch::AllocationWatch() { allocated = 0; }
int64_t AllocationWatch::total() const { return allocated; }

}  // namespace galago::test
