// Samples of a TIFF row to RGB8. In: rows as libtiff gives them, 16 and 32 bits in the machine's order. Out:
// the bytes of Pillow's unpackers followed by convert("RGB"). Reference: Pillow 12.3 Unpack.c, Convert.c.
#include <algorithm>
#include <cstring>

#include "image/bytes.h"
#include "image/tiff.h"

namespace galago {
namespace {

template <typename Sample>
Sample sample_at(const uint8_t* row, int64_t index) {
  Sample sample;
  std::memcpy(&sample, row + index * static_cast<int64_t>(sizeof(Sample)), sizeof(Sample));
  return sample;
}

// Sample `index` of a row of 1, 2, 4 or 8 bits a sample; the first lies in the high bits.
uint8_t small_sample(const uint8_t* row, int64_t index, int bits) {
  const int64_t bit = index * bits;
  return static_cast<uint8_t>(row[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1));
}

int32_t packed_12_bits(const uint8_t* row, int64_t index) {
  const uint8_t* pair = row + index / 2 * 3;
  return index % 2 == 0 ? pair[0] << 4 | pair[1] >> 4 : (pair[1] & 15) << 8 | pair[2];
}

// Floats are cut to whole numbers; what is no number is black.
uint8_t byte_of(float value) {
  if (value >= 255) return 255;
  return value > 0 ? static_cast<uint8_t>(value) : 0;
}

// Gray of more than 8 bits is clipped, not scaled, and never inverted.
uint8_t unscaled_gray(const TiffLayout& layout, const uint8_t* row, int64_t x) {
  if (layout.bits == 12) return clip_byte(packed_12_bits(row, x));
  if (layout.bits == 16)
    return layout.form == 2 ? clip_byte(sample_at<int16_t>(row, x)) : clip_byte(sample_at<uint16_t>(row, x));
  return layout.form == 3 ? byte_of(sample_at<float>(row, x)) : clip_byte(sample_at<int32_t>(row, x));
}

// Four samples to three: ink and black, or a colour and the alpha that it was multiplied by.
void put_color(const TiffLayout& layout, const std::array<uint8_t, 4>& color, uint8_t* out) {
  const int32_t last = color[3];
  for (int c = 0; c < 3; ++c) {
    if (layout.colors == TiffColors::cmyk)
      out[c] = clip_byte(255 - last - multiply_bytes(color[c], 255 - last));
    else if (layout.premultiplied)
      out[c] = last == 0 ? 0 : clip_byte(color[c] * 255 / last);
    else
      out[c] = color[c];
  }
}

void colors_to_rgb(const TiffLayout& layout, const uint8_t* const* planes, int64_t count, uint8_t* out) {
  std::array<uint8_t, 4> color{};
  for (int64_t x = 0; x < count; ++x) {
    for (int c = 0; c < layout.used; ++c) {
      const uint8_t* row = planes[layout.apart ? c : 0];
      const int64_t index = layout.apart ? x : x * layout.samples + c;
      color[c] = layout.bits == 16 ? static_cast<uint8_t>(sample_at<uint16_t>(row, index) >> 8) : row[index];
    }
    put_color(layout, color, out + x * 3);
  }
}

}  // namespace

void tiff_row_to_rgb(const TiffLayout& layout, const uint8_t* const* planes, int64_t count, uint8_t* out) {
  const uint8_t* row = planes[0];
  const int step = layout.apart ? 1 : layout.samples;
  switch (layout.colors) {
    case TiffColors::palette:
      for (int64_t x = 0; x < count; ++x)
        std::memcpy(out + x * 3, layout.palette.data() + small_sample(row, x * step, layout.bits) * 3, 3);
      break;
    case TiffColors::gray: {
      const int scale = 255 / ((1 << layout.bits) - 1);
      for (int64_t x = 0; x < count; ++x) {
        const int level = small_sample(row, x * step, layout.bits) * scale;
        std::memset(out + x * 3, layout.white_is_zero ? 255 - level : level, 3);
      }
      break;
    }
    case TiffColors::gray_unscaled:
      for (int64_t x = 0; x < count; ++x) std::memset(out + x * 3, unscaled_gray(layout, row, x), 3);
      break;
    case TiffColors::rgb:
    case TiffColors::cmyk:
      colors_to_rgb(layout, planes, count, out);
      break;
    case TiffColors::ycbcr:  // libtiff has made red, green, blue and a fourth byte of it
      for (int64_t x = 0; x < count; ++x) std::memcpy(out + x * 3, row + x * 4, 3);
      break;
  }
}

}  // namespace galago
