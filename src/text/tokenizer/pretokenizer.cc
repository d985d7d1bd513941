// A split is described by its matches and a behavior: what becomes of the matched parts.
#include "text/tokenizer/pretokenizer.h"

#include <optional>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "galago/error.h"
#include "text/growth.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/metaspace.h"
#include "text/tokenizer/pattern.h"
#include "text/tokenizer/plain_text.h"
#include "text/tokenizer/scanners.h"
#include "text/tokenizer/steps.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// A part of a text: matched by the pattern or between matches.
struct Part {
  Span span;
  bool match = false;
};

/// Takes the matches of a pattern one after the other and gives out the parts of the piece.
class Splitter {
 public:
  /// With `invert`, the parts between the matches count as the matched ones.
  Splitter(const Piece& piece, Behavior behavior, bool invert, const PieceSink& out)
      : piece_(piece), behavior_(behavior), invert_(invert), out_(out) {}

  void match(const Span& span) {
    if (span.begin > at_) add({{at_, span.begin}, invert_});
    add({span, !invert_});
    at_ = span.end;
  }

  void finish() {
    if (at_ < piece_.text.size()) add({{at_, piece_.text.size()}, invert_});
    if (holds_) give(held_);
  }

 private:
  void add(const Part& part) {
    if (behavior_ == Behavior::removed && part.match) return;
    if (behavior_ == Behavior::removed || behavior_ == Behavior::isolated) return give(part);
    if (holds_ && joins(held_, part)) {
      held_.span.end = part.span.end;
      held_.match = part.match;
      return;
    }
    if (holds_) give(held_);
    held_ = part;
    holds_ = true;
  }

  bool joins(const Part& before, const Part& behind) const {
    if (behavior_ == Behavior::contiguous) return before.match == behind.match;
    if (behavior_ == Behavior::merged_with_previous) return behind.match && !before.match;
    return before.match && !behind.match;
  }

  void give(const Part& part) {
    const auto [begin, end] = part.span;
    if (end > begin) out_({piece_.text.substr(begin, end - begin), piece_.at_start && begin == 0});
  }

  const Piece& piece_;
  Behavior behavior_;
  bool invert_;
  const PieceSink& out_;
  size_t at_ = 0;
  Part held_{};  ///< the last part, which the next one may join
  bool holds_ = false;
};

void split(const Piece& piece, const Pattern& pattern, Behavior behavior, bool invert, const PieceSink& out) {
  Splitter splitter(piece, behavior, invert, out);
  pattern.for_each(piece.text, [&splitter](const Span& span) { splitter.match(span); });
  splitter.finish();
}

/// Each code point that satisfies `is` is a match of its own.
template <typename Is>
void split_at(const Piece& piece, const Is& is, Behavior behavior, const PieceSink& out) {
  Splitter splitter(piece, behavior, false, out);
  for (size_t i = 0; i < piece.text.size();) {
    const auto c = unicode::decode_at(piece.text, i);
    const size_t end = i + static_cast<size_t>(c.length);
    if (is(c.value)) splitter.match({i, end});
    i = end;
  }
  splitter.finish();
}

/// "\w+|[^\w\s]+": runs of word characters and runs of other characters that are not spaces.
void split_words(const Piece& piece, const PieceSink& out) {
  enum class Kind { space, word, other };
  Kind previous = Kind::space;
  size_t begin = 0;
  const auto give = [&](size_t end) {
    if (previous != Kind::space) out({piece.text.substr(begin, end - begin), piece.at_start && begin == 0});
  };
  for (size_t i = 0; i < piece.text.size();) {
    const auto c = unicode::decode_at(piece.text, i);
    const Kind kind = unicode::is_word(c.value)    ? Kind::word
                      : unicode::is_space(c.value) ? Kind::space
                                                   : Kind::other;
    if (kind != previous) {
      give(i);
      begin = i;
    }
    previous = kind;
    i += static_cast<size_t>(c.length);
  }
  give(piece.text.size());
}

/// Pieces of so many characters.
void split_lengths(const Piece& piece, size_t length, const PieceSink& out) {
  size_t begin = 0;
  size_t count = 0;
  for (size_t i = 0; i < piece.text.size();) {
    i += static_cast<size_t>(unicode::decode_at(piece.text, i).length);
    if (++count < length && i < piece.text.size()) continue;
    out({piece.text.substr(begin, i - begin), piece.at_start && begin == 0});
    begin = i;
    count = 0;
  }
}

void byte_level(const Piece& piece, bool add_prefix_space, bool use_regex, const PieceSink& out) {
  std::string spaced;
  if (add_prefix_space && !piece.text.starts_with(' ')) spaced.append(1, ' ').append(piece.text);
  const std::string& text = spaced.empty() ? piece.text : spaced;
  for (size_t at = 0; at < text.size();) {
    const size_t end = use_regex ? kGpt2Scanner.next(text, at) : text.size();
    out({to_byte_alphabet(std::string_view(text).substr(at, end - at)), piece.at_start && at == 0});
    at = end;
  }
}

struct Metaspace {
  MetaspaceScheme prepend = MetaspaceScheme::always;
  std::string replacement;
  bool split = true;

  static Metaspace from_json(const JsonField& field);
  void operator()(const Piece& piece, const PieceSink& out) const;
};

Metaspace Metaspace::from_json(const JsonField& field) {
  Metaspace m;
  m.replacement = field.at("replacement").string();
  if (unicode::count(m.replacement) != 1) field.at("replacement").fail("one character");
  m.prepend = metaspace_scheme(field);
  if (const auto cut = field.find("split")) m.split = cut->boolean();
  return m;
}

