// Products of many rows in whole numbers of 8 bits, blocked as those of gemm.cc: a task packs a panel of
// weights, as integers with a factor for each output, and takes its rows past it. In: rows as integers,
// weights in any format. Out: rows of floats. The sums are exact, so that only the factors round, and a row's
// result depends neither on the other rows nor on the instruction set's own order.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/int8.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "kernels/cpu/amx.h"
#include "kernels/cpu/block-inl.h"
#include "kernels/cpu/chain-inl.h"
#include "kernels/cpu/int8.h"
#include "kernels/cpu/int8_block-inl.h"
#include "kernels/cpu/int8_rows-inl.h"
#include "kernels/cpu/int8_ways-inl.h"
#include "kernels/cpu/panels-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quant.h"
#include "kernels/cpu/transpose-inl.h"
#include "kernels/cpu/weights_ahead.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kChunk = 1024;  // weights of a row that become floats at once
constexpr int64_t kMostWidth = kInt8Vectors * hn::MaxLanes(Floats());
constexpr int kStepSums = 12;  // enough for two units with a latency of six cycles

bool HasInt8Way(Int8Way way) {
  return WithWay(way, [way]<class Way>(Way) {
    return Way::Has() && (way == Int8Way::shorts || !std::is_same_v<Way, ShortProducts>);
  });
}

int64_t Int8Places(Int8Way way, int64_t count) {
  return WithWay(way, [count]<class Way>(Way) { return PlacesOf<Way>(count); });
}

void RowToInt8(const float* x, int64_t count, Int8Way way, float* places, float* factor, int32_t* start) {
  WithWay(way, [&]<class Way>(Way) { Int8Row<Way>(x, count, places, factor, start); });
}

int64_t Int8PanelColumns() { return kInt8Vectors * static_cast<int64_t>(hn::Lanes(Floats())); }

/// Calls body with the element type of a part of a row of weights, and where that part lies: quantised ones
/// become floats first. At most kChunk numbers.
template <class Body>
void WithPart(const WeightView& weights, int64_t row, int64_t begin, int64_t count, const Body& body) {
  float floats[kChunk];
  const auto place = [&] { return weights.row(row) + value_bytes(weights.format, begin); };
  switch (weights.format) {
    case WeightFormat::f32:
      return body(F32(), place());
    case WeightFormat::f16:
      return body(F16(), place());
    case WeightFormat::bf16:
      return body(Bf16(), place());
    default:
      dequantise(weights, row, begin, count, floats);
      return body(F32(), reinterpret_cast<const std::byte*>(floats));
  }
}

/// The factors of outputs [first, first + count), and what their weights are multiplied by; of columns past
/// count zeros.
struct Int8Columns {
  HWY_ALIGN float factors[kMostWidth] = {};
  HWY_ALIGN float inverses[kMostWidth] = {};

  Int8Columns() = default;
  void Take(const Linear& layer, int64_t first, int64_t count) {
    std::atomic<float>* const sizes = layer.row_sizes() + first;
    const auto is_known = [](const std::atomic<float>& size) { return !(size.load(kRelaxed) < 0); };
    if (!std::all_of(sizes, sizes + count, is_known)) Measure(layer.weight(), first, count, sizes);
    for (int64_t i = 0; i < count; ++i) {
      const float size = sizes[i].load(kRelaxed);
      const Int8Scale scale = int8_scale(size, std::isfinite(size));
      factors[i] = scale.factor;
      inverses[i] = scale.inverse;
    }
  }

 private:
  // Two threads may look for the same sizes, and both find them.
  static constexpr auto kRelaxed = std::memory_order_relaxed;

  static void Measure(const WeightView& weights, int64_t first, int64_t count, std::atomic<float>* found) {
    if (weights.in_panels()) return MeasurePanels(weights, first, count, found);
    for (int64_t i = 0; i < count; ++i) {
      Sizes sizes;
      for (int64_t k = 0; k < weights.cols; k += kChunk) {
        const int64_t part = std::min(kChunk, weights.cols - k);
        WithPart(weights, first + i, k, part,
                 [&]<class Element>(Element, const std::byte* from) { sizes.Take<Element>(from, part); });
      }
      found[i].store(sizes.Largest(), kRelaxed);
    }
  }

