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

DecoderSequences::DecoderSequences(const Decoder& decoder)
    : DecoderSequences(
          decoder, std::make_shared<KvPages>(decoder.cache_shape(DType::f32), 0, decoder.device().memory()),
          nullptr) {}

DecoderSequences::DecoderSequences(const Decoder& decoder, std::shared_ptr<KvPages> pages, PrefixIndex* kept,
                                   std::shared_ptr<Workspace> workspace)
    : decoder_(decoder),
      pages_(std::move(pages)),
      kept_(decoder.rows_stand_alone() ? kept : nullptr),
      cache_(pages_),
      workspace_(workspace ? std::move(workspace) : std::make_shared<Workspace>(decoder.device())) {}

// The longest beginning of the prompt that is there already; at least one row is left to be read, since its
// logits are wanted.
KvSequence DecoderSequences::begin(const PromptContent& prompt) const {
  if (!kept_ || prompt.anew) return KvSequence(pages_);
  PrefixIndex::Match match = kept_->find(prompt);
  const int64_t rows = std::min(match.rows, std::ssize(prompt.ids) - 1);
  if (rows < kFewestCached) return KvSequence(pages_);
  match.pages.resize(static_cast<size_t>((rows + kPagePositions - 1) / kPagePositions));
  return KvSequence(pages_, std::move(match.pages), rows);
}

OpenSequence DecoderSequences::open(const PromptContent& prompt) {
  SequenceContent origin;
  if (kept_) {
    origin.ids.assign(prompt.ids.begin(), prompt.ids.end());
    origin.marks.assign(prompt.marks.begin(), prompt.marks.end());
  }
  KvSequence sequence = begin(prompt);
  sequence.set_prompt(std::ssize(prompt.ids));
  const int32_t number = take_in(std::move(sequence), std::move(origin));
  return {.number = number, .cached = cache_.length(number)};
}

// All memory first: a sequence that could not be opened leaves nothing behind.
int32_t DecoderSequences::take_in(KvSequence sequence, SequenceContent origin) {
  make_room_for_logits(open_ + 1);
  origins_.resize(std::max(origins_.size(), static_cast<size_t>(cache_.sequences()) + 1));
  const int32_t number = cache_.add(std::move(sequence));
  origins_[static_cast<size_t>(number)] = std::move(origin);
  ++open_;
  return number;
}

void DecoderSequences::make_room_for_logits(int64_t rows) {
  if (logits_.empty() || logits_.shape()[0] < rows)
    logits_ = Tensor({rows, vocab_size()}, decoder_.device().memory());
}

int32_t DecoderSequences::fork(int32_t sequence) {
  return take_in(cache_.at(sequence), origins_[static_cast<size_t>(sequence)]);
}

void DecoderSequences::grow(int32_t sequence, int64_t positions) {
  if (!cache_.at(sequence).grow(positions))
    throw Error(ErrorCode::resource, {.where = "keys and values",
                                      .got = std::to_string(pages_->bytes_in_use()) + " bytes in use",
                                      .expected = "room for another page"});
}

void DecoderSequences::close(int32_t sequence) {
  keep(sequence, cache_.length(sequence));
  cache_.remove(sequence);
  origins_[static_cast<size_t>(sequence)] = {};
  --open_;
}

// Others may begin with these rows from now on.
void DecoderSequences::keep(int32_t sequence, int64_t rows) {
  if (!kept_) return;
  const SequenceContent& origin = origins_[static_cast<size_t>(sequence)];
  try {
    // Of its last row it is not known where it came from when memory ran out just then.
    kept_->keep(origin, std::min(rows, std::ssize(origin.ids)), cache_.at(sequence).pages());
  } catch (const std::bad_alloc&) {  // no memory for it: nothing is kept, and the answer is as good
  }
}

