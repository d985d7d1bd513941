// The elements of a page, from tags and words.
// In: the events of a DocTagsLexer. Out: the document. What may stand in what is docling-core's
// (structured/doctags_names.h); what stands elsewhere ends what it cannot be in, as in HTML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "documents/box_reader.h"
#include "documents/doctags_lexer.h"
#include "documents/document.h"
#include "documents/document_limits.h"
#include "documents/table_builder.h"

namespace galago::documents {

class DocumentBuilder final : public DocTagsEvents {
 public:
  DocumentBuilder();

  void words(std::string_view bytes, const Mark& begin) override;
  void tag(const Tag& tag, const Mark& begin, const Mark& end) override;
  void cut(std::string_view bytes, const Mark& begin) override;
  /// Tags are tags from here on, whatever words are around them.
  void trust_tags() { trusted_ = true; }
  /// Nothing more is taken in, and a warning names the limit.
  void stop(const char* limit, size_t offset);
  Document finish(const Mark& end);

 private:
  /// What an open element does with words and tags.
  enum class Role : uint8_t {
    words,       ///< holds words
    raw,         ///< holds words that may look like tags: code, formulas, molecules
    list,        ///< holds items and lists
    table,       ///< holds cells
    picture,     ///< holds a class, cells, a molecule
    key_values,  ///< holds keys and values
    key_value,   ///< a key or a value: words
    group,       ///< holds elements: a form, words with others in one line
    within,      ///< an element among words, whose words are those of the element around it
  };

  struct Frame {
    Role role = Role::words;
    DocElement tag = DocElement::none;
    bool implied = false;  ///< no tag opened it
    bool nested = false;   ///< a table in a cell, whose words are the cell's
    Element element;
    std::string words;
    std::vector<Element> pieces;  ///< of words with an inline group among them
    std::vector<Element> before;  ///< words that found no place inside
    std::vector<Element> behind;
    BoxReader box;
    TableBuilder table;
    std::vector<std::pair<int, int>> links;
    DocElements literal;  ///< opening tags that were taken for words
    Mark begin;
    size_t offset = 0;
  };

  /// A tag of which what comes next tells whether it is words.
  struct Doubtful {
    bool waits = false;
    DocElement tag = DocElement::none;
    std::string text;
    Mark begin;
  };

  // document_builder.cc: what opens and closes.
  void open(DocElement tag, std::string_view text, const Mark& begin, bool certain);
  void open_page(const Mark& begin);
  bool make_room(DocElement tag, std::string_view text, const Mark& begin, bool certain);
  bool holds(const Frame& frame, DocElement tag) const;
  bool doubtful(const Frame& frame, DocElement tag) const;
  void settle(bool as_tag);
  void forget_unknown();
  void not_known(const Tag& tag, const Mark& begin);
  void close(const Tag& tag, const Mark& begin, const Mark& end);
  void close_frame(const Mark& end, bool by_tag);
  void close_all(const Mark& end);
  void next_page(const Mark& begin, const Mark& end);
  Frame* push(Role role, DocElement tag, const Mark& begin);
  Frame* host();
  void drop_within(bool rows_go_on = false);
  void ordinary_tag(const Tag& tag, const Mark& begin, const Mark& end);

  // document_parts.cc: what stands inside.
  void cell(const Tag& tag, const Mark& begin);
  void key_or_value(const Tag& tag, const Mark& begin, const Mark& end);
  void location(int value, const Mark& begin);
  void named(const Tag& tag, const Mark& begin);
  void mark_item(std::string_view marker);
  void add_words(std::string_view bytes, const Mark& begin);
  bool keep_as_words(std::string_view text);

  // document_elements.cc: an element is whole.
  void complete(Frame& frame, const Mark& end);
  void complete_words(Frame& frame);
  void complete_table(Frame& frame, const Mark& end);
  void complete_key_values(Frame& frame);
  void place(Frame& frame, Element element);
  void place_key_value(Frame& frame, const Mark& end);

  void warn(RepairKind kind, size_t offset, std::string_view detail);
  bool count(int64_t& counter, int64_t limit, const char* name, size_t offset);

  Document document_;
  std::vector<Frame> frames_;
  Doubtful doubtful_;
  Doubtful unknown_;  // a tag that means nothing, outside of words: words if words come next
  Mark page_begin_;
  bool page_tag_ = false;  // this page had its <doctag>
  bool stopped_ = false;
  bool trusted_ = false;
  size_t skipped_ = 0;  // open tags below the deepest frame
  int64_t elements_ = 0;
  int64_t cells_ = 0;
  int64_t key_values_ = 0;
  int64_t places_ = limits::kDocumentPlaces;  // of tables, that are left
};

}  // namespace galago::documents
