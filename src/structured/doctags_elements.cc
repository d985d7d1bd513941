// See the header.
#include "structured/doctags_elements.h"

#include <algorithm>
#include <string>
#include <utility>

#include "galago/error.h"

namespace galago {
namespace {

/// Sums over tokens; a Confidence once they are divided.
struct Sums {
  Confidence of;

  void add(float logprob, float margin) {
    add({.tokens = 1, .mean_logprob = logprob, .min_logprob = logprob, .margin = margin});
  }
  void add(const Confidence& more) {
    if (more.tokens == 0) return;
    of.min_logprob = of.tokens == 0 ? more.min_logprob : std::min(of.min_logprob, more.min_logprob);
    of.tokens += more.tokens;
    of.mean_logprob += more.mean_logprob;
    of.margin += more.margin;
  }
  Confidence means() const {
    Confidence divided = of;
    if (of.tokens == 0) return divided;
    divided.mean_logprob /= static_cast<double>(of.tokens);
    divided.margin /= static_cast<double>(of.tokens);
    return divided;
  }
};

/// An element that is open: what it is, its place in the list, and its tokens so far.
struct Open {
  DocElement element;
  size_t at;
  Sums sums;
};

/// The elements so far, and those that are open.
class Reader {
 public:
  explicit Reader(const DocTagsVocabulary& vocabulary) : vocabulary_(vocabulary) {}

  void read(int64_t at, int32_t id, float logprob, float margin) {
    const DocToken token = vocabulary_.token(id);
    // An element that cannot be closed would take in the rest of the answer.
    const bool known = vocabulary_.elements().has(token.element);
    const bool page = token.element == DocElement::doctag;
    if (known && page && token.kind == DocToken::Kind::close) end_above(0, at);
    if (known && !page && token.kind == DocToken::Kind::open) {
      open_.push_back({.element = token.element, .at = found_.size(), .sums = {}});
      found_.push_back({.name = doc_name(token.element),
                        .begin = at,
                        .end = at,
                        .depth = static_cast<int64_t>(open_.size()) - 1,
                        .confidence = {}});
    }
    const size_t closed = known && token.kind == DocToken::Kind::close ? innermost(token.element) : 0;
    if (closed > 0) end_above(closed, at);
    if (!open_.empty()) open_.back().sums.add(logprob, margin);
    if (closed > 0) end_above(closed - 1, at + 1);
  }
  std::vector<AnswerElement> finish(int64_t size) {
    end_above(0, size);
    return std::move(found_);
  }

 private:
  /// How many are open up to the last one of this kind; 0: none is.
  size_t innermost(DocElement element) const {
    size_t depth = open_.size();
    while (depth > 0 && open_[depth - 1].element != element) --depth;
    return depth;
  }
  void end_above(size_t depth, int64_t end) {
    while (open_.size() > depth) {
      const Open last = open_.back();
      open_.pop_back();
      found_[last.at].end = end;
      found_[last.at].confidence = last.sums.means();
      if (!open_.empty()) open_.back().sums.add(last.sums.of);
    }
  }

  const DocTagsVocabulary& vocabulary_;
  std::vector<AnswerElement> found_;
  std::vector<Open> open_;
};

}  // namespace

Confidence confidence(std::span<const float> logprobs, std::span<const float> margins) {
  Sums sums;
  for (size_t i = 0; i < logprobs.size(); ++i) sums.add(logprobs[i], margins[i]);
  return sums.means();
}

std::vector<AnswerElement> elements(const DocTagsVocabulary& vocabulary, std::span<const int32_t> ids,
                                    std::span<const float> logprobs, std::span<const float> margins) {
  if (logprobs.size() != ids.size() || margins.size() != ids.size())
    throw Error(ErrorCode::internal,
                {.where = "elements of DocTags",
                 .got = std::to_string(logprobs.size()) + " log probabilities and " +
                        std::to_string(margins.size()) + " margins",
                 .expected = "one for each of " + std::to_string(ids.size()) + " tokens"});
  Reader reader(vocabulary);
  for (size_t i = 0; i < ids.size(); ++i)
    reader.read(static_cast<int64_t>(i), ids[i], logprobs[i], margins[i]);
  return reader.finish(static_cast<int64_t>(ids.size()));
}

}  // namespace galago
