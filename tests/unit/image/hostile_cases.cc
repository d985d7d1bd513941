// The files of hostile_cases.h. Field offsets follow ITU T.81 (JPEG), ISO 15948 (PNG), GIF89a, RFC 9649
// (WebP) and the Windows bitmap headers.
#include "hostile_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <span>

#include "image/image.h"
#include "image_test_support.h"

namespace galago::image_test {

Bytes good(const std::string& name) {
  const std::vector<std::byte> bytes = read_bytes(name);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes patched(Bytes bytes, size_t at, std::string_view with) { return bytes.replace(at, with.size(), with); }
Bytes patched_after(const std::string& name, std::string_view mark, size_t offset, std::string_view with) {
  const Bytes bytes = good(name);
  return patched(bytes, bytes.find(mark) + offset, with);
}

Bytes big32(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}
Bytes little32(uint32_t value) {
  Bytes bytes = big32(value);
  std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

ErrorCode refusal(const Bytes& bytes, const char* name) {
  try {
    decode_image(std::as_bytes(std::span(bytes)), name);
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), name);
    return error.code();
  }
  ADD_FAILURE() << name << " was decoded";
  return ErrorCode::internal;
}

int answer_damage(const char* name, size_t prefixes, int rounds, std::mt19937& random) {
  const Bytes whole = good(name);
  int refused = 0;
  const auto answer = [&](const Bytes& bytes) {
    try {
      decode_image(std::as_bytes(std::span(bytes)), name);
    } catch (const Error& error) {
      EXPECT_NE(error.code(), ErrorCode::internal) << error.what();
      ++refused;
    }
  };
  for (size_t keep = 0; keep < whole.size(); keep += 1 + whole.size() / prefixes)
    answer(whole.substr(0, keep));
  for (int round = 0; round < rounds; ++round) {
    Bytes bytes = whole;
    for (int i = 0; i < 1 + round % 4; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    answer(bytes);
  }
  return refused;
}

namespace {

Bytes cut(const std::string& name, size_t keep) { return good(name).substr(0, keep); }
Bytes half(const std::string& name) { return cut(name, good(name).size() / 2); }

Bytes join(std::initializer_list<std::string_view> parts) {
  Bytes bytes;
  for (const std::string_view part : parts) bytes.append(part);
  return bytes;
}

// JPEG: segments of the good file.

Bytes jpeg_frame(size_t offset, std::string_view with, const std::string& name = "jpeg_420.jpg") {
  return patched_after(name, "\xff\xc0", offset,
                       with);  // marker, length, precision, height, width, components
}

Bytes jpeg_without(const std::string& name, std::string_view marker) {
  Bytes bytes = good(name);
  for (size_t at = bytes.find(marker); at != Bytes::npos; at = bytes.find(marker)) {
    const size_t length = static_cast<uint8_t>(bytes[at + 2]) * 256 + static_cast<uint8_t>(bytes[at + 3]);
    bytes.erase(at, length + 2);
  }
  return bytes;
}

/// A progressive file whose first scan comes 600 times.
Bytes jpeg_of_many_scans() {
  const Bytes bytes = good("jpeg_progressive_gray.jpg");
  const size_t first = bytes.find("\xff\xda");
  size_t end = first + 2;
  while (bytes[end] != '\xff' || bytes[end + 1] == 0) ++end;
  Bytes scans;
  for (int i = 0; i < 600; ++i) scans += bytes.substr(first, end - first);
  return bytes.substr(0, first) + scans + bytes.substr(first);
}

// PNG: the header's fields and whole chunks, with right checksums.

constexpr std::string_view kPngMagic = "\x89PNG\r\n\x1a\n";

Bytes png_chunk(std::string_view name, std::string_view data) {
  const Bytes body = join({name, data});
  const auto crc =
      static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size()));
  return join({big32(static_cast<uint32_t>(data.size())), body, big32(crc)});
}

Bytes png_header(uint32_t width, uint32_t height, std::string_view rest = {"\x08\x02\0\0\0", 5}) {
  return join({kPngMagic, png_chunk("IHDR", join({big32(width), big32(height), rest}))});
}

Bytes png_body(const std::string& name) { return good(name).substr(33); }

Bytes png_with_data(std::string_view plain) { return png_of(2, 2, {"\x08\x02\0\0\0", 5}, plain); }

// GIF: a screen descriptor without palette, then records.

Bytes gif(uint16_t width, uint16_t height, std::string_view records) {
  const auto low = [](uint16_t v) { return Bytes{static_cast<char>(v), static_cast<char>(v >> 8)}; };
  return join({"GIF89a", low(width), low(height), Bytes(3, '\0'), records});
}
Bytes gif_frame(std::string_view size, std::string_view data) {
  return join({",", Bytes(4, '\0'), size, Bytes(1, '\0'), data});
}

// WebP: one chunk in a RIFF file; and an extended header that claims a canvas.

Bytes webp(std::string_view name, std::string_view data) {
  const Bytes chunk = join({name, little32(static_cast<uint32_t>(data.size())), data});
  return join({"RIFF", little32(static_cast<uint32_t>(chunk.size() + 4)), "WEBP", chunk});
}
Bytes webp_canvas(uint32_t width, uint32_t height) {
  const Bytes header =
      join({Bytes(4, '\0'), little32(width - 1).substr(0, 3), little32(height - 1).substr(0, 3)});
  const Bytes frame = good("webp_lossy.webp").substr(12);
  const Bytes chunks = join({"VP8X", little32(10), header, frame});
  return join({"RIFF", little32(static_cast<uint32_t>(chunks.size() + 4)), "WEBP", chunks});
}

// BMP: fields of the info header.

constexpr size_t kBmpWidth = 18;
constexpr size_t kBmpHeight = 22;
constexpr size_t kBmpBits = 28;
constexpr size_t kBmpCompression = 30;
constexpr size_t kBmpColors = 46;
constexpr size_t kBmpMasks = 54;

Bytes bmp(size_t at, uint32_t value, const std::string& name = "bmp_24_bit.bmp") {
  return patched(good(name), at, little32(value));
}

/// Rows are added one by one: a long initialiser list takes sanitizer builds minutes to compile.
struct Table {
  std::vector<Hostile> rows;

