// Unicode's normalization forms of a text.
// In: UTF-8. Out: UTF-8 in the form NFC, NFD, NFKC or NFKD. Takes time in proportion to the text and, within
// a run of combining marks, n log n.
// Reference: Unicode Standard Annex #15; utf8proc's tables and its composition.
#pragma once

#include <string>
#include <string_view>

namespace galago {

struct NormalForm {
  bool compose = false;        ///< C forms
  bool compatibility = false;  ///< K forms
};

/// `text` must be well-formed UTF-8. Error{resource} when memory runs out.
std::string to_normal_form(std::string_view text, NormalForm form);

}  // namespace galago
