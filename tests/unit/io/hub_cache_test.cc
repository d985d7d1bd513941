// Models in the folders of huggingface_hub's cache.
#include "io/hub_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "support/fixtures.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;

TEST(HubCacheName, NamesAreAnOrganisationAndAModel) {
  for (const char* name : {"a/b", "HuggingFaceTB/SmolVLM-256M-Instruct", "a_b/c.d-1", "a/b@main",
                           "a/b:Q4_K_M", "a/b@v1:m-Q8_0.gguf", "a/b@0123abcd", "a/b@refs/pr/1"})
    EXPECT_TRUE(is_hub_name(name)) << name;
  for (const char* name :
       {"",        "a",        "/a",     "a/",     "a/b/c",       "./a",        "../a",      "a/..",  "~/a b",
        "a/b@",    "a/b@c//d", "a/b@/c", "a/b@c/", "a/b@../c",    "a@b/c",      "a b/c",     "a/b\n", "a/b:",
        "a/b:c/d", "a/b:c@d",  "a:b/c",  "a/b:..", "models/demo", "datasets/a", "spaces/a@b"})
    EXPECT_FALSE(is_hub_name(name)) << name;
}

class HubCache : public ::testing::Test {
 protected:
  HubCache() {
    setenv("HF_HUB_CACHE", cache_.path().c_str(), 1);
    fs::create_directories(cache_.path() / "models--a--b" / "refs");
    fs::create_directories(snapshot("0123"));
  }
  ~HubCache() override { unsetenv("HF_HUB_CACHE"); }
  fs::path snapshot(const std::string& commit) const {
    return cache_.path() / "models--a--b" / "snapshots" / commit;
  }
  TempDir cache_;
};

TEST_F(HubCache, ARefNamesTheSnapshot) {
  fs::create_directories(snapshot("4567"));
  EXPECT_EQ(find_in_hub_cache("a/b"), std::nullopt) << "two, and nothing that says which";
  cache_.add("models--a--b/refs/main", "4567\n");
  cache_.add("models--a--b/refs/v1", "0123");
  EXPECT_EQ(find_in_hub_cache("a/b"), snapshot("4567"));
  EXPECT_EQ(find_in_hub_cache("a/b@v1"), snapshot("0123"));
  EXPECT_EQ(find_in_hub_cache("a/b@0123"), snapshot("0123"));
  EXPECT_EQ(find_in_hub_cache("a/b@v2"), std::nullopt);
  EXPECT_EQ(find_in_hub_cache("a/c"), std::nullopt);
  EXPECT_EQ(find_in_hub_cache("b"), std::nullopt);
}

TEST_F(HubCache, TheOnlySnapshotIsTaken) { EXPECT_EQ(find_in_hub_cache("a/b"), snapshot("0123")); }

TEST_F(HubCache, ARefCannotLeadOut) {
  cache_.add("models--a--b/refs/main", "../../../etc");
  EXPECT_EQ(find_in_hub_cache("a/b@v1"), std::nullopt);
  EXPECT_EQ(find_in_hub_cache("a/b"), snapshot("0123")) << "the only one";
}

TEST_F(HubCache, ARevisionMayHaveFolders) {
  fs::create_directories(cache_.path() / "models--a--b" / "refs" / "refs" / "pr");
  fs::create_directories(snapshot("4567"));
  cache_.add("models--a--b/refs/refs/pr/1", "4567");
  EXPECT_EQ(find_in_hub_cache("a/b@refs/pr/1"), snapshot("4567"));
  EXPECT_EQ(find_in_hub_cache("a/b@refs/pr/2"), std::nullopt);
}

TEST(HubCacheFolder, ExpandsHomeAndVariables) {
  const char* const home = std::getenv("HOME");
  const std::string kept = home ? home : "";
  setenv("HOME", "/me", 1);
  setenv("SHARED_2", "/s", 1);
  const std::pair<const char*, const char*> cases[] = {{"~/c", "/me/c"},
                                                       {"~", "/me"},
                                                       {"~other/c", "~other/c"},
                                                       {"/a/~/c", "/a/~/c"},
                                                       {"$SHARED_2/c", "/s/c"},
                                                       {"${SHARED_2}x", "/sx"},
                                                       {"/a$SHARED_2", "/a/s"},
                                                       {"$NOT_SET/c", "$NOT_SET/c"},
                                                       {"${NOT_SET", "${NOT_SET"},
                                                       {"/c$", "/c$"},
                                                       {"~/$SHARED_2/$", "/me//s/$"}};
  for (const auto& [text, path] : cases) {
    setenv("HF_HUB_CACHE", text, 1);
    EXPECT_EQ(hub_cache().string(), path);
  }
  unsetenv("HF_HUB_CACHE");
  setenv("HF_HOME", "~/h", 1);
  EXPECT_EQ(hub_cache(), "/me/h/hub");
  setenv("HUGGINGFACE_HUB_CACHE", "~/old", 1);
  EXPECT_EQ(hub_cache(), "/me/old");
  unsetenv("HUGGINGFACE_HUB_CACHE");
  unsetenv("HF_HOME");
  EXPECT_EQ(hub_cache(), "/me/.cache/huggingface/hub");
  unsetenv("SHARED_2");
  setenv("HOME", kept.c_str(), 1);
}

TEST(HubCacheFolder, FollowsTheEnvironment) {
  unsetenv("HF_HUB_CACHE");
  setenv("HF_HOME", "/h", 1);
  EXPECT_EQ(hub_cache(), "/h/hub");
  unsetenv("HF_HOME");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(hub_cache(), "/x/huggingface/hub");
  unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace galago::test
