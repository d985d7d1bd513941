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
  std::string entries = {};  ///< of the page beside these, e.g. "/CropBox[0 0 5 5]"
};

/// The bytes of a file with these objects, of which the first is the catalogue; `trailer` is added to its
/// own.
std::string pdf_of(const std::vector<std::string>& objects, const std::string& trailer = {});
/// A stream object: its dictionary's entries but for the length, and its bytes.
std::string pdf_stream(const std::string& bytes, const std::string& entries = {});
/// The bytes of a file with these pages.
std::string pdf(const std::vector<PdfPage>& pages);

}  // namespace galago::test
