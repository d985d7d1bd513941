// Pictures and videos that a request holds itself: what is wrong with each hostile one, in the words of
// OpenAI's API, and that honest ones are read.
#include <string_view>

#include "media_test_support.h"

namespace galago::server::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::string_literals;
using namespace std::string_view_literals;

/// What a loader with the default limits makes of it.
std::string image_refusal(const std::string& url, std::string* message = nullptr) {
  return refusal_of([&] { MediaLoader({}).image(url, kWhere); }, message);
}

std::string as_data(std::string_view bytes) { return "data:image/png;base64," + to_base64(bytes); }

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

/// The head of a PNG file that says it has this size.
std::string png_head(uint32_t width, uint32_t height) {
  std::string png = read_bytes(data_path("pictures/shapes_3x5.png"));
  png.replace(16, 8, big_endian(width) + big_endian(height));
  uint32_t crc = 0xffffffff;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<uint8_t>(png[i]);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xedb88320 & (0U - (crc & 1)));
  }
  return png.replace(29, 4, big_endian(~crc));
}

TEST(MediaData, TheContentDecides) {
  const MediaLoader loader({});
  for (const char* type :
       {"image/png", "image/jpeg", "image/x-anything", "IMAGE/PNG", "image/png;name=a.png;charset=utf-8",
        "application/octet-stream", "video/gif", "", ";a=b"})
    EXPECT_EQ(loader.image(data_uri("pictures/shapes_3x5.png", type), kWhere).width(), 3) << type;
  EXPECT_EQ(loader.image(data_uri("images/jpeg_420.jpg"), kWhere).pixels().size() % 3, 0U);
  EXPECT_GT(loader.image(data_uri("images/animations/clip.gif"), kWhere).width(), 0) << "its first frame";
  const std::string shouted =
      "DATA:image/png;BASE64," + to_base64(read_bytes(data_path("pictures/shapes_3x5.png")));
  EXPECT_EQ(loader.image(shouted, kWhere).height(), 5);
}