  void add(const char* name, Bytes bytes, ErrorCode code) { rows.push_back({name, std::move(bytes), code}); }
};

constexpr ErrorCode kInvalid = ErrorCode::input_invalid;
constexpr ErrorCode kTooLarge = ErrorCode::input_too_large;
constexpr ErrorCode kUnsupported = ErrorCode::unsupported_media;

std::vector<Hostile> hostile_jpegs() {
  Table table;
  const size_t progressive = good("jpeg_progressive_420.jpg").size();
  table.add("jpeg_magic_alone", cut("jpeg_420.jpg", 3), kInvalid);
  table.add("jpeg_cut_in_first_segment", cut("jpeg_420.jpg", 12), kInvalid);
  table.add("jpeg_cut_in_tables", cut("jpeg_420.jpg", 200), kInvalid);
  table.add("jpeg_cut_in_half", half("jpeg_420.jpg"), kInvalid);
  table.add("jpeg_cut_near_the_end", cut("jpeg_420.jpg", good("jpeg_420.jpg").size() - 20), kInvalid);
  table.add("jpeg_gray_cut", half("jpeg_gray.jpg"), kInvalid);
  table.add("jpeg_cmyk_cut", half("jpeg_cmyk.jpg"), kInvalid);
  table.add("jpeg_progressive_cut", half("jpeg_progressive_420.jpg"), kInvalid);
  table.add("jpeg_progressive_without_end", cut("jpeg_progressive_420.jpg", progressive - 2), kInvalid);
  table.add("jpeg_no_scan", "\xff\xd8\xff\xd9", kInvalid);
  table.add("jpeg_zero_height", jpeg_frame(5, {"\0\0", 2}), kInvalid);
  table.add("jpeg_zero_width", jpeg_frame(7, {"\0\0", 2}), kInvalid);
  table.add("jpeg_65535_square", jpeg_frame(5, "\xff\xff\xff\xff"), kTooLarge);
  table.add("jpeg_billion_pixels", jpeg_frame(5, "\x7f\xff\x7f\xff"), kTooLarge);
  table.add("jpeg_12_bits", jpeg_frame(4, "\x0c"), kUnsupported);
  table.add("jpeg_lossless", jpeg_frame(1, "\xc3"), kUnsupported);
  table.add("jpeg_hierarchical", jpeg_frame(1, "\xc5"), kUnsupported);
  table.add("jpeg_five_components", jpeg_frame(9, "\x05"), kInvalid);
  table.add("jpeg_sampling_of_zero", jpeg_frame(11, {"\0", 1}), kInvalid);
  table.add("jpeg_two_frames", jpeg_frame(0, "\xff\xd8"), kInvalid);
  table.add("jpeg_bad_huffman_table", patched_after("jpeg_420.jpg", "\xff\xc4", 5, "\xff\xff\xff\xff"),
            kInvalid);
  table.add("jpeg_bad_huffman_class", patched_after("jpeg_420.jpg", "\xff\xc4", 4, "\x7f"), kInvalid);
  table.add("jpeg_no_quantisation", jpeg_without("jpeg_420.jpg", "\xff\xdb"), kInvalid);
  table.add("jpeg_bad_scan_component", patched_after("jpeg_420.jpg", "\xff\xda", 5, "\x77"), kInvalid);
  table.add("jpeg_stray_marker", patched(good("jpeg_420.jpg"), 900, "\xff\xb5"), kInvalid);
  table.add("jpeg_many_scans", jpeg_of_many_scans(), kTooLarge);
  return table.rows;
}

std::vector<Hostile> hostile_pngs() {
  Table table;
  const size_t size = good("png_rgb_8.png").size();
  const Bytes body = png_body("png_rgb_8.png");
  const Bytes end = png_chunk("IEND", "");
  table.add("png_magic_alone", cut("png_rgb_8.png", 8), kInvalid);
  table.add("png_cut_in_header", cut("png_rgb_8.png", 30), kInvalid);
  table.add("png_header_alone", cut("png_rgb_8.png", 33), kInvalid);
  table.add("png_cut_in_half", half("png_rgb_8.png"), kInvalid);
  table.add("png_cut_near_the_end", cut("png_rgb_8.png", size - 30), kInvalid);
  table.add("png_interlaced_cut", half("png_rgba_8_interlaced.png"), kInvalid);
  table.add("png_zero_width", png_header(0, 5) + body, kInvalid);
  table.add("png_zero_height", png_header(5, 0) + body, kInvalid);
  table.add("png_negative_width", png_header(0x80000000U, 5) + body, kTooLarge);
  table.add("png_ten_billion_pixels", png_header(100000, 100000) + body, kTooLarge);
  table.add("png_billion_pixels", png_header(31623, 31623) + body, kTooLarge);
  table.add("png_long_edge", png_header(70000, 1) + body, kTooLarge);
  table.add("png_depth_3", png_header(53, 37, {"\x03\x02\0\0\0", 5}) + body, kInvalid);
  table.add("png_color_type_5", png_header(53, 37, {"\x08\x05\0\0\0", 5}) + body, kInvalid);
  table.add("png_compression_1", png_header(53, 37, {"\x08\x02\x01\0\0", 5}) + body, kInvalid);
  table.add("png_filter_method_1", png_header(53, 37, {"\x08\x02\0\x01\0", 5}) + body, kInvalid);
  table.add("png_interlace_2", png_header(53, 37, {"\x08\x02\0\0\x02", 5}) + body, kInvalid);
  table.add("png_no_header", join({kPngMagic, body}), kInvalid);
  table.add("png_header_checksum", patched(good("png_rgb_8.png"), 29, "\x01\x02\x03\x04"), kInvalid);
  table.add("png_data_checksum", patched_after("png_rgb_8.png", "IDAT", 60, "\x55\xaa\x55"), kInvalid);
  table.add("png_no_palette", png_header(53, 37, {"\x08\x03\0\0\0", 5}) + body, kInvalid);
  table.add("png_palette_of_4_bytes",
            png_header(2, 2, {"\x08\x03\0\0\0", 5}) + png_chunk("PLTE", "abcd") + end, kInvalid);
  table.add("png_no_data", png_header(2, 2) + end, kInvalid);
  table.add("png_data_not_zlib", png_header(2, 2) + png_chunk("IDAT", "not zlib at all") + end, kInvalid);
  table.add("png_too_few_rows", png_with_data({"\0abcdef", 7}), kInvalid);
  table.add("png_row_filter_9",
            png_with_data({"\x09"
                           "abcdef\0abcdef",
                           14}),
            kInvalid);
  table.add("png_chunk_of_4_gigabytes", png_header(2, 2) + big32(0xFFFFFFFFU) + "IDATabcd", kInvalid);
  table.add("png_unknown_critical_chunk", png_header(2, 2) + png_chunk("QUUX", "abcd") + end, kInvalid);
  return table.rows;
}

std::vector<Hostile> hostile_gifs() {
  Table table;
  const Bytes one_by_one("\x01\0\x01\0", 4);
  table.add("gif_magic_alone", cut("gif_plain.gif", 6), kInvalid);
  table.add("gif_cut_in_screen", cut("gif_plain.gif", 11), kInvalid);
  table.add("gif_cut_in_palette", cut("gif_plain.gif", 100), kInvalid);
  table.add("gif_cut_in_frame", cut("gif_plain.gif", 13 + 768 + 4), kInvalid);
  table.add("gif_cut_in_half", cut("gif_plain.gif", good("gif_plain.gif").size() - 200), kInvalid);
  table.add("gif_without_frame", gif(5, 5, ";"), kInvalid);
  table.add("gif_unknown_record", gif(5, 5, "Q"), kInvalid);
  table.add("gif_endless_extension",
            gif(5, 5,
                "!\xfe\xff"
                "abc"),
            kInvalid);
  table.add("gif_zero_width", gif(5, 5, gif_frame({"\0\0\x05\0", 4}, {"\x02\x01\x44\0;", 5})), kInvalid);
  table.add("gif_zero_height", gif(5, 5, gif_frame({"\x05\0\0\0", 4}, {"\x02\x01\x44\0;", 5})), kInvalid);
  table.add("gif_screen_of_4_billion", gif(65535, 65535, gif_frame(one_by_one, {"\x02\x01\x44\0;", 5})),
            kTooLarge);
  table.add("gif_frame_of_4_billion", gif(1, 1, gif_frame("\xff\xff\xff\xff", {"\x02\x01\x44\0;", 5})),
            kTooLarge);
  table.add("gif_code_size_13", gif(1, 1, gif_frame(one_by_one, {"\x0d\x01\x44\0;", 5})), kInvalid);
  table.add("gif_end_code_at_once", gif(1, 1, gif_frame(one_by_one, {"\x02\x01\x05\0;", 5})), kInvalid);
  table.add("gif_no_codes", gif(1, 1, gif_frame(one_by_one, {"\x02\0;", 3})), kInvalid);
  table.add("gif_garbage_codes",
            gif(200, 200, gif_frame({"\xc8\0\xc8\0", 4}, "\x02\x05\xff\xfe\xfd\xfc\xfb")), kInvalid);
  return table.rows;
}

std::vector<Hostile> hostile_webps() {
  Table table;
  table.add("webp_magic_alone", cut("webp_lossy.webp", 12), kInvalid);
  table.add("webp_cut_in_chunk", cut("webp_lossy.webp", 25), kInvalid);
  table.add("webp_cut_in_half", half("webp_lossy.webp"), kInvalid);
  table.add("webp_lossless_cut", half("webp_lossless.webp"), kInvalid);
  table.add("webp_animated_cut", half("webp_animated.webp"), kInvalid);
  table.add("webp_bad_frame_tag", patched(good("webp_lossy.webp"), 23, {"\0\0\0", 3}), kInvalid);
  table.add("webp_bad_lossless_signature", patched(good("webp_lossless.webp"), 20, "\x11"), kInvalid);
  // Makes the pixels run on into the metadata behind them.
  table.add("webp_pixels_beyond_their_chunk", patched(good("webp_exif.webp"), 59, "\x5a"), kInvalid);
  table.add("webp_unknown_chunk", webp("ABCD", "12345678"), kInvalid);
  table.add("webp_empty_lossless", webp("VP8L", ""), kInvalid);
  table.add("webp_of_268_million_pixels", webp("VP8L", "\x2f\xff\xff\xff\x0f" + Bytes(15, '\x77')),
            kTooLarge);
  table.add("webp_canvas_beyond_format", webp_canvas(1 << 24, 1 << 24), kInvalid);
  table.add("webp_canvas_unlike_frame", webp_canvas(54, 37), kInvalid);
  table.add("webp_lossless_garbage", webp("VP8L", Bytes("\x2f\x0f\xc0\x03\0", 5) + Bytes(30, '\xff')),
            kInvalid);
  return table.rows;
}

std::vector<Hostile> hostile_bmps() {
  Table table;
  table.add("bmp_magic_alone", cut("bmp_24_bit.bmp", 2), kInvalid);
  table.add("bmp_cut_in_file_header", cut("bmp_24_bit.bmp", 12), kInvalid);
  table.add("bmp_cut_in_header", cut("bmp_24_bit.bmp", 40), kInvalid);
  table.add("bmp_cut_in_masks", cut("bmp_16_bit_565.bmp", 60), kInvalid);
  table.add("bmp_cut_in_palette", cut("bmp_8_bit.bmp", 300), kInvalid);
  table.add("bmp_cut_in_half", half("bmp_24_bit.bmp"), kInvalid);
  table.add("bmp_os2_cut", half("bmp_8_bit_os2.bmp"), kInvalid);
  table.add("bmp_rle_cut", cut("bmp_rle8.bmp", good("bmp_rle8.bmp").size() - 10), kInvalid);
  table.add("bmp_rle_ends_at_once", patched(good("bmp_rle4.bmp"), 14 + 40 + 64, {"\0\x01", 2}), kInvalid);
  table.add("bmp_offset_past_the_end", bmp(10, 0x7fffffff), kInvalid);
  table.add("bmp_offset_of_4_gigabytes", bmp(10, 0xffffffff), kInvalid);
  table.add("bmp_zero_width", bmp(kBmpWidth, 0), kInvalid);
  table.add("bmp_zero_height", bmp(kBmpHeight, 0), kInvalid);
  table.add("bmp_negative_width", bmp(kBmpWidth, 0xffffffff), kInvalid);
  table.add("bmp_lowest_height", bmp(kBmpHeight, 0x80000000), kTooLarge);
  table.add("bmp_two_billion_wide", bmp(kBmpWidth, 0x7fffffff), kTooLarge);
  table.add("bmp_billion_pixels", patched(bmp(kBmpWidth, 31623), kBmpHeight, little32(31623)), kTooLarge);
  table.add("bmp_more_rows_than_data", bmp(kBmpHeight, 5000), kInvalid);
  table.add("bmp_7_bits", bmp(kBmpBits, 7), kUnsupported);
  table.add("bmp_64_bits", bmp(kBmpBits, 64), kUnsupported);
  table.add("bmp_jpeg_inside", bmp(kBmpCompression, 4), kUnsupported);
  table.add("bmp_compression_of_4_billion", bmp(kBmpCompression, 0xffffffff), kUnsupported);
  table.add("bmp_rle_of_true_colour", bmp(kBmpCompression, 1), kUnsupported);
  table.add("bmp_odd_masks", bmp(kBmpMasks, 0x00F0, "bmp_16_bit_565.bmp"), kUnsupported);
  table.add("bmp_odd_masks_32", bmp(kBmpMasks, 0x3FF00000, "bmp_32_bit_fields.bmp"), kUnsupported);
  table.add("bmp_header_of_17_bytes", bmp(14, 17), kUnsupported);
  table.add("bmp_palette_of_a_million", bmp(kBmpColors, 1 << 20, "bmp_8_bit.bmp"), kInvalid);
  table.add("bmp_gray_of_4_bits",  // gray pixels are read as bytes, and the rows are too short for them
            patched(bmp(kBmpBits, 4, "bmp_8_bit_gray.bmp"), kBmpColors, little32(256)), kInvalid);
  return table.rows;
}

}  // namespace

