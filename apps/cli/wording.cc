// See the header.
#include "wording.h"

#include <algorithm>

namespace galago::cli {
namespace {

constexpr size_t kLongestWord = 64;  // no flag or command is near anything longer

// Bytes of one part of an error that is shown.
constexpr size_t kWhereBytes = 240, kGotBytes = 600, kExpectedBytes = 400, kHintBytes = 400;

bool inside_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kLongestWord) return {};
  const size_t letters = word.size() - std::min(word.find_first_not_of('-'), word.size());
  size_t best = std::max<size_t>(1, letters / 3) + 1;
  std::optional<std::string> found;
  for (const std::string& candidate : known)
    if (const size_t distance = edit_distance(word, candidate); distance < best) {
      best = distance;
      found = candidate;
    }
  return found;
}

std::string shortened(std::string_view text, size_t limit) {
  if (text.size() <= limit) return std::string(text);
  size_t head = limit * 2 / 3, tail = text.size() - (limit - head);
  while (head > 0 && inside_character(text[head])) --head;
  while (tail < text.size() && inside_character(text[tail])) ++tail;
  return std::string(text.substr(0, head)) + "..." + std::string(text.substr(tail));
}

Error brief(const Error& error) {
  return Error(error.code(), {.where = shortened(error.where(), kWhereBytes),
                              .got = shortened(error.got(), kGotBytes),
                              .expected = shortened(error.expected(), kExpectedBytes),
                              .hint = shortened(error.hint(), kHintBytes)});
}

std::string counted(long long count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

}  // namespace galago::cli
