// Image placeholders written out: one "<image>" of a rendered prompt becomes the tile tokens of that image.
// In: prompt segments, each image's tile grid, rows per tile. Out: segments with one image token per row.
// Reference: transformers 5.18 Idefics3Processor (processing_idefics3.py, get_image_prompt_string),
// LlavaNextProcessor (replace_image_token).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/tile_grid.h"
#include "text/segment.h"

namespace galago {

/// The texts of the tokens around image rows, as the tokenizer or processor config names them.
struct ImageTokens {
  std::string image = "<image>";
  std::string fake = "<fake_token_around_image>";
  std::string global_image = "<global-img>";
};

/// Replaces the image placeholders of control segments, in order; user segments are left as they are unless
/// parse_special. Error{input_invalid} with both numbers when placeholders and grids differ in number.
Segments expand_image_prompt(const Segments& prompt, std::span<const TileGrid> grids, int64_t rows_per_tile,
                             const ImageTokens& tokens, bool parse_special = false);

/// The same for families without tile tokens: each placeholder becomes as many image tokens as its image has
/// rows.
Segments expand_image_rows(const Segments& prompt, std::span<const int64_t> rows, const std::string& image,
                           bool parse_special = false);

/// Image tokens that one image of this grid takes.
int64_t image_token_count(TileGrid grid, int64_t rows_per_tile);

}  // namespace galago
