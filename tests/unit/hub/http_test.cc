// Addresses: where a redirect may lead, and who sees the token.
#include "hub/http.h"

#include <gtest/gtest.h>

namespace galago::hub::test {
namespace {

TEST(HubAddress, AnOriginIsSchemeHostAndPort) {
  EXPECT_TRUE(same_origin("https://h/a", "https://H:443/b?c"));
  EXPECT_TRUE(same_origin("http://h", "http://h:80/"));
  for (const char* other : {"http://h/a", "https://h:444/a", "https://h.evil.org/a", "https://x@evil.org/h",
                            "h", "", "https://evil.org/https://h/"})
    EXPECT_FALSE(same_origin("https://h/a", other)) << other;
}

TEST(HubAddress, ARedirectStaysOnTheWebAndKeepsTls) {
  EXPECT_EQ(redirect_target("https://h/a/b", "/c"), "https://h/c");
  EXPECT_EQ(redirect_target("https://h/a/b", "https://cdn/x?y=1"), "https://cdn/x?y=1");
  EXPECT_EQ(redirect_target("http://h/a", "https://cdn/"), "https://cdn/");
  EXPECT_EQ(redirect_target("http://h/a", "//cdn/x"), "http://cdn/x");
  for (const char* bad : {"", "http://h/", "file:///etc/passwd", "ftp://h/", "https://u:p@h/", "gopher://h/"})
    EXPECT_EQ(redirect_target("https://h/a", bad), "") << bad;
}

TEST(HubAddress, PartsOfAPathAreEscaped) {
  EXPECT_EQ(escaped_part("refs/pr/1"), "refs%2Fpr%2F1");
  EXPECT_EQ(escaped_part("a b?#%.-_~\xc3\xa9"), "a%20b%3F%23%25.-_~%C3%A9");
}

TEST(HubAddress, RetryAfterIsSeconds) {
  EXPECT_EQ(retry_after("7"), 7);
  for (const char* other : {"", "-1", "x", "Fri, 31 Dec 1999 23:59:59 GMT", "99999999999999999999"})
    EXPECT_EQ(retry_after(other), 0) << other;
}

}  // namespace
}  // namespace galago::hub::test
