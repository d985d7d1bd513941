// Against the examples of FIPS 180-4's authors, and the framing of texts.
#include "core/sha256.h"

#include <gtest/gtest.h>

#include <set>

namespace galago {
namespace {

Digest of(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(to_hex(of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(of(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PartsAreAsOne) {
  Sha256 hash;
  const std::string_view text = "abc";
  for (size_t i = 0; i < text.size(); ++i) hash.add(std::as_bytes(std::span(text.substr(i, 1))));
  EXPECT_EQ(hash.finish(), of("abc"));
}

TEST(Sha256, TextsAndNumbersKeepTheirBounds) {
  const auto texts = [](std::initializer_list<std::string_view> list) {
    Sha256 hash;
    for (const std::string_view text : list) hash.add_text(text);
    return hash.finish();
  };
  const std::set<Digest> all{texts({"ab", "c"}), texts({"a", "bc"}), texts({"abc"}), texts({"abc", ""}),
                             texts({"", "abc"})};
  EXPECT_EQ(all.size(), 5U);
  Sha256 number, bytes;
  number.add_number(-2);
  bytes.add(std::as_bytes(std::span("\xfe\xff\xff\xff\xff\xff\xff\xff", 8)));
  EXPECT_EQ(number.finish(), bytes.finish());
}

}  // namespace
}  // namespace galago
