// Steps run one within the other, and each may look at the whole text: their number is bounded here.
#include "text/tokenizer/steps.h"

namespace galago {
namespace {

constexpr int kSequenceDepth = 8;

void collect(const JsonField& field, const std::string& list, int depth, std::vector<JsonField>& steps) {
  if (field.at("type").string() != "Sequence") {
    if (steps.size() >= limits::kTokenizerSteps)
      field.fail("at most " + std::to_string(limits::kTokenizerSteps) + " steps");
    steps.push_back(field);
    return;
  }
  const JsonField entries = field.at(list);
  if (depth >= kSequenceDepth)
    entries.fail("at most " + std::to_string(kSequenceDepth) + " nested sequences");
  for (size_t i = 0; i < entries.size(); ++i) collect(entries.at(i), list, depth + 1, steps);
}

}  // namespace

std::vector<JsonField> steps_of(const JsonField& field, const std::string& list) {
  std::vector<JsonField> steps;
  collect(field, list, 0, steps);
  return steps;
}

}  // namespace galago
