// See the header.
#include "convert/page_file.h"

#include <cmath>
#include <utility>

#include "batch/sources.h"
#include "core/words.h"
#include "image/image.h"
#include "io/files.h"
#include "pdf/pdf.h"

namespace galago::convert {
namespace {

Image image_of(const RgbImage& pixels) { return Image::from_rgb(pixels.width, pixels.height, pixels.pixels); }

class PdfPages final : public PageFile {
 public:
  PdfPages(const std::filesystem::path& path, const DrawOptions& options)
      : pdf_(path, {.password = options.password, .keep_going = options.keep_going}), scale_(options.scale) {
    if (!(scale_ > 0) || !std::isfinite(scale_))
      throw Error(ErrorCode::usage,
                  {.where = "scale", .got = std::to_string(scale_), .expected = "a number above 0"});
  }
  int64_t pages() const override { return pdf_.pages(); }
  DrawnPage draw(int64_t page) const override {
    const PdfDrawing drawing = pdf_.draw(page, scale_);
    return {image_of(drawing.image), drawing.size.width, drawing.size.height, documents::PageUnit::points};
  }

  std::vector<PdfWord> words(int64_t page, const DrawnPage* drawn) const override {
    if (drawn == nullptr) return pdf_.words(page);
    return pdf_.words(page, PdfPageSize{.width = drawn->width, .height = drawn->height});
  }

 private:
  PdfFile pdf_;
  double scale_;
};

class Pictures final : public PageFile {
 public:
  explicit Pictures(const std::filesystem::path& path)
      : file_(path), pages_(image_pages(file_.bytes(), path.string())) {}
  int64_t pages() const override { return pages_; }
  DrawnPage draw(int64_t page) const override {
    const std::string name = file_.path().string();
    const std::string where = pages_ == 1 ? name : name + ": page " + std::to_string(page);
    Image image = image_of(decode_image_page(file_.bytes(), page, where));
    const auto width = static_cast<double>(image.width()), height = static_cast<double>(image.height());
    return {std::move(image), width, height, documents::PageUnit::pixels};
  }

 private:
  MappedFile file_;
  int64_t pages_;
};

}  // namespace

std::shared_ptr<const PageFile> PageFile::open(const std::filesystem::path& path,
                                               const DrawOptions& options) {
  if (is_pdf(path)) return std::make_shared<PdfPages>(path, options);
  return std::make_shared<Pictures>(path);
}

bool ends_like_document(std::string_view name) {
  return batch::ends_like_picture(name) ||
         (name.size() >= 4 && lower_ascii(name.substr(name.size() - 4)) == ".pdf");
}

}  // namespace galago::convert
