// The block of block-inl.h for pairs of bfloat16. In: rows and a panel of pairs. Out: float32 sums.
// Highway 1.0 has no name for the instruction, so it is written out; the attribute covers this file's own
// functions only.
#include "kernels/cpu/bf16.h"

#include <initializer_list>
#include <numbers>

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include "kernels/cpu/instructions.h"

namespace galago::kernels::cpu {
namespace {

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

template <int kRows, int kVectors, class Fetch>
void block(const uint32_t* __restrict a, int64_t a_stride, int64_t pairs, const uint32_t* __restrict panel,
           bool accumulate, float* __restrict sums, int64_t sums_stride, const Fetch& prefetch) {
  __m512 sum[kRows][kVectors];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] = accumulate ? _mm512_loadu_ps(sums + r * sums_stride + v * 16) : _mm512_setzero_ps();
  int64_t k = 0;
  for (int part = 1; part <= kParts<Fetch, kRows>; ++part) {
    prefetch.template step<kParts<Fetch, kRows>>(part - 1);
    for (const int64_t end = pairs * part / kParts<Fetch, kRows>; k < end; ++k, panel += kVectors * 16) {
      prefetch.next_rows(kRows, a_stride, k);
      __m512bh b[kVectors];
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) b[v] = (__m512bh)_mm512_loadu_si512(panel + v * 16);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const auto factor = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * a_stride + k]));
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], factor, b[v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(sums + r * sums_stride + v * 16, sum[r][v]);
}

void round_all(const float* __restrict from, int64_t count, uint16_t* __restrict to) {
  int64_t c = 0;
  for (; c + 32 <= count; c += 32)
    _mm512_storeu_si512(
        to + c, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + c + 16), _mm512_loadu_ps(from + c)));
  for (; c < count; c += 16) {
    const int64_t left = count - c;
    const auto mask = static_cast<__mmask16>(left < 16 ? (1U << left) - 1 : 0xffffU);
    const __m256i rounded = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from + c));
    _mm256_mask_storeu_epi16(to + c, mask, rounded);
  }
}

/// 2^z = 2^floor(z) times a polynomial of what is left of z in [0, 1): the one of degree 4 whose largest
/// relative error is smallest, 2.7e-6.
__m512 power_of_two(__m512 z) {
  const __m512 rest = _mm512_reduce_ps(z, _MM_FROUND_TO_NEG_INF);
  __m512 sum = _mm512_set1_ps(0.0135341678f);
  for (const float coefficient : {0.0520114601f, 0.241442755f, 0.693003833f, 1.00000262f})
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(coefficient));
  return _mm512_scalef_ps(sum, z);
}

/// exp(x) = 2^(x log2(e)).
float exp_all(const float* __restrict x, float largest, int64_t count, uint16_t* __restrict to) {
  const __m512 most = _mm512_set1_ps(largest), log2_e = _mm512_set1_ps(std::numbers::log2e_v<float>);
  __m512 total = _mm512_setzero_ps();
  for (int64_t c = 0; c < count; c += 16) {
    const __m512 value = power_of_two(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + c), most), log2_e));
    total = _mm512_add_ps(total, value);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + c), (__m256i)_mm512_cvtneps_pbh(value));
  }
  return _mm512_reduce_add_ps(total);
}

/// x / (1 + exp(-z)).
void sigmoid_all(SigmoidUnit unit, const float* __restrict x, const float* __restrict bias,
                 const float* __restrict factor, int64_t count, uint16_t* __restrict to) {
  const __m512 one = _mm512_set1_ps(1), enough = _mm512_set1_ps(1e6f);  // beyond it a sigmoid is 0 or 1
  const __m512 linear = _mm512_set1_ps(-unit.linear * std::numbers::log2e_v<float>);
  const __m512 cubic = _mm512_set1_ps(-unit.cubic * std::numbers::log2e_v<float>);
  for (int64_t c = 0; c < count; c += 16) {
    const auto mask = static_cast<__mmask16>(count - c < 16 ? (1U << (count - c)) - 1 : 0xffffU);
    __m512 value = _mm512_maskz_loadu_ps(mask, x + c);
    if (bias) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, bias + c));
    const __m512 square = _mm512_min_ps(_mm512_mul_ps(value, value), enough);
    const __m512 slope = _mm512_fmadd_ps(square, cubic, linear);
    const __m512 below = _mm512_add_ps(power_of_two(_mm512_mul_ps(value, slope)), one);
    if (factor) value = _mm512_mul_ps(value, _mm512_maskz_loadu_ps(mask, factor + c));
    _mm256_mask_storeu_epi16(to + c, mask, (__m256i)_mm512_cvtneps_pbh(_mm512_div_ps(value, below)));
  }
}

