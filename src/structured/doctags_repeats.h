// The loop guard's measure: whether the tail of a sequence repeats. In: items as they come. Out: the period.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace galago {

/// A tail that stands there so often is a loop: docling stops an answer at as many.
inline constexpr int64_t kDocTailRepeats = 16;
/// Shorter ones are none: a line of dots, a row of empty cells.
inline constexpr int64_t kDocMinTail = 32;

/// The hash of a sequence with one more item.
inline uint64_t doc_hash(uint64_t sequence, uint64_t item) {
  uint64_t mixed = (sequence ^ (item + 0x9e3779b97f4a7c15U)) * 0xbf58476d1ce4e5b9U;
  mixed ^= mixed >> 31;
  return mixed * 0x94d049bb133111ebU;
}

/// Looks for tails with a period of up to kPeriod items; a push costs kPeriod comparisons.
template <int kPeriod>
class DocRepeats {
 public:
  /// A loop is `repeats` times the same, of `min_items` items or more altogether.
  DocRepeats(int64_t repeats, int64_t min_items) : repeats_(repeats), min_items_(min_items) {}

  /// The shortest period with which the tail repeats, or 0.
  int push(uint64_t item) {
    int found = 0;
    for (int period = kPeriod; period > 0; --period) {
      int64_t& same = same_[period - 1];
      same = count_ >= period && back(period) == item ? same + 1 : 0;
      if (same >= (repeats_ - 1) * period && same + period >= min_items_) found = period;
    }
    items_[static_cast<size_t>(count_++ % kPeriod)] = item;
    return found;
  }
  /// The item that came so many before the next.
  uint64_t back(int distance) const { return items_[static_cast<size_t>((count_ - distance) % kPeriod)]; }

 private:
  int64_t repeats_;
  int64_t min_items_;
  int64_t count_ = 0;
  std::array<int64_t, kPeriod> same_{};  // items in a row that are those `period` before
  std::array<uint64_t, kPeriod> items_{};
};

}  // namespace galago
