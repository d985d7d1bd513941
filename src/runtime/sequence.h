// The sequences of a decoder with their caches: what the scheduler drives. In: rows of prompts, tokens. Out:
// logits.
#pragma once

#include <memory>
#include <vector>

#include "kernels/workspace.h"
#include "nn/decoder/decoder.h"
#include "runtime/answer.h"
#include "runtime/causal_model.h"
#include "runtime/prefix_index.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {

/// Places for `rows` rows that continue a sequence.
std::vector<RowPlace> next_places(const KvCache& cache, int32_t sequence, int64_t rows);

/// The decoder behind the scheduler's interface. Decoder and kept prefixes must outlive it.
class DecoderSequences final : public CausalModel {
 public:
  /// Pages of its own, f32.
  explicit DecoderSequences(const Decoder& decoder);
  /// kept: where a prompt's beginning may be taken from, and full pages go; null: nowhere. A decoder whose
  /// rows do not stand alone keeps nothing.
  /// workspace: scratch that others on the same thread use too; null: its own.
  DecoderSequences(const Decoder& decoder, std::shared_ptr<KvPages> pages, PrefixIndex* kept,
                   std::shared_ptr<Workspace> workspace = nullptr);

  int64_t vocab_size() const override { return decoder_.config().vocab_size; }
  int64_t hidden_size() const override { return decoder_.config().hidden_size; }
  int64_t context_length() const override { return decoder_.config().max_position_embeddings; }
  PageSizes page_sizes() const override {
    return {.positions = kPagePositions, .bytes = pages_->page_bytes()};
  }
  int64_t bytes_in_use() const override { return pages_->bytes_in_use(); }
  int64_t drop_kept(int64_t bytes) override { return kept_ ? kept_->drop(bytes) : 0; }
  OpenSequence open(const PromptContent& prompt) override;
  int32_t fork(int32_t sequence) override;
  void grow(int32_t sequence, int64_t positions) override;
  void close(int32_t sequence) override;
  std::span<const float> prefill(int32_t sequence, ConstMatrix rows) override;
  std::span<const float> prefill(int32_t sequence, ConstMatrix rows, const RowLogits& each) override;
  ConstMatrix decode(std::span<const NextToken> tokens) override;
  void cut(int32_t sequence, int64_t positions) override;

 private:
  KvSequence begin(const PromptContent& prompt) const;
  void keep(int32_t sequence, int64_t rows);
  int32_t take_in(KvSequence sequence, SequenceContent origin);
  void make_room_for_logits(int64_t rows);
  ConstMatrix on_host(ConstMatrix logits);
  void decode_some(std::span<const NextToken> tokens, Matrix logits);

  const Decoder& decoder_;
  std::shared_ptr<KvPages> pages_;
  PrefixIndex* kept_;
  KvCache cache_;
  std::vector<SequenceContent>
      origins_;  // of the rows of open sequences, by number; empty when nothing is kept
  int64_t open_ = 0;
  std::shared_ptr<Workspace> workspace_;
  Tensor logits_;       // [n, V]: for as many rows as were asked about at once
  Tensor host_logits_;  // the same where the host reads them; empty where it reads the device's memory
};

/// The tokenizer's streaming decoder behind generation's interface.
class TokenizerText final : public TokenText {
 public:
  TokenizerText(const Tokenizer& tokenizer, bool keep_special)
      : tokenizer_(tokenizer), decoder_(tokenizer, !keep_special) {}
  std::string push(int32_t id) override { return decoder_.push(id); }
  std::string finish() override { return decoder_.finish(); }
  std::string bytes(int32_t id) override {
    return id < tokenizer_.vocab_size() ? tokenizer_.token_bytes(id) : std::string();
  }

 private:
  const Tokenizer& tokenizer_;
  StreamDecoder decoder_;
};

}  // namespace galago
