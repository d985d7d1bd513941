// Weight matrices as they are stored: floats, or small integers whose groups of 32 share a scale.
// In: tensors of a checkpoint. Out: a view that every reader of weights takes (linear layers, tables of
// rows). q8: w = scale * q with q in -127..127. q4: w = scale * q + minimum with q in 0..15. Groups lie along
// the input features; values, scales and minimums are planes of their own. docs/quantisation.md teaches it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/tensor.h"

namespace galago {

/// How the numbers of a weight matrix are stored.
enum class WeightFormat { f32, f16, bf16, q8, q4 };

/// "f32", "f16", "bf16", "q8", "q4".
const char* to_string(WeightFormat format) noexcept;
/// The format of such a name; nothing when it is unknown.
std::optional<WeightFormat> weight_format(std::string_view name) noexcept;
/// The format of a float tensor; nothing for another element type.
std::optional<WeightFormat> weight_format(DType dtype) noexcept;

/// Weights of one row that share a scale (and a minimum), in the formats that have them.
inline constexpr int64_t kWeightGroup = 32;

inline bool is_quantised(WeightFormat format) {
  return format == WeightFormat::q8 || format == WeightFormat::q4;
}
/// Bytes that `count` values take, without scales and minimums; count is even for q4.
int64_t value_bytes(WeightFormat format, int64_t count) noexcept;

/// A read-only weight matrix [rows, cols] in somebody else's memory. No pointer need be aligned.
struct WeightView {
  WeightFormat format = WeightFormat::f32;
  int64_t rows = 0;
  int64_t cols = 0;
  /// Row-major. q8: int8 [rows, cols]. q4: bytes [rows, cols / 2]; byte j of a group's 16 holds weight j in
  /// its low half and weight j + 16 in its high half. Null for a tensor that a checkpoint lacks.
  const std::byte* values = nullptr;
  const std::byte* scales = nullptr;    ///< float16 [rows, cols / 32]; null for floats
  const std::byte* minimums = nullptr;  ///< the same, of q4 only

  WeightView() = default;
  WeightView(WeightFormat f, int64_t r, int64_t c) : format(f), rows(r), cols(c) {}
  /// A tensor of floats [rows, cols], as it is. Error{model_unsupported} for another element type,
  /// Error{internal} for another rank; an empty view for a tensor without data and shape.
  WeightView(const TensorView& floats);  // NOLINT(google-explicit-constructor): a tensor is a weight

  int64_t groups() const { return cols / kWeightGroup; }
  /// Values of row i.
  const std::byte* row(int64_t i) const { return values + i * value_bytes(format, cols); }
  /// Bytes of all planes.
  int64_t bytes() const noexcept;
  /// Rows [begin, begin + count); a view without data stays one.
  WeightView slice_rows(int64_t begin, int64_t count) const;
};

/// Weights [begin, begin + count) of one row as floats: the definition of every format.
void to_floats(const WeightView& view, int64_t row, int64_t begin, int64_t count, float* out);
/// All weights as floats, written to out[0..rows*cols).
void to_floats(const WeightView& view, float* out);

/// In what a product of many rows multiplies; sums are float32 either way. bf16: both operands are rounded to
/// bfloat16 where the processor multiplies these faster, which costs about three digits of the result.
enum class Arithmetic { f32, bf16 };

/// The tensors of one linear layer y = x W^T + b: weight [out, in], bias [out] or null.
struct LinearView {
  WeightView weight;
  TensorView bias;
  Arithmetic arithmetic = Arithmetic::f32;
};

}  // namespace galago
