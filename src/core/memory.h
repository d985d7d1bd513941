// Where tensors lie: the host's own memory, or that of a device, which the host must not touch but by copies.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galago {

/// Must outlive what was taken of it. Safe to use from several threads.
class Memory {
 public:
  virtual ~Memory() = default;
  /// Not initialised, 64-byte aligned; null when there is none left.
  virtual std::byte* take(int64_t bytes) const = 0;
  virtual void give_back(std::byte* data, int64_t bytes) const noexcept = 0;
  /// Whether the host reads and writes it where it lies.
  virtual bool is_host() const = 0;
  /// From the host's memory into this one, back, and within it.
  virtual void copy_in(const void* host, std::byte* to, int64_t bytes) const = 0;
  virtual void copy_out(const std::byte* from, void* host, int64_t bytes) const = 0;
  virtual void copy(const std::byte* from, std::byte* to, int64_t bytes) const = 0;
};

/// The memory of the process.
const Memory& host_memory();

}  // namespace galago
