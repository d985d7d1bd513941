// Reading, mapping and atomic writing of files: contents, limits, what is refused, what stays behind.
#include "io/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "support/temporary_files.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TemporaryDirectory;
using testing::HasSubstr;

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

size_t count_entries(const fs::path& directory) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

size_t open_descriptors() { return count_entries("/proc/self/fd"); }

TEST(ReadTextFile, ReadsWholeFilesUpToTheLimit) {
  const TemporaryDirectory directory;
  const fs::path file = directory.add("a.json", std::string_view("ab\0c", 4));
  EXPECT_EQ(read_text_file(file, 4), std::string("ab\0c", 4));
  EXPECT_EQ(read_text_file(directory.add("empty", ""), 0), "");
  const Error error = error_of([&] { read_text_file(file, 3); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("a.json: got at least 4 bytes, expected at most 3"));
}

TEST(ReadTextFile, RefusesTheSizeOfAHugeSparseFileBeforeReading) {
  const TemporaryDirectory directory;
  const fs::path file = directory.add("huge", "");
  ASSERT_EQ(::truncate(file.c_str(), int64_t{1} << 40), 0);
  const test::AllocationWatch watch;
  EXPECT_EQ(error_of([&] { read_text_file(file, 1 << 20); }).code(), ErrorCode::input_too_large);
  EXPECT_LT(watch.total(), 1 << 16);
}

// Bytes of mapped files that this process has in memory.
int64_t resident_files() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (int64_t kilobytes = 0; word == "RssFile:" && status >> kilobytes) return kilobytes * 1024;
  return 0;
}

char sum_of(std::span<const std::byte> bytes) {
  char sum = 0;
  for (const std::byte byte : bytes) sum = static_cast<char>(sum + static_cast<char>(byte));
  return sum;
}

TEST(MappedFile, GivesPagesBackAndReadsThemAgain) {
  constexpr int64_t kSize = 32 << 20;
  const TemporaryDirectory directory;
  std::string content(kSize, 'a');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * i / 4096);
  const MappedFile map(directory.add("big", content));
  const MappedFile other(directory.add("other", "x"));
  const char sum = sum_of(map.bytes());
  const int64_t touched = resident_files();

  other.release(map.bytes());  // not its own
  map.release({});
  map.release(map.bytes().subspan(1, 4000));  // no whole page
  EXPECT_GE(resident_files(), touched);
  map.release(map.bytes().subspan(1, kSize / 2));
  EXPECT_NEAR(static_cast<double>(touched - resident_files()), kSize / 2, 1 << 20);
  map.release({map.bytes().data() - 1, map.bytes().size() + 2});  // what lies outside stays
  EXPECT_LT(resident_files(), touched - kSize + (1 << 20));
  EXPECT_EQ(sum_of(map.bytes()), sum);
  EXPECT_EQ(std::memcmp(map.bytes().data(), content.data(), content.size()), 0);
  EXPECT_EQ(static_cast<char>(other.bytes()[0]), 'x');
}

TEST(ReadIfPresent, GivesNothingOnlyWhenThereIsNoFile) {
  const TemporaryDirectory directory;
  EXPECT_EQ(read_if_present(directory.add("a", "x"), 1), "x");
  EXPECT_EQ(read_if_present(directory.path() / "b", 1), std::nullopt);
  const fs::path circle = directory.path() / "circle";
  fs::create_symlink(circle, circle);
  EXPECT_EQ(error_of([&] { read_if_present(circle, 1); }).code(), ErrorCode::not_found);
  EXPECT_EQ(error_of([&] { read_if_present(directory.path(), 1); }).code(), ErrorCode::input_invalid);
}

TEST(ReadTextFile, SaysWhyAFileCannotBeRead) {
  const TemporaryDirectory directory;
  const Error missing = error_of([&] { read_text_file(directory.path() / "no.json", 10); });
  EXPECT_EQ(missing.code(), ErrorCode::not_found);
  EXPECT_THAT(missing.what(), HasSubstr("no.json: got No such file or directory"));
  EXPECT_EQ(error_of([&] { read_text_file(directory.path(), 10); }).code(), ErrorCode::input_invalid);
  EXPECT_EQ(error_of([&] { read_text_file("/dev/zero", 10); }).code(), ErrorCode::input_invalid);
  const fs::path below_file = directory.add("file", "x") / "y";
  EXPECT_EQ(error_of([&] { read_text_file(below_file, 10); }).code(), ErrorCode::not_found);
  const fs::path with_nul = directory.path() / std::string("file\0x", 6);
  EXPECT_EQ(error_of([&] { read_text_file(with_nul, 10); }).code(), ErrorCode::not_found);
  // A pipe without a writer would block an ordinary open for ever.
  const fs::path pipe = directory.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { read_text_file(pipe, 10); }).code(), ErrorCode::input_invalid);
}

TEST(MappedFile, MapsAndKeepsTheBytesWhileACopyLives) {
  const TemporaryDirectory directory;
  const fs::path file = directory.add("a.bin", "hello");
  std::optional<MappedFile> first(std::in_place, file);
  const MappedFile second = *first;
  first.reset();
  fs::remove(file);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(second.bytes().data()), 5), "hello");
  EXPECT_EQ(second.path(), file);
}

