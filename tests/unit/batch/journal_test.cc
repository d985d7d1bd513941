// What survives: every length that a journal can be cut to, every byte of it that can be another one.
#include "batch/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>

#include "support/fixtures.h"

namespace galago::batch {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::read_bytes;
using test::TempDir;
using testing::HasSubstr;

constexpr const char* kManifest = R"({"model":"m","request":{"prompt":"What?","n":3}})";

std::string text_of(int64_t index) { return "{\"id\":\"" + std::to_string(index) + "\"}"; }

void add(Journal& journal, int64_t index, bool failed = false) {
  journal.add({.index = index,
               .identity = short_digest(std::to_string(index)),
               .failed = failed,
               .record = text_of(index)});
}

/// A journal of five items, two of them in another order.
fs::path written(const TempDir& folder) {
  const fs::path path = folder.file("out.journal");
  Journal journal(path, kManifest, Journal::Begin::resume);
  for (const int64_t i : {0, 2, 1, 3, 4}) add(journal, i, i == 3);
  journal.sync();
  return path;
}

/// Every record that it has is the right one; how many there are.
int64_t checked(const Journal& journal) {
  int64_t count = 0;
  for (int64_t i = 0; i < journal.items(); ++i) {
    if (!journal.has(i)) continue;
    ++count;
    EXPECT_EQ(journal.record(i), text_of(i));
    EXPECT_EQ(journal.identity(i), short_digest(std::to_string(i)));
  }
  EXPECT_EQ(count, journal.records());
  return count;
}

TEST(Journal, GivesBackWhatItWasGiven) {
  const TempDir folder;
  const Journal journal(written(folder), kManifest, Journal::Begin::resume);
  EXPECT_TRUE(journal.resumed());
  EXPECT_EQ(checked(journal), 5);
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(journal.failed(i), i == 3);
}

TEST(Journal, CutAnywhereHasTheRecordsThatAreWholeAndGoesOn) {
  const TempDir folder;
  const std::string whole = read_bytes(written(folder));
  for (size_t length = 0; length <= whole.size(); ++length) {
    const fs::path path = folder.file("cut");
    folder.add("cut", whole.substr(0, length));
    const auto lines = std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length), '\n');
    {
      Journal journal(path, kManifest, Journal::Begin::resume);
      EXPECT_EQ(journal.resumed(), lines > 0) << length;
      EXPECT_EQ(checked(journal), std::max<int64_t>(0, lines - 1)) << length;
      for (int64_t i = 0; i < 5; ++i)
        if (!journal.has(i)) add(journal, i);
    }
    EXPECT_EQ(checked(Journal(path, kManifest, Journal::Begin::resume)), 5) << length;
  }
}

TEST(Journal, AnItemThatFailedMayBecomeSeveral) {
  const TempDir folder;
  const fs::path path = written(folder);
  const auto expect = [](const Journal& journal, bool filled) {
    EXPECT_EQ(journal.items(), 7);
    EXPECT_EQ(journal.records(), filled ? 7 : 4);
    for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(journal.record(i), text_of(i));
    EXPECT_EQ(journal.record(6), text_of(4));
    for (int64_t i = 3; i < 6; ++i) EXPECT_EQ(journal.has(i), filled);
  };
  {
    Journal journal(path, kManifest, Journal::Begin::resume);
    journal.widen(3, 3);
    expect(journal, false);
  }
  {
    Journal journal(path, kManifest, Journal::Begin::resume);
    expect(journal, false);
    for (const int64_t i : {4, 3, 5}) add(journal, i);
    expect(journal, true);
  }
  expect(Journal(path, kManifest, Journal::Begin::resume), true);
  // A line like that for an answer, for no item or for far too many means nothing.
  const auto sealed = [](const std::string& text) {
    char digits[20];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(short_digest(text)));
    return std::string(digits) + " " + text + "\n";
  };
  const std::string whole = read_bytes(path);
  for (const char* line : {"0 0000000000000000 2 3", "90 0000000000000000 2 3", "4 0000000000000000 2 3",
                           "3 0000000000000000 2 99999999999", "3 0000000000000000 2 x"}) {
    folder.add("odd", whole + sealed(line));
    expect(Journal(folder.file("odd"), kManifest, Journal::Begin::resume), true);
  }
}

