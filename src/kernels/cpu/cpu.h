// The fast kernels of this machine's processor: written with Highway.
// Meaning and arguments as in kernels.h, which has checked them; before them the threads to work with, and
// how to ask for what is read once.
#pragma once

#include <string>

#include "kernels/kernels.h"
#include "kernels/pool.h"
#include "kernels/tuning.h"

namespace galago::kernels::cpu {

void copy(Pool& pool, ConstMatrix x, Matrix y);
void scale(Pool& pool, ConstMatrix x, float factor, Matrix y);
void add(Pool& pool, ConstMatrix x, Matrix y);
void unfold_patches(Pool& pool, const TileView& tile, int64_t patch, Matrix rows);
void linear_each(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> products);
void feed_forward(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> in,
                  const Product& out);
void layer_norm(Pool& pool, ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y);
void rms_norm(Pool& pool, ConstMatrix x, const float* weight, float eps, Matrix y);
void attention(Pool& pool, const Ways& ways, ConstMatrix q, ConstMatrix k, ConstMatrix v,
               const HeadLayout& layout, std::span<const uint8_t> key_mask, Matrix out);
void attention_cached(Pool& pool, const Ways& ways, ConstMatrix q, std::span<const CausalRow> rows,
                      const HeadLayout& layout, Matrix out);
void rope(Pool& pool, Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq,
          int64_t head_dim, float scale);
void scatter_rows(Pool& pool, ConstMatrix x, std::span<void* const> to, DType dtype);
void gather_rows(Pool& pool, const WeightView& table, std::span<const int32_t> ids, Matrix out);
void resample(Pool& pool, const ConstPicture& in, std::span<const ResamplePass> passes, const Picture& out);
void look_up(Pool& pool, std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables,
             float* out);

/// E.g. "cpu: AVX3+BF16", "cpu: AVX3+BF16+AMX", or "cpu: AVX2 (GALAGO_CPU=avx2)" where a cap is given.
std::string name();

}  // namespace galago::kernels::cpu
