// The file's own numbers are never trusted: a table that leads outside itself ends the walk, and a
// replacement outside the texts is an error.
#include "text/tokenizer/charsmap.h"

#include <algorithm>
#include <array>

#include "galago/error.h"
#include "text/growth.h"
#include "text/unicode/graphemes.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

/// Graphemes of this many bytes and more are looked up by code points only.
constexpr size_t kLongGrapheme = 6;

/// As many bytes as a prefix may have: a text is walked once, and at each byte no further than this. Rules
/// rewrite a character or a few; a map that leads further is refused when it is read.
constexpr size_t kPrefixBytes = 128;

void append(MarkedText& out, std::string_view text, bool user, size_t most) {
  check_grown(out.size() + text.size(), most, "normalizer");
  out.append(text, user);
}

/// Parts of a unit of the double array.
uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }
uint32_t label_of(uint32_t unit) { return unit & ((1U << 31) | 0xFFU); }
uint32_t value_of(uint32_t unit) { return unit & ((1U << 31) - 1); }
bool has_leaf(uint32_t unit) { return ((unit >> 8) & 1U) != 0; }

uint32_t little_endian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

/// The longest walk through a table. Texts that end alike share their ends, so it is a graph rather than a
/// tree, and a stranger's may lead in a circle: then, or when the walk has more steps than a prefix may have,
/// the answer is nothing. Takes time in proportion to the table.
class LongestWalk {
 public:
  explicit LongestWalk(const std::vector<uint32_t>& units)
      : units_(units), first_child_(units.size() + 1), walks_(units.size(), kUnseen) {
    for_each_child([this](size_t parent, size_t) { ++first_child_[parent + 1]; });
    for (size_t i = 0; i < units.size(); ++i) first_child_[i + 1] += first_child_[i];
    children_.resize(first_child_.back());
    std::vector<uint32_t> next(first_child_.begin(), first_child_.end() - 1);
    for_each_child(
        [&](size_t parent, size_t unit) { children_[next[parent]++] = static_cast<uint32_t>(unit); });
  }

  std::optional<size_t> operator()() {
    const int32_t steps = from(offset_of(units_[0]), kPrefixBytes);
    return steps < 0 ? std::nullopt : std::optional<size_t>(steps);
  }

 private:
  static constexpr int32_t kUnseen = -1;
  static constexpr int32_t kOpen = -2;
  static constexpr int32_t kEndless = -3;

  /// A unit that is the step of a byte lies at its parent's place ^ byte.
  template <typename Visit>
  void for_each_child(const Visit& visit) const {
    for (size_t i = 0; i < units_.size(); ++i) {
      const uint32_t label = label_of(units_[i]);
      if (label > 0 && label < 256 && (i ^ label) < units_.size()) visit(i ^ label, i);
    }
  }

  /// Steps from a place, at most `most`; kEndless when there are more. A place is done once and for all: it
  /// is only given up where the whole table is.
  int32_t from(size_t place, size_t most) {
    if (place >= units_.size()) return 0;
    if (walks_[place] == kOpen) return kEndless;
    if (walks_[place] != kUnseen) return walks_[place];
    walks_[place] = kOpen;
    int32_t longest = 0;
    for (uint32_t i = first_child_[place]; i < first_child_[place + 1]; ++i) {
      const size_t unit = children_[i];
      const int32_t steps = most == 0 ? kEndless : from(unit ^ offset_of(units_[unit]), most - 1);
      if (steps == kEndless) return kEndless;
      longest = std::max(longest, steps + 1);
    }
    return walks_[place] = longest;
  }

  const std::vector<uint32_t>& units_;
  std::vector<uint32_t> first_child_;  ///< of each place, in children_
  std::vector<uint32_t> children_;     ///< units
  std::vector<int32_t> walks_;         ///< of each place
};

}  // namespace

