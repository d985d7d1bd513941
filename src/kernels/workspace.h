// Scratch memory for forward passes on a device: taken in stack order, given back by scope, kept for the next
// call. After the first pass of a given size no further allocation happens.
#pragma once

#include <span>
#include <type_traits>
#include <vector>

#include "core/tensor.h"
#include "kernels/kernels.h"

namespace galago {

/// Matrices in a device's memory, and arrays in the host's. Not thread-safe: one workspace belongs to one
/// running request.
class Workspace {
  // How far a stack is filled.
  struct Mark {
    size_t chunk = 0;   // the chunk that is being filled
    int64_t used = 0;   // floats used of it
    int64_t taken = 0;  // floats taken of all chunks
  };

 public:
  /// The device must outlive it.
  explicit Workspace(const kernels::Device& device)
      : device_(device), matrices_(device.memory(), kFirstMatrices), arrays_(host_memory(), kFirstArrays) {}
  /// What the pass runs on.
  const kernels::Device& device() const { return device_; }

  /// rows x cols uninitialised floats of the device, 64-byte aligned rows start where cols allow it;
  /// Error{resource} when memory is out.
  Matrix matrix(int64_t rows, int64_t cols);
  /// The same in the host's memory.
  Matrix host_matrix(int64_t rows, int64_t cols);
  /// `count` uninitialised values of a trivial type in the host's memory.
  template <class T>
  requires std::is_trivially_copyable_v<T> std::span<T> array(int64_t count) {
    static_assert(alignof(T) <= 64);
    const int64_t floats = (static_cast<int64_t>(sizeof(T)) + 3) / 4;
    return {reinterpret_cast<T*>(host_matrix(count, floats).data), static_cast<size_t>(count)};
  }
  /// Gives all memory back to the system, outside of every Frame.
  void give_back();
  /// Bytes of address space held at present.
  int64_t bytes() const { return matrices_.bytes() + arrays_.bytes(); }
  /// The most bytes that were taken at once so far.
  int64_t most_bytes() const { return most_ * static_cast<int64_t>(sizeof(float)); }

  /// Everything taken while a Frame lives is given back when it ends.
  class Frame {
   public:
    explicit Frame(Workspace& workspace);
    ~Frame();
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Workspace& workspace_;
    Mark matrices_;
    Mark arrays_;
  };

 private:
  // Chunks of one memory; each is at least twice as large as the one before it.
  class Stack {
   public:
    Stack(const Memory& memory, int64_t first) : memory_(memory), first_(first) {}
    float* take(int64_t floats);
    void give_back();
    int64_t bytes() const;

    Mark top;

   private:
    const Memory& memory_;
    int64_t first_;  // floats of the first chunk
    std::vector<Tensor> chunks_;
  };

  // Of address space: what is never used costs nothing.
  static constexpr int64_t kFirstMatrices = 1 << 24, kFirstArrays = 1 << 20;

  Matrix take(Stack& stack, int64_t rows, int64_t cols);

  const kernels::Device& device_;
  Stack matrices_;
  Stack arrays_;
  int64_t most_ = 0;  // floats
};

}  // namespace galago
