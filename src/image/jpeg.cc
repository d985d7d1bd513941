// JPEG through libjpeg-turbo. In: a JPEG file. Out: RGB8: gray repeated, YCbCr converted, CMYK and YCCK as
// Adobe writes them (inverted). Slow integer DCT and smooth chroma upsampling, as Pillow uses. Data that end
// before the image does are an error, and so are stray markers; other damage inside the data is decoded as
// far as libjpeg can, as Pillow does. Reference: Pillow 12.3 JpegImagePlugin.py, libImaging/JpegDecode.c,
// Convert.c (cmyk2rgb).
#include <cstddef>
#include <cstdio>

// jpeglib.h needs the two above.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <string_view>
#include <vector>

#include "galago/error.h"
#include "image/bytes.h"
#include "image/decoders.h"
#include "image/orientation.h"

namespace galago {
namespace {

// Scans of a progressive file: each costs a pass over the whole image, so a small file could cost hours.
// Large images may have fewer: so many pixels in all passes, but always more scans than encoders write.
constexpr int kMostScans = 500;
constexpr int kUsualScans = 32;
constexpr int64_t kScannedPixels = int64_t{1} << 32;
constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr int kTooManyScans = -1;

/// libjpeg's state. libjpeg leaves a failing call by longjmp; only functions without destructors to run may
/// call it, and they return false.
struct JpegReader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  int code = 0;
  int most_scans = kMostScans;
  bool needs_data = false;  ///< pixels are being decoded: the end of the file ends the attempt
  bool truncated = false;
  char message[JMSG_LENGTH_MAX] = {};

  ~JpegReader() { jpeg_destroy_decompress(&info); }
};

JpegReader& reader_of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

[[noreturn]] void on_error(j_common_ptr info) {
  JpegReader& reader = reader_of(info);
  reader.code = info->err->msg_code;
  info->err->format_message(info, reader.message);
  std::longjmp(reader.jump, 1);
}

void on_message(j_common_ptr info, int level) {
  if (level >= 0 || info->err->msg_code != JWRN_JPEG_EOF) return;
  JpegReader& reader = reader_of(info);
  reader.truncated = true;
  // libjpeg would go on with gray, over memory for all of the image.
  if (reader.needs_data) std::longjmp(reader.jump, 1);
}

void on_progress(j_common_ptr info) {
  JpegReader& reader = reader_of(info);
  if (reader.info.input_scan_number <= reader.most_scans) return;
  reader.code = kTooManyScans;
  std::longjmp(reader.jump, 1);
}

bool read_header(JpegReader& reader, const EncodedImage& file) {
  reader.info.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = on_error;
  reader.errors.emit_message = on_message;
  if (setjmp(reader.jump) != 0) return false;
  jpeg_create_decompress(&reader.info);
  reader.progress.progress_monitor = on_progress;
  reader.info.progress = &reader.progress;
  jpeg_mem_src(&reader.info, file.data(), static_cast<unsigned long>(file.size()));
  jpeg_save_markers(&reader.info, kExifMarker, 0xFFFF);
  jpeg_read_header(&reader.info, TRUE);
  return true;
}

bool start(JpegReader& reader) {
  if (setjmp(reader.jump) != 0) return false;
  reader.needs_data = true;
  jpeg_decompress_struct& info = reader.info;
  info.dct_method = JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  info.out_color_space = info.num_components == 1   ? JCS_GRAYSCALE
                         : info.num_components == 3 ? JCS_RGB
                                                    : JCS_CMYK;
  jpeg_start_decompress(&info);
  return true;
}

// Decodes `count` rows into `rows`, `stride` bytes apart; stops when the data end before the image.
bool read_rows(JpegReader& reader, uint8_t* rows, int64_t stride, int64_t count) {
  if (setjmp(reader.jump) != 0) return false;
  jpeg_decompress_struct& info = reader.info;
  const int64_t first = info.output_scanline;
  while (info.output_scanline < first + count && !reader.truncated) {
    JSAMPROW row = rows + (info.output_scanline - first) * stride;
    jpeg_read_scanlines(&info, &row, 1);
  }
  return !reader.truncated;
}

bool finish(JpegReader& reader) {
  if (setjmp(reader.jump) != 0) return false;
  reader.needs_data = false;
  jpeg_finish_decompress(&reader.info);  // a missing end is fine by now, a stray marker is not
  reader.truncated = false;
  return true;
}

[[noreturn]] void throw_fault(const JpegReader& reader, const std::string& where) {
  if (reader.truncated) throw_invalid_image(where, "a truncated JPEG file", "all of the image's data");
  const std::string message = std::string("libjpeg: ") + reader.message;
  switch (reader.code) {
    case kTooManyScans:
      throw Error(ErrorCode::input_too_large,
                  {.where = where,
                   .got = "a progressive JPEG of more than " + std::to_string(reader.most_scans) + " scans",
                   .expected = "at most " + std::to_string(reader.most_scans)});
    case JERR_OUT_OF_MEMORY:
      throw Error(ErrorCode::resource, {.where = where, .got = message});
    case JERR_IMAGE_TOO_BIG:
      throw Error(ErrorCode::input_too_large, {.where = where, .got = message});
    case JERR_SOF_UNSUPPORTED:
    case JERR_BAD_PRECISION:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
      throw_unsupported_image(where, message, "a baseline or progressive JPEG of 8 bits");
    default:
      throw_invalid_image(where, message, "a JPEG image");
  }
}

void open(JpegReader& reader, const EncodedImage& file) {
  reader.info.client_data = &reader;  // survives jpeg_create_decompress
  if (!read_header(reader, file)) throw_fault(reader, file.where);
  check_image_size({reader.info.image_width, reader.info.image_height}, file.where);
  const int components = reader.info.num_components;
  if (components != 1 && components != 3 && components != 4) {
    throw_unsupported_image(file.where, "a JPEG of " + std::to_string(components) + " components",
                            "1, 3 or 4");
  }
  const int64_t pixels = int64_t{reader.info.image_width} * reader.info.image_height;
  reader.most_scans = static_cast<int>(std::clamp<int64_t>(kScannedPixels / pixels, kUsualScans, kMostScans));
}

int64_t rounded_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// The image, a band of it, the saved markers with those that are joined, and the coefficients of all of it
// where several scans make it.
int64_t memory_of(JpegReader& reader) {
  const jpeg_decompress_struct& info = reader.info;
  const int64_t row = int64_t{info.image_width} * (3 + info.num_components);
  int64_t bytes = int64_t{info.image_width} * info.image_height * 3 + row * kRowsAtOnce;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next)
    bytes += 2 * int64_t{marker->data_length};
  if (jpeg_has_multiple_scans(&reader.info) == FALSE) return bytes;
  for (int i = 0; i < info.num_components; ++i) {
    const jpeg_component_info& part = info.comp_info[i];
    bytes += rounded_up(part.width_in_blocks, part.h_samp_factor) *
             rounded_up(part.height_in_blocks, part.v_samp_factor) * static_cast<int64_t>(sizeof(JBLOCK));
  }
  return bytes;
}

