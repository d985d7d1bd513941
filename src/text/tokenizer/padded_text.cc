// A text is one segment of its user; the rest is the tokenizer's.
#include "text/tokenizer/padded_text.h"

#include <string>

namespace galago {

PaddedIds encode_padded(const Tokenizer& tokenizer, std::string_view text, int64_t length,
                        bool parse_special) {
  return tokenizer.fit(tokenizer.encode(Segments{{std::string(text), true}}, parse_special), length);
}

}  // namespace galago