TEST(Journal, WithAByteChangedLosesTheRecordsOfThatByteAlone) {
  const TempDir folder;
  const std::string whole = read_bytes(written(folder));
  const size_t header = whole.find('\n') + 1;
  for (size_t at = 0; at < whole.size(); ++at)
    for (const int change : {1, 0x10, 0x80, whole[at] ^ '\n', whole[at] ^ ' '}) {
      if (change == 0) continue;
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      folder.add("flipped", bytes);
      const fs::path path = folder.file("flipped");
      if (at < header) {
        const Error error = error_of([&] { Journal(path, kManifest, Journal::Begin::resume); });
        EXPECT_EQ(error.code(), ErrorCode::input_invalid) << at;
        EXPECT_EQ(read_bytes(path), bytes) << "nothing is written";
        continue;
      }
      Journal journal(path, kManifest, Journal::Begin::resume);
      EXPECT_GE(checked(journal), 3) << at;  // a line end joins two
      EXPECT_LE(checked(journal), 4) << at;
      for (int64_t i = 0; i < 5; ++i)
        if (!journal.has(i)) add(journal, i);
      EXPECT_EQ(checked(journal), 5);
    }
}

TEST(Journal, BeginsAnewBehindZerosThatAPowerFailureLeft) {
  const TempDir folder;
  folder.add("zeros", std::string(5000, '\0'));
  Journal journal(folder.file("zeros"), kManifest, Journal::Begin::resume);
  EXPECT_FALSE(journal.resumed());
  add(journal, 0);
  const std::string half = read_bytes(written(folder)) + std::string(4096, '\0');
  folder.add("tail", half);
  EXPECT_EQ(checked(Journal(folder.file("tail"), kManifest, Journal::Begin::resume)), 5);
}

TEST(Journal, OfAnItemThatFailedTheAnswerCounts) {
  const TempDir folder;
  const fs::path path = written(folder);
  {
    Journal journal(path, kManifest, Journal::Begin::resume);
    journal.add({.index = 3, .identity = short_digest("3"), .failed = true, .record = "{\"second\":0}"});
    EXPECT_EQ(journal.record(3), "{\"second\":0}");
    add(journal, 3);
    EXPECT_EQ(checked(journal), 5);
  }
  const std::string whole = read_bytes(path);
  const Journal journal(path, kManifest, Journal::Begin::resume);
  EXPECT_EQ(checked(journal), 5);
  EXPECT_FALSE(journal.failed(3));
  folder.add("cut", whole.substr(0, whole.size() - 2));
  const Journal cut(folder.file("cut"), kManifest, Journal::Begin::resume);
  EXPECT_EQ(cut.record(3), "{\"second\":0}") << "half of the answer: the error before it";
  EXPECT_TRUE(cut.failed(3));
}

/// A line as the journal writes it, of an item that no run would have come to.
std::string line_of(int64_t index) {
  const std::string text = std::to_string(index) + " 0 0 {}";
  char digest[17];
  std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(short_digest(text)));
  return std::string(digest) + " " + text + "\n";
}

TEST(Journal, ALineOfAnItemThatCannotBeTakesNoMemory) {
  const TempDir folder;
  const std::string five = read_bytes(written(folder));
  for (const int64_t index : {int64_t{2} << 20, int64_t{1} << 39, int64_t{1} << 62}) {
    folder.add("far.journal", five + line_of(index) + line_of(5));
    const Journal journal(folder.file("far.journal"), kManifest, Journal::Begin::resume);
    EXPECT_EQ(journal.items(), 6) << index;
    EXPECT_EQ(journal.records(), 6) << index;
  }
}

TEST(Journal, RefusesAnotherRunAndWritesNothing) {
  const TempDir folder;
  const fs::path path = written(folder);
  const std::string before = read_bytes(path);
  const Error error = error_of(
      [&] { Journal(path, R"({"model":"m","request":{"prompt":"Why?","n":3}})", Journal::Begin::resume); });
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_THAT(error.what(), HasSubstr("request.prompt \"Why?\""));
  EXPECT_THAT(error.what(), HasSubstr("\"What?\""));
  EXPECT_EQ(read_bytes(path), before);
}

TEST(Journal, LeavesAFileThatIsNoneAsItIs) {
  const TempDir folder;
  for (const std::string text : {"my notes", "my notes\nin two lines\n", "0123456789abcdefg"}) {
    folder.add("notes", text);
    const Error error = error_of([&] { Journal(folder.file("notes"), kManifest, Journal::Begin::resume); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
    EXPECT_EQ(read_bytes(folder.file("notes")), text);
  }
}

TEST(Journal, IsHeldByOne) {
  const TempDir folder;
  const fs::path path = written(folder);
  const Journal first(path, kManifest, Journal::Begin::resume);
  for (const auto how : {Journal::Begin::resume, Journal::Begin::restart})
    EXPECT_EQ(error_of([&] { Journal(path, kManifest, how); }).code(), ErrorCode::overloaded);
  EXPECT_EQ(checked(first), 5);
}

TEST(Journal, RestartForgets) {
  const TempDir folder;
  const fs::path path = written(folder);
  const Journal journal(path, R"({"model":"other"})", Journal::Begin::restart);
  EXPECT_FALSE(journal.resumed());
  EXPECT_EQ(journal.records(), 0);
}

}  // namespace
}  // namespace galago::batch
