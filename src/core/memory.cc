// The process's memory.
#include "core/memory.h"

#include <cstring>

#include "core/aligned_memory.h"

namespace galago {
namespace {

class HostMemory final : public Memory {
 public:
  std::byte* take(int64_t bytes) const override { return static_cast<std::byte*>(allocate_aligned(bytes)); }
  void give_back(std::byte* data, int64_t) const noexcept override { free_aligned(data); }
  bool is_host() const override { return true; }
  void copy_in(const void* host, std::byte* to, int64_t bytes) const override {
    if (bytes > 0) std::memcpy(to, host, static_cast<size_t>(bytes));
  }
  void copy_out(const std::byte* from, void* host, int64_t bytes) const override {
    if (bytes > 0) std::memcpy(host, from, static_cast<size_t>(bytes));
  }
  void copy(const std::byte* from, std::byte* to, int64_t bytes) const override { copy_in(from, to, bytes); }
};

}  // namespace

const Memory& host_memory() {
  static const HostMemory memory;
  return memory;
}

}  // namespace galago
