// A TIFF file opened, and its first directory read. libtiff reads the file where it lies in memory, reports
// to this file's own handler and prints nothing. Reference: Pillow 12.3 TiffImagePlugin.py.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "galago/error.h"
#include "image/orientation.h"
#include "image/tiff.h"

namespace galago {
namespace {

constexpr int kMostSamples = 6;          // of one pixel, as Pillow
constexpr uint16_t kCorelAlpha = 999;    // ExtraSamples of Corel Draw
constexpr uint32_t kReducedPicture = 1;  // a bit of NewSubfileType

TiffMemory& memory_of(thandle_t handle) { return *static_cast<TiffMemory*>(handle); }

tmsize_t read_memory(thandle_t handle, void* out, tmsize_t size) {
  TiffMemory& memory = memory_of(handle);
  const uint64_t left = memory.at < memory.size ? memory.size - memory.at : 0;
  const uint64_t count = std::min<uint64_t>(left, static_cast<uint64_t>(std::max<tmsize_t>(size, 0)));
  if (count > 0) std::memcpy(out, memory.data + memory.at, count);
  memory.at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t refuse_write(thandle_t /*handle*/, void* /*data*/, tmsize_t /*size*/) { return -1; }

toff_t seek_memory(thandle_t handle, toff_t offset, int from) {
  TiffMemory& memory = memory_of(handle);
  const uint64_t base = from == SEEK_CUR ? memory.at : from == SEEK_END ? memory.size : 0;
  return memory.at = base + offset;
}

int keep_open(thandle_t /*handle*/) { return 0; }
toff_t size_of_memory(thandle_t handle) { return memory_of(handle).size; }

int map_memory(thandle_t handle, void** base, toff_t* size) {
  *base = const_cast<uint8_t*>(memory_of(handle).data);  // libtiff only reads it
  *size = memory_of(handle).size;
  return 1;
}

void unmap_memory(thandle_t /*handle*/, void* /*base*/, toff_t /*size*/) {}

int keep_fault(TIFF* /*tiff*/, void* user, const char* /*module*/, const char* format, va_list values) {
  auto& fault = static_cast<TiffMemory*>(user)->fault;
  if (fault[0] == 0) std::vsnprintf(fault.data(), fault.size(), format, values);
  return 1;  // goes no further
}

int ignore_warning(TIFF* /*tiff*/, void* /*user*/, const char* /*module*/, const char* /*format*/,
                   va_list /*values*/) {
  return 1;
}

struct FreeOptions {
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};

// A camera's own format begins with a small preview, which is not the picture.
bool is_camera_raw(TIFF* tiff) {
  uint16_t count = 0;
  void* offsets = nullptr;
  return (tiff_field<uint32_t>(tiff, TIFFTAG_SUBFILETYPE, 0) & kReducedPicture) != 0 &&
         TIFFGetField(tiff, TIFFTAG_SUBIFD, &count, &offsets) == 1;
}

ImageSize size_of(TIFF* tiff, const EncodedImage& file) {
  const ImageSize size{tiff_field<uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0),
                       tiff_field<uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0)};
  check_image_size(size, file.where);
  if (is_camera_raw(tiff)) throw_tiff_variant(file, "of a camera (raw), whose first picture is a preview");
  return size;
}

void check_compression(TIFF* tiff, const EncodedImage& file) {
  constexpr std::array<uint16_t, 12> known = {
      COMPRESSION_NONE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
      COMPRESSION_LZW,  COMPRESSION_JPEG,     COMPRESSION_PACKBITS,  COMPRESSION_ADOBE_DEFLATE,
      COMPRESSION_LZMA, COMPRESSION_DEFLATE,  COMPRESSION_ZSTD,      COMPRESSION_CCITTRLEW};
  const auto compression = tiff_field<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  const bool reads = std::find(known.begin(), known.end(), compression) != known.end();
  if (!reads || TIFFIsCODECConfigured(compression) == 0)
    throw_tiff_variant(file, "of compression " + std::to_string(compression));
}

// The extra samples' first kind: 0 for one that means nothing, and when there are none.
uint16_t extra_sample(TIFF* tiff) {
  uint16_t count = 0;
  const uint16_t* kinds = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) != 1 || count == 0) return 0;
  return kinds[0] == kCorelAlpha ? static_cast<uint16_t>(EXTRASAMPLE_UNASSALPHA) : kinds[0];
}

void read_palette(TIFF* tiff, TiffLayout& layout, const EncodedImage& file) {
  const uint16_t* red = nullptr;
  const uint16_t* green = nullptr;
  const uint16_t* blue = nullptr;
  if (layout.bits > 8 || TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 1)
    throw_invalid_image(file.where, "a TIFF palette image without its colours", "a ColorMap");
  for (int i = 0; i < 1 << layout.bits; ++i) {
    layout.palette[i * 3] = static_cast<uint8_t>(red[i] >> 8);
    layout.palette[i * 3 + 1] = static_cast<uint8_t>(green[i] >> 8);
    layout.palette[i * 3 + 2] = static_cast<uint8_t>(blue[i] >> 8);
  }
}

