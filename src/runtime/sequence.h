// The sequences of a decoder with their caches: what generation drives. In: rows of prompts, tokens. Out:
// logits.
#pragma once

#include <vector>

#include "core/workspace.h"
#include "nn/decoder/decoder.h"
#include "runtime/answer.h"
#include "runtime/causal_model.h"
#include "runtime/prefix_cache.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {

/// Places for `rows` rows that continue a sequence.
std::vector<RowPlace> next_places(const KvCache& cache, int32_t sequence, int64_t rows);

/// The decoder behind generation's interface. Decoder and kept prefixes must outlive it.
class DecoderSequences final : public CausalModel {
 public:
  /// dtype: of the cache, f32 or f16. kept: where a prompt's beginning may be taken from, and sequences go
  /// when they close; null: nowhere. A decoder whose rows do not stand alone keeps nothing.
  explicit DecoderSequences(const Decoder& decoder, DType dtype = DType::f32, PrefixCache* kept = nullptr);

  int64_t vocab_size() const override { return decoder_.config().vocab_size; }
  int64_t hidden_size() const override { return decoder_.config().hidden_size; }
  int64_t context_length() const override { return decoder_.config().max_position_embeddings; }
  int64_t sequence_bytes(int64_t positions) const override;
  OpenSequence open(const PromptContent& prompt, int64_t positions) override;
  void close(int32_t sequence) override;
  std::span<const float> prefill(int32_t sequence, ConstMatrix rows) override;
  ConstMatrix decode(std::span<const NextToken> tokens) override;

 private:
  // What an open sequence's rows come from.
  struct Origin {
    SequenceContent content;  // of the prompt and the tokens after it; empty when nothing is kept
    int64_t done = 0;         // rows that are in the cache
  };

  KvSequence begin_with_prefix(const PromptContent& prompt) const;
  void decode_some(std::span<const NextToken> tokens, Matrix logits);

  const Decoder& decoder_;
  PrefixCache* kept_;
  KvCache cache_;
  std::vector<Origin> origins_;  // by number
  int64_t open_ = 0;
  Workspace workspace_;
  Tensor logits_;  // [n, V]: for as many sequences as were open at once
};

/// The tokenizer's streaming decoder behind generation's interface.
class TokenizerText final : public TokenText {
 public:
  TokenizerText(const Tokenizer& tokenizer, bool keep_special) : decoder_(tokenizer, !keep_special) {}
  std::string push(int32_t id) override { return decoder_.push(id); }
  std::string finish() override { return decoder_.finish(); }

 private:
  StreamDecoder decoder_;
};

}  // namespace galago
