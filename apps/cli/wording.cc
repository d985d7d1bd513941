// See the header.
#include "wording.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace galago::cli {
namespace {

constexpr size_t kLongestWord = 64;  // no flag or command is near anything longer

// Bytes of one part of an error that is shown.
constexpr size_t kWhereBytes = 240, kGotBytes = 600, kExpectedBytes = 400, kHintBytes = 400;
constexpr size_t kMostLines = 5;  // of a list, after its heading

bool inside_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// A usage error of one of the library's options, by its flag.
Error by_flag(const Error& error) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 29> kFlags = {
      {{"temperature", "--temp"},
       {"top_k", "--top-k"},
       {"top_p", "--top-p"},
       {"min_p", "--min-p"},
       {"typical_p", "--typical-p"},
       {"epsilon_cutoff", "--epsilon-cutoff"},
       {"eta_cutoff", "--eta-cutoff"},
       {"repetition_penalty", "--repetition-penalty"},
       {"frequency_penalty", "--frequency-penalty"},
       {"presence_penalty", "--presence-penalty"},
       {"no_repeat_ngram_size", "--no-repeat-ngram-size"},
       {"min_new_tokens", "--min-new-tokens"},
       {"logit_bias", "--logit-bias"},
       {"bad_words_ids", "--bad-word"},
       {"suppress_tokens", "--suppress-token"},
       {"stop_token_ids", "--stop-token-id"},
       {"ignore_eos", "--ignore-eos"},
       {"prefix_cache_bytes", "--prefix-cache-size"},
       {"logprobs", "--logprobs"},
       {"prompt_logprobs", "--prompt-logprobs"},
       {"n", "--answers"},
       {"max_new_tokens", "--max-new-tokens"},
       {"prefill_chunk", "--prefill-chunk"},
       {"stop", "--stop"},
       {"kv_cache_dtype", "--kv-cache-dtype"},
       {"dtype", "--dtype"},
       {"compute", "--compute"},
       {"mmproj", "--mmproj"},
       {"template", "--template"}}};
  if (error.code() != ErrorCode::usage) return error;
  for (const auto& [option, flag] : kFlags)
    if (error.where() == option)
      return Error(error.code(), {.where = std::string(flag),
                                  .got = error.got(),
                                  .expected = error.expected(),
                                  .hint = error.hint()});
  return error;
}

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

std::string first_lines(const std::string& text, size_t lines, size_t limit) {
  std::string shown;
  size_t kept = 0;
  long left = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    constexpr std::string_view more = "  and ";
    if (line.starts_with(more) && line.ends_with(" more"))
      left += std::strtol(line.c_str() + more.size(), nullptr, 10);
    else if (left > 0 || kept > lines || (kept > 0 && shown.size() + line.size() > limit))
      ++left;
    else
      shown += (kept++ > 0 ? "\n" : "") + shortened(line, limit);
  }
  return left > 0 ? shown + "\n  and " + std::to_string(left) + " more" : shown;
}

Error brief(const Error& told) {
  const Error error = by_flag(told);
  const bool list = error.got().find('\n') != std::string::npos;
  return Error(error.code(), {.where = shortened(error.where(), kWhereBytes),
                              .got = list ? first_lines(error.got(), kMostLines, kGotBytes) + "\n"
                                          : shortened(error.got(), kGotBytes),
                              .expected = shortened(error.expected(), kExpectedBytes),
                              .hint = shortened(error.hint(), kHintBytes)});
}

std::string counted(long long count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

}  // namespace galago::cli
