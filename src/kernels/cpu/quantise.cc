// Floats as q8 and q4, sixteen rows at a time into a panel. Each lane is a row: what is decided for a group
// is decided lane by lane, with the operations of the scalar twin in its order, so the bytes are the same.
// Groups are turned so that a vector holds one column of all rows; four columns of integers then are one line
// of a panel.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quantise.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/quant.h"
#include "kernels/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::RebindToUnsigned<Floats>;
using Whole = hn::RebindToSigned<Floats>;
using Halves = hn::Rebind<uint16_t, Floats>;
using FloatVec = hn::Vec<Floats>;
using WordVec = hn::Vec<Words>;
using Truth = hn::Mask<Floats>;

constexpr int64_t kColumns = 128;  // that become floats at once
constexpr int64_t kLanes = hn::MaxLanes(Floats());
constexpr int64_t kHalf = kWeightGroup / 2;
constexpr uint32_t kNaN = 0x7e00;
constexpr int kMostFits = 4;  // of a scale and a minimum to a group

/// Columns of a group: column c of all lanes at c * kLanes.
using Columns = float[kWeightGroup * kLanes];

HWY_INLINE FloatVec ColumnOf(const float* columns, int64_t c) {
  return hn::Load(Floats(), columns + c * kLanes);
}

/// galago::to_f16 of numbers that are no NaN, as bits.
HWY_INLINE WordVec HalfBits(FloatVec value) {
  const Floats d;
  const Words words;
  const Whole whole;
  const auto bits = hn::BitCast(words, value);
  const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 0x8000U));
  const auto size = hn::And(bits, hn::Set(words, 0x7fffffffU));
  const auto below = [&](uint32_t limit) {
    return hn::MaskFromVec(hn::BitCast(
        words, hn::VecFromMask(
                   whole, hn::Lt(hn::BitCast(whole, size), hn::Set(whole, static_cast<int32_t>(limit))))));
  };
  const auto odd = hn::And(hn::ShiftRight<13>(size), hn::Set(words, 1U));
  const auto normal = hn::ShiftRight<13>(hn::Add(hn::Add(size, hn::Set(words, 0xfffU - (112U << 23))), odd));
  const auto small = hn::Sub(hn::BitCast(words, hn::Add(hn::BitCast(d, size), hn::Set(d, 0.5f))),
                             hn::Set(words, 0x3f000000U));
  const auto half = hn::IfThenElse(below(0x38800000U), small, normal);
  return hn::Or(sign, hn::IfThenElse(below(0x477fe001U), half, hn::Set(words, 0x7bffU)));
}

HWY_INLINE hn::Vec<Halves> Narrow(WordVec bits) { return hn::DemoteTo(Halves(), hn::BitCast(Whole(), bits)); }

HWY_INLINE FloatVec FloatOf(WordVec bits) {
  HWY_ALIGN uint16_t halves[kLanes];
  hn::Store(Narrow(bits), Halves(), halves);
  return F16::Load(reinterpret_cast<const std::byte*>(halves));
}

HWY_INLINE void StoreHalves(WordVec bits, std::byte* to) {
  hn::StoreU(Narrow(bits), Halves(), reinterpret_cast<uint16_t*>(to));
}

HWY_INLINE void StoreLine(WordVec line, std::byte* to) {
  hn::StoreU(line, Words(), reinterpret_cast<uint32_t*>(to));
}

HWY_INLINE WordVec Bits(Truth truth) { return hn::BitCast(Words(), hn::VecFromMask(Floats(), truth)); }

HWY_INLINE WordVec Choose(Truth truth, WordVec yes, WordVec no) {
  return hn::BitCast(Words(), hn::IfThenElse(truth, hn::BitCast(Floats(), yes), hn::BitCast(Floats(), no)));
}

/// Lanes without infinities and NaN.
HWY_INLINE Truth IsFinite(const float* columns) {
  auto strange = hn::Zero(Floats());
  for (int64_t c = 0; c < kWeightGroup; ++c) {
    const auto w = ColumnOf(columns, c);
    strange = hn::Add(strange, hn::Sub(w, w));  // 0, or NaN
  }
  return hn::Eq(strange, hn::Zero(Floats()));
}

