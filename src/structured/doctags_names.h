// The elements that DocTags have, and what each may hold. Reference: docling-core 2.104, tokens.py
// (DocumentToken), its DocTags serializer and DoclingDocument.load_from_doctags.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace galago {

/// One element: `<name>...</name>`.
enum class DocElement : uint8_t {
  doctag,
  document_index,
  text,
  title,
  section_header_level_0,
  section_header_level_1,
  section_header_level_2,
  section_header_level_3,
  section_header_level_4,
  section_header_level_5,
  section_header_level_6,
  page_header,
  page_footer,
  footnote,
  caption,
  paragraph,
  reference,
  references,
  handwritten_text,
  checkbox_selected,
  checkbox_unselected,
  formula,
  code,
  smiles,
  list_item,
  ordered_list,
  unordered_list,
  picture,
  chart,
  otsl,
  inline_group,
  form,
  key_value_region,
  none,  ///< no element: an answer outside of a page
};
inline constexpr int kDocElements = static_cast<int>(DocElement::none);

/// A set of elements, one bit each.
class DocElements {
 public:
  constexpr DocElements() = default;
  constexpr DocElements(std::initializer_list<DocElement> elements) {
    for (const DocElement element : elements) bits_ |= bit(element);
  }
  constexpr bool has(DocElement element) const { return (bits_ & bit(element)) != 0; }
  constexpr void remove(DocElement element) { bits_ &= ~bit(element); }
  constexpr DocElements operator|(DocElements other) const { return DocElements(bits_ | other.bits_); }
  constexpr DocElements operator&(DocElements other) const { return DocElements(bits_ & other.bits_); }
  constexpr bool empty() const { return bits_ == 0; }

 private:
  constexpr explicit DocElements(uint64_t bits) : bits_(bits) {}
  static constexpr uint64_t bit(DocElement element) { return uint64_t{1} << static_cast<int>(element); }
  uint64_t bits_ = 0;
};

/// Whether four locations follow an opening tag.
enum class DocBox : uint8_t { none, optional, required };

/// What an element may hold.
struct DocRules {
  DocBox box = DocBox::optional;
  bool text = true;      ///< words between its tags
  bool caption = false;  ///< one `<caption>`
  bool rows = false;     ///< cells of a table
  bool classes = false;  ///< one token that says what a picture shows
  DocElements children{};
};

const DocRules& doc_rules(DocElement element);
const char* doc_name(DocElement element);
std::optional<DocElement> doc_element(std::string_view name);
/// Whether `<name>` says what a picture shows.
bool is_picture_class(std::string_view name);

}  // namespace galago
