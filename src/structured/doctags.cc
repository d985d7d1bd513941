// See the header.
#include "structured/doctags.h"

#include <algorithm>
#include <string>

#include "galago/error.h"

namespace galago {
namespace {

using Kind = DocToken::Kind;

constexpr size_t kMaxDepth = 24;
constexpr int kMaxSpaces = 4;  // tokens of white space between two tags
constexpr DocElements kLists = {DocElement::ordered_list, DocElement::unordered_list};
constexpr DocElements kInCells = {DocElement::formula, DocElement::code, DocElement::inline_group,
                                  DocElement::checkbox_selected, DocElement::checkbox_unselected};

// A model may have fewer logits than its tokenizer has tokens.
void set(TokenMask mask, std::span<const int32_t> ids) {
  for (const int32_t id : ids)
    if (static_cast<size_t>(id) / 32 < mask.size())
      mask[static_cast<size_t>(id) / 32] |= uint32_t{1} << (id % 32);
}
void clear(TokenMask mask, std::span<const int32_t> ids) {
  for (const int32_t id : ids)
    if (static_cast<size_t>(id) / 32 < mask.size())
      mask[static_cast<size_t>(id) / 32] &= ~(uint32_t{1} << (id % 32));
}

}  // namespace

DocTagsMachine::DocTagsMachine(std::shared_ptr<const DocTagsVocabulary> vocabulary,
                               std::span<const int32_t> end_ids)
    : vocabulary_(std::move(vocabulary)), end_ids_(end_ids.begin(), end_ids.end()), frames_(1) {
  frames_.reserve(kMaxDepth);
}

void DocTagsMachine::follow(std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    if (!allows(id)) off_ = true;
    if (off_) return;
    step(id);
  }
}

void DocTagsMachine::accept(int32_t id) {
  if (!allows(id))
    throw Error(
        ErrorCode::internal,
        {.where = "DocTags", .got = "token " + std::to_string(id), .expected = "one that may come next"});
  if (!off_) step(id);
}

bool DocTagsMachine::is_end(int32_t id) const {
  return std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end();
}

// What may come next.

bool DocTagsMachine::allows(int32_t id) const {
  if (off_) return true;
  if (closed_) return end_ids_.empty() || is_end(id);
  if (outside()) return allowed_outside(vocabulary_->token(id));
  return is_legal(id, legal());
}

bool DocTagsMachine::allowed_outside(const DocToken& token) const {
  if (token.kind == Kind::close) return false;
  if (token.kind == Kind::page) return top().refused != DocElement::none;
  return token.kind != Kind::open ||
         (token.element != DocElement::document_index && token.element != top().refused);
}

/// Whether the box of a frame has to come before anything else.
bool DocTagsMachine::must_locate(const Frame& frame) const {
  return doc_rules(frame.element).box == DocBox::required && !frame.boxed && vocabulary_->has_locations();
}

/// Whether a box has begun, if only with a part of a location's text where no other text may stand.
bool DocTagsMachine::locations_only() const {
  const DocBoxReader& reader = top().reader;
  return reader.running() || must_locate(top()) || (reader.written() > 0 && !words().text);
}

/// What words may do, once the box is whole.
DocBoxReader::Place DocTagsMachine::words() const {
  const Frame& frame = top();
  const DocRules& rules = doc_rules(frame.element);
  DocBoxReader::Place place;
  place.box = must_locate(frame);
  if (frame.in_row()) {
    place.text = frame.grid->in_words() && !frame.stopped;
    return place;
  }
  // What a picture shows is text for a vocabulary that has no tokens for it.
  const bool class_in_words = rules.classes && !vocabulary_->has(Kind::picture) && !frame.has_rows();
  place.text = (rules.text || class_in_words) && !frame.stopped && !frame.ended;
  place.spaces = frame.spaces < kMaxSpaces && !frame.stopped;
  place.places = frame.element == DocElement::key_value_region && place.text;
  return place;
}

DocElements DocTagsMachine::openings() const {
  const Frame& frame = top();
  const DocRules& rules = doc_rules(frame.element);
  if (frame.stopped || frames_.size() >= kMaxDepth) return {};
  DocElements elements;
  if (frame.in_row()) {
    if (frame.grid->in_words()) elements = kInCells;
  } else {
    if (!frame.has_rows()) elements = rules.children;
    if (rules.caption && !frame.captioned) elements = elements | DocElements{DocElement::caption};
    if (rules.children.has(DocElement::ordered_list) && (vocabulary_->elements() & kLists).empty())
      elements = elements | DocElements{DocElement::list_item};
  }
  for (const Frame& outer : frames_)
    if (outer.element == DocElement::inline_group) elements.remove(DocElement::inline_group);
  if (frame.refused && *frame.refused != DocElement::none) elements.remove(*frame.refused);
  return elements & vocabulary_->elements();
}

