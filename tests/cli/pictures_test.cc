// What a word names as a picture, base64, file: URIs; words for people.
#include "pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fixtures.h"
#include "wording.h"

namespace galago::cli {
namespace {

using testing::HasSubstr;

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorCode::internal, {});
}

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

TEST(DataUri, HoldsOnePictureInBase64) {
  const auto bytes = [](const std::string& uri) {
    const PictureBytes picture(uri);
    return std::string(reinterpret_cast<const char*>(picture.bytes().data()), picture.bytes().size());
  };
  EXPECT_EQ(bytes("data:image/png;base64,Zm9v"), "foo");
  EXPECT_EQ(bytes("DATA:Image/PNG;name=a;Base64,Zm9v"), "foo");
  const std::pair<const char*, const char*> bad[] = {
      {"data:", "no comma"},
      {"data:image/png;base64Zm9v", "no comma"},
      {"data:image/png;base64,", "no bytes"},
      {"data:image/png,Zm9v", "base64"},
      {"data:text/plain;base64,Zm9v", "text/plain"},
      {"data:;base64,Zm9v", "a picture"},
      {"data:image/png;base64,Zm9v,Zm9v", "\",\" at character 5"},
      {"data:image/png;base64,Zm9%2B", "percent escapes"},
      {"data:image/png;base64,Zm9", "3 characters"}};
  for (const auto& [uri, says] : bad) {
    const Error error = error_of([&] { bytes(uri); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid) << uri;
    EXPECT_THAT(error.what(), HasSubstr(says));
  }
  const std::string large = "data:image/png;base64," + std::string(30 << 20, 'A');
  EXPECT_EQ(error_of([&] { open_image(large); }).code(), ErrorCode::unsupported_media);
  EXPECT_EQ(shown_picture(large), "data:image/png;base64,...");
}

TEST(FileUri, IsAPathOfThisMachine) {
  EXPECT_EQ(local_file("file:///a/b.png"), "/a/b.png");
  EXPECT_EQ(local_file("FILE:/a/b.png"), "/a/b.png");
  EXPECT_EQ(local_file("file://LocalHost/a%20b%C3%A4.png"), "/a b\xc3\xa4.png");
  EXPECT_EQ(local_file("file%20.png"), "file%20.png") << "no URI";
  EXPECT_EQ(error_of([] { local_file("file://server/a.png"); }).code(), ErrorCode::usage);
  for (const char* bad : {"file:a.png", "file:", "file://", "file:///a%zz", "file:///a%4", "file:///a%00b",
                          "file:///a?b", "file:///a#b"})
    EXPECT_EQ(error_of([&] { local_file(bad); }).code(), ErrorCode::input_invalid) << bad;
}

TEST(WebAddress, SaysWhatToDo) {
  for (const char* address : {"https://example.org/a.png", "HTTP://example.org"}) {
    const Error error = error_of([&] { open_image(address); });
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("curl"));
  }
}

TEST(NamesPicture, QuestionsAreNone) {
  for (const char* word : {"-", "a.jpg", "A.JPEG", "dir/x.heic", "data:,", "file:///x", "https://x", "*.png"})
    EXPECT_TRUE(names_picture(word)) << word;
  for (const char* word : {"What is it?", "hello", "a.txt", "", "yes/no"})
    EXPECT_FALSE(names_picture(word)) << word;
  EXPECT_TRUE(names_picture(test::data_path("pictures/shapes_100x80.png")));
}

TEST(Wording, DistancesCountSwappedLettersOnce) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(edit_distance("--promt", "--prompt"), 1U);
  EXPECT_EQ(edit_distance("--iamge", "--image"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(nearest("--iamge", {"--temp", "--image"}), "--image");
  EXPECT_EQ(nearest("--zzzz", {"--temp", "--image"}), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'x'), {"--temp"}), std::nullopt);
}

TEST(Wording, LongTextsKeepBeginningAndEnd) {
  EXPECT_EQ(shortened("short", 10), "short");
  EXPECT_EQ(shortened("0123456789abcdef", 9), "012345...def");
  const std::string umlauts = shortened("aäöüäöüäöü", 9);
  EXPECT_EQ(umlauts, "aäö...ü") << "whole characters";
  const Error error = brief(Error(ErrorCode::usage, {.where = std::string(5000, 'w'),
                                                     .got = std::string(5000, 'g'),
                                                     .expected = std::string(5000, 'e'),
                                                     .hint = std::string(5000, 'h')}));
  EXPECT_LT(std::string(error.what()).size(), 2000U);
}

}  // namespace
}  // namespace galago::cli
