// The fast kernels of this machine's processor: written with Highway.
// Same signatures and meaning as kernels.h; arguments are already checked.
#pragma once

#include "kernels/kernels.h"

namespace galago::kernels::cpu {

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
void resample(const ConstPicture& in, std::span<const ResamplePass> passes, const Picture& out);
void look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables, float* out);

/// The name that backend_name() returns, e.g. "cpu: AVX3+BF16".
const char* name();

}  // namespace galago::kernels::cpu
