// Stand-ins for a decoder and a tokenizer, small enough to know every answer beforehand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "galago/error.h"
#include "runtime/answer.h"
#include "runtime/causal_model.h"

namespace galago::fakes {

inline constexpr int64_t kVocabulary = 40;
inline constexpr int64_t kHidden = 3;

/// A sequence's state is a hash of every row it was given, in order; the hash decides the logits. So two runs
/// agree in all logits only if they were given the same rows. Counts what is asked of it.
class HashModel : public CausalModel {
 public:
  explicit HashModel(int64_t context) : context_(context) {}
  int64_t vocab_size() const override { return kVocabulary; }
  int64_t hidden_size() const override { return kHidden; }
  int64_t context_length() const override { return context_; }
  int64_t sequence_bytes(int64_t positions) const override { return 10 * positions; }
  static void embed(int32_t id, float* row) {
    for (int64_t c = 0; c < kHidden; ++c) row[c] = static_cast<float>(id * 7 + c);
  }

  OpenSequence open(const PromptContent& prompt, int64_t positions) override {
    if (refused_length == std::ssize(prompt.ids)) throw Error(ErrorCode::resource, {"the fake", "", "", ""});
    reserved = positions;
    rows = 0;
    const int32_t number = next_++;
    open_[number] = {};
    most_open = std::max(most_open, std::ssize(open_));
    return {.number = number, .cached = 0};
  }
  void close(int32_t sequence) override { EXPECT_EQ(open_.erase(sequence), 1U) << sequence; }
  std::span<const float> prefill(int32_t sequence, ConstMatrix given) override {
    calls.push_back(given.rows);
    for (int64_t i = 0; i < given.rows; ++i) append(sequence, given.row(i));
    logits_.resize(kVocabulary);
    score(sequence, logits_);
    return logits_;
  }
  ConstMatrix decode(std::span<const NextToken> tokens) override {
    calls.push_back(std::ssize(tokens));
    if (fails_to_decode == std::ssize(calls)) throw Error(ErrorCode::resource, {"the fake", "", "", ""});
    logits_.resize(tokens.size() * kVocabulary);
    for (size_t i = 0; i < tokens.size(); ++i) {
      float row[kHidden];
      embed(tokens[i].id, row);
      append(tokens[i].sequence, row);
      score(tokens[i].sequence, std::span(logits_).subspan(i * kVocabulary, kVocabulary));
    }
    return {logits_.data(), std::ssize(tokens), kVocabulary};
  }

  int64_t open_now() const { return std::ssize(open_); }

  int64_t reserved = 0;
  int64_t rows = 0;
  int64_t most_open = 0;
  int64_t refused_length = -1;   // a prompt of that length cannot be opened
  int64_t fails_to_decode = -1;  // that call throws
  std::vector<int64_t> calls;    // rows of each

 protected:
  struct State {
    uint64_t hash = 1;
    int64_t rows = 0;
    size_t scored = 0;
  };
  virtual void score(int32_t sequence, std::span<float> out) {
    for (size_t v = 0; v < out.size(); ++v) {
      const uint64_t mixed = (open_.at(sequence).hash + 77 * v) * 0x9e3779b97f4a7c15;
      out[v] = static_cast<float>(mixed >> 40) / 4194304.0f;
    }
  }
  std::map<int32_t, State> open_;

 private:
  void append(int32_t sequence, const float* row) {
    State& state = open_.at(sequence);
    for (int64_t c = 0; c < kHidden; ++c)
      state.hash = (state.hash ^ static_cast<uint64_t>(static_cast<int64_t>(row[c]))) * 0x100000001b3;
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
