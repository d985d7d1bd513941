// See the header. Reference: pdfinfo(1), pdftoppm(1), pdftotext(1) of Poppler; netpbm's ppm(5).
#include "pdf/pdf.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "galago/error.h"
#include "io/byte_source.h"
#include "io/program.h"

namespace galago {
namespace {

constexpr size_t kMagicBytes = 1024;
constexpr int64_t kMostWords = 200'000;  // of a page
constexpr double kPointsAnInch = 72;
constexpr size_t kPpmHeaderBytes = 64;

ProgramUse use_of_poppler(const PdfOptions& options) {
  return {.purpose = "Poppler, which draws the pages of PDF files",
          .install = "install it, e.g. apt-get install poppler-utils",
          .seconds = options.seconds,
          .faster = "--pages leaves pages out",
          .keep_going = options.keep_going};
}

// A name that begins with "-" would be a flag, or standard input.
std::string as_argument(const std::filesystem::path& path) {
  return path.is_absolute() ? path.string() : "./" + path.string();
}

void add_password(std::vector<std::string>& arguments, const std::string& password) {
  if (password.empty()) return;
  for (const char* flag : {"-upw", "-opw"}) {
    arguments.emplace_back(flag);
    arguments.push_back(password);
  }
}

[[noreturn]] void refuse(const std::string& where, Program& program, const std::string& expected) {
  program.succeeded();  // throws where the file is not to blame
  const std::string complaint = program.complaint();
  if (complaint.find("Incorrect password") != std::string::npos)
    throw Error(ErrorCode::input_invalid, {.where = where,
                                           .got = "an encrypted PDF",
                                           .expected = "its password",
                                           .hint = "--password TEXT gives it"});
  throw Error(ErrorCode::input_invalid,
              {.where = where, .got = complaint.empty() ? "nothing" : complaint, .expected = expected});
}

// What follows a label of pdfinfo's output, without blanks.
std::optional<std::string_view> value_of(std::string_view line, std::string_view label) {
  if (!line.starts_with(label)) return {};
  line.remove_prefix(label.size());
  while (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

template <typename Number>
std::optional<Number> number_at(std::string_view text) {
  Number number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{}) return {};
  return number;
}

// "Page    3 size:  595.276 x 841.89 pts (A4)" -> size; of other lines nothing.
std::optional<PdfPageSize> size_of(std::string_view line) {
  const size_t label = line.find(" size: ");
  if (!line.starts_with("Page ") || label == std::string_view::npos) return {};
  const auto numbers = value_of(line.substr(label), " size: ");
  const size_t cross = numbers->find(" x ");
  if (cross == std::string_view::npos) return {};
  const auto width = number_at<double>(*numbers), height = number_at<double>(numbers->substr(cross + 3));
  if (!width || !height) return {};
  return PdfPageSize{*width, *height};
}

// "Page    3 rot:   90": a quarter or three quarters.
bool is_on_its_side(std::string_view line) {
  const size_t label = line.find(" rot: ");
  if (!line.starts_with("Page ") || label == std::string_view::npos) return false;
  const auto turned = number_at<int>(*value_of(line.substr(label), " rot: "));
  return turned && *turned % 180 != 0;
}

// A number among the attributes of a line of XML: name="1.5".
std::optional<double> attribute(std::string_view line, const std::string& name) {
  const size_t at = line.find(" " + name + "=\"");
  if (at == std::string_view::npos) return {};
  const auto value = number_at<double>(line.substr(at + name.size() + 3));
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::string without_entities(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, char>, 5> entities = {
      {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};
  std::string plain;
  while (!text.empty()) {
    const auto known =
        std::ranges::find_if(entities, [text](const auto& one) { return text.starts_with(one.first); });
    plain += known == entities.end() ? text.front() : known->second;
    text.remove_prefix(known == entities.end() ? 1 : known->first.size());
  }
  return plain;
}

// A line of pdftotext's: <word xMin="1" yMin="2" xMax="3" yMax="4">text</word>, in points; of others nothing.
std::optional<PdfWord> word_of(std::string_view line) {
  const size_t begin = line.find("<word "), text = line.find('>'), end = line.rfind("</word>");
  if (begin == std::string_view::npos || end == std::string_view::npos || text > end) return {};
  const std::string_view tag = line.substr(begin, text - begin);
  const auto left = attribute(tag, "xMin"), top = attribute(tag, "yMin"), right = attribute(tag, "xMax"),
             bottom = attribute(tag, "yMax");
  if (!left || !top || !right || !bottom) return {};
  return PdfWord{without_entities(line.substr(text + 1, end - text - 1)), *left, *top, *right, *bottom};
}

/// A program's PPM picture, read with bounds.
class Picture {
 public:
  Picture(Program& program, const std::string& where) : program_(&program), where_(&where) {}

  RgbImage read(int64_t most_pixels) {
    RgbImage image;
    if (word() != "P6") {
      if (ended_) refuse(*where_, *program_, "a page that can be drawn");
      refuse_picture();
    }
    image.width = side();
    image.height = side();
    if (word() != "255" || image.width > most_pixels / image.height) refuse_picture();
    image.pixels.resize(static_cast<size_t>(image.width * image.height * 3));
    std::span<char> out(reinterpret_cast<char*>(image.pixels.data()), image.pixels.size());
    while (!out.empty()) {
      const size_t count = program_->read(out);
      if (count == 0) refuse(*where_, *program_, "a page that can be drawn to its end");
      out = out.subspan(count);
    }
    return image;
  }

 private:
  [[noreturn]] void refuse_picture() const {
    throw Error(ErrorCode::input_invalid,
                {.where = *where_, .got = "another picture than that of the page", .expected = "PPM"});
  }
  // Bytes up to a white space, which is taken, too; what the program closes early is the end of the word.
  std::string word() {
    std::string text;
    for (char byte = 0; text.size() <= kPpmHeaderBytes; text += byte)
      if ((ended_ = program_->read({&byte, 1}) == 0) || byte == '\n' || byte == ' ') break;
    return text;
  }
  int64_t side() {
    const auto number = number_at<int64_t>(word());
    if (!number || *number < 1 || *number > limits::kImageSide + 1) refuse_picture();
    return *number;
  }

  Program* program_;
  const std::string* where_;
  bool ended_ = false;
};

}  // namespace

PdfFile::PdfFile(std::filesystem::path path, PdfOptions options)
    : path_(std::move(path)), options_(std::move(options)) {
  if (!is_pdf(path_))
    throw Error(
        ErrorCode::input_invalid,
        {.where = path_.string(), .got = "no PDF: it does not begin with %PDF-", .expected = "a PDF"});
  std::vector<std::string> arguments = {options_.pdfinfo};
  add_password(arguments, options_.password);
  arguments.push_back(as_argument(path_));
  Program program(arguments, use_of_poppler(options_));
  ProgramLines lines(program);
  for (std::string line; lines.next(line);)
    if (const auto value = value_of(line, "Pages:")) pages_ = number_at<int64_t>(*value).value_or(0);
  if (!program.succeeded()) refuse(path_.string(), program, "a PDF that can be read");
  if (pages_ < 1)
    throw Error(ErrorCode::input_invalid,
                {.where = path_.string(), .got = "no pages", .expected = "at least one"});
}

std::string PdfFile::where(int64_t page) const { return path_.string() + ": page " + std::to_string(page); }

// Those of a program that looks at one page.
std::vector<std::string> PdfFile::arguments(const std::string& program, int64_t page) const {
  if (page < 1 || page > pages_)
    throw Error(ErrorCode::input_invalid,
                {.where = where(page), .got = "no such page", .expected = "1 to " + std::to_string(pages_)});
  const std::string number = std::to_string(page);
  std::vector<std::string> all = {program, "-f", number, "-l", number};
  add_password(all, options_.password);
  return all;
}

PdfPageSize PdfFile::size(int64_t page) const {
  std::vector<std::string> words = arguments(options_.pdfinfo, page);
  words.push_back(as_argument(path_));
  Program program(words, use_of_poppler(options_));
  ProgramLines lines(program);
  std::optional<PdfPageSize> size;
  for (std::string line; lines.next(line);) {
    if (const auto found = size_of(line)) size = found;
    if (size && is_on_its_side(line)) std::swap(size->width, size->height);
  }
  if (!program.succeeded() || !size) refuse(where(page), program, "a page with a size");
  if (!(size->width > 0 && size->height > 0 && std::isfinite(size->width) && std::isfinite(size->height)))
    throw Error(ErrorCode::input_invalid, {.where = where(page), .got = "a page without a size"});
  return *size;
}

PdfDrawing PdfFile::draw(int64_t page, double scale) const {
  const PdfPageSize points = size(page);
  const double width = std::ceil(points.width * scale), height = std::ceil(points.height * scale);
  const std::string shown = std::to_string(std::llround(std::min(width, 1e9))) + "x" +
                            std::to_string(std::llround(std::min(height, 1e9))) + " pixels";
  if (width > limits::kImageSide || height > limits::kImageSide || width * height > limits::kImagePixels)
    throw Error(ErrorCode::input_too_large,
                {.where = where(page),
                 .got = shown,
                 .expected = "at most " + std::to_string(limits::kImagePixels) + ", and " +
                             std::to_string(limits::kImageSide) + " on a side",
                 .hint = "--scale draws pages smaller"});
  std::vector<std::string> words = arguments(options_.pdftoppm, page);
  for (const std::string& word : {std::string("-cropbox"), std::string("-r"),
                                  std::to_string(scale * kPointsAnInch), as_argument(path_)})
    words.push_back(word);
  const std::string name = where(page);
  Program program(words, use_of_poppler(options_));
  RgbImage image = Picture(program, name).read(limits::kImagePixels + 2 * limits::kImageSide);
  if (!program.succeeded()) refuse(name, program, "a page that can be drawn");
  return {std::move(image), points};
}

std::vector<PdfWord> PdfFile::words(int64_t page, const std::optional<PdfPageSize>& known) const {
  std::vector<std::string> words = arguments(options_.pdftotext, page);
  for (const std::string& word :
       {std::string("-cropbox"), std::string("-bbox"), as_argument(path_), std::string("-")})
    words.push_back(word);
  Program program(words, use_of_poppler(options_));
  ProgramLines lines(program);
  const PdfPageSize shown = known ? *known : size(page);
  std::vector<PdfWord> all;
  for (std::string line; lines.next(line);) {
    const auto word = word_of(line);
    if (!word) continue;
    if (std::ssize(all) == kMostWords)
      throw Error(
          ErrorCode::input_too_large,
          {.where = where(page), .got = "more words", .expected = "at most " + std::to_string(kMostWords)});
    all.push_back({word->text, word->left / shown.width, word->top / shown.height, word->right / shown.width,
                   word->bottom / shown.height});
  }
  if (!program.succeeded()) refuse(where(page), program, "a page whose words can be read");
  return all;
}

bool is_pdf(const std::filesystem::path& path) {
  const ByteFile file(path);
  std::string begin(kMagicBytes, '\0');
  begin.resize(file.read(0, begin));
  return begin.find("%PDF-") != std::string::npos;
}

}  // namespace galago
