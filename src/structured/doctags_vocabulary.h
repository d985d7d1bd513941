// Which tokens of a vocabulary are which DocTags. In: the texts of its tokens. Out: a class for each id, and
// sets of ids that masks are made of.
//
// Vocabularies differ. Granite-Docling has a token of its own for most tags, but spells the locations:
// "<", "loc", "_", "155", "><", "loc", ... SmolDocling does it with a token for "<loc_". Others have one
// token for each location.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "structured/doctags_names.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {

/// How a cell of a table begins, or that a row ends.
enum class DocCell : uint8_t {
  text,   ///< fcel, ched, rhed, srow: words follow
  empty,  ///< ecel
  left,   ///< lcel: the cell on the left goes on
  up,     ///< ucel: the cell above goes on
  cross,  ///< xcel: both
  line,   ///< nl
};
inline constexpr int kDocCells = 6;

/// What a token is.
struct DocToken {
  enum class Kind : uint8_t {
    text,       ///< words, or a part of one
    open,       ///< `<element>`
    close,      ///< `</element>`
    cell,       ///< of a table
    location,   ///< `<loc_number>`
    language,   ///< `<_Python_>`
    picture,    ///< `<bar_chart>`: what a picture shows
    page,       ///< `<page_break>`
    key_value,  ///< `<key_`, `</value_`, `<link_` and the like, with or without the number
    control,    ///< a special token that is no DocTag, or an id of no token
  };
  Kind kind = Kind::control;
  DocElement element = DocElement::none;
  DocCell cell = DocCell::text;
  int16_t number = 0;
};

/// The text of a location up to its number.
inline constexpr std::string_view kLocationPrefix = "<loc_";
inline constexpr int kMaxLocation = 500;

/// Immutable, thread-safe, made once for a model.
class DocTagsVocabulary {
 public:
  /// One token: the bytes it stands for, and whether it is a special token.
  struct Piece {
    std::string bytes;
    bool special = false;
  };

  /// Null for a vocabulary without the special token `<doctag>`, or without `</doctag>`.
  static std::shared_ptr<const DocTagsVocabulary> of(const Tokenizer& tokenizer);
  static std::shared_ptr<const DocTagsVocabulary> of(std::vector<Piece> pieces);

  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
  /// Kind::control for an id that is none.
  DocToken token(int32_t id) const;
  std::string_view bytes(int32_t id) const { return pieces_[static_cast<size_t>(id)].bytes; }

  /// The elements that have an opening and a closing tag, and all that they need.
  DocElements elements() const { return elements_; }
  bool has(DocCell cell) const { return !cells(cell).empty(); }
  bool has(DocToken::Kind kind) const { return !of_kind(kind).empty(); }
  /// Whether locations are written at all, and whether in several tokens of text.
  bool has_locations() const { return spells_locations_ || locations_.size() > 1; }
  bool spells_locations() const { return spells_locations_; }
  /// The highest number of a location.
  int max_location() const { return spells_locations_ ? kMaxLocation : locations_.back().number; }

  struct Location {
    int16_t number;
    int32_t id;
  };
  const std::vector<Location>& locations() const { return locations_; }  ///< the lowest first
  const std::vector<int32_t>& opening(DocElement element) const {
    return open_[static_cast<size_t>(element)];
  }
  const std::vector<int32_t>& closing(DocElement element) const {
    return close_[static_cast<size_t>(element)];
  }
  const std::vector<int32_t>& cells(DocCell cell) const { return cells_[static_cast<size_t>(cell)]; }
  const std::vector<int32_t>& of_kind(DocToken::Kind kind) const { return kinds_[static_cast<size_t>(kind)]; }
  const std::vector<int32_t>& spaces() const { return spaces_; }  ///< text of white space alone
  bool is_space(int32_t id) const;
  /// One bit for each id: tokens of Kind::text that do not complete kLocationPrefix where so many of its
  /// bytes are written; kAllWords: all tokens of text, and so is any for a vocabulary that spells no
  /// locations.
  static constexpr int kAllWords = static_cast<int>(kLocationPrefix.size());
  const std::vector<uint32_t>& words(int written) const { return words_[static_cast<size_t>(written)]; }
  /// Tokens of text that may go on with a location of which so many bytes are written; with all bytes of
  /// kLocationPrefix: in the number. Some may not: the number decides. Without digits().
  const std::vector<int32_t>& spelling(int written) const { return spelling_[static_cast<size_t>(written)]; }
  /// Digits alone, one to three.
  struct Digits {
    int32_t id;
    int16_t value;
    int16_t scale;  ///< 10 for one digit, 100 for two, 1000 for three
  };
  const std::vector<Digits>& digits() const { return digits_; }

 private:
  explicit DocTagsVocabulary(std::vector<Piece> pieces);
  void add(int32_t id);
  void keep_usable_elements();
  void index_spelling();
  void add_spelling(int32_t id);

  std::vector<Piece> pieces_;
  std::vector<DocToken> tokens_;
  DocElements elements_;
  bool spells_locations_ = false;
  std::vector<Location> locations_;
  std::array<std::vector<int32_t>, kDocElements> open_, close_;
  std::array<std::vector<int32_t>, kDocCells> cells_;
  std::array<std::vector<int32_t>, 10> kinds_;
  std::vector<int32_t> spaces_;
  std::array<std::vector<uint32_t>, kLocationPrefix.size() + 1> words_;
  std::array<std::vector<int32_t>, kLocationPrefix.size() + 1> spelling_;
  std::vector<Digits> digits_;
};

inline bool is_white(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

/// How many bytes of kLocationPrefix are written after one more byte of text.
inline int location_prefix_after(int written, char byte) {
  if (byte == kLocationPrefix[static_cast<size_t>(written)]) return written + 1;
  return byte == kLocationPrefix[0] ? 1 : 0;
}

}  // namespace galago
