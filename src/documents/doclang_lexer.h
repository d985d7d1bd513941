// DocLang (XML) as the tags and words of DocTags.
// In: bytes in pieces, cut anywhere. Out: the events of a DocTagsLexer, the same for every cut. What is no
// XML is put right: a < that begins no tag and tags that DocLang does not have are words, entities that are
// none stay as they are. Reference: DocLang 0.8; docling-core 2.104, DocLangDocDeserializer.
#pragma once

#include <string>
#include <string_view>

#include "documents/doclang_reader.h"
#include "documents/doctags_lexer.h"

namespace galago::documents {

class DocLangLexer {
 public:
  void push(std::string_view piece, const TokenSum& sum, DocTagsEvents& events);
  void finish(DocTagsEvents& events);
  /// The place behind all that was taken in.
  Mark here() const { return place_.here(); }

 private:
  enum class State : uint8_t { words, markup, cdata, comment };

  void begin_markup(size_t at, const TokenSum& sum);
  void in_markup(char byte, DocTagsEvents& events, const Mark& end);
  void end_markup(DocTagsEvents& events, const Mark& end);
  void in_section(char byte, std::string_view closing);
  void add(std::string& where, std::string_view bytes, const Mark& begin);
  void part_words();
  void decode();
  void give_words(DocTagsEvents& events);

  State state_ = State::words;
  std::string words_;           // as they are meant
  std::string raw_;             // behind them, with entities
  bool content_ = false;        // within <content>, whose white space says something
  bool section_ended_ = false;  // the words end with CDATA
  Mark words_begin_;
  std::string markup_;  // from a < on
  Mark markup_begin_;
  char quote_ = 0;       // within an attribute
  std::string section_;  // what may be the end of CDATA or a comment
  TextPlace place_;
  DocLangReader reader_;
};

}  // namespace galago::documents
