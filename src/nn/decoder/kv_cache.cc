// Within a page a layer's keys lie one after another, then its values.
#include "nn/decoder/kv_cache.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "galago/error.h"

namespace galago {
namespace {

int64_t pages_for(int64_t positions) { return (positions + kPagePositions - 1) / kPagePositions; }

// Whether one sequence alone holds a page. What others read in it before they let it go is over then.
bool held_once(const std::shared_ptr<KvPage>& page) {
  if (page.use_count() != 1) return false;
  std::atomic_thread_fence(std::memory_order_acquire);
  return true;
}

// The first `positions` positions of a page in all layers.
void copy_positions(const KvPages& pages, int64_t positions, const KvPage& from, KvPage& to) {
  const KvShape& shape = pages.shape();
  const int64_t row = shape.width * size_of(shape.dtype);
  for (int64_t part = 0; part < 2 * shape.layers; ++part) {
    const int64_t begin = part * kPagePositions * row;
    pages.memory().copy(from.data() + begin, to.data() + begin, positions * row);
  }
}

}  // namespace

KvSequence::KvSequence(std::shared_ptr<KvPages> pages, std::vector<std::shared_ptr<KvPage>> shared,
                       int64_t length)
    : source_(std::move(pages)), pages_(std::move(shared)), length_(length) {
  if (length < 0 || length > capacity())
    throw Error(ErrorCode::internal, {.where = "key-value cache: shared pages",
                                      .got = std::to_string(length) + " positions",
                                      .expected = "at most " + std::to_string(capacity())});
  pages_.resize(static_cast<size_t>(pages_for(length)));
  for (const std::shared_ptr<KvPage>& page : pages_) data_.push_back(page->data());
}

bool KvSequence::grow(int64_t positions) {
  const int64_t begin = length_ / kPagePositions;  // the page that is written next
  const int64_t end = positions > length_ ? pages_for(positions) : begin;
  std::vector<std::shared_ptr<KvPage>> fresh(static_cast<size_t>(end - begin));
  for (int64_t i = begin; i < end; ++i) {
    if (i < std::ssize(pages_) && held_once(pages_[static_cast<size_t>(i)])) continue;
    auto& page = fresh[static_cast<size_t>(i - begin)] = source_->take();
    if (!page) return false;
  }
  const auto size = std::max(pages_.size(), static_cast<size_t>(end));
  pages_.reserve(size);
  data_.reserve(size);
  if (begin < std::min(end, std::ssize(pages_)) && fresh.front())
    copy_positions(*source_, length_ % kPagePositions, *pages_[static_cast<size_t>(begin)], *fresh.front());
  pages_.resize(size);
  data_.resize(size);
  for (size_t i = 0; i < fresh.size(); ++i) {
    if (!fresh[i]) continue;
    data_[static_cast<size_t>(begin) + i] = fresh[i]->data();
    pages_[static_cast<size_t>(begin) + i] = std::move(fresh[i]);
  }
  return true;
}

void KvSequence::shrink(int64_t length) {
  length_ = length;
  pages_.resize(static_cast<size_t>(pages_for(length)));
  data_.resize(pages_.size());
}

bool KvSequence::owns(int64_t position) const {
  return held_once(pages_[static_cast<size_t>(position / kPagePositions)]);
}

int64_t KvSequence::offset(int64_t layer, int64_t part) const {
  const KvShape& shape = source_->shape();
  return (layer * 2 + part) * kPagePositions * shape.width * size_of(shape.dtype);
}

KvPlace KvSequence::place(int64_t layer, int64_t position) {
  const KvShape& shape = source_->shape();
  std::byte* const row = data_[static_cast<size_t>(position / kPagePositions)] +
                         position % kPagePositions * shape.width * size_of(shape.dtype);
  return {.key = row + offset(layer, 0), .value = row + offset(layer, 1)};
}

kernels::CacheView KvSequence::view(int64_t layer) const {
  return {.pages = data_.data(),
          .keys = offset(layer, 0),
          .values = offset(layer, 1),
          .page_positions = kPagePositions,
          .stride = source_->shape().width,
          .dtype = source_->shape().dtype};
}

int32_t KvCache::add(KvSequence sequence) {
  const auto free = std::find(slots_.begin(), slots_.end(), std::nullopt);
  const auto number = static_cast<int32_t>(free - slots_.begin());
  if (free == slots_.end())
    slots_.emplace_back(std::move(sequence));
  else
    free->emplace(std::move(sequence));
  return number;
}

int32_t KvCache::add(int64_t positions) {
  KvSequence sequence(pages_);
  if (!sequence.grow(positions))
    throw Error(ErrorCode::resource, {.where = "key-value cache",
                                      .got = "no room for " + std::to_string(positions) + " positions",
                                      .expected = "memory for their pages"});
  return add(std::move(sequence));
}

KvSequence KvCache::remove(int64_t sequence) {
  return *std::exchange(slots_[static_cast<size_t>(sequence)], std::nullopt);
}

}  // namespace galago
