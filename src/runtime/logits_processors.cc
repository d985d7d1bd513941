// Each processor as the reference defines it; a forbidden token has the score -infinity.
#include "runtime/logits_processors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "galago/error.h"

namespace galago {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

bool has_score(int32_t id, size_t vocab_size) { return id >= 0 && static_cast<size_t>(id) < vocab_size; }

void forbid(std::span<const int32_t> tokens, std::span<float> scores) {
  for (const int32_t id : tokens)
    if (has_score(id, scores.size())) scores[static_cast<size_t>(id)] = kForbidden;
}

bool ends_with(std::span<const int32_t> ids, std::span<const int32_t> end) {
  return end.size() <= ids.size() && std::ranges::equal(ids.last(end.size()), end);
}

/// Adds to the last token of a sequence when the ones before it have just come.
class SequenceBiases final : public LogitsProcessor {
 public:
  explicit SequenceBiases(std::vector<SequenceBias> biases) : biases_(std::move(biases)) {}

  void process(std::span<const int32_t> ids, std::span<float> scores) override {
    std::map<int32_t, float> sums;
    for (const auto& [sequence, bias] : biases_) {
      const bool known =
          std::ranges::all_of(sequence, [&](int32_t id) { return has_score(id, scores.size()); });
      if (sequence.empty() || !known) continue;
      if (ends_with(ids, std::span(sequence).first(sequence.size() - 1)))
        sums[sequence.back()] += static_cast<float>(bias);
    }
    for (const auto& [id, bias] : sums) scores[static_cast<size_t>(id)] += bias;
  }

 private:
  std::vector<SequenceBias> biases_;
};

/// Scores of all ids seen, once each.
class RepetitionPenalty final : public LogitsProcessor {
 public:
  explicit RepetitionPenalty(double penalty) : penalty_(static_cast<float>(penalty)) {}

  void process(std::span<const int32_t> ids, std::span<float> scores) override {
    is_seen_.resize(scores.size());
    for (const int32_t id : ids.subspan(known_)) {
      if (!has_score(id, scores.size()) || is_seen_[static_cast<size_t>(id)]) continue;
      is_seen_[static_cast<size_t>(id)] = true;
      seen_.push_back(id);
    }
    known_ = ids.size();
    for (const int32_t id : seen_) {
      float& score = scores[static_cast<size_t>(id)];
      score = score < 0 ? score * penalty_ : score / penalty_;
    }
  }

 private:
  const float penalty_;
  size_t known_ = 0;  // ids that seen_ has
  std::vector<int32_t> seen_;
  std::vector<bool> is_seen_;
};

/// mu - count * frequency - (count > 0) * presence, of the tokens of the answer.
class CountPenalties final : public LogitsProcessor {
 public:
  CountPenalties(double frequency, double presence, int64_t prompt)
      : frequency_(static_cast<float>(frequency)),
        presence_(static_cast<float>(presence)),
        known_(static_cast<size_t>(prompt)) {}

  void process(std::span<const int32_t> ids, std::span<float> scores) override {
    for (; known_ < ids.size(); ++known_)
      if (has_score(ids[known_], scores.size())) ++counts_[ids[known_]];
    for (const auto& [id, count] : counts_)
      scores[static_cast<size_t>(id)] -= static_cast<float>(count) * frequency_ + presence_;
  }

 private:
  const float frequency_, presence_;
  size_t known_;
  std::map<int32_t, int64_t> counts_;
};

class NoRepeatNGram final : public LogitsProcessor {
 public:
  explicit NoRepeatNGram(int64_t size) : size_(static_cast<size_t>(size)) {}

  void process(std::span<const int32_t> ids, std::span<float> scores) override {
    if (ids.size() < size_) return;
    const auto suffix = ids.last(size_ - 1);
    for (size_t begin = 0; begin + size_ <= ids.size(); ++begin) {
      const auto window = ids.subspan(begin, size_);
      if (std::ranges::equal(window.first(size_ - 1), suffix)) forbid(window.last(1), scores);
    }
  }

 private:
  const size_t size_;
};

/// No end token before there are so many ids.
class MinLength final : public LogitsProcessor {
 public:
  MinLength(int64_t length, std::vector<int32_t> end_ids) : length_(length), end_ids_(std::move(end_ids)) {}

  void process(std::span<const int32_t> ids, std::span<float> scores) override {
    if (std::ssize(ids) < length_) forbid(end_ids_, scores);
  }

 private:
  const int64_t length_;
  const std::vector<int32_t> end_ids_;
};

/// From `start` ids on, end tokens become likelier with each one.
class ExponentialDecay final : public LogitsProcessor {
 public:
  ExponentialDecay(int64_t start, double factor, std::vector<int32_t> end_ids)
      : start_(start), factor_(factor), end_ids_(std::move(end_ids)) {}

