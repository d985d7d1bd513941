// Stacks of chunks; a request that does not fit the current chunk moves on to the next, larger one. The
// system gives a chunk's pages when they are first written, so that a large first chunk takes no more memory
// than what is used of it, and the matrices of one step lie where those of another lay before.
#include "kernels/workspace.h"

#include <algorithm>

#include "core/checked.h"
#include "galago/error.h"

namespace galago {
namespace {
constexpr int64_t kAlignFloats = 16;
}  // namespace

float* Workspace::Stack::take(int64_t floats) {
  while (top.chunk < chunks_.size() && chunks_[top.chunk].size() - top.used < floats) {
    ++top.chunk;
    top.used = 0;
  }
  if (top.chunk == chunks_.size()) {
    const int64_t next = chunks_.empty() ? first_ : 2 * chunks_.back().size();
    chunks_.emplace_back(Shape{std::max(floats, next)}, memory_);
    top.used = 0;
  }
  float* const data = chunks_[top.chunk].data() + top.used;
  top.used += floats;
  top.taken += floats;
  return data;
}

void Workspace::Stack::give_back() {
  chunks_.clear();
  top = {};
}

void Workspace::give_back() {
  matrices_.give_back();
  arrays_.give_back();
}

int64_t Workspace::Stack::bytes() const {
  int64_t total = 0;
  for (const Tensor& chunk : chunks_) total += chunk.byte_size();
  return total;
}

Matrix Workspace::take(Stack& stack, int64_t rows, int64_t cols) {
  const auto count = element_count({rows, cols});
  const auto padded = count ? checked_add(*count, kAlignFloats - 1) : std::nullopt;
  if (!padded)
    throw Error(ErrorCode::resource,
                {.where = "scratch memory", .got = "a matrix " + to_string(Shape{rows, cols})});
  float* const data = stack.take(*padded / kAlignFloats * kAlignFloats);
  most_ = std::max(most_, matrices_.top.taken + arrays_.top.taken);
  return {data, rows, cols};
}

Matrix Workspace::matrix(int64_t rows, int64_t cols) { return take(matrices_, rows, cols); }

Matrix Workspace::host_matrix(int64_t rows, int64_t cols) { return take(arrays_, rows, cols); }

Workspace::Frame::Frame(Workspace& workspace)
    : workspace_(workspace), matrices_(workspace.matrices_.top), arrays_(workspace.arrays_.top) {}

Workspace::Frame::~Frame() {
  workspace_.matrices_.top = matrices_;
  workspace_.arrays_.top = arrays_;
}

}  // namespace galago
