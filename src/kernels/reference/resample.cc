// The twins of the kernels over bytes: one pass after another over whole pictures, and a table look-up.
// In: bytes. Out: bytes or floats. Nothing is rounded but where the definition in kernels.h says so, so the
// fast kernels give the same bits.
#include <algorithm>
#include <vector>

#include "kernels/reference/reference.h"

namespace galago::kernels::reference {
namespace {

constexpr int64_t kColors = 3;

/// [height, width, 3]
struct Pixels {
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> bytes;

  int64_t at(int64_t y, int64_t x, int64_t color) const { return (y * width + x) * kColors + color; }
};

Pixels blank(int64_t height, int64_t width) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * kColors))};
}

Pixels load(const ConstPicture& picture) {
  const PictureLayout& layout = picture.layout;
  Pixels pixels = blank(layout.height, layout.width);
  for (int64_t y = 0; y < layout.height; ++y)
    for (int64_t x = 0; x < layout.width; ++x)
      for (int64_t c = 0; c < kColors; ++c)
        pixels.bytes[pixels.at(y, x, c)] = picture.bytes[layout.offset(y, x) + c * layout.plane()];
  return pixels;
}

void store(const Pixels& pixels, const Picture& picture) {
  const PictureLayout& layout = picture.layout;
  for (int64_t y = 0; y < layout.height; ++y)
    for (int64_t x = 0; x < layout.width; ++x)
      for (int64_t c = 0; c < kColors; ++c)
        picture.bytes[layout.offset(y, x) + c * layout.plane()] = pixels.bytes[pixels.at(y, x, c)];
}

Pixels apply(const Pixels& in, const ResamplePass& pass) {
  const ResampleAxis& axis = *pass.axis;
  const bool along_x = pass.direction == Direction::along_x;
  Pixels out = along_x ? blank(in.height, axis.out()) : blank(axis.out(), in.width);
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x)
      for (int64_t c = 0; c < kColors; ++c) {
        const int64_t i = along_x ? x : y;
        int32_t sum = 1 << (axis.bits - 1);
        for (int64_t k = 0; k < axis.count[i]; ++k) {
          const int64_t from = axis.first[i] + k;
          sum += axis.weights[i * axis.taps + k] * in.bytes[along_x ? in.at(y, from, c) : in.at(from, x, c)];
        }
        out.bytes[out.at(y, x, c)] = static_cast<uint8_t>(std::clamp(sum >> axis.bits, 0, 255));
      }
  return out;
}

}  // namespace

void resample(const ConstPicture& in, std::span<const ResamplePass> passes, const Picture& out) {
  Pixels pixels = load(in);
  for (const ResamplePass& pass : passes) pixels = apply(pixels, pass);
  store(pixels, out);
}

void look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables, float* out) {
  const int64_t count = std::ssize(tables) / 256;
  for (int64_t i = 0; i < std::ssize(bytes); ++i) out[i] = tables[i / plane % count * 256 + bytes[i]];
}

}  // namespace galago::kernels::reference