  static void MeasurePanels(const WeightView& weights, int64_t first, int64_t count,
                            std::atomic<float>* found) {
    const Floats d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    HWY_ALIGN float group[hn::MaxLanes(Floats()) * kWeightGroup];
    for (int64_t i = 0; i < count; i += lanes) {
      auto largest = hn::Zero(d), odd = hn::Zero(d);
      for (int64_t k = 0; k < weights.cols; k += kWeightGroup) {
        ColumnsOfPanel(weights, first + i, k, kWeightGroup, group, lanes);
        for (int64_t c = 0; c < kWeightGroup; ++c) {
          const auto v = hn::Load(d, group + c * lanes);
          largest = hn::Max(largest, hn::Abs(v));
          odd = hn::Add(odd, hn::Sub(v, v));
        }
      }
      hn::Store(hn::Add(largest, odd), d, group);  // odd is zero, or NaN where a weight is not finite
      for (int64_t l = 0; l < std::min(lanes, count - i); ++l) found[i + l].store(group[l], kRelaxed);
    }
  }
};

/// Numbers [begin, begin + count) of as many outputs from `row` on as a vector has lanes, from panels of
/// quantised weights to places `width` apart.
template <class Way>
void PackFromPanel(const WeightView& weights, int64_t row, int64_t begin, int64_t count,
                   const float* inverses, float* HWY_RESTRICT to, int64_t width) {
  const Floats d;
  const hn::RebindToUnsigned<Floats> words;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int kBits = 32 / Way::kNumbers;
  HWY_ALIGN float group[hn::MaxLanes(Floats()) * kWeightGroup];
  const auto times = hn::LoadU(d, inverses);
  for (int64_t k = 0; k < count; k += kWeightGroup) {
    ColumnsOfPanel(weights, row, begin + k, kWeightGroup, group, lanes);
    for (int64_t c = 0; c < kWeightGroup; c += Way::kNumbers, to += width) {
      auto place = hn::Zero(words);
      for (int64_t i = 0; i < Way::kNumbers; ++i) {
        const auto q = hn::Add(hn::NearestInt(hn::Mul(hn::Load(d, group + (c + i) * lanes), times)),
                               hn::Set(Ints(), Way::kOffset));
        const auto bits = hn::And(hn::BitCast(words, q), hn::Set(words, (1ULL << kBits) - 1));
        place = hn::Or(place, hn::ShiftLeftSame(bits, static_cast<int>(i) * kBits));
      }
      hn::StoreU(hn::BitCast(d, place), d, to);
    }
  }
}

/// The weights of outputs [first, first + count) at places [begin, begin + depth) as a panel
/// [depth][Int8PanelColumns()]; columns past count are anything.
template <class Way>
void PackInt8(const WeightView& weights, int64_t first, int64_t count, int64_t begin, int64_t depth,
              const Int8Columns& columns, float* HWY_RESTRICT panel) {
  using Number = typename Way::Number;
  static_assert(Way::kOffset == (std::is_signed_v<Number> ? 0 : 128));  // as ToIntegers has it
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats())), width = Int8PanelColumns();
  constexpr int64_t kPlaces = kChunk / Way::kNumbers;
  HWY_ALIGN float rows[hn::MaxLanes(Floats()) * kPlaces];
  for (int64_t column = 0; column < std::min(width, count); column += lanes) {
    if (weights.in_panels()) {
      PackFromPanel<Way>(weights, first + column, begin * Way::kNumbers, depth * Way::kNumbers,
                         columns.inverses + column, panel + column, width);
      continue;
    }
    for (int64_t k = 0; k < depth; k += kPlaces) {
      const int64_t places = std::min(kPlaces, depth - k), from = (begin + k) * Way::kNumbers;
      const int64_t numbers = std::min(places * Way::kNumbers, weights.cols - from);
      for (int64_t r = 0; r < std::min(lanes, count - column); ++r) {
        float* const row = rows + r * kPlaces;
        std::fill_n(row + places - Way::kPlaces, Way::kPlaces, 0.0f);
        WithPart(weights, first + column + r, from, numbers,
                 [&]<class Element>(Element, const std::byte* part) {
                   ToIntegers<Element>(part, numbers, columns.inverses[column + r],
                                       reinterpret_cast<Number*>(row));
                 });
      }
      Transpose(rows, kPlaces, places, panel + k * width + column, width);
    }
  }
