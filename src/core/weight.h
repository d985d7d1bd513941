// Weight matrices as they are stored: floats, or small integers whose groups of 32 share a scale.
// In: tensors of a checkpoint. Out: a view that every reader of weights takes (linear layers, tables of
// rows). q8: w = scale * q with q in -127..127. q4: w = scale * q + minimum with q in 0..15. Groups lie along
// the input features. Values, scales and minimums lie in planes of their own, or together group by group as
// in GGUF files, or panel by panel, in the order in which products of few rows use them. docs/quantisation.md
// teaches all three.
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

/// Where the numbers of a quantised matrix lie. rows: row by row, in planes. panels: kPanelRows rows
/// together, group by group; the last panel ends with rows of zeros. blocks: row by row, each group's scale,
/// minimum and values together; q4 without minimums has those of Q4_0, -8 times the scale.
enum class WeightLayout { rows, panels, blocks };
/// Rows of a panel.
inline constexpr int64_t kPanelRows = 16;

/// Where a group of a panel's rows begins, in bytes from the panel's start. Everything lies in 64 bytes that
/// one row after the other fills: the float16 scales (and minimums) of the 16 rows, then 4 bytes of each
/// row's values, the next 4 of each, and so on. q8 has the scales of two groups before the values of both;
/// its values are q + 128.
struct PanelGroup {
  int64_t scales, minimums, values;
};
inline constexpr int64_t kPanelLine = 4 * kPanelRows;  ///< 4 bytes of each row
constexpr PanelGroup panel_group(WeightFormat format, int64_t group) {
  constexpr int64_t kQ8 = 8 * kPanelLine, kQ4 = 5 * kPanelLine;  // values of a group; all of a group
  if (format == WeightFormat::q4)
    return {group * kQ4, group * kQ4 + kPanelLine / 2, group * kQ4 + kPanelLine};
  const int64_t pair = group / 2 * (kPanelLine + 2 * kQ8), second = group % 2;
  return {pair + second * (kPanelLine / 2), pair, pair + kPanelLine + second * kQ8};
}
/// Bytes of a panel of q8 or q4.
int64_t panel_bytes(WeightFormat format, int64_t cols) noexcept;

/// Bytes of a scale or a minimum.
inline constexpr int64_t kHalfBytes = 2;

/// Where the numbers of one group of a row lie.
struct WeightGroupView {
  const std::byte* values = nullptr;
  const std::byte* scale = nullptr;
  const std::byte* minimum = nullptr;  ///< null: of q8, and of blocks without

  /// The float16 of a q4 group, as bits.
  uint16_t minimum_bits() const noexcept;
};

/// A read-only weight matrix [rows, cols] in somebody else's memory. No pointer need be aligned.
struct WeightView {
  WeightFormat format = WeightFormat::f32;
  WeightLayout layout = WeightLayout::rows;  ///< of q8 and q4
  int64_t block_bytes = 0;                   ///< in blocks: of one
  int64_t rows = 0;
  int64_t cols = 0;
  /// Row-major. q8: int8 [rows, cols]. q4: bytes [rows, cols / 2]; byte j of a group's 16 holds weight j in
  /// its low half and weight j + 16 in its high half. Or panels, one after another, or blocks. Null for a
  /// tensor that a checkpoint lacks.
  const std::byte* values = nullptr;
  const std::byte* scales = nullptr;    ///< float16 [rows, cols / 32] in rows; null for floats and elsewhere
  const std::byte* minimums = nullptr;  ///< the same, of q4 only

  WeightView() = default;
  WeightView(WeightFormat f, int64_t r, int64_t c, WeightLayout l = WeightLayout::rows)
      : format(f), layout(l), rows(r), cols(c) {}
  /// A tensor of floats [rows, cols], as it is. Error{model_unsupported} for another element type,
  /// Error{internal} for another rank; an empty view for a tensor without data and shape.
  WeightView(const TensorView& floats);  // NOLINT(google-explicit-constructor): a tensor is a weight

  int64_t groups() const { return cols / kWeightGroup; }
  bool in_panels() const { return layout == WeightLayout::panels; }
  bool in_blocks() const { return layout == WeightLayout::blocks; }
  /// Whether scales and minimums are planes of their own.
  bool in_planes() const { return is_quantised(format) && layout == WeightLayout::rows; }
  /// Values of row i, or its blocks; not of panels.
  const std::byte* row(int64_t i) const {
    return values + i * (in_blocks() ? groups() * block_bytes : value_bytes(format, cols));
  }
  /// Group `group` of a quantised row; not of panels.
  WeightGroupView group(int64_t i, int64_t group) const noexcept {
    const int64_t bytes = format == WeightFormat::q8 ? kWeightGroup : kWeightGroup / 2;
    const int64_t at = i * groups() + group;
    if (!in_blocks())
      return {values + at * bytes, scales + at * kHalfBytes,
              minimums == nullptr ? nullptr : minimums + at * kHalfBytes};
    const std::byte* const block = values + at * block_bytes;
    const int64_t before = block_bytes - bytes;  // a float16, or two
    return {block + before, block, before > kHalfBytes ? block + kHalfBytes : nullptr};
  }
  /// The panel of row i, a multiple of kPanelRows.
  const std::byte* panel(int64_t i) const { return values + i / kPanelRows * panel_bytes(format, cols); }
  /// Bytes of all planes, or of the panels or blocks.
  int64_t bytes() const noexcept;
  /// Rows [begin, begin + count), in panels from a multiple of kPanelRows on; a view without data stays one.
  WeightView slice_rows(int64_t begin, int64_t count) const;
};

/// A tensor's rows of floats as a table of weights.
WeightView rows_view(const Tensor& rows);

/// Weights [begin, begin + count) of one row as floats: the definition of every format.
void to_floats(const WeightView& view, int64_t row, int64_t begin, int64_t count, float* out);
/// All weights as floats, written to out[0..rows*cols).
void to_floats(const WeightView& view, float* out);

/// In what a product of many rows multiplies. bf16: both operands are rounded to bfloat16 where the processor
/// multiplies these, and summed in float32, which costs about three digits of the result. int8: each row of
/// both operands becomes whole numbers from -127 to 127 and a factor, and the sums are exact.
enum class Arithmetic { f32, bf16, int8 };

/// The tensors of one linear layer y = x W^T + b: weight [out, in], bias [out] or null.
struct LinearView {
  WeightView weight;
  TensorView bias;
  Arithmetic arithmetic = Arithmetic::f32;
};

}  // namespace galago
