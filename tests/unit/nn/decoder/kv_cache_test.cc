// Pages that come and go, sequences that grow by them and share them, and what each position holds.
#include "nn/decoder/kv_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "support/fixtures.h"
#include "support/kv_rows.h"

namespace galago {
namespace {

constexpr KvShape kSmall{.layers = 2, .width = 3};
constexpr int64_t kPage = kPagePositions;
constexpr int64_t kPageBytes = 2 * 2 * 3 * 4 * kPage;

std::shared_ptr<KvPages> pages_of(int64_t most = 0) {
  return std::make_shared<KvPages>(kSmall, most * kPageBytes);
}

KvSequence grown(const std::shared_ptr<KvPages>& pages, int64_t positions) {
  KvSequence sequence(pages);
  EXPECT_TRUE(sequence.grow(positions));
  return sequence;
}

std::vector<std::shared_ptr<KvPage>> copy(std::span<const std::shared_ptr<KvPage>> pages) {
  return {pages.begin(), pages.end()};
}

// Writes a pattern into positions [begin, end) of every layer, and looks whether it is there.
void fill(KvSequence& sequence, int64_t begin, int64_t end, float mark) {
  for (int64_t layer = 0; layer < 2; ++layer)
    for (int64_t p = begin; p < end; ++p) {
      const float at = mark + static_cast<float>(1000 * layer + 10 * p);
      const float key[] = {at, at + 1, at + 2}, value[] = {-at, -at - 1, -at - 2};
      test::store(sequence, layer, p, key, value);
    }
}

bool holds(const KvSequence& sequence, int64_t begin, int64_t end, float mark) {
  bool same = true;
  for (int64_t layer = 0; layer < 2; ++layer)
    for (int64_t p = begin; p < end; ++p) {
      const test::KvRow row = test::row_of(sequence, layer, p);
      for (int64_t c = 0; c < 3; ++c) {
        const float at = mark + static_cast<float>(1000 * layer + 10 * p + c);
        same &= reinterpret_cast<const float*>(row.key)[c] == at &&
                reinterpret_cast<const float*>(row.value)[c] == -at;
      }
    }
  return same;
}

TEST(KvPages, AreCountedAndLimited) {
  KvPages pages(kSmall, 2 * kPageBytes + 1);
  EXPECT_EQ(pages.page_bytes(), kPageBytes);
  EXPECT_EQ(pages.bytes_in_use(), 0);
  auto a = pages.take(), b = pages.take();
  ASSERT_TRUE(a && b);
  EXPECT_NE(a->data(), b->data());
  EXPECT_EQ(pages.bytes_in_use(), 2 * kPageBytes);
  EXPECT_EQ(pages.take(), nullptr);
  const std::byte* const where = a->data();
  auto again = a;
  a.reset();
  EXPECT_EQ(pages.take(), nullptr) << "somebody still holds it";
  again.reset();
  EXPECT_EQ(pages.bytes_in_use(), kPageBytes);
  a = pages.take();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->data(), where) << "the memory is used again";
  EXPECT_EQ(pages.bytes(), 2 * kPageBytes);
  EXPECT_EQ(KvPages(kSmall, kPageBytes - 1).take(), nullptr);
}

TEST(KvPages, DoNotOverlap) {
  KvPages pages(kSmall);
  std::vector<std::shared_ptr<KvPage>> taken;
  for (int i = 0; i < 100; ++i) {
    taken.push_back(pages.take());
    std::fill_n(taken.back()->data(), kPageBytes, static_cast<std::byte>(i));
  }
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(std::count(taken[static_cast<size_t>(i)]->data(),
                         taken[static_cast<size_t>(i)]->data() + kPageBytes, static_cast<std::byte>(i)),
              kPageBytes);
}

TEST(KvPages, ThatNobodyHoldsAreKeptUpToABoundAndOtherwiseGivenBack) {
  constexpr KvShape kLarge{.layers = 16, .width = 1024};  // 2 MiB a page
  KvPages pages(kLarge);
  std::vector<std::shared_ptr<KvPage>> taken;
  for (int i = 0; i < 100; ++i) taken.push_back(pages.take());
  EXPECT_GE(pages.bytes(), 100 * pages.page_bytes());
  EXPECT_LE(pages.bytes(), 100 * pages.page_bytes() + (32 << 20)) << "no more ahead of use than a block";
  taken.clear();
  EXPECT_EQ(pages.bytes_in_use(), 0);
  EXPECT_GE(pages.bytes(), 32 << 20);
  EXPECT_LE(pages.bytes(), (64 + 32) << 20);
}

TEST(KvPages, MayBeHeldLongerThanTheirSource) {
  std::shared_ptr<KvPage> page;
  {
    KvPages pages(kSmall);
    page = pages.take();
  }
  std::fill_n(page->data(), kPageBytes, std::byte{7});
  EXPECT_EQ(page->data()[kPageBytes - 1], std::byte{7});
}

TEST(KvPages, ServeSeveralThreads) {
  constexpr int kThreads = 4;
  KvPages pages(kSmall, 10 * kPageBytes);
  std::latch all_here(kThreads);
  std::atomic<bool> mixed_up = false;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      all_here.arrive_and_wait();
      for (int i = 0; i < 200'000; ++i) {
        const auto one = pages.take(), other = pages.take();
        for (const auto& page : {one, other})
          if (page) *reinterpret_cast<volatile int*>(page->data()) = t;
        for (const auto& page : {one, other})
          if (page && *reinterpret_cast<volatile int*>(page->data()) != t) mixed_up = true;
      }
    });
  threads.clear();
  EXPECT_FALSE(mixed_up);
  EXPECT_EQ(pages.bytes_in_use(), 0);
  EXPECT_LE(pages.bytes(), 10 * kPageBytes);
}