/// int8 with scale = largest / 127.
void GroupAsQ8(const float* columns, std::byte* panel, const PanelGroup& place, int64_t lane) {
  const Floats d;
  const Words words;
  auto largest = hn::Zero(d);
  for (int64_t c = 0; c < kWeightGroup; ++c) largest = hn::Max(largest, hn::Abs(ColumnOf(columns, c)));
  const auto finite = IsFinite(columns);
  const auto bits = Choose(finite, HalfBits(hn::Div(largest, hn::Set(d, 127.0f))), hn::Set(words, kNaN));
  StoreHalves(bits, panel + place.scales + 2 * lane);
  const auto scale = FloatOf(bits);
  const auto counts = hn::And(finite, hn::Gt(scale, hn::Zero(d)));
  const auto inverse = hn::Div(hn::Set(d, 1.0f), scale);
  const auto most = hn::Set(d, 127.0f), half = hn::Set(d, 0.5f);
  for (int64_t line = 0; line < kWeightGroup / 4; ++line) {
    auto four = hn::Set(words, 0x80808080U);  // q + 128
    for (int64_t j = 0; j < 4; ++j) {
      const auto steps =
          hn::Min(hn::Max(hn::Mul(ColumnOf(columns, 4 * line + j), inverse), hn::Neg(most)), most);
      const auto q = hn::ConvertTo(Whole(), hn::Add(steps, hn::CopySign(half, steps)));
      const auto byte = hn::And(hn::And(hn::BitCast(words, q), hn::Set(words, 255U)), Bits(counts));
      four = hn::Xor(four, hn::ShiftLeftSame(byte, static_cast<int>(8 * j)));
    }
    StoreLine(four, panel + place.values + line * kPanelLine + 4 * lane);
  }
}

/// One choice of scale and minimum for each lane, with the levels nearest to its weights elsewhere.
struct Fit {
  WordVec scale, minimum;
  FloatVec error;  ///< sum of squares
};

Fit FitOf(const float* columns, FloatVec scale, FloatVec minimum, float* levels) {
  const Floats d;
  Fit fit{HalfBits(scale), HalfBits(minimum), hn::Zero(d)};
  const auto step = FloatOf(fit.scale), offset = FloatOf(fit.minimum);
  const auto counts = hn::Gt(step, hn::Zero(d));
  const auto inverse = hn::IfThenElseZero(counts, hn::Div(hn::Set(d, 1.0f), step));
  for (int64_t c = 0; c < kWeightGroup; ++c) {
    const auto w = ColumnOf(columns, c);
    const auto place = hn::Mul(hn::Sub(w, offset), inverse);
    const auto level = hn::IfThenElseZero(counts, hn::Min(hn::Max(place, hn::Zero(d)), hn::Set(d, 15.0f)));
    const auto q = hn::ConvertTo(d, hn::ConvertTo(Whole(), hn::Add(level, hn::Set(d, 0.5f))));
    hn::Store(q, d, levels + c * kLanes);
    const auto off = hn::Sub(w, hn::Add(hn::Mul(step, q), offset));
    fit.error = hn::Add(fit.error, hn::Mul(off, off));
  }
  return fit;
}

/// The line w = scale * level + minimum with the least squares, or a scale of 0 where all levels are one.
void LineThrough(const float* columns, const float* levels, FloatVec& scale, FloatVec& minimum) {
  const Floats d;
  const auto count = hn::Set(d, static_cast<float>(kWeightGroup));
  auto sum_q = hn::Zero(d), sum_w = sum_q, squares = sum_q, products = sum_q;
  for (int64_t c = 0; c < kWeightGroup; ++c) {
    const auto q = ColumnOf(levels, c), w = ColumnOf(columns, c);
    sum_q = hn::Add(sum_q, q);
    sum_w = hn::Add(sum_w, w);
    squares = hn::Add(squares, hn::Mul(q, q));
    products = hn::Add(products, hn::Mul(q, w));
  }
  const auto spread = hn::Sub(hn::Mul(count, squares), hn::Mul(sum_q, sum_q));
  const auto rise = hn::Sub(hn::Mul(count, products), hn::Mul(sum_q, sum_w));
  scale = hn::IfThenElseZero(hn::Gt(spread, hn::Zero(d)), hn::Div(rise, spread));
  minimum = hn::Div(hn::Sub(sum_w, hn::Mul(scale, sum_q)), count);
}

