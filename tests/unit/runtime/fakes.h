// Stand-ins for a decoder and a tokenizer, small enough to know every answer beforehand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "galago/error.h"
#include "runtime/answer.h"
#include "runtime/scheduler_loop.h"
#include "runtime/work.h"
#include "support/allocation.h"

namespace galago::fakes {

inline constexpr int64_t kVocabulary = 40;
inline constexpr int64_t kHidden = 3;
inline constexpr int64_t kPage = 4;        // positions
inline constexpr int64_t kPageBytes = 40;  // 10 bytes a position

/// A sequence's state is a hash of every row it was given, in order; the hash decides the logits. So two runs
/// agree in all logits only if they were given the same rows. Counts what is asked of it.
class HashModel : public CausalModel {
 public:
  explicit HashModel(int64_t context) : context_(context) {}
  int64_t vocab_size() const override { return kVocabulary; }
  int64_t hidden_size() const override { return kHidden; }
  int64_t context_length() const override { return context_; }
  PageSizes page_sizes() const override { return {.positions = kPage, .bytes = kPageBytes}; }
  int64_t bytes_in_use() const override {
    int64_t bytes = 0;
    for (const auto& [number, state] : open_) bytes += page_sizes().pages(state.room) * kPageBytes;
    return bytes;
  }
  int64_t drop_kept(int64_t) override { return 0; }
  static void embed(int32_t id, float* row) {
    for (int64_t c = 0; c < kHidden; ++c) row[c] = static_cast<float>(id * 7 + c);
  }

  OpenSequence open(const PromptContent& prompt) override {
    if (refused_length == std::ssize(prompt.ids)) throw Error(ErrorCode::resource, {"the fake", "", "", ""});
    reserved = 0;
    rows = 0;
    const int32_t number = next_++;
    open_[number] = {};
    most_open = std::max(most_open, std::ssize(open_));
    return {.number = number, .cached = 0};
  }
  int32_t fork(int32_t sequence) override {
    const int32_t number = next_++;
    open_[number] = open_.at(sequence);
    open_[number].room = page_sizes().pages(open_[number].rows) * kPage;
    most_open = std::max(most_open, std::ssize(open_));
    return number;
  }
  void grow(int32_t sequence, int64_t positions) override {
    open_.at(sequence).room = std::max(open_.at(sequence).room, positions);
    reserved = std::max(reserved, positions);
    most_bytes = std::max(most_bytes, bytes_in_use());
  }
  void close(int32_t sequence) override { EXPECT_EQ(open_.erase(sequence), 1U) << sequence; }
  std::span<const float> prefill(int32_t sequence, ConstMatrix given) override {
    calls.push_back(given.rows);
    for (int64_t i = 0; i < given.rows; ++i) append(sequence, given.row(i));
    logits_.resize(kVocabulary);
    score(sequence, logits_);
    return logits_;
  }
  std::span<const float> prefill(int32_t sequence, ConstMatrix given, const RowLogits& each) override {
    std::span<const float> last;
    for (int64_t i = 0; i < given.rows; ++i) each(i, last = prefill(sequence, given.slice_rows(i, 1)));
    return last;
  }
  ConstMatrix decode(std::span<const NextToken> tokens) override {
    calls.push_back(std::ssize(tokens));
    if (fails_to_decode == std::ssize(calls)) throw Error(ErrorCode::resource, {"the fake", "", "", ""});
    logits_.resize(tokens.size() * kVocabulary);
    for (size_t i = 0; i < tokens.size(); ++i) {
      float row[kHidden];
      embed(tokens[i].id, row);
      open_.at(tokens[i].sequence)
          .past.emplace_back(open_.at(tokens[i].sequence).hash, open_.at(tokens[i].sequence).scored);
      append(tokens[i].sequence, row);
      score(tokens[i].sequence, std::span(logits_).subspan(i * kVocabulary, kVocabulary));
    }
    return {logits_.data(), std::ssize(tokens), kVocabulary};
  }

  void cut(int32_t sequence, int64_t positions) override {
    State& state = open_.at(sequence);
    EXPECT_LE(positions, state.rows);
    for (; state.rows > positions; --state.rows, ++rows_cut) {
      ASSERT_FALSE(state.past.empty()) << "a row of the prompt";
      state.hash = state.past.back().first;
      state.scored = state.past.back().second;
      state.past.pop_back();
    }
  }