Bytes png_of(uint32_t width, uint32_t height, std::string_view rest, std::string_view rows) {
  uLongf size = compressBound(rows.size());
  Bytes packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
           rows.size());
  return join(
      {png_header(width, height, rest), png_chunk("IDAT", packed.substr(0, size)), png_chunk("IEND", "")});
}

std::vector<Hostile> foreign_files() {
  Table table;
  table.add("empty", "", kInvalid);
  table.add("one_byte", "\xff", kUnsupported);
  table.add("zeros", Bytes(64, '\0'), kUnsupported);
  table.add("text", "hello, this is not a picture", kUnsupported);
  table.add("pdf", "%PDF-1.7", kUnsupported);
  table.add("jpeg_xl", {"\xff\x0a\0\0", 4}, kUnsupported);
  table.add("svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", kUnsupported);
  table.add("wave", {"RIFF\x24\0\0\0WAVEfmt ", 16}, kUnsupported);
  table.add("half_a_png_magic", "\x89PNG", kUnsupported);
  table.add("half_a_jpeg_magic", "\xff\xd8", kUnsupported);
  return table.rows;
}

std::vector<Hostile> all_hostile() {
  std::vector<Hostile> all;
  for (const auto& part :
       {hostile_jpegs(), hostile_pngs(), hostile_gifs(), hostile_webps(), hostile_bmps(), foreign_files()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace galago::image_test
