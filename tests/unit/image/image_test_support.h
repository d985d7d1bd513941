// What the image tests share: golden tables, checksums, files, the synthetic picture of the goldens.
// Reference: tools/oracle/image_goldens.py, which makes the tables.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "formats/config/config.h"
#include "image/image.h"

namespace galago::image_test {

inline std::filesystem::path data_path(const std::string& name) {
  return std::filesystem::path(GALAGO_TEST_DATA) / "images" / name;
}

inline std::vector<std::byte> read_bytes(const std::string& name) {
  std::ifstream in(data_path(name), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

inline nlohmann::json read_table(const std::string& name) {
  std::ifstream in(data_path(name));
  return nlohmann::json::parse(in);
}

/// CRC-32 as eight hexadecimal digits.
inline std::string checksum(const void* data, size_t bytes) {
  char text[9];
  const uLong crc = crc32_z(0, static_cast<const Bytef*>(data), bytes);
  std::snprintf(text, sizeof text, "%08lx", crc);
  return text;
}

/// The picture that the goldens were made from.
inline RgbImage synthetic(int64_t width, int64_t height) {
  RgbImage image{.width = width, .height = height};
  image.pixels.resize(width * height * 3);
  auto out = image.pixels.begin();
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < 3; ++c) *out++ = static_cast<uint8_t>(x * 7 + y * 13 + c * 29 + (x * y) % 251);
    }
  }
  return image;
}

inline Resample filter_named(const std::string& name) {
  constexpr const char* kNames[] = {"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"};
  for (int i = 0; i < 6; ++i)
    if (name == kNames[i]) return static_cast<Resample>(i);
  throw std::runtime_error(name);
}

/// The tables of pixels: one of each Pillow, and whose resize it holds.
struct PixelTable {
  const char* folder;
  Resizer resizer;
};
inline constexpr PixelTable kPixelTables[] = {{"", Resizer::pillow13}, {"pillow12/", Resizer::pillow12}};

inline PreprocessorConfig config_of(const nlohmann::json& values) {
  PreprocessorConfig config;
  config.size_longest_edge = values["longest_edge"];
  if (values.contains("size")) {
    const nlohmann::json& size = values["size"];
    config.size_height = size.is_object() ? size["height"] : size;
    config.size_width = size.is_object() ? size["width"] : size;
  }
  config.max_image_size_longest_edge = values["tile"];
  config.resample = filter_named(values["resample"]);
  config.do_resize = values["do_resize"];
  config.do_image_splitting = values["do_image_splitting"];
  config.do_rescale = values["do_rescale"];
  config.rescale_factor = values["rescale_factor"];
  config.do_normalize = values["do_normalize"];
  config.image_mean = values["image_mean"];
  config.image_std = values["image_std"];
  return config;
}

}  // namespace galago::image_test
