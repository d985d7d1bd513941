// Unicode's normalization forms of a text.
// In: UTF-8. Out: UTF-8 in the form NFC, NFD, NFKC or NFKD. Takes time in proportion to the text and, within
// a run of combining marks, n log n.
// Reference: Unicode Standard Annex #15; the tables are of Unicode 9, as in tokenizers 0.23.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace galago {

struct NormalForm {
  bool compose = false;        ///< C forms
  bool compatibility = false;  ///< K forms
};

/// `text` must be well-formed UTF-8. Error{input_too_large} when the result has more than `most` bytes.
std::string to_normal_form(std::string_view text, NormalForm form, size_t most = SIZE_MAX);

}  // namespace galago
