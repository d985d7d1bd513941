// See the header. A block has two tiles of rows by two of columns, whose four sums stay in tiles while its
// places pass: each of the four products then needs one operand from memory, not two. The instructions are
// written out, so that no other file of the library needs a compiler's flag for them.
#include "kernels/cpu/amx.h"

#include <type_traits>

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/instructions.h"

namespace galago::kernels::cpu {

bool has_amx() { return can_use(Instructions::amx) && has_bf16_products(); }

int64_t amx_step_operations(AmxNumbers numbers) {
  return int64_t{4} * 16 * 16 * 16 * (numbers == AmxNumbers::pairs ? 2 : 4) * 2;
}

#if defined(__x86_64__)

namespace {

constexpr int64_t kTile = 16;  // rows of a tile, and places of one of its rows
constexpr int64_t kPlace = 4;  // bytes

// Which tiles hold what: the sums of a block in the first four, row by row, then its operands.
constexpr int kRowsTile = 4, kColumnsTile = 6;

/// The shapes of all tiles: of a block's rows the upper tiles of sums and of the first operand have `upper`,
/// the lower ones `lower`. Rows of the first operand have `places` places, as many as the second operand has
/// rows. Tiles are there from its making to its end.
class TileShapes {
 public:
  TileShapes(int64_t upper, int64_t lower, int64_t places) {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } shapes;
    static_assert(sizeof shapes == 64);
    for (int t = 0; t < 8; ++t) {
      const bool of_rows = t >= kRowsTile && t < kColumnsTile, of_columns = t >= kColumnsTile;
      const bool is_lower = t == 2 || t == 3 || t == kRowsTile + 1;
      const int64_t rows = of_columns ? places : is_lower ? lower : upper;
      if (rows == 0) continue;
      shapes.row_bytes[t] = static_cast<uint16_t>(kPlace * (of_rows ? places : kTile));
      shapes.rows[t] = static_cast<uint8_t>(rows);
    }
    asm volatile("ldtilecfg %0" ::"m"(shapes));
  }
  TileShapes(const TileShapes&) = delete;
  TileShapes& operator=(const TileShapes&) = delete;
  ~TileShapes() { asm volatile("tilerelease" ::); }
};

// Tiles are no operands that a compiler knows: each is a number in the instruction, `%c` prints it. All are
// volatile, which keeps their order, and what reads or writes memory says so.

template <int kInto>
[[gnu::always_inline]] inline void load(const void* from, int64_t stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kInto), "r"(from), "r"(stride) : "memory");
}

template <int kFrom>
[[gnu::always_inline]] inline void store(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kFrom), "r"(to), "r"(stride) : "memory");
}

/// The tile of sums of a tile of rows by one of columns += their product.
template <AmxNumbers kNumbers, int kRow, int kColumn>
[[gnu::always_inline]] inline void multiply() {
  if constexpr (kNumbers == AmxNumbers::pairs)
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(2 * kRow + kColumn), "i"(kRowsTile + kRow),
                 "i"(kColumnsTile + kColumn));
  else
    asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(2 * kRow + kColumn), "i"(kRowsTile + kRow),
                 "i"(kColumnsTile + kColumn));
}

template <int kSums>
[[gnu::always_inline]] inline void begin_sums(bool accumulate, const float* from, int64_t stride) {
  if (accumulate)
    load<kSums>(from, stride);
  else
    asm volatile("tilezero %%tmm%c0" ::"i"(kSums));
}

/// Asks for what later blocks touch, at one of `steps` steps of a block of kAmxRows rows, of which it has
/// asked for `asked` so far.
template <class Fetch>
[[gnu::always_inline]] inline void ask(const Fetch& prefetch, int64_t row_stride, int64_t step, int64_t steps,
                                       int64_t& asked) {
  if constexpr (!std::is_empty_v<Fetch>) {
    if (prefetch.next)
      for (int64_t r = 0; r < kAmxRows; ++r)
        __builtin_prefetch(prefetch.next + r * row_stride + step * kTile);
    for (; asked * steps < kAmxRows * (step + 1); ++asked) prefetch.template step<kAmxRows>(asked);
  }
}

/// A block: kRowTiles tiles of rows by kColumnTiles of columns, which begin at `panel`, of kWidth in all.
template <AmxNumbers kNumbers, int kRowTiles, int kColumnTiles, int64_t kWidth, class Fetch>
void block(const ConstMatrix& a, int64_t tile_places, const float* panel, bool accumulate, const Matrix& sums,
           const Fetch& prefetch) {
  constexpr int64_t kPanelPitch = kWidth * kPlace;
  const int64_t a_pitch = a.stride * kPlace, sums_pitch = sums.stride * kPlace;
  float* const upper = sums.data;
  float* const lower = upper + kTile * sums.stride;
  begin_sums<0>(accumulate, upper, sums_pitch);
  if constexpr (kColumnTiles > 1) begin_sums<1>(accumulate, upper + kTile, sums_pitch);
  if constexpr (kRowTiles > 1) begin_sums<2>(accumulate, lower, sums_pitch);
  if constexpr (kRowTiles > 1 && kColumnTiles > 1) begin_sums<3>(accumulate, lower + kTile, sums_pitch);
  const int64_t steps = a.cols / tile_places;
  int64_t asked = 0;
  for (int64_t s = 0; s < steps; ++s) {
    const float* const from = a.data + s * tile_places;
    const float* const columns = panel + s * tile_places * kWidth;
    load<kColumnsTile>(columns, kPanelPitch);
    load<kRowsTile>(from, a_pitch);
    multiply<kNumbers, 0, 0>();
    if constexpr (kRowTiles > 1) {
      load<kRowsTile + 1>(from + kTile * a.stride, a_pitch);
      multiply<kNumbers, 1, 0>();
    }
    if constexpr (kColumnTiles > 1) {
      load<kColumnsTile + 1>(columns + kTile, kPanelPitch);
      multiply<kNumbers, 0, 1>();
      if constexpr (kRowTiles > 1) multiply<kNumbers, 1, 1>();
    }
    ask(prefetch, a.stride, s, steps, asked);
  }
  store<0>(upper, sums_pitch);
  if constexpr (kColumnTiles > 1) store<1>(upper + kTile, sums_pitch);
  if constexpr (kRowTiles > 1) store<2>(lower, sums_pitch);
  if constexpr (kRowTiles > 1 && kColumnTiles > 1) store<3>(lower + kTile, sums_pitch);
}

