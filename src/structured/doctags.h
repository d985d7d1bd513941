// The DocTags machine: holds an answer to what DocTags allow. In: the tokens that were chosen. Out: the set
// of tokens that may come next. It takes tokens away and never adds any, so that a legal answer stays what it
// is.
//
// Outside of tags everything may come but a closing tag: a question in words is answered in words. An opening
// tag begins a page or one of its elements, and from there to its closing tag the rules hold
// (docs/doctags.md). From every state a legal end is a bounded number of tokens away.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "structured/constraint.h"
#include "structured/doctags_box.h"
#include "structured/doctags_repeats.h"
#include "structured/doctags_table.h"
#include "structured/doctags_vocabulary.h"

namespace galago {

class DocTagsMachine final : public Constraint {
 public:
  /// `end_ids` may come, and nothing else, when the page is closed; without any everything may come then.
  DocTagsMachine(std::shared_ptr<const DocTagsVocabulary> vocabulary, std::span<const int32_t> end_ids);

  /// The beginning of the answer that the prompt holds already. The machine holds nothing from a token on
  /// that is not legal.
  void follow(std::span<const int32_t> ids);
  bool allows(int32_t id) const;

  bool fill(TokenMask mask) override;
  /// Error{internal} for a token that is not allowed.
  void accept(int32_t id) override;
  bool complete() const override { return closed_; }

 private:
  /// An element that is open; the first frame is the answer itself.
  struct Frame {
    DocElement element = DocElement::none;
    bool boxed = false;    // its box is whole
    bool words = false;    // of its own
    bool content = false;  // of any kind
    bool classed = false;
    bool captioned = false;
    bool ended = false;    // the caption behind its rows or words has come
    bool stopped = false;  // its words are a loop
    uint8_t spaces = 0;    // tokens of white space since the last tag
    uint64_t hash = 0;     // of what it holds, without locations
    uint64_t box_hash = 0;
    uint64_t cell_hash = 0;
    DocBoxReader reader;
    std::optional<DocGrid> grid;
    DocRepeats<4> children{3, 0};
    std::optional<DocElement> refused;  // a child that would go on with a loop; none: a page break

    bool in_row() const { return grid && grid->in_row(); }
    bool has_rows() const { return grid && grid->begun(); }
  };
  /// What may come next, in kinds of tokens.
  struct Legal {
    DocElements open;
    bool close = false;
    bool language = false;
    bool picture = false;
    bool page = false;
    bool key_value = false;
    bool location = false;  // a token of its own
    DocCellSet cells;
    DocBoxReader::Place words;
  };

  const Frame& top() const { return frames_.back(); }
  bool outside() const { return frames_.size() == 1; }
  Legal legal() const;
  DocBoxReader::Place words() const;
  DocElements openings() const;
  bool must_locate(const Frame& frame) const;
  bool locations_only() const;
  bool is_legal(int32_t id, const Legal& legal) const;
  bool is_legal_text(int32_t id, DocBoxReader::Place place) const;
  bool is_end(int32_t id) const;
  bool allowed_outside(const DocToken& token) const;

  void fill_outside(TokenMask mask) const;
  void fill_inside(TokenMask mask) const;
  void fill_text(TokenMask mask, const Legal& legal) const;

  void step(int32_t id);
  void open(DocElement element);
  void close();
  void add_cell(int32_t id, DocCell cell);
  void add_text(int32_t id);
  void add_words(int32_t id);
  void add_item(int32_t id);
  void add_child(uint64_t hash, DocElement element);
  void tag_came();
  void box_came();

  std::shared_ptr<const DocTagsVocabulary> vocabulary_;
  std::vector<int32_t> end_ids_;
  std::vector<Frame> frames_;
  DocRepeats<64> tail_{kDocTailRepeats, kDocMinTail};  // of the words since the last tag
  bool closed_ = false;                                // the page is
  bool off_ = false;
};

}  // namespace galago
