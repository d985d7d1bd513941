// The grid of a table while it is written: which cells fit next. Spans are rectangles. References: the syntax
// rules of OTSL (Lysak et al., "Optimized Table Tokenization for Table Structure Recognition", 2023), where a
// cell of two rows and two columns is `C L` above `U X`, and TableItem.export_to_otsl of docling-core, which
// writes it as `C X` above `X X`.
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
  bool in_words() const { return in_row() && last_ == DocCell::text; }
  /// What may come next, if the vocabulary has it.
  DocCellSet next() const;
  /// A cell that next() has, or the end of a row. `words`: a hash of those in the cell before it.
  void add(DocCell cell, uint64_t words);

 private:
  bool first() const { return rows_ == 0; }
  /// Whether the span on the left began in this row.
  bool may_widen() const { return in_row() && own_; }
  void add_column(DocCell cell);
  void end_row();

  bool has_cross_;
  bool full_ = false;         // rows repeat
  bool row_repeats_ = false;  // cells of the first row do
  int64_t rows_ = 0;
  // Of the row above and of this one: a span's width in its first column, 0 in the others.
  std::vector<int16_t> above_, row_;
  DocCell last_ = DocCell::line;
  size_t start_ = 0;    // of the span that came last
  bool own_ = false;    // it began in this row
  int continuing_ = 0;  // columns of it that are due, since it came from above
  uint64_t row_hash_ = 0;
  DocRepeats<4> row_tail_{kDocTailRepeats, 0};
  DocRepeats<4> cell_tail_{kDocTailRepeats, kDocMinTail};
};

}  // namespace galago
