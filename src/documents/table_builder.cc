// See the header. Every place of the grid gets an owner, the cell it belongs to: its own one, or that of the
// place to the left or above. Then each cell keeps the rectangle that begins at its first place.
#include "documents/table_builder.h"

#include <algorithm>

#include "documents/document_limits.h"
#include "documents/words.h"

namespace galago::documents {

void TableBuilder::begin_cell(std::string_view token, const Mark& begin) {
  end_cell(begin);
  begin_ = begin;
  in_cell_ = in_row_ = true;
  if (token == "lcel") {
    slots_.push_back(Slot::left);
  } else if (token == "ucel") {
    slots_.push_back(Slot::up);
  } else if (token == "xcel") {
    slots_.push_back(Slot::cross);
  } else {
    slots_.push_back(Slot::own);
    TableCell& cell = cells_.emplace_back();
    cell.column_header = token == "ched";
    cell.row_header = token == "rhed";
    cell.row_section = token == "srow";
  }
}

void TableBuilder::end_cell(const Mark& begin) {
  if (!in_cell_) return;
  in_cell_ = false;
  std::string text = clean_words(std::move(words_));
  words_.clear();
  if (slots_.back() != Slot::own) {
    if (text.empty()) {
      box_ = {};
      return;
    }
    misplaced_words_ = true;
    slots_.back() = Slot::own;
    cells_.emplace_back();
  }
  TableCell& cell = cells_.back();
  cell.text = std::move(text);
  bool corrected = false;
  cell.box = box_.box(corrected);
  boxes_ = boxes_ || corrected;
  incomplete_boxes_ = incomplete_boxes_ || box_.incomplete();
  box_ = {};
  cell.confidence = confidence_of(begin.begun - begin_.ended);
  // An empty cell is no header: docling-core writes it as <ecel>.
  if (cell.text.empty() && !cell.box) cell.column_header = cell.row_header = cell.row_section = false;
}

void TableBuilder::end_row(const Mark& begin) {
  end_cell(begin);
  if (in_row_) slots_.push_back(Slot::row_end);  // a row without cells is none
  in_row_ = false;
}

int TableBuilder::owner_of(Slot slot, const int* place, int row, int column) const {
  const int left = column > 0 ? place[-1] : -1;
  const int up = row > 0 ? place[-columns_] : -1;
  if (slot == Slot::left) return left;
  if (slot == Slot::up) return up;
  if (left == up || up < 0) return left;
  if (left < 0) return up;
  // A cross goes on with a cell of several rows and columns: which of the two is one?
  const TableCell& above = cells_[static_cast<size_t>(up)];
  const bool goes_down = above.column == column || place[above.column - column] == up;
  return above.column_span > 1 && goes_down ? up : left;
}

void TableBuilder::settle_spans(const std::vector<int>& owners, Faults& faults) {
  const auto at = [&](int row, int column) { return owners[static_cast<size_t>(row) * columns_ + column]; };
  int64_t covered = 0;
  for (int i = 0; i < static_cast<int>(cells_.size()); ++i) {
    TableCell& cell = cells_[i];
    cell.column_span = 1;
    while (cell.column + cell.column_span < columns_ && at(cell.row, cell.column + cell.column_span) == i) {
      ++cell.column_span;
    }
    const auto goes_on = [&](int row) {
      for (int column = cell.column; column < cell.column + cell.column_span; ++column) {
        if (at(row, column) != i) return false;
      }
      return true;
    };
    cell.row_span = 1;
    while (cell.row + cell.row_span < rows_ && goes_on(cell.row + cell.row_span)) ++cell.row_span;
    covered += int64_t{cell.row_span} * cell.column_span;
  }
  const auto owned = std::count_if(owners.begin(), owners.end(), [](int owner) { return owner >= 0; });
  if (covered != owned) faults.spans = true;
}

Table TableBuilder::finish(const Mark& end, int64_t& places, Faults& faults) {
  end_row(end);
  int width = 0;
  int narrowest = 0;
  for (const Slot slot : slots_) {
    if (slot != Slot::row_end) {
      ++width;
      continue;
    }
    narrowest = rows_ == 0 ? width : std::min(narrowest, width);
    columns_ = std::max(columns_, width);
    width = 0;
    ++rows_;
  }
  faults.ragged = narrowest != columns_;
  faults.spans = misplaced_words_;
  faults.boxes = boxes_;
  faults.incomplete_boxes = incomplete_boxes_;
  const int most = static_cast<int>(std::min(limits::kTablePlaces, places) / std::max(1, columns_));
  if (rows_ > most) {
    faults.too_large = true;
    rows_ = most;
  }
  places -= int64_t{rows_} * columns_;

  std::vector<int> owners(static_cast<size_t>(rows_) * columns_, -1);
  int row = 0;
  int column = 0;
  int next = 0;
  for (const Slot slot : slots_) {
    if (row == rows_) break;
    if (slot == Slot::row_end) {
      ++row;
      column = 0;
      continue;
    }
    int& owner = owners[static_cast<size_t>(row) * columns_ + column];
    if (slot == Slot::own) {
      owner = next++;
      cells_[owner].row = row;
      cells_[owner].column = column;
    } else {
      owner = owner_of(slot, &owner, row, column);
      if (owner < 0) {
        faults.spans = true;
      } else if (cells_[owner].row == row) {
        cells_[owner].column_span = column - cells_[owner].column + 1;
      }
    }
    ++column;
  }
  cells_.resize(static_cast<size_t>(next));
  settle_spans(owners, faults);
  // A place that is not there and an empty cell are the same.
  std::erase_if(cells_, [](const TableCell& cell) {
    return cell.text.empty() && !cell.box && cell.row_span == 1 && cell.column_span == 1;
  });
  return {.rows = rows_, .columns = columns_, .cells = std::move(cells_)};
}

}  // namespace galago::documents
