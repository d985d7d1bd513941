// What a word names as a picture; words for people.
#include "pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "app.h"
#include "help.h"
#include "model_path.h"
#include "support/fixtures.h"
#include "videos.h"
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
  EXPECT_EQ(local_file("FILE:/a/b.png"), "/a/b.png");
  EXPECT_EQ(local_file("file%20.png"), "file%20.png") << "no URI";
  EXPECT_EQ(error_of([] { local_file("file://server/a.png"); }).code(), ErrorCode::usage);
}

TEST(WebAddress, SaysWhatToDo) {
  for (const char* address : {"https://example.org/a.png", "HTTP://example.org"}) {
    const Error error = error_of([&] { open_image(address); });
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("curl"));
  }
}

TEST(Pattern, SaysWhoExpandsIt) {
  for (const char* word : {"dir/*.jpg", "picture?.png", "picture[12].png"}) {
    const Error error = error_of([&] { local_file(word); });
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.what(), HasSubstr("got a pattern, expected names of files"));
    EXPECT_THAT(error_of([&] { model_path(word); }).what(), HasSubstr("the shell expands it"));
  }
}

TEST(Folder, IsNoPicture) {
  const Error error = error_of([] { open_image(test::data_path("pictures")); });
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  EXPECT_THAT(error.what(), HasSubstr("--video DIR --fps 2"));
}

TEST(ModelPath, FilesOfADirectoryLeadToIt) {
  const std::string folder = test::data_path("models/smolvlm_tiles");
  for (const char* name : {"/config.json", "/model.safetensors"})
    EXPECT_THAT(error_of([&] { model_path(folder + name); }).what(),
                HasSubstr("give the directory: -m " + folder));
  const test::TempDir files;
  files.add("config.json", "{}");
  files.add("b.gguf", "");
  files.add("a.gguf", "");
  EXPECT_THAT(error_of([&] { model_path(files.path().string()); }).what(),
              HasSubstr("galago reads GGUF: give -m " + files.file("a.gguf")));
  files.add("model.safetensors", "");
  EXPECT_EQ(model_path(files.path().string()), files.path());
}

TEST(Videos, AreFiles) {
  EXPECT_THAT(error_of([] { video_path("https://example.org/a.mp4"); }).what(),
              HasSubstr("curl -L -o clip.mp4"));
  EXPECT_THAT(error_of([] { video_path("-"); }).what(), HasSubstr("standard input"));
  EXPECT_THAT(error_of([] { check_fps({}, 2.0); }).what(), HasSubstr("--fps"));
  const std::string folder = test::data_path("pictures");
  EXPECT_THAT(error_of([&] { check_fps({folder}, {}); }).what(), HasSubstr("--fps 2"));
  EXPECT_NO_THROW(check_fps({folder}, 2.0));
}

TEST(Videos, ALongRunIsToldOnce) {
  const auto watch = ffmpeg_watch("clip.mp4");
  testing::internal::CaptureStderr();
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5600);
  while (std::chrono::steady_clock::now() < end) {
    EXPECT_TRUE(watch());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(said, "galago: ffmpeg is still reading clip.mp4 (Ctrl-C stops it)\n");
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

TEST(Wording, ListsEndAtALine) {
  std::string list = "55 faults";
  for (int i = 0; i < 40; ++i) list += "\n  model.layers." + std::to_string(i) + ": got [1], expected [2]";
  const std::string shown = first_lines(list + "\n  and 15 more\n", 5, 600);
  EXPECT_TRUE(shown.ends_with("model.layers.4: got [1], expected [2]\n  and 50 more")) << shown;
  EXPECT_EQ(first_lines("2 faults\n  a\n  b\n", 5, 600), "2 faults\n  a\n  b");
}

TEST(Help, ValuesKeepTheirBrackets) {
  Action action;
  const auto app = make_app(action);
  for (const char* name : {"run", "inspect", "trace", "verify", "embed", "classify", "bench", "quantize"})
    EXPECT_THAT(help_text(*app->get_subcommand(name), name), HasSubstr("--lora DIR[:SCALE]")) << name;
  EXPECT_THAT(help_text(*app->get_subcommand("run"), "run"), HasSubstr("--threads N"));
  const std::string page = manual_page(*app, "1");
  for (const char* part : {".SH FILES", ".SH SEE ALSO", "75"}) EXPECT_THAT(page, HasSubstr(part));
}

}  // namespace
}  // namespace galago::cli
