// Files of a few bytes that stand for huge pictures, or say so: each is decoded in a process of its own,
// whose memory and time are measured. Refused files take next to nothing; what is decoded stays within the
// budget.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <functional>
#include <random>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "galago/error.h"
#include "hostile_cases.h"
#include "image/animation.h"
#include "image/decoders.h"
#include "image/image.h"
#include "image_test_support.h"
#include "io/process_memory.h"

namespace galago {
namespace {

using namespace image_test;

constexpr int kDecoded = -1;
constexpr int64_t kMegabyte = 1 << 20;
#ifdef GALAGO_SANITIZED
constexpr bool kMeasured = false;  // what a sanitizer takes is no measure
#else
constexpr bool kMeasured = true;
#endif

/// What decoding did in a child process.
struct Outcome {
  int code = kDecoded;  ///< an ErrorCode
  int64_t grown = 0;    ///< bytes above those before
  double seconds = 0;   ///< of the processor
  char message[256] = {};
};

Outcome in_child(const std::function<void()>& decode) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    Outcome outcome;
    const int64_t before = resident_memory();
    const std::clock_t start = std::clock();
    try {
      decode();
    } catch (const Error& error) {
      outcome.code = static_cast<int>(error.code());
      std::snprintf(outcome.message, sizeof outcome.message, "%s", error.what());
    }
    if (kMeasured) {
      outcome.seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      outcome.grown = peak_memory() - before;
    }
    _exit(write(ends[1], &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
  }
  Outcome outcome;
  EXPECT_EQ(read(ends[0], &outcome, sizeof outcome), static_cast<ssize_t>(sizeof outcome));
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  close(ends[0]);
  close(ends[1]);
  return outcome;
}

Outcome decoded(const Bytes& bytes) {
  return in_child([&] { decode_image(std::as_bytes(std::span(bytes)), "a picture"); });
}

Outcome animated(const Bytes& bytes) {
  return in_child([&] {
    const auto span = std::as_bytes(std::span(bytes));
    const auto last = static_cast<int64_t>(read_animation(span, "a video").durations_ms.size()) - 1;
    decode_animation(span, "a video", {&last, 1}, [](int64_t, const RgbImage&) {});
  });
}

Bytes bomb(const std::string& name) { return good("../bombs/" + name); }

void expect_refused(const char* name, const Outcome& outcome, ErrorCode code) {
  SCOPED_TRACE(name);
  ASSERT_NE(outcome.code, kDecoded);
  EXPECT_STREQ(to_string(static_cast<ErrorCode>(outcome.code)), to_string(code)) << outcome.message;
  EXPECT_LT(outcome.grown, 32 * kMegabyte) << outcome.message;
  EXPECT_LT(outcome.seconds, 5);
}

constexpr ErrorCode kInvalid = ErrorCode::input_invalid;
constexpr ErrorCode kTooLarge = ErrorCode::input_too_large;

/// A PNG of one gray byte a pixel, interlaced or not, whose rows are all zero.
Bytes black_png(uint32_t width, uint32_t height, int interlaced) {
  const size_t filters =
      interlaced != 0 ? 4 : 1;  // bytes a row; passes have more rows, and some spare does no harm
  const Bytes rows((width + filters) * height, '\0');
  const Bytes gray{'\x08', '\0', '\0', '\0', static_cast<char>(interlaced)};
  return png_of(width, height, gray, rows);
}

TEST(Bombs, PicturesOfTooManyPixelsAreRefusedByTheirHeader) {
  for (const char* name : {"gif.gif", "jpeg_progressive.jpg", "jpeg_progressive_cmyk.jpg",
                           "png_rgba16_interlaced.png", "webp_canvas.webp", "webp_video.webp"}) {
    expect_refused(name, decoded(bomb(name)), kTooLarge);
    expect_refused(name, in_child([&] {
                     const Bytes bytes = bomb(name);
                     read_image_size(std::as_bytes(std::span(bytes)), name);
                   }),
                   kTooLarge);
  }
  expect_refused("as a video", animated(bomb("webp_video.webp")), kTooLarge);
  expect_refused("as a video", animated(bomb("gif.gif")), kTooLarge);
}

TEST(Bombs, ErrorsSayTheLimitAndWhatWasThere) {
  const Outcome cmyk = decoded(bomb("jpeg_progressive_cmyk.jpg"));
  EXPECT_NE(std::string_view(cmyk.message).find("13377x13377 pixels, which take 19"), std::string::npos)
      << cmyk.message;
  EXPECT_NE(std::string_view(cmyk.message).find(std::to_string(limits::kImageMemory)), std::string::npos);
  const Outcome canvas = decoded(bomb("gif.gif"));
  EXPECT_NE(std::string_view(canvas.message).find("13377x13377"), std::string::npos) << canvas.message;
  EXPECT_NE(std::string_view(canvas.message).find(std::to_string(limits::kCanvasPixels)), std::string::npos);
}

TEST(Bombs, ChunksThatClaimMoreThanTheFileHoldsAreRefused) {
  for (const char* name : {"png_splt.png", "png_ztxt.png", "png_itxt.png"})
    expect_refused(name, decoded(bomb(name)), kInvalid);
  for (const char* chunk : {"tEXt", "zTXt", "iTXt", "sPLT", "pCAL", "sCAL", "iCCP", "eXIf", "quUx"}) {
    const Bytes file = png_of(1, 1, {"\x08\x02\0\0\0", 5}, {"\0abc", 4});
    const Bytes lie = file.substr(0, 33) + "\x7f\xff\xff\xff" + chunk + "abcdefghijkl" + file.substr(33);
    expect_refused(chunk, decoded(lie), kInvalid);
  }
}

// The formats whose pixels must be paid for with bytes: nothing is made before these are there.
TEST(Bombs, PicturesWithoutTheirDataAreRefusedBeforeMemoryIsTaken) {
  expect_refused("bmp_rle8", decoded(bomb("bmp_rle8.bmp")), kInvalid);
  const std::string_view large("\x32\x00\x32\x00", 4);  // 12800x12800
  for (const char* name : {"jpeg_420.jpg", "jpeg_gray.jpg", "jpeg_cmyk.jpg"})
    expect_refused(name, decoded(patched_after(name, "\xff\xc0", 5, large)), kInvalid);
  // 5000x5000: within the budget of a progressive file
  expect_refused("progressive",
                 decoded(patched_after("jpeg_progressive_420.jpg", "\xff\xc2", 5, "\x13\x88\x13\x88")),
                 kInvalid);
  expect_refused("png", decoded(png_of(12800, 12800, {"\x08\x02\0\0\0", 5}, Bytes(12801, '\0'))), kInvalid);
  expect_refused("png_interlaced", decoded(png_of(9000, 9000, {"\x08\x02\0\0\x01", 5}, Bytes(9001, '\0'))),
                 kInvalid);
  expect_refused(
      "gif", decoded(patched(patched(bomb("gif.gif"), 24, {"\x41\x34\x41\x34", 4}), 6, "\x41\x34\x41\x34")),
      kInvalid);
  expect_refused("bmp", decoded(patched(good("bmp_24_bit.bmp"), 18, {"\x00\x32\0\0\x00\x32\0\0", 8})),
                 kInvalid);
}

// A row that comes is no proof of those behind it.
TEST(Bombs, MemoryGrowsWithTheRowsThatCome) {
  constexpr size_t kSide = 6000;
  Bytes rows((kSide + 1) * kSide, '\0');
  std::mt19937 random(1);
  for (size_t y = 0; y < kSide; ++y)  // not so well packed that the size alone gives a part away
    for (size_t x = 1; x < 50; ++x) rows[y * (kSide + 1) + x] = static_cast<char>(random());
  const Bytes whole = png_of(kSide, kSide, {"\x08\0\0\0\0", 5}, rows);
  const Outcome cut = decoded(whole.substr(0, whole.size() / 2));
  EXPECT_EQ(cut.code, static_cast<int>(kInvalid)) << cut.message;
  if (kMeasured) {
    EXPECT_GT(cut.grown, static_cast<int64_t>(kSide * kSide * 3 / 3));
  }
  EXPECT_LT(cut.grown, static_cast<int64_t>(kSide * kSide * 3 * 2 / 3));
}

TEST(Bombs, WhatIsDecodedStaysWithinTheBudget) {
  for (const int interlaced : {0, 1}) {
    const Outcome black = decoded(black_png(6000, 6000, interlaced));
    EXPECT_EQ(black.code, kDecoded) << black.message;
    EXPECT_LT(black.grown, 4LL * 6000 * 6000 + 64 * kMegabyte);
  }
}

// libjpeg keeps the segments that may hold EXIF or XMP, and EXIF is joined of them.
TEST(Bombs, SegmentsOfAJpegCountAsMemory) {
  const Bytes plain = good("jpeg_420.jpg");
  constexpr int64_t segment = 65533;
  Bytes bytes = plain.substr(0, 2);
  for (int i = 0; i < 100; ++i)
    bytes += Bytes(
                 "\xff\xe1\xff\xff"
                 "Exif\0\0",
                 10) +
             Bytes(segment - 6, 'x');
  bytes += plain.substr(2);
  const auto memory = [](const Bytes& file) {
    return read_jpeg_header({std::as_bytes(std::span(file)), "segments"}).memory;
  };
  EXPECT_GE(memory(bytes) - memory(plain), 2 * 100 * segment);
}

// Photos of 50 million pixels: their headers pass. The data are those of a small picture.
TEST(Bombs, LargePhotosAreAdmitted) {
  const std::string_view fifty("\x17\xe4\x1f\xe0", 4);  // height 6116, width 8160
  for (const auto& [name, mark] : {std::pair{"jpeg_420.jpg", "\xff\xc0"},
                                   {"jpeg_444.jpg", "\xff\xc0"},
                                   {"jpeg_cmyk.jpg", "\xff\xc0"},
                                   {"jpeg_progressive_420.jpg", "\xff\xc2"},
                                   {"jpeg_progressive_gray.jpg", "\xff\xc2"}}) {
    const Bytes bytes = patched_after(name, mark, 5, fifty);
    const ImageSize size = read_image_size(std::as_bytes(std::span(bytes)), name);
    EXPECT_EQ(size.width * size.height, 8160LL * 6116) << name;
  }
  for (const char* rest : {"\x08\x02\0\0\0", "\x08\x06\0\0\x01", "\x10\x06\0\0\x01"}) {
    const Bytes bytes = png_of(8160, 6116, {rest, 5}, "");
    EXPECT_EQ(read_image_size(std::as_bytes(std::span(bytes)), "png").width, 8160);
  }
}

/// The animation with other sides, and its frame as often as asked.
Bytes webp_frames(uint32_t side, int frames) {
  const Bytes one = bomb("webp_canvas.webp");
  const size_t frame = one.find("ANMF");
  Bytes bytes = one.substr(0, frame);
  for (int i = 0; i < frames; ++i) bytes += one.substr(frame);
  const auto put = [&](size_t at, uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i));
  };
  put(4, static_cast<uint32_t>(bytes.size() - 8), 4);
  put(24, side - 1, 3);
  put(27, side - 1, 3);
  return bytes;
}

