// Which decoder reads a file, and what is the same for all of them: limits, orientation, unknown formats.
// In: bytes or a path. Out: upright RGB8. The content decides the format; the name is never looked at.
// Reference: Pillow 12.3 Image.open, transformers 5.18 load_image (exif_transpose, then convert to RGB).
#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include "core/limits.h"
#include "galago/error.h"
#include "image/decoders.h"
#include "image/heif_brands.h"
#include "image/image.h"
#include "image/orientation.h"
#include "io/files.h"

namespace galago {
namespace {

using namespace std::string_view_literals;

constexpr size_t kTextBytes = 512;  // looked at to tell a text

struct Decoder {
  bool (*accepts)(std::string_view bytes);
  ImageHeader (*header)(const EncodedImage&);
  RgbImage (*upright)(const EncodedImage&, int orientation);
};

// Turning a whole image holds it twice; JPEG, which is turned as its rows come, says so itself.
constexpr int64_t kTurningBytes = 6;

template <ImageHeader (*read)(const EncodedImage&)>
ImageHeader header_of_turned(const EncodedImage& file) {
  ImageHeader header = read(file);
  if (header.orientation != 1)
    header.memory = std::max(header.memory, kTurningBytes * header.size.width * header.size.height);
  return header;
}

template <RgbImage (*decode)(const EncodedImage&)>
RgbImage turned(const EncodedImage& file, int orientation) {
  return turn_upright(decode(file), orientation);
}

bool starts_like_webp(std::string_view b) {
  return b.starts_with("RIFF"sv) && b.substr(0, 12).ends_with("WEBP"sv);
}
bool starts_like_gif(std::string_view b) { return b.starts_with("GIF87a"sv) || b.starts_with("GIF89a"sv); }

bool starts_like_tiff(std::string_view b) {
  if (b.substr(0, 11).ends_with("CR\2"sv)) return false;  // a camera's raw file in a TIFF's clothes
  return b.starts_with("II*\0"sv) || b.starts_with("MM\0*"sv) || b.starts_with("II+\0"sv) ||
         b.starts_with("MM\0+"sv);
}

const std::array<Decoder, 7> kDecoders = {{
    {[](std::string_view b) { return b.starts_with("\xff\xd8\xff"sv); }, read_jpeg_header, decode_jpeg},
    {[](std::string_view b) { return b.starts_with("\x89PNG\r\n\x1a\n"sv); },
     header_of_turned<read_png_header>, turned<decode_png>},
    {starts_like_webp, header_of_turned<read_webp_header>, turned<decode_webp>},
    {starts_like_gif, read_gif_header, turned<decode_gif>},
    {[](std::string_view b) { return b.starts_with("BM"sv); }, read_bmp_header, turned<decode_bmp>},
    {starts_like_tiff, read_tiff_header, turned<decode_tiff>},
    {starts_like_heif, read_heif_header, turned<decode_heif>},
}};

/// A format that is recognised only to be named: `magic` at byte `offset`.
struct KnownFormat {
  size_t offset;
  std::string_view magic;
  const char* name;
  const char* hint;
};

constexpr const char* kConvert = "convert it to PNG: magick FILE picture.png";
constexpr const char* kDevelop = "develop it: darktable-cli FILE picture.png, or export a JPEG";
constexpr const char* kAskAsVideo = "videos are given to --video, or to Video::open_with_ffmpeg";
constexpr const char* kDraw = "draw it: rsvg-convert FILE -o picture.png";
constexpr KnownFormat kSvg = {0, "<svg"sv, "SVG", kDraw};

constexpr std::array<KnownFormat, 24> kKnownFormats = {{
    {0, "%PDF"sv, "PDF",
     "galago convert reads its pages; pdftoppm -r 150 -png FILE page makes pictures of them"},
    {4, "ftypcrx "sv, "a camera's raw file (CR3)", kDevelop},
    {8, "CR\2"sv, "a camera's raw file (CR2)", kDevelop},
    {0, "FUJIFILMCCD-RAW"sv, "a camera's raw file (RAF)", kDevelop},
    {0, "IIU\0"sv, "a camera's raw file (RW2)", kDevelop},
    {0, "IIRO"sv, "a camera's raw file (ORF)", kDevelop},
    {0, "MMOR"sv, "a camera's raw file (ORF)", kDevelop},
    {4, "ftyp"sv, "MP4 or QuickTime video", kAskAsVideo},
    {0, "\x1a\x45\xdf\xa3"sv, "Matroska or WebM video", kAskAsVideo},
    {0, "\xff\x0a"sv, "JPEG XL", "convert it: djxl FILE picture.png"},
    {0, "\0\0\0\x0cJXL "sv, "JPEG XL", "convert it: djxl FILE picture.png"},
    {0, "\0\0\0\x0cjP  "sv, "JPEG 2000", "convert it: opj_decompress -i FILE -o picture.png"},
    {0, "\xff\x4f\xff\x51"sv, "JPEG 2000", "convert it: opj_decompress -i FILE -o picture.png"},
    {0, "\0\0\1\0"sv, "ICO", kConvert},
    {0, "8BPS"sv, "PSD", "export it as PNG: magick 'FILE[0]' picture.png"},
    {0, "gimp xcf"sv, "XCF", kConvert},
    {0, "RIFF"sv, "RIFF that is not WebP", ""},
    {0, "PK\3\4"sv, "ZIP", "unpack it first"},
    {0, "\x1f\x8b"sv, "gzip", "unpack it first"},
    {0, "qoif"sv, "QOI", kConvert},
    {0, "P5"sv, "PGM", kConvert},
    {0, "P6"sv, "PPM", kConvert},
    {0, "%!PS"sv, "PostScript", "draw it: gs -sDEVICE=png16m -r150 -o picture.png FILE"},
    kSvg,
}};

bool looks_like_text(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || byte == '\n' || byte == '\r' || byte == '\t';
  });
}

