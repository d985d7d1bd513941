// A split is described by its matches and a behavior: what becomes of the matched parts.
#include "text/pretokenizer.h"

#include <algorithm>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"
#include "text/byte_alphabet.h"
#include "text/pattern.h"
#include "text/plain_text.h"
#include "text/scanners.h"
#include "text/unicode.h"

namespace galago {
namespace {

constexpr int kSequenceDepth = 8;

enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// A part of a text: matched by the pattern or between matches.
struct Part {
  Span span;
  bool match = false;
};

/// The whole text as alternating parts; with invert, the roles are exchanged.
std::vector<Part> parts_of(std::string_view text, const std::vector<Span>& matches, bool invert) {
  std::vector<Part> parts;
  size_t at = 0;
  for (const Span& m : matches) {
    if (m.begin > at) parts.push_back({{at, m.begin}, invert});
    parts.push_back({m, !invert});
    at = m.end;
  }
  if (at < text.size()) parts.push_back({{at, text.size()}, invert});
  return parts;
}

/// Joins a part to the one before it where `join` says so.
template <typename Join>
std::vector<Part> joined_parts(const std::vector<Part>& parts, const Join& join) {
  std::vector<Part> out;
  bool previous = false;
  for (const Part& part : parts) {
    if (!out.empty() && join(part.match, previous)) {
      out.back().span = {std::min(out.back().span.begin, part.span.begin),
                         std::max(out.back().span.end, part.span.end)};
    } else {
      out.push_back(part);
    }
    previous = part.match;
  }
  return out;
}

std::vector<Part> apply(Behavior behavior, std::vector<Part> parts) {
  const auto first_of_run = [](bool match, bool previous) { return match && !previous; };
  switch (behavior) {
    case Behavior::removed:
      std::erase_if(parts, [](const Part& part) { return part.match; });
      return parts;
    case Behavior::isolated:
      return parts;
    case Behavior::contiguous:
      return joined_parts(parts, [](bool match, bool previous) { return match == previous; });
    case Behavior::merged_with_previous:
      return joined_parts(parts, first_of_run);
    case Behavior::merged_with_next:
      break;
  }
  std::vector<Part> backwards(parts.rbegin(), parts.rend());
  backwards = joined_parts(backwards, first_of_run);
  return {backwards.rbegin(), backwards.rend()};
}

void split(const Piece& piece, const std::vector<Span>& matches, Behavior behavior, bool invert,
           Pieces& out) {
  for (const Part& part : apply(behavior, parts_of(piece.text, matches, invert))) {
    const auto [begin, end] = part.span;
    if (end > begin) out.push_back({piece.text.substr(begin, end - begin), piece.at_start && begin == 0});
  }
}

/// Each code point that satisfies `is`, as a match of its own.
template <typename Is>
std::vector<Span> each(std::string_view text, const Is& is) {
  std::vector<Span> found;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    const size_t end = i + static_cast<size_t>(c.length);
    if (is(c.value)) found.push_back({i, end});
    i = end;
  }
  return found;
}

/// "\w+|[^\w\s]+": runs of word characters and runs of other characters that are not spaces.
std::vector<Span> words(std::string_view text) {
  enum class Kind { space, word, other };
  std::vector<Span> found;
  Kind previous = Kind::space;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    const size_t end = i + static_cast<size_t>(c.length);
    const Kind kind = unicode::is_word(c.value)    ? Kind::word
                      : unicode::is_space(c.value) ? Kind::space
                                                   : Kind::other;
    if (kind != Kind::space && kind == previous) found.back().end = end;
    if (kind != Kind::space && kind != previous) found.push_back({i, end});
    previous = kind;
    i = end;
  }
  return found;
}

void byte_level(const Piece& piece, bool add_prefix_space, bool use_regex, Pieces& out) {
  const bool prefix = add_prefix_space && !piece.text.starts_with(' ');
  const std::string text = prefix ? " " + piece.text : piece.text;
  for (size_t at = 0; at < text.size();) {
    const size_t end = use_regex ? kGpt2Scanner.next(text, at) : text.size();
    out.push_back({to_byte_alphabet(std::string_view(text).substr(at, end - at)), piece.at_start && at == 0});
    at = end;
  }
}

struct Metaspace {
  enum class Prepend { never, first, always } prepend = Prepend::always;
  std::string replacement;
  bool split = true;

  static Metaspace from_json(const JsonField& field);
  void operator()(const Piece& piece, Pieces& out) const;
};

