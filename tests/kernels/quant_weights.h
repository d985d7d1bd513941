// Random quantised matrices that own their planes, for tests and benchmarks.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/weight.h"
#include "kernels/kernels.h"
#include "support/devices.h"

namespace galago::kernels {

/// A matrix [rows, cols] of format q8 or q4 with random numbers; cols is a multiple of 32. Planes and panels
/// begin `shift` bytes off alignment and end with their last byte, so that a reader that runs past is found.
class QuantisedMatrix {
 public:
  QuantisedMatrix(WeightFormat format, int64_t rows, int64_t cols, uint32_t seed, int64_t shift = 0)
      : view_(format, rows, cols) {
    std::mt19937 random(seed);
    const int64_t groups = rows * cols / kWeightGroup;
    values_.resize(static_cast<size_t>(value_bytes(format, rows * cols) + shift));
    for (std::byte& value : values_) {
      value = static_cast<std::byte>(random());
      if (format == WeightFormat::q8 && value == std::byte{0x80}) value = std::byte{0x81};
    }
    scales_ = halves(random, groups, shift, 0x0fff, 0x1800);  // 2^-9 to 2^-6
    view_.values = values_.data() + shift;
    view_.scales = scales_.data() + shift;
    if (format == WeightFormat::q4) {
      minimums_ = halves(random, groups, shift, 0x8fff, 0x2000);  // of both signs, up to 2^-4
      view_.minimums = minimums_.data() + shift;
    }
    packed_ = WeightView(format, rows, cols, WeightLayout::panels);
    panels_.resize(static_cast<size_t>(packed_.bytes() + shift));
    test::device().pack_weights(view_, format, panels_.data() + shift);
    packed_.values = panels_.data() + shift;
  }
  /// In rows.
  const WeightView& view() const { return view_; }
  /// In panels.
  const WeightView& packed() const { return packed_; }

 private:
  static std::vector<std::byte> halves(std::mt19937& random, int64_t count, int64_t shift, uint32_t mask,
                                       uint32_t least) {
    std::vector<std::byte> plane(static_cast<size_t>(2 * count + shift));
    for (int64_t i = 0; i < count; ++i) {
      const auto bits = static_cast<uint16_t>((random() & mask) + least);
      std::memcpy(plane.data() + shift + 2 * i, &bits, sizeof bits);
    }
    return plane;
  }

  WeightView view_, packed_;
  std::vector<std::byte> values_, scales_, minimums_, panels_;
};

}  // namespace galago::kernels
