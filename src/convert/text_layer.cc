// See the header. Reference: Levenshtein 1966, by rows.
#include "convert/text_layer.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace galago::convert {
namespace {

using documents::Element;
using documents::ElementKind;

constexpr size_t kLongest = 8000;  // bytes of a text that is compared: 64 million steps

bool has_plain_words(const Element& element) {
  switch (element.kind) {
    case ElementKind::text:
    case ElementKind::paragraph:
    case ElementKind::reference:
    case ElementKind::title:
    case ElementKind::heading:
    case ElementKind::footnote:
    case ElementKind::page_header:
    case ElementKind::page_footer:
    case ElementKind::caption:
    case ElementKind::list_item:
      return !element.text.empty() && element.box;
    default:
      return false;
  }
}

// Bytes that have to be put in, taken out or changed.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

bool lies_in(const PdfWord& word, const documents::Box& box) {
  const auto [left, top, right, bottom] = box.fractions();
  const double x = (word.left + word.right) / 2, y = (word.top + word.bottom) / 2;
  return left <= x && x <= right && top <= y && y <= bottom;
}

// The words of a box in one line, as the model may have read them; of more than are compared, some.
std::string joined(std::span<const PdfWord> words, const documents::Box& box, std::string_view read) {
  std::string text;
  const PdfWord* last = nullptr;
  for (const PdfWord& word : words) {
    if (text.size() > kLongest) break;
    if (!lies_in(word, box)) continue;
    const bool new_line = last != nullptr && word.top > last->bottom - (last->bottom - last->top) / 2;
    if (new_line && text.ends_with('-')) {
      const size_t begin = text.find_last_of(' ') + 1;  // 0 without any
      if (read.find(text.substr(begin)) == std::string_view::npos) text.pop_back();
    } else if (last != nullptr) {
      text += ' ';
    }
    text += word.text;
    last = &word;
  }
  return text;
}

bool correct_element(Element& element, std::span<const PdfWord> words) {
  if (!has_plain_words(element)) return false;
  std::string text = joined(words, *element.box, element.text);
  const size_t longer = std::max(text.size(), element.text.size());
  if (text == element.text || text.empty() || longer > kLongest) return false;
  if (static_cast<double>(distance(text, element.text)) > kCloseEnough * static_cast<double>(longer))
    return false;
  element.text = std::move(text);
  return true;
}

int64_t correct_all(std::vector<Element>& elements, std::span<const PdfWord> words) {
  int64_t changed = 0;
  for (Element& element : elements)
    changed += correct_element(element, words) + correct_all(element.captions, words) +
               correct_all(element.children, words);
  return changed;
}

}  // namespace

int64_t correct(documents::Page& page, std::span<const PdfWord> words) {
  return correct_all(page.elements, words);
}

}  // namespace galago::convert
