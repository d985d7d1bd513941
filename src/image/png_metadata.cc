// Walks the chunks of a PNG by their lengths and keeps what may state an orientation. "Raw profile type
// exif", which ImageMagick writes, holds an EXIF block as hexadecimal digits below three lines of heading.
// In: a PNG file. Out: an EXIF block and an XMP text. Reference: Pillow 13.0 PngImagePlugin, Image.getexif.
#include "image/png_metadata.h"

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/base64.h"

namespace galago {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr int64_t kSignatureBytes = 8;
constexpr int64_t kChunkOverhead = 12;  // length, name and checksum around a chunk's data
constexpr std::string_view kExif = "exif";
constexpr std::string_view kRawProfile = "Raw profile type exif";
constexpr std::string_view kXmp = "XML:com.adobe.xmp";

/// Takes what stands before the next 0 byte out of text; nothing when there is none.
std::optional<std::string_view> take_field(std::string_view& text) {
  const size_t end = text.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end + 1);
  return field;
}

/// The text of zlib data of up to `most` bytes. Data that end early give what there is; nothing when they are
/// damaged or hold more.
std::optional<std::string> inflate_text(std::string_view data, int64_t most) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  std::string text;
  int state = Z_OK;
  while (state == Z_OK && static_cast<int64_t>(text.size()) <= most) {
    Bytef block[4096];
    stream.next_out = block;
    stream.avail_out = sizeof block;
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(reinterpret_cast<const char*>(block), sizeof block - stream.avail_out);
  }
  inflateEnd(&stream);
  const bool sound = state == Z_OK || state == Z_STREAM_END || state == Z_BUF_ERROR;
  if (!sound || static_cast<int64_t>(text.size()) > most) return std::nullopt;
  return text;
}

/// The bytes of a raw profile's digits: line breaks may stand anywhere, other white space between bytes.
/// Nothing when anything else does.
std::string bytes_of_profile(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    if (c == '\n' || (high < 0 && " \t\v\f\r"sv.find(c) != std::string_view::npos)) continue;
    const int digit = hex_digit(c);
    if (digit < 0) return {};
    if (high >= 0) bytes.push_back(static_cast<char>(high * 16 + digit));
    high = high < 0 ? digit : -1;
  }
  return high < 0 ? bytes : std::string();
}

/// Whether a text chunk of this keyword can state anything.
bool is_wanted(std::string_view keyword) {
  return keyword == kExif || keyword == kRawProfile || keyword == kXmp;
}

class MetadataReader {
 public:
  void read(std::string_view name, std::string_view data) {
    if (name == "eXIf") exif_ = "Exif\0\0"s.append(data);
    if (name == "tEXt") read_text(data);
    if (name == "zTXt") read_compressed_text(data);
    if (name == "iTXt") read_international_text(data);
  }

  PngMetadata take() {
    PngMetadata found{.exif = exif_.value_or(""), .xmp = xmp_};
    if (!exif_) found.exif = bytes_of_profile(raw_profile_);
    return found;
  }

 private:
  void keep(std::string_view keyword, std::string text) {
    if (keyword == kExif) exif_ = std::move(text);
    if (keyword == kRawProfile) raw_profile_ = std::move(text);
    if (keyword == kXmp) xmp_ = std::move(text);
  }

  // keyword 0 text; without the 0 all of it is the keyword.
  void read_text(std::string_view data) {
    const std::string_view whole = data;
    const auto keyword = take_field(data);
    if (is_wanted(keyword.value_or(whole))) keep(keyword.value_or(whole), std::string(keyword ? data : ""));
  }

  // keyword 0 method text. The reference reads an EXIF block from uncompressed text alone.
  void read_compressed_text(std::string_view data) {
    const auto keyword = take_field(data);
    if (!keyword || !is_wanted(*keyword) || data.empty() || data[0] != 0) return;
    keep(*keyword, *keyword == kExif ? "" : inflated(data.substr(1)).value_or(""));
  }

  // keyword 0 flag method language 0 translated keyword 0 text
  void read_international_text(std::string_view data) {
    const auto keyword = take_field(data);
    if (!keyword || !is_wanted(*keyword) || data.size() < 2) return;
    const bool compressed = data[0] != 0;
    const bool known = data[1] == 0;
    data.remove_prefix(2);
    if (!take_field(data) || !take_field(data) || (compressed && !known)) return;
    std::optional<std::string> text = compressed ? inflated(data) : std::string(data);
    if (text) keep(*keyword, *keyword == kExif ? "" : std::move(*text));
  }

  std::optional<std::string> inflated(std::string_view data) {
    auto text = inflate_text(data, std::min(kPngTextBytes, kPngTextsBytes - inflated_bytes_));
    inflated_bytes_ += text ? static_cast<int64_t>(text->size()) : kPngTextBytes;
    return text;
  }

  std::optional<std::string> exif_;  // once it is there, a raw profile does not count
  std::string raw_profile_;
  std::string xmp_;
  int64_t inflated_bytes_ = 0;
};

/// Where the reference stops reading: at the end, at a name that none can have, and at the second frame of an
/// animation.
class ChunkOrder {
 public:
  bool ends_at(std::string_view name, std::string_view data) {
    if (name == "IEND" || !std::all_of(name.begin(), name.end(), is_word)) return true;
    if (name == "IDAT" || name == "fdAT") pixels_ = true;
    if (!pixels_ && name == "acTL" && data.size() >= 8) {
      const int64_t frames = png_get_uint_32(reinterpret_cast<png_const_bytep>(data.data()));
      frames_ = frames_ == 0 && frames <= 0x80000000 ? frames : 0;
    }
    if (name != "fcTL") return false;
    first_frame_ |= !pixels_;
    return pixels_ && frames_ + (frames_ > 0 && !first_frame_ ? 1 : 0) > 1;
  }

 private:
  static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  }

  bool pixels_ = false;
  bool first_frame_ = false;  // the pixels of IDAT are the animation's first frame
  int64_t frames_ = 0;        // of an animation
};

}  // namespace

PngMetadata read_png_metadata(const EncodedImage& file) {
  MetadataReader reader;
  ChunkOrder order;
  for (int64_t at = kSignatureBytes; file.size() - at >= kChunkOverhead;) {
    const int64_t length = png_get_uint_32(file.data() + at);
    if (length > file.size() - at - kChunkOverhead) break;
    const auto* chunk = reinterpret_cast<const char*>(file.data() + at);
    const std::string_view name(chunk + 4, 4);
    const std::string_view data(chunk + 8, static_cast<size_t>(length));
    if (order.ends_at(name, data)) break;
    reader.read(name, data);
    at += length + kChunkOverhead;
  }
  return reader.take();
}

}  // namespace galago
