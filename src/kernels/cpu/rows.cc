// What happens to rows one by one: norms, rotary positions, elementwise products, rows of a table.
// In: rows of floats. Out: rows of floats of the same shape. The order of every sum depends only on the
// number of columns, so a row's result does not depend on the other rows or on the threads.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rows.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include <hwy/contrib/math/math-inl.h>
#include "core/half.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

int64_t WholeVectors(int64_t n) { return n - n % static_cast<int64_t>(hn::Lanes(Floats())); }
int64_t Step() { return static_cast<int64_t>(hn::Lanes(Floats())); }

/// The sum of term(vector) over x, whose vectors run in four chains, and of term(one value) over the rest.
template <class Term>
HWY_INLINE float SumOf(const float* x, int64_t n, const Term& term) {
  const Floats d;
  const hn::CappedTag<float, 1> one;
  const int64_t step = Step(), whole = WholeVectors(n);
  auto a = hn::Zero(d), b = a, e = a, f = a;
  int64_t c = 0;
  for (; c + 4 * step <= whole; c += 4 * step) {
    a = hn::Add(a, term(d, hn::LoadU(d, x + c)));
    b = hn::Add(b, term(d, hn::LoadU(d, x + c + step)));
    e = hn::Add(e, term(d, hn::LoadU(d, x + c + 2 * step)));
    f = hn::Add(f, term(d, hn::LoadU(d, x + c + 3 * step)));
  }
  for (; c < whole; c += step) a = hn::Add(a, term(d, hn::LoadU(d, x + c)));
  float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(e, f))));
  for (; c < n; ++c) total += hn::GetLane(term(one, hn::LoadU(one, x + c)));
  return total;
}

float Sum(const float* x, int64_t n) {
  return SumOf(x, n, [](auto, auto value) { return value; });
}

/// The sum of (x - center)^2.
float SquareSum(const float* x, int64_t n, float center) {
  return SumOf(x, n, [center](auto d, auto value) {
    const auto difference = hn::Sub(value, hn::Set(d, center));
    return hn::Mul(difference, difference);
  });
}

void LayerNormRow(const float* x, const float* weight, const float* bias, float eps, int64_t n, float* y) {
  const Floats d;
  const float mean = Sum(x, n) / static_cast<float>(n);
  const float factor = 1 / std::sqrt(SquareSum(x, n, mean) / static_cast<float>(n) + eps);
  const auto middle = hn::Set(d, mean), times = hn::Set(d, factor);
  const int64_t whole = WholeVectors(n);
  for (int64_t c = 0; c < whole; c += Step()) {
    const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, x + c), middle), times);
    hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, weight + c), hn::LoadU(d, bias + c)), d, y + c);
  }
  for (int64_t c = whole; c < n; ++c) y[c] = (x[c] - mean) * factor * weight[c] + bias[c];
}

void RmsNormRow(const float* x, const float* weight, float eps, int64_t n, float* y) {
  const Floats d;
  const float factor = 1 / std::sqrt(SquareSum(x, n, 0) / static_cast<float>(n) + eps);
  const auto times = hn::Set(d, factor);
  const int64_t whole = WholeVectors(n);
  for (int64_t c = 0; c < whole; c += Step())
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + c), times), hn::LoadU(d, weight + c)), d, y + c);
  for (int64_t c = whole; c < n; ++c) y[c] = x[c] * factor * weight[c];
}

/// Turns the pairs (a[j], b[j]) by the angles whose cosines and sines are given.
void TurnPairs(const float* cosine, const float* sine, int64_t half, float* a, float* b) {
  const Floats d;
  const int64_t whole = WholeVectors(half);
  for (int64_t j = 0; j < whole; j += Step()) {
    const auto x = hn::LoadU(d, a + j), y = hn::LoadU(d, b + j);
    const auto c = hn::LoadU(d, cosine + j), s = hn::LoadU(d, sine + j);
    hn::StoreU(hn::NegMulAdd(y, s, hn::Mul(x, c)), d, a + j);
    hn::StoreU(hn::MulAdd(x, s, hn::Mul(y, c)), d, b + j);
  }
  for (int64_t j = whole; j < half; ++j) {
    const float x = a[j], y = b[j];
    a[j] = x * cosine[j] - y * sine[j];
    b[j] = y * cosine[j] + x * sine[j];
  }
}