Metaspace Metaspace::from_json(const JsonField& field) {
  Metaspace m;
  m.replacement = field.at("replacement").string();
  if (unicode::count(m.replacement) != 1) field.at("replacement").fail("one character");
  if (const auto scheme = field.find("prepend_scheme")) {
    const std::string& name = scheme->string();
    if (name != "always" && name != "first" && name != "never") scheme->fail("always, first or never");
    m.prepend = name == "always" ? Prepend::always : name == "first" ? Prepend::first : Prepend::never;
  }
  // The older spelling of prepend_scheme.
  if (const auto add = field.find("add_prefix_space"); add && !add->boolean()) m.prepend = Prepend::never;
  if (const auto cut = field.find("split")) m.split = cut->boolean();
  return m;
}

void Metaspace::operator()(const Piece& piece, Pieces& out) const {
  std::string text;
  for (const char c : piece.text) {
    if (c == ' ') {
      text += replacement;
    } else {
      text += c;
    }
  }
  const bool wanted = prepend == Prepend::always || (prepend == Prepend::first && piece.at_start);
  if (wanted && !text.starts_with(replacement)) text.insert(0, replacement);
  const Piece changed{std::move(text), piece.at_start};
  if (!split) {
    out.push_back(changed);
    return;
  }
  galago::split(changed, Pattern::literal(replacement).find_all(changed.text), Behavior::merged_with_next,
                false, out);
}

Behavior behavior_of(const JsonField& field) {
  const std::string& name = field.string();
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  field.fail("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

}  // namespace

PreTokenizer PreTokenizer::from_json(const JsonField& field) {
  PreTokenizer made;
  made.add(field, 0);
  return made;
}

void PreTokenizer::add(const JsonField& field, int depth) {
  const std::string& type = field.at("type").string();
  if (type == "Sequence") {
    const JsonField list = field.at("pretokenizers");
    if (depth >= kSequenceDepth) list.fail("at most " + std::to_string(kSequenceDepth) + " nested sequences");
    for (size_t i = 0; i < list.size(); ++i) add(list.at(i), depth + 1);
  } else if (type == "ByteLevel") {
    const bool prefix = field.at("add_prefix_space").boolean();
    const auto use = field.find("use_regex");
    const bool regex = !use || use->boolean();  // absent: true
    steps_.push_back([prefix, regex](const Piece& p, Pieces& out) { byte_level(p, prefix, regex, out); });
  } else if (type == "Digits") {
    const auto individual = field.find("individual_digits");  // absent: false
    const Behavior behavior = individual && individual->boolean() ? Behavior::isolated : Behavior::contiguous;
    steps_.push_back([behavior](const Piece& p, Pieces& out) {
      split(p, each(p.text, unicode::is_number), behavior, false, out);
    });
  } else if (type == "Split") {
    const Behavior behavior = behavior_of(field.at("behavior"));
    const bool invert = field.at("invert").boolean();
    steps_.push_back(
        [pattern = Pattern::from_json(field.at("pattern")), behavior, invert](const Piece& p, Pieces& out) {
          split(p, pattern.find_all(p.text), behavior, invert, out);
        });
  } else if (type == "Whitespace") {
    steps_.push_back(
        [](const Piece& p, Pieces& out) { split(p, words(p.text), Behavior::removed, true, out); });
  } else if (type == "WhitespaceSplit") {
    steps_.push_back([](const Piece& p, Pieces& out) {
      split(p, each(p.text, unicode::is_space), Behavior::removed, false, out);
    });
  } else if (type == "Metaspace") {
    steps_.push_back(Metaspace::from_json(field));
  } else if (type == "PlainText") {
    steps_.push_back([plain = PlainText::from_json(field)](const Piece& p, Pieces& out) {
      out.push_back({plain(p.text, p.at_start), p.at_start, plain.skip()});
    });
  } else {
    throw Error(ErrorCode::model_unsupported,
                {.where = field.where() + ".type",
                 .got = in_quotes(type),
                 .expected = "ByteLevel, Digits, Split, Whitespace, WhitespaceSplit, Metaspace or Sequence"});
  }
}

Pieces PreTokenizer::operator()(Piece text) const {
  Pieces pieces;
  if (!text.text.empty()) pieces.push_back(std::move(text));
  for (const Step& step : steps_) {
    Pieces next;
    for (const Piece& piece : pieces) step(piece, next);
    pieces = std::move(next);
  }
  return pieces;
}

}  // namespace galago
