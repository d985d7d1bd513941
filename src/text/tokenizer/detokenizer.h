// The decoder of a tokenizer file: token texts back to the text they stand for, piece by piece.
// In: token texts in order. Out: UTF-8 that grows with each token; what may still change is held back.
// Decoding a whole answer is streaming it: both give the same text by construction.
// Reference: `tokenizers` decoders (ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, Sequence).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace galago {

/// A token's text or, behind a step that joins tokens, a part of one.
struct Fragment {
  std::string text;
  bool begins = true;  ///< first fragment of a token
};

/// One decoder at work on one stream.
class DecodeStep {
 public:
  using Sink = std::function<void(Fragment)>;
  virtual ~DecodeStep() = default;
  virtual void push(Fragment fragment, const Sink& out) = 0;
  /// The end of the stream: gives out what was held back.
  virtual void finish(const Sink& out) { static_cast<void>(out); }
};

/// Immutable, thread-safe.
class Detokenizer {
 public:
  /// The work of one stream of tokens.
  class Stream {
   public:
    /// The text that became certain with this token.
    std::string push(std::string token);
    /// The text that was held back; the stream is over.
    std::string finish();

   private:
    friend class Detokenizer;
    void send(size_t step, Fragment fragment, std::string& text);

    std::vector<std::unique_ptr<DecodeStep>> steps_;
  };

  /// No decoder: tokens joined with spaces, as the reference does.
  Detokenizer();
  /// Error{model_invalid} on a malformed field, Error{model_unsupported} for another type or order.
  static Detokenizer from_json(const JsonField& field);

  Stream stream() const;
  /// The bytes that one token of the vocabulary stands for wherever it is.
  std::string bytes_of(std::string_view token) const;

 private:
  using Maker = std::function<std::unique_ptr<DecodeStep>()>;
  void add(const JsonField& field);

  std::vector<Maker> makers_;
  std::vector<std::function<std::string(std::string_view)>> token_bytes_;
  bool joined_ = false;  // a step that joins tokens came already
};

}  // namespace galago
