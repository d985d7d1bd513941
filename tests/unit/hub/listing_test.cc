// What a hub says, good and hostile.
#include "hub/listing.h"

#include <gmock/gmock.h>

#include <map>

#include "galago/error.h"

namespace galago::hub::test {
namespace {

using testing::HasSubstr;
const std::string kGit(40, 'a'), kSha(64, 'b');

std::string message(const std::function<void()>& call, ErrorCode code = ErrorCode::input_invalid) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

std::string entry(const std::string& path, const std::string& size = "5", const std::string& more = "") {
  return R"({"type": "file", "path": ")" + path + R"(", "size": )" + size + R"(, "oid": ")" + kGit + "\"" +
         more + "}";
}

std::vector<RepoFile> files_of(const std::string& json) {
  std::vector<RepoFile> files;
  add_files(files, json, "tree");
  check_files(files, "tree");
  return files;
}

TEST(HubListing, FilesHaveTheHashTheyAreCheckedBy) {
  const std::string lfs = R"(, "lfs": {"oid": ")" + kSha + R"(", "size": 7, "pointerSize": 134})";
  const auto files = files_of("[" + entry("a/b.json") + R"(, {"type": "directory", "path": "a"}, )" +
                              entry("m.safetensors", "134", lfs) + "]");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].path, "a/b.json");
  EXPECT_EQ(files[0].size, 5);
  EXPECT_EQ(files[0].blob(), kGit);
  EXPECT_EQ(files[1].size, 7) << "of the content, not of the pointer";
  EXPECT_EQ(files[1].blob(), kSha);
  EXPECT_EQ(
      tree_json(files),
      "{\n \"format_version\": 1,\n \"files\": {\n  \"a/b.json\": {\n   \"size\": 5,\n   \"blob_id\": \"" +
          kGit + "\"\n  },\n  \"m.safetensors\": {\n   \"size\": 7,\n   \"blob_id\": \"" + kGit +
          "\",\n   \"lfs_sha256\": \"" + kSha + "\",\n   \"lfs_size\": 7\n  }\n }\n}");
}

TEST(HubListing, NamesStayInTheirFolder) {
  for (const char* path :
       {"a", "a/b/c.json", "..a", "a..", "a b", ".gitattributes", "\xc3\xa9.txt", "a:b", "..."})
    EXPECT_TRUE(is_safe_path(path)) << path;
  for (const std::string& path :
       {std::string(""), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."),
        std::string(".."), std::string("../a"), std::string("a/../b"), std::string("a/.."),
        std::string("a/./b"), std::string("a\\b"), std::string("a\nb"), std::string("a\x1b[2J"),
        std::string("a\x7f"), std::string("a\0b", 3), std::string("\xff"), std::string(256, 'a'),
        std::string(1025, 'a')})
    EXPECT_FALSE(is_safe_path(path)) << path;
}

TEST(HubListing, HostileAnswersAreErrors) {
  const std::pair<std::string, const char*> rows[] = {
      {"<html>", "a web page"},
      {"", "HF_ENDPOINT"},
      {"{}", "a list of files"},
      {"[1]", "a file or folder"},
      {"[" + entry("../a") + "]", "stays in its folder"},
      {"[" + entry("a\\u0000b") + "]", "stays in its folder"},
      {"[" + entry("a", "-1") + "]", "a count of bytes"},
      {"[" + entry("a", "9223372036854775807") + "]", "a count of bytes"},
      {"[" + entry("a", "18446744073709551615") + "]", "a count of bytes"},
      {"[" + entry("a", "1.5") + "]", "a count of bytes"},
      {"[" + entry("a") + "," + entry("a") + "]", "two files"},
      {"[" + entry("a") + "," + entry("a/b") + "]", "a file and a folder"},
      {"[" + entry("a", "5", R"(, "lfs": 1)") + "]", "an object"},
      {"[" + entry("a", "5", R"(, "lfs": {"oid": "../x", "size": 1})") + "]", "64 hexadecimal digits"},
  };
  for (const auto& row : rows)
    EXPECT_THAT(message([&] { files_of(row.first); }), HasSubstr(row.second)) << row.first;
  EXPECT_THAT(message([] { commit_of(R"({"sha": "main"})", "r"); }), HasSubstr("40 hexadecimal digits"));
  EXPECT_EQ(commit_of(R"({"sha": ")" + kGit + "\"}", "r"), kGit);
}

TEST(HubListing, AFileBeforeAFolderOfItsNameIsFoundWhateverLiesBetween) {
  EXPECT_THAT(message([] { files_of("[" + entry("a") + "," + entry("a-b") + "," + entry("a/b") + "]"); }),
              HasSubstr("a file and a folder"));
}

TEST(HubListing, EtagsAreHashesOrNothing) {
  EXPECT_EQ(hash_of_etag('"' + kGit + '"'), kGit);
  EXPECT_EQ(hash_of_etag("W/\"" + kSha + '"'), kSha);
  EXPECT_EQ(hash_of_etag(kSha), kSha);
  for (const std::string& etag : {std::string(), std::string("\""), std::string("\"\""),
                                  std::string("\"../../x\""), std::string(41, 'a'), std::string(40, 'A')})
    EXPECT_EQ(hash_of_etag(etag), std::nullopt) << etag;
}

TEST(HubListing, TheNextPageIsInTheLinkHeader) {
  EXPECT_EQ(next_page(R"(<https://h/a?cursor=x>; rel="next")"), "https://h/a?cursor=x");
  EXPECT_EQ(next_page(R"(<https://h/1>; rel="prev", <https://h/2>; rel="next")"), "https://h/2");
  for (const char* none : {"", "<a>; rel=\"prev\"", "rel=\"next\"", "a>; rel=\"next\""})
    EXPECT_EQ(next_page(none), "");
}

TEST(HubBlobHash, IsWhatGitAndLfsSay) {
  const auto hash = [](BlobKind kind, std::string_view text) {
    BlobHash made(kind, std::ssize(text));
    made.add(std::as_bytes(std::span(text.substr(0, 2))));
    made.add(std::as_bytes(std::span(text.substr(2))));
    return made.finish();
  };
  EXPECT_EQ(hash(BlobKind::git, "hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");  // git hash-object
  EXPECT_EQ(hash(BlobKind::lfs, "hello\n"),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");  // sha256sum
}

}  // namespace
}  // namespace galago::hub::test
