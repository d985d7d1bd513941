// A list of chunks; a request that does not fit the current chunk moves on to the next, larger one. The
// system gives a chunk's pages when they are first written, so that a large first chunk takes no more memory
// than what is used of it, and the matrices of one step lie where those of another lay before.
#include "kernels/workspace.h"

#include <algorithm>

#include "core/checked.h"
#include "galago/error.h"

namespace galago {
namespace {
constexpr int64_t kAlignFloats = 16;
constexpr int64_t kFirstChunkFloats = 1 << 24;  // of address space: what is never used costs nothing
}  // namespace

Matrix Workspace::matrix(int64_t rows, int64_t cols) {
  const auto count = element_count({rows, cols});
  const auto padded = count ? checked_add(*count, kAlignFloats - 1) : std::nullopt;
  if (!padded)
    throw Error(ErrorCode::resource,
                {.where = "scratch memory", .got = "a matrix " + to_string(Shape{rows, cols})});
  const int64_t need = *padded / kAlignFloats * kAlignFloats;
  while (chunk_ < chunks_.size() && chunks_[chunk_].size() - used_ < need) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    const int64_t next = chunks_.empty() ? kFirstChunkFloats : 2 * chunks_.back().size();
    chunks_.emplace_back(Shape{std::max(need, next)});
    used_ = 0;
  }
  float* data = chunks_[chunk_].data() + used_;
  used_ += need;
  most_ = std::max(most_, taken_ += need);
  return {data, rows, cols};
}

int64_t Workspace::bytes() const {
  int64_t total = 0;
  for (const Tensor& chunk : chunks_) total += chunk.size() * static_cast<int64_t>(sizeof(float));
  return total;
}

Workspace::Frame::Frame(Workspace& workspace)
    : workspace_(workspace), chunk_(workspace.chunk_), used_(workspace.used_), taken_(workspace.taken_) {}

Workspace::Frame::~Frame() {
  workspace_.chunk_ = chunk_;
  workspace_.used_ = used_;
  workspace_.taken_ = taken_;
}

}  // namespace galago
