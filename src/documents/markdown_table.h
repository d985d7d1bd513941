// A table in Markdown: columns of equal width, numbers to the right.
// Reference: docling-core 2.104, MarkdownTableSerializer; tabulate 0.10, its format "github" without wcwidth.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "documents/document.h"

namespace galago::documents {

/// The places of a table with the cell of each, row by row; null: an empty one.
std::vector<const TableCell*> table_grid(const Table& table);

/// How many rows at the top are headers of columns.
int header_rows(const Table& table, const std::vector<const TableCell*>& grid);

/// The table, without a line break behind it; empty for one without rows.
/// `join_header_rows`: see MarkdownOptions. `bytes`: what may be spent on padding and repeated words; the
/// table goes without where that is less than it takes, and takes it away otherwise.
std::string table_to_markdown(const Table& table, bool join_header_rows, size_t& bytes);

/// Whether tabulate writes a column of these words to the right: all of them are numbers, or empty, or "True"
/// and "False" with a number among them.
bool is_number_column(const std::vector<std::string_view>& words);

}  // namespace galago::documents
