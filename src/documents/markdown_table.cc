// See the header.
#include "documents/markdown_table.h"

#include <algorithm>

#include "core/utf8.h"
#include "documents/document_limits.h"
#include "documents/words.h"

namespace galago::documents {
namespace {

using Row = std::vector<std::string>;

/// The words of a cell in one line that no | cuts.
std::string cell_words(const std::string& text) {
  std::string words;
  for (const char byte : text) {
    if (byte == '|') {
      words += "&#124;";
    } else {
      words += byte == '\n' || byte == '\r' ? ' ' : byte;
    }
  }
  return words;
}

/// The rows of the grid as words: those of a span in each of its places, or in its first one where that would
/// take more than `bytes`.
std::vector<Row> rows_of(const Table& table, const std::vector<const TableCell*>& grid, size_t& bytes) {
  size_t repeated = 0;
  for (const TableCell& cell : table.cells) {
    const size_t places = static_cast<size_t>(cell.row_span) * cell.column_span - 1;
    repeated += std::min(cell.text.size() * places, limits::kPaddedBytes + 1);
  }
  const bool once = repeated > bytes;
  if (!once) bytes -= repeated;
  std::vector<Row> rows(table.rows, Row(table.columns));
  for (int row = 0; row < table.rows; ++row) {
    for (int column = 0; column < table.columns; ++column) {
      const TableCell* const cell = grid[static_cast<size_t>(row) * table.columns + column];
      if (cell == nullptr || (once && (cell->row != row || cell->column != column))) continue;
      rows[row][column] = cell_words(cell->text);
    }
  }
  return rows;
}

/// Rows of headers as one: the words of each column, without those that a span repeats.
Row joined(const std::vector<Row>& rows, int count, int columns) {
  Row header(columns);
  for (int column = 0; column < columns; ++column) {
    const std::string* last = nullptr;
    for (int row = 0; row < count; ++row) {
      const std::string& words = rows[row][column];
      if (words.empty() || (last != nullptr && *last == words)) continue;
      if (last != nullptr) header[column] += " - ";
      header[column] += words;
      last = &words;
    }
  }
  return header;
}

void append_row(std::string& out, const Row& row, const std::vector<size_t>& widths,
                const std::vector<bool>& to_the_right) {
  if (!out.empty()) out += '\n';
  for (size_t column = 0; column < row.size(); ++column) {
    out += "| ";
    const size_t length = widths[column] > 0 ? unicode::count(row[column]) : 0;
    const size_t padding = widths[column] - length;
    if (to_the_right[column]) out.append(padding, ' ');
    out += row[column];
    if (!to_the_right[column]) out.append(padding, ' ');
    out += ' ';
  }
  out += '|';
}

}  // namespace

std::vector<const TableCell*> table_grid(const Table& table) {
  std::vector<const TableCell*> grid(static_cast<size_t>(table.rows) * table.columns);
  for (const TableCell& cell : table.cells) {
    const int bottom = std::min(cell.row + cell.row_span, table.rows);
    const int right = std::min(cell.column + cell.column_span, table.columns);
    for (int row = cell.row; row < bottom; ++row) {
      for (int column = cell.column; column < right; ++column) {
        grid[static_cast<size_t>(row) * table.columns + column] = &cell;
      }
    }
  }
  return grid;
}

int header_rows(const Table& table, const std::vector<const TableCell*>& grid) {
  int first_column = table.cells.empty() ? 0 : table.columns;
  for (const TableCell& cell : table.cells) first_column = std::min(first_column, cell.column);
  const auto any = [&](int row, const auto& test) {
    for (int column = 0; column < table.columns; ++column) {
      const TableCell* const cell = grid[static_cast<size_t>(row) * table.columns + column];
      if (cell != nullptr && test(*cell)) return true;
    }
    return false;
  };
  // Headers in the first column further down are those of rows.
  bool headers_of_rows = false;
  bool further_down = false;
  for (int row = 1; row < table.rows; ++row) {
    headers_of_rows = headers_of_rows || any(row, [&](const TableCell& cell) {
                        return cell.column_header && cell.column == first_column && cell.row == row;
                      });
    further_down = further_down || any(row, [](const TableCell& cell) { return cell.column_header; });
  }
  int count = 0;
  for (; count < table.rows; ++count) {
    const bool header =
        any(count, [&](const TableCell& cell) { return cell.row == count && cell.column_header; });
    const bool body = (count > 0 || headers_of_rows) && any(count, [&](const TableCell& cell) {
                        return cell.row == count && !cell.column_header && !is_blank(cell.text) &&
                               cell.column != first_column;
                      });
    if (!header || body) break;
  }
  return count == 0 && table.rows > 0 && !further_down ? 1 : count;
}

std::string table_to_markdown(const Table& table, bool join_header_rows, size_t& bytes) {
  if (table.rows == 0 || table.columns == 0) return {};
  const std::vector<const TableCell*> grid = table_grid(table);
  const std::vector<Row> rows = rows_of(table, grid, bytes);
  const int headers = join_header_rows ? header_rows(table, grid) : 1;
  const Row header = joined(rows, headers, table.columns);

  std::vector<size_t> widths(table.columns);
  std::vector<bool> to_the_right(table.columns);
  size_t width = 0;
  for (int column = 0; column < table.columns; ++column) {
    widths[column] = unicode::count(header[column]) + 2;
    std::vector<std::string_view> words;
    for (int row = headers; row < table.rows; ++row) {
      words.push_back(rows[row][column]);
      widths[column] = std::max(widths[column], unicode::count(rows[row][column]));
    }
    to_the_right[column] = is_number_column(words);
    width += widths[column];
  }
  const bool padded = width <= bytes / static_cast<size_t>(table.rows);
  if (padded) bytes -= width * static_cast<size_t>(table.rows);

  std::string out;
  if (!padded) widths.assign(widths.size(), 0);
  append_row(out, header, widths, to_the_right);
  out += '\n';
  for (const size_t dashes : widths) {
    out += '|';
    out.append(std::max<size_t>(dashes, 1) + 2, '-');
  }
  out += '|';
  for (int row = headers; row < table.rows; ++row) append_row(out, rows[row], widths, to_the_right);
  return out;
}

}  // namespace galago::documents