TEST(MediaData, HostileUrisAreNamed) {
  const std::string png = read_bytes(data_path("pictures/shapes_3x5.png"));
  const std::string good = to_base64(png);
  const std::string jpeg = read_bytes(data_path("images/jpeg_420.jpg"));
  std::string bad_crc = png;
  bad_crc[bad_crc.size() - 20] ^= 1;
  const std::pair<std::string, const char*> cases[] = {
      {"", "400 invalid_image_url"},
      {" ", "400 invalid_image_url"},
      {"x", "400 invalid_image_url"},
      {good, "400 invalid_image_url"},
      {" data:image/png;base64," + good, "400 invalid_image_url"},
      {"data", "400 invalid_image_url"},
      {"data:", "400 invalid_image_url"},
      {"data:image/png;base64", "400 invalid_image_url"},
      {"data:image/png;base64" + good.substr(0, 40), "400 invalid_image_url"},
      {"data;image/png;base64," + good, "400 invalid_image_url"},
      {"data:,", "400 invalid_base64_image"},
      {"data:image/png," + good, "400 invalid_base64_image"},
      {"data:image/png;base32," + good, "400 invalid_base64_image"},
      {"data:image/png;base64;charset=x," + good, "400 invalid_base64_image"},
      {"data:image/png;base64 ," + good, "400 invalid_base64_image"},
      {"data:base64," + good, "400 unsupported_image_media_type"},
      {"data:text/html;base64," + good, "400 unsupported_image_media_type"},
      {"data:application/pdf;base64," + good, "400 unsupported_image_media_type"},
      {"data:imag/png;base64," + good, "400 unsupported_image_media_type"},
      {"data:" + std::string(100'000, 'x') + ";base64," + good, "400 unsupported_image_media_type"},
      {"data:\n\x1b[31m;base64," + good, "400 unsupported_image_media_type"},
      {"data:image/png;base64,", "400 empty_image_file"},
      {"data:image/png;base64,=", "400 invalid_base64_image"},
      {"data:image/png;base64,====", "400 invalid_base64_image"},
      {"data:image/png;base64, " + good, "400 invalid_base64_image"},
      {"data:image/png;base64," + good + "\n", "400 invalid_base64_image"},
      {"data:image/png;base64," + good + "," + good, "400 invalid_base64_image"},
      {"data:image/png;base64,," + good, "400 invalid_base64_image"},
      {"data:image/png;base64,%89PNG", "400 invalid_base64_image"},
      {"data:image/png;base64,iVBORw0KGgo%3D", "400 invalid_base64_image"},
      {"data:image/png;base64,iVBORw0KGg-_", "400 invalid_base64_image"},
      {"data:image/png;base64,iVBOR", "400 invalid_base64_image"},
      {"data:image/png;base64,iVBORw0KGgp=", "400 invalid_base64_image"},
      {"data:image/png;base64,iVBO\xc3\xa4", "400 invalid_base64_image"},
      {"data:image/png;base64,"s + std::string("iVBO\0Rw0", 8), "400 invalid_base64_image"},
      {as_data("\0"sv), "415 invalid_image_format"},
      {as_data("hello"sv), "415 invalid_image_format"},
      {as_data("<html><script>alert(1)</script></html>"sv), "415 invalid_image_format"},
      {as_data(std::string(1000, '\x7f')), "415 invalid_image_format"},
      {as_data("<svg xmlns='http://www.w3.org/2000/svg'/>"sv), "415 unsupported_image_media_type"},
      {as_data("%PDF-1.7\n"sv), "415 unsupported_image_media_type"},
      {as_data("PK\3\4"sv), "415 unsupported_image_media_type"},
      {as_data("\x1f\x8b\x08"sv), "415 unsupported_image_media_type"},
      {as_data("\0\0\0\x18"
               "ftypmp42"sv),
       "415 unsupported_image_media_type"},
      {as_data("\xff\x0a"sv), "415 unsupported_image_media_type"},
      {as_data("RIFF\0\0\0\0WAVE"sv), "415 unsupported_image_media_type"},
      {as_data(png.substr(0, 8)), "400 invalid_image"},
      {as_data(png.substr(0, 20)), "400 invalid_image"},
      {as_data(png.substr(0, png.size() / 2)), "400 image_parse_error"},
      {as_data(bad_crc), "400 image_parse_error"},
      {as_data("\xff\xd8\xff"sv), "400 invalid_image"},
      {as_data(jpeg.substr(0, jpeg.size() / 2)), "400 image_parse_error"},
      {as_data("GIF89a"sv), "400 invalid_image"},
      {as_data("BM"sv), "400 invalid_image"},
      {as_data("RIFF\x04\0\0\0WEBP"sv), "400 invalid_image"},
      {as_data("II*\0"sv), "400 invalid_image"},
      {as_data(png_head(0, 5)), "400 image_too_small"},
      {as_data(png_head(16385, 1)), "413 image_too_large"},
      {as_data(png_head(1, 16385)), "413 image_too_large"},
      {as_data(png_head(16384, 3052)), "413 image_too_large"},
      {as_data(png_head(26000, 26000)), "413 image_too_large"},
      {as_data(png_head(0x7fffffff, 0x7fffffff)), "413 image_too_large"},
      {"data:image/png;base64," + std::string(28'000'000, 'A'), "413 image_too_large"},
      {"data:image/png;base64," + std::string(28'000'000, '!'), "413 image_too_large"}};
  static_assert(std::size(cases) >= 40);
  for (const auto& [url, code] : cases) {
    const std::string shown = url.substr(0, 60);
    std::string message;
    EXPECT_EQ(image_refusal(url, &message), code) << shown << ": " << message;
    EXPECT_THAT(message, Not(HasSubstr("iVBO"))) << "no bytes: " << shown;
    EXPECT_EQ(message.find('\x1b'), std::string::npos);
  }
}

TEST(MediaData, LimitsAreTheOperators) {
  const std::string picture = data_uri("pictures/shapes_100x80.png");
  const auto size = static_cast<int64_t>(read_bytes(data_path("pictures/shapes_100x80.png")).size());
  const auto with = [&](MediaOptions options) {
    return refusal_of([&] { MediaLoader(options).image(picture, kWhere); });
  };
  EXPECT_EQ(with({.max_image_bytes = size}), "none");
  EXPECT_EQ(with({.max_image_bytes = size - 1}), "413 image_too_large");
  EXPECT_EQ(with({.max_image_pixels = 8000}), "none");
  EXPECT_EQ(with({.max_image_pixels = 7999}), "413 image_too_large");
  EXPECT_EQ(with({.max_image_side = 100}), "none");
  EXPECT_EQ(with({.max_image_side = 99}), "413 image_too_large");
}

TEST(MediaData, AnAnimationIsAVideo) {
  const MediaLoader loader({});
  const Video video = loader.video(data_uri("images/animations/clip.gif", "image/gif"), kWhere);
  EXPECT_EQ(video.frames(), Video::open(data_path("images/animations/clip.gif")).frames());
  EXPECT_GT(loader.video(data_uri("images/animations/lossy.webp", ""), kWhere).frames(), 1);
  const auto refused = [&](const std::string& url, std::string* message = nullptr) {
    return refusal_of([&] { loader.video(url, kWhere); }, message);
  };
  std::string message;
  EXPECT_EQ(refused(as_data("\0\0\0\x18"
                            "ftypmp42"sv),
                    &message),
            "415 unsupported_image_media_type");
  EXPECT_THAT(message, HasSubstr("file://NAME"));
  EXPECT_EQ(refused(data_uri("pictures/shapes_3x5.png")), "415 unsupported_image_media_type");
  EXPECT_EQ(refused(as_data("hello"sv)), "415 invalid_image_format");
  EXPECT_EQ(refused(as_data("GIF89a"sv)), "400 invalid_image");
  EXPECT_EQ(refused("data:image/gif;base64,"), "400 empty_image_file");
  EXPECT_EQ(refused(data_uri("bombs/webp_video.webp", "")), "413 image_too_large");
  const std::string clip = data_uri("images/animations/clip.gif");
  const int64_t pixels =
      video.frames() * loader.image(clip, kWhere).width() * loader.image(clip, kWhere).height();
  EXPECT_NO_THROW(MediaLoader({.max_video_pixels = pixels}).video(clip, kWhere));
  EXPECT_EQ(refusal_of([&] { MediaLoader({.max_video_pixels = pixels - 1}).video(clip, kWhere); }),
            "413 image_too_large");
}

TEST(MediaData, FramesAreOneVideo) {
  const std::string one = data_uri("pictures/shapes_3x5.png");
  const std::string other = data_uri("pictures/shapes_100x80.png");
  const MediaLoader loader({.max_request_pixels = 3 * 5 * 10});
  const Video video = loader.frames({one, one, one, one}, 2, kWhere);
  EXPECT_EQ(video.frames(), 4);
  EXPECT_EQ(video.seconds(), 2);
  const auto refused = [&](const std::vector<std::string>& urls, double fps, std::string* message = nullptr) {
    return refusal_of([&] { loader.frames(urls, fps, kWhere); }, message);
  };
  std::string message;
  EXPECT_EQ(refused({one, "x"}, 2, &message), "400 invalid_image_url");
  EXPECT_THAT(message, testing::StartsWith(kWhere + "[1]: "));
  EXPECT_EQ(refused({}, 2), "400 invalid_image");
  EXPECT_EQ(refused({one}, 0), "400 invalid_image");
  EXPECT_EQ(refused({one, other}, 2, &message), "413 image_too_large");
  EXPECT_EQ(refused(std::vector<std::string>(11, one), 2, &message), "413 image_too_large");
  EXPECT_THAT(message, testing::StartsWith(kWhere + "[10]: "));
  EXPECT_EQ(refusal_of(
                [&] {
                  MediaLoader({}).frames({one, other}, 2, kWhere);
                },
                &message),
            "400 invalid_image");
  EXPECT_THAT(message, HasSubstr("frames of a video have one size"));
}

}  // namespace
}  // namespace galago::server::test
