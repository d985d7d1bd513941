// A picture in a terminal. In: a picture, what the terminal can show. Out: coloured half blocks, two pixels
// in each character. Colours: ISO 8613-6 (38;2 and 38;5).
#pragma once

#include <cstdint>
#include <string>

#include "galago/galago.h"

namespace galago::cli {

enum class Colours {
  none,
  indexed,  ///< xterm's 256
  full,     ///< 24 bits
};

/// What a stream can show: none where it is no terminal or a plain one (TERM=dumb), or where NO_COLOR asks
/// for it; full by COLORTERM.
Colours colours_of(int stream);

/// Columns of the terminal, 80 where it does not say.
int columns_of(int stream);

/// The nearest of xterm's colours 16 to 255: its cube, or its grays.
int indexed_colour(const uint8_t* rgb);

/// The picture, at most `columns` wide; "" without colours.
std::string render_image(const Image& image, int columns, Colours colours);

}  // namespace galago::cli
