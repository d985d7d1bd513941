// What is kept of a page while others are read: a line of JSON in the journal of the run. In: an answer. Out:
// the line, and from it the page again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convert/page_problem.h"
#include "documents/document.h"
#include "galago/galago.h"

namespace galago::convert {

struct PageRecord {
  std::string file;
  int64_t page = 0;   ///< from 1; 0: of a file that cannot be opened
  int64_t pages = 0;  ///< of the file
  double width = 0;
  double height = 0;
  documents::PageUnit unit = documents::PageUnit::none;
  std::string doctags;  ///< the answer
  /// Of the elements, their captions and cells, in the order of for_each_confidence; may be empty.
  std::vector<double> confidences;
  std::optional<double> confidence;  ///< of the page
  PageProblem problem = PageProblem::none;
  int attempts = 1;
  std::string retried;  ///< how the second attempt was made; empty: there was none
  int64_t tokens = 0;
  int64_t drafted = 0;   ///< guesses that went through the model for them
  int64_t accepted = 0;  ///< of these, that were right
  std::string error;     ///< why there is no answer; empty: there is one
};

/// "FILE#PAGE"
std::string page_id(const std::string& file, int64_t page);
std::string to_line(const PageRecord& record);
/// The line of a page that failed.
std::string to_line(const PageRecord& record, const Error& error);
/// Error{input_invalid} for a line of another kind.
PageRecord read_record(const std::string& line);

/// The document of an answer, with the confidences of its elements where the answer has tokens.
documents::Document read_page(const Answer& answer);
/// The same from a record.
documents::Document read_page(const PageRecord& record);
/// The confidences of a page's elements, as they are kept.
std::vector<double> confidences_of(const documents::Document& page);

}  // namespace galago::convert