TEST(MappedFile, HandlesAnEmptyFile) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(MappedFile(directory.add("empty", "")).bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNotARegularFile) {
  const TemporaryDirectory directory;
  EXPECT_EQ(error_of([&] { MappedFile map(directory.path()); }).code(), ErrorCode::input_invalid);
  EXPECT_EQ(error_of([&] { MappedFile map(directory.path() / "no"); }).code(), ErrorCode::not_found);
}

TEST(MappedFile, LeaksNoDescriptor) {
  const TemporaryDirectory directory;
  const fs::path file = directory.add("a.bin", "hello");
  const size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    const MappedFile map(file);
    EXPECT_EQ(open_descriptors(), before);
    error_of([&] { MappedFile refused(directory.path()); });
    error_of([&] { read_text_file(file, 1); });
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(AtomicFile, ReplacesAFileAndLeavesNothingElse) {
  const TemporaryDirectory directory;
  const fs::path file = directory.add("out", "old");
  write_file_atomically(file, as_bytes("new content"));
  EXPECT_EQ(read_text_file(file, 100), "new content");
  write_file_atomically(file, {});
  EXPECT_EQ(read_text_file(file, 100), "");
  EXPECT_EQ(count_entries(directory.path()), 1u);
}

TEST(AtomicFile, ShowsNothingBeforeCommit) {
  const TemporaryDirectory directory;
  const fs::path file = directory.add("out", "old");
  {
    AtomicFile out(file);
    out.write(as_bytes("half"));
    EXPECT_EQ(read_text_file(file, 100), "old");
  }
  EXPECT_EQ(read_text_file(file, 100), "old");
  EXPECT_EQ(count_entries(directory.path()), 1u);
}

TEST(AtomicFile, WritesThroughASymbolicLink) {
  const TemporaryDirectory directory;
  const fs::path file = directory.add("real", "old");
  const fs::path link = directory.path() / "link";
  fs::create_symlink("real", link);
  write_file_atomically(link, as_bytes("new"));
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read_text_file(file, 100), "new");
}

TEST(AtomicFile, SaysWhyAFileCannotBeWritten) {
  const TemporaryDirectory directory;
  const Error missing = error_of([&] { write_file_atomically(directory.path() / "no" / "out", {}); });
  EXPECT_EQ(missing.code(), ErrorCode::output_io);
  EXPECT_THAT(missing.what(), HasSubstr("No such file or directory"));
  EXPECT_EQ(error_of([&] { write_file_atomically(directory.path(), {}); }).code(), ErrorCode::output_io);
  const fs::path loop = directory.path() / "loop";
  fs::create_symlink("loop", loop);
  const Error looped = error_of([&] { write_file_atomically(loop, {}); });
  EXPECT_EQ(looped.code(), ErrorCode::output_io);
  EXPECT_EQ(looped.where(), loop.string());
  // A device must not be replaced by a file of its name.
  EXPECT_EQ(error_of([&] { write_file_atomically("/dev/null", {}); }).code(), ErrorCode::output_io);
}

// Two containers have one process id each, 1: what one left must not stop the other.
TEST(AtomicFile, IsNotStoppedByWhatAnotherWithThisProcessIdLeft) {
  const TemporaryDirectory directory;
  const std::string prefix = ".galago-" + std::to_string(::getpid()) + "-";
  for (int i = 0; i < 200; ++i) directory.add(prefix + std::to_string(i) + ".tmp", "left");
  write_file_atomically(directory.path() / "out", as_bytes("new"));
  EXPECT_EQ(read_text_file(directory.path() / "out", 100), "new");
  EXPECT_EQ(count_entries(directory.path()), 201u);
}

TEST(AtomicFile, RemovesTheTemporaryFileWhenTheDiskIsFull) {
  const TemporaryDirectory directory;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string content(5000, 'x');
  const Error error = error_of([&] { write_file_atomically(directory.path() / "out", as_bytes(content)); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::output_io);
  EXPECT_THAT(error.what(), HasSubstr("File too large"));
  EXPECT_EQ(count_entries(directory.path()), 0u);
}

TEST(MappedFile, IsFoundByItsAddresses) {
  const TemporaryDirectory folder;
  const fs::path path = folder.add("mapped\n", std::string(10'000, 'x'));
  int elsewhere = 0;
  const std::byte* begin = nullptr;
  {
    const MappedFile file(path);
    begin = file.bytes().data();
    const MappedFile copy = file;
    EXPECT_STREQ(mapped_file_at(begin), ((folder.path() / "mapped").string() + "\\u000a").c_str());
    EXPECT_NE(mapped_file_at(begin + 9'999), nullptr);
    EXPECT_EQ(mapped_file_at(begin + 10'000), nullptr);
    EXPECT_EQ(mapped_file_at(&elsewhere), nullptr);
  }
  EXPECT_EQ(mapped_file_at(begin), nullptr);
  EXPECT_EQ(mapped_file_at(nullptr), nullptr);
}

}  // namespace
}  // namespace galago
