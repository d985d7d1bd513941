// The definitions of what happens to rows one by one: norms, rotary positions, elementwise products.
// In: rows of floats. Out: rows of floats of the same shape. Sums in double.
#include <algorithm>
#include <cmath>

#include "core/half.h"
#include "kernels/reference/reference.h"

namespace galago::kernels::reference {

void copy(ConstMatrix x, Matrix y) {
  for (int64_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, y.row(i));
}

void scale(ConstMatrix x, float factor, Matrix y) {
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t c = 0; c < x.cols; ++c) y.row(i)[c] = x.row(i)[c] * factor;
}

void add(ConstMatrix x, Matrix y) {
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t c = 0; c < x.cols; ++c) y.row(i)[c] += x.row(i)[c];
}

void unfold_patches(const TileView& tile, int64_t patch, Matrix rows) {
  const int64_t across = tile.width / patch;
  for (int64_t i = 0; i < rows.rows; ++i) {
    const int64_t top = i / across * patch, left = i % across * patch;
    float* out = rows.row(i);
    for (int64_t c = 0; c < tile.channels; ++c)
      for (int64_t y = 0; y < patch; ++y)
        for (int64_t x = 0; x < patch; ++x)
          *out++ = tile.pixels[(c * tile.height + top + y) * tile.width + left + x];
  }
}

void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) {
  for (int64_t i = 0; i < x.rows; ++i) {
    const float* in = x.row(i);
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < x.cols; ++c) mean += in[c];
    mean /= static_cast<double>(x.cols);
    for (int64_t c = 0; c < x.cols; ++c) variance += (in[c] - mean) * (in[c] - mean);
    variance /= static_cast<double>(x.cols);
    const double factor = 1 / std::sqrt(variance + eps);
    for (int64_t c = 0; c < x.cols; ++c)
      y.row(i)[c] = static_cast<float>((in[c] - mean) * factor * weight[c] + bias[c]);
  }
}

void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) {
  for (int64_t i = 0; i < x.rows; ++i) {
    const float* in = x.row(i);
    double square = 0;
    for (int64_t c = 0; c < x.cols; ++c) square += double{in[c]} * double{in[c]};
    const double factor = 1 / std::sqrt(square / static_cast<double>(x.cols) + eps);
    for (int64_t c = 0; c < x.cols; ++c) y.row(i)[c] = static_cast<float>(in[c] * factor * weight[c]);
  }
}

void rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq, int64_t head_dim,
          float scale) {
  const int64_t half = head_dim / 2;
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < half; ++j) {
      const float angle =
          static_cast<float>(positions[static_cast<size_t>(i)]) * inv_freq[static_cast<size_t>(j)];
      const double cosine = std::cos(double{angle}) * scale;
      const double sine = std::sin(double{angle}) * scale;
      for (float* head = x.row(i); head < x.row(i) + x.cols; head += head_dim) {
        const double a = head[j], b = head[j + half];
        head[j] = static_cast<float>(a * cosine - b * sine);
        head[j + half] = static_cast<float>(b * cosine + a * sine);
      }
    }
  }
}

void scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype) {
  for (int64_t i = 0; i < x.rows; ++i) {
    void* const row = to[static_cast<size_t>(i)];
    if (dtype == DType::f32)
      std::copy_n(x.row(i), x.cols, static_cast<float*>(row));
    else
      std::transform(x.row(i), x.row(i) + x.cols, static_cast<uint16_t*>(row), to_f16);
  }
}

void gather_rows(const WeightView& table, std::span<const int32_t> ids, Matrix out) {
  for (int64_t i = 0; i < out.rows; ++i)
    to_floats(table, ids[static_cast<size_t>(i)], 0, out.cols, out.row(i));
}

}  // namespace galago::kernels::reference
