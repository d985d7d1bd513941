// A table from its tokens (OTSL).
// In: cells and row ends as they come, with words between them. Out: the table, spans resolved and
// rectangular. Reference: Lysak et al., "Optimized Table Tokenization for Table Structure Recognition"
// (2023).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "documents/box_reader.h"
#include "documents/doctags_lexer.h"
#include "documents/document.h"

namespace galago::documents {

class TableBuilder {
 public:
  /// What was wrong with the table.
  struct Faults {
    bool ragged = false;
    bool spans = false;
    bool too_large = false;
    bool boxes = false;
    bool incomplete_boxes = false;
  };

  /// A cell by its token, e.g. "fcel"; it ends the one before.
  void begin_cell(std::string_view token, const Mark& begin);
  void end_row(const Mark& begin);
  /// Ends the cell that is open.
  void end_cell(const Mark& begin);
  /// Into the cell that is open.
  void words(std::string_view bytes) { words_ += bytes; }
  void location(int value) { box_.add(value); }

  bool in_cell() const { return in_cell_; }
  const std::string& words() const { return words_; }
  bool empty() const { return slots_.empty(); }

  /// `places` may be taken, fewer are left; rows beyond them are left out.
  Table finish(const Mark& end, int64_t& places, Faults& faults);

 private:
  enum class Slot : uint8_t { own, left, up, cross, row_end };

  int owner_of(Slot slot, const int* place, int row, int column) const;
  void settle_spans(const std::vector<int>& owners, Faults& faults);

  std::vector<Slot> slots_;       // row by row
  std::vector<TableCell> cells_;  // of the slots that are cells of their own
  bool in_cell_ = false;
  bool in_row_ = false;
  std::string words_;
  BoxReader box_;
  Mark begin_;
  bool misplaced_words_ = false;
  bool boxes_ = false;
  bool incomplete_boxes_ = false;
  int rows_ = 0;
  int columns_ = 0;
};

}  // namespace galago::documents