TEST(KvSequence, GrowsByPages) {
  const auto pages = pages_of();
  KvSequence sequence(pages);
  EXPECT_EQ(sequence.capacity(), 0);
  EXPECT_EQ(sequence.bytes(), 0);
  for (const auto& [positions, expected] :
       {std::pair<int64_t, int64_t>{0, 0}, {1, 1}, {kPage, 1}, {kPage + 1, 2}, {5, 2}, {4 * kPage, 4}}) {
    ASSERT_TRUE(sequence.grow(positions));
    EXPECT_EQ(sequence.capacity(), expected * kPage);
    EXPECT_EQ(std::ssize(sequence.pages()), expected);
    EXPECT_EQ(sequence.bytes(), expected * kPageBytes);
    EXPECT_EQ(pages->bytes_in_use(), expected * kPageBytes);
  }
  fill(sequence, 0, 4 * kPage, 1);
  EXPECT_TRUE(holds(sequence, 0, 4 * kPage, 1));
  sequence.set_length(4 * kPage);
  sequence.shrink(kPage + 1);
  EXPECT_EQ(sequence.length(), kPage + 1);
  EXPECT_EQ(sequence.capacity(), 2 * kPage);
  EXPECT_EQ(pages->bytes_in_use(), 2 * kPageBytes);
  EXPECT_TRUE(holds(sequence, 0, 2 * kPage, 1));
}

TEST(KvSequence, ThatCannotGrowStaysAsItWas) {
  const auto pages = pages_of(5);
  KvSequence first = grown(pages, kPage + 1);
  fill(first, 0, 2 * kPage, 1);
  first.set_length(kPage + 1);
  KvSequence second(pages, copy(first.pages()), kPage + 1);
  KvSequence third = grown(pages, 2 * kPage);
  EXPECT_FALSE(second.grow(4 * kPage)) << "a copy and two more are one too many";
  EXPECT_EQ(second.capacity(), 2 * kPage);
  EXPECT_EQ(second.length(), kPage + 1);
  EXPECT_FALSE(second.owns(kPage));
  EXPECT_TRUE(holds(second, 0, kPage + 1, 1));
  EXPECT_EQ(pages->bytes_in_use(), 4 * kPageBytes);
  EXPECT_TRUE(second.grow(2 * kPage));
  EXPECT_FALSE(third.grow(2 * kPage + 1));
  EXPECT_TRUE(third.grow(kPage)) << "nothing is needed";
}

TEST(KvSequence, BeginsWithPagesOfAnotherAndCopiesTheLastOneWhenItGrows) {
  const auto pages = pages_of();
  KvSequence first = grown(pages, 3 * kPage);
  fill(first, 0, 3 * kPage, 1);
  first.set_length(3 * kPage);
  KvSequence second(pages, copy(first.pages()), kPage + 3);
  EXPECT_EQ(second.length(), kPage + 3);
  EXPECT_EQ(second.capacity(), 2 * kPage) << "what is behind is dropped";
  EXPECT_EQ(pages->bytes_in_use(), 3 * kPageBytes) << "nothing is copied yet";
  EXPECT_FALSE(second.owns(kPage + 3));
  EXPECT_FALSE(first.owns(kPage + 3));

  ASSERT_TRUE(second.grow(kPage + 4));
  EXPECT_EQ(pages->bytes_in_use(), 4 * kPageBytes);
  EXPECT_EQ(second.pages()[0], first.pages()[0]) << "a full page stays common";
  EXPECT_NE(second.pages()[1], first.pages()[1]);
  EXPECT_TRUE(second.owns(kPage + 3));
  EXPECT_TRUE(first.owns(kPage + 3));
  EXPECT_TRUE(holds(second, 0, kPage + 3, 1));
  fill(second, kPage + 3, 2 * kPage, 5);
  EXPECT_TRUE(holds(first, 0, 3 * kPage, 1));
  EXPECT_TRUE(holds(second, kPage, kPage + 3, 1));
  EXPECT_TRUE(holds(second, kPage + 3, 2 * kPage, 5));
  const std::byte* const own = second.pages()[1]->data();
  ASSERT_TRUE(second.grow(kPage + 5));
  EXPECT_EQ(second.pages()[1]->data(), own) << "it is its own already";
}

