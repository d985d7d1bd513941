// Characters as a reader sees them.
// In: UTF-8. Out: where a grapheme ends. Reference: Unicode Standard Annex #29, extended grapheme clusters,
// as far as they matter to graphemes of fewer than six bytes: flags and Indic conjuncts are longer.
#pragma once

#include <cstddef>
#include <string_view>

namespace galago::unicode {

/// End of the grapheme that begins at `at` (at < text.size(), well-formed text).
size_t grapheme_end(std::string_view text, size_t at);

}  // namespace galago::unicode
