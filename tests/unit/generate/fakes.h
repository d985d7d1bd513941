// Stand-ins for a decoder and a tokenizer, small enough to know every answer beforehand.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "galago/error.h"
#include "generate/answer.h"
#include "generate/causal_model.h"

namespace galago::fakes {

inline constexpr int64_t kVocabulary = 40;
inline constexpr int64_t kHidden = 3;

/// Its state is a hash of every row it was given, in order; the hash decides the logits. So two runs agree in
/// all logits only if they were given the same rows. Counts what is asked of it.
class HashModel : public CausalModel {
 public:
  explicit HashModel(int64_t context) : context_(context) {}
  int64_t vocab_size() const override { return kVocabulary; }
  int64_t hidden_size() const override { return kHidden; }
  int64_t context_length() const override { return context_; }
  void embed(std::span<const int32_t> ids, Matrix out) const override {
    for (size_t i = 0; i < ids.size(); ++i) {
      for (int64_t c = 0; c < kHidden; ++c) out.row(i)[c] = static_cast<float>(ids[i] * 7 + c);
    }
  }
  void begin(int64_t positions) override {
    reserved = positions;
    state_ = 1;
    rows = 0;
  }
  std::span<const float> forward(ConstMatrix given) override {
    calls.push_back(given.rows);
    for (int64_t i = 0; i < given.rows; ++i, ++rows) {
      for (int64_t c = 0; c < kHidden; ++c) {
        state_ = (state_ ^ static_cast<uint64_t>(static_cast<int64_t>(given.row(i)[c]))) * 0x100000001b3;
      }
    }
    for (int64_t v = 0; v < kVocabulary; ++v) {
      const uint64_t mixed = (state_ + 77 * static_cast<uint64_t>(v)) * 0x9e3779b97f4a7c15;
      logits_[v] = static_cast<float>(mixed >> 40) / 4194304.0f;
    }
    return logits_;
  }

  int64_t reserved = 0;
  int64_t rows = 0;
  std::vector<int64_t> calls;

 private:
  int64_t context_;
  uint64_t state_ = 1;
  std::vector<float> logits_ = std::vector<float>(kVocabulary);
};

/// Says `script` token by token whatever it is given, then the last one for ever.
class ScriptModel : public HashModel {
 public:
  explicit ScriptModel(std::vector<int32_t> script) : HashModel(1000), script_(std::move(script)) {}
  std::span<const float> forward(ConstMatrix given) override {
    HashModel::forward(given);
    std::fill(logits_.begin(), logits_.end(), 0.0f);
    logits_[script_[std::min(at_++, script_.size() - 1)]] = 1;
    return logits_;
  }

 private:
  std::vector<int32_t> script_;
  size_t at_ = 0;
  std::vector<float> logits_ = std::vector<float>(kVocabulary);
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