#if HWY_TARGET == HWY_NEON
  if constexpr (Way::kPlaces == 2) PairPlaces(panel, depth, width);
#endif
}

/// Rows [begin, end) of the columns of one panel.
template <class Way>
void Int8PanelTask(const Int8Rows& x, const Chain& chain, int64_t panel, int64_t begin, int64_t end) {
  constexpr int64_t kRows = kInt8Rows<Way, kInt8Vectors>, kAhead = 2 * kRows;
  const int64_t links = std::ssize(chain.products);
  const Product& written = chain.products.back();
  const int64_t width = Int8PanelColumns(), first = panel * width, in = x.places.cols;
  const int64_t count = std::min(width, written.y.cols - first);
  const int64_t depth = chain.part_of(in);
  const bool whole = depth >= in;
  const int64_t kept = whole ? kRows : end - begin;  // rows whose sums wait for the next depth
  float* const packed = thread_scratch<struct Int8Packed>(links * (depth + kept) * width);
  const bool in_place = IsPlain(written) && !chain.pairs.data && count == width;
  const auto sums_of = [&](int64_t link, int64_t row, int64_t rows) -> Matrix {
    if (in_place && link + 1 == links) return written.y.slice_rows(row, rows).slice_cols(first, width);
    const int64_t place = links * depth + link * kept + (whole ? 0 : row - begin);
    return {packed + place * width, rows, count, width};
  };
  std::vector<Int8Columns> columns(static_cast<size_t>(links));
  for (size_t i = 0; i < columns.size(); ++i) columns[i].Take(*chain.products[i].layer, first, count);
  for (int64_t from = 0; from < in; from += depth) {
    const int64_t part = std::min(depth, in - from);
    for (int64_t i = 0; i < links; ++i)
      PackInt8<Way>(chain.products[static_cast<size_t>(i)].layer->weight(), first, count, from, part,
                    columns[static_cast<size_t>(i)], packed + i * depth * width);
    const WeightPart part_now{first, width, Way::kNumbers * from, Way::kNumbers * depth};
    WeightsAhead ahead(chain, next_part(chain, part_now), (end - begin + kRows - 1) / kRows);
    for (int64_t row = begin; row < end; row += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, end - row);
      const bool last_depth = from + part == in;
      const float* last = nullptr;
      for (int64_t i = 0; i < links; ++i) {
        const Matrix sums = sums_of(i, row, rows);
        Prefetch prefetch;
        if (i == 0 && row + 2 * kRows <= end) prefetch.next = x.places.row(row + kRows) + from;
        if (last_depth && i + 1 == links && row + kAhead + kRows <= end)
          PrefetchWritten(chain, row + kAhead, first, count, prefetch);
        if (i == 0) ahead.step(prefetch);
        const Int8End ending{.factors = x.factors + row,
                             .starts = x.starts + row,
                             .columns = columns[static_cast<size_t>(i)].factors,
                             .is_first = from == 0,
                             .is_last = last_depth};
        Int8BlockRows<Way, kInt8Vectors>(x.places.slice_rows(row, rows).slice_cols(from, part),
                                         packed + i * depth * width, ending, sums, prefetch);
        if (last_depth) FinishBlock(chain, static_cast<size_t>(i), row, first, sums, last);
        last = sums.data;
      }
    }
  }
}

void Int8Task(const Int8Rows& x, const Chain& chain, int64_t panel, int64_t begin, int64_t end) {
  WithWay(x.way, [&]<class Way>(Way) { Int8PanelTask<Way>(x, chain, panel, begin, end); });
}

