// See the header.
#include "pictures.h"

#include <algorithm>
#include <array>

#include "console.h"
#include "core/base64.h"
#include "core/limits.h"
#include "core/printable.h"
#include "core/words.h"
#include "wording.h"

namespace galago::cli {
namespace {

// How names of pictures end, those of kinds that are not decoded too: they are meant as pictures.
constexpr std::array<std::string_view, 24> kEndings = {
    ".jpg",  ".jpeg", ".jpe",  ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".heic", ".heif", ".avif", ".jp2",  ".jxl", ".pdf",  ".svg",  ".ico", ".ppm", ".pgm", ".tga", ".psd"};

bool has_scheme(std::string_view word, std::string_view scheme) {
  return lower_ascii(word.substr(0, scheme.size())) == scheme;
}

[[noreturn]] void malformed(const std::string& where, const std::string& got, const std::string& expected,
                            const std::string& hint = "") {
  throw Error(ErrorCode::input_invalid, {.where = where, .got = got, .expected = expected, .hint = hint});
}

// RFC 3986, section 2.1.
std::string percent_decoded(std::string_view text, const std::string& where) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) malformed(where, in_quotes(text.substr(i, 3)), "two hexadecimal digits after %");
    if (high == 0 && low == 0) malformed(where, "%00", "no byte 0 in a file's name");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::filesystem::path file_of_uri(const std::string& word) {
  std::string_view rest = std::string_view(word).substr(5);
  if (rest.starts_with("//")) {
    const size_t slash = std::min(rest.find('/', 2), rest.size());
    const std::string host = lower_ascii(rest.substr(2, slash - 2));
    if (!host.empty() && host != "localhost")
      throw Error(ErrorCode::usage, {.where = "file: URI",
                                     .got = "the host " + in_quotes(host),
                                     .expected = "a file of this machine, file:///PATH",
                                     .hint = "write ./NAME for a file in this folder"});
    rest = rest.substr(slash);
  }
  if (!rest.starts_with('/')) malformed("file: URI", in_quotes(word), "a path from the root, file:///PATH");
  if (const size_t at = rest.find_first_of("?#"); at != std::string_view::npos)
    malformed("file: URI", in_quotes(rest.substr(at, 1)) + " in its path", "a path alone",
              rest[at] == '?' ? "write it %3F" : "write it %23");
  return percent_decoded(rest, "file: URI");
}

// data:[image/TYPE][;parameters];base64,BYTES
std::string bytes_of_data_uri(const std::string& word) {
  const std::string where = "data: URI";
  const std::string form = "data:image/TYPE;base64,BYTES";
  const size_t comma = word.find(',');
  if (comma == std::string::npos) malformed(where, "no comma", form);
  const std::string type = lower_ascii(std::string_view(word).substr(5, comma - 5));
  if (!type.starts_with("image/")) malformed(where, in_quotes(type, 60), "a picture: " + form);
  if (!type.ends_with(";base64")) malformed(where, in_quotes(type, 60), "base64: " + form);
  const std::string_view text = std::string_view(word).substr(comma + 1);
  if (text.empty()) malformed(where, "no bytes", form);
  if (static_cast<int64_t>(text.size()) / 4 * 3 > limits::kImageBytes)
    throw Error(ErrorCode::input_too_large,
                {.where = where,
                 .got = std::to_string(text.size()) + " characters",
                 .expected = "at most " + std::to_string(limits::kImageBytes) + " bytes of a picture"});
  return decode_base64(text, where);
}

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

bool on_the_web(std::string_view word) { return has_scheme(word, "http://") || has_scheme(word, "https://"); }

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

std::string decode_base64(std::string_view text, const std::string& where) {
  const std::string expected = "base64 (A-Z, a-z, 0-9, +, /) padded with = to groups of four";
  size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  const size_t bad = static_cast<size_t>(
      std::find_if_not(text.begin(), text.begin() + digits, is_base64_digit) - text.begin());
  if (bad < digits) {
    const char c = text[bad];
    malformed(where, in_quotes(text.substr(bad, 1)) + " at character " + std::to_string(bad + 1), expected,
              c == '%' ? "percent escapes are no part of base64: write the characters themselves"
              : c == '\n' || c == '\r' ? "base64 -w0 FILE writes it without line ends"
                                       : "");
  }
  std::optional<std::string> out = from_base64(text.substr(0, digits));
  if (text.size() % 4 != 0 || !out) malformed(where, std::to_string(text.size()) + " characters", expected);
  const size_t rest = digits % 4 == 0 ? 0 : digits % 4 - 1;  // bytes of the group that is not full
  if (rest > 0 &&
      to_base64(std::string_view(*out).substr(out->size() - rest)) != text.substr(text.size() - 4))
    malformed(where, "bits after the last byte", expected);
  return *std::move(out);
}

PictureBytes::PictureBytes(const std::string& word) : name_(shown_picture(word)) {
  if (word == "-") {
    name_ = "standard input";
    own_ = read_stdin(limits::kImageBytes, "image");
  } else if (has_scheme(word, "data:")) {
    own_ = bytes_of_data_uri(word);
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
