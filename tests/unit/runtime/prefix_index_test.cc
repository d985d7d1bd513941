// Which pages a prompt may begin with, and what is kept for the next one.
#include "runtime/prefix_index.h"

#include <gtest/gtest.h>

#include <thread>

#include "support/allocation.h"
#include "support/kv_rows.h"

namespace galago {
namespace {

constexpr int64_t kPage = kPagePositions;
constexpr KvShape kShape{.layers = 2, .width = 4};

ContentMark mark(int64_t begin, uint8_t key) {
  ContentMark out{.begin = begin, .key = {}};
  out.key[31] = key;
  return out;
}

// ids that `seed` decides from position `from` on; before it they are everybody's.
SequenceContent content(int64_t rows, int32_t seed = 0, int64_t from = 0,
                        std::vector<ContentMark> marks = {}) {
  SequenceContent out{.ids = {}, .marks = std::move(marks)};
  for (int64_t i = 0; i < rows; ++i)
    out.ids.push_back(static_cast<int32_t>(i % 7) + (i >= from ? 100 * seed : 0));
  return out;
}

class Index : public testing::Test {
 protected:
  PrefixIndex index(int64_t pages) const { return {pages * pages_->page_bytes(), pages_->page_bytes()}; }
  // Keeps a sequence of these rows; its pages are its own.
  std::vector<std::shared_ptr<KvPage>> keep(PrefixIndex& index, const SequenceContent& content) const {
    KvSequence sequence(pages_);
    EXPECT_TRUE(sequence.grow(std::ssize(content.ids)));
    index.keep(content, std::ssize(content.ids), sequence.pages());
    return {sequence.pages().begin(), sequence.pages().end()};
  }

