// The grid of a table while it is written: which cells fit next. Reference: the syntax rules of OTSL (Lysak
// et al., "Optimized Table Tokenization for Table Structure Recognition", 2023), section 4.2; and spans are
// rectangles.
#pragma once

#include <cstdint>
#include <vector>

#include "structured/doctags_repeats.h"
#include "structured/doctags_vocabulary.h"

namespace galago {

/// A set of DocCell.
class DocCellSet {
 public:
  void add(DocCell cell) { bits_ |= 1U << static_cast<unsigned>(cell); }
  bool has(DocCell cell) const { return (bits_ >> static_cast<unsigned>(cell) & 1) != 0; }
  bool empty() const { return bits_ == 0; }

 private:
  unsigned bits_ = 0;
};

/// The cells of one table.
class DocGrid {
 public:
  explicit DocGrid(bool has_cross) : has_cross_(has_cross) {}

  bool begun() const { return rows_ > 0 || in_row(); }
  bool in_row() const { return !row_.empty(); }
  /// Whether words may stand in the cell that came last.
  bool in_words() const { return in_row() && row_.back() == DocCell::text; }
  /// What may come next, if the vocabulary has it.
  DocCellSet next() const;
  /// A cell that next() has, or the end of a row. `words`: a hash of those in the cell before it.
  void add(DocCell cell, uint64_t words);

 private:
  bool first() const { return rows_ == 0; }
  bool must_cross() const;
  bool may_go_up() const;

  bool has_cross_;
  bool full_ = false;         // rows repeat
  bool row_repeats_ = false;  // cells of the first row do
  uint64_t row_hash_ = 0;
  int64_t rows_ = 0;
  std::vector<DocCell> above_, row_;
  DocRepeats<4> row_tail_{kDocTailRepeats, 0};
  DocRepeats<4> cell_tail_{kDocTailRepeats, kDocMinTail};
};

}  // namespace galago