std::string_view view_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The format that the first bytes tell; null for none that is known. An SVG may begin with a declaration.
const KnownFormat* known_format(std::string_view bytes) {
  for (const KnownFormat& format : kKnownFormats)
    if (bytes.size() > format.offset && bytes.substr(format.offset).starts_with(format.magic)) return &format;
  const std::string_view start = bytes.substr(0, kTextBytes);
  return start.starts_with("<?xml"sv) && start.find(kSvg.magic) != std::string_view::npos ? &kSvg : nullptr;
}

const Decoder& decoder_for(const EncodedImage& file) {
  if (file.size() == 0) throw_invalid_image(file.where, "an empty file", "an image");
  if (file.size() > limits::kImageBytes) {
    throw Error(ErrorCode::input_too_large,
                {.where = file.where,
                 .got = std::to_string(file.size()) + " bytes",
                 .expected = "at most " + std::to_string(limits::kImageBytes) + " bytes"});
  }
  for (const Decoder& decoder : kDecoders) {
    if (decoder.accepts(view_of(file.bytes))) return decoder;
  }
  const KnownFormat* known = known_format(view_of(file.bytes));
  throw Error(ErrorCode::unsupported_media, {.where = file.where,
                                             .got = recognise_format(file.bytes),
                                             .expected = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF",
                                             .hint = known == nullptr ? "" : known->hint});
}

std::string pixels_text(ImageSize size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height) + " pixels";
}

/// The header, once it is known that the image may be decoded.
ImageHeader checked_header(const Decoder& decoder, const EncodedImage& file) {
  const ImageHeader header = decoder.header(file);
  if (header.memory > limits::kImageMemory)
    throw Error(ErrorCode::input_too_large,
                {.where = file.where,
                 .got = pixels_text(header.size) + ", which take " + std::to_string(header.memory) +
                        " bytes to decode",
                 .expected = "at most " + std::to_string(limits::kImageMemory) + " bytes"});
  return header;
}

}  // namespace

