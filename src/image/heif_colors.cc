// Planes of brightness and colour difference to RGB8, each kind of file with the arithmetic of the library
// that Pillow decodes it with. HEIC: colours of a coarser plane are repeated; integers of 8 bits after the
// point for 4:2:0 in full range, else float. AVIF: colours of a coarser plane are interpolated, integers of 6
// bits after the point. Samples of more than 8 bits lose the lower ones first, except in AVIF of 10 bits with
// alpha. Reference: ITU-T H.273 (matrices), libheif 1.23, libyuv 1922 as libavif 1.4 calls it.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "image/bytes.h"
#include "image/heif.h"

namespace galago {
namespace {

enum Matrix {
  kIdentity = 0,
  kBt709 = 1,
  kUnspecified = 2,
  kFcc = 4,
  kBt470 = 5,
  kBt601 = 6,
  kSmpte240 = 7,
  kBt2020 = 9
};

using Row = std::vector<uint16_t>;

/// One row of samples for every pixel: brightness, blue and red difference.
using Rows = std::array<Row, 3>;

[[noreturn]] void throw_matrix(const HeifPlanes& planes, const std::string& where) {
  throw_unsupported_image(where, "colours of matrix " + std::to_string(planes.profile.matrix),
                          "BT.601, BT.709, BT.2020 or RGB: convert it to PNG");
}

// `count` samples of a row as the file stores it, cut to `keep` bits.
void read_samples(const HeifPlanes& planes, int channel, int64_t row, int64_t count, int keep, Row& out) {
  const int64_t step = channel > 0 && planes.half_width() ? 2 : 1;
  if (channel > 0 && planes.half_height()) row *= 2;
  const uint8_t* in = planes.rows[channel] + row * planes.strides[channel];
  const int drop = std::max(planes.bits - keep, 0);
  for (int64_t x = 0; x < count; ++x) {
    uint16_t sample = 0;
    if (planes.bits > 8)
      std::memcpy(&sample, in + x * step * 2, sizeof(sample));
    else
      sample = in[x * step];
    out[x] = static_cast<uint16_t>(sample >> drop);
  }
}

int64_t plane_width(const HeifPlanes& planes) {
  return planes.half_width() ? (planes.size.width + 1) / 2 : planes.size.width;
}

// A row of a coarser plane for all pixels: each sample is repeated.
void read_repeated(const HeifPlanes& planes, int channel, int64_t y, int keep, Row& out) {
  read_samples(planes, channel, planes.half_height() ? y / 2 : y, plane_width(planes), keep, out);
  if (!planes.half_width()) return;
  for (int64_t x = planes.size.width - 1; x > 0; --x) out[x] = out[x / 2];
}

// Calls put(x, rows, out) for every pixel, with rows from read_row(y, rows).
template <typename ReadRow, typename Put>
RgbImage convert(const HeifPlanes& planes, const std::string& where, ReadRow read_row, Put put) {
  RgbImage image = blank_image(planes.size, where);
  Rows rows;
  for (Row& row : rows) row.resize(static_cast<size_t>(planes.size.width));
  for (int64_t y = 0; y < planes.size.height; ++y) {
    read_row(y, rows);
    for (int64_t x = 0; x < planes.size.width; ++x) put(x, rows, image.row(y) + x * 3);
  }
  return image;
}

void put_identity(int64_t x, const Rows& rows, uint8_t* out) {
  out[0] = static_cast<uint8_t>(rows[2][x]);
  out[1] = static_cast<uint8_t>(rows[0][x]);
  out[2] = static_cast<uint8_t>(rows[1][x]);
}

// HEIC ----------------------------------------------------------------------------------------------------

struct FloatMatrix {
  float red_of_red;
  float green_of_blue;
  float green_of_red;
  float blue_of_blue;
};

FloatMatrix float_matrix(float red, float blue) {
  return {2 * (-red + 1), 2 * blue * (-blue + 1) / (blue + red - 1), 2 * red * (-red + 1) / (blue + red - 1),
          2 * (-blue + 1)};
}

FloatMatrix heic_matrix(const HeifPlanes& planes, const std::string& where) {
  switch (planes.profile.matrix) {
    case kBt709:
      return float_matrix(0.2126F, 0.0722F);
    case kUnspecified:
      return {1.402F, -0.344136F, -0.714136F, 1.772F};
    case kFcc:
      return float_matrix(0.30F, 0.11F);
    case kBt470:
    case kBt601:
      return float_matrix(0.299F, 0.114F);
    case kSmpte240:
      return float_matrix(0.212F, 0.087F);
    case kBt2020:
      return float_matrix(0.2627F, 0.0593F);
    default:
      throw_matrix(planes, where);
  }
}

int32_t in_256ths(float factor) { return static_cast<int32_t>(std::lround(256 * factor)); }
int32_t rounded_256ths(int32_t value) { return (value + 128) >> 8; }

RgbImage heic_by_integers(const HeifPlanes& planes, const FloatMatrix& matrix, const std::string& where,
                          auto read_row) {
  const int32_t red = in_256ths(matrix.red_of_red);
  const int32_t green_blue = in_256ths(matrix.green_of_blue);
  const int32_t green_red = in_256ths(matrix.green_of_red);
  const int32_t blue = in_256ths(matrix.blue_of_blue);
  return convert(planes, where, read_row, [=](int64_t x, const Rows& rows, uint8_t* out) {
    const int32_t cb = rows[1][x] - 128;
    const int32_t cr = rows[2][x] - 128;
    out[0] = clip_byte(rows[0][x] + rounded_256ths(red * cr));
    out[1] = clip_byte(rows[0][x] + rounded_256ths(green_blue * cb + green_red * cr));
    out[2] = clip_byte(rows[0][x] + rounded_256ths(blue * cb));
  });
}

RgbImage heic_by_floats(const HeifPlanes& planes, const FloatMatrix& matrix, const std::string& where,
                        auto read_row) {
  const bool full = planes.profile.full_range;
  const int drop = planes.bits - 8;
  const auto half = static_cast<float>(128 << drop);
  const auto black = static_cast<float>(16 << drop);
  const int32_t most = (256 << drop) - 1;
  const auto byte_of = [=](float value) {
    return static_cast<uint8_t>(std::clamp(static_cast<int32_t>(value + 0.5F), 0, most) >> drop);
  };
  return convert(planes, where, read_row, [=](int64_t x, const Rows& rows, uint8_t* out) {
    auto y = static_cast<float>(rows[0][x]);
    float cb = static_cast<float>(rows[1][x]) - half;
    float cr = static_cast<float>(rows[2][x]) - half;
    if (!full) {
      y = (y - black) * 1.1689F;
      cb *= 1.1429F;
      cr *= 1.1429F;
    }
    out[0] = byte_of(y + matrix.red_of_red * cr);
    out[1] = byte_of(y + matrix.green_of_blue * cb + matrix.green_of_red * cr);
    out[2] = byte_of(y + matrix.blue_of_blue * cb);
  });
}

// pillow-heif widens gray without alpha to 16 bits, and Pillow clips those to a byte.
RgbImage heic_gray(const HeifPlanes& planes, const std::string& where) {
  const bool widened = planes.bits > 8 && !planes.alpha;
  const auto read_row = [&](int64_t y, Rows& rows) {
    read_samples(planes, 0, y, planes.size.width, widened ? planes.bits : 8, rows[0]);
  };
  const int shift = widened ? 16 - planes.bits : 0;
  return convert(planes, where, read_row, [=](int64_t x, const Rows& rows, uint8_t* out) {
    std::memset(out, clip_byte(rows[0][x] << shift), 3);
  });
}

// AVIF ----------------------------------------------------------------------------------------------------

/// In 64ths; the gain of brightness in 64 * 65536 / 257ths.
struct IntegerMatrix {
  int32_t gain;
  int32_t bias;
  int32_t blue_of_blue;
  int32_t green_of_blue;
  int32_t green_of_red;
  int32_t red_of_red;
};

IntegerMatrix avif_matrix(const HeifPlanes& planes, const std::string& where) {
  switch (planes.profile.matrix) {
    case kBt709:
      return planes.profile.full_range ? IntegerMatrix{16320, 32, 119, 12, 30, 101}
                                       : IntegerMatrix{18997, -1160, 128, 14, 34, 115};
    case kUnspecified:
    case kBt470:
    case kBt601:
      return planes.profile.full_range ? IntegerMatrix{16320, 32, 113, 22, 46, 90}
                                       : IntegerMatrix{18997, -1160, 128, 25, 52, 102};
    case kBt2020:
      return planes.profile.full_range ? IntegerMatrix{16320, 32, 120, 11, 37, 94}
                                       : IntegerMatrix{19003, -1160, 128, 12, 42, 107};
    default:
      throw_matrix(planes, where);
  }
}

// Pictures with alpha of these depths have functions of their own in libyuv, the last one without
// interpolation.
bool is_deep(const HeifPlanes& planes) { return planes.alpha && planes.bits == 10; }
bool is_deep_and_repeated(const HeifPlanes& planes) {
  return planes.alpha && planes.bits == 12 && planes.half_height();
}
int avif_bits(const HeifPlanes& planes) {
  return is_deep(planes) || is_deep_and_repeated(planes) ? planes.bits : 8;
}

// A row of twice the width, from the row that is nearer and the one beyond it: 9, 3, 3 and 1 sixteenths
// inside, 3 and 1 fourths at both ends. With `beyond` equal to `near` it is the interpolation of one row
// alone.
void widen_row(const Row& near, const Row& beyond, int64_t width, Row& out) {
  const auto mixed = [&](int64_t i) { return (3 * near[i] + beyond[i] + 2) >> 2; };
  out[0] = static_cast<uint16_t>(mixed(0));
  for (int64_t i = 0; 2 * i + 2 < width; ++i) {
    const int32_t left = 3 * near[i] + beyond[i];
    const int32_t right = 3 * near[i + 1] + beyond[i + 1];
    out[2 * i + 1] = static_cast<uint16_t>((3 * left + right + 8) >> 4);
    out[2 * i + 2] = static_cast<uint16_t>((left + 3 * right + 8) >> 4);
  }
  out[width - 1] = static_cast<uint16_t>(mixed((width - 1) / 2));
}

void read_avif_colors(const HeifPlanes& planes, int channel, int64_t y, std::array<Row, 2>& spare, Row& out) {
  const int bits = avif_bits(planes);
  if (!planes.half_width() || is_deep_and_repeated(planes)) {
    read_repeated(planes, channel, y, bits, out);
    return;
  }
  const int64_t last = planes.half_height() ? (planes.size.height - 1) / 2 : planes.size.height - 1;
  const int64_t near = planes.half_height() ? y / 2 : y;
  // An even row lies nearer to the colours above it, an odd one to those below it, except at both ends.
  int64_t beyond = planes.half_height() ? (y % 2 == 0 ? near - 1 : near + 1) : near;
  if (beyond < 0 || beyond > last) beyond = near;
  read_samples(planes, channel, near, plane_width(planes), bits, spare[0]);
  read_samples(planes, channel, beyond, plane_width(planes), bits, spare[1]);
  widen_row(spare[0], spare[1], planes.size.width, out);
}

// Brightness of 8, 10 or 12 bits in 64ths.
int32_t brightness(const IntegerMatrix& matrix, uint32_t sample, int bits) {
  const uint32_t wide = bits == 8 ? sample * 257 : sample << (16 - bits) | sample >> (2 * bits - 16);
  return static_cast<int32_t>(wide * static_cast<uint32_t>(matrix.gain) >> 16) + matrix.bias;
}

RgbImage avif_colors(const HeifPlanes& planes, const IntegerMatrix& matrix, const std::string& where) {
  const int bits = avif_bits(planes);
  const int drop = bits - 8;
  std::array<Row, 2> spare;
  for (Row& row : spare) row.resize(static_cast<size_t>(plane_width(planes)));
  const auto read_row = [&](int64_t y, Rows& rows) {
    read_samples(planes, 0, y, planes.size.width, bits, rows[0]);
    for (const int channel : {1, 2}) read_avif_colors(planes, channel, y, spare, rows[channel]);
  };
  return convert(planes, where, read_row, [=](int64_t x, const Rows& rows, uint8_t* out) {
    const int32_t y = brightness(matrix, rows[0][x], bits);
    const int32_t cb = (rows[1][x] >> drop) - 128;
    const int32_t cr = (rows[2][x] >> drop) - 128;
    out[0] = clip_byte((y + cr * matrix.red_of_red) >> 6);
    out[1] = clip_byte((y - (cb * matrix.green_of_blue + cr * matrix.green_of_red)) >> 6);
    out[2] = clip_byte((y + cb * matrix.blue_of_blue) >> 6);
  });
}

// Without alpha gray is scaled in float, with it by the integers of colours.
RgbImage avif_gray(const HeifPlanes& planes, const std::string& where) {
  const int bits = planes.alpha ? 8 : planes.bits;
  const auto read_row = [&](int64_t y, Rows& rows) {
    read_samples(planes, 0, y, planes.size.width, bits, rows[0]);
  };
  if (planes.alpha) {
    const IntegerMatrix matrix = avif_matrix(planes, where);
    return convert(planes, where, read_row, [=](int64_t x, const Rows& rows, uint8_t* out) {
      std::memset(out, clip_byte(brightness(matrix, rows[0][x], 8) >> 6), 3);
    });
  }
  const bool full = planes.profile.full_range;
  const auto black = static_cast<float>(full ? 0 : 16 << (bits - 8));
  const auto range = static_cast<float>(full ? (1 << bits) - 1 : 219 << (bits - 8));
  return convert(planes, where, read_row, [=](int64_t x, const Rows& rows, uint8_t* out) {
    const float level = std::clamp((static_cast<float>(rows[0][x]) - black) / range, 0.0F, 1.0F);
    std::memset(out, static_cast<uint8_t>(0.5F + level * 255.0F), 3);
  });
}

}  // namespace

RgbImage heic_planes_to_rgb(const HeifPlanes& planes, const std::string& where) {
  if (planes.chroma == HeifChroma::none) return heic_gray(planes, where);
  const bool identity = planes.profile.matrix == kIdentity;
  const bool integers = planes.half_height() && planes.profile.full_range && !identity;
  const int bits = integers || identity ? 8 : planes.bits;
  const auto read_row = [&](int64_t y, Rows& rows) {
    read_samples(planes, 0, y, planes.size.width, bits, rows[0]);
    for (const int channel : {1, 2}) read_repeated(planes, channel, y, bits, rows[channel]);
  };
  if (identity) {
    if (!planes.profile.full_range) throw_matrix(planes, where);
    return convert(planes, where, read_row, put_identity);
  }
  const FloatMatrix matrix = heic_matrix(planes, where);
  return integers ? heic_by_integers(planes, matrix, where, read_row)
                  : heic_by_floats(planes, matrix, where, read_row);
}

RgbImage avif_planes_to_rgb(const HeifPlanes& planes, const std::string& where) {
  if (planes.chroma == HeifChroma::none) return avif_gray(planes, where);
  if (planes.profile.matrix == kIdentity) {
    if (!planes.profile.full_range || planes.half_width()) throw_matrix(planes, where);
    const auto read_row = [&](int64_t y, Rows& rows) {
      for (const int channel : {0, 1, 2})
        read_samples(planes, channel, y, planes.size.width, 8, rows[channel]);
    };
    return convert(planes, where, read_row, put_identity);
  }
  return avif_colors(planes, avif_matrix(planes, where), where);
}

}  // namespace galago
