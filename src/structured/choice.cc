// See the header.
#include "structured/choice.h"

#include <algorithm>
#include <string_view>

#include "core/utf8.h"
#include "galago/error.h"
#include "structured/grammar.h"

namespace galago {
namespace {

/// Texts in order, those that still fit: they all begin with what was accepted.
class Choice : public Constraint {
 public:
  Choice(std::vector<std::string> texts, std::shared_ptr<const Vocabulary> vocabulary)
      : texts_(std::move(texts)), vocabulary_(std::move(vocabulary)), last_(texts_.size()) {}

  bool fill(TokenMask mask) override {
    std::fill(mask.begin(), mask.end(), 0U);
    bool any = false;
    const auto allow = [&](int32_t id) {
      mask[static_cast<size_t>(id) / 32] |= 1U << (id % 32);
      any = true;
    };
    std::string_view before;
    for (size_t i = first_; i < last_; ++i) {
      const std::string_view rest = std::string_view(texts_[i]).substr(at_);
      if (rest.empty()) std::for_each(vocabulary_->end_ids().begin(), vocabulary_->end_ids().end(), allow);
      // What it shares with the text before was looked up there.
      size_t known = 0;
      while (i > first_ && known < std::min(rest.size(), before.size()) && rest[known] == before[known])
        ++known;
      const size_t longest = std::min(rest.size(), static_cast<size_t>(vocabulary_->longest()));
      for (size_t n = known + 1; n <= longest; ++n)
        for (const int32_t id : vocabulary_->ids_of(rest.substr(0, n))) allow(id);
      before = rest;
    }
    if (!any && !complete())
      throw Error(ErrorCode::internal, {.where = "choices", .got = "no token that continues the answer"});
    return true;
  }

  void accept(int32_t id) override {
    if (std::binary_search(vocabulary_->end_ids().begin(), vocabulary_->end_ids().end(), id)) return;
    const std::string& bytes = vocabulary_->bytes().at(static_cast<size_t>(id));
    while (first_ < last_ && texts_[first_].compare(at_, bytes.size(), bytes) != 0) ++first_;
    while (last_ > first_ && texts_[last_ - 1].compare(at_, bytes.size(), bytes) != 0) --last_;
    at_ += bytes.size();
    if (first_ == last_ || bytes.empty())
      throw Error(ErrorCode::internal, {.where = "choices", .got = "a token that the mask does not allow"});
  }

  std::vector<int32_t> forced() override {
    const std::string& first = texts_[first_];
    const std::string& last = texts_[last_ - 1];  // in order: what these share, all share
    if (first.size() == at_) return {};
    size_t end = at_;
    while (end < std::min(first.size(), last.size()) && first[end] == last[end]) ++end;
    return vocabulary_->tokens_of(first.substr(at_, end - at_));
  }

  bool complete() const override { return last_ - first_ == 1 && texts_[first_].size() == at_; }

 private:
  std::vector<std::string> texts_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  size_t first_ = 0;
  size_t last_;
  size_t at_ = 0;
};

std::string place(size_t index) { return "choices[" + std::to_string(index) + "]"; }

/// Whether tokens can make every text: a piece of it without a token would be a dead end. With tokens for all
/// single bytes it is so at once.
void expect_tokens(const std::string& text, size_t index, const Vocabulary& vocabulary) {
  std::vector<bool> reached(text.size() + 1);
  reached[0] = true;
  const auto longest = static_cast<size_t>(vocabulary.longest());
  for (size_t at = 0; at < text.size(); ++at) {
    if (!reached[at]) continue;
    bool any = false;
    for (size_t n = 1; n <= std::min(longest, text.size() - at); ++n) {
      if (vocabulary.ids_of(std::string_view(text).substr(at, n)).empty()) continue;
      reached[at + n] = any = true;
    }
    if (!any)
      throw Error(ErrorCode::input_invalid,
                  {.where = place(index),
                   .got = "a text whose byte " + std::to_string(at) + " no token of the model continues",
                   .expected = "a text that the model can write"});
  }
}

}  // namespace

std::unique_ptr<Constraint> make_choice(std::vector<std::string> texts,
                                        std::shared_ptr<const Vocabulary> vocabulary) {
  if (texts.empty())
    throw Error(ErrorCode::input_invalid,
                {.where = "choices", .got = "an empty list", .expected = "at least one text"});
  if (static_cast<int64_t>(texts.size()) > grammar_limits::kChoices)
    throw Error(ErrorCode::input_too_large,
                {.where = "choices",
                 .got = std::to_string(texts.size()) + " texts",
                 .expected = "up to " + std::to_string(grammar_limits::kChoices)});
  int64_t bytes = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    bytes += static_cast<int64_t>(texts[i].size());
    if (texts[i].empty())
      throw Error(ErrorCode::input_invalid,
                  {.where = place(i), .got = "an empty text", .expected = "a text"});
    if (unicode::find_malformed(texts[i]) != std::string_view::npos)
      throw Error(ErrorCode::input_invalid,
                  {.where = place(i), .got = "malformed UTF-8", .expected = "UTF-8"});
  }
  if (bytes > grammar_limits::kBytes)
    throw Error(ErrorCode::input_too_large, {.where = "choices",
                                             .got = std::to_string(bytes) + " bytes",
                                             .expected = "up to " + std::to_string(grammar_limits::kBytes)});
  for (size_t i = 0; i < texts.size(); ++i) expect_tokens(texts[i], i, *vocabulary);
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return std::make_unique<Choice>(std::move(texts), std::move(vocabulary));
}

}  // namespace galago
