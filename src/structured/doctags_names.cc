// See the header.
#include "structured/doctags_names.h"

#include <algorithm>
#include <array>

namespace galago {
namespace {

using E = DocElement;

constexpr std::array<const char*, kDocElements> kNames = {
    "doctag",
    "document_index",
    "text",
    "title",
    "section_header_level_0",
    "section_header_level_1",
    "section_header_level_2",
    "section_header_level_3",
    "section_header_level_4",
    "section_header_level_5",
    "section_header_level_6",
    "page_header",
    "page_footer",
    "footnote",
    "caption",
    "paragraph",
    "reference",
    "references",
    "handwritten_text",
    "checkbox_selected",
    "checkbox_unselected",
    "formula",
    "code",
    "smiles",
    "list_item",
    "ordered_list",
    "unordered_list",
    "picture",
    "chart",
    "otsl",
    "inline",
    "form",
    "key_value_region",
};

// PictureClassificationToken of docling-core, and what SmolDocling wrote before it. `<chart>` is not among
// them: it opens an element.
constexpr std::array<std::string_view, 52> kPictureClasses = {
    "bar_chart",
    "box_plot",
    "flow_chart",
    "line_chart",
    "pie_chart",
    "scatter_plot",
    "table",
    "full_page_image",
    "page_thumbnail",
    "photograph",
    "chemistry_structure",
    "bar_code",
    "icon",
    "logo",
    "qr_code",
    "signature",
    "stamp",
    "engineering_drawing",
    "screenshot_from_computer",
    "screenshot_from_manual",
    "geographical_map",
    "topographical_map",
    "calendar",
    "crossword_puzzle",
    "music",
    "other",
    "cad_drawing",
    "decoration",
    "electrical_diagram",
    "map",
    "heatmap",
    "illustration",
    "infographic",
    "chemistry_markush_structure",
    "chemistry_molecular_structure",
    "natural_image",
    "person",
    "picture_group",
    "remote_sensing",
    "scatter_chart",
    "screenshot",
    "stacked_bar_chart",
    "stratigraphic_chart",
    "ui_element",
    "line",
    "dot_line",
    "vbar_categorical",
    "hbar_categorical",
    "markush_structure",
    "molecular_structure",
    "geographic_map",
    "stacked_line_chart",
};

constexpr DocElements kHeaders = {E::section_header_level_0, E::section_header_level_1,
                                  E::section_header_level_2, E::section_header_level_3,
                                  E::section_header_level_4, E::section_header_level_5,
                                  E::section_header_level_6};
constexpr DocElements kParagraphs =
    DocElements{E::text,      E::title,     E::page_header, E::page_footer,     E::footnote,
                E::paragraph, E::reference, E::references,  E::handwritten_text} |
    kHeaders;
constexpr DocElements kLists = {E::ordered_list, E::unordered_list};
// Among words.
constexpr DocElements kWithin = {E::formula, E::code, E::inline_group, E::checkbox_selected,
                                 E::checkbox_unselected};
constexpr DocElements kBlocks = kParagraphs | kLists | kWithin |
                                DocElements{E::picture, E::chart, E::otsl, E::caption, E::key_value_region};
constexpr DocElements kPage = kBlocks | DocElements{E::form};

constexpr DocElements without(DocElements set, DocElement element) {
  set.remove(element);
  return set;
}

constexpr std::array<DocRules, kDocElements + 1> make_rules() {
  std::array<DocRules, kDocElements + 1> rules{};
  for (int i = 0; i < kDocElements; ++i) {
    const auto element = static_cast<DocElement>(i);
    rules[i].children = without(kWithin, element);
  }
  const auto of = [&](DocElement element) -> DocRules& { return rules[static_cast<size_t>(element)]; };
  of(E::doctag) = {.box = DocBox::none, .text = false, .children = kPage};
  of(E::document_index) = {.box = DocBox::none, .text = false, .children = {}};
  of(E::formula) = {.children = {}};
  of(E::code) = {.caption = true, .children = {}};
  of(E::smiles) = {.box = DocBox::none, .children = {}};
  of(E::list_item).children = kWithin | kParagraphs | kLists;
  of(E::ordered_list) = of(E::unordered_list) = {
      .box = DocBox::none, .text = false, .children = kLists | DocElements{E::list_item}};
  // A reader drops a picture that has no place.
  of(E::picture) = {.box = DocBox::required,
                    .text = false,
                    .caption = true,
                    .rows = true,
                    .classes = true,
                    .children = {E::smiles, E::otsl}};
  of(E::chart) = {
      .text = false, .caption = true, .rows = true, .classes = true, .children = {E::smiles, E::otsl}};
  of(E::otsl) = {.text = false, .caption = true, .rows = true, .children = {}};
  of(E::inline_group) = {.text = false,
                         .children = without(kWithin, E::inline_group) | without(kParagraphs, E::title)};
  of(E::form) = {.text = false, .children = kBlocks};
  of(E::key_value_region) = {.caption = true, .children = {}};
  of(E::none) = {.box = DocBox::none, .children = kPage | DocElements{E::doctag, E::list_item, E::smiles}};
  return rules;
}

constexpr std::array<DocRules, kDocElements + 1> kRules = make_rules();

}  // namespace

const DocRules& doc_rules(DocElement element) { return kRules[static_cast<size_t>(element)]; }

const char* doc_name(DocElement element) {
  return element == DocElement::none ? "" : kNames[static_cast<size_t>(element)];
}

std::optional<DocElement> doc_element(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<DocElement>(found - kNames.begin());
}

bool is_picture_class(std::string_view name) {
  return std::find(kPictureClasses.begin(), kPictureClasses.end(), name) != kPictureClasses.end();
}

}  // namespace galago
