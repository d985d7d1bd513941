// The inner loops of resampling; see the header for how a group of lines lies in memory. In and out: bytes.
// Every sum is exact in 32 bits, so the results are those of the twin on every instruction set.
#include "kernels/cpu/resample_steps.h"

#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/resample_steps.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kLowBits = 12;  // of a weight, see the header

#if HWY_TARGET == HWY_SCALAR  // one lane holds no pair: the same in plain loops

void Weigh(const int16_t* pairs, const PairWeights& weights, int64_t begin, int64_t end, Lines out) {
  for (int64_t i = begin; i < end; ++i)
    for (int64_t line = 0; line < kLines; ++line) {
      const int16_t* from = pairs + ((weights.first(i) - weights.first_pair(begin)) * kLines + line) * 2;
      int32_t sum = 1 << (weights.bits() - 1);
      for (int64_t p = 0; p < weights.count(i); ++p, from += kLines * 2) {
        const auto high = static_cast<uint32_t>(weights.of(i)[2 * p]);
        const auto low = static_cast<uint32_t>(weights.of(i)[2 * p + 1]);
        for (int side = 0; side < 2; ++side)
          sum += from[side] * (static_cast<int16_t>(high >> (16 * side)) * (1 << kLowBits) +
                               static_cast<int16_t>(low >> (16 * side)));
      }
      out.bytes[(i - begin) * out.stride + line] =
          static_cast<uint8_t>(std::clamp(sum >> weights.bits(), 0, 255));
    }
}

void PairRows(const uint8_t* even, const uint8_t* odd, int16_t* pair) {
  for (int64_t line = 0; line < kLines; ++line) {
    pair[line * 2] = even[line];
    pair[line * 2 + 1] = odd[line];
  }
}

void PairLines(ConstLines in, int64_t count, int64_t first, int64_t end, uint8_t*, int16_t* pairs) {
  for (int64_t line = 0; line < count; ++line)
    for (int64_t x = first * 2; x < end * 2; ++x)
      pairs[((x / 2 - first) * kLines + line) * 2 + x % 2] = in.bytes[line * in.stride + x];
}

void UnpairLines(const uint8_t* result, int64_t n, int64_t count, Lines out) {
  for (int64_t line = 0; line < count; ++line)
    for (int64_t x = 0; x < n; ++x) out.bytes[line * out.stride + x] = result[x * kLines + line];
}

#else

using Ints = hn::ScalableTag<int32_t>;
using Halves = hn::ScalableTag<int16_t>;
using Block = hn::Full128<uint8_t>;

/// sum + a[2i] b[2i] + a[2i + 1] b[2i + 1]; a and b hold 16-bit numbers.
HWY_INLINE hn::Vec<Ints> AddPairProducts(hn::Vec<Ints> sum, hn::Vec<Halves> a, hn::Vec<Halves> b) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128
  auto unused = hn::Zero(Ints());  // on x86 products of neighbours are added in place
  return hn::ReorderWidenMulAccumulate(Ints(), a, b, sum, unused);
#else
  const auto x = hn::BitCast(Ints(), a), y = hn::BitCast(Ints(), b);
  const auto even = [](auto v) HWY_ATTR { return hn::ShiftRight<16>(hn::ShiftLeft<16>(v)); };
  const auto odd = [](auto v) HWY_ATTR { return hn::ShiftRight<16>(v); };
  return hn::Add(hn::Add(sum, hn::Mul(even(x), even(y))), hn::Mul(odd(x), odd(y)));
#endif
}

