// Sizes are counted before anything is written: a grid comes from an image, and images come from users.
// In: segments, grids, rows of a tile. Out: segments. Reference: transformers 5.18 Idefics3Processor,
// replace_image_token.
#include "text/prompt/image_prompt.h"

#include <optional>
#include <vector>

#include "core/checked.h"
#include "core/limits.h"
#include "galago/error.h"
#include "text/marked_text.h"

namespace galago {
namespace {

std::string repeated(const std::string& text, int64_t times) {
  std::string out;
  out.reserve(text.size() * static_cast<size_t>(times));
  for (int64_t i = 0; i < times; ++i) out += text;
  return out;
}

/// What stands for one image: the tiles row by row, then the global image.
std::string expansion(TileGrid grid, int64_t rows_per_tile, const ImageTokens& tokens) {
  const std::string image_rows = repeated(tokens.image, rows_per_tile);
  std::string out;
  for (int64_t row = 1; grid.split() && row <= grid.rows; ++row) {
    for (int64_t col = 1; col <= grid.cols; ++col)
      out += tokens.fake + "<row_" + std::to_string(row) + "_col_" + std::to_string(col) + ">" + image_rows;
    out += "\n";
  }
  if (grid.split()) out += "\n";
  return out + tokens.fake + tokens.global_image + image_rows + tokens.fake;
}

/// Bytes of expansion(), at most; nothing on overflow.
std::optional<int64_t> expansion_bytes(TileGrid grid, int64_t rows_per_tile, const ImageTokens& tokens) {
  constexpr int64_t kTagBytes = 64;  // "<row_R_col_C>" with two 64-bit numbers, and line breaks
  const auto rows = checked_mul(rows_per_tile, static_cast<int64_t>(tokens.image.size()));
  const auto tile =
      rows ? checked_add(
                 *rows, static_cast<int64_t>(2 * tokens.fake.size() + tokens.global_image.size()) + kTagBytes)
           : std::nullopt;
  const auto grid_tiles = checked_mul(grid.rows, grid.cols);
  const auto tiles = grid_tiles ? checked_add(*grid_tiles, int64_t{1}) : std::nullopt;
  return tile && tiles ? checked_mul(*tile, *tiles) : std::nullopt;
}

/// Where placeholders stand that count: not in a user's text, unless parse_special.
std::vector<size_t> placeholders(const MarkedText& prompt, const std::string& image, bool parse_special) {
  std::vector<size_t> found;
  const std::string& text = prompt.text();
  for (size_t at = text.find(image); at != std::string::npos; at = text.find(image, at)) {
    const bool counts = parse_special || !prompt.any_user(at, at + image.size());
    if (counts) found.push_back(at);
    at += counts ? image.size() : 1;
  }
  return found;
}

/// Throws unless the written-out prompt is known and within its limit.
void check_bytes(std::optional<int64_t> total, size_t images) {
  if (total && *total <= limits::kPromptBytes) return;
  throw Error(ErrorCode::input_too_large,
              {.where = "prompt with " + std::to_string(images) + " images",
               .got = total ? std::to_string(*total) + " bytes" : "more bytes than can be counted",
               .expected = "at most " + std::to_string(limits::kPromptBytes)});
}

void check_size(const MarkedText& prompt, std::span<const TileGrid> grids, int64_t rows_per_tile,
                const ImageTokens& tokens) {
  std::optional<int64_t> total = static_cast<int64_t>(prompt.size());
  for (const TileGrid grid : grids) {
    const auto bytes = expansion_bytes(grid, rows_per_tile, tokens);
    total = total && bytes ? checked_add(*total, *bytes) : std::nullopt;
  }
  check_bytes(total, grids.size());
}

/// The placeholders of `images` images.
std::vector<size_t> placeholders_for(const MarkedText& text, const std::string& image, size_t images,
                                     bool parse_special) {
  std::vector<size_t> places = placeholders(text, image, parse_special);
  if (places.size() == images) return places;
  throw Error(ErrorCode::input_invalid, {.where = "prompt",
                                         .got = std::to_string(places.size()) + " image placeholders",
                                         .expected = std::to_string(images) + ", one for each image"});
}

/// The text with write(i) in place of the i-th placeholder.
template <class Write>
Segments replaced(const MarkedText& text, const std::vector<size_t>& places, size_t placeholder_bytes,
                  const Write& write) {
  MarkedText out;
  size_t at = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    out.append(text, at, places[i]);
    out.append(write(i), false);
    at = places[i] + placeholder_bytes;
  }
  out.append(text, at, text.size());
  return out.segments();
}

}  // namespace

Segments expand_image_prompt(const Segments& prompt, std::span<const TileGrid> grids, int64_t rows_per_tile,
                             const ImageTokens& tokens, bool parse_special) {
  if (tokens.image.empty() || rows_per_tile < 0)
    throw Error(ErrorCode::internal,
                {.where = "expand_image_prompt",
                 .got = "no image token, or " + std::to_string(rows_per_tile) + " rows a tile",
                 .expected = "both to be checked at load"});
  const MarkedText text(prompt);
  const std::vector<size_t> places = placeholders_for(text, tokens.image, grids.size(), parse_special);
  check_size(text, grids, rows_per_tile, tokens);
  return replaced(text, places, tokens.image.size(),
                  [&](size_t i) { return expansion(grids[i], rows_per_tile, tokens); });
}

Segments expand_image_rows(const Segments& prompt, std::span<const int64_t> rows, const std::string& image,
                           bool parse_special) {
  const MarkedText text(prompt);
  const std::vector<size_t> places = placeholders_for(text, image, rows.size(), parse_special);
  std::optional<int64_t> total = static_cast<int64_t>(text.size());
  for (const int64_t count : rows) {
    const auto bytes = checked_mul(count, static_cast<int64_t>(image.size()));
    total = total && bytes ? checked_add(*total, *bytes) : std::nullopt;
  }
  check_bytes(total, rows.size());
  return replaced(text, places, image.size(), [&](size_t i) { return repeated(image, rows[i]); });
}

int64_t image_token_count(TileGrid grid, int64_t rows_per_tile) { return grid.tiles() * rows_per_tile; }

}  // namespace galago
