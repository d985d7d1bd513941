// Items from folders, patterns and lists: which there are and in which order.
#include "batch/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "batch/walk.h"
#include "support/fixtures.h"

namespace galago::batch {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TempDir;
using testing::ElementsAre;

std::vector<std::string> ids_of(Source& source) {
  std::vector<std::string> ids;
  while (auto item = source.next()) ids.push_back(item->id);
  return ids;
}

/// A file that is there, and perhaps the folder it is in.
void touch(const TempDir& folder, const std::string& name) {
  fs::create_directories(fs::path(folder.file(name)).parent_path());
  folder.add(name, "x");
}

class Folder : public testing::Test {
 protected:
  Folder() {
    for (const char* name : {"b.jpg", "a/z.PNG", "a/c/1.webp", "a.jpg", "a/.hidden.jpg", "notes.txt",
                             ".cache/x.jpg", "a/c.jpeg", "B.gif"})
      touch(folder_, name);
  }
  std::vector<std::string> below(const std::vector<std::string>& names) const {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(folder_.file(name));
    return paths;
  }
  TempDir folder_;
};

TEST_F(Folder, GivesItsPicturesInOrder) {
  const auto source = open_source({folder_.path()});
  EXPECT_EQ(source->total(), 6);
  EXPECT_EQ(ids_of(*source), below({"B.gif", "a.jpg", "a/c.jpeg", "a/c/1.webp", "a/z.PNG", "b.jpg"}));
}

TEST_F(Folder, FollowsNoLinksToFoldersButThoseToFiles) {
  fs::create_directory_symlink(folder_.path(), folder_.path() / "a/loop");
  fs::create_symlink("b.jpg", folder_.path() / "link.jpg");
  const auto source = open_source({folder_.path()});
  EXPECT_EQ(ids_of(*source).back(), folder_.file("link.jpg"));
  EXPECT_EQ(source->total(), 7);
}

TEST_F(Folder, IsAPattern) {
  const auto matching = [&](const std::string& pattern) {
    return ids_of(*open_source({folder_.file(pattern)}));
  };
  EXPECT_EQ(matching("*.jpg"), below({"a.jpg", "b.jpg"}));
  EXPECT_EQ(matching("**/*.jp*g"), below({"a.jpg", "a/c.jpeg", "b.jpg"}));
  EXPECT_EQ(matching("a/**/[0-9].webp"), below({"a/c/1.webp"}));
  EXPECT_EQ(matching("[!b]*.txt"), below({"notes.txt"}));
}

TEST_F(Folder, SaysWhenThereIsNothing) {
  fs::create_directory(folder_.path() / "empty");
  for (const char* name : {"empty", "*.bmp", "missing/*.jpg"})
    EXPECT_EQ(error_of([&] { open_source({folder_.file(name)}); }).code(), ErrorCode::not_found) << name;
  EXPECT_EQ(error_of([] { open_source({}); }).code(), ErrorCode::usage);
}

TEST(Pattern, Matches) {
  EXPECT_TRUE(matches("*", "a.jpg"));
  EXPECT_FALSE(matches("*", "a/b.jpg"));
  EXPECT_TRUE(matches("**", "a/b.jpg"));
  EXPECT_TRUE(matches("**/b", "b"));
  EXPECT_TRUE(matches("a/**/b", "a/x/y/b"));
  EXPECT_FALSE(matches("a/**/b", "a/x/y/c"));
  EXPECT_TRUE(matches("[a-c]?[!x]", "bzy"));
  EXPECT_FALSE(matches("[a-c]?[!x]", "bzx"));
  EXPECT_TRUE(matches("[]]", "]"));
  EXPECT_TRUE(matches("a[", "a["));
  EXPECT_FALSE(matches("", "a"));
  const std::string many = std::string(2000, 'a');
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*b", many)) << "and takes no time";
}

TEST(List, HasALineForEachPicture) {
  const TempDir folder;
  folder.add("list.txt", "a.jpg\r\n\nb c.png\n" + std::string("x\0y.jpg\n", 8) + "\xff.jpg\nlast.gif");
  const auto source = open_source({folder.file("list.txt")});
  EXPECT_THAT(ids_of(*source),
              ElementsAre("a.jpg", "b c.png", std::string("x\0y.jpg", 7), "\xff.jpg", "last.gif"));
}

TEST(List, ThatIsEmptyIsRefusedAsAFolderWithoutPicturesIs) {
  const TempDir folder;
  for (const char* name : {"list.txt", "q.jsonl"})
    EXPECT_EQ(error_of([&] { open_source({folder.add(name, "")}); }).code(), ErrorCode::not_found) << name;
}

TEST(List, OfALineThatIsTooLongSaysSoAndGoesOn) {
  const TempDir folder;
  folder.add("list.txt", std::string(65 << 20, 'a') + "\nb.jpg\n");
  const auto source = open_source({folder.file("list.txt")});
  const auto item = source->next();
  ASSERT_TRUE(item);
  EXPECT_EQ(error_of([&] { item->request({}); }).code(), ErrorCode::input_too_large);
  EXPECT_THAT(ids_of(*source), ElementsAre("b.jpg"));
}

TEST(Word, ThatIsNoPictureIsAnErrorOfItsItem) {
  const TempDir folder;
  const std::string gone = folder.add("gone.jpg", "x");
  const auto source = open_source({"https://example.org/a.jpg", "data:image/png;base64,AA", gone});
  EXPECT_EQ(source->total(), 3);
  EXPECT_EQ(error_of([&] { open_source({gone})->next()->request({}); }).got(), "no question");
  fs::remove(gone);
  Request base;
  base.prompt = "What?";
  std::vector<ErrorCode> codes;
  while (auto item = source->next()) codes.push_back(error_of([&] { item->request(base); }).code());
  EXPECT_THAT(codes, ElementsAre(ErrorCode::usage, ErrorCode::input_invalid, ErrorCode::not_found));
}

// One record with an error would hide that a folder of a million pictures was written wrong.
TEST(Word, ThatIsNotThereOrNotReadIsRefused) {
  const TempDir folder;
  for (const char* name : {"nope", "nope.jpg", "nope.tar.gz"})
    for (const Form form : {Form::by_name, Form::pictures})
      EXPECT_EQ(error_of([&] { open_source({folder.file(name)}, {.form = form}); }).code(),
                ErrorCode::not_found)
          << name;
  for (const char* name : {"s.tar.gz", "S.TGZ", "s.tar.zst", "s.zip", "s.gz", "s.parquet", "s.json"}) {
    const Error error = error_of([&] { open_source({folder.add(name, "x")}); });
    EXPECT_EQ(error.code(), ErrorCode::unsupported_media) << name;
    EXPECT_NE(error.hint(), "") << name;
  }
  EXPECT_EQ(open_source({folder.add("odd.ending", "x")})->total(), 1);
  EXPECT_EQ(open_source({folder.file("s.json")}, {.form = Form::pictures})->total(), 1);
}

}  // namespace
}  // namespace galago::batch