TEST(KvSequence, WhoseOwnPageOthersTookCopiesItToo) {
  const auto pages = pages_of();
  KvSequence first = grown(pages, kPage);
  fill(first, 0, kPage, 1);
  first.set_length(4);
  const KvSequence second = first;
  ASSERT_TRUE(first.grow(6));
  fill(first, 4, 6, 7);
  EXPECT_TRUE(holds(second, 0, kPage, 1));
  EXPECT_TRUE(holds(first, 0, 4, 1));
  EXPECT_TRUE(holds(first, 4, 6, 7));
}

// Set back to before pages that are common: all that may be written are its own.
TEST(KvSequence, SetBackOwnsAllItsPagesFromThereOn) {
  const auto pages = pages_of();
  KvSequence first = grown(pages, 4 * kPage);
  fill(first, 0, 4 * kPage, 1);
  first.set_length(4 * kPage);
  const KvSequence second = first;
  first.set_length(kPage + 1);
  ASSERT_TRUE(first.grow(3 * kPage));
  EXPECT_FALSE(first.owns(kPage - 1));
  for (const int64_t position : {kPage + 1, 2 * kPage, 3 * kPage - 1}) EXPECT_TRUE(first.owns(position));
  EXPECT_FALSE(first.owns(3 * kPage));
  fill(first, kPage + 1, 3 * kPage, 9);
  EXPECT_TRUE(holds(second, 0, 4 * kPage, 1));
  EXPECT_TRUE(holds(first, 0, kPage + 1, 1));
}

TEST(KvSequence, SharesAtFullPagesWithoutACopy) {
  const auto pages = pages_of();
  KvSequence first = grown(pages, 2 * kPage);
  first.set_length(2 * kPage);
  KvSequence second(pages, copy(first.pages()), 2 * kPage);
  ASSERT_TRUE(second.grow(2 * kPage + 1));
  EXPECT_EQ(pages->bytes_in_use(), 3 * kPageBytes);
  EXPECT_EQ(second.pages()[1], first.pages()[1]);
  EXPECT_TRUE(second.owns(2 * kPage));
}

TEST(KvSequence, RefusesMorePositionsThanTheSharedPagesHave) {
  const auto pages = pages_of();
  const KvSequence first = grown(pages, kPage);
  const Error error = test::error_of([&] { KvSequence(pages, copy(first.pages()), kPage + 1); });
  EXPECT_EQ(error.code(), ErrorCode::internal);
}

TEST(KvCache, KeepsSequencesAndLayersApart) {
  KvCache cache(pages_of());
  EXPECT_EQ(cache.add(4), 0);
  EXPECT_EQ(cache.add(kPage + 7), 1);
  EXPECT_EQ(cache.sequences(), 2);
  EXPECT_EQ(cache.at(0).capacity(), kPage);
  EXPECT_EQ(cache.at(1).capacity(), 2 * kPage);
  EXPECT_EQ(cache.pages()->bytes_in_use(), 3 * kPageBytes);
  fill(cache.at(0), 0, 4, 1);
  fill(cache.at(1), 0, kPage + 7, 5000);
  EXPECT_TRUE(holds(cache.at(0), 0, 4, 1));
  EXPECT_TRUE(holds(cache.at(1), 0, kPage + 7, 5000));
  EXPECT_EQ(cache.length(0), 0);
  cache.at(1).set_length(3);
  EXPECT_EQ(cache.length(0), 0);
  EXPECT_EQ(cache.length(1), 3);
}

TEST(KvCache, SequencesComeAndGoWhileTheOthersStay) {
  KvCache cache(pages_of());
  for (int64_t s = 0; s < 3; ++s) fill(cache.at(cache.add(4)), 0, 4, static_cast<float>(5000 * s));
  const std::byte* const where = cache.at(2).pages()[0]->data();
  {
    const KvSequence taken = cache.remove(1);
    EXPECT_TRUE(holds(taken, 0, 4, 5000));
    EXPECT_FALSE(cache.has(1));
    EXPECT_FALSE(cache.has(3));
    EXPECT_FALSE(cache.has(-1));
    EXPECT_EQ(cache.pages()->bytes_in_use(), 3 * kPageBytes);
  }
  EXPECT_EQ(cache.pages()->bytes_in_use(), 2 * kPageBytes);
  EXPECT_EQ(cache.add(9), 1) << "the lowest free number";
  EXPECT_EQ(cache.add(1), 3);
  EXPECT_EQ(cache.length(1), 0);
  EXPECT_EQ(cache.at(2).pages()[0]->data(), where);
  EXPECT_TRUE(holds(cache.at(0), 0, 4, 0));
  EXPECT_TRUE(holds(cache.at(2), 0, 4, 10000));
}

TEST(KvCache, SaysSoWhenThereIsNoRoom) {
  KvCache cache(pages_of(1));
  EXPECT_EQ(test::error_of([&] { cache.add(kPage + 1); }).code(), ErrorCode::resource);
  EXPECT_EQ(cache.add(kPage), 0);
}

}  // namespace
}  // namespace galago
