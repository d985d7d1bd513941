// A list that is searched from end to end: an entry is worth megabytes, so there are few.
#include "runtime/prefix_cache.h"

#include <algorithm>
#include <utility>

namespace galago {
int64_t shared_rows(const PromptContent& a, const PromptContent& b) {
  const auto differ = std::ranges::mismatch(a.ids, b.ids);
  const int64_t equal = differ.in1 - a.ids.begin();
  // Up to `equal` the ids agree; a placeholder also needs the same content behind it.
  for (size_t i = 0;; ++i) {
    const int64_t begin = std::min(i < a.marks.size() ? a.marks[i].begin : equal,
                                   i < b.marks.size() ? b.marks[i].begin : equal);
    if (begin >= equal) return equal;
    if (i >= a.marks.size() || i >= b.marks.size() || a.marks[i] != b.marks[i]) return begin;
  }
}

PrefixCache::Match PrefixCache::find(const PromptContent& prompt) {
  const std::lock_guard lock(mutex_);
  auto best = entries_.end();
  int64_t most = 0;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry)
    if (const int64_t rows = shared_rows(entry->content, prompt); rows > most) {
      most = rows;
      best = entry;
    }
  if (most == 0) return {};
  entries_.splice(entries_.begin(), entries_, best);
  return {.sequence = best->sequence, .rows = most};
}

void PrefixCache::keep(SequenceContent content, KvSequence sequence) {
  const int64_t rows = std::ssize(content.ids);
  if (rows == 0) return;
  sequence.shrink(rows);
  if (sequence.bytes() > limit_bytes_) return;
  auto kept = std::make_shared<const KvSequence>(std::move(sequence));

  const std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const int64_t shared = shared_rows(entry->content, content);
    if (shared == rows) {  // nothing new
      entries_.splice(entries_.begin(), entries_, entry);
      return;
    }
    entry = shared == std::ssize(entry->content.ids) ? entries_.erase(entry) : std::next(entry);
  }
  entries_.push_front({.content = std::move(content), .sequence = std::move(kept)});
  while (held() > limit_bytes_) entries_.pop_back();
}

int64_t PrefixCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return held();
}

int64_t PrefixCache::held() const {
  int64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.sequence->bytes();
  return sum;
}

}  // namespace galago
