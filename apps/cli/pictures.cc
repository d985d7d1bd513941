// See the header.
#include "pictures.h"

#include <algorithm>
#include <array>

#include "console.h"
#include "core/limits.h"
#include "core/printable.h"
#include "core/words.h"
#include "messages/uri.h"
#include "wording.h"

namespace galago::cli {
namespace {

// How names of pictures end, those of kinds that are not decoded too: they are meant as pictures.
constexpr std::array<std::string_view, 24> kEndings = {
    ".jpg",  ".jpeg", ".jpe",  ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".heic", ".heif", ".avif", ".jp2",  ".jxl", ".pdf",  ".svg",  ".ico", ".ppm", ".pgm", ".tga", ".psd"};

// A folder is no picture, though it may hold some.
void check_no_folder(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    throw Error(ErrorCode::input_invalid,
                {.where = path.string(),
                 .got = "a folder",
                 .expected = "a picture",
                 .hint = "name its files, as DIR/*.jpg; pictures that make a video: --video DIR --fps 2"});
}

}  // namespace

void check_pattern(const std::string& word) {
  std::error_code error;
  if (word.find_first_of("*?[") == std::string::npos || std::filesystem::exists(word, error)) return;
  throw Error(ErrorCode::not_found,
              {.where = word,
               .got = "a pattern",
               .expected = "names of files",
               .hint = "the shell expands it: write it without quotes; or it matches no file"});
}

bool ends_like_picture(const std::string& name) {
  const std::string small = lower_ascii(name);
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return small.ends_with(ending); });
}

bool names_picture(const std::string& word) {
  if (word == "-" || on_the_web(word) || has_scheme(word, "data:") || has_scheme(word, "file:")) return true;
  std::error_code error;
  return std::filesystem::is_regular_file(word, error) || ends_like_picture(word);
}

std::string shown_picture(const std::string& word) {
  if (!has_scheme(word, "data:")) return word;
  return shortened(word.substr(0, std::min(word.find(','), word.size())), 60) + ",...";
}

std::filesystem::path local_file(const std::string& word) {
  if (on_the_web(word))
    throw Error(ErrorCode::usage, {.where = shortened(word, 120),
                                   .got = "an address on the web",
                                   .expected = "a file: galago downloads nothing",
                                   .hint = "download it first: curl -L -o FILE URL; or give it on standard "
                                           "input: curl -L URL | galago run -i - -p TEXT"});
  if (has_scheme(word, "file:")) return file_of_uri(word);
  check_pattern(word);
  return word;
}

PictureBytes::PictureBytes(const std::string& word) : name_(shown_picture(word)) {
  if (word == "-") {
    name_ = "standard input";
    own_ = read_stdin(limits::kImageBytes, "image");
  } else if (has_scheme(word, "data:")) {
    own_ = picture_of_data_uri(word);
  } else {
    const std::filesystem::path path = local_file(word);
    check_no_folder(path);
    name_ = path.string();
    file_.emplace(path);
  }
}

std::span<const std::byte> PictureBytes::bytes() const {
  return file_ ? file_->bytes() : std::as_bytes(std::span(own_));
}

Image open_image(const std::string& word) {
  if (word != "-" && !has_scheme(word, "data:")) {
    const std::filesystem::path path = local_file(word);
    check_no_folder(path);
    return Image::open(path);
  }
  const PictureBytes picture(word);
  return Image::from_bytes(picture.bytes(), picture.name());
}

void check_standard_input(const std::vector<std::string>& pictures, const std::vector<std::string>& texts) {
  const auto times =
      std::count(pictures.begin(), pictures.end(), "-") + std::count(texts.begin(), texts.end(), "-");
  if (times > 1)
    throw Error(ErrorCode::usage, {.where = "standard input (-)",
                                   .got = "asked for " + std::to_string(times) + " times",
                                   .expected = "at most once"});
}

}  // namespace galago::cli
