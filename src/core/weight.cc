// Names and sizes of weight formats, and what their numbers mean.
#include "core/weight.h"

#include <array>
#include <cstring>
#include <string>

#include "core/half.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr std::array<const char*, 5> kNames = {"f32", "f16", "bf16", "q8", "q4"};

float half_at(const std::byte* plane, int64_t i) {
  uint16_t bits = 0;
  std::memcpy(&bits, plane + kHalfBytes * i, sizeof bits);
  return from_f16(bits);
}

DType dtype_of(WeightFormat format) {
  if (format == WeightFormat::f16) return DType::f16;
  return format == WeightFormat::bf16 ? DType::bf16 : DType::f32;
}

constexpr int64_t kHalfGroup = kWeightGroup / 2;

/// One of the two numbers in a byte of q4.
int half_of(std::byte pair, int64_t within) {
  return static_cast<int>(within < kHalfGroup ? pair & std::byte{15} : pair >> 4);
}

/// A weight: (q, scale, minimum) for w = scale * q + minimum.
struct Quantised {
  int q = 0;
  float scale = 0, minimum = 0;
};

Quantised in_rows(const WeightView& view, int64_t row, int64_t col) {
  const WeightGroupView group = view.group(row, col / kWeightGroup);
  const int64_t within = col % kWeightGroup;
  const float scale = half_at(group.scale, 0);
  if (view.format == WeightFormat::q8) return {static_cast<int8_t>(group.values[within]), scale};
  return {half_of(group.values[within % kHalfGroup], within), scale, from_f16(group.minimum_bits())};
}

Quantised in_panel(const WeightView& view, int64_t row, int64_t col) {
  const std::byte* const panel = view.panel(row);
  const PanelGroup group = panel_group(view.format, col / kWeightGroup);
  const int64_t lane = row % kPanelRows, within = col % kWeightGroup;
  const float scale = half_at(panel + group.scales, lane);
  const auto byte = [&](int64_t i) { return panel[group.values + i / 4 * kPanelLine + lane * 4 + i % 4]; };
  if (view.format == WeightFormat::q8) return {static_cast<int>(byte(within)) - 128, scale};
  return {half_of(byte(within % kHalfGroup), within), scale, half_at(panel + group.minimums, lane)};
}

}  // namespace

const char* to_string(WeightFormat format) noexcept { return kNames[static_cast<size_t>(format)]; }

std::optional<WeightFormat> weight_format(std::string_view name) noexcept {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return static_cast<WeightFormat>(i);
  return std::nullopt;
}

std::optional<WeightFormat> weight_format(DType dtype) noexcept {
  if (dtype == DType::f32) return WeightFormat::f32;
  if (dtype == DType::f16) return WeightFormat::f16;
  if (dtype == DType::bf16) return WeightFormat::bf16;
  return std::nullopt;
}

int64_t value_bytes(WeightFormat format, int64_t count) noexcept {
  if (format == WeightFormat::q8) return count;
  if (format == WeightFormat::q4) return count / 2;
  return count * size_of(dtype_of(format));
}

WeightView::WeightView(const TensorView& floats) : values(floats.data) {
  const auto known = weight_format(floats.dtype);
  if (!known)
    throw Error(ErrorCode::model_unsupported, {.where = "weights of a linear layer",
                                               .got = std::string("dtype ") + to_string(floats.dtype),
                                               .expected = "F32, F16 or BF16"});
  format = *known;
  if (!floats.data && floats.shape.empty()) return;
  if (floats.shape.size() != 2)
    throw Error(ErrorCode::internal,
                {.where = "weight matrix", .got = to_string(floats.shape), .expected = "[rows, cols]"});
  rows = floats.shape[0];
  cols = floats.shape[1];
}

int64_t panel_bytes(WeightFormat format, int64_t cols) noexcept {
  const int64_t groups = cols / kWeightGroup;
  return panel_group(format, groups).values -
         (format == WeightFormat::q8 && groups % 2 != 0 ? 0 : kPanelLine);
}

uint16_t WeightGroupView::minimum_bits() const noexcept {
  uint16_t bits = 0;
  if (minimum == nullptr) return to_f16(-8 * half_at(scale, 0));
  std::memcpy(&bits, minimum, sizeof bits);
  return bits;
}

WeightView rows_view(const Tensor& rows) {
  const ConstMatrix matrix = rows.matrix();
  WeightView view(WeightFormat::f32, matrix.rows, matrix.cols);
  view.values = reinterpret_cast<const std::byte*>(matrix.data);
  return view;
}

int64_t WeightView::bytes() const noexcept {
  if (in_blocks()) return rows * groups() * block_bytes;
  if (in_panels()) return (rows + kPanelRows - 1) / kPanelRows * panel_bytes(format, cols);
  const int64_t planes = format == WeightFormat::q4 ? 2 : 1;
  return rows * value_bytes(format, cols) +
         (is_quantised(format) ? planes * rows * groups() * kHalfBytes : 0);
}

WeightView WeightView::slice_rows(int64_t begin, int64_t count) const {
  WeightView part = *this;
  part.rows = count;
  if (!values) return part;
  part.values = in_panels() ? panel(begin) : row(begin);
  if (scales) part.scales += begin * groups() * kHalfBytes;
  if (minimums) part.minimums += begin * groups() * kHalfBytes;
  return part;
}

void to_floats(const WeightView& view, int64_t row, int64_t begin, int64_t count, float* out) {
  if (!is_quantised(view.format)) {
    to_floats({dtype_of(view.format), {view.rows, view.cols}, view.values}, row * view.cols + begin, count,
              out);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const auto [q, scale, minimum] = (view.in_panels() ? in_panel : in_rows)(view, row, begin + i);
    const float product = scale * static_cast<float>(q);
    out[i] = view.format == WeightFormat::q4 ? product + minimum : product;
  }
}

void to_floats(const WeightView& view, float* out) {
  for (int64_t row = 0; row < view.rows; ++row) to_floats(view, row, 0, view.cols, out + row * view.cols);
}

}  // namespace galago