  std::shared_ptr<KvPages> pages_ = std::make_shared<KvPages>(kShape);
};

TEST_F(Index, FindsTheLongestBeginning) {
  PrefixIndex kept = index(100);
  EXPECT_EQ(kept.find(content(3 * kPage)).rows, 0);
  const auto first = keep(kept, content(3 * kPage));
  const auto second = keep(kept, content(3 * kPage, 2, kPage));
  EXPECT_EQ(kept.bytes(), 5 * pages_->page_bytes()) << "the first page is one for both";
  auto match = kept.find(content(4 * kPage));
  EXPECT_EQ(match.rows, 3 * kPage);
  EXPECT_EQ(match.pages, first);
  match = kept.find(content(4 * kPage, 2, kPage));
  EXPECT_EQ(match.rows, 3 * kPage);
  EXPECT_EQ(match.pages[0], first[0]);
  EXPECT_EQ(match.pages[1], second[1]);
  EXPECT_EQ(kept.find(content(2 * kPage, 3)).rows, 0);
}

TEST_F(Index, EndsWithinAPageWhereTheRowsDiffer) {
  PrefixIndex kept = index(100);
  keep(kept, content(3 * kPage));
  for (const int64_t shared : {int64_t{1}, kPage - 1, kPage, kPage + 1, 2 * kPage - 1, 3 * kPage}) {
    const auto match = kept.find(content(3 * kPage, 5, shared));
    EXPECT_EQ(match.rows, shared);
    EXPECT_EQ(std::ssize(match.pages), (shared + kPage - 1) / kPage);
  }
  EXPECT_EQ(kept.find(content(kPage + 3)).rows, kPage + 3) << "a prompt that ends within a page";
}

TEST_F(Index, APageThatIsNotFullServesUntilAFullerOneComes) {
  PrefixIndex kept = index(100);
  keep(kept, content(kPage + 5));
  EXPECT_EQ(kept.find(content(2 * kPage)).rows, kPage + 5);
  EXPECT_EQ(kept.bytes(), 2 * pages_->page_bytes());
  keep(kept, content(kPage + 9));
  EXPECT_EQ(kept.find(content(2 * kPage)).rows, kPage + 9);
  EXPECT_EQ(kept.bytes(), 2 * pages_->page_bytes());
  keep(kept, content(2 * kPage));
  EXPECT_EQ(kept.find(content(2 * kPage)).rows, 2 * kPage);
  EXPECT_EQ(kept.bytes(), 2 * pages_->page_bytes());
}

TEST_F(Index, EndsWhereAPictureDiffers) {
  const int64_t rows = 2 * kPage;
  const auto both = content(rows, 0, 0, {mark(3, 5), mark(kPage + 4, 6)});
  PrefixIndex kept = index(100);
  keep(kept, both);
  const auto shared = [&](std::vector<ContentMark> marks) {
    return kept.find(content(rows, 0, 0, std::move(marks))).rows;
  };
  EXPECT_EQ(shared({mark(3, 5), mark(kPage + 4, 6)}), rows);
  EXPECT_EQ(shared({mark(3, 5), mark(kPage + 4, 7)}), kPage + 4);
  EXPECT_EQ(shared({mark(3, 7), mark(kPage + 4, 6)}), 3);
  EXPECT_EQ(shared({mark(3, 5)}), kPage + 4) << "one picture of many rows is another than two of fewer";
  EXPECT_EQ(shared({mark(3, 5), mark(kPage + 5, 6)}), kPage + 4);
  EXPECT_EQ(shared({}), 3);
}

TEST_F(Index, WhatWasUsedLongestAgoLeavesAndNeverABeginningBeforeItsEnd) {
  PrefixIndex kept = index(4);
  keep(kept, content(2 * kPage, 1));
  keep(kept, content(2 * kPage, 2));
  EXPECT_EQ(kept.find(content(2 * kPage, 1)).rows, 2 * kPage);  // used again
  keep(kept, content(kPage, 3));
  EXPECT_EQ(kept.find(content(2 * kPage, 2)).rows, kPage) << "its end has left";
  keep(kept, content(kPage, 4));
  EXPECT_EQ(kept.find(content(2 * kPage, 1)).rows, kPage);
  keep(kept, content(9 * kPage, 5));
  EXPECT_LE(kept.bytes(), 4 * pages_->page_bytes());
  EXPECT_EQ(kept.find(content(9 * kPage, 5)).rows, 4 * kPage) << "as much of it as there is room for";
}

TEST_F(Index, DropsOnlyWhatNobodyElseHolds) {
  PrefixIndex kept = index(100);
  auto held = keep(kept, content(2 * kPage, 1));
  keep(kept, content(3 * kPage, 2));
  const int64_t page = pages_->page_bytes();
  EXPECT_EQ(pages_->bytes_in_use(), 5 * page);
  EXPECT_EQ(kept.drop(1), page);
  EXPECT_EQ(pages_->bytes_in_use(), 4 * page);
  EXPECT_EQ(kept.drop(100 * page), 2 * page);
  EXPECT_EQ(kept.find(content(2 * kPage, 1)).rows, 2 * kPage);
  held.clear();
  EXPECT_EQ(kept.drop(100 * page), 2 * page);
  EXPECT_EQ(pages_->bytes_in_use(), 0);
  EXPECT_EQ(kept.drop(1), 0);
}

// A page is kept once, so that it is free once nobody reads it.
TEST_F(Index, ABeginningOfAKnownPageIsNoPageOfItsOwn) {
  PrefixIndex kept = index(100);
  auto held = keep(kept, content(2 * kPage));
  kept.keep(content(kPage + 5), kPage + 5, held);
  EXPECT_EQ(kept.bytes(), 2 * pages_->page_bytes());
  kept.keep(content(2 * kPage, 3, kPage + 5), kPage + 5, held);
  EXPECT_EQ(kept.bytes(), 2 * pages_->page_bytes());
  held.clear();
  EXPECT_EQ(kept.drop(100 * pages_->page_bytes()), 2 * pages_->page_bytes());
}

TEST_F(Index, IsWholeWhereverMemoryRunsOut) {
  bool happened = true;
  for (int64_t good = 0; happened; ++good) {
    PrefixIndex kept = index(6);
    keep(kept, content(3 * kPage + 4, 1));
    KvSequence sequence(pages_);
    ASSERT_TRUE(sequence.grow(4 * kPage));
    const SequenceContent longer = content(4 * kPage, 2, kPage + 3, {mark(kPage + 5, 1)});
    {
      const test::AllocationFault fault(good);
      try {
        kept.keep(longer, 4 * kPage, sequence.pages());
      } catch (const std::bad_alloc&) {
      }
      happened = fault.happened();
    }
    EXPECT_LE(kept.bytes(), 6 * pages_->page_bytes());
    keep(kept, longer);
    EXPECT_EQ(kept.find(longer).rows, 4 * kPage);
    keep(kept, content(9 * kPage, 3));
    EXPECT_EQ(kept.find(content(9 * kPage, 3)).rows, 6 * kPage);
    sequence.shrink(0);
    EXPECT_EQ(kept.drop(100 * pages_->page_bytes()), 6 * pages_->page_bytes()) << good;
    EXPECT_EQ(kept.bytes(), 0);
    EXPECT_EQ(pages_->bytes_in_use(), 0);
  }
}

TEST_F(Index, WhatWasFoundStaysThoughItLeaves) {
  PrefixIndex kept = index(1);
  keep(kept, content(kPage, 1));
  const auto match = kept.find(content(kPage, 1));
  keep(kept, content(kPage, 2));
  EXPECT_EQ(kept.find(content(kPage, 1)).rows, 0);
  EXPECT_EQ(pages_->bytes_in_use(), 2 * pages_->page_bytes());
}

TEST_F(Index, ServesSeveralThreads) {
  PrefixIndex kept = index(6);
  std::vector<std::jthread> threads;
  for (int32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int32_t i = 0; i < 200; ++i) {
        const auto one = content(kPage + i % 20, (t + i) % 6);
        EXPECT_LE(kept.find(one).rows, std::ssize(one.ids));
        keep(kept, one);
        if (i % 9 == 0) kept.drop(pages_->page_bytes());
      }
    });
  threads.clear();
  EXPECT_LE(kept.bytes(), 6 * pages_->page_bytes());
}

}  // namespace
}  // namespace galago
