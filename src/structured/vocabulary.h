// A model's vocabulary as bytes. In: its tokenizer. Out: the bytes that each id adds to a text, ids by their
// bytes, and the tokens of a text that is certain to come.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/tokenizer.h"

namespace galago {

class Vocabulary {
 public:
  /// Ids from 0 to size - 1.
  Vocabulary(const Tokenizer& tokenizer, int64_t size, std::vector<int32_t> end_ids);

  /// Bytes of every id; empty for special tokens, end tokens and unused ids: they are no text.
  const std::vector<std::string>& bytes() const { return bytes_; }
  const std::vector<int32_t>& end_ids() const { return end_ids_; }
  /// Ids whose bytes are exactly these.
  std::span<const int32_t> ids_of(std::string_view bytes) const;
  /// A mask of the ids that may come at all: those of texts, and end tokens.
  const std::vector<uint32_t>& mask() const { return mask_; }
  int64_t longest() const { return longest_; }  ///< bytes of a token

  /// The bytes with which the tokens of a mask all begin; none when an end token is among them.
  std::string common_beginning(std::span<const uint32_t> mask) const;

  /// The tokens that the tokenizer makes of a text, without the last: it could be another one when more
  /// follows. Their bytes are a beginning of the text; none where the tokenizer gives others.
  std::vector<int32_t> tokens_of(const std::string& text) const;

 private:
  Tokenizer tokenizer_;
  std::vector<std::string> bytes_;
  std::vector<int32_t> end_ids_;
  std::vector<uint32_t> mask_;
  std::vector<int32_t> sorted_;  // ids of texts, by their bytes
  int64_t longest_ = 0;
};

}  // namespace galago