/// factor * cos and factor * sin of n angles. Highway's own are exact enough up to 39000 radians.
void CosSin(const float* angles, int64_t n, float factor, float* cosine, float* sine) {
  constexpr float kLargestAngle = 39000;
  const Floats d;
  const auto times = hn::Set(d, factor);
  const int64_t whole = WholeVectors(n);
  for (int64_t j = 0; j < n; ++j) {
    const bool in_vector = j < whole;
    if (in_vector && j % Step() != 0) continue;
    const int64_t count = in_vector ? Step() : 1;
    const bool large = std::any_of(angles + j, angles + j + count,
                                   [](float angle) { return !(std::abs(angle) <= kLargestAngle); });
    if (in_vector && !large) {
      const auto angle = hn::LoadU(d, angles + j);
      hn::StoreU(hn::Mul(hn::Cos(d, angle), times), d, cosine + j);
      hn::StoreU(hn::Mul(hn::Sin(d, angle), times), d, sine + j);
      continue;
    }
    for (int64_t k = j; k < j + count; ++k) {
      cosine[k] = std::cos(angles[k]) * factor;
      sine[k] = std::sin(angles[k]) * factor;
    }
  }
}

void ToF16(const float* x, int64_t n, uint16_t* out) {
  int64_t whole = 0;
#if HWY_TARGET < HWY_SSE4 || HWY_TARGET == HWY_NEON  // the others have no instruction that rounds
  const Floats d;
  const hn::Rebind<hwy::float16_t, Floats> half;
  const hn::Rebind<uint16_t, Floats> bits;
  const auto most = hn::Set(d, 65504.0f);
  for (; whole < WholeVectors(n); whole += Step()) {
    const auto value = hn::LoadU(d, x + whole);
    const auto inside = hn::Max(hn::Neg(most), hn::Min(most, value));
    const auto kept = hn::IfThenElse(hn::IsNaN(value), value, inside);
    hn::StoreU(hn::BitCast(bits, hn::DemoteTo(half, kept)), bits, out + whole);
  }
#endif
  for (int64_t i = whole; i < n; ++i) out[i] = galago::to_f16(x[i]);
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(LayerNormRow);
HWY_EXPORT(RmsNormRow);
HWY_EXPORT(TurnPairs);
HWY_EXPORT(CosSin);
HWY_EXPORT(ToF16);

namespace {

template <class Body>
void each_row(Pool& pool, int64_t rows, int64_t cost, const Body& body) {
  parallel_for(pool, rows, cost, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace

void layer_norm(Pool& pool, ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) {
  each_row(pool, x.rows, x.cols, [&](int64_t i) {
    HWY_DYNAMIC_DISPATCH(LayerNormRow)(x.row(i), weight, bias, eps, x.cols, y.row(i));
  });
}

void rms_norm(Pool& pool, ConstMatrix x, const float* weight, float eps, Matrix y) {
  each_row(pool, x.rows, x.cols, [&](int64_t i) {
    HWY_DYNAMIC_DISPATCH(RmsNormRow)(x.row(i), weight, eps, x.cols, y.row(i));
  });
}

void rope(Pool& pool, Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq,
          int64_t head_dim, float scale) {
  constexpr int64_t kPairs = 64;  // pairs of a head that are turned together
  const int64_t half = head_dim / 2;
  each_row(pool, x.rows, x.cols + 8 * half, [&](int64_t i) {
    float angles[kPairs], cosine[kPairs], sine[kPairs];
    for (int64_t first = 0; first < half; first += kPairs) {
      const int64_t count = std::min(kPairs, half - first);
      for (int64_t j = 0; j < count; ++j)
        angles[j] =
            static_cast<float>(positions[static_cast<size_t>(i)]) * inv_freq[static_cast<size_t>(first + j)];
      HWY_DYNAMIC_DISPATCH(CosSin)(angles, count, scale, cosine, sine);
      for (float* head = x.row(i) + first; head < x.row(i) + x.cols; head += head_dim)
        HWY_DYNAMIC_DISPATCH(TurnPairs)(cosine, sine, count, head, head + half);
    }
  });
}

void scatter_rows(Pool& pool, ConstMatrix x, std::span<void* const> to, DType dtype) {
  each_row(pool, x.rows, x.cols, [&](int64_t i) {
    void* const row = to[static_cast<size_t>(i)];
    if (dtype == DType::f16)
      HWY_DYNAMIC_DISPATCH(ToF16)(x.row(i), x.cols, static_cast<uint16_t*>(row));
    else
      std::copy_n(x.row(i), x.cols, static_cast<float*>(row));
  });
}

}  // namespace galago::kernels::cpu
#endif