DocTagsMachine::Legal DocTagsMachine::legal() const {
  const Frame& frame = top();
  const DocRules& rules = doc_rules(frame.element);
  Legal legal;
  legal.words = words();
  legal.location = !vocabulary_->spells_locations() &&
                   (frame.reader.running() || frame.reader.may_begin() || legal.words.places);
  if (locations_only()) return legal;
  legal.open = openings();
  legal.close = !frame.in_row() && (frame.element != DocElement::otsl || frame.has_rows());
  if (rules.rows && !frame.ended) {
    if (frame.grid)
      legal.cells = frame.grid->next();
    else if (vocabulary_->elements().has(DocElement::otsl))
      legal.cells = DocGrid(false).next();
  }
  legal.language = frame.element == DocElement::code && !frame.content;
  legal.picture = rules.classes && !frame.classed && !frame.has_rows();
  legal.page = frame.element == DocElement::doctag && frame.refused != DocElement::none;
  legal.key_value = frame.element == DocElement::key_value_region && !frame.stopped && !frame.ended;
  return legal;
}

bool DocTagsMachine::is_legal_text(int32_t id, DocBoxReader::Place place) const {
  if (!vocabulary_->spells_locations()) {
    if (locations_only()) return false;
    return place.text || (place.spaces && vocabulary_->is_space(id));
  }
  DocBoxReader reader = top().reader;
  return reader.read(vocabulary_->bytes(id), place);
}

bool DocTagsMachine::is_legal(int32_t id, const Legal& legal) const {
  const DocToken token = vocabulary_->token(id);
  switch (token.kind) {
    case Kind::text:
      return is_legal_text(id, legal.words);
    case Kind::open:
      return legal.open.has(token.element);
    case Kind::close:
      return legal.close && token.element == top().element;
    case Kind::cell:
      return legal.cells.has(token.cell);
    case Kind::location:
      return legal.location && token.number >= top().reader.first() && token.number <= top().reader.last();
    case Kind::language:
      return legal.language;
    case Kind::picture:
      return legal.picture;
    case Kind::page:
      return legal.page;
    case Kind::key_value:
      return legal.key_value;
    case Kind::control:
      return false;
  }
  return false;
}

// Masks.

bool DocTagsMachine::fill(TokenMask mask) {
  if (off_ || (closed_ && end_ids_.empty())) return false;
  if (outside() && !closed_) {
    fill_outside(mask);
    return true;
  }
  std::fill(mask.begin(), mask.end(), 0);
  if (closed_) {
    set(mask, end_ids_);
  } else {
    fill_inside(mask);
  }
  if (std::all_of(mask.begin(), mask.end(), [](uint32_t word) { return word == 0; }))
    throw Error(ErrorCode::internal,
                {.where = "DocTags", .got = "no token", .expected = "one that may come next"});
  return true;
}

void DocTagsMachine::fill_outside(TokenMask mask) const {
  std::fill(mask.begin(), mask.end(), ~uint32_t{0});
  clear(mask, vocabulary_->of_kind(Kind::close));
  clear(mask, vocabulary_->opening(DocElement::document_index));
  if (top().refused)
    clear(mask, *top().refused == DocElement::none ? vocabulary_->of_kind(Kind::page)
                                                   : vocabulary_->opening(*top().refused));
}

void DocTagsMachine::fill_inside(TokenMask mask) const {
  const Legal next = legal();
  fill_text(mask, next);
  if (next.location)
    for (const DocTagsVocabulary::Location& location : vocabulary_->locations())
      if (location.number >= top().reader.first() && location.number <= top().reader.last())
        set(mask, {&location.id, 1});
  if (!next.open.empty())
    for (const int32_t id : vocabulary_->of_kind(Kind::open))
      if (next.open.has(vocabulary_->token(id).element)) set(mask, {&id, 1});
  if (next.close) set(mask, vocabulary_->closing(top().element));
  for (int i = 0; i < kDocCells; ++i)
    if (next.cells.has(static_cast<DocCell>(i))) set(mask, vocabulary_->cells(static_cast<DocCell>(i)));
  if (next.language) set(mask, vocabulary_->of_kind(Kind::language));
  if (next.picture) set(mask, vocabulary_->of_kind(Kind::picture));
  if (next.page) set(mask, vocabulary_->of_kind(Kind::page));
  if (next.key_value) set(mask, vocabulary_->of_kind(Kind::key_value));
}

void DocTagsMachine::fill_text(TokenMask mask, const Legal& legal) const {
  const bool only_locations = locations_only();
  const DocBoxReader& reader = top().reader;
  if (legal.words.text && !only_locations) {
    const bool all = legal.words.places && !reader.may_begin();
    const std::vector<uint32_t>& words =
        vocabulary_->words(all ? DocTagsVocabulary::kAllWords : reader.written());
    std::copy_n(words.begin(), std::min(words.size(), mask.size()), mask.begin());
  } else if (legal.words.spaces && !only_locations) {
    set(mask, vocabulary_->spaces());
  }
  if (!vocabulary_->spells_locations() || (!reader.running() && !reader.may_begin())) return;
  for (const int32_t id : vocabulary_->spelling(reader.written()))
    if (is_legal_text(id, legal.words)) set(mask, {&id, 1});
  if (reader.running())
    for (const DocTagsVocabulary::Digits& digits : vocabulary_->digits())
      if (reader.takes(digits)) set(mask, {&digits.id, 1});
}

