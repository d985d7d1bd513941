// Scratch memory for forward passes on a device: taken in stack order, given back by scope, kept for the next
// call. After the first pass of a given size no further allocation happens.
#pragma once

#include <span>
#include <type_traits>
#include <vector>

#include "core/tensor.h"
#include "kernels/kernels.h"

namespace galago {

/// An arena of float matrices. Not thread-safe: one workspace belongs to one running request.
class Workspace {
 public:
  /// The device must outlive it.
  explicit Workspace(const kernels::Device& device) : device_(device) {}
  /// What the pass runs on.
  const kernels::Device& device() const { return device_; }

  /// rows x cols uninitialised floats, 64-byte aligned rows start where cols allow it; Error{resource} when
  /// memory is out.
  Matrix matrix(int64_t rows, int64_t cols);
  /// `count` uninitialised values of a trivial type, from the same arena.
  template <class T>
  requires std::is_trivially_copyable_v<T> std::span<T> array(int64_t count) {
    static_assert(alignof(T) <= 64);
    const int64_t floats = (static_cast<int64_t>(sizeof(T)) + 3) / 4;
    return {reinterpret_cast<T*>(matrix(count, floats).data), static_cast<size_t>(count)};
  }
  /// Bytes of address space held at present; the arena never shrinks.
  int64_t bytes() const;
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
    size_t chunk_;
    int64_t used_;
    int64_t taken_;
  };

 private:
  const kernels::Device& device_;
  std::vector<Tensor> chunks_;
  size_t chunk_ = 0;   // the chunk that is being filled
  int64_t used_ = 0;   // floats used of it
  int64_t taken_ = 0;  // floats taken of all chunks
  int64_t most_ = 0;   // the largest taken_
};

}  // namespace galago
