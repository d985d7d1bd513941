// A trie finds the longest token at each byte; a match never leaves the run of bytes that one author wrote.
// The options of a token (single_word, lstrip, rstrip) apply after the match, as in the reference.
// Reference: `tokenizers` added_vocabulary.rs.
#include "text/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"
#include "text/growth.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

/// Longest text of an added token, in bytes: bounds the work at each byte of a prompt.
constexpr size_t kContentBytes = 512;

bool word_before(std::string_view text, size_t at) {
  const auto c = unicode::decode_before(text, at);
  return c.length > 0 && unicode::is_word(c.value);
}

bool word_behind(std::string_view text, size_t at) {
  const auto c = unicode::decode_at(text, at);
  return c.length > 0 && unicode::is_word(c.value);
}

/// Where the spaces before `at` begin, not before `least`.
size_t skip_spaces_left(std::string_view text, size_t at, size_t least) {
  while (at > least) {
    const auto c = unicode::decode_before(text, at);
    if (!unicode::is_space(c.value)) break;
    at -= static_cast<size_t>(c.length);
  }
  return at;
}

size_t skip_spaces_right(std::string_view text, size_t at) {
  for (;;) {
    const auto c = unicode::decode_at(text, at);
    if (c.length == 0 || !unicode::is_space(c.value)) return at;
    at += static_cast<size_t>(c.length);
  }
}

bool flag(const JsonField& token, const std::string& key) {
  const auto field = token.find(key);
  return field && field->boolean();  // absent: false
}

/// A token's text, normalized; nothing where it grows too far.
std::optional<std::string> decoded(const std::string& content, const Normalizer& normalizer) {
  try {
    return normalizer(MarkedText(content), most_grown(content.size())).text();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input_too_large) throw;
    return std::nullopt;
  }
}

AddedToken read_token(const JsonField& field, const Vocabulary& vocabulary, const Normalizer& normalizer) {
  AddedToken token;
  token.content = field.at("content").string();
  token.id = static_cast<int32_t>(field.at("id").integer(0, kMaxTokenId));
  token.single_word = flag(field, "single_word");
  token.lstrip = flag(field, "lstrip");
  token.rstrip = flag(field, "rstrip");
  token.special = flag(field, "special");
  token.normalized = flag(field, "normalized");
  const auto fits = [](const std::string& text) { return text.size() <= kContentBytes; };
  const auto text =
      token.normalized && fits(token.content) ? decoded(token.content, normalizer) : token.content;
  if (token.content.empty() || !fits(token.content) || !text || !fits(*text))
    field.at("content").fail("a text of 1 to " + std::to_string(kContentBytes) + " bytes");
  token.decoded = *text;
  if (const auto known = id_in(vocabulary, token.content); known && *known != token.id)
    field.at("id").fail("the vocabulary's id " + std::to_string(*known));
  return token;
}

}  // namespace

bool TokenTrie::add(std::string_view text, int32_t index) {
  uint32_t node = 0;
  for (const char c : text) {
    const auto [edge, fresh] =
        edges_.emplace(static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(c), nodes_);
    if (fresh) ++nodes_;
    node = edge->second;
  }
  return ends_.emplace(node, index).second;
}

std::optional<std::pair<int32_t, size_t>> TokenTrie::longest(std::string_view text, size_t at,
                                                             size_t end) const {
  std::optional<std::pair<int32_t, size_t>> best;
  uint32_t node = 0;
  while (at < end) {
    const auto edge = edges_.find(static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(text[at]));
    if (edge == edges_.end()) break;
    node = edge->second;
    ++at;
    if (const auto found = ends_.find(node); found != ends_.end()) best = {found->second, at};
  }
  return best;
}

/// A token found at bytes [begin, end), spaces that it takes included.
struct AddedTokens::Found {
  size_t begin = 0;
  size_t end = 0;
  int32_t id = 0;
};

AddedTokens::AddedTokens(const JsonField& field, const Vocabulary& vocabulary, const Normalizer& normalizer) {
  const size_t count = field.size();
  tokens_.reserve(count);
  std::unordered_map<int32_t, size_t> ids;
  std::unordered_map<std::string, size_t> contents;
  std::unordered_map<int32_t, const std::string*> words;
  for (const auto& [token, id] : vocabulary) words.emplace(id, &token);
  for (size_t i = 0; i < count; ++i) {
    const JsonField entry = field.at(i);
    AddedToken token = read_token(entry, vocabulary, normalizer);
    if (!ids.emplace(token.id, i).second) entry.at("id").fail("an id that no other added token has");
    if (const auto word = words.find(token.id); word != words.end() && *word->second != token.content)
      entry.at("id").fail("a free id", "it belongs to " + in_quotes(*word->second) + " of the vocabulary");
    if (!contents.emplace(token.content, i).second)
      entry.at("content").fail("a text that no other added token has");
    TokenTrie& trie = token.normalized ? normalized_ : raw_;
    if (!trie.add(token.decoded, static_cast<int32_t>(i)))
      entry.at("content").fail("a text that differs from the others when normalized");
    tokens_.push_back(std::move(token));
  }
}

std::vector<AddedTokens::Found> AddedTokens::find(const MarkedText& marked, const TokenTrie& trie,
                                                  bool parse_special) const {
  std::vector<Found> found;
  if (trie.empty()) return found;
  const std::string& text = marked.text();
  size_t taken = 0;  // end of what the tokens found so far cover
  size_t run_begin = 0;
  for (const MarkedText::Run& run : marked.runs()) {
    // With parse_special the runs do not matter: the first pass below covers the whole text.
    const size_t end = parse_special ? text.size() : run.end;
    for (size_t at = run_begin; at < end && (parse_special || !run.user);) {
      const auto match = trie.longest(text, at, end);
      if (!match) {
        ++at;
        continue;
      }
      const AddedToken& token = tokens_[static_cast<size_t>(match->first)];
      size_t begin = at;
      size_t stop = match->second;
      at = stop;
      if (token.single_word && (word_before(text, begin) || word_behind(text, stop))) continue;
      if (token.lstrip) begin = skip_spaces_left(text, begin, std::min(taken, begin));
      if (token.rstrip) stop = skip_spaces_right(text, stop);
      found.push_back({std::max(begin, std::min(taken, stop)), stop, token.id});
      taken = stop;
    }
    run_begin = end;
    if (parse_special) break;
  }
  return found;
}

std::vector<PromptPart> AddedTokens::cut(const MarkedText& prompt, const Normalizer& normalizer,
                                         bool parse_special) const {
  std::vector<PromptPart> parts;
  size_t most = most_grown(prompt.size());  // of all parts together
  const auto add_text = [&](size_t begin, size_t end) {
    if (begin >= end) return;
    const MarkedText text = normalizer(prompt.slice(begin, end), most);
    most -= text.size();
    size_t at = 0;
    for (const Found& f : find(text, normalized_, parse_special)) {
      if (f.begin > at) parts.push_back({{}, text.text().substr(at, f.begin - at), begin == 0 && at == 0});
      parts.push_back({f.id, {}, false});
      at = f.end;
    }
    if (at < text.size()) parts.push_back({{}, text.text().substr(at), begin == 0 && at == 0});
  };
  size_t at = 0;
  for (const Found& f : find(prompt, raw_, parse_special)) {
    add_text(at, f.begin);
    parts.push_back({f.id, {}, false});
    at = f.end;
  }
  add_text(at, prompt.size());
  return parts;
}

}  // namespace galago
