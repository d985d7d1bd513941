// A chain of digests: equal keys mean equal rows from the first one on. Where the chain ends, the known
// continuations are compared row by row, so that a beginning need not end where a page does.
#include "runtime/prefix_index.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace galago {
namespace {

// One page's worth of rows.
struct Block {
  std::span<const int32_t> ids;
  std::vector<ContentMark> marks;  // that begin in it, counted from its first row
};

// At most `most` of its rows.
Block block_of(const PromptContent& content, int64_t begin, int64_t most = kPagePositions) {
  const int64_t count = std::min({kPagePositions, std::ssize(content.ids) - begin, most});
  Block block{.ids = content.ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(count)),
              .marks = {}};
  for (const ContentMark& mark : content.marks)
    if (mark.begin >= begin && mark.begin < begin + count)
      block.marks.push_back({.begin = mark.begin - begin, .key = mark.key});
  return block;
}

Digest key_of(const Digest& parent, const Block& block) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(parent)));
  hash.add(std::as_bytes(block.ids));
  for (const ContentMark& mark : block.marks) {
    hash.add(std::as_bytes(std::span(&mark.begin, 1)));
    hash.add(std::as_bytes(std::span(mark.key)));
  }
  return hash.finish();
}

// Rows that two pages' worth have in common at their beginning; what is before them is the same.
int64_t common_rows(const PromptContent& a, const PromptContent& b) {
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

}  // namespace

size_t PrefixIndex::DigestHash::operator()(const Digest& digest) const {
  size_t hash;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

PrefixIndex::Match PrefixIndex::find(const PromptContent& prompt) {
  const std::lock_guard lock(mutex_);
  Match match;
  std::vector<Digest> keys;
  Digest parent{};
  for (const auto length = std::ssize(prompt.ids); match.rows < length;) {
    const Block block = block_of(prompt, match.rows);
    if (std::ssize(block.ids) == kPagePositions) {
      const Digest key = key_of(parent, block);
      if (const auto known = places_.find(key); known != places_.end()) {
        match.pages.push_back(known->second->page);
        match.rows += kPagePositions;
        keys.push_back(parent = key);
        continue;
      }
    }
    int64_t most = 0;
    const auto [begin, end] = children_.equal_range(parent);
    auto best = begin;
    for (auto child = begin; child != end; ++child)
      if (const int64_t rows =
              common_rows({block.ids, block.marks}, {child->second->ids, child->second->marks});
          rows > most) {
        most = rows;
        best = child;
      }
    if (most > 0) {
      match.pages.push_back(best->second->page);
      match.rows += most;
      keys.push_back(best->second->key);
    }
    break;
  }
  touch(keys);
  return match;
}

void PrefixIndex::keep(const PromptContent& content, int64_t rows,
                       std::span<const std::shared_ptr<KvPage>> pages) {
  const std::lock_guard lock(mutex_);
  const auto trim = [this] {
    while (std::ssize(entries_) * page_bytes_ > limit_bytes_) forget(std::prev(entries_.end()));
  };
  try {
    keep_all(content, rows, pages);
  } catch (...) {
    trim();
    throw;
  }
  trim();
}

void PrefixIndex::keep_all(const PromptContent& content, int64_t rows,
                           std::span<const std::shared_ptr<KvPage>> pages) {
  std::vector<Digest> keys;
  Digest parent{};
  for (int64_t page = 0; page * kPagePositions < rows; ++page) {
    Block block = block_of(content, page * kPagePositions, rows - page * kPagePositions);
    Digest key = key_of(parent, block);
    if (!places_.contains(key)) {
      if (const Entry* const longer = continuation_of(parent, {block.ids, block.marks})) {
        key = longer->key;
      } else {
        insert({.key = key,
                .parent = parent,
                .ids = {block.ids.begin(), block.ids.end()},
                .marks = std::move(block.marks),
                .page = pages[static_cast<size_t>(page)]});
        forget_beginnings_of(entries_.front());
      }
    }
    keys.push_back(parent = key);
  }
  touch(keys);
}

// A known page behind the same rows that begins with all of these; null: none.
const PrefixIndex::Entry* PrefixIndex::continuation_of(const Digest& parent,
                                                       const PromptContent& rows) const {
  const auto [begin, end] = children_.equal_range(parent);
  const auto longer = std::find_if(begin, end, [&](const auto& child) {
    return common_rows(rows, {child.second->ids, child.second->marks}) == std::ssize(rows.ids);
  });
  return longer == end ? nullptr : &*longer->second;
}

// In all three, or in none.
void PrefixIndex::insert(Entry entry) {
  entries_.push_front(std::move(entry));
  try {
    places_.emplace(entries_.front().key, entries_.begin());
    children_.emplace(entries_.front().parent, entries_.begin());
  } catch (...) {
    forget(entries_.begin());
    throw;
  }
}

// The last page first: what is before it must outlive it.
void PrefixIndex::touch(std::span<const Digest> keys) {
  for (size_t i = keys.size(); i-- > 0;) entries_.splice(entries_.begin(), entries_, places_.at(keys[i]));
}

// Pages that were not full, and whose rows this one begins with.
void PrefixIndex::forget_beginnings_of(const Entry& entry) {
  const PromptContent block{entry.ids, entry.marks};
  const auto [begin, end] = children_.equal_range(entry.parent);
  std::vector<Entries::iterator> shorter;
  for (auto child = begin; child != end; ++child) {
    const auto rows = std::ssize(child->second->ids);
    if (rows < std::ssize(entry.ids) &&
        common_rows(block, {child->second->ids, child->second->marks}) == rows)
      shorter.push_back(child->second);
  }
  for (const auto one : shorter) forget(one);
}

void PrefixIndex::forget(Entries::iterator entry) {
  places_.erase(entry->key);
  const auto [begin, end] = children_.equal_range(entry->parent);
  const auto child = std::find_if(begin, end, [&](const auto& one) { return one.second == entry; });
  if (child != end) children_.erase(child);
  entries_.erase(entry);
}

int64_t PrefixIndex::drop(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  int64_t freed = 0;
  for (auto entry = entries_.end(); entry != entries_.begin() && freed < bytes;) {
    --entry;
    if (entry->page.use_count() > 1) continue;
    const auto dropped = entry++;
    forget(dropped);
    freed += page_bytes_;
  }
  return freed;
}

int64_t PrefixIndex::bytes() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(entries_) * page_bytes_;
}

}  // namespace galago