// Which of TiffColors it is, if the number of samples and their bits fit it.
bool name_colors(TIFF* tiff, TiffLayout& layout) {
  const bool whole = layout.form != 3;
  const bool bytes = layout.bits == 8 && layout.form == 1;
  const bool words = layout.bits == 16 && layout.form == 1;
  switch (tiff_field<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE)) {
    case PHOTOMETRIC_MINISWHITE:
      layout.white_is_zero = true;
      [[fallthrough]];
    case PHOTOMETRIC_MINISBLACK:
      if (layout.bits <= 8) return whole && layout.samples <= (bytes ? 2 : 1);
      layout.colors = TiffColors::gray_unscaled;
      return layout.samples == 1 && (layout.bits == 32 || (whole && layout.bits <= 16));
    case PHOTOMETRIC_RGB:
      layout.colors = TiffColors::rgb;
      return layout.samples >= 3 && (bytes || words);
    case PHOTOMETRIC_PALETTE:
      layout.colors = TiffColors::palette;
      return layout.form == 1 && layout.bits <= 8 && layout.samples <= (bytes ? 2 : 1);
    case PHOTOMETRIC_SEPARATED:
      layout.colors = TiffColors::cmyk;
      return layout.samples >= 4 && (bytes || words);
    case PHOTOMETRIC_YCBCR:
      layout.colors = TiffColors::ycbcr;
      return bytes && layout.samples == 3;
    default:
      return false;
  }
}

}  // namespace

void throw_tiff_fault(const TiffMemory& memory, const EncodedImage& file) {
  const std::string fault = memory.fault[0] == 0 ? "damaged data" : memory.fault.data();
  throw_invalid_image(file.where, "TIFF: " + fault, "a whole TIFF image");
}

void throw_tiff_variant(const EncodedImage& file, const std::string& what) {
  throw_unsupported_image(file.where, "a TIFF " + what,
                          "a bilevel, gray, palette, RGB, CMYK or YCbCr TIFF: convert it to PNG");
}

TiffHandle open_tiff(TiffMemory& memory, const EncodedImage& file) {
  memory.data = file.data();
  memory.size = file.bytes.size();
  const std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
  if (options == nullptr) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), file.size() + kTiffSpareBytes);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_fault, &memory);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_warning, nullptr);
  TiffHandle tiff(TIFFClientOpenExt("image", "r", &memory, read_memory, refuse_write, seek_memory, keep_open,
                                    size_of_memory, map_memory, unmap_memory, options.get()));
  if (tiff == nullptr) throw_tiff_fault(memory, file);
  if (file.page != 1 && TIFFSetDirectory(tiff.get(), static_cast<tdir_t>(file.page - 1)) != 1)
    throw_tiff_fault(memory, file);
  return tiff;
}

int tiff_orientation(TIFF* tiff) {
  uint16_t orientation = 0;
  if (TIFFGetField(tiff, TIFFTAG_ORIENTATION, &orientation) == 1)
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
  uint32_t count = 0;
  const char* xmp = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_XMLPACKET, &count, &xmp) != 1) return 1;
  return read_orientation({}, {xmp, count});
}

TiffLayout read_tiff_layout(TIFF* tiff, const EncodedImage& file) {
  TiffLayout layout{.size = size_of(tiff, file)};
  check_compression(tiff, file);
  layout.bits = tiff_field<uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  layout.form = tiff_field<uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  layout.samples = tiff_field<uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  constexpr std::array<int, 7> depths = {1, 2, 4, 8, 12, 16, 32};
  const bool fits = std::find(depths.begin(), depths.end(), layout.bits) != depths.end() &&
                    layout.form >= 1 && layout.form <= 3 && layout.samples >= 1 &&
                    layout.samples <= kMostSamples;
  if (!fits || !name_colors(tiff, layout))
    throw_tiff_variant(file, "of photometric interpretation " +
                                 std::to_string(tiff_field<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, 0)) +
                                 " with " + std::to_string(layout.samples) + " samples of " +
                                 std::to_string(layout.bits) + " bits");
  layout.apart =
      layout.samples > 1 && tiff_field<uint16_t>(tiff, TIFFTAG_PLANARCONFIG, 1) == PLANARCONFIG_SEPARATE;
  if (layout.colors == TiffColors::palette) read_palette(tiff, layout, file);
  if (layout.colors == TiffColors::rgb) {
    layout.premultiplied = layout.samples > 3 && extra_sample(tiff) == EXTRASAMPLE_ASSOCALPHA;
    layout.used = layout.premultiplied ? 4 : 3;
  }
  if (layout.colors == TiffColors::cmyk) layout.used = 4;
  if (layout.colors == TiffColors::ycbcr && !layout.apart &&
      tiff_field<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE) == COMPRESSION_JPEG) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);  // libjpeg makes colours of it
    layout.colors = TiffColors::rgb;
    layout.used = 3;
  }
  return layout;
}

}  // namespace galago
