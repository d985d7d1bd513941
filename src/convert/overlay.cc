// See the header. Reference: SVG 1.1.
#include "convert/overlay.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "core/base64.h"
#include "image/png_encode.h"

namespace galago::convert {
namespace {

using documents::Box;
using documents::Element;

constexpr double kDoubtful = 0.5;  // and below: red
constexpr double kGreen = 120;     // degrees of hue
constexpr const char* kUnknown = "hsl(215, 75%, 45%)";

/// Lengths of the drawing, by the picture's size.
struct Pen {
  double width = 0;
  double height = 0;
  double line = 0;
  double letters = 0;
};

std::string colour(const std::optional<double>& confidence) {
  if (!confidence) return kUnknown;
  const double sure = std::clamp((*confidence - kDoubtful) / (1 - kDoubtful), 0.0, 1.0);
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "hsl(%.0f, 75%%, 38%%)", kGreen * sure);
  return text.data();
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

std::string label(const Element& element) {
  std::string text = documents::kind_name(element.kind);
  if (element.kind == documents::ElementKind::heading) text += " " + std::to_string(element.level);
  std::ranges::replace(text, '_', ' ');
  if (element.confidence) {
    std::array<char, 16> percent{};
    std::snprintf(percent.data(), percent.size(), " %.0f %%", 100 * *element.confidence);
    text += percent.data();
  }
  return text;
}

void draw(const Element& element, const Pen& pen, std::string& out) {
  if (element.box) {
    const auto [left, top, right, bottom] = element.box->fractions();
    const double x = left * pen.width, y = top * pen.height;
    const std::string ink = colour(element.confidence);
    out += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" +
           number((right - left) * pen.width) + "\" height=\"" + number((bottom - top) * pen.height) +
           "\" fill=\"" + ink + "\" fill-opacity=\"0.08\" stroke=\"" + ink + "\" stroke-width=\"" +
           number(pen.line) + "\"/>\n";
    const double base = std::max(y - pen.line, pen.letters);
    out += "<text x=\"" + number(x) + "\" y=\"" + number(base) + "\" fill=\"" + ink + "\">" + label(element) +
           "</text>\n";
  }
  for (const Element& caption : element.captions) draw(caption, pen, out);
  for (const Element& child : element.children) draw(child, pen, out);
}

}  // namespace

std::string overlay_svg(const Image& image, const documents::Page& page) {
  RgbImage pixels{.width = image.width(), .height = image.height()};
  pixels.pixels.assign(image.pixels().begin(), image.pixels().end());
  const auto width = static_cast<double>(image.width()), height = static_cast<double>(image.height());
  const double side = std::max(width, height);
  const Pen pen{.width = width,
                .height = height,
                .line = std::max(1.0, side / 700),
                .letters = std::max(7.0, side / 60)};
  const std::string size = "width=\"" + number(width) + "\" height=\"" + number(height) + "\"";
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" " + size +
      " viewBox=\"0 0 " + number(width) + " " + number(height) + "\">\n<image " + size +
      " xlink:href=\"data:image/png;base64," + to_base64(encode_png(pixels)) + "\"/>\n" +
      "<g font-family=\"sans-serif\" font-size=\"" + number(pen.letters) +
      "\" stroke=\"#fff\" stroke-width=\"" + number(pen.letters / 4) +
      "\" paint-order=\"stroke\" stroke-linejoin=\"round\">\n";
  for (const Element& element : page.elements) draw(element, pen, out);
  return out + "</g>\n</svg>\n";
}

}  // namespace galago::convert
