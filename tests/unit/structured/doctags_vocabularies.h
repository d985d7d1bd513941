// Vocabularies for tests of DocTags, and texts cut into their tokens.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "structured/doctags.h"
#include "structured/doctags_vocabulary.h"

namespace galago::doctags_test {

using Piece = DocTagsVocabulary::Piece;

/// A vocabulary and the pieces that it was made of.
struct Words {
  std::vector<Piece> pieces;
  std::shared_ptr<const DocTagsVocabulary> vocabulary;
  int32_t end = -1;

  int32_t id(std::string_view text) const {
    for (size_t i = 0; i < pieces.size(); ++i)
      if (pieces[i].bytes == text) return static_cast<int32_t>(i);
    return -1;
  }
  /// Special tokens where they stand; the longest pieces of what is between them.
  std::vector<int32_t> ids(std::string_view text) const {
    std::vector<int32_t> found;
    std::string_view words;
    for (size_t at = 0; at < text.size();) {
      const int32_t special = longest(text.substr(at), true);
      if (special < 0) {
        words = text.substr(at - words.size(), words.size() + 1);
        ++at;
        continue;
      }
      cut(words, found);
      words = {};
      found.push_back(special);
      at += pieces[static_cast<size_t>(special)].bytes.size();
    }
    cut(words, found);
    return found;
  }
  std::string text(const std::vector<int32_t>& tokens) const {
    std::string joined;
    for (const int32_t token : tokens) joined += pieces[static_cast<size_t>(token)].bytes;
    return joined;
  }
  DocTagsMachine machine() const { return DocTagsMachine(vocabulary, std::vector<int32_t>{end}); }

 private:
  int32_t longest(std::string_view text, bool special) const {
    int32_t best = -1;
    for (size_t i = 0; i < pieces.size(); ++i)
      if (pieces[i].special == special && !pieces[i].bytes.empty() && text.starts_with(pieces[i].bytes) &&
          (best < 0 || pieces[static_cast<size_t>(best)].bytes.size() < pieces[i].bytes.size()))
        best = static_cast<int32_t>(i);
    return best;
  }
  void cut(std::string_view words, std::vector<int32_t>& found) const {
    while (!words.empty()) {
      found.push_back(longest(words, false));
      words.remove_prefix(pieces[static_cast<size_t>(found.back())].bytes.size());
    }
  }
};

inline void add_bytes(std::vector<Piece>& pieces) {
  for (int byte = 0; byte < 256; ++byte) pieces.push_back({.bytes = std::string(1, static_cast<char>(byte))});
}

inline Words made(std::vector<Piece> pieces) {
  pieces.push_back({.bytes = "<end_of_utterance>", .special = true});
  Words words{.pieces = pieces, .vocabulary = DocTagsVocabulary::of(pieces)};
  words.end = static_cast<int32_t>(pieces.size()) - 1;
  return words;
}

/// Every tag one token, every location too.
inline Words whole_tags() {
  std::vector<Piece> pieces;
  add_bytes(pieces);
  for (const char* word : {"Hello", " world", "> ", "><", "loc", "N/A", "\n", "x^2", ". "})
    pieces.push_back({.bytes = word});
  const auto special = [&](std::string text) {
    pieces.push_back({.bytes = std::move(text), .special = true});
  };
  for (int i = 0; i < kDocElements; ++i) {
    const std::string name = doc_name(static_cast<DocElement>(i));
    special("<" + name + ">");
    special("</" + name + ">");
  }
  for (const char* tag : {"<fcel>",
                          "<ched>",
                          "<rhed>",
                          "<srow>",
                          "<ecel>",
                          "<lcel>",
                          "<ucel>",
                          "<xcel>",
                          "<nl>",
                          "<page_break>",
                          "<_Python_>",
                          "<_C++_>",
                          "<_unknown_>",
                          "<bar_chart>",
                          "<other>",
                          "<key_1>",
                          "<logo>",
                          "<line_chart>",
                          "<key_0>",
                          "</key_0>",
                          "<link_1>",
                          "<value_1>",
                          "</value_1>",
                          "<_unknown_>",
                          "</key_1>",
                          "<link_2>",
                          "<image>",
                          "<|start_of_role|>",
                          ""})
    special(tag);
  for (int number = 0; number <= kMaxLocation; ++number) special("<loc_" + std::to_string(number) + ">");
  return made(std::move(pieces));
}

/// As Granite-Docling's: locations, languages and what pictures show are text, some tags lack.
inline Words spelled_locations(bool begun_tag = false) {
  std::vector<Piece> pieces;
  add_bytes(pieces);
  for (const char* word :
       {"Hello", " world", ">Hello", "><", "loc", ">\n", ">5", "lo", "c_", "_1", "<loc", "other", "N/A"})
    pieces.push_back({.bytes = word});
  for (int number = 10; number < 1000; ++number) pieces.push_back({.bytes = std::to_string(number)});
  const auto special = [&](std::string text) {
    pieces.push_back({.bytes = std::move(text), .special = true});
  };
  for (const char* name : {"text",
                           "title",
                           "caption",
                           "footnote",
                           "formula",
                           "list_item",
                           "page_footer",
                           "page_header",
                           "picture",
                           "section_header_level_1",
                           "section_header_level_2",
                           "section_header_level_3",
                           "section_header_level_4",
                           "section_header_level_5",
                           "section_header_level_6",
                           "otsl",
                           "checkbox_selected",
                           "checkbox_unselected",
                           "form",
                           "key_value_region",
                           "chart",
                           "smiles",
                           "paragraph",
                           "references",
                           "ordered_list",
                           "unordered_list",
                           "doctag",
                           "code"}) {
    special("<" + std::string(name) + ">");
    special("</" + std::string(name) + ">");
  }
  for (const char* tag :
       {"<page_break>", "<fcel>", "<ecel>", "<lcel>", "<ucel>", "<xcel>", "<nl>", "<ched>", "<rhed>", "<key_",
        "</key_", "<value_", "</value_", "<link_", "<group>", "<rec_", "<image>", "<|start_of_role|>"})
    special(tag);
  if (begun_tag) special("<loc_");  // as SmolDocling's
  return made(std::move(pieces));
}

/// How many tokens of a sequence a machine takes.
inline size_t taken(const Words& words, const std::vector<int32_t>& ids) {
  DocTagsMachine machine = words.machine();
  std::vector<uint32_t> mask(static_cast<size_t>(mask_words(words.vocabulary->size())));
  for (size_t i = 0; i < ids.size(); ++i) {
    machine.fill(mask);
    const auto id = static_cast<size_t>(ids[i]);
    if ((mask[id / 32] >> (id % 32) & 1) == 0 || !machine.allows(ids[i])) return i;
    machine.accept(ids[i]);
  }
  return ids.size();
}

}  // namespace galago::doctags_test
