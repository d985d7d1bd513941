// One sequence of a decoder with its cache: what generation drives.
#pragma once

#include <vector>

#include "core/workspace.h"
#include "decoder/llama.h"
#include "generate/answer.h"
#include "generate/causal_model.h"
#include "text/tokenizer.h"

namespace galago {

/// The decoder behind generation's interface; sequence 0 of a cache of its own. The decoder must outlive it.
class DecoderSequence final : public CausalModel {
 public:
  /// dtype: of the cache, f32 or f16.
  explicit DecoderSequence(const LlamaDecoder& decoder, DType dtype = DType::f32);

  int64_t vocab_size() const override { return decoder_.config().vocab_size; }
  int64_t hidden_size() const override { return decoder_.config().hidden_size; }
  int64_t context_length() const override { return decoder_.config().max_position_embeddings; }
  void embed(std::span<const int32_t> ids, Matrix out) const override { decoder_.embed(ids, out); }
  void begin(int64_t positions) override;
  std::span<const float> forward(ConstMatrix rows) override;
  /// The same for a trace: hidden rows of all given rows, [n, D], appended to the sequence.
  void forward(ConstMatrix rows, Matrix hidden);

 private:
  const LlamaDecoder& decoder_;
  DType dtype_;
  KvCache cache_;
  Workspace workspace_;
  std::vector<RowPlace> places_;
  Tensor logits_;  // [1, V]
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
