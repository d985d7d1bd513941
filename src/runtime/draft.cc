// Two ways to look something up. In the texts a place is followed, token by token; where it is lost, the last
// two tokens tell it again, else the last one. Tags and locations of an answer in tags stand between: at a
// special token the place waits for words. In the answer the same two tokens tell where they came before.
#include "runtime/draft.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "core/limits.h"
#include "galago/error.h"

namespace galago {
namespace {

// Kinds of guesses, whose chances are learned apart: the longer what came before agrees, the better.
constexpr size_t kTextBegins = 0;  // the first word of a text's element
constexpr size_t kInText = 1;      // 5 by length
constexpr size_t kTextEnds = 6;
constexpr size_t kRepeats = 7;  // 5 by length
constexpr size_t kSource =
    12;  // 4: after a wrong one or a right one, the first of those proposed or a later one
constexpr std::array<double, 16> kBeforehand = {0.3, 0.3, 0.6, 0.8, 0.9, 0.95, 0.4, 0.2,
                                                0.3, 0.5, 0.7, 0.8, 0.3, 0.8,  0.8, 0.9};
constexpr double kWeightBeforehand = 2;  // in guesses
constexpr double kForgetting = 0.96;     // of what was seen, with each guess more

constexpr int64_t kLongestMatch = 9;  // tokens that are compared
// A single token that is alike is believed as far from where the texts go on.
constexpr int64_t kNearBehind = 8;
constexpr int64_t kNearAhead = 64;

size_t by_length(int64_t length) {
  if (length <= 2) return static_cast<size_t>(length - 1);
  return length <= 4 ? 2 : length <= 8 ? 3 : 4;
}

uint64_t key_of(int32_t a, int32_t b) {
  return static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32 | static_cast<uint32_t>(b);
}

std::string without_space(std::string bytes) {
  if (bytes.starts_with(' ')) bytes.erase(0, 1);
  return bytes;
}

bool is_blank(std::string_view bytes) { return bytes.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::vector<int32_t> tokens_of(const std::string& text, const Tokenizer& tokenizer) {
  try {
    return tokenizer.encode(text);
  } catch (const Error& fault) {
    throw Error(fault.code(), {.where = "draft", .got = fault.got(), .expected = fault.expected()});
  }
}

}  // namespace

DraftTexts::DraftTexts(const std::vector<std::string>& texts, const Tokenizer& tokenizer)
    : tokenizer_(tokenizer) {
  int64_t bytes = 0;
  for (const std::string& text : texts) bytes += std::ssize(text);
  if (bytes > limits::kPromptBytes)
    throw Error(ErrorCode::input_too_large, {.where = "draft",
                                             .got = std::to_string(bytes) + " bytes",
                                             .expected = "at most " + std::to_string(limits::kPromptBytes)});
  for (const std::string& text : texts) {
    const std::vector<int32_t> ids = tokens_of(text, tokenizer);
    if (ids.empty()) continue;
    begins_.push_back(!ids_.empty());
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    begins_.resize(ids_.size(), false);
  }
  behind_.reserve(2 * ids_.size());
  for (size_t i = 0; i < ids_.size(); ++i) {
    like_.push_back(number(ids_[i]));
    behind_.emplace_back(key_of(-1, like_[i]), static_cast<int32_t>(i) + 1);
    if (i > 0) behind_.emplace_back(key_of(like_[i - 1], like_[i]), static_cast<int32_t>(i) + 1);
  }
  std::ranges::sort(behind_);
  words_.resize(ids_.size());
  for (auto i = static_cast<int32_t>(ids_.size()), word = i; i-- > 0;)
    words_[static_cast<size_t>(i)] = word =
        blank_[static_cast<size_t>(like_[static_cast<size_t>(i)])] ? word : i;
}

// Of a token of the texts.
int32_t DraftTexts::number(int32_t id) {
  if (const auto known = like_ids_.find(id); known != like_ids_.end()) return known->second;
  const std::string bytes = tokenizer_.token_bytes(id);
  const std::string word = without_space(bytes);
  const auto [place, fresh] = numbers_.emplace(word, static_cast<int32_t>(numbers_.size()));
  if (fresh) blank_.push_back(is_blank(word));
  like_ids_.emplace(id, place->second);
  if (word.size() < bytes.size() && !is_blank(word) && !tokenizer_.is_special(id)) {
    if (const auto known = tokenizer_.token_to_id(word); known && tokenizer_.token_bytes(*known) == word)
      bare_.emplace(id, *known);
  }
  return place->second;
}

int32_t DraftTexts::bare(int64_t place) const {
  const auto known = bare_.find(id(place));
  return known == bare_.end() ? id(place) : known->second;
}

int32_t DraftTexts::like(int32_t id) const {
  if (const auto known = like_ids_.find(id); known != like_ids_.end()) return known->second;
  if (id < 0 || id >= tokenizer_.vocab_size()) return -1;
  const auto known = numbers_.find(without_space(tokenizer_.token_bytes(id)));
  return known == numbers_.end() ? -1 : known->second;
}

bool DraftTexts::is_special(int32_t id) const { return tokenizer_.is_special(id); }

int64_t DraftTexts::find(int32_t a, int32_t b, int64_t from) const {
  if (b < 0) return -1;
  const uint64_t key = key_of(a, b);
  const auto next = std::ranges::lower_bound(behind_, std::pair(key, static_cast<int32_t>(from)));
  if (next != behind_.end() && next->first == key) return next->second;
  return next != behind_.begin() && std::prev(next)->first == key ? std::prev(next)->second : -1;
}

void Drafter::Kind::count(bool was_right) {
  right = right * kForgetting + (was_right ? 1 : 0);
  tried = tried * kForgetting + 1;
}

Drafter::Drafter(const Draft& draft, std::shared_ptr<const DraftTexts> texts, int64_t vocab_size)
    : texts_(texts && texts->size() > 0 ? std::move(texts) : nullptr),
      look_back_(draft.answer),
      vocab_size_(vocab_size),
      source_(draft.source ? draft.source() : nullptr) {
  for (size_t i = 0; i < kinds_.size(); ++i)
    kinds_[i] = {.right = kBeforehand[i] * kWeightBeforehand, .tried = kWeightBeforehand};
}

void Drafter::observe(int32_t id) {
  if (const auto predicted = predict(state_)) kinds_[predicted->kind].count(predicted->id == id);
  if (proposed_at_ < proposed_.size()) {
    const bool right = proposed_[proposed_at_] == id;
    kinds_[source_kind(proposed_at_)].count(right);
    was_right_ = right;
    proposed_at_ = right ? proposed_at_ + 1 : proposed_.size();
  }
  answer_.push_back(id);
  advance(state_, id);
  if (!look_back_) return;
  const int64_t here = std::ssize(answer_);
  behind_[key_of(-1, id)] = here;
  if (here > 1) behind_[key_of(answer_[static_cast<size_t>(here) - 2], id)] = here;
}

std::span<const Guess> Drafter::guess(int64_t most) {
  guesses_.clear();
  if (source_) ask_source(most);
  if (!guesses_.empty()) return guesses_;
  State state = state_;
  while (std::ssize(guesses_) < most) {
    const auto predicted = predict(state);
    if (!predicted || predicted->id >= vocab_size_) break;
    guesses_.push_back({.id = predicted->id, .chance = kinds_[predicted->kind].chance()});
    advance(state, predicted->id);
  }
  return guesses_;
}

size_t Drafter::source_kind(size_t place) const {
  return kSource + (was_right_ || place > 0 ? 2 : 0) + (place > 0 ? 1 : 0);
}

void Drafter::ask_source(int64_t most) {
  proposed_at_ = 0;
  proposed_ = source_->propose(answer_, most);
  const auto stranger =
      std::ranges::find_if(proposed_, [&](int32_t id) { return id < 0 || id >= vocab_size_; });
  proposed_.erase(stranger, proposed_.end());
  for (size_t i = 0; i < proposed_.size() && std::ssize(guesses_) < most; ++i)
    guesses_.push_back({.id = proposed_[i], .chance = kinds_[source_kind(i)].chance()});
}

std::optional<Drafter::Prediction> Drafter::predict(const State& state) const {
  const auto text = by_texts(state), again = by_answer(state);
  if (!text || !again) return text ? text : again;
  return kinds_[text->kind].chance() >= kinds_[again->kind].chance() ? text : again;
}

std::optional<Drafter::Prediction> Drafter::by_texts(const State& state) const {
  if (!texts_) return {};
  const bool ends = state.matched > 0 && (state.place >= texts_->size() || texts_->begins(state.place));
  if (ends) {
    if (state.after_text < 0) return {};
    return Prediction{.id = state.after_text, .kind = kTextEnds};
  }
  if (state.matched > 0)
    return Prediction{.id = texts_->id(state.place), .kind = kInText + by_length(state.matched)};
  const int64_t word = texts_->first_word(state.place);
  if (word >= texts_->size() || !(state.last < 0 || texts_->is_special(state.last))) return {};
  return Prediction{.id = texts_->bare(word), .kind = kTextBegins};
}

std::optional<Drafter::Prediction> Drafter::by_answer(const State& state) const {
  if (state.repeated == 0 || state.again >= std::ssize(answer_)) return {};
  return Prediction{.id = answer_[static_cast<size_t>(state.again)],
                    .kind = kRepeats + by_length(state.repeated)};
}

void Drafter::advance(State& state, int32_t id) const {
  if (texts_) follow_texts(state, id);
  if (look_back_) follow_answer(state, id);
  state.before = std::exchange(state.last, id);
}

void Drafter::follow_texts(State& state, int32_t id) const {
  const int32_t like = texts_->like(id);
  const bool begins = state.matched == 0;
  const bool ends = !begins && (state.place >= texts_->size() || texts_->begins(state.place));
  const int64_t place = begins ? texts_->first_word(state.place) : state.place;
  if (ends) state.after_text = id;
  if (place < texts_->size() && like >= 0 && like == texts_->like(texts_->id(place))) {
    state.place = place + 1;
    if (++state.matched > 1 || begins) state.home = state.place;
    return;
  }
  if (state.matched > 1 || ends) state.home = state.place;
  const int32_t before = texts_->like(state.last);
  const int64_t two = before < 0 ? -1 : texts_->find(before, like, state.home);
  if (two >= 0) {
    state.place = state.home = two;
    state.matched = length_before(two, state, id);
    return;
  }
  const int64_t one = texts_->is_special(id) ? -1 : texts_->find(-1, like, state.home);
  const bool near = one >= 0 && one >= state.home - kNearBehind && one <= state.home + kNearAhead;
  state.place = near ? one : state.home;
  state.matched = near ? 1 : 0;
}

// Tokens before a place that are like the last ones of the answer, `id` behind them. Of guesses that are not
// in the answer yet only the last two are known.
int64_t Drafter::length_before(int64_t place, const State& state, int32_t id) const {
  if (answer_.empty() || answer_.back() != id || state.last < 0) return 2;
  int64_t length = 0;
  while (length < kLongestMatch && length < place && length < std::ssize(answer_) &&
         texts_->like(texts_->id(place - 1 - length)) ==
             texts_->like(answer_[answer_.size() - 1 - static_cast<size_t>(length)]))
    ++length;
  return std::max<int64_t>(length, 2);
}

void Drafter::follow_answer(State& state, int32_t id) const {
  const bool goes_on = state.again >= 0 && state.again < std::ssize(answer_) &&
                       answer_[static_cast<size_t>(state.again)] == id;
  ++state.again;
  state.repeated = goes_on ? state.repeated + 1 : 0;
  if (state.repeated > 2) return;
  const auto two = state.last < 0 ? behind_.end() : behind_.find(key_of(state.last, id));
  const auto found = two != behind_.end() ? two : behind_.find(key_of(-1, id));
  const int64_t length = found == behind_.end() ? 0 : two != behind_.end() ? 2 : 1;
  if (length <= state.repeated) return;
  state.again = found->second;
  state.repeated = length;
}

}  // namespace galago
