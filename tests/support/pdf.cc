#include "support/pdf.h"

#include <array>
#include <charconv>
#include <cstdio>

namespace galago::test {
namespace {

std::string shown(double number) {
  std::array<char, 32> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed, 2).ptr;
  return {text.data(), end};
}

}  // namespace

std::string pdf(const std::vector<PdfPage>& pages) {
  std::string bytes = "%PDF-1.4\n";
  std::vector<size_t> places;
  const auto object = [&](const std::string& content) {
    places.push_back(bytes.size());
    bytes += std::to_string(places.size()) + " 0 obj\n" + content + "\nendobj\n";
  };
  object("<</Type/Catalog/Pages 2 0 R>>");
  std::string kids;
  for (size_t i = 0; i < pages.size(); ++i) kids += std::to_string(4 + 2 * i) + " 0 R ";
  object("<</Type/Pages/Count " + std::to_string(pages.size()) + "/Kids[" + kids + "]>>");
  object("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
  for (const PdfPage& page : pages) {
    object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 " + shown(page.width) + " " + shown(page.height) +
           "]/Rotate " + std::to_string(page.turned) + "/Resources<</Font<</F1 3 0 R>>>>/Contents " +
           std::to_string(places.size() + 2) + " 0 R>>");
    object("<</Length " + std::to_string(page.ink.size()) + ">>stream\n" + page.ink + "\nendstream");
  }
  const size_t table = bytes.size();
  bytes += "xref\n0 " + std::to_string(places.size() + 1) + "\n0000000000 65535 f \n";
  for (const size_t place : places) {
    std::array<char, 32> line;
    std::snprintf(line.data(), line.size(), "%010zu 00000 n \n", place);
    bytes += line.data();
  }
  return bytes + "trailer<</Size " + std::to_string(places.size() + 1) + "/Root 1 0 R>>\nstartxref\n" +
         std::to_string(table) + "\n%%EOF\n";
}

}  // namespace galago::test
