// Each prompt is read in calls of its own; decoding shares calls of at most kernels::kFewRows rows. Both keep
// a sequence's arithmetic apart from the others'.
#include "runtime/sequence.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "galago/error.h"

namespace galago {
namespace {

// A shorter beginning is not worth taking over: reading it costs next to nothing.
constexpr int64_t kFewestCached = 16;

}  // namespace

std::vector<RowPlace> next_places(const KvCache& cache, int32_t sequence, int64_t rows) {
  std::vector<RowPlace> places;
  const int64_t start = cache.length(sequence);
  for (int64_t i = 0; i < rows; ++i)
    places.push_back({.sequence = sequence, .position = static_cast<int32_t>(start + i)});
  return places;
}

DecoderSequences::DecoderSequences(const Decoder& decoder, DType dtype, PrefixCache* kept)
    : decoder_(decoder),
      kept_(decoder.rows_stand_alone() ? kept : nullptr),
      cache_(std::make_shared<KvPages>(decoder.cache_shape(dtype))) {}

int64_t DecoderSequences::sequence_bytes(int64_t positions) const {
  return cache_.shape().bytes_of(positions);
}

// The longest beginning of the prompt that is there already, of sequences that are kept or still open; at
// least one row is left to be read, since its logits are wanted.
KvSequence DecoderSequences::begin_with_prefix(const PromptContent& prompt) const {
  const PrefixCache::Match kept = kept_->find(prompt);
  const KvSequence* from = kept.sequence.get();
  int64_t most = kept.rows;
  for (int64_t s = 0; s < cache_.sequences(); ++s) {
    if (!cache_.has(s)) continue;
    const Origin& origin = origins_[static_cast<size_t>(s)];
    const int64_t rows = std::min(shared_rows(origin.content, prompt), origin.done);
    if (rows > most) {
      most = rows;
      from = &cache_.at(s);
    }
  }
  most = std::min(most, std::ssize(prompt.ids) - 1);
  if (most < kFewestCached) return KvSequence(cache_.pages());
  const auto pages = from->pages();
  return KvSequence(cache_.pages(), {pages.begin(), pages.end()}, most);
}

OpenSequence DecoderSequences::open(const PromptContent& prompt, int64_t positions) {
  Origin origin;
  if (kept_) {
    origin.content.ids.reserve(static_cast<size_t>(positions));
    origin.content.ids.assign(prompt.ids.begin(), prompt.ids.end());
    origin.content.marks.assign(prompt.marks.begin(), prompt.marks.end());
  }
  KvSequence sequence = kept_ ? begin_with_prefix(prompt) : KvSequence(cache_.pages());
  if (!sequence.grow(positions))
    throw Error(ErrorCode::resource, {.where = "key-value cache",
                                      .got = "no room for " + std::to_string(positions) + " positions",
                                      .expected = "memory for their pages"});
  origin.done = sequence.length();
  sequence.set_prompt(std::ssize(prompt.ids));
  // All memory first: a sequence that could not be opened leaves nothing behind.
  if (logits_.empty() || logits_.shape()[0] <= open_) logits_ = Tensor({open_ + 1, vocab_size()});
  origins_.resize(std::max(origins_.size(), static_cast<size_t>(cache_.sequences()) + 1));
  const int32_t number = cache_.add(std::move(sequence));
  origins_[static_cast<size_t>(number)] = std::move(origin);
  ++open_;
  return {.number = number, .cached = cache_.length(number)};
}

void DecoderSequences::close(int32_t sequence) {
  KvSequence rows = cache_.remove(sequence);
  Origin origin = std::exchange(origins_[static_cast<size_t>(sequence)], {});
  --open_;
  if (!kept_) return;
  origin.content.ids.resize(static_cast<size_t>(origin.done));
  try {
    kept_->keep(std::move(origin.content), std::move(rows));
  } catch (const Error&) {  // no memory for it: nothing is kept, and the answer is as good
  } catch (const std::bad_alloc&) {
  }
}

std::span<const float> DecoderSequences::prefill(int32_t sequence, ConstMatrix rows) {
  Workspace::Frame frame(workspace_);
  const Matrix hidden = workspace_.matrix(rows.rows, rows.cols);  // [n, D]
  decoder_.forward(rows, next_places(cache_, sequence, rows.rows), cache_, workspace_, hidden);
  origins_[static_cast<size_t>(sequence)].done += rows.rows;
  const Matrix logits = logits_.matrix().slice_rows(0, 1);
  decoder_.logits(hidden.slice_rows(rows.rows - 1, 1), logits);  // [1, V]
  return {logits.data, static_cast<size_t>(logits.cols)};
}

ConstMatrix DecoderSequences::decode(std::span<const NextToken> tokens) {
  const Matrix logits = logits_.matrix().slice_rows(0, std::ssize(tokens));  // [n, V]
  for (size_t begin = 0; begin < tokens.size(); begin += kernels::kFewRows) {
    const auto some = tokens.subspan(begin, std::min<size_t>(kernels::kFewRows, tokens.size() - begin));
    decode_some(some, logits.slice_rows(static_cast<int64_t>(begin), std::ssize(some)));
  }
  return logits;
}

void DecoderSequences::decode_some(std::span<const NextToken> tokens, Matrix logits) {
  Workspace::Frame frame(workspace_);
  const int64_t n = std::ssize(tokens);
  const std::span<int32_t> ids = workspace_.array<int32_t>(n);
  const std::span<RowPlace> places = workspace_.array<RowPlace>(n);
  for (size_t i = 0; i < tokens.size(); ++i) {
    ids[i] = tokens[i].id;
    places[i] = {.sequence = tokens[i].sequence,
                 .position = static_cast<int32_t>(cache_.length(tokens[i].sequence))};
  }
  const Matrix rows = workspace_.matrix(n, hidden_size());    // [n, D]
  const Matrix hidden = workspace_.matrix(n, hidden_size());  // [n, D]
  decoder_.embed(ids, rows);
  decoder_.forward(rows, places, cache_, workspace_, hidden);
  decoder_.logits(hidden, logits);  // [n, V]
  for (const NextToken& token : tokens) {
    Origin& origin = origins_[static_cast<size_t>(token.sequence)];
    if (kept_) origin.content.ids.push_back(token.id);
    ++origin.done;
  }
}

}  // namespace galago