/// Four vectors of lines: their weighed sums as bytes.
void WeighVectors(const int16_t* pairs, const int32_t* parts, int64_t count, int bits, uint8_t* out) {
  const Ints d;
  const Halves halves;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  const auto half = hn::Set(d, 1 << (bits - 1));
  auto h0 = hn::Zero(d), h1 = h0, h2 = h0, h3 = h0;
  auto l0 = half, l1 = half, l2 = half, l3 = half;
  for (int64_t p = 0; p < count; ++p, pairs += kLines * 2, parts += 2) {
    const auto high = hn::BitCast(halves, hn::Set(d, parts[0]));
    const auto low = hn::BitCast(halves, hn::Set(d, parts[1]));
    const auto v0 = hn::LoadU(halves, pairs), v1 = hn::LoadU(halves, pairs + 2 * n);
    h0 = AddPairProducts(h0, v0, high);
    l0 = AddPairProducts(l0, v0, low);
    h1 = AddPairProducts(h1, v1, high);
    l1 = AddPairProducts(l1, v1, low);
    const auto v2 = hn::LoadU(halves, pairs + 4 * n), v3 = hn::LoadU(halves, pairs + 6 * n);
    h2 = AddPairProducts(h2, v2, high);
    l2 = AddPairProducts(l2, v2, low);
    h3 = AddPairProducts(h3, v3, high);
    l3 = AddPairProducts(l3, v3, low);
  }
  const hn::Rebind<uint8_t, Ints> bytes;
  const auto most = hn::Set(d, 255);  // narrowing cuts at 0, and at 255 only what fits 16 bits
  const auto cut = [&](auto high, auto low) HWY_ATTR {
    const auto sum = hn::Add(hn::ShiftLeft<kLowBits>(high), low);
    return hn::DemoteTo(bytes, hn::Min(hn::ShiftRightSame(sum, bits), most));
  };
  hn::StoreU(cut(h0, l0), bytes, out);
  hn::StoreU(cut(h1, l1), bytes, out + n);
  hn::StoreU(cut(h2, l2), bytes, out + 2 * n);
  hn::StoreU(cut(h3, l3), bytes, out + 3 * n);
}

/// Results [begin, end) of one group, each 64 bytes.
void Weigh(const int16_t* pairs, const PairWeights& weights, int64_t begin, int64_t end, Lines out) {
  const auto step = 4 * static_cast<int64_t>(hn::Lanes(Ints()));
  const int64_t first = weights.first_pair(begin);
  for (int64_t i = begin; i < end; ++i) {
    const int16_t* from = pairs + (weights.first(i) - first) * kLines * 2;
    uint8_t* to = out.bytes + (i - begin) * out.stride;
    for (int64_t line = 0; line < kLines; line += step)
      WeighVectors(from + line * 2, weights.of(i), weights.count(i), weights.bits(), to + line);
  }
}

/// 64 columns of two rows as one pair of every line.
void PairRows(const uint8_t* even, const uint8_t* odd, int16_t* pair) {
  const Ints d;
  const hn::Rebind<uint8_t, Ints> bytes;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t line = 0; line < kLines; line += n) {
    const auto a = hn::PromoteTo(d, hn::LoadU(bytes, even + line));
    const auto b = hn::PromoteTo(d, hn::LoadU(bytes, odd + line));
    hn::StoreU(hn::BitCast(Halves(), hn::Or(a, hn::ShiftLeft<16>(b))), Halves(), pair + line * 2);
  }
}

/// v[0..N) as the rows of a square of elements of D becomes its columns: log2(N) perfect shuffles.
template <class D, int N>
HWY_INLINE void Transpose(D d, hn::Vec<D> (&v)[N]) {
  for (int size = 1; size < N; size *= 2) {
    hn::Vec<D> w[N];
    for (int i = 0; i < N / 2; ++i) {
      w[2 * i] = hn::InterleaveLower(d, v[i], v[i + N / 2]);
      w[2 * i + 1] = hn::InterleaveUpper(d, v[i], v[i + N / 2]);
    }
    for (int i = 0; i < N; ++i) v[i] = w[i];
  }
}

/// Pixels [2 first, 2 end) of up to 64 lines as pairs; the last line stands in for missing ones. Reads up to
/// kPadding bytes beyond.
void PairLines(ConstLines in, int64_t count, int64_t first, int64_t end, uint8_t* bytes, int16_t* pairs) {
  const hn::Full128<uint16_t> d;
  constexpr int kBlock = 8;
  for (int64_t line = 0; line < kLines; line += kBlock) {
    const uint8_t* lines[kBlock];
    for (int i = 0; i < kBlock; ++i) lines[i] = in.bytes + std::min(line + i, count - 1) * in.stride;
    for (int64_t p = first; p < end; p += kBlock) {
      hn::Vec<decltype(d)> v[kBlock];
      for (int i = 0; i < kBlock; ++i) v[i] = hn::BitCast(d, hn::LoadU(Block(), lines[i] + p * 2));
      Transpose(d, v);
      for (int i = 0; i < kBlock; ++i)
        hn::StoreU(hn::BitCast(Block(), v[i]), Block(), bytes + ((p - first + i) * kLines + line) * 2);
    }
  }
  const hn::Rebind<uint8_t, Halves> narrow;
  const auto n = static_cast<int64_t>(hn::Lanes(Halves()));
  for (int64_t i = 0; i < (end - first) * kLines * 2; i += n)
    hn::StoreU(hn::PromoteTo(Halves(), hn::LoadU(narrow, bytes + i)), Halves(), pairs + i);
}