  int64_t open_now() const { return std::ssize(open_); }

  int64_t reserved = 0;  // positions of the one that was opened last
  int64_t rows = 0;
  int64_t most_open = 0;
  int64_t most_bytes = 0;
  int64_t refused_length = -1;   // a prompt of that length cannot be opened
  int64_t fails_to_decode = -1;  // that call throws
  std::vector<int64_t> calls;    // rows of each
  int64_t rows_cut = 0;

 protected:
  struct State {
    uint64_t hash = 1;
    int64_t rows = 0;
    int64_t room = 0;  // positions
    size_t scored = 0;
    std::vector<std::pair<uint64_t, size_t>> past;  // hash and scored before each row that was decoded
  };
  virtual void score(int32_t sequence, std::span<float> out) {
    for (size_t v = 0; v < out.size(); ++v) {
      const uint64_t mixed = (open_.at(sequence).hash + 77 * v) * 0x9e3779b97f4a7c15;
      out[v] = static_cast<float>(mixed >> 40) / 4194304.0f;
    }
  }
  /// A sequence that begins with rows which are there already.
  void begin(int32_t sequence, uint64_t hash, int64_t known) {
    open_.at(sequence).hash = hash;
    open_.at(sequence).rows = known;
  }
  uint64_t hash_of(int32_t sequence) const { return open_.at(sequence).hash; }
  int64_t rows_of(int32_t sequence) const { return open_.at(sequence).rows; }
  std::map<int32_t, State> open_;

 private:
  void append(int32_t sequence, const float* row) {
    State& state = open_.at(sequence);
    for (int64_t c = 0; c < kHidden; ++c)
      state.hash = (state.hash ^ static_cast<uint64_t>(static_cast<int64_t>(row[c]))) * 0x100000001b3;
    EXPECT_LT(state.rows, page_sizes().pages(state.room) * kPage) << "no room for this row";
    ++state.rows;
    ++rows;
  }

  int64_t context_;
  int32_t next_ = 0;
  std::vector<float> logits_;
};

/// Says `script` token by token whatever it is given, then the last one for ever; each sequence from the
/// start.
class ScriptModel : public HashModel {
 public:
  explicit ScriptModel(std::vector<int32_t> script) : HashModel(1000), script_(std::move(script)) {}

 protected:
  void score(int32_t sequence, std::span<float> out) override {
    std::fill(out.begin(), out.end(), 0.0f);
    out[static_cast<size_t>(script_[std::min(open_.at(sequence).scored++, script_.size() - 1)])] = 1;
  }

 private:
  std::vector<int32_t> script_;
};

/// Token i is the i-th piece; a piece that ends in '~' keeps its text back until the next token, as a decoder
/// does with half a character.
class PieceText : public TokenText {
 public:
  explicit PieceText(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  std::string push(int32_t id) override {
    std::string text = std::exchange(held_, "") + pieces_.at(static_cast<size_t>(id));
    if (!text.empty() && text.back() == '~') {
      text.pop_back();
      std::swap(text, held_);
    }
    return text;
  }
  std::string finish() override { return std::exchange(held_, ""); }
  std::string bytes(int32_t id) override { return pieces_.at(static_cast<size_t>(id)); }

 private:
  std::vector<std::string> pieces_;
  std::string held_;
};

/// Letters "a", "b", ... for each token of the vocabulary.
inline std::vector<std::string> letters() {
  std::vector<std::string> pieces;
  for (int64_t i = 0; i < kVocabulary; ++i) pieces.push_back(std::string(1, static_cast<char>('A' + i)));
  return pieces;
}

/// One who asks: ids, rows for them, and what became of it. Tests change the public fields before it is
/// added.
class FakeWork : public Work {
 public:
  FakeWork(std::vector<int32_t> ids, Tensor rows, GenerateOptions options)
      : text_of(letters()), ids_(std::move(ids)), rows_(std::move(rows)) {
    request_.ids = ids_;
    request_.options = std::move(options);
  }

