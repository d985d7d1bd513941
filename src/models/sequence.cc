// Places for new rows follow the cache's length; logits are computed for the last row only.
#include "models/sequence.h"

namespace galago {

DecoderSequence::DecoderSequence(const LlamaDecoder& decoder, DType dtype)
    : decoder_(decoder),
      dtype_(dtype),
      cache_(decoder.make_cache(1, 0, dtype)),
      logits_({1, decoder.config().vocab_size}) {}

void DecoderSequence::begin(int64_t positions) { cache_ = decoder_.make_cache(1, positions, dtype_); }

void DecoderSequence::forward(ConstMatrix rows, Matrix hidden) {
  const int64_t start = cache_.length(0);
  places_.clear();
  for (int64_t i = 0; i < rows.rows; ++i)
    places_.push_back({.sequence = 0, .position = static_cast<int32_t>(start + i)});
  decoder_.forward(rows, places_, cache_, workspace_, hidden);
}

std::span<const float> DecoderSequence::forward(ConstMatrix rows) {
  Workspace::Frame frame(workspace_);
  const Matrix hidden = workspace_.matrix(rows.rows, rows.cols);  // [n, D]
  forward(rows, hidden);
  decoder_.logits(hidden.slice_rows(rows.rows - 1, 1), logits_.matrix());
  return {logits_.data(), static_cast<size_t>(logits_.size())};
}

}  // namespace galago