/// result [n, 64] as up to 64 lines; writes whole blocks of 16 pixels.
void UnpairLines(const uint8_t* result, int64_t n, int64_t count, Lines out) {
  constexpr int kBlock = 16;
  for (int64_t line = 0; line < count; line += kBlock) {
    const int64_t rows = std::min<int64_t>(kBlock, count - line);
    for (int64_t x = 0; x < n; x += kBlock) {
      hn::Vec<Block> v[kBlock];
      for (int i = 0; i < kBlock; ++i) v[i] = hn::LoadU(Block(), result + (x + i) * kLines + line);
      Transpose(Block(), v);
      for (int64_t i = 0; i < rows; ++i) hn::StoreU(v[i], Block(), out.bytes + (line + i) * out.stride + x);
    }
  }
}

#endif  // HWY_SCALAR

/// n pixels, red green blue, to three planes.
void Split(const uint8_t* in, int64_t n, uint8_t* red, uint8_t* green, uint8_t* blue) {
  const hn::ScalableTag<uint8_t> d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t x = 0;
  for (; x + step <= n; x += step) {
    auto r = hn::Zero(d), g = r, b = r;
    hn::LoadInterleaved3(d, in + x * kColors, r, g, b);
    hn::StoreU(r, d, red + x);
    hn::StoreU(g, d, green + x);
    hn::StoreU(b, d, blue + x);
  }
  for (; x < n; ++x) {
    red[x] = in[x * kColors];
    green[x] = in[x * kColors + 1];
    blue[x] = in[x * kColors + 2];
  }
}

/// The other way round.
void Join(const uint8_t* red, const uint8_t* green, const uint8_t* blue, int64_t n, uint8_t* out) {
  const hn::ScalableTag<uint8_t> d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t x = 0;
  for (; x + step <= n; x += step)
    hn::StoreInterleaved3(hn::LoadU(d, red + x), hn::LoadU(d, green + x), hn::LoadU(d, blue + x), d,
                          out + x * kColors);
  for (; x < n; ++x) {
    out[x * kColors] = red[x];
    out[x * kColors + 1] = green[x];
    out[x * kColors + 2] = blue[x];
  }
}

void AlongX(ConstLines in, int64_t count, const PairWeights& weights, ResampleScratch& scratch, Lines out) {
  for (int64_t line = 0; line < count; line += kLines) {
    const int64_t lines = std::min(kLines, count - line);
    const uint8_t* from = in.bytes + line * in.stride;
    uint8_t* to = out.bytes + line * out.stride;
    for (int64_t x = 0; x < weights.out(); x += kAlongX) {
      const int64_t end = std::min(x + kAlongX, weights.out());
      PairLines({from, in.stride}, lines, weights.first_pair(x), weights.end_pair(end), scratch.bytes.data(),
                scratch.pairs.data());
      Weigh(scratch.pairs.data(), weights, x, end, {scratch.result.data(), kLines});
      UnpairLines(scratch.result.data(), end - x, lines, {to + x, out.stride});
    }
  }
}

