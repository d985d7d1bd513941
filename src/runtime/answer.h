// Builds an answer from tokens: text, stop rules, streaming. In: token ids one by one.
// Out: the Generation so far, and whether more tokens are wanted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "galago/options.h"
#include "runtime/row_scores.h"
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
  /// What a token stands for by itself.
  virtual std::string bytes(int32_t id) = 0;
};

/// Fills in the texts of a token.
void describe(TokenLogprob& token, TokenText& text);
/// What a row says of a token and of the likeliest `top`, with their texts.
TokenLogprobs logprobs_of(const RowScores& row, int32_t id, int top, TokenText& text);

/// What generation hands back.
struct Generation {
  std::vector<int32_t>
      token_ids;     ///< as the reference returns them: an end token that was chosen is included
  std::string text;  ///< without stop string, and without end token unless it is kept; equals the streamed
                     ///< pieces joined
  FinishReason finish_reason = FinishReason::length;
  std::vector<float> logprobs;        ///< of token_ids, when they were wanted
  std::vector<float> margins;         ///< the same: TokenScore::margin
  std::vector<TokenLogprobs> tokens;  ///< of token_ids, when they were wanted
  std::vector<TokenLogprobs> prompt_tokens;
  Usage usage;
  Timings timings;  ///< the fields that generation knows: prefill, first token, decode, tokens per second
};

/// What an AnswerBuilder needs to know; the objects referred to must outlive it.
struct AnswerRules {
  std::span<const int32_t> end_ids;          ///< tokens that end an answer (eos)
  std::span<const int32_t> stop_ids;         ///< the same, never a part of its text
  std::span<const std::string> stop;         ///< texts that end an answer
  const StreamCallback* on_piece = nullptr;  ///< may be null or empty
  bool keep_end = false;  ///< the token of end_ids is part of the text, as other special tokens
};

/// Collects one answer.
class AnswerBuilder {
 public:
  AnswerBuilder(const AnswerRules& rules, TokenText& text);

  /// Adds a token; true while more are wanted. Afterwards `finish_reason` says why not.
  /// logprobs: of the token, for whoever reads the pieces; may be null.
  bool push(int32_t id, const TokenLogprobs* logprobs = nullptr);
  /// Whether a token ended it: an end token, a stop text, or the caller.
  bool ended() const { return ended_; }
  /// Nothing may follow: the answer has the form that it was to have.
  void complete() { end(FinishReason::stop); }
  /// The caller wants no more: what waited is dropped.
  void cancel();
  /// No more tokens come: text that still waited is let go, unless a stop string or the caller ended it.
  Generation finish();

 private:
  bool end(FinishReason reason);
  bool stream(StreamPiece piece);

  AnswerRules rules_;
  TokenText& text_;
  StopStrings stop_strings_;
  Generation result_;
  bool ended_ = false;
  bool cut_ = false;  // by a stop string or the caller: nothing may follow
};

}  // namespace galago
