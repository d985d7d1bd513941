// Builds an answer from tokens: text, stop rules, streaming. In: token ids one by one.
// Out: the Generation so far, and whether more tokens are wanted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "galago/options.h"
#include "runtime/stop.h"

namespace galago {

/// Turns tokens into text; TokenizerText (runtime/sequence.h) is the tokenizer's streaming decoder.
class TokenText {
 public:
  virtual ~TokenText() = default;
  /// The whole UTF-8 text that became certain with this token; may be empty.
  virtual std::string push(int32_t id) = 0;
  /// What was held back for the rest of a character.
  virtual std::string finish() = 0;
};

/// What generation hands back.
struct Generation {
  std::vector<int32_t>
      token_ids;     ///< as the reference returns them: an end token that was chosen is included
  std::string text;  ///< without stop string, and without end token unless it is kept; equals the streamed
                     ///< pieces joined
  FinishReason finish_reason = FinishReason::length;
  Usage usage;
  Timings timings;  ///< the fields that generation knows: prefill, first token, decode, tokens per second
};

/// What an AnswerBuilder needs to know; the objects referred to must outlive it.
struct AnswerRules {
  std::span<const int32_t> end_ids;          ///< tokens that end an answer (eos); no part of its text
  std::span<const std::string> stop;         ///< texts that end an answer
  const StreamCallback* on_piece = nullptr;  ///< may be null or empty
  bool keep_end = false;                     ///< the end token is part of the text, as other special tokens
};

/// Collects one answer.
class AnswerBuilder {
 public:
  AnswerBuilder(const AnswerRules& rules, TokenText& text);

  /// Adds a token; true while more are wanted. Afterwards `finish_reason` says why not.
  bool push(int32_t id);
  /// The caller wants no more: what waited is dropped.
  void cancel();
  /// No more tokens come: text that still waited is let go, unless a stop string or the caller ended it.
  Generation finish();

 private:
  bool end(FinishReason reason);
  bool stream(std::string_view text, int32_t id);

  AnswerRules rules_;
  TokenText& text_;
  StopStrings stop_strings_;
  Generation result_;
  bool cut_ = false;  // by a stop string or the caller: nothing may follow
};

}  // namespace galago