TEST(Bombs, CanvasesOfAnimationsAreBoundedByTheirBytes) {
  expect_refused("canvas", animated(webp_frames(5800, 1)), kTooLarge);
  expect_refused("frames", animated(webp_frames(5000, 60)), kTooLarge);
  const Outcome fine = animated(webp_frames(1000, 60));
  EXPECT_EQ(fine.code, kDecoded) << fine.message;
  EXPECT_LT(fine.grown, 15LL * 1000 * 1000 + 16 * kMegabyte);
}

TEST(Bombs, AGifWithoutAScreenIsItsFrame) {
  expect_refused("as a picture", decoded(bomb("gif_without_screen.gif")), kInvalid);  // cut short
  expect_refused("as a video", animated(bomb("gif_without_screen.gif")), kInvalid);
  const Bytes whole = good("gif_plain.gif");
  const Bytes bytes = patched(whole, 6, {"\0\0\0\0", 4});
  const auto span = std::as_bytes(std::span(bytes));
  const RgbImage image = decode_image(span, "without screen");
  EXPECT_EQ(image.pixels, decode_image(std::as_bytes(std::span(whole)), "with screen").pixels);
  const int64_t first = 0;
  decode_animation(span, "without screen", {&first, 1},
                   [&](int64_t, const RgbImage& frame) { EXPECT_EQ(frame.pixels, image.pixels); });
}

}  // namespace
}  // namespace galago
