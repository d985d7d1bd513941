// Keys and values of prompts that were answered, kept for those that begin with the same rows. In: what the
// rows of a sequence came from, and its cache. Out: the longest match. Up to a limit in bytes; what was used
// longest ago leaves first.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
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

/// Rows that two sequences have in common at their beginning.
int64_t shared_rows(const PromptContent& a, const PromptContent& b);

/// Safe to use from several threads.
class PrefixCache {
 public:
  /// limit_bytes: of keys and values; 0 keeps nothing.
  explicit PrefixCache(int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  struct Match {
    std::shared_ptr<const KvSequence> sequence;
    int64_t rows = 0;  ///< of the sequence that the prompt begins with
  };
  /// The longest; none: rows is 0.
  Match find(const PromptContent& prompt);
  /// Keeps the rows of content.ids, of which the sequence has at least as many. One that is over the limit by
  /// itself is not kept; one that begins with what another holds takes its place.
  void keep(SequenceContent content, KvSequence sequence);
  /// Bytes of all that is kept.
  int64_t bytes() const;

 private:
  struct Entry {
    SequenceContent content;
    std::shared_ptr<const KvSequence> sequence;
  };
  int64_t held() const;

  const int64_t limit_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
};

}  // namespace galago