// Steps.

void DocTagsMachine::step(int32_t id) {
  if (closed_) return;
  const DocToken token = vocabulary_->token(id);
  if (outside() && token.kind != Kind::open && token.kind != Kind::page) return;
  switch (token.kind) {
    case Kind::text:
      add_text(id);
      break;
    case Kind::open:
      if (doc_rules(top().element).children.has(token.element) || !outside()) open(token.element);
      break;
    case Kind::close:
      close();
      break;
    case Kind::cell:
      add_cell(id, token.cell);
      break;
    case Kind::location:
      if (!top().reader.running()) frames_.back().reader.begin();
      frames_.back().reader.add(token.number);
      box_came();
      break;
    case Kind::picture:
      frames_.back().classed = true;
      add_item(id);
      break;
    case Kind::language:
      add_item(id);
      break;
    case Kind::key_value:
      frames_.back().reader.leave();
      add_words(id);
      break;
    case Kind::page:
      tag_came();
      add_child(0, DocElement::none);
      break;
    case Kind::control:
      break;
  }
}

/// The state of words begins anew behind a tag.
void DocTagsMachine::tag_came() {
  frames_.back().spaces = 0;
  frames_.back().reader.leave();
  tail_ = {kDocTailRepeats, kDocMinTail};
}

void DocTagsMachine::box_came() {
  Frame& frame = frames_.back();
  if (!frame.reader.whole() || frame.in_row()) return;
  frame.boxed = true;
  frame.box_hash = frame.reader.hash();
}

void DocTagsMachine::open(DocElement element) {
  if (outside() && !vocabulary_->elements().has(element)) return;
  tag_came();
  Frame frame;
  frame.element = element;
  if (doc_rules(element).box != DocBox::none && vocabulary_->has_locations())
    frame.reader = DocBoxReader(true, vocabulary_->max_location());
  frames_.push_back(std::move(frame));
}

void DocTagsMachine::close() {
  const Frame child = std::move(frames_.back());
  frames_.pop_back();
  if (child.element == DocElement::doctag) {
    closed_ = true;
    return;
  }
  tag_came();
  Frame& parent = frames_.back();
  if (child.element == DocElement::caption && !parent.in_row()) {
    parent.captioned = true;
    parent.ended = parent.has_rows() || (parent.element == DocElement::code && parent.words);
  }
  // Elements without words are told from each other by their places, and so are pictures.
  const bool placed =
      !child.words || child.element == DocElement::picture || child.element == DocElement::chart;
  add_child(placed ? doc_hash(child.hash, child.box_hash) : child.hash, child.element);
}

/// The guard against elements that repeat: what would go on with the loop is refused next.
void DocTagsMachine::add_child(uint64_t hash, DocElement element) {
  constexpr int kElementBits = 6;
  Frame& frame = frames_.back();
  const uint64_t item = hash << kElementBits | static_cast<uint64_t>(element);
  frame.content = true;
  frame.words = frame.words || element != DocElement::none;
  frame.hash = doc_hash(frame.hash, item);
  frame.cell_hash = doc_hash(frame.cell_hash, item);
  const int period = frame.children.push(item);
  frame.refused.reset();
  if (period > 0)
    frame.refused = static_cast<DocElement>(frame.children.back(period) & ((1U << kElementBits) - 1));
}

void DocTagsMachine::add_cell(int32_t id, DocCell cell) {
  tag_came();
  Frame& frame = frames_.back();
  if (!frame.grid) frame.grid.emplace(vocabulary_->has(DocCell::cross));
  frame.grid->add(cell, frame.cell_hash);
  frame.cell_hash = 0;
  frame.stopped = false;
  frame.refused.reset();
  frame.reader = DocBoxReader(cell == DocCell::text && vocabulary_->has_locations(),
                              vocabulary_->has_locations() ? vocabulary_->max_location() : 0);
  add_item(id);
}

void DocTagsMachine::add_item(int32_t id) {
  Frame& frame = frames_.back();
  frame.content = true;
  frame.hash = doc_hash(frame.hash, static_cast<uint64_t>(id));
}

void DocTagsMachine::add_text(int32_t id) {
  const DocBoxReader::Place place = words();
  Frame& frame = frames_.back();
  if (!vocabulary_->spells_locations()) {
    frame.reader.leave();
  } else {
    const bool was_running = frame.reader.running();
    frame.reader.read(vocabulary_->bytes(id), place);
    if (frame.reader.running() || frame.reader.may_begin()) return;
    if (was_running) {
      box_came();
      if (vocabulary_->bytes(id).back() == '>') return;
    }
  }
  if (place.text)
    add_words(id);
  else
    ++frame.spaces;
}

/// The guard against words that repeat: nothing may come but a tag that ends them.
void DocTagsMachine::add_words(int32_t id) {
  add_item(id);
  Frame& frame = frames_.back();
  frame.words = true;
  frame.cell_hash = doc_hash(frame.cell_hash, static_cast<uint64_t>(id));
  if (tail_.push(static_cast<uint64_t>(id)) > 0) frame.stopped = true;
}

}  // namespace galago
