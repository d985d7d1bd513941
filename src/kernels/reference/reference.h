// The scalar twins: plain loops that define what each kernel computes. Never deleted, never tuned.
// Same signatures as kernels.h. Sums run in the order of the columns and in double, so that a difference
// between a twin and a fast kernel is the fast kernel's rounding.
#pragma once

#include "kernels/kernels.h"

namespace galago::kernels::reference {

float activate(Activation activation, float x);
void copy(ConstMatrix x, Matrix y);
void scale(ConstMatrix x, float factor, Matrix y);
void add(ConstMatrix x, Matrix y);
void unfold_patches(const TileView& tile, int64_t patch, Matrix rows);
void linear_each(ConstMatrix x, std::span<const Product> products);
void feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out);
void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y);
void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y);
void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
               std::span<const uint8_t> key_mask, Matrix out);
void attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout, Matrix out);
void rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq, int64_t head_dim,
          float scale);
void scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype);
void gather_rows(const WeightView& table, std::span<const int32_t> ids, Matrix out);
/// A row of whole groups as q8 or q4: its values, scales and minimums.
void quantise_row(std::span<const float> row, WeightFormat format, const WeightPlanes& to);
void resample(const ConstPicture& in, std::span<const ResamplePass> passes, const Picture& out);
void look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables, float* out);

}  // namespace galago::kernels::reference