/// `steps` times twelve independent sums of products. Sums wrap around.
template <class Way>
HWY_NOINLINE float StepsOf(int64_t steps, int32_t bytes) {
  const auto x = hn::Set(Ints(), bytes), y = x;
  hn::Vec<Ints> sums[kStepSums][1];
#pragma GCC unroll 12
  for (int i = 0; i < kStepSums; ++i) sums[i][0] = hn::Set(Ints(), i);
  for (int64_t s = 0; s < steps; ++s)
#pragma GCC unroll 12
    for (int i = 0; i < kStepSums; ++i) Way::Add(x, y, sums[i]);
  auto all = sums[0][0];
#pragma GCC unroll 12
  for (int i = 1; i < kStepSums; ++i) all = hn::Xor(all, sums[i][0]);
  return static_cast<float>(hn::GetLane(all));
}

int64_t Int8StepOperations(Int8Way way) {
  return WithWay(way, []<class Way>(Way) -> int64_t {
    if constexpr (std::is_same_v<Way, ShortProducts>) return 0;
    if constexpr (kByAmx<Way>) return amx_step_operations(AmxNumbers::bytes);
    return kStepSums * 2 * Way::kNumbers * Way::kPlaces * static_cast<int64_t>(hn::Lanes(Floats()));
  });
}

float Int8Steps(Int8Way way, int64_t steps, int32_t bytes) {
  return WithWay(way, [&]<class Way>(Way) -> float {
    if constexpr (std::is_same_v<Way, ShortProducts>)
      return 0;
    else if constexpr (kByAmx<Way>)
      return amx_steps(AmxNumbers::bytes, steps), 0;
    else
      return StepsOf<Way>(steps, bytes);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(HasInt8Way);
HWY_EXPORT(Int8Places);
HWY_EXPORT(Int8PanelColumns);
HWY_EXPORT(RowToInt8);
HWY_EXPORT(Int8Task);
HWY_EXPORT(Int8StepOperations);
HWY_EXPORT(Int8Steps);

bool has_int8_way(Int8Way way) { return HWY_DYNAMIC_DISPATCH(HasInt8Way)(way); }

Int8Way int8_way(bool amx) {
  for (const Int8Way way : {Int8Way::amx, Int8Way::matrices, Int8Way::bytes, Int8Way::evex_bytes})
    if ((amx || way != Int8Way::amx) && has_int8_way(way)) return way;
  return Int8Way::shorts;
}

int64_t int8_step_operations(Int8Way way) { return HWY_DYNAMIC_DISPATCH(Int8StepOperations)(way); }

float int8_steps(Int8Way way, int64_t steps, int32_t bytes) {
  return HWY_DYNAMIC_DISPATCH(Int8Steps)(way, steps, bytes);
}

bool in_int8(const Product& product, int64_t rows) {
  return product.layer->arithmetic() == Arithmetic::int8 && rows > kFewRows &&
         product.layer->in_features() <= kMostInt8Columns;
}

Int8Rows int8_rows(Pool& pool, ConstMatrix x, Int8Way way) {
  const int64_t places = HWY_DYNAMIC_DISPATCH(Int8Places)(way, x.cols);
  const int64_t stride = row_stride(places);
  float* const memory = thread_scratch<struct Int8Scratch>(x.rows * (stride + 2));
  float* const factors = memory + x.rows * stride;
  auto* const starts = reinterpret_cast<int32_t*>(factors + x.rows);
  parallel_for(pool, x.rows, x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      HWY_DYNAMIC_DISPATCH(RowToInt8)(x.row(r), x.cols, way, memory + r * stride, factors + r, starts + r);
  });
  return {{memory, x.rows, places, stride}, factors, starts, way};
}

int64_t int8_panel_columns() { return HWY_DYNAMIC_DISPATCH(Int8PanelColumns)(); }

void int8_task(const Int8Rows& x, const Chain& chain, int64_t panel, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(Int8Task)(x, chain, panel, begin, end);
}

}  // namespace galago::kernels::cpu
#endif
