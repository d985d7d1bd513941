// A folder that appears whole or not at all.
#include "io/atomic_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/files.h"
#include "support/fixtures.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::read_bytes;
using test::TempDir;
using testing::HasSubstr;

void write(const fs::path& file, const std::string& text) {
  write_file_atomically(file, std::as_bytes(std::span(text)));
}

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(AtomicDirectory, AppearsAtCommit) {
  const TempDir parent;
  const fs::path folder = parent.path() / "new";
  AtomicDirectory out(folder, Existing::refuse);
  write(out.file("a"), "first");
  write(out.file("b"), "second");
  EXPECT_FALSE(fs::exists(folder));
  out.commit();
  EXPECT_EQ(read_bytes(folder / "a"), "first");
  EXPECT_EQ(read_bytes(folder / "b"), "second");
  EXPECT_EQ(entries(parent.path()), 1U);
}

TEST(AtomicDirectory, LeavesNothingWithoutCommit) {
  const TempDir parent;
  {
    AtomicDirectory out(parent.path() / "new", Existing::refuse);
    write(out.file("a"), "first");
  }
  EXPECT_EQ(entries(parent.path()), 0U);
}

TEST(AtomicDirectory, IsNotStoppedByWhatAnotherWithThisProcessIdLeft) {
  const TempDir parent;
  const std::string prefix = ".galago-" + std::to_string(::getpid()) + "-";
  for (int i = 0; i < 200; ++i) fs::create_directory(parent.path() / (prefix + std::to_string(i) + ".tmp"));
  AtomicDirectory out(parent.path() / "new", Existing::refuse);
  write(out.file("a"), "first");
  out.commit();
  EXPECT_EQ(read_bytes(parent.path() / "new/a"), "first");
}

TEST(AtomicDirectory, TakesAnEmptyFolderALinkAndATrailingSeparator) {
  const TempDir parent;
  fs::create_directory(parent.path() / "empty");
  fs::create_directory_symlink("empty", parent.path() / "link");
  AtomicDirectory out(parent.path() / "link/", Existing::refuse);
  write(out.file("a"), "first");
  out.commit();
  EXPECT_TRUE(fs::is_symlink(parent.path() / "link"));
  EXPECT_EQ(read_bytes(parent.path() / "empty/a"), "first");
}

TEST(AtomicDirectory, ReplacesOnlyWhenAllowedAndOnlyItsOwnFiles) {
  const TempDir parent;
  const fs::path folder = parent.path() / "full";
  fs::create_directory(folder);
  write(folder / "a", "old");
  write(folder / "mine", "kept");
  const Error error = error_of([&] { AtomicDirectory(folder, Existing::refuse); });
  EXPECT_EQ(error.code(), ErrorCode::output_io);
  EXPECT_THAT(error.hint(), HasSubstr("--force"));
  {
    AtomicDirectory out(folder, Existing::replace);
    write(out.file("a"), "new");
    EXPECT_EQ(read_bytes(folder / "a"), "old");
    out.commit();
  }
  EXPECT_EQ(read_bytes(folder / "a"), "new");
  EXPECT_EQ(read_bytes(folder / "mine"), "kept");
  EXPECT_EQ(entries(parent.path()), 1U);
}

TEST(AtomicDirectory, ReplacingKeepsFoldersLinksAndPermissions) {
  const TempDir parent;
  const fs::path folder = parent.path() / "full";
  fs::create_directories(folder / "deep/deeper");
  write(folder / "a", "old");
  write(folder / "deep/deeper/mine", "kept");
  fs::create_symlink("a", folder / "link");
  fs::permissions(folder, fs::perms::owner_all);
  {
    AtomicDirectory out(folder, Existing::replace);
    write(out.file("a"), "new");
    write(out.file("b"), "new too");
    out.commit();
  }
  EXPECT_EQ(read_bytes(folder / "link"), "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_bytes(folder / "b"), "new too");
  EXPECT_EQ(read_bytes(folder / "deep/deeper/mine"), "kept");
  EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  EXPECT_EQ(entries(parent.path()), 1U);
}

TEST(AtomicDirectory, RemovesWhatNobodyWritesAnyMore) {
  const TempDir parent;
  AtomicDirectory written(parent.path() / "one", Existing::refuse);
  write(written.file("a"), "first");
  AtomicFile file(parent.path() / "file");
  fs::create_directories(parent.path() / ".galago-12-34.tmp/deep");
  write(parent.path() / ".galago-56-78.tmp", "left");
  write(parent.path() / ".galago-notes.tmp", "not ours");
  fs::create_symlink("one", parent.path() / ".galago-9-9.tmp");
  AtomicDirectory next(parent.path() / "two", Existing::refuse);
  EXPECT_FALSE(fs::exists(parent.path() / ".galago-12-34.tmp"));
  EXPECT_FALSE(fs::exists(parent.path() / ".galago-56-78.tmp"));
  EXPECT_TRUE(fs::exists(parent.path() / ".galago-notes.tmp"));
  EXPECT_TRUE(fs::is_symlink(parent.path() / ".galago-9-9.tmp"));
  file.write(std::as_bytes(std::span("text", 4)));
  file.commit();
  written.commit();
  next.commit();
  EXPECT_EQ(read_bytes(parent.path() / "one/a"), "first");
  EXPECT_EQ(read_bytes(parent.path() / "file"), "text");
}

TEST(AtomicDirectory, AFolderFilledMeanwhileIsKept) {
  const TempDir parent;
  const fs::path folder = parent.path() / "new";
  AtomicDirectory out(folder, Existing::refuse);
  write(out.file("a"), "ours");
  fs::create_directory(folder);
  write(folder / "a", "theirs");
  EXPECT_EQ(error_of([&] { out.commit(); }).code(), ErrorCode::output_io);
  EXPECT_EQ(read_bytes(folder / "a"), "theirs");
}

TEST(AtomicDirectory, PlacesThatCannotBeWritten) {
  const TempDir parent;
  write(parent.path() / "file", "x");
  fs::create_directory_symlink("loop", parent.path() / "loop");
  using namespace std::string_literals;
  for (const std::string& path :
       {""s, "/"s, parent.file("file"), parent.file("file/under"), parent.file("no/such/parent"),
        parent.file("loop"), parent.file(std::string(300, 'n')), parent.file("nul\0inside"s),
        "/proc/self/new"s}) {
    const Error error = error_of([&] {
      AtomicDirectory out(path, Existing::refuse);
      out.commit();
    });
    EXPECT_EQ(error.code(), ErrorCode::output_io) << path;
  }
}

}  // namespace
}  // namespace galago
