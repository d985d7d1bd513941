// Pages of keys and values that prompts to come may begin with. In: what the rows of a sequence came from,
// and its pages. Out: the pages of the longest known beginning. A page is known by a digest of all rows up to
// its end, so a beginning is looked up page by page. Up to a limit in bytes; what was used longest ago leaves
// first.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "nn/decoder/kv_cache.h"
#include "runtime/causal_model.h"

namespace galago {

/// What the rows of a sequence came from; a PromptContent that owns its parts.
struct SequenceContent {
  std::vector<int32_t> ids;
  std::vector<ContentMark> marks;

  operator PromptContent() const { return {ids, marks}; }
};

/// Safe to use from several threads.
class PrefixIndex {
 public:
  /// limit_bytes: of pages of `page_bytes`; 0 keeps nothing.
  PrefixIndex(int64_t limit_bytes, int64_t page_bytes) : limit_bytes_(limit_bytes), page_bytes_(page_bytes) {}

  struct Match {
    std::vector<std::shared_ptr<KvPage>> pages;
    int64_t rows = 0;  ///< of the prompt that the pages hold; the last page may hold others behind them
  };
  /// The longest.
  Match find(const PromptContent& prompt);
  /// Keeps the pages of the first `rows` rows of a sequence; those that are known already are merely used
  /// once more. std::bad_alloc: some of them may be kept. A last page that is not full must not be written to
  /// any more where it lies.
  void keep(const PromptContent& content, int64_t rows, std::span<const std::shared_ptr<KvPage>> pages);
  /// Gives up pages that nobody else holds until `bytes` are free; returns the bytes that became free.
  int64_t drop(int64_t bytes);
  /// Bytes of all pages that it holds.
  int64_t bytes() const;

 private:
  struct Entry {
    Digest key;                      // of all rows to the end of the page
    Digest parent;                   // of those before it
    std::vector<int32_t> ids;        // of its rows
    std::vector<ContentMark> marks;  // that begin in it, counted from its first row
    std::shared_ptr<KvPage> page;
  };
  using Entries = std::list<Entry>;
  struct DigestHash {
    size_t operator()(const Digest& digest) const;
  };

  void keep_all(const PromptContent& content, int64_t rows, std::span<const std::shared_ptr<KvPage>> pages);
  const Entry* continuation_of(const Digest& parent, const PromptContent& rows) const;
  void insert(Entry entry);
  void touch(std::span<const Digest> keys);
  void forget_beginnings_of(const Entry& entry);
  void forget(Entries::iterator entry);

  const int64_t limit_bytes_;
  const int64_t page_bytes_;
  mutable std::mutex mutex_;
  Entries entries_;  // the last used first
  std::unordered_map<Digest, Entries::iterator, DigestHash> places_;
  std::unordered_multimap<Digest, Entries::iterator, DigestHash> children_;  // by their parent
};

}  // namespace galago
