// A SentencePiece model file (tokenizer.model, spiece.model) read directly from its wire format.
// In: the bytes of a ModelProto message. Out: its pieces and settings, and the same tokenizer in the form of
// a tokenizer.json. Every length is checked against the bytes that are left.
// Reference: sentencepiece_model.proto; protobuf's encoding page; transformers 5.18
// convert_slow_tokenizer.py and tokenization_utils_base.py (generate_merges).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace galago {

/// What the file says, absent fields at their defaults in the .proto file.
struct SentencePieceModel {
  enum class Algorithm { unigram = 1, bpe = 2 };
  enum class Kind { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string text;
    float score = 0;
    Kind kind = Kind::normal;
  };

  std::vector<Piece> pieces;  ///< the index is the id
  Algorithm algorithm = Algorithm::unigram;
  bool byte_fallback = false;
  int32_t unk_id = 0;
  int32_t bos_id = 1;
  int32_t eos_id = 2;
  std::string unk_piece = "<unk>";
  std::string bos_piece = "<s>";
  std::string eos_piece = "</s>";
  std::string charsmap;  ///< of the normalizer; empty: none
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;

  /// Error{model_invalid} for a broken message, a piece that is empty, not UTF-8, longer than 512 bytes or
  /// there twice, a score that is not finite, byte pieces that are no bytes, no or several unknown pieces, an
  /// unk_id that is not the unknown piece; Error{model_unsupported} for word and character models and for
  /// models that put spaces behind words.
  static SentencePieceModel parse(std::string_view bytes, const std::string& where);
};

/// The "model" field of the tokenizer.json that the reference makes of a BPE file: merges are all ways to cut
/// a piece into two others, in the order of the pieces' ids, shorter left parts first.
Json bpe_model_of(const SentencePieceModel& model);
/// The same for a Unigram file: pieces and scores.
Json unigram_model_of(const SentencePieceModel& model);

}  // namespace galago
