// Heights of words stand for the size of letters. What is judged wrongly costs a few guesses.
#include "convert/text_draft.h"

#include <algorithm>
#include <cmath>

#include "core/utf8.h"

namespace galago::convert {
namespace {

constexpr size_t kMostBytes = size_t{1} << 20;
constexpr double kWideGap = 2;      // between words of a line, in heights: cells, columns
constexpr double kLineGap = 0.7;    // between lines of a text
constexpr double kOtherSize = 0.2;  // of two heights, of letters of another size

double height(const PdfWord& word) { return word.bottom - word.top; }

bool same_line(const PdfWord& last, const PdfWord& word) {
  const double middle = (word.top + word.bottom) / 2;
  return middle > last.top && middle < last.bottom && word.left >= last.left;
}

bool goes_on(const PdfWord& last, const PdfWord& word) {
  const double tall = std::max(height(last), height(word));
  if (same_line(last, word)) return word.left - last.right < kWideGap * tall;
  if (std::abs(height(last) - height(word)) > kOtherSize * tall) return false;
  return word.top > last.top && word.top - last.bottom < kLineGap * tall;
}

bool small_letter(char byte) { return byte >= 'a' && byte <= 'z'; }

bool is_hyphenated(const std::string& text, const PdfWord& last, const PdfWord& word) {
  return !same_line(last, word) && text.size() >= 2 && text.back() == '-' &&
         small_letter(text[text.size() - 2]) && !word.text.empty() && small_letter(word.text.front());
}

}  // namespace

std::vector<std::string> draft_texts(std::span<const PdfWord> words) {
  std::vector<std::string> texts;
  const PdfWord* last = nullptr;
  size_t bytes = 0;
  for (const PdfWord& word : words) {
    if (word.text.empty() || unicode::find_malformed(word.text) != std::string::npos) continue;
    bytes += word.text.size() + 1;
    if (bytes > kMostBytes) break;
    if (last == nullptr || !goes_on(*last, word))
      texts.push_back(word.text);
    else if (is_hyphenated(texts.back(), *last, word))
      texts.back().replace(texts.back().size() - 1, 1, word.text);
    else
      texts.back() += " " + word.text;
    last = &word;
  }
  return texts;
}

}  // namespace galago::convert
