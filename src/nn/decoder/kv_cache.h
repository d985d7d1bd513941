// Keys and values of the positions already seen, for every layer of one or several sequences.
// In: rows of keys and values at given positions. Out: views of pages for attention.
// Memory comes in pages of a fixed number of positions: a sequence takes them as it grows, and sequences that
// begin alike may hold the same ones. A page that two hold is never written.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "kernels/kernels.h"

namespace galago {

/// Positions of a page; a power of two.
inline constexpr int64_t kPagePositions = 32;

/// What one position holds: a key and a value of `width` numbers in each layer.
struct KvShape {
  int64_t layers = 0;
  int64_t width = 0;  ///< kv_heads * head_dim
  /// f32: as they are computed. f16: rounded to nearest, ties to even, saturated at +-65504; half the memory.
  DType dtype = DType::f32;

  /// Bytes of one position in all layers; no overflow for the sizes that limits.h lets through.
  int64_t position_bytes() const { return 2 * layers * width * size_of(dtype); }
  /// Bytes of the pages that so many positions of one sequence take.
  int64_t bytes_of(int64_t positions) const {
    return (positions + kPagePositions - 1) / kPagePositions * kPagePositions * position_bytes();
  }
};

class KvPool;
/// Pages in use of those that one KvPages gave.
using KvCount = std::atomic<int64_t>;

/// Keys and values of kPagePositions positions in all layers: [layers, 2 (keys, values), kPagePositions,
/// width] of the shape's dtype. Goes back where it came from when nobody holds it any more.
class KvPage {
 public:
  /// KvPages::take makes pages.
  KvPage(std::shared_ptr<KvPool> pool, std::shared_ptr<KvCount> count);
  ~KvPage();
  KvPage(const KvPage&) = delete;
  KvPage& operator=(const KvPage&) = delete;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }

 private:
  friend class KvPool;
  std::shared_ptr<KvPool> pool_;
  std::shared_ptr<KvCount> count_;
  std::byte* data_ = nullptr;
};

/// Pages of one shape. Freed ones are used again; beyond 64 MiB of these, memory goes back to the system.
/// Pages may outlive it. Safe to use from several threads.
class KvPages {
 public:
  /// max_bytes: of pages that somebody holds; 0: no limit. memory: where they lie.
  explicit KvPages(const KvShape& shape, int64_t max_bytes = 0, const Memory& memory = host_memory());

  const KvShape& shape() const { return shape_; }
  /// Where the pages lie.
  const Memory& memory() const { return memory_; }
  int64_t page_bytes() const { return shape_.bytes_of(kPagePositions); }
  /// A page whose contents are not defined; null when max_bytes are in use. Error{resource} when memory is
  /// out.
  std::shared_ptr<KvPage> take();
  /// More pages of the same memory, with the same limit, whose use is counted by itself.
  std::shared_ptr<KvPages> counted_apart() const;
  /// Bytes of the pages that it gave and somebody holds.
  int64_t bytes_in_use() const;
  /// Bytes of the memory that pages lie in, those that nobody holds included.
  int64_t bytes() const;

 private:
  KvPages(const KvPages&) = default;

  KvShape shape_;
  const Memory& memory_;
  std::shared_ptr<KvPool> pool_;
  std::shared_ptr<KvCount> count_ = std::make_shared<KvCount>(0);
};

/// Memory for a position's key and value in one layer, [width] of the cache's dtype each.
struct KvPlace {
  void* key = nullptr;
  void* value = nullptr;
};

/// Keys and values of one sequence. A copy holds the same pages.
class KvSequence {
 public:
  /// Without a page yet.
  explicit KvSequence(std::shared_ptr<KvPages> pages) : source_(std::move(pages)) {}
  /// Begins with the first `length` positions of pages that others hold too; length <= shared.size() *
  /// kPagePositions. Those behind it are dropped; the last one, if it is not full, is copied when it is to be
  /// written (grow).
  KvSequence(std::shared_ptr<KvPages> pages, std::vector<std::shared_ptr<KvPage>> shared, int64_t length);

  int64_t length() const { return length_; }
  void set_length(int64_t length) { length_ = length; }
  /// Positions of the prompt, also of what of it is still to come; 0: not known. It decides rows of decoders
  /// that say so (Decoder::rows_stand_alone).
  int64_t prompt() const { return prompt_; }
  void set_prompt(int64_t positions) { prompt_ = positions; }

  /// Positions that its pages have room for.
  int64_t capacity() const { return std::ssize(pages_) * kPagePositions; }
  /// Room for `positions` positions in all, so that those from length() on may be written: takes pages, and
  /// copies of pages that others hold too. False when no page is to be had, Error{resource} when memory is
  /// out: it is then as it was.
  bool grow(int64_t positions);
  /// Forgets all but the first `length` positions and the pages behind them; length <= length().
  void shrink(int64_t length);
  /// Whether a position below the capacity may be written: nobody else holds its page.
  bool owns(int64_t position) const;

  /// In the order of the positions; for a sequence that begins alike.
  std::span<const std::shared_ptr<KvPage>> pages() const { return pages_; }
  /// Bytes of its pages, also of those that others hold too.
  int64_t bytes() const { return std::ssize(pages_) * source_->page_bytes(); }

  /// Where the key and the value of a position below the capacity belong (Device::scatter_rows).
  KvPlace place(int64_t layer, int64_t position);
  /// Valid until its pages change.
  kernels::CacheView view(int64_t layer) const;

 private:
  // Bytes from a page's beginning to the keys of a layer (part 0) or its values (part 1).
  int64_t offset(int64_t layer, int64_t part) const;

  std::shared_ptr<KvPages> source_;
  std::vector<std::shared_ptr<KvPage>> pages_;
  std::vector<std::byte*> data_;  // of each page
  int64_t length_ = 0;
  int64_t prompt_ = 0;
};

/// The sequences that share calls of a decoder, each under a number that it keeps.
class KvCache {
 public:
  /// No sequences yet. pages: for add(positions).
  explicit KvCache(std::shared_ptr<KvPages> pages) : pages_(std::move(pages)) {}

  const std::shared_ptr<KvPages>& pages() const { return pages_; }
  const KvShape& shape() const { return pages_->shape(); }
  /// Takes a sequence in; its number is the lowest free one.
  int32_t add(KvSequence sequence);
  /// A new one with room for so many positions; Error{resource} when it is not to be had.
  int32_t add(int64_t positions);
  /// Gives a sequence back; its number is free again.
  KvSequence remove(int64_t sequence);

  /// All numbers in use are below this.
  int64_t sequences() const { return std::ssize(slots_); }
  bool has(int64_t sequence) const {
    return sequence >= 0 && sequence < sequences() && slots_[static_cast<size_t>(sequence)].has_value();
  }
  /// The sequence of a number in use.
  KvSequence& at(int64_t sequence) { return *slots_[static_cast<size_t>(sequence)]; }
  const KvSequence& at(int64_t sequence) const { return *slots_[static_cast<size_t>(sequence)]; }
  int64_t length(int64_t sequence) const { return at(sequence).length(); }

 private:
  std::shared_ptr<KvPages> pages_;
  std::vector<std::optional<KvSequence>> slots_;
};

}  // namespace galago
