// The compiled-in page: which paths there are, what belongs to each, that it asks no other host for anything.
#include "server/page/page.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "server/page/asset_table.h"

namespace galago::page {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsNull;
using testing::MatchesRegex;
using testing::Not;
using testing::NotNull;
using testing::StartsWith;

std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::filesystem::path kSource = GALAGO_SOURCE_DIR;

TEST(Page, RootIsTheDocument) {
  const Asset* root = find_asset("/");
  ASSERT_THAT(root, NotNull());
  EXPECT_EQ(root->content_type, "text/html; charset=utf-8");
  EXPECT_EQ(root->bytes, file_bytes(kSource / "src/server/page/assets/index.html"));
}

TEST(Page, EveryFileIsThereByteForByte) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kSource / "src/server/page/assets")) {
    const std::string name = entry.path().filename().string();
    const Asset* asset = find_asset(name == "index.html" ? "/" : "/page/" + name);
    ASSERT_THAT(asset, NotNull()) << name;
    EXPECT_EQ(asset->bytes, file_bytes(entry.path())) << name;
    ++files;
  }
  EXPECT_EQ(asset_table().size(), files + 1);
  const Asset* sample = find_asset("/page/shapes.png");
  ASSERT_THAT(sample, NotNull());
  EXPECT_EQ(sample->content_type, "image/png");
  EXPECT_EQ(sample->bytes, file_bytes(kSource / "models/demo/pictures/shapes.png"));
}

TEST(Page, OtherPathsAreNone) {
  for (const char* path : {"", "/page", "/page/", "/index.html", "/page/index.html", "/page/APP.JS", "//",
                           "/page//app.js", "/page/../page/app.js", "page/app.js"}) {
    EXPECT_THAT(find_asset(path), IsNull()) << path;
  }
}

TEST(Page, EntryTagsAreStrongAndTellFilesApart) {
  std::set<std::string_view> tags, paths;
  for (const Asset& asset : asset_table()) {
    EXPECT_THAT(std::string(asset.etag), MatchesRegex("\"[0-9a-f]{16}\"")) << asset.path;
    EXPECT_TRUE(tags.insert(asset.etag).second) << asset.path;
    EXPECT_TRUE(paths.insert(asset.path).second) << asset.path;
  }
}

TEST(Page, ScriptsAndStyleSheetsHaveTypesThatBrowsersTake) {
  for (const Asset& asset : asset_table()) {
    if (asset.path.ends_with(".js")) {
      EXPECT_EQ(asset.content_type, "text/javascript; charset=utf-8") << asset.path;
    } else if (asset.path.ends_with(".css")) {
      EXPECT_EQ(asset.content_type, "text/css; charset=utf-8") << asset.path;
    }
  }
}

// Everything that a file of the page names is another file of it.
TEST(Page, WhatIsNamedIsThere) {
  const std::regex reference(
      R"re((?:src="|href="|from '\.|import '\.)/?(page/|/)?([\w-]+\.(?:js|css|svg|png))["'])re");
  int references = 0;
  for (const Asset& asset : asset_table()) {
    if (asset.content_type == "image/png") continue;
    const std::string text(asset.bytes);
    for (std::sregex_iterator found(text.begin(), text.end(), reference), end; found != end; ++found) {
      EXPECT_THAT(find_asset("/page/" + (*found)[2].str()), NotNull())
          << asset.path << " names " << (*found)[2];
      ++references;
    }
  }
  EXPECT_GT(references, 20);
}

TEST(Page, NothingIsInlineOrFromElsewhere) {
  const std::string document(find_asset("/")->bytes);
  EXPECT_THAT(document, Not(testing::ContainsRegex("<script>|<style|style=|onclick=|onload=|javascript:")));
  EXPECT_THAT(document, Not(testing::ContainsRegex("(src|href)=\"(https?:)?//")));
  for (const Asset& asset : asset_table()) {
    const std::string text(asset.bytes);
    EXPECT_THAT(text, Not(HasSubstr("innerHTML"))) << asset.path;
    EXPECT_THAT(text, Not(HasSubstr("insertAdjacentHTML"))) << asset.path;
    EXPECT_THAT(text, Not(HasSubstr("@import"))) << asset.path;
  }
}

TEST(Page, PolicyAllowsThisServerAlone) {
  const http::Headers& headers = page_headers();
  const auto value = [&](const std::string& name) {
    const auto found = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
    return found == headers.end() ? std::string() : found->second;
  };
  const std::string policy = value("Content-Security-Policy");
  EXPECT_THAT(policy, StartsWith("default-src 'none'; script-src 'self'; style-src 'self'; "));
  for (const char* part :
       {"img-src 'self' blob: data:;", "media-src 'self' blob:;", "connect-src 'self';", "base-uri 'none';",
        "form-action 'none';", "frame-ancestors 'none';", "require-trusted-types-for 'script'"}) {
    EXPECT_THAT(policy, HasSubstr(part));
  }
  EXPECT_THAT(policy, AllOf(Not(HasSubstr("unsafe")), Not(HasSubstr("*")), Not(HasSubstr("http"))));
  EXPECT_EQ(value("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(value("Referrer-Policy"), "no-referrer");
  EXPECT_THAT(value("Permissions-Policy"), StartsWith("camera=(self)"));
}

}  // namespace
}  // namespace galago::page
