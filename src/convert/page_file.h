// A file with pages: a PDF, a TIFF with several pictures, or one picture. In: a path. Out: pages as pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "documents/document.h"
#include "galago/galago.h"
#include "pdf/pdf.h"

namespace galago::convert {

struct DrawOptions {
  double scale = 2;      ///< pixels a point, of pages of PDF files
  std::string password;  ///< of PDF files
  /// Asked several times a second while a page is drawn; false: Cancelled is thrown. May be empty.
  std::function<bool()> keep_going;
};

/// A page as the model sees it.
struct DrawnPage {
  Image image;
  double width = 0;  ///< of the page
  double height = 0;
  documents::PageUnit unit = documents::PageUnit::pixels;
};

/// Safe to use from several threads.
class PageFile {
 public:
  virtual ~PageFile() = default;
  /// Errors of PdfFile and of Image::open; Error{usage} for a scale that is no number above 0.
  static std::shared_ptr<const PageFile> open(const std::filesystem::path& path, const DrawOptions& options);

  virtual int64_t pages() const = 0;
  /// Pages count from 1. The same errors.
  virtual DrawnPage draw(int64_t page) const = 0;
  /// The words that the file has of a page; none of a picture. drawn: of that page, where it is there
  /// already. Errors of PdfFile::words.
  virtual std::vector<PdfWord> words(int64_t /*page*/, const DrawnPage* /*drawn*/ = nullptr) const {
    return {};
  }
};

/// Whether a file's name ends as those of what can be opened: .pdf, .png, .TIFF.
bool ends_like_document(std::string_view name);

}  // namespace galago::convert