Charsmap Charsmap::parse(std::string_view bytes, const std::string& where) {
  const auto fail = [&](const std::string& got) -> Error {
    return {ErrorCode::model_invalid,
            {.where = where, .got = got, .expected = "the size of a table, the table and its texts"}};
  };
  if (bytes.size() < 4) throw fail(std::to_string(bytes.size()) + " bytes");
  const uint32_t size = little_endian(bytes, 0);
  if (size > bytes.size() - 4 || size % 4 != 0 || size == 0)
    throw fail("a table of " + std::to_string(size) + " bytes in " + std::to_string(bytes.size()));
  Charsmap map;
  map.where_ = where;
  map.units_.resize(size / 4);
  for (size_t i = 0; i < map.units_.size(); ++i) map.units_[i] = little_endian(bytes, 4 + 4 * i);
  const auto longest = LongestWalk(map.units_)();
  if (!longest || *longest > kPrefixBytes)
    throw Error(ErrorCode::model_invalid,
                {.where = where,
                 .got = "a table with a circle or a long prefix",
                 .expected = "prefixes of at most " + std::to_string(kPrefixBytes) + " bytes"});
  map.replacements_ = bytes.substr(4 + size);
  if (unicode::find_malformed(map.replacements_) != std::string::npos) throw fail("texts that are not UTF-8");
  return map;
}

std::optional<Charsmap::Match> Charsmap::find(std::string_view text, bool longest) const {
  std::optional<Match> match;
  size_t node = offset_of(units_[0]);
  for (size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size() || label_of(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) break;
    match = Match{i + 1, value_of(units_[node])};
    if (!longest) break;
  }
  return match;
}

std::string_view Charsmap::replacement_at(uint32_t offset) const {
  if (offset >= replacements_.size())
    throw Error(ErrorCode::model_invalid, {.where = where_,
                                           .got = "a replacement at byte " + std::to_string(offset),
                                           .expected = "less than " + std::to_string(replacements_.size())});
  const std::string_view rest = std::string_view(replacements_).substr(offset);
  const std::string_view found = rest.substr(0, rest.find('\0'));
  if (unicode::find_malformed(found) != std::string_view::npos)
    throw Error(
        ErrorCode::model_invalid,
        {.where = where_, .got = "a replacement that begins inside a character", .expected = "UTF-8"});
  return found;
}

MarkedText Charsmap::replace_longest(const MarkedText& text) const {
  const size_t most = most_grown(text.size());
  MarkedText out;
  const std::string_view all = text.text();
  for (size_t at = 0; at < all.size();) {
    const auto character = static_cast<size_t>(unicode::decode_at(all, at).length);
    const auto match = find(all.substr(at), true);
    // A prefix that ends inside a character is the table's fault; the character stays whole.
    const bool whole =
        match && (at + match->length == all.size() || unicode::begins_character(all[at + match->length]));
    if (whole) {
      append(out, replacement_at(match->replacement), text.any_user(at, at + match->length), most);
    } else {
      out.append(text, at, at + character);
    }
    at += whole ? match->length : character;
  }
  return out;
}

MarkedText Charsmap::replace_graphemes(const MarkedText& text) const {
  const size_t most = most_grown(text.size());
  MarkedText out;
  const std::string_view all = text.text();
  const auto replace = [&](size_t begin, size_t end) {
    const auto match = find(all.substr(begin, end - begin), false);
    if (match) append(out, replacement_at(match->replacement), text.any_user(begin, end), most);
    return match.has_value();
  };
  for (size_t at = 0; at < all.size();) {
    const size_t end = unicode::grapheme_end(all, at);
    if (end - at < kLongGrapheme && replace(at, end)) {
      at = end;
      continue;
    }
    while (at < end) {
      const size_t next = at + static_cast<size_t>(unicode::decode_at(all, at).length);
      if (!replace(at, next)) out.append(text, at, next);
      at = next;
    }
  }
  return out;
}

}  // namespace galago
