// A document as a vision-language model read it: pages, and on each page its elements in reading order, with
// words, structure, place and how sure the model was. docs/documents.md tells about it.
// In: what DocTagsParser makes (documents/doctags_parser.h). Out: what documents/export.h writes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace galago::documents {

/// A place on a page: left, top, right and bottom in 500ths of the page's width and height, from 0 to 500 and
/// from its top left corner; x0 <= x1 and y0 <= y1.
struct Box {
  static constexpr int kUnits = 500;
  int x0 = 0;
  int y0 = 0;
  int x1 = 0;
  int y1 = 0;

  /// The same as fractions of the page, each from 0 to 1.
  constexpr std::array<double, 4> fractions() const {
    return {x0 / double{kUnits}, y0 / double{kUnits}, x1 / double{kUnits}, y1 / double{kUnits}};
  }
  bool operator==(const Box&) const = default;
};

enum class ElementKind : uint8_t {
  text,              ///< words
  paragraph,         ///< words that the model called so
  reference,         ///< an entry of a bibliography
  handwritten_text,  ///< words by hand
  title,             ///< the document's
  heading,           ///< of Element::level
  footnote,
  page_header,
  page_footer,
  caption,         ///< one that stands alone; others are in Element::captions
  checkbox,        ///< Element::selected, and the words beside it
  list,            ///< its children are items and lists; Element::numbered
  list_item,       ///< words, a marker, and lists as children
  table,           ///< Element::table
  document_index,  ///< a table of contents: Element::table where it has rows
  code,            ///< text as written, Element::language
  formula,         ///< LaTeX
  picture,         ///< Element::picture_class, Element::smiles
  chart,           ///< a picture, with the numbers it shows in Element::table
  key_values,      ///< Element::key_values
  form,            ///< its children
  inline_group,    ///< its children, as one line
};

/// "heading", "list_item": the enumerator's name.
const char* kind_name(ElementKind kind);

/// A cell of a table; row and column count from 0.
struct TableCell {
  int row = 0;
  int column = 0;
  int row_span = 1;
  int column_span = 1;
  bool column_header = false;
  bool row_header = false;
  bool row_section = false;  ///< the header of a section that goes across
  std::string text;
  std::optional<Box> box;
  std::optional<double> confidence;

  bool operator==(const TableCell&) const = default;
};

/// Cells in the order of their first places. They do not overlap. A place without one is empty, and only
/// empty places that are parts of a span, or have a box, have one.
struct Table {
  int rows = 0;
  int columns = 0;
  std::vector<TableCell> cells;

  bool operator==(const Table&) const = default;
};

/// A key or a value of a key-value region.
struct KeyValueCell {
  int id = 0;
  bool key = false;
  std::string text;
  std::optional<Box> box;
  std::optional<double> confidence;

  bool operator==(const KeyValueCell&) const = default;
};

struct KeyValues {
  std::vector<KeyValueCell> cells;         ///< in reading order
  std::vector<std::pair<int, int>> links;  ///< ids: from a key to its value

  bool operator==(const KeyValues&) const = default;
};

/// One thing on a page. Which members say something depends on `kind`.
struct Element {
  ElementKind kind = ElementKind::text;
  std::string text;  ///< UTF-8, without white space at its ends (in front of code there may be some)
  int level = 0;     ///< of a heading: 1 to 6
  bool numbered = false;
  bool selected = false;
  std::string marker;         ///< of an item of a list: "2.", "a)"; empty: a dot or a dash
  std::string language;       ///< of code, in the spelling of DocTags: "Python", "C++"; empty: not told
  std::string picture_class;  ///< "bar_chart", "logo"; empty: not told
  std::string smiles;         ///< the molecule that a picture shows
  std::optional<Table> table;
  KeyValues key_values;
  std::vector<Element> captions;
  std::vector<Element> children;
  std::optional<Box> box;
  /// How likely the model held it: the geometric mean of the probabilities of its tokens, from its opening
  /// tag to its closing one, with all that is inside. Nothing where no probabilities were given.
  std::optional<double> confidence;

  bool operator==(const Element&) const = default;
};

enum class PageUnit : uint8_t { none, pixels, points };

struct Page {
  int number = 1;  ///< from 1
  double width = 0;
  double height = 0;
  PageUnit unit = PageUnit::none;  ///< of width and height; none: they are not known
  std::vector<Element> elements;
  std::optional<double> confidence;  ///< of all that the model wrote for it

  bool operator==(const Page&) const = default;
};

/// What a parser put right.
enum class RepairKind : uint8_t {
  unclosed_tag,     ///< ends where the element around it does, where another begins, or with the text
  stray_close,      ///< a closing tag of nothing that is open: left out
  stray_words,      ///< words where none belong: a paragraph of their own
  unknown_tag,      ///< no words before and behind it: left out. Among words it is words, without a warning
  cut_tag,          ///< the text ends within a tag: left out
  incomplete_box,   ///< less than four locations: no box
  corrected_box,    ///< beyond the page, or left and right or top and bottom exchanged
  ragged_table,     ///< rows of several widths: the short ones end in empty places
  misplaced_span,   ///< a cell that goes on where nothing can: an empty one, or its words in one of its own
  misplaced_token,  ///< a cell outside of a table, a link outside of keys: left out, its words are kept
  left_out,         ///< over one of the limits of documents/document_limits.h: words or structure are missing
};

/// "unclosed_tag": the enumerator's name.
const char* repair_name(RepairKind kind);

struct Warning {
  RepairKind kind = RepairKind::unclosed_tag;
  size_t page = 0;     ///< its index in Document::pages
  size_t offset = 0;   ///< in the bytes of the page's text as the parser was given them
  std::string detail;  ///< the tag, or the limit

  bool operator==(const Warning&) const = default;
};

struct Document {
  std::string name;
  std::vector<Page> pages;
  std::vector<Warning> warnings;  ///< the first of them; at most limits::kDocumentWarnings of each parser
  size_t repairs = 0;             ///< how many there were

  bool operator==(const Document&) const = default;
};

/// Puts the pages of `more` behind those of `document`, and its warnings. Numbers rise: pages whose numbers
/// do not go on behind the last one are counted on from there.
void append(Document& document, Document more);

}  // namespace galago::documents
