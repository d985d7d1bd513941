// The inner loops of resampling, for a group of 64 lines at once: columns of rows, or rows of one colour. In
// and out: bytes as planes, in scratch whose rows are padded so that whole groups may be read and written. A
// group lies as pairs [n / 2, 64, 2] of 16 bits: pixels 2p and 2p + 1 of every line beside each other, which
// is what the processor's multiply-and-add-neighbours wants. A weight w is split into w >> 12 and w & 4095,
// both of which fit 16 bits; (sum of high parts << 12) + sum of low parts is the exact 32-bit sum.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace galago::kernels::cpu {

inline constexpr int64_t kColors = 3;
/// Lines that are weighed together.
inline constexpr int64_t kLines = 64;
/// Pixels that a line of scratch holds beyond its own.
inline constexpr int64_t kPadding = 16;

/// A ResampleAxis whose weights stand in pairs: pixel i of the result sums pairs first(i)..first(i) +
/// count(i).
class PairWeights {
 public:
  explicit PairWeights(const ResampleAxis& axis);

  int64_t in() const { return in_; }
  int64_t out() const { return static_cast<int64_t>(first_.size()); }
  int bits() const { return bits_; }
  int64_t first(int64_t i) const { return first_[i]; }
  int64_t count(int64_t i) const { return offset_[i + 1] - offset_[i]; }
  /// [count(i), 2]: the high parts of two weights in one number, then the low parts.
  const int32_t* of(int64_t i) const { return parts_.data() + offset_[i] * 2; }
  /// The pairs that pixels [begin, end) of the result read.
  int64_t first_pair(int64_t begin) const { return first_[begin]; }
  int64_t end_pair(int64_t end) const { return first_[end - 1] + count(end - 1); }
  /// The most pairs that `outputs` pixels in a row, counted from a multiple of it, read.
  int64_t most_pairs(int64_t outputs) const;
  /// All pairs that are weighed for one line.
  int64_t total() const { return offset_.back(); }

 private:
  int64_t in_;
  int bits_;
  std::vector<int32_t> first_;
  std::vector<int64_t> offset_;
  std::vector<int32_t> parts_;
};

/// What one thread needs beside its rows.
struct ResampleScratch {
  std::vector<uint8_t> bytes;   // [pairs, 64, 2], before widening
  std::vector<int16_t> pairs;   // [pairs, 64, 2]
  std::vector<uint8_t> result;  // [outputs, 64]
  /// Makes room for so many pairs.
  void reserve(int64_t count);
};

/// Results along x that are made of one group of pairs.
inline constexpr int64_t kAlongX = 64;

/// Lines of one length and distance, in bytes.
struct ConstLines {
  const uint8_t* bytes;
  int64_t stride;
};
struct Lines {
  uint8_t* bytes;
  int64_t stride;
};

/// All of `count` lines along x; in.stride and out.stride leave kPadding bytes after a line.
void resample_along_x(ConstLines in, int64_t count, const PairWeights& weights, ResampleScratch& scratch,
                      Lines out);
/// Results [begin, end) along y of whole rows; in holds rows from weights.first_pair(begin) * 2 on, out
/// begins at row `begin`. Both strides are the same multiple of kLines.
void resample_along_y(ConstLines in, int64_t begin, int64_t end, const PairWeights& weights,
                      ResampleScratch& scratch, Lines out);

/// Row y as three planes, `stride` bytes apart.
void load_row(const ConstPicture& picture, int64_t y, uint8_t* row, int64_t stride);
void store_row(const uint8_t* row, int64_t stride, int64_t y, const Picture& picture);

}  // namespace galago::kernels::cpu