std::span<const float> DecoderSequences::prefill(int32_t sequence, ConstMatrix rows) {
  Workspace::Frame frame(*workspace_);
  const Matrix hidden = workspace_->matrix(rows.rows, rows.cols);  // [n, D]
  decoder_.forward(rows, next_places(cache_, sequence, rows.rows), cache_, *workspace_, hidden);
  // Full pages only: this sequence goes on behind them.
  keep(sequence, cache_.length(sequence) / kPagePositions * kPagePositions);
  const Matrix logits = logits_.matrix().slice_rows(0, 1);
  decoder_.logits(hidden.slice_rows(rows.rows - 1, 1), logits);  // [1, V]
  return {on_host(logits).data, static_cast<size_t>(logits.cols)};
}

std::span<const float> DecoderSequences::prefill(int32_t sequence, ConstMatrix rows, const RowLogits& each) {
  make_room_for_logits(kernels::kFewRows);
  Workspace::Frame frame(*workspace_);
  const Matrix hidden = workspace_->matrix(rows.rows, rows.cols);  // [n, D]
  decoder_.forward(rows, next_places(cache_, sequence, rows.rows), cache_, *workspace_, hidden);
  keep(sequence, cache_.length(sequence) / kPagePositions * kPagePositions);
  std::span<const float> last;
  for (int64_t begin = 0; begin < rows.rows; begin += kernels::kFewRows) {
    const int64_t n = std::min(kernels::kFewRows, rows.rows - begin);
    const Matrix logits = logits_.matrix().slice_rows(0, n);
    decoder_.logits(hidden.slice_rows(begin, n), logits);  // [n, V]
    const ConstMatrix told = on_host(logits);
    for (int64_t i = 0; i < n; ++i) {
      last = {told.row(i), static_cast<size_t>(told.cols)};
      each(begin + i, last);
    }
  }
  return last;
}

ConstMatrix DecoderSequences::decode(std::span<const NextToken> tokens) {
  make_room_for_logits(std::ssize(tokens));
  const Matrix logits = logits_.matrix().slice_rows(0, std::ssize(tokens));  // [n, V]
  for (size_t begin = 0; begin < tokens.size(); begin += kernels::kFewRows) {
    const auto some = tokens.subspan(begin, std::min<size_t>(kernels::kFewRows, tokens.size() - begin));
    decode_some(some, logits.slice_rows(static_cast<int64_t>(begin), std::ssize(some)));
  }
  return on_host(logits);
}

// The pages stay: they are its own, and what follows is written over.
void DecoderSequences::cut(int32_t sequence, int64_t positions) {
  cache_.at(sequence).set_length(std::min(positions, cache_.length(sequence)));
  auto& ids = origins_[static_cast<size_t>(sequence)].ids;
  ids.resize(std::min(ids.size(), static_cast<size_t>(positions)));
}

// Here, and nowhere else, logits leave the device.
ConstMatrix DecoderSequences::on_host(ConstMatrix logits) {
  return decoder_.device().on_host(logits, host_logits_);
}

void DecoderSequences::decode_some(std::span<const NextToken> tokens, Matrix logits) {
  Workspace::Frame frame(*workspace_);
  const int64_t n = std::ssize(tokens);
  const std::span<int32_t> ids = workspace_->array<int32_t>(n);
  const std::span<RowPlace> places = workspace_->array<RowPlace>(n);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto before = std::ranges::count(tokens.first(i), tokens[i].sequence, &NextToken::sequence);
    ids[i] = tokens[i].id;
    places[i] = {.sequence = tokens[i].sequence,
                 .position = static_cast<int32_t>(cache_.length(tokens[i].sequence) + before)};
  }
  const Matrix rows = workspace_->matrix(n, hidden_size());    // [n, D]
  const Matrix hidden = workspace_->matrix(n, hidden_size());  // [n, D]
  decoder_.embed(ids, rows);
  decoder_.forward(rows, places, cache_, *workspace_, hidden);
  decoder_.logits(hidden, logits);  // [n, V]
  if (kept_)
    for (const NextToken& token : tokens)
      origins_[static_cast<size_t>(token.sequence)].ids.push_back(token.id);
}

}  // namespace galago
