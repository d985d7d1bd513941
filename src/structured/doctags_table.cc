// See the header.
#include "structured/doctags_table.h"

#include <utility>

namespace galago {
namespace {

constexpr size_t kMaxColumns = 256;

}  // namespace

DocCellSet DocGrid::next() const {
  DocCellSet cells;
  const size_t column = row_.size();
  if (first() ? row_repeats_ || column == kMaxColumns : column == above_.size()) {
    cells.add(DocCell::line);
    return cells;
  }
  if (full_ && column == 0) return cells;
  if (continuing_ > 0) {
    cells.add(DocCell::cross);
    return cells;
  }
  const int above = first() ? 0 : above_[column];
  cells.add(DocCell::text);
  cells.add(DocCell::empty);
  if (may_widen()) cells.add(DocCell::left);
  if (may_widen() || above > 1) cells.add(DocCell::cross);
  if (above == 1 || (above > 1 && has_cross_)) cells.add(DocCell::up);
  if (first() && column > 0) cells.add(DocCell::line);
  return cells;
}

void DocGrid::add(DocCell cell, uint64_t words) {
  if (in_row()) {
    const uint64_t last = doc_hash(words, static_cast<uint64_t>(last_));
    row_hash_ = doc_hash(row_hash_, last);
    if (first() && cell_tail_.push(last) > 0) row_repeats_ = true;
  }
  last_ = cell;
  if (cell == DocCell::line)
    end_row();
  else
    add_column(cell);
}

void DocGrid::add_column(DocCell cell) {
  const int above = first() || row_.size() >= above_.size() ? 0 : above_[row_.size()];
  if (continuing_ > 0) {
    --continuing_;
    row_.push_back(0);
  } else if (cell == DocCell::up || (cell == DocCell::cross && !may_widen())) {
    own_ = false;
    continuing_ = above - 1;
    row_.push_back(static_cast<int16_t>(above));
  } else if (cell == DocCell::left || cell == DocCell::cross) {
    ++row_[start_];
    row_.push_back(0);
  } else {
    own_ = true;
    start_ = row_.size();
    row_.push_back(1);
  }
}

void DocGrid::end_row() {
  above_ = std::move(row_);
  row_.clear();
  ++rows_;
  if (row_tail_.push(row_hash_) > 0) full_ = true;
  row_hash_ = 0;
}

}  // namespace galago