void AlongY(ConstLines in, int64_t begin, int64_t end, const PairWeights& weights, ResampleScratch& scratch,
            Lines out) {
  const int64_t first = weights.first_pair(begin), pairs = weights.end_pair(end) - first;
  for (int64_t x = 0; x < in.stride; x += kLines) {
    for (int64_t p = 0; p < pairs; ++p) {
      const uint8_t* even = in.bytes + 2 * p * in.stride + x;
      const bool alone = 2 * (first + p) + 1 == weights.in();  // its neighbour's weight is 0
      PairRows(even, alone ? even : even + in.stride, scratch.pairs.data() + p * kLines * 2);
    }
    Weigh(scratch.pairs.data(), weights, begin, end, {out.bytes + x, out.stride});
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(AlongX);
HWY_EXPORT(AlongY);
HWY_EXPORT(Split);
HWY_EXPORT(Join);

PairWeights::PairWeights(const ResampleAxis& axis) : in_(axis.in), bits_(axis.bits) {
  offset_.push_back(0);
  for (int64_t i = 0; i < axis.out(); ++i) {
    const int64_t begin = axis.first[i] / 2, end = (axis.first[i] + axis.count[i] + 1) / 2;
    first_.push_back(static_cast<int32_t>(begin));
    offset_.push_back(offset_.back() + std::max<int64_t>(end - begin, 0));
  }
  parts_.resize(static_cast<size_t>(total() * 2));
  int32_t* to = parts_.data();
  for (int64_t i = 0; i < axis.out(); ++i)
    for (int64_t p = 0; p < count(i); ++p) {
      uint32_t high = 0, low = 0;
      for (int64_t side = 0; side < 2; ++side) {
        const int64_t k = (first_[i] + p) * 2 + side - axis.first[i];
        const int32_t weight = k >= 0 && k < axis.count[i] ? axis.weights[i * axis.taps + k] : 0;
        high |= static_cast<uint32_t>(static_cast<uint16_t>(weight >> 12)) << (16 * side);
        low |= static_cast<uint32_t>(weight & 4095) << (16 * side);
      }
      *to++ = static_cast<int32_t>(high);
      *to++ = static_cast<int32_t>(low);
    }
}

int64_t PairWeights::most_pairs(int64_t outputs) const {
  int64_t most = 0;
  for (int64_t begin = 0; begin < out(); begin += outputs)
    most = std::max(most, end_pair(std::min(begin + outputs, out())) - first_pair(begin));
  return most;
}

void ResampleScratch::reserve(int64_t count) {
  constexpr int64_t kBlock = 8;  // PairLines writes so many at once
  const auto size = static_cast<size_t>((count + kBlock) * kLines * 2);
  bytes.resize(std::max(bytes.size(), size));
  pairs.resize(std::max(pairs.size(), size));
  result.resize(static_cast<size_t>(kAlongX * kLines));
}

void resample_along_x(ConstLines in, int64_t count, const PairWeights& weights, ResampleScratch& scratch,
                      Lines out) {
  HWY_DYNAMIC_DISPATCH(AlongX)(in, count, weights, scratch, out);
}

void resample_along_y(ConstLines in, int64_t begin, int64_t end, const PairWeights& weights,
                      ResampleScratch& scratch, Lines out) {
  HWY_DYNAMIC_DISPATCH(AlongY)(in, begin, end, weights, scratch, out);
}

void load_row(const ConstPicture& picture, int64_t y, uint8_t* row, int64_t stride) {
  const PictureLayout& layout = picture.layout;
  for (int64_t x = 0, n; x < layout.width; x += n) {
    n = layout.run(x);
    const uint8_t* from = picture.bytes + layout.offset(y, x);
    if (!layout.planes)
      HWY_DYNAMIC_DISPATCH(Split)(from, n, row + x, row + stride + x, row + 2 * stride + x);
    else
      for (int64_t c = 0; c < kColors; ++c) std::memcpy(row + c * stride + x, from + c * layout.plane(), n);
  }
}

void store_row(const uint8_t* row, int64_t stride, int64_t y, const Picture& picture) {
  const PictureLayout& layout = picture.layout;
  for (int64_t x = 0, n; x < layout.width; x += n) {
    n = layout.run(x);
    uint8_t* to = picture.bytes + layout.offset(y, x);
    if (!layout.planes)
      HWY_DYNAMIC_DISPATCH(Join)(row + x, row + stride + x, row + 2 * stride + x, n, to);
    else
      for (int64_t c = 0; c < kColors; ++c) std::memcpy(to + c * layout.plane(), row + c * stride + x, n);
  }
}

}  // namespace galago::kernels::cpu
#endif