bool is_gif(const EncodedImage& file) { return starts_like_gif(view_of(file.bytes)); }
bool is_webp(const EncodedImage& file) { return starts_like_webp(view_of(file.bytes)); }

std::string recognise_format(std::span<const std::byte> content) {
  const std::string_view bytes = view_of(content);
  for (const Decoder& decoder : kDecoders)
    if (decoder.accepts(bytes)) return "a picture of another format";
  if (const KnownFormat* known = known_format(bytes)) return known->name;
  return looks_like_text(bytes.substr(0, kTextBytes)) ? "text" : "an unknown format";
}

void throw_invalid_image(const std::string& where, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::input_invalid, {.where = where, .got = got, .expected = expected});
}

void throw_unsupported_image(const std::string& where, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::unsupported_media, {.where = where, .got = got, .expected = expected});
}

void check_image_size(ImageSize size, const std::string& where) {
  const std::string got = pixels_text(size);
  if (size.width < 1 || size.height < 1) throw_invalid_image(where, got, "at least 1x1");
  if (size.width > limits::kImageSide || size.height > limits::kImageSide ||
      size.width * size.height > limits::kImagePixels) {
    throw Error(ErrorCode::input_too_large,
                {.where = where,
                 .got = got,
                 .expected = "edges of at most " + std::to_string(limits::kImageSide) + " and at most " +
                             std::to_string(limits::kImagePixels) + " pixels"});
  }
}

void check_canvas_size(ImageSize size, const std::string& where) {
  if (size.width * size.height > limits::kCanvasPixels)
    throw Error(ErrorCode::input_too_large,
                {.where = where,
                 .got = "a canvas of " + pixels_text(size),
                 .expected = "at most " + std::to_string(limits::kCanvasPixels) +
                             " pixels of an animation, or around a smaller frame"});
}

RgbImage rowless_image(ImageSize size, const std::string& where) {
  RgbImage image{.width = size.width, .height = size.height};
  try {
    image.pixels.reserve(size.width * size.height * 3);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::resource, {.where = where, .got = "no memory for the decoded image"});
  }
  return image;
}

void grow_rows(RgbImage& image, int64_t rows) { image.pixels.resize(rows * image.width * 3); }

RgbImage blank_image(ImageSize size, const std::string& where) {
  RgbImage image = rowless_image(size, where);
  grow_rows(image, size.height);
  return image;
}

RgbImage decode_image(std::span<const std::byte> bytes, const std::string& where) {
  return decode_image_page(bytes, 1, where);
}

int64_t image_pages(std::span<const std::byte> bytes, const std::string& where) {
  const EncodedImage file{bytes, where};
  decoder_for(file);
  return starts_like_tiff(view_of(bytes)) ? tiff_pages(file) : 1;
}

RgbImage decode_image_page(std::span<const std::byte> bytes, int64_t page, const std::string& where) {
  const EncodedImage file{bytes, where, page};
  if (page < 1 || (page > 1 && page > image_pages(bytes, where)))
    throw_invalid_image(where, "no page " + std::to_string(page), "a page of the file");
  const Decoder& decoder = decoder_for(file);
  const ImageHeader header = checked_header(decoder, file);
  try {
    return decoder.upright(file, header.orientation);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::resource, {.where = where, .got = "no memory to decode the image"});
  }
}

ImageSize read_image_size(std::span<const std::byte> bytes, const std::string& where) {
  const EncodedImage file{bytes, where};
  const ImageHeader header = checked_header(decoder_for(file), file);
  return upright_size(header.size, header.orientation);
}

RgbImage load_image(const std::filesystem::path& file) {
  // Read, not mapped: a picture that is shortened meanwhile must not end the process.
  const std::string bytes = read_text_file(file, limits::kImageBytes);
  return decode_image(std::as_bytes(std::span(bytes)), file.string());
}

}  // namespace galago
