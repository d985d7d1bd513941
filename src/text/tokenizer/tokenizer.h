// A model's tokenizer, from tokenizer.json or a SentencePiece file. In: UTF-8 text in segments. Out: token
// ids, and back. Reference: the `tokenizers` library (normalizers, pre-tokenizers, BPE, added tokens,
// decoders of the supported families).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_files.h"
#include "text/segment.h"

namespace galago {

/// Texts of one length.
struct PaddedIds {
  std::vector<int32_t> ids;
  std::vector<uint8_t> mask;  ///< one for each id; 0: padding
};

/// Immutable and thread-safe after construction; cheap to copy.
class Tokenizer {
 public:
  /// What the reference makes of a model's files: tokenizer.json, tokenizer.model or spiece.model, and
  /// tokenizer_config.json with the older files beside it. Error{not_found}, Error{model_invalid},
  /// Error{model_unsupported}.
  static Tokenizer from_files(const ModelFiles& files);
  /// The text of a tokenizer.json; `where` names it in errors.
  static Tokenizer from_json(std::string_view json, const std::string& where);

  /// Token ids of the joined text. Added tokens are recognised in control segments only, unless
  /// parse_special. Segment borders are otherwise invisible: the text is split and merged as one string.
  /// Error{input_invalid} on malformed UTF-8, Error{input_too_large} over limits::kPromptBytes.
  std::vector<int32_t> encode(const Segments& segments, bool parse_special = false) const;
  /// One control segment.
  std::vector<int32_t> encode(std::string_view text) const;

  /// Ids with what the tokenizer puts around every text (a start token in Llama's family, nothing in
  /// SmolVLM's), also where they begin with it already, as tokenizer(text) of the reference.
  std::vector<int32_t> add_special_tokens(std::vector<int32_t> ids) const;

  /// Exactly `length` ids: those given, cut where they are too many, with what the tokenizer puts around a
  /// whole prompt, then padding. Error{model_invalid} when no padding token is named or `length` is too
  /// small.
  PaddedIds fit(std::vector<int32_t> ids, int64_t length) const;

  /// The text of ids, malformed UTF-8 replaced by U+FFFD as the reference does. Ids of no token are skipped,
  /// those beyond the vocabulary too: padded embeddings let a model choose one. A negative id is
  /// Error{input_invalid}.
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  int64_t vocab_size() const;  ///< one more than the largest id
  std::optional<int32_t> token_to_id(std::string_view token) const;
  /// The raw bytes that a token stands for (a special token's own text); empty for an unused id,
  /// Error{input_invalid} for one outside the vocabulary.
  std::string token_bytes(int32_t id) const;
  bool is_special(int32_t id) const;

 private:
  friend class StreamDecoder;
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Turns a stream of tokens into text that is whole UTF-8 at every step: bytes of an unfinished character
/// wait. All texts joined, finish() included, are decode() of all ids.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special);
  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;
  ~StreamDecoder();
  /// The text that became certain with this token; often empty inside a multi-byte character. Ids as in
  /// decode().
  std::string push(int32_t id);
  /// What is still held back, malformed bytes replaced by U+FFFD.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace galago