/// 16 levels from the smallest weight to the largest; then scale and minimum are fitted to the levels, and
/// the levels to them, as long as that lessens the error.
Fit BestFit(const float* columns, Truth finite, float* levels) {
  const Floats d;
  auto least = ColumnOf(columns, 0), most = least;
  for (int64_t c = 1; c < kWeightGroup; ++c) {  // the first of the smallest, the last of the largest
    const auto w = ColumnOf(columns, c);
    least = hn::IfThenElse(hn::Lt(w, least), w, least);
    most = hn::IfThenElse(hn::Lt(w, most), most, w);
  }
  Fit best = FitOf(columns, hn::Div(hn::Sub(most, least), hn::Set(d, 15.0f)), least, levels);
  auto open = hn::And(finite, hn::Gt(best.error, hn::Zero(d)));
  HWY_ALIGN Columns others;
  for (int i = 0; i < kMostFits && !hn::AllFalse(d, open); ++i) {
    FloatVec scale, minimum;
    LineThrough(columns, levels, scale, minimum);
    const Fit next = FitOf(columns, scale, minimum, others);
    const auto better = hn::And(hn::And(open, hn::Gt(scale, hn::Zero(d))), hn::Lt(next.error, best.error));
    best.scale = Choose(better, next.scale, best.scale);
    best.minimum = Choose(better, next.minimum, best.minimum);
    best.error = hn::IfThenElse(better, next.error, best.error);
    for (int64_t c = 0; c < kWeightGroup; ++c)
      hn::Store(hn::IfThenElse(better, ColumnOf(others, c), ColumnOf(levels, c)), d, levels + c * kLanes);
    open = hn::And(better, hn::Gt(best.error, hn::Zero(d)));
  }
  return best;
}

void GroupAsQ4(const float* columns, std::byte* panel, const PanelGroup& place, int64_t lane) {
  const Words words;
  HWY_ALIGN Columns levels;
  const auto finite = IsFinite(columns);
  const Fit best = BestFit(columns, finite, levels);
  StoreHalves(Choose(finite, best.scale, hn::Set(words, kNaN)), panel + place.scales + 2 * lane);
  StoreHalves(Choose(finite, best.minimum, hn::Set(words, kNaN)), panel + place.minimums + 2 * lane);
  const auto level = [&](int64_t c) {
    return hn::BitCast(words, hn::ConvertTo(Whole(), ColumnOf(levels, c)));
  };
  for (int64_t line = 0; line < kHalf / 4; ++line) {
    auto four = hn::Zero(words);
    for (int64_t j = 0; j < 4; ++j) {
      const int64_t c = 4 * line + j;
      const auto byte = hn::Or(level(c), hn::ShiftLeft<4>(level(c + kHalf)));
      four = hn::Or(four, hn::ShiftLeftSame(byte, static_cast<int>(8 * j)));
    }
    StoreLine(hn::And(four, Bits(finite)), panel + place.values + line * kPanelLine + 4 * lane);
  }
}

void Quantise(const WeightView& from, WeightFormat format, int64_t first, int64_t count, std::byte* panel) {
  HWY_ALIGN float rows[kPanelRows * kColumns];
  HWY_ALIGN float columns[kColumns * kLanes];
  for (int64_t k = 0; k < from.cols; k += kColumns) {
    const int64_t part = std::min(kColumns, from.cols - k);
    for (int64_t r = 0; r < kPanelRows; ++r)
      if (r < count)
        dequantise(from, first + r, k, part, rows + r * kColumns);
      else
        std::fill_n(rows + r * kColumns, part, 0.0f);
    for (int64_t lane = 0; lane < kPanelRows; lane += kLanes) {
      Transpose(rows + lane * kColumns, kColumns, part, columns, kLanes);
      for (int64_t c = 0; c < part; c += kWeightGroup) {
        const PanelGroup place = panel_group(format, (k + c) / kWeightGroup);
        (format == WeightFormat::q8 ? GroupAsQ8 : GroupAsQ4)(columns + c * kLanes, panel, place, lane);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(Quantise);

namespace {

/// Rows from `count` on of a panel become zeros.
void clear_rows(WeightFormat format, int64_t cols, int64_t count, std::byte* panel) {
  const int64_t values = value_bytes(format, kWeightGroup) / 4;
  for (int64_t g = 0; g < cols / kWeightGroup; ++g) {
    const PanelGroup place = panel_group(format, g);
    const auto clear = [&](int64_t line, int64_t each) {
      std::fill_n(panel + line + each * count, each * (kPanelRows - count), std::byte{0});
    };
    clear(place.scales, 2);
    if (format == WeightFormat::q4) clear(place.minimums, 2);
    for (int64_t line = 0; line < values; ++line) clear(place.values + line * kPanelLine, 4);
  }
}

}  // namespace

void quantise_panel(const WeightView& from, WeightFormat format, int64_t first, int64_t count,
                    std::byte* panel) {
  HWY_DYNAMIC_DISPATCH(Quantise)(from, format, first, count, panel);
  // Where q8 has an odd number of groups, nobody wrote the second half of the last one's scales.
  if (format == WeightFormat::q8 && from.groups() % 2 != 0)
    std::fill_n(panel + panel_group(format, from.groups() - 1).scales + kPanelLine / 2, kPanelLine / 2,
                std::byte{0});
  if (count < kPanelRows) clear_rows(format, from.cols, count, panel);
}

}  // namespace galago::kernels::cpu
#endif
