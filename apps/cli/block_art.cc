// See the header. POSIX: isatty, ioctl.
#include "block_art.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "image/resize.h"

namespace galago::cli {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int squared_distance(const uint8_t* a, const std::array<int, 3>& b) {
  int sum = 0;
  for (size_t i = 0; i < 3; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

std::string colour(const char* layer, const uint8_t* rgb, Colours colours) {
  const std::string begin = std::string("\033[") + layer;
  if (colours == Colours::indexed) return begin + ";5;" + std::to_string(indexed_colour(rgb)) + "m";
  return begin + ";2;" + std::to_string(rgb[0]) + ";" + std::to_string(rgb[1]) + ";" +
         std::to_string(rgb[2]) + "m";
}

}  // namespace

Colours colours_of(int stream) {
  const std::string_view terminal = variable("TERM"), depth = variable("COLORTERM");
  if (!isatty(stream) || !variable("NO_COLOR").empty() || terminal.empty() || terminal == "dumb")
    return Colours::none;
  return depth == "truecolor" || depth == "24bit" || terminal.ends_with("-direct") ? Colours::full
                                                                                   : Colours::indexed;
}

int columns_of(int stream) {
  winsize size{};
  return ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int indexed_colour(const uint8_t* rgb) {
  constexpr std::array<int, 6> kLevels = {0, 95, 135, 175, 215, 255};
  std::array<int, 3> cell{}, cube{};
  for (size_t i = 0; i < 3; ++i) {
    const auto nearest = std::min_element(kLevels.begin(), kLevels.end(), [&](int a, int b) {
      return std::abs(a - rgb[i]) < std::abs(b - rgb[i]);
    });
    cell[i] = static_cast<int>(nearest - kLevels.begin());
    cube[i] = *nearest;
  }
  const int step = std::clamp(((rgb[0] + rgb[1] + rgb[2]) / 3 - 8 + 5) / 10, 0, 23), gray = 8 + 10 * step;
  if (squared_distance(rgb, {gray, gray, gray}) < squared_distance(rgb, cube)) return 232 + step;
  return 16 + 36 * cell[0] + 6 * cell[1] + cell[2];
}

std::string render_image(const Image& image, int columns, Colours colours) {
  if (colours == Colours::none) return "";
  const RgbImage full{.width = image.width(),
                      .height = image.height(),
                      .pixels = {image.pixels().begin(), image.pixels().end()}};
  const int64_t width = std::min<int64_t>(columns, std::max<int64_t>(1, image.width()));
  const int64_t height = std::clamp<int64_t>(width * image.height() / image.width(), 2, 2 * columns) / 2 * 2;
  const RgbImage small =
      resize(full, {width, height}, Resample::bicubic, Resizer::pillow13, *kernels::cpu_device(1));
  std::string text;
  for (int64_t y = 0; y + 1 < height; y += 2) {
    for (int64_t x = 0; x < width; ++x) {
      text += colour("38", small.row(y) + x * 3, colours) + colour("48", small.row(y + 1) + x * 3, colours);
      text += "\u2580";  // upper half block: foreground above, background below
    }
    text += "\033[0m\n";
  }
  return text;
}

}  // namespace galago::cli
