// Where pages come from: blocks of memory that hold several, so that the system can use large pages for them.
// A block goes back to the system when nobody holds a page of it and enough others wait.
#include <algorithm>
#include <list>
#include <mutex>
#include <utility>

#include "nn/decoder/kv_cache.h"

namespace galago {
namespace {

// Blocks are whole large pages of the system's. The first ones are small, a later one is as large as all
// before it, up to a bound; one page of a cache fits in any.
constexpr int64_t kSystemPage = int64_t{2} << 20;
constexpr int64_t kSmallestBlock = 2 * kSystemPage;
constexpr int64_t kLargestBlock = 16 * kSystemPage;
// Bytes of pages that nobody holds, beyond which a block of them is given back.
constexpr int64_t kMostIdle = int64_t{64} << 20;

}  // namespace

/// The memory of all pages of a KvPages; lives as long as one of them.
class KvPool {
 public:
  KvPool(int64_t page_bytes, int64_t max_bytes, const Memory& memory)
      : memory_(memory),
        page_bytes_(page_bytes),
        max_pages_(max_bytes > 0 ? max_bytes / page_bytes : kNoLimit) {}

  /// Gives a page its memory; false at the limit.
  bool fill(KvPage& page) {
    const std::lock_guard lock(mutex_);
    if (in_use_ == max_pages_) return false;
    auto block = std::ranges::find_if(blocks_, [](const Block& b) { return !b.idle.empty(); });
    if (block == blocks_.end()) block = add_block();
    page.data_ = block->idle.back();
    block->idle.pop_back();
    ++in_use_;
    return true;
  }

  void take_back(std::byte* page) noexcept {
    const std::lock_guard lock(mutex_);
    const auto block = std::ranges::find_if(blocks_, [&](const Block& b) { return b.holds(page); });
    block->idle.push_back(page);
    --in_use_;
    const int64_t idle = allocated_ - in_use_;
    if (std::ssize(block->idle) < block->pages || (idle - block->pages) * page_bytes_ < kMostIdle) return;
    allocated_ -= block->pages;
    blocks_.erase(block);
  }

  int64_t bytes() const {
    const std::lock_guard lock(mutex_);
    return allocated_ * page_bytes_;
  }

 private:
  static constexpr int64_t kNoLimit = -1;

  struct Block {
    Tensor memory;
    int64_t pages;
    std::vector<std::byte*> idle;  // has room for all of them

    bool holds(const std::byte* page) const {
      const auto* const begin = reinterpret_cast<const std::byte*>(memory.data());
      return page >= begin && page < begin + memory.size() * static_cast<int64_t>(sizeof(float));
    }
  };

  std::list<Block>::iterator add_block() {
    const int64_t wanted = std::clamp(allocated_ * page_bytes_, kSmallestBlock, kLargestBlock);
    int64_t pages = std::max<int64_t>(1, wanted / page_bytes_);
    if (max_pages_ != kNoLimit) pages = std::min(pages, max_pages_ - allocated_);
    const int64_t bytes = (pages * page_bytes_ + kSystemPage - 1) / kSystemPage * kSystemPage;
    Block block{
        .memory = Tensor({bytes / static_cast<int64_t>(sizeof(float))}, memory_), .pages = pages, .idle = {}};
    block.idle.reserve(static_cast<size_t>(pages));
    auto* const begin = reinterpret_cast<std::byte*>(block.memory.data());
    for (int64_t i = pages - 1; i >= 0; --i) block.idle.push_back(begin + i * page_bytes_);
    blocks_.push_back(std::move(block));
    allocated_ += pages;
    return std::prev(blocks_.end());
  }

  const Memory& memory_;
  const int64_t page_bytes_;
  const int64_t max_pages_;
  mutable std::mutex mutex_;
  std::list<Block> blocks_;  // the oldest first: it is filled first, so that the youngest becomes idle
  int64_t allocated_ = 0;    // pages
  int64_t in_use_ = 0;
};

KvPage::KvPage(std::shared_ptr<KvPool> pool, std::shared_ptr<KvCount> count)
    : pool_(std::move(pool)), count_(std::move(count)) {}

KvPage::~KvPage() {
  if (!data_) return;
  pool_->take_back(data_);
  --*count_;
}

KvPages::KvPages(const KvShape& shape, int64_t max_bytes, const Memory& memory)
    : shape_(shape), memory_(memory), pool_(std::make_shared<KvPool>(page_bytes(), max_bytes, memory)) {}

std::shared_ptr<KvPage> KvPages::take() {
  auto page = std::make_shared<KvPage>(pool_, count_);
  if (!pool_->fill(*page)) return nullptr;
  ++*count_;
  return page;
}

std::shared_ptr<KvPages> KvPages::counted_apart() const {
  std::shared_ptr<KvPages> apart(new KvPages(*this));
  apart->count_ = std::make_shared<KvCount>(0);
  return apart;
}

int64_t KvPages::bytes_in_use() const { return *count_ * page_bytes(); }
int64_t KvPages::bytes() const { return pool_->bytes(); }

}  // namespace galago
