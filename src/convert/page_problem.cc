// See the header. Reference: docling 2.143, which stops an answer at the same measures.
#include "convert/page_problem.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace galago::convert {
namespace {

using documents::Element;

constexpr int kSameElements = 3;
constexpr size_t kShortElement = 12;  // bytes: "Yes", "1,000" may come often
constexpr size_t kLongestTail = 320;
constexpr size_t kTailRepeats = 16;
constexpr size_t kShortestLoop = 32;  // bytes of all repeats: a line of dots is none

bool has_words(const Element& element) {
  if (!element.text.empty() || !element.smiles.empty() || !element.key_values.cells.empty()) return true;
  if (element.kind == documents::ElementKind::picture || element.kind == documents::ElementKind::chart)
    return true;
  if (element.table &&
      std::ranges::any_of(element.table->cells, [](const auto& cell) { return !cell.text.empty(); }))
    return true;
  return std::ranges::any_of(element.children, has_words) || std::ranges::any_of(element.captions, has_words);
}

// Whether the end of a text repeats; by the prefix function of the text read backwards, whose value at i says
// by which period the last i + 1 bytes repeat.
bool tail_repeats(std::string_view text) {
  text = text.substr(text.size() - std::min(text.size(), (kTailRepeats + 1) * kLongestTail));
  const auto back = [text](size_t i) { return text[text.size() - 1 - i]; };
  std::vector<size_t> same(text.size());
  for (size_t i = 1; i < text.size(); ++i) {
    size_t length = same[i - 1];
    while (length > 0 && back(length) != back(i)) length = same[length - 1];
    same[i] = length + (back(length) == back(i));
    const size_t period = i + 1 - same[i];
    if (i + 1 >= kShortestLoop && period <= kLongestTail && i + 1 >= kTailRepeats * period) return true;
  }
  return false;
}

bool loops(const std::vector<Element>& elements) {
  int same = 1;
  for (size_t i = 0; i < elements.size(); ++i) {
    const Element& one = elements[i];
    const bool again = i > 0 && one.kind == elements[i - 1].kind && one.text == elements[i - 1].text;
    same = again && one.text.size() >= kShortElement ? same + 1 : 1;
    if (same >= kSameElements || tail_repeats(one.text) || loops(one.children)) return true;
  }
  return false;
}

}  // namespace

const char* to_string(PageProblem problem) {
  switch (problem) {
    case PageProblem::none:
      return "";
    case PageProblem::cut:
      return "cut";
    case PageProblem::empty:
      return "empty";
    case PageProblem::loop:
      return "loop";
  }
  return "";
}

const char* explain(PageProblem problem) {
  switch (problem) {
    case PageProblem::none:
      return "";
    case PageProblem::cut:
      return "ends at the token limit, so the rest is missing";
    case PageProblem::empty:
      return "nothing was read";
    case PageProblem::loop:
      return "the same is said again and again";
  }
  return "";
}

PageProblem find_problem(const documents::Document& page, FinishReason finish) {
  for (const documents::Page& one : page.pages)
    if (loops(one.elements)) return PageProblem::loop;
  if (finish == FinishReason::length) return PageProblem::cut;
  const bool words = std::ranges::any_of(
      page.pages, [](const documents::Page& one) { return std::ranges::any_of(one.elements, has_words); });
  return words ? PageProblem::none : PageProblem::empty;
}

}  // namespace galago::convert
