// DocTags as tags and words.
// In: bytes in pieces, cut anywhere. Out: events, the same for every cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "documents/text_place.h"
#include "structured/doctags_names.h"

namespace galago::documents {

enum class TagKind : uint8_t {
  element,   ///< Tag::element
  cell,      ///< a cell of a table
  row_end,   ///< <nl>
  location,  ///< Tag::number
  page_break,
  picture_class,  ///< which may be the tag <table> as well
  language,       ///< of code: <_C++_>
  key,            ///< Tag::number
  value,
  link,
  marker,  ///< of an item of a list: Tag::name; DocTags have none, DocLang has
  unknown,
};

struct Tag {
  TagKind kind = TagKind::unknown;
  DocElement element = DocElement::none;
  bool closing = false;
  int number = 0;         ///< at most 10^8
  std::string_view name;  ///< without <, / and >
  std::string_view text;  ///< with them
};

/// What a text between < and > says.
Tag read_tag(std::string_view text);
/// Whether a text from a < on, of two bytes or more, is the beginning of a tag that means something.
bool begins_tag(std::string_view text);

class DocTagsEvents {
 public:
  /// All that lies between two tags.
  virtual void words(std::string_view bytes, const Mark& begin) = 0;
  /// `tag` refers to bytes that are gone when this returns.
  virtual void tag(const Tag& tag, const Mark& begin, const Mark& end) = 0;
  /// The text ends within a tag.
  virtual void cut(std::string_view bytes, const Mark& begin) = 0;

 protected:
  ~DocTagsEvents() = default;
};

class DocTagsLexer {
 public:
  /// Takes in a piece; `sum` is that of its tokens, one or none.
  void push(std::string_view piece, const TokenSum& sum, DocTagsEvents& events);
  void finish(DocTagsEvents& events);
  /// The place behind all that was taken in.
  Mark here() const { return place_.here(); }

 private:
  void add_words(std::string_view bytes, const Mark& begin);
  void give_words(DocTagsEvents& events);

  std::string words_;
  Mark words_begin_;
  std::string pending_;  // from a < on
  Mark pending_begin_;
  TextPlace place_;  // of the piece
};

}  // namespace galago::documents
