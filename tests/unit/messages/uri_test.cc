// Base64 and URIs: the vectors of the RFCs, and what is near them.
#include "messages/uri.h"

#include "support/fixtures.h"

namespace galago {
namespace {

using test::error_of;

TEST(Base64, IsThatOfTheRfc) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"Zg==", "f"},
                                                         {"Zm8=", "fo"},
                                                         {"Zm9v", "foo"},
                                                         {"Zm9vYg==", "foob"},
                                                         {"Zm9vYmE=", "fooba"},
                                                         {"Zm9vYmFy", "foobar"},
                                                         {"/+8=", "\xff\xef"}};
  for (const auto& [text, bytes] : vectors) EXPECT_EQ(decode_base64(text, "x"), bytes) << text;
  for (const char* bad : {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v\n", "Zm 9v", "Zm9%2B", "Zm9-",
                          "Zg==Zg==", "Zh==", "Zm9=", "Zm9v,Zm9v", "\xc3\xa4\xc3\xa4"}) {
    const Error error = error_of([&] { decode_base64(bad, "here"); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid) << bad;
    EXPECT_EQ(error.where(), "here");
  }
}

TEST(PercentEscapes, AreBytes) {
  EXPECT_EQ(percent_decoded("a%20b%C3%A4%2f+", "x"), "a b\xc3\xa4/+");
  for (const char* bad : {"%", "%4", "a%zz", "%00", "%-1", "% 1"}) {
    const Error error = error_of([&] { percent_decoded(bad, "here"); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid) << bad;
    EXPECT_EQ(error.where(), "here");
  }
}

TEST(DataUri, IsTakenApart) {
  const DataUri whole = parse_data_uri("DATA:Image/PNG;name=a;Base64,Zm9v,x", "x");
  EXPECT_EQ(whole.type, "image/png");
  EXPECT_TRUE(whole.base64);
  EXPECT_EQ(whole.data, "Zm9v,x");
  const DataUri bare = parse_data_uri("data:,", "x");
  EXPECT_EQ(bare.type, "");
  EXPECT_FALSE(bare.base64);
  EXPECT_EQ(bare.data, "");
  EXPECT_TRUE(parse_data_uri("data:;base64,AA==", "x").base64);
  EXPECT_FALSE(parse_data_uri("data:base64,AA==", "x").base64) << "a type of that name";
  EXPECT_EQ(error_of([] { parse_data_uri("data:image/png;base64", "here"); }).where(), "here");
}

TEST(FileUri, IsAPathOfThisMachine) {
  EXPECT_EQ(file_of_uri("file:///a/b.png"), "/a/b.png");
  EXPECT_EQ(file_of_uri("FILE:/a/b.png"), "/a/b.png");
  EXPECT_EQ(file_of_uri("file://LocalHost/a%20b%C3%A4.png"), "/a b\xc3\xa4.png");
  EXPECT_EQ(error_of([] { file_of_uri("file://server/a.png"); }).code(), ErrorCode::usage);
  for (const char* bad : {"file:a.png", "file:", "file://", "file:///a%zz", "file:///a%4", "file:///a%00b",
                          "file:///a?b", "file:///a#b"})
    EXPECT_EQ(error_of([&] { file_of_uri(bad); }).code(), ErrorCode::input_invalid) << bad;
}

TEST(Scheme, IsToldWhateverItsCase) {
  EXPECT_TRUE(has_scheme("DaTa:x", "data:"));
  EXPECT_FALSE(has_scheme("dat", "data:"));
  EXPECT_FALSE(has_scheme(" data:", "data:"));
  EXPECT_TRUE(on_the_web("HTTPS://x"));
  EXPECT_FALSE(on_the_web("http:/x"));
}

}  // namespace
}  // namespace galago