/// All columns of one panel, two tiles of them at a time. The first ones ask for what comes later.
template <AmxNumbers kNumbers, int kVectors, int kRowTiles, class Fetch>
void panel_of_rows(const ConstMatrix& a, int64_t tile_places, const float* panel, bool accumulate,
                   const Matrix& sums, const Fetch& prefetch) {
  constexpr int64_t kWidth = kVectors * kTile;
  block<kNumbers, kRowTiles, 2, kWidth>(a, tile_places, panel, accumulate, sums, prefetch);
  if constexpr (kVectors == 3)
    block<kNumbers, kRowTiles, 1, kWidth>(a, tile_places, panel + 2 * kTile, accumulate,
                                          sums.slice_cols(2 * kTile, kTile), NoPrefetch());
}

/// All rows by places that are whole tiles of `tile_places`.
template <AmxNumbers kNumbers, int kVectors, class Fetch>
void whole_tiles(const ConstMatrix& a, int64_t tile_places, const Panels& panels, bool accumulate,
                 const Matrix& sums, const Fetch& prefetch) {
  const auto rows_of = [&]<int kRowTiles>(int64_t row, int64_t rows) {
    for (int64_t p = 0; p < panels.count; ++p)
      panel_of_rows<kNumbers, kVectors, kRowTiles>(
          a.slice_rows(row, rows), tile_places, panels.first + p * panels.stride, accumulate,
          {sums.row(row) + p * kVectors * kTile, rows, kVectors * kTile, sums.stride}, prefetch);
  };
  const int64_t whole = a.rows / kAmxRows * kAmxRows, rest = a.rows - whole;
  if (whole > 0) {
    const TileShapes shapes(kTile, kTile, tile_places);
    for (int64_t row = 0; row < whole; row += kAmxRows) rows_of.template operator()<2>(row, kAmxRows);
  }
  if (rest > kTile) {
    const TileShapes shapes(kTile, rest - kTile, tile_places);
    rows_of.template operator()<2>(whole, rest);
  } else if (rest > 0) {
    const TileShapes shapes(rest, 0, tile_places);
    rows_of.template operator()<1>(whole, rest);
  }
}

}  // namespace

template <AmxNumbers kNumbers, int kVectors, class Fetch>
void amx_rows(const ConstMatrix& a, const Panels& panels, bool accumulate, const Matrix& sums,
              const Fetch& prefetch) {
  const int64_t whole = a.cols / kTile * kTile;
  if (whole > 0)
    whole_tiles<kNumbers, kVectors>(a.slice_cols(0, whole), kTile, panels, accumulate, sums, prefetch);
  if (whole == a.cols) return;
  const Panels rest{panels.first + whole * kVectors * kTile, panels.count, panels.stride};
  whole_tiles<kNumbers, kVectors>(a.slice_cols(whole, a.cols - whole), a.cols - whole, rest,
                                  accumulate || whole > 0, sums, NoPrefetch());
}

void amx_steps(AmxNumbers numbers, int64_t steps) {
  const TileShapes shapes(kTile, kTile, kTile);  // zeros in all
  const auto all = [steps]<AmxNumbers kNumbers>() {
    for (int64_t s = 0; s < steps; ++s) {
      multiply<kNumbers, 0, 0>();
      multiply<kNumbers, 0, 1>();
      multiply<kNumbers, 1, 0>();
      multiply<kNumbers, 1, 1>();
    }
  };
  if (numbers == AmxNumbers::pairs)
    all.template operator()<AmxNumbers::pairs>();
  else
    all.template operator()<AmxNumbers::bytes>();
}

#else

template <AmxNumbers kNumbers, int kVectors, class Fetch>
void amx_rows(const ConstMatrix&, const Panels&, bool, const Matrix&, const Fetch&) {}
void amx_steps(AmxNumbers, int64_t) {}

#endif

template void amx_rows<AmxNumbers::pairs, 3>(const ConstMatrix&, const Panels&, bool, const Matrix&,
                                             const Prefetch&);
template void amx_rows<AmxNumbers::pairs, 2>(const ConstMatrix&, const Panels&, bool, const Matrix&,
                                             const NoPrefetch&);
template void amx_rows<AmxNumbers::bytes, 3>(const ConstMatrix&, const Panels&, bool, const Matrix&,
                                             const Prefetch&);
template void amx_rows<AmxNumbers::bytes, 2>(const ConstMatrix&, const Panels&, bool, const Matrix&,
                                             const NoPrefetch&);

}  // namespace galago::kernels::cpu
