// The media folder: names of its files are read, and no name leads out of it.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "media_test_support.h"
#include "runtime/video_source.h"

namespace galago::server::test {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

constexpr const char* kNoFile = "400 invalid_image_url";

/// A media folder beside files that are nobody's business.
class MediaFolderTest : public testing::Test {
 protected:
  MediaFolderTest() {
    fs::create_directories(root() / "sub" / "deep");
    fs::create_directories(files_.path() / "media_secret");
    for (const char* name :
         {"media/a.png", "media/a b\xc3\xa4.png", "media/sub/deep/b.png", "secret.png", "media_secret/c.png"})
      files_.add(name, read_bytes(data_path("pictures/shapes_3x5.png")));
    fs::create_symlink("a.png", root() / "inner.png");
    fs::create_symlink(root() / "sub", root() / "inner");
    fs::create_symlink("../secret.png", root() / "outer.png");
    fs::create_symlink(files_.path() / "secret.png", root() / "absolute.png");
    fs::create_symlink("..", root() / "up");
    fs::create_symlink("loop", root() / "loop");
    fs::create_symlink("/proc/self/fd/0", root() / "stdin.png");
    ::mkfifo((root() / "pipe.png").c_str(), 0600);
  }
  fs::path root() const { return files_.path() / "media"; }
  std::string refused(const std::string& url, std::string* message = nullptr) const {
    return refusal_of([&] { MediaLoader({.media_path = root()}).image(url, kWhere); }, message);
  }