  const GenerateRequest& request() const override { return request_; }
  GenerateRequest& change() { return request_; }
  Turn turn() const override { return turn_; }
  const void* prompt_group() const override { return group; }
  TokenText& text() override { return text_of; }
  int64_t bytes() const override { return other_bytes; }
  ConstMatrix rows() const override { return rows_.matrix(); }
  bool cancelled() const override { return cancel; }
  bool has_room() const override { return room; }
  bool piece(const StreamPiece& piece) override {
    streamed += piece.text;
    return !on_piece || on_piece(piece);
  }
  void end(Generation generation) override {
    ++endings;
    generation_ = std::move(generation);
  }
  void fail(std::exception_ptr fault) override {
    ++endings;
    error = std::move(fault);
  }

  const Generation& generation() const { return generation_; }

  PieceText text_of;
  StreamCallback on_piece;
  Turn turn_;
  const void* group = nullptr;
  int64_t other_bytes = 0;
  bool cancel = false;
  bool room = true;
  std::string streamed;
  int endings = 0;
  std::exception_ptr error;

 protected:
  std::vector<int32_t> ids_;
  Tensor rows_;
  GenerateRequest request_;
  Generation generation_;
};

/// A prompt of `length` rows that only the number decides.
inline std::vector<int32_t> fake_ids(int64_t length, int64_t number) {
  std::vector<int32_t> ids(static_cast<size_t>(length));
  std::iota(ids.begin(), ids.end(), static_cast<int32_t>(number));
  return ids;
}
inline Tensor fake_rows(int64_t length, int64_t number) {
  Tensor rows({length, kHidden});
  for (int64_t i = 0; i < rows.size(); ++i) rows.data()[i] = static_cast<float>((i * i + number) % 23);
  return rows;
}
inline std::shared_ptr<FakeWork> fake_work(int64_t length, int64_t number, GenerateOptions options) {
  return std::make_shared<FakeWork>(fake_ids(length, number), fake_rows(length, number), std::move(options));
}

/// A model, a loop and a clock that moves a millisecond a round.
struct Bench {
  explicit Bench(const LoopLimits& limits, int64_t context = 1000)
      : model(context), loop(model, limits, [this] { return now; }) {}

  std::shared_ptr<FakeWork> add(int64_t length, int64_t number, GenerateOptions options) {
    return add(fake_work(length, number, std::move(options)));
  }
  template <class Kind>
  std::shared_ptr<Kind> add(std::shared_ptr<Kind> work) {
    loop.check(*work);
    loop.add(work);
    return work;
  }
  bool step() {
    now += 1;
    return loop.step();
  }
  void run() {
    while (step()) {
    }
  }

  /// As the loop's thread does it, a round that throws ends all: with memory running out after `good`
  /// allocations, and then to the end. Whether it ran out.
  bool run_out_of_memory(int64_t good) {
    bool happened = false;
    {
      const test::AllocationFault fault(good);
      try {
        run();
      } catch (...) {
        loop.fail_all(std::current_exception());
      }
      happened = fault.happened();
    }
    run();
    EXPECT_EQ(loop.size(), 0);
    EXPECT_EQ(model.open_now(), 0);
    return happened;
  }

  double now = 0;
  HashModel model;
  SchedulerLoop loop;
};

/// Forbids all but even tokens; after each of them the two that follow it are certain.
class Triples final : public Constraint {
 public:
  bool fill(TokenMask mask) override {
    EXPECT_EQ(left_, 0) << "what is certain needs no mask";
    for (uint32_t& word : mask) word = 0x55555555;
    return true;
  }
  void accept(int32_t id) override {
    EXPECT_TRUE(left_ > 0 || id % 2 == 0);
    left_ = left_ == 0 ? 2 : left_ - 1;
    last_ = id;
  }
  std::vector<int32_t> forced() override {
    std::vector<int32_t> certain;
    for (int i = 1; i <= left_; ++i) certain.push_back((last_ + i) % static_cast<int32_t>(kVocabulary));
    return certain;
  }

 private:
  int left_ = 0;
  int32_t last_ = 0;
};

/// The error that a call throws; a code that nothing uses here when it throws none.
template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::auth, {"no error was thrown", "", "", ""});
}

}  // namespace galago::fakes
