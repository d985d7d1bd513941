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

std::string pdf_of(const std::vector<std::string>& objects, const std::string& trailer) {
  std::string bytes = "%PDF-1.4\n", places;
  for (size_t i = 0; i < objects.size(); ++i) {
    std::array<char, 32> line;
    std::snprintf(line.data(), line.size(), "%010zu 00000 n \n", bytes.size());
    places += line.data();
    bytes += std::to_string(i + 1) + " 0 obj\n" + objects[i] + "\nendobj\n";
  }
  const size_t table = bytes.size();
  const std::string size = std::to_string(objects.size() + 1);
  return bytes + "xref\n0 " + size + "\n0000000000 65535 f \n" + places + "trailer<</Size " + size +
         "/Root 1 0 R" + trailer + ">>\nstartxref\n" + std::to_string(table) + "\n%%EOF\n";
}

std::string pdf_stream(const std::string& bytes, const std::string& entries) {
  return "<</Length " + std::to_string(bytes.size()) + entries + ">>stream\n" + bytes + "\nendstream";
}

std::string pdf(const std::vector<PdfPage>& pages) {
  std::string kids;
  for (size_t i = 0; i < pages.size(); ++i) kids += std::to_string(4 + 2 * i) + " 0 R ";
  std::vector<std::string> objects = {
      "<</Type/Catalog/Pages 2 0 R>>",
      "<</Type/Pages/Count " + std::to_string(pages.size()) + "/Kids[" + kids + "]>>",
      "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"};
  for (const PdfPage& page : pages) {
    objects.push_back("<</Type/Page/Parent 2 0 R/MediaBox[0 0 " + shown(page.width) + " " +
                      shown(page.height) + "]/Rotate " + std::to_string(page.turned) + page.entries +
                      "/Resources<</Font<</F1 3 0 R>>>>/Contents " + std::to_string(objects.size() + 2) +
                      " 0 R>>");
    objects.push_back(pdf_stream(page.ink));
  }
  return pdf_of(objects);
}

}  // namespace galago::test
