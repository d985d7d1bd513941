// Pages of PDF files as pictures, drawn by the installed programs of Poppler (pdfinfo, pdftoppm, pdftotext).
// In: a file, a page's number, a scale. Out: RGB8. A program draws each page in a process of its own, so what
// a hostile file does to it stays there; docs/decisions/0028-pdf.md says why it is a program.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "image/image.h"

namespace galago {

struct PdfOptions {
  std::string password;  ///< of the user or the owner; other processes can see it while a page is drawn
  std::string pdfinfo = "pdfinfo";  ///< a path, or a name that is looked for in PATH; version 0.84 or later
  std::string pdftoppm = "pdftoppm";
  std::string pdftotext = "pdftotext";
  double seconds = 60;  ///< each run of either takes at most; Error{timeout} beyond
  /// Asked several times a second, from the thread that reads; false: Cancelled is thrown. May be empty.
  std::function<bool()> keep_going;
};

/// A word of a page's text layer and its place, as fractions of the page from its top left corner.
struct PdfWord {
  std::string text;  ///< UTF-8
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

/// A page's width and height in points (1/72 inch), of what a viewer shows of it, turned as it is shown.
struct PdfPageSize {
  double width = 0;
  double height = 0;
};

struct PdfDrawing {
  RgbImage image;
  PdfPageSize size;
};

/// Const after it was opened: pages may be drawn from several threads at once.
class PdfFile {
 public:
  /// Counts the pages. Error{not_found} when the file or a program is not there, Error{input_invalid} when it
  /// is no PDF, broken beyond reading, or encrypted with another password, Error{timeout}.
  PdfFile(std::filesystem::path path, PdfOptions options);

  int64_t pages() const { return pages_; }

  /// Pages count from 1. Error{input_invalid} for one that cannot be read, or without a size.
  PdfPageSize size(int64_t page) const;
  /// The text layer in its own order; none of a scanned page. Error{input_invalid}; Error{input_too_large}
  /// over 200,000; Error{timeout}. size: of the page, where it is known already.
  std::vector<PdfWord> words(int64_t page, const std::optional<PdfPageSize>& size = {}) const;
  /// The page with `scale` pixels a point, on white. Error{input_too_large} over limits::kImagePixels or
  /// limits::kImageSide, before it is drawn; Error{input_invalid}; Error{timeout}.
  PdfDrawing draw(int64_t page, double scale) const;

 private:
  std::string where(int64_t page) const;
  std::vector<std::string> arguments(const std::string& program, int64_t page) const;

  std::filesystem::path path_;
  PdfOptions options_;
  int64_t pages_ = 0;
};

/// Whether a file begins as a PDF does: "%PDF-" among its first 1024 bytes. Error{not_found}.
bool is_pdf(const std::filesystem::path& path);

}  // namespace galago