  void process(std::span<const int32_t> ids, std::span<float> scores) override {
    const int64_t behind = std::ssize(ids) - start_;
    if (behind <= 0) return;
    const auto growth = static_cast<float>(std::pow(factor_, behind) - 1);
    for (const int32_t id : end_ids_)
      if (has_score(id, scores.size())) {
        float& score = scores[static_cast<size_t>(id)];
        score += std::abs(score) * growth;
      }
  }

 private:
  const int64_t start_;
  const double factor_;
  const std::vector<int32_t> end_ids_;
};

class SuppressTokens final : public LogitsProcessor {
 public:
  explicit SuppressTokens(std::vector<int32_t> tokens) : tokens_(std::move(tokens)) {}
  void process(std::span<const int32_t>, std::span<float> scores) override { forbid(tokens_, scores); }

 private:
  const std::vector<int32_t> tokens_;
};

class SuppressTokensAtBegin final : public LogitsProcessor {
 public:
  SuppressTokensAtBegin(std::vector<int32_t> tokens, int64_t prompt)
      : tokens_(std::move(tokens)), prompt_(prompt) {}
  void process(std::span<const int32_t> ids, std::span<float> scores) override {
    if (std::ssize(ids) == prompt_) forbid(tokens_, scores);
  }

 private:
  const std::vector<int32_t> tokens_;
  const int64_t prompt_;
};

template <typename T>
std::vector<T> joined(std::vector<T> first, const std::vector<T>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::vector<SequenceBias> biases(const GenerateOptions& options, const GenerationRules& model) {
  std::vector<SequenceBias> all = model.sequence_bias;
  for (const TokenBias& one : options.logit_bias) all.push_back({{one.id}, one.bias});
  return all;
}

std::vector<SequenceBias> bad_words(const GenerateOptions& options, const TokenRules& rules) {
  std::vector<SequenceBias> all;
  for (const auto& sequence : joined(rules.model.bad_words, options.bad_words_ids)) {
    // The end of an answer is not a bad word.
    const bool end = sequence.size() == 1 && std::ranges::count(rules.end_ids, sequence.front()) > 0;
    if (!end) all.push_back({sequence, kForbidden});
  }
  return all;
}

}  // namespace

LogitsProcessors make_logits_processors(const GenerateOptions& options, const TokenRules& rules,
                                        int64_t vocab_size) {
  check_token_ids(options, vocab_size);
  const GenerationRules& model = rules.model;
  const int64_t prompt = rules.prompt_tokens;
  LogitsProcessors all;
  const auto add = [&all]<typename Processor>(Processor processor) {
    all.push_back(std::make_unique<Processor>(std::move(processor)));
  };
  if (auto some = biases(options, model); !some.empty()) add(SequenceBiases(std::move(some)));
  const double repetition = options.repetition_penalty.value_or(model.repetition_penalty);
  if (repetition != 1) add(RepetitionPenalty(repetition));
  if (options.frequency_penalty != 0 || options.presence_penalty != 0)
    add(CountPenalties(options.frequency_penalty, options.presence_penalty, prompt));
  const int64_t ngram = options.no_repeat_ngram_size.value_or(model.no_repeat_ngram_size);
  if (ngram > 0) add(NoRepeatNGram(ngram));
  if (auto some = bad_words(options, rules); !some.empty()) add(SequenceBiases(std::move(some)));
  if (model.min_length > 0) add(MinLength(model.min_length, rules.end_ids));
  const int64_t least = options.min_new_tokens.value_or(model.min_new_tokens);
  if (least > 0) add(MinLength(prompt + least, rules.end_ids));
  if (const auto& decay = model.exponential_decay)
    add(ExponentialDecay(prompt + decay->start, decay->factor, rules.end_ids));
  if (auto some = joined(model.suppress_tokens, options.suppress_tokens); !some.empty())
    add(SuppressTokens(std::move(some)));
  if (auto some = joined(model.begin_suppress_tokens, options.begin_suppress_tokens); !some.empty())
    add(SuppressTokensAtBegin(std::move(some), prompt));
  for (const MakeLogitsProcessor& make : options.processors)
    if (auto own = make ? make() : nullptr) all.push_back(std::move(own));
  return all;
}

void check_token_ids(const GenerateOptions& options, int64_t vocab_size) {
  const auto check = [vocab_size](const char* option, int32_t id) {
    if (!has_score(id, static_cast<size_t>(vocab_size)))
      throw Error(ErrorCode::usage, {.where = option,
                                     .got = "token id " + std::to_string(id),
                                     .expected = "from 0 to " + std::to_string(vocab_size - 1)});
  };
  for (const TokenBias& one : options.logit_bias) check("logit_bias", one.id);
  for (const auto& sequence : options.bad_words_ids)
    for (const int32_t id : sequence) check("bad_words_ids", id);
  for (const int32_t id : options.suppress_tokens) check("suppress_tokens", id);
  for (const int32_t id : options.begin_suppress_tokens) check("begin_suppress_tokens", id);
  for (const int32_t id : options.stop_token_ids) check("stop_token_ids", id);
}

}  // namespace galago