float steps_of(int64_t steps, float factor) {
  const __m512 floats = _mm512_set1_ps(factor);
  const auto pairs = (__m512bh)_mm512_cvtne2ps_pbh(floats, floats);
  __m512 sums[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t s = 0; s < steps; ++s)
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], pairs, pairs);
  __m512 all = sums[0];
#pragma GCC unroll 12
  for (int i = 1; i < 12; ++i) all = _mm512_add_ps(all, sums[i]);
  return _mm512_reduce_add_ps(all);
}

HWY_POP_ATTRIBUTES

}  // namespace

float bf16_steps(int64_t steps, float factor) { return steps_of(steps, factor); }

float exp_to_bf16(const float* x, float largest, int64_t count, uint16_t* to) {
  return exp_all(x, largest, count, to);
}

void sigmoid_to_bf16(SigmoidUnit unit, const float* x, const float* bias, const float* factor, int64_t count,
                     uint16_t* to) {
  sigmoid_all(unit, x, bias, factor, count, to);
}

void round_to_bf16(const float* from, int64_t count, uint16_t* to) { round_all(from, count, to); }

bool has_bf16_products() {
  static const bool has = may_use(Instructions::avx512_bf16) && __builtin_cpu_supports("avx512bf16") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl");
  return has;
}

template <int kVectors, class Fetch>
void bf16_block(const ConstMatrix& a, const float* panel, bool accumulate, const Matrix& sums,
                const Fetch& prefetch) {
  const auto some = [&]<int kRows>(auto& fewer, int64_t row) {
    for (; row + kRows <= a.rows; row += kRows)
      block<kRows, kVectors>(reinterpret_cast<const uint32_t*>(a.row(row)), a.stride, a.cols,
                             reinterpret_cast<const uint32_t*>(panel), accumulate, sums.row(row), sums.stride,
                             prefetch);
    if constexpr (kRows > 1)
      if (row < a.rows) fewer.template operator()<kRows - 1>(fewer, row);
  };
  some.template operator()<24 / kVectors>(some, 0);  // sums in 24 of 32 registers
}

template void bf16_block<kBf16Vectors>(const ConstMatrix&, const float*, bool, const Matrix&,
                                       const Prefetch&);
template void bf16_block<kBf16HeadVectors>(const ConstMatrix&, const float*, bool, const Matrix&,
                                           const NoPrefetch&);

}  // namespace galago::kernels::cpu

#else

namespace galago::kernels::cpu {

bool has_bf16_products() { return false; }
float bf16_steps(int64_t, float) { return 0; }
void round_to_bf16(const float*, int64_t, uint16_t*) {}
void sigmoid_to_bf16(SigmoidUnit, const float*, const float*, const float*, int64_t, uint16_t*) {}
float exp_to_bf16(const float*, float, int64_t, uint16_t*) { return 0; }
template <int kVectors, class Fetch>
void bf16_block(const ConstMatrix&, const float*, bool, const Matrix&, const Fetch&) {}
template void bf16_block<kBf16Vectors>(const ConstMatrix&, const float*, bool, const Matrix&,
                                       const Prefetch&);
template void bf16_block<kBf16HeadVectors>(const ConstMatrix&, const float*, bool, const Matrix&,
                                           const NoPrefetch&);

}  // namespace galago::kernels::cpu

#endif