void Metaspace::operator()(const Piece& piece, const PieceSink& out) const {
  std::string text;
  for (const char c : piece.text) {
    if (c == ' ') {
      text += replacement;
    } else {
      text += c;
    }
  }
  const bool wanted =
      prepend == MetaspaceScheme::always || (prepend == MetaspaceScheme::first && piece.at_start);
  if (wanted && !text.starts_with(replacement)) text.insert(0, replacement);
  const Piece changed{std::move(text), piece.at_start};
  if (!split) {
    out(changed);
    return;
  }
  galago::split(changed, Pattern::literal(replacement), Behavior::merged_with_next, false, out);
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

using Step = std::function<void(Piece, const PieceSink&)>;

template <typename Is>
Step splits_at(Is is, Behavior behavior) {
  return [is, behavior](const Piece& p, const PieceSink& out) { split_at(p, is, behavior, out); };
}

Step split_step(const JsonField& field) {
  const Behavior behavior = behavior_of(field.at("behavior"));
  const bool invert = field.at("invert").boolean();
  return [pattern = Pattern::from_json(field.at("pattern")), behavior, invert](
             const Piece& p, const PieceSink& out) { split(p, pattern, behavior, invert, out); };
}

Step byte_level_step(const JsonField& field) {
  const bool prefix = field.at("add_prefix_space").boolean();
  const auto use = field.find("use_regex");
  const bool regex = !use || use->boolean();  // absent: true
  return [prefix, regex](const Piece& p, const PieceSink& out) { byte_level(p, prefix, regex, out); };
}

Step digits_step(const JsonField& field) {
  const bool individual = field.at("individual_digits").boolean();
  return splits_at(unicode::is_rust_numeric, individual ? Behavior::isolated : Behavior::contiguous);
}

Step punctuation_step(const JsonField& field) {
  const auto behavior = field.find("behavior");  // absent: isolated
  return splits_at(unicode::is_bert_punctuation, behavior ? behavior_of(*behavior) : Behavior::isolated);
}

Step delimiter_step(const JsonField& field) {
  const std::string& delimiter = field.at("delimiter").string();
  if (unicode::count(delimiter) != 1) field.at("delimiter").fail("one character");
  return splits_at([c = unicode::decode_at(delimiter, 0).value](char32_t other) { return other == c; },
                   Behavior::removed);
}

/// Words between spaces, each sign of punctuation apart.
void bert_words(const Piece& piece, const PieceSink& out) {
  split_at(piece, unicode::is_space, Behavior::removed, [&out](const Piece& word) {
    split_at(word, unicode::is_bert_punctuation, Behavior::isolated, out);
  });
}

Step fixed_length_step(const JsonField& field) {
  const auto given = field.find("length");
  const auto length = static_cast<size_t>(given ? given->integer(1, limits::kPromptBytes) : 5);  // absent: 5
  return [length](const Piece& p, const PieceSink& out) { split_lengths(p, length, out); };
}

/// A type that is no sequence; nothing for an unknown one.
std::optional<Step> step_of(const std::string& type, const JsonField& field) {
  if (type == "ByteLevel") return byte_level_step(field);
  if (type == "Digits") return digits_step(field);
  if (type == "Split") return split_step(field);
  if (type == "Punctuation") return punctuation_step(field);
  if (type == "CharDelimiterSplit") return delimiter_step(field);
  if (type == "Whitespace") return split_words;
  if (type == "WhitespaceSplit") return splits_at(unicode::is_space, Behavior::removed);
  if (type == "BertPreTokenizer") return bert_words;
  if (type == "FixedLength") return fixed_length_step(field);
  if (type == "Metaspace") return Metaspace::from_json(field);
  if (type != "PlainText") return std::nullopt;
  return [plain = PlainText::from_json(field)](const Piece& p, const PieceSink& out) {
    out({plain(p.text, p.at_start), p.at_start, plain.skip()});
  };
}

}  // namespace

PreTokenizer PreTokenizer::from_json(const JsonField& field) {
  PreTokenizer made;
  for (const JsonField& step : steps_of(field, "pretokenizers")) made.add(step);
  return made;
}

void PreTokenizer::add(const JsonField& field) {
  const std::string& type = field.at("type").string();
  auto step = step_of(type, field);
  if (!step)
    throw Error(
        ErrorCode::model_unsupported,
        {.where = field.where() + ".type",
         .got = in_quotes(type),
         .expected =
             "ByteLevel, Digits, Split, Punctuation, CharDelimiterSplit, Whitespace, WhitespaceSplit, "
             "BertPreTokenizer, FixedLength, Metaspace or Sequence"});
  steps_.push_back(*std::move(step));
}

PreTokenizer::Run::Run(const PreTokenizer& owner, size_t most)
    : steps_(owner.steps_), most_(most), made_(owner.steps_.size()) {}

void PreTokenizer::Run::operator()(Piece text, const PieceSink& out) {
  if (!text.text.empty()) from(0, std::move(text), out);
}

void PreTokenizer::Run::from(size_t step, Piece piece, const PieceSink& out) {
  if (step == steps_.size()) return out(std::move(piece));
  // A step keeps its piece while those behind it work on the parts.
  const size_t kept = piece.text.size();
  check_grown(kept_ += kept, kKept * most_, "pre-tokenizer");
  steps_[step](std::move(piece), [&, step](Piece part) {
    check_grown(made_[step] += part.text.size(), most_, "pre-tokenizer");
    from(step + 1, std::move(part), out);
  });
  kept_ -= kept;
}

}  // namespace galago