  TempDir files_;
};

TEST_F(MediaFolderTest, ItsFilesAreRead) {
  for (const std::string& name :
       {"file://a.png"s, "FILE://a.png"s, "file://a%20b%C3%A4.png"s, "file://sub/deep/b.png"s,
        "file://sub//deep/./b.png"s, "file://inner.png"s, "file://inner/deep/b.png"s,
        "file://" + (root() / "a.png").string(), "file:" + (root() / "a.png").string(),
        "file://localhost" + (root() / "sub/deep/b.png").string()})
    EXPECT_EQ(refused(name), "none") << name;
}

TEST_F(MediaFolderTest, NoNameLeadsOut) {
  const std::string outside = (files_.path() / "secret.png").string();
  std::string first;
  for (const std::string& name : {"file://missing.png"s,
                                  "file:///etc/passwd"s,
                                  "file://../secret.png"s,
                                  "file://sub/../../secret.png"s,
                                  "file://%2e%2e/secret.png"s,
                                  "file://%2E%2E%2Fsecret.png"s,
                                  "file://..%2fsecret.png"s,
                                  "file://%252e%252e/secret.png"s,
                                  "file://sub/..%5c..%5csecret.png"s,
                                  "file://..\\secret.png"s,
                                  "file://....//secret.png"s,
                                  "file://./../secret.png"s,
                                  "file://" + outside,
                                  "file:" + outside,
                                  "file://localhost" + outside,
                                  "file://" + root().string() + "/../secret.png",
                                  "file://" + root().string() + "_secret/c.png",
                                  "file://" + root().string(),
                                  "file://" + root().string() + "/",
                                  "file://outer.png"s,
                                  "file://absolute.png"s,
                                  "file://up/secret.png"s,
                                  "file://up/media/../secret.png"s,
                                  "file://loop"s,
                                  "file://sub"s,
                                  "file://sub/"s,
                                  "file://pipe.png"s,
                                  "file://stdin.png"s,
                                  "file://"s,
                                  "file:"s,
                                  "file:/"s,
                                  "file:///"s,
                                  "file://."s,
                                  "file://.."s,
                                  "file:a.png"s,
                                  "file://a.png%00.jpg"s,
                                  "file://a.png"s + '\0' + ".jpg",
                                  "file://a.png"s + '\0',
                                  "file://a.png/"s,
                                  "file://a.png/."s,
                                  "file://a.png?x"s,
                                  "file://a.png#x"s,
                                  "file://a%2"s,
                                  "file://~/a.png"s,
                                  "file:////etc/passwd"s,
                                  "file://///etc/passwd"s,
                                  "file:///proc/self/environ"s,
                                  "file:///dev/zero"s,
                                  "file://evil.example/a.png"s,
                                  "file://" + std::string(5000, 'a'),
                                  "file://" + std::string(5000, '/') + "etc/passwd"}) {
    std::string message;
    EXPECT_EQ(refused(name, &message), kNoFile) << name;
    EXPECT_THAT(message, Not(HasSubstr(files_.path().string())));
    EXPECT_THAT(message, Not(HasSubstr("secret")));
    if (first.empty()) first = message;
    EXPECT_EQ(message, first) << "what is there cannot be told from what is not: " << name;
  }
}

TEST_F(MediaFolderTest, WithoutOneNoFileIsRead) {
  std::string message;
  EXPECT_EQ(
      refusal_of([&] { MediaLoader({}).image("file://" + root().string() + "/a.png", kWhere); }, &message),
      kNoFile);
  EXPECT_THAT(message, HasSubstr("reads no files"));
  EXPECT_EQ(refusal_of([&] { MediaLoader({}).video("file:///etc/passwd", kWhere); }), kNoFile);
  for (const fs::path& bad : {root() / "missing", root() / "a.png", fs::path("/proc/self/fd/9999")})
    EXPECT_EQ(galago::test::error_of([&] { MediaLoader({.media_path = bad}); }).code(), ErrorCode::not_found)
        << bad;
}

TEST_F(MediaFolderTest, LinksThatAppearAreNotFollowed) {
  const MediaFolder folder(root());
  const fs::path file = folder.file_of("file://sub/deep/b.png", kWhere);
  EXPECT_FALSE(folder.read(file, 1 << 20, kWhere).empty());
  fs::remove(root() / "sub/deep/b.png");
  fs::create_symlink("../../../secret.png", root() / "sub/deep/b.png");
  EXPECT_EQ(refusal_of([&] { folder.read(file, 1 << 20, kWhere); }), kNoFile);
  fs::remove_all(root() / "sub/deep");
  fs::create_directories(files_.path() / "elsewhere");
  files_.add("elsewhere/b.png", "secret");
  fs::create_symlink("../../elsewhere", root() / "sub/deep");
  EXPECT_EQ(refusal_of([&] { folder.read(file, 1 << 20, kWhere); }), kNoFile);
}

TEST_F(MediaFolderTest, LimitsHoldForFiles) {
  files_.add("media/empty.png", "");
  EXPECT_EQ(refused("file://empty.png"), "400 empty_image_file");
  files_.add("media/large.png", "");
  fs::resize_file(root() / "large.png", (20 << 20) + 1);
  EXPECT_EQ(refused("file://large.png"), "413 image_too_large");
  files_.add("media/text.png", "secret words");
  std::string message;
  EXPECT_EQ(refused("file://text.png", &message), "415 invalid_image_format");
  EXPECT_THAT(message, Not(HasSubstr("secret")));
}

TEST_F(MediaFolderTest, VideosOfFilesAreOpened) {
  fs::copy(data_path("images/animations/clip.gif"), root() / "clip.gif");
  const MediaLoader loader({.media_path = root()});
  EXPECT_GT(loader.video("file://clip.gif", kWhere).frames(), 1);
  EXPECT_EQ(refusal_of([&] { loader.video("file://../secret.png", kWhere); }), kNoFile);
  EXPECT_EQ(refusal_of([&] { loader.video("file://pipe.png", kWhere); }), kNoFile);
  EXPECT_EQ(refusal_of([&] { loader.video("file://a.png", kWhere); }), "415 unsupported_image_media_type");
  files_.add("media/broken.mp4", std::string("\0\0\0\x18"
                                             "ftypmp42",
                                             12) +
                                     std::string(500, 'x'));
  std::string message;
  const std::string code = refusal_of([&] { loader.video("file://broken.mp4", kWhere); }, &message);
  EXPECT_THAT(code, testing::AnyOf("400 invalid_image", "400 unsupported_image_media_type"))
      << "with ffmpeg, without";
  EXPECT_THAT(message, Not(HasSubstr(files_.path().string())));
  if (std::system("command -v ffmpeg ffprobe >/dev/null") != 0) GTEST_SKIP() << "ffmpeg is not installed";
  const std::string make =
      "ffmpeg -v error -f lavfi -i testsrc=size=64x48:rate=4:duration=1 -pix_fmt yuv420p " +
      (root() / "clip.mp4").string();
  ASSERT_EQ(std::system(make.c_str()), 0);
  bool asking = true;
  MediaBudget budget(1);
  MediaUse use(1, budget, [&] { return asking; }, {});
  const Video video = loader.video("file://clip.mp4", kWhere, &use);
  asking = false;  // the request was read; now it is worked on
  EXPECT_EQ(video.frames(), 4);
  int decoded = 0;
  source_of(video)->decode(std::vector<int64_t>{0, 3}, [&](int64_t, const RgbImage&) { ++decoded; });
  EXPECT_EQ(decoded, 2);
  EXPECT_EQ(refusal_of([&] { loader.video("file://clip.mp4", kWhere, &use); }),
            "400 failed_to_download_image");
  EXPECT_EQ(refusal_of([&] {
              MediaLoader({.media_path = root(), .max_image_side = 63}).video("file://clip.mp4", kWhere);
            }),
            "413 image_too_large");
}

}  // namespace
}  // namespace galago::server::test
