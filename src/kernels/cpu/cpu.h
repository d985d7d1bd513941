// The fast kernels of this machine's processor: oneDNN for products of many rows, Highway for the rest.
// Same signatures and meaning as kernels.h; arguments are already checked.
#pragma once

#include "kernels/kernels.h"

namespace galago::kernels::cpu {

/// An empty place for what `linear` packs later.
std::shared_ptr<Linear::Prepared> make_prepared();

void linear(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue);
void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y);
void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y);
void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
               std::span<const uint8_t> key_mask, Matrix out);
void attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout, Matrix out);
void rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq, int64_t head_dim,
          float scale);
void to_f16(std::span<const float> x, uint16_t* out);
void silu_mul(ConstMatrix gate, ConstMatrix up, Matrix out);
void gather_rows(const WeightView& table, std::span<const int32_t> ids, Matrix out);

/// The name that backend_name() returns, e.g. "cpu: oneDNN 2.6.3, AVX3".
const char* name();

}  // namespace galago::kernels::cpu
