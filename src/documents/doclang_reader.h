// Elements of DocLang as tags of DocTags.
// In: opening and closing tags with attributes, words. Out: events for a DocumentBuilder.
// Reference: DocLang 0.8; docling-core 2.104, DocLangDocDeserializer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "documents/doctags_lexer.h"

namespace galago::documents {

/// Whether DocLang has an element of that name.
bool is_doclang_name(std::string_view name);

class DocLangReader {
 public:
  /// An opening tag with its attributes as they are written, `value="5"`; `empty`: it is closed at once.
  void open(std::string_view name, std::string_view attributes, bool empty, const Mark& begin,
            const Mark& end, DocTagsEvents& events);
  void close(std::string_view name, const Mark& begin, const Mark& end, DocTagsEvents& events);
  void words(std::string_view bytes, const Mark& begin, DocTagsEvents& events);
  void finish(const Mark& end, DocTagsEvents& events);

 private:
  /// An element that is open.
  struct Open {
    std::string_view name;  // DocLang's, of a table of this file
    DocElement tag = DocElement::none;
    bool in_line = false;  // opened an inline group around it
    bool item = false;     // of a list: an item is open
    bool silent = false;   // a <text> around keys and values
  };
  /// A <text> that may turn out to be a checkbox.
  struct Text {
    Mark begin;
    Mark end;
    std::vector<int> locations;
  };

  void settle_text(DocElement tag, DocTagsEvents& events);
  void settle_marker(const Mark& end, DocTagsEvents& events);

  void open_element(std::string_view name, std::string_view attributes, DocElement tag, const Mark& begin,
                    const Mark& end, DocTagsEvents& events);
  bool open_special(std::string_view name, std::string_view attributes, const Mark& begin, const Mark& end,
                    DocTagsEvents& events);
  bool in_line() const;
  bool in_table() const;
  void checkbox(bool selected, const Mark& begin, const Mark& end, DocTagsEvents& events);
  void location(std::string_view attributes, const Mark& begin, const Mark& end, DocTagsEvents& events);
  void label(std::string_view attributes, const Mark& begin, const Mark& end, DocTagsEvents& events);
  void key_or_value(std::string_view name, const Mark& begin, const Mark& end, DocTagsEvents& events);
  void item(const Mark& begin, const Mark& end, DocTagsEvents& events);
  void pop(size_t size);

  std::vector<Open> open_;
  std::optional<Text> text_;
  bool content_ = false;  // within <content>, whose white space says something
  int skipping_ = 0;      // elements that are open and say nothing about the page
  int skipped_ = 0;       // those around a molecule, which does
  int fields_open_ = 0;
  std::optional<std::string> marker_;
  std::optional<int> key_;  // of the field item that is open
  int fields_ = 0;          // keys and values so far
  int resolution_ = 512;
};

}  // namespace galago::documents
