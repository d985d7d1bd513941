// How a file of the HEIF family begins. In: first bytes. Out: whether they are a picture's, as those of a
// video in the same container are not. Reference: ISO 23008-12, annexes B and F (brands of HEVC and MIAF),
// AV1 image format.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace galago {

inline bool starts_like_heif(std::string_view bytes) {
  constexpr std::array<std::string_view, 12> brands = {"heic", "heix", "heim", "heis", "hevc", "hevx",
                                                       "mif1", "msf1", "mif2", "avif", "avis", "hevm"};
  return bytes.size() >= 12 && bytes.substr(4, 4) == "ftyp" &&
         std::find(brands.begin(), brands.end(), bytes.substr(8, 4)) != brands.end();
}

}  // namespace galago
