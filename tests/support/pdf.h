// PDF files made by hand.
#pragma once

#include <string>
#include <vector>

namespace galago::test {

struct PdfPage {
  double width = 0;  ///< in points
  double height = 0;
  std::string ink =
      {};          ///< the page's content stream, e.g. "10 10 50 20 re f"; a font F1, Helvetica, is there
  int turned = 0;  ///< degrees, clockwise
};

/// The bytes of a file with these pages.
std::string pdf(const std::vector<PdfPage>& pages);

}  // namespace galago::test
