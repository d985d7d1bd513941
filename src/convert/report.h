// A document beside its pages, for people to compare. In: the document, names of pictures of its pages. Out:
// an HTML page that refers to these pictures and to nothing else.
#pragma once

#include <string>
#include <vector>

#include "documents/document.h"

namespace galago::convert {

/// One page of the report.
struct ReportPage {
  std::string picture;  ///< beside the report, its path; empty: there is none
  int64_t number = 1;
  std::string note;             ///< what is wrong with the page; empty: nothing
  documents::Document content;  ///< that page alone
};

std::string report_html(const std::string& title, const std::vector<ReportPage>& pages);

}  // namespace galago::convert
