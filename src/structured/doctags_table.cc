// See the header.
#include "structured/doctags_table.h"

namespace galago {
namespace {

constexpr size_t kMaxColumns = 256;

bool goes_up(DocCell cell) { return cell == DocCell::up || cell == DocCell::cross; }
bool goes_left(DocCell cell) { return cell == DocCell::left || cell == DocCell::cross; }
bool is_own(DocCell cell) { return cell == DocCell::text || cell == DocCell::empty; }

}  // namespace

/// The cell above and the cell on the left belong to one span that goes on to this row.
bool DocGrid::must_cross() const {
  const size_t column = row_.size();
  return column > 0 && goes_left(above_[column]) && goes_up(row_.back());
}

bool DocGrid::may_go_up() const {
  const size_t column = row_.size();
  if (!is_own(above_[column]) && above_[column] != DocCell::up) return false;
  const bool wide = column + 1 < above_.size() && goes_left(above_[column + 1]);
  return has_cross_ || !wide;
}

DocCellSet DocGrid::next() const {
  DocCellSet cells;
  const size_t column = row_.size();
  if (first() ? row_repeats_ || column == kMaxColumns : column == above_.size()) {
    cells.add(DocCell::line);
    return cells;
  }
  if (full_ && column == 0) return cells;
  if (!first() && must_cross()) {
    cells.add(DocCell::cross);
    return cells;
  }
  cells.add(DocCell::text);
  cells.add(DocCell::empty);
  if (column > 0 && (is_own(row_.back()) || row_.back() == DocCell::left)) cells.add(DocCell::left);
  if (!first() && may_go_up()) cells.add(DocCell::up);
  if (first() && column > 0) cells.add(DocCell::line);
  return cells;
}

void DocGrid::add(DocCell cell, uint64_t words) {
  if (in_row()) {
    const uint64_t last = doc_hash(words, static_cast<uint64_t>(row_.back()));
    row_hash_ = doc_hash(row_hash_, last);
    if (first() && cell_tail_.push(last) > 0) row_repeats_ = true;
  }
  if (cell != DocCell::line) {
    row_.push_back(cell);
    return;
  }
  above_ = std::move(row_);
  row_.clear();
  ++rows_;
  if (row_tail_.push(row_hash_) > 0) full_ = true;
  row_hash_ = 0;
}

}  // namespace galago
