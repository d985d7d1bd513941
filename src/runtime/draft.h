// Guesses at the next tokens of an answer. In: texts that it may hold, the tokens that were chosen so far.
// Out: tokens that may come next, each with how likely it is, judged by how often such guesses were right.
// The model checks them (runtime/scheduler_decode.cc); a wrong one costs a row of a call and nothing else.
// Reference: prompt lookup decoding (Saxena 2023), speculative decoding (Leviathan et al., ICML 2023).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "galago/draft.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {

/// What is guessed, and how likely it is right if all those before it are.
struct Guess {
  int32_t id = 0;
  double chance = 0;
};

/// The texts of a draft as tokens, made ready for looking things up. Const.
class DraftTexts {
 public:
  /// Error{input_invalid}, Error{input_too_large} as galago/draft.h has them.
  DraftTexts(const std::vector<std::string>& texts, const Tokenizer& tokenizer);

  int64_t size() const { return std::ssize(ids_); }
  int32_t id(int64_t place) const { return ids_[static_cast<size_t>(place)]; }
  /// Whether a text begins at a place other than the first.
  bool begins(int64_t place) const { return begins_[static_cast<size_t>(place)]; }
  /// The place from which on an element's words may begin: behind white space.
  int64_t first_word(int64_t place) const {
    return place < size() ? words_[static_cast<size_t>(place)] : place;
  }
  /// The token at a place as it stands where no space comes before it.
  int32_t bare(int64_t place) const;
  /// The same number for tokens that differ by a space at their beginning only; -1: no token here is like it.
  int32_t like(int32_t id) const;
  bool is_special(int32_t id) const;
  /// The place behind two tokens, or behind one alone (a < 0), like these: the nearest at or behind `from`,
  /// else the last before it; -1: none.
  int64_t find(int32_t a, int32_t b, int64_t from) const;

 private:
  int32_t number(int32_t id);

  Tokenizer tokenizer_;
  std::vector<int32_t> ids_;
  std::vector<int32_t> like_;   // of ids_
  std::vector<int32_t> words_;  // of each place the first behind white space
  std::vector<bool> begins_;
  std::unordered_map<std::string, int32_t> numbers_;  // of bytes without a space at the beginning
  std::vector<bool> blank_;                           // of these numbers
  std::unordered_map<int32_t, int32_t> like_ids_;     // of tokens of ids_
  std::unordered_map<int32_t, int32_t> bare_;         // of tokens that are written otherwise then
  std::vector<std::pair<uint64_t, int32_t>> behind_;  // two tokens, or one, and a place behind them; sorted
};

/// Guesses at one answer.
class Drafter {
 public:
  /// texts: null for none. vocab_size: guesses are below it; a tokenizer may know more tokens than the model.
  Drafter(const Draft& draft, std::shared_ptr<const DraftTexts> texts, int64_t vocab_size);

  /// A token of the answer was chosen.
  void observe(int32_t id);
  /// At most `most` tokens behind those that were observed. Valid until the next call. Passes on what a
  /// caller's source throws.
  std::span<const Guess> guess(int64_t most);

 private:
  // Where in the texts and in the answer the next token is looked for.
  struct State {
    int64_t place = 0;     // in the texts: of the next token
    int64_t matched = 0;   // tokens before it that came; 0: it is only where the texts will go on
    int64_t home = 0;      // a place that was certain: where they go on after a guess in the dark
    int64_t again = -1;    // in the answer: of the next token, as it came before
    int64_t repeated = 0;  // tokens before it that came, too
    int32_t before = -1;   // the last two tokens
    int32_t last = -1;
    int32_t after_text = -1;  // what came behind a text
  };
  struct Kind {
    double right = 0;
    double tried = 0;
    double chance() const { return right / tried; }
    void count(bool was_right);
  };
  struct Prediction {
    int32_t id = 0;
    size_t kind = 0;
  };
  std::optional<Prediction> predict(const State& state) const;
  std::optional<Prediction> by_texts(const State& state) const;
  std::optional<Prediction> by_answer(const State& state) const;
  void advance(State& state, int32_t id) const;
  void follow_texts(State& state, int32_t id) const;
  void follow_answer(State& state, int32_t id) const;
  int64_t length_before(int64_t place, const State& state, int32_t id) const;
  void ask_source(int64_t most);
  size_t source_kind(size_t place) const;

  std::shared_ptr<const DraftTexts> texts_;
  bool look_back_;
  int64_t vocab_size_;
  std::unique_ptr<DraftSource> source_;
  std::array<Kind, 16> kinds_;
  State state_;
  std::vector<int32_t> answer_;
  std::unordered_map<uint64_t, int64_t> behind_;  // in the answer: two tokens, or one
  std::vector<int32_t> proposed_;                 // by the source, of which `proposed_at_` came
  size_t proposed_at_ = 0;
  bool was_right_ = true;
  std::vector<Guess> guesses_;
};

}  // namespace galago