// Huffman codes spend at least a bit on every unit of the image: a shorter file is refused before memory is
// taken for an image that cannot come.
void check_data(const JpegReader& reader, const EncodedImage& file) {
  const jpeg_decompress_struct& info = reader.info;
  if (info.arith_code != FALSE) return;
  const int64_t across = rounded_up(info.image_width, int64_t{DCTSIZE} * info.max_h_samp_factor);
  const int64_t down = rounded_up(info.image_height, int64_t{DCTSIZE} * info.max_v_samp_factor);
  const int64_t units = across / (int64_t{DCTSIZE} * info.max_h_samp_factor) * down /
                        (int64_t{DCTSIZE} * info.max_v_samp_factor);
  if (file.size() * 8 < units)
    throw_invalid_image(file.where, "a truncated JPEG file", "all of the image's data");
}

// Segments of EXIF continue each other; of XMP the last one counts.
int orientation_of(const JpegReader& reader) {
  constexpr std::string_view exif_name("Exif\0\0", 6);
  constexpr std::string_view xmp_name("http://ns.adobe.com/xap/1.0/\0", 29);
  std::vector<uint8_t> exif;
  std::string_view xmp;
  for (jpeg_saved_marker_ptr marker = reader.info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(exif_name))
      exif.insert(exif.end(), data.begin() + (exif.empty() ? 0 : exif_name.size()), data.end());
    if (data.starts_with(xmp_name)) xmp = data.substr(xmp_name.size());
  }
  return read_orientation(exif, xmp);
}

void gray_to_rgb(const uint8_t* in, int64_t pixels, uint8_t* out) {
  for (int64_t x = 0; x < pixels; ++x) std::memset(out + x * 3, in[x], 3);
}

// Adobe stores ink inverted: 255 is no ink.
void inverted_cmyk_to_rgb(const uint8_t* in, int64_t pixels, uint8_t* out) {
  for (int64_t x = 0; x < pixels; ++x) {
    const int32_t light = in[x * 4 + 3];
    for (int64_t c = 0; c < 3; ++c) {
      const int32_t ink = 255 - in[x * 4 + c];
      out[x * 3 + c] = clip_byte(light - multiply_bytes(ink, light));
    }
  }
}

}  // namespace

ImageHeader read_jpeg_header(const EncodedImage& file) {
  JpegReader reader;
  open(reader, file);
  return {{reader.info.image_width, reader.info.image_height}, orientation_of(reader), memory_of(reader)};
}

RgbImage decode_jpeg(const EncodedImage& file, int orientation) {
  JpegReader reader;
  open(reader, file);
  const ImageSize stored{reader.info.image_width, reader.info.image_height};
  const int components = reader.info.num_components;
  check_data(reader, file);
  RgbImage image = rowless_image(upright_size(stored, orientation), file.where);
  const bool direct = components == 3 && orientation == 1;
  // A band of rows as libjpeg gives them, and as RGB where they differ.
  std::vector<uint8_t> samples(direct ? 0 : stored.width * components * kRowsAtOnce);
  std::vector<uint8_t> colors(components == 3 ? 0 : stored.width * 3 * kRowsAtOnce);
  bool good = start(reader);
  for (int64_t y = 0; good && y < stored.height; y += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, stored.height - y);
    if (direct) grow_rows(image, y + count);
    uint8_t* rows = direct ? image.row(y) : samples.data();
    good = read_rows(reader, rows, stored.width * components, count);
    if (direct || !good) continue;
    if (components == 1) gray_to_rgb(rows, stored.width * count, colors.data());
    if (components == 4) inverted_cmyk_to_rgb(rows, stored.width * count, colors.data());
    grow_rows(image, orientation == 1 ? y + count : image.height);
    place_rows(components == 3 ? rows : colors.data(), y, count, stored, orientation, image);
  }
  if (!good || !finish(reader)) throw_fault(reader, file.where);
  return image;
}

}  // namespace galago
