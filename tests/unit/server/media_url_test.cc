// Addresses on the web: which are refused, and that nothing is connected to for one that is.
#include <unistd.h>

#include <array>

#include "media_test_support.h"
#include "server/media/address.h"
#include "server/media/remote_url.h"

namespace galago::server::test {
namespace {

constexpr const char* kDisabled = "400 remote_images_disabled";
constexpr const char* kUrl = "400 invalid_image_url";
constexpr const char* kFailed = "400 failed_to_download_image";

/// {P} stands for the port of a socket that listens on loopback.
struct UrlCase {
  const char* url;
  const char* listed;  ///< where images.example.org, *.cdn.example.org and names of this machine are allowed
};

constexpr UrlCase kCases[] = {
    {"http://127.0.0.1:{P}/", kDisabled},
    {"https://127.0.0.1:{P}/", kDisabled},
    {"HTTP://127.0.0.1:{P}/", kDisabled},
    {"http://127.0.0.1/", kDisabled},
    {"http://127.1:{P}/", kDisabled},
    {"http://127.0.1:{P}/", kDisabled},
    {"http://0x7f.1:{P}/", kDisabled},
    {"http://0x7f000001:{P}/", kDisabled},
    {"http://0X7F.0.0.1:{P}/", kDisabled},
    {"http://2130706433:{P}/", kDisabled},
    {"http://017700000001:{P}/", kDisabled},
    {"http://0177.0.0.01:{P}/", kDisabled},
    {"http://127.0.0.1.:{P}/", kUrl},
    {"http://127.000.000.001:{P}/", kDisabled},
    {"http://127.0.0.1.1:{P}/", kUrl},
    {"http://127.0.0.256:{P}/", kUrl},
    {"http://4294967296:{P}/", kUrl},
    {"http://0/", kDisabled},
    {"http://0.0.0.0:{P}/", kDisabled},
    {"http://localhost:{P}/", kFailed},
    {"http://LOCALHOST:{P}/", kFailed},
    {"http://localhost.:{P}/", kUrl},
    {"http://localhost/", kDisabled},
    {"http://ip6-localhost:{P}/", kDisabled},
    {"http://{HOST}:{P}/", kFailed},
    {"http://localhost.localdomain:{P}/", kDisabled},
    {"http://[::1]:{P}/", kDisabled},
    {"http://[0:0:0:0:0:0:0:1]:{P}/", kDisabled},
    {"http://[::]:{P}/", kDisabled},
    {"http://[::ffff:127.0.0.1]:{P}/", kDisabled},
    {"http://[::ffff:7f00:1]:{P}/", kDisabled},
    {"http://[::127.0.0.1]:{P}/", kDisabled},
    {"http://[64:ff9b::7f00:1]:{P}/", kDisabled},
    {"http://[2002:7f00:1::]:{P}/", kDisabled},
    {"http://[2001:0:7f00:1::]:{P}/", kDisabled},
    {"http://[fe80::1]:{P}/", kDisabled},
    {"http://[fe80::1%25lo]:{P}/", kUrl},
    {"http://[fe80::1%lo]:{P}/", kUrl},
    {"http://[::1:{P}/", kUrl},
    {"http://::1:{P}/", kUrl},
    {"http://[fd00::1]:{P}/", kDisabled},
    {"http://[v1.x]:{P}/", kUrl},
    {"http://169.254.169.254/latest/meta-data/", kDisabled},
    {"http://[fd00:ec2::254]/latest/meta-data/", kDisabled},
    {"http://metadata.google.internal/", kDisabled},
    {"http://1.0x7f/", kDisabled},
    {"http://a.0x7f/", kUrl},
    {"http://a.127/", kUrl},
    {"http://10.0.0.1/", kDisabled},
    {"http://172.16.0.1/", kDisabled},
    {"http://192.168.0.1/", kDisabled},
    {"http://100.64.0.1/", kDisabled},
    {"http://198.18.0.1/", kDisabled},
    {"http://224.0.0.1/", kDisabled},
    {"http://255.255.255.255/", kDisabled},
    {"http://localhost:{P}@evil.example/", kUrl},
    {"http://evil.example@localhost:{P}/", kUrl},
    {"http://user:pass@localhost:{P}/", kUrl},
    {"http://@localhost:{P}/", kUrl},
    {"http://images.example.org@127.0.0.1:{P}/", kUrl},
    {"http://images.example.org:80@127.0.0.1:{P}/", kUrl},
    {"http://images.example.org%40127.0.0.1:{P}/", kUrl},
    {"http://images.example.org%2f@127.0.0.1:{P}/", kUrl},
    {"http:\\\\images.example.org\\@127.0.0.1:{P}/", kUrl},
    {"http://127.0.0.1:{P}\\@images.example.org/", kUrl},
    {"http://images.example.org\\@127.0.0.1:{P}/", kUrl},
    {"http://127.0.0.1:{P}#@images.example.org/", kDisabled},
    {"http://127.0.0.1:{P}?@images.example.org/", kDisabled},
    {"http://127.0.0.1:{P}/images.example.org", kDisabled},
    {"http://images.example.org.evil.example/", kDisabled},
    {"http://evilimages.example.org/", kDisabled},
    {"http://cdn.example.org/", kDisabled},
    {"http://evilcdn.example.org/", kDisabled},
    {"http://images.example.org./", kUrl},
    {"http://images..example.org/", kUrl},
    {"http://.images.example.org/", kUrl},
    {"http://images.example.org:8080/", kDisabled},
    {"http://images.example.org:22/", kDisabled},
    {"http://images.example.org:0/", kUrl},
    {"http://images.example.org:65616/", kUrl},
    {"http://images.example.org:+80/", kUrl},
    {"http://images.example.org:80:80/", kUrl},
    {"http://images.example.org:80a/", kUrl},
    {"http://", kUrl},
    {"http:///", kUrl},
    {"http:///127.0.0.1:{P}/", kUrl},
    {"http:/127.0.0.1:{P}/", kUrl},
    {"http:127.0.0.1:{P}/", kUrl},
    {"http://?", kUrl},
    {"http:// 127.0.0.1:{P}/", kUrl},
    {" http://127.0.0.1:{P}/", kUrl},
    {"http://127.0.0.1:{P}/\t", kUrl},
    {"http://127.0.0.1\r\nHost: localhost:{P}/", kUrl},
    {"http://127.0.0.1:{P}/ HTTP/1.1\r\nX: y", kUrl},
    {"http://%31%32%37.0.0.1:{P}/", kUrl},
    {"http://loc%61lhost:{P}/", kUrl},
    {"http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1:{P}/", kUrl},
    {"http://loc\xc3\xa4lhost:{P}/", kUrl},
    {"http://localhost\xe3\x80\x82:{P}/", kUrl},
    {"http://local*host:{P}/", kUrl},
    {"http://local host:{P}/", kUrl},
    {"ftp://127.0.0.1:{P}/", kUrl},
    {"gopher://127.0.0.1:{P}/_GET", kUrl},
    {"dict://127.0.0.1:{P}/", kUrl},
    {"ldap://127.0.0.1:{P}/", kUrl},
    {"tftp://127.0.0.1:{P}/", kUrl},
    {"smb://127.0.0.1:{P}/", kUrl},
    {"ws://127.0.0.1:{P}/", kUrl},
    {"javascript:alert(1)", kUrl},
    {"blob:http://127.0.0.1:{P}/", kUrl},
    {"//127.0.0.1:{P}/", kUrl},
    {"127.0.0.1:{P}", kUrl},
    {"url:http://127.0.0.1:{P}/", kUrl},
    {"file:///etc/passwd", kUrl},
    {"file://127.0.0.1:{P}/a", kUrl},
};

std::string filled(std::string text, const std::string& port) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  for (const auto& [mark, value] :
       {std::pair<std::string, std::string>{"{P}", port}, {"{HOST}", host.data()}})
    if (const size_t at = text.find(mark); at != std::string::npos) text.replace(at, mark.size(), value);
  return text;
}

TEST(MediaUrl, NothingIsFetchedUnlessAllowed) {
  const Listener listener;
  const MediaLoader loader({});
  for (const UrlCase& row : kCases) {
    const std::string url = filled(row.url, listener.port());
    const bool web = url.starts_with("http://") || url.starts_with("https://") || url.starts_with("HTTP://");
    std::string message;
    EXPECT_EQ(refusal_of([&] { loader.image(url, kWhere); }, &message), web ? kDisabled : kUrl) << url;
    EXPECT_EQ(message.find("root"), std::string::npos) << "what /etc/passwd says: " << message;
  }
  EXPECT_EQ(listener.connections(), 0);
  EXPECT_GE(std::size(kCases), 80U);
}

TEST(MediaUrl, AListDoesNotReachThisMachine) {
  const Listener listener;
  const MediaLoader loader(
      {.allowed_domains = {"images.example.org", "*.cdn.example.org", "localhost:" + listener.port(),
                           filled("{HOST}:{P}", listener.port())}});
  for (const UrlCase& row : kCases) {
    const std::string url = filled(row.url, listener.port());
    EXPECT_EQ(refusal_of([&] { loader.image(url, kWhere); }), row.listed) << url;
    EXPECT_EQ(refusal_of([&] { loader.video(url, kWhere); }), row.listed) << url;
  }
  EXPECT_EQ(listener.connections(), 0);
}

TEST(MediaUrl, AnyHostIsAPublicHost) {
  const Listener listener;
  const MediaLoader loader({.remote = true});
  for (const char* url : {"http://127.0.0.1/", "http://[::1]/", "http://localhost/", "http://0x7f.1/",
                          "https://2130706433/", "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/",
                          "http://10.0.0.1/", "http://[64:ff9b::a00:1]/", "http://0.0.0.0/"}) {
    std::string message;
    EXPECT_EQ(refusal_of([&] { loader.image(url, kWhere); }, &message), kFailed) << url;
    EXPECT_THAT(message, testing::HasSubstr("an address that is not public")) << url;
  }
  EXPECT_EQ(refusal_of([&] { loader.image("http://127.0.0.1:" + listener.port(), kWhere); }), kDisabled);
  EXPECT_EQ(listener.connections(), 0);
}

TEST(MediaUrl, DomainsAreHostsOrAddresses) {
  const UrlPolicy policy(false, {"Images.Example.org", "*.cdn.example.org", "other.example:8443", "10.0.0.5",
                                 "[fd00::5]:8000", "FD00:0::6"});
  const auto allowed = [&](const std::string& url) {
    return refusal_of([&] { policy.check(url, kWhere); }) == "none";
  };
  for (const char* url :
       {"https://images.example.org/a", "http://IMAGES.example.ORG", "http://a.cdn.example.org/",
        "http://a.b.cdn.example.org:80", "https://other.example:8443/", "http://10.0.0.5/", "http://0xa.5/",
        "http://[fd00::5]:8000/", "http://[fd00:0::6]/", "http://images.example.org:443/?a=b@c#d@e"})
    EXPECT_TRUE(allowed(url)) << url;
  for (const char* url :
       {"https://other.example/", "http://10.0.0.5:8000/", "http://[fd00::5]/", "http://[fd00::7]/",
        "http://cdn.example.org", "http://images.example.org:444", "http://images.example.org/a\\b",
        "http://images.example.org/\xc3\xa4", "http://images.example.org/a b"})
    EXPECT_FALSE(allowed(url)) << url;
  EXPECT_TRUE(policy.check("http://10.0.0.5/", kWhere).listed_address);
  EXPECT_FALSE(policy.check("http://images.example.org/", kWhere).listed_address);
  for (const char* bad :
       {"", "*", "*.", "http://example.org", "example.org/", "example.org:", "example.org:0",
        "example.org:70000", "a.*.org", "*example.org", "exa mple.org", "example.org.", "[::1", "1.2.3",
        "user@example.org", "\xc3\xa4.org", ":80", "[]:80"})
    EXPECT_EQ(galago::test::error_of([&] { UrlPolicy(false, {bad}); }).code(), ErrorCode::usage) << bad;
}

TEST(Address, ThePublicOnesAreTold) {
  for (const char* text : {"0.0.0.0",
                           "0.255.255.255",
                           "10.0.0.0",
                           "10.255.255.255",
                           "100.64.0.0",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.0.0",
                           "169.254.169.254",
                           "172.16.0.0",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.0.0",
                           "192.168.255.255",
                           "198.18.0.0",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::127.0.0.1",
                           "::8.8.8.8",
                           "::ffff:10.0.0.1",
                           "::ffff:127.0.0.1",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b::127.0.0.1",
                           "64:ff9b:1::8.8.8.8",
                           "100::1",
                           "2001::1",
                           "2001:0:808:808::",
                           "2001:2::1",
                           "2001:10::1",
                           "2001:1ff::1",
                           "2001:db8::1",
                           "2002:7f00:1::1",
                           "2002:808:808::",
                           "3fff::1",
                           "5f00::1",
                           "fc00::1",
                           "fd00::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1",
                           "ff0e::1",
                           "4000::1"})
    EXPECT_FALSE(is_public(address_of(std::string(text)).value())) << text;
  for (const char* text :
       {"1.1.1.1",        "8.8.8.8",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
        "100.128.0.0",    "126.255.255.255", "128.0.0.0",       "169.253.255.255", "169.255.0.0",
        "172.15.255.255", "172.32.0.0",      "192.0.1.0",       "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0",      "223.255.255.255", "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8",
        "2000::1",        "2001:200::1",     "2606:4700::1111", "2a00:1450::1",    "3ffe::1"})
    EXPECT_TRUE(is_public(address_of(std::string(text)).value())) << text;
  for (const char* text : {"", "localhost", "127.1", "[::1]", "1.2.3.4 ", "fe80::1%lo", "01.2.3.4"})
    EXPECT_FALSE(address_of(std::string(text))) << text;
}

}  // namespace
}  // namespace galago::server::test
