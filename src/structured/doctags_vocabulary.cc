// See the header.
#include "structured/doctags_vocabulary.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "structured/constraint.h"

namespace galago {
namespace {

constexpr std::array<std::pair<std::string_view, DocCell>, 9> kCells = {{{"fcel", DocCell::text},
                                                                         {"ched", DocCell::text},
                                                                         {"rhed", DocCell::text},
                                                                         {"srow", DocCell::text},
                                                                         {"ecel", DocCell::empty},
                                                                         {"lcel", DocCell::left},
                                                                         {"ucel", DocCell::up},
                                                                         {"xcel", DocCell::cross},
                                                                         {"nl", DocCell::line}}};

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

std::optional<int16_t> location_number(std::string_view name) {
  if (!name.starts_with(kLocationPrefix.substr(1))) return std::nullopt;
  name.remove_prefix(kLocationPrefix.size() - 1);
  int16_t number = -1;
  const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (fault != std::errc() || end != name.data() + name.size()) return std::nullopt;
  if (number < 0 || number > kMaxLocation || (name.size() > 1 && name[0] == '0')) return std::nullopt;
  return number;
}

bool is_key_value(std::string_view text) {
  for (const std::string_view prefix : {"<key_", "</key_", "<value_", "</value_", "<link_"}) {
    if (!text.starts_with(prefix)) continue;
    const std::string_view rest = text.substr(prefix.size());
    if (rest.empty()) return true;
    if (rest.back() == '>') return rest.size() > 1 && std::all_of(rest.begin(), rest.end() - 1, is_digit);
  }
  return false;
}

/// A whole tag; nothing for other text.
std::optional<DocToken> tag_of(std::string_view text) {
  using Kind = DocToken::Kind;
  if (is_key_value(text)) return DocToken{.kind = Kind::key_value};
  if (text.size() < 3 || text.front() != '<' || text.back() != '>') return std::nullopt;
  std::string_view name = text.substr(1, text.size() - 2);
  if (name[0] == '/') {
    const std::optional<DocElement> element = doc_element(name.substr(1));
    if (!element) return std::nullopt;
    return DocToken{.kind = Kind::close, .element = *element};
  }
  if (const std::optional<DocElement> element = doc_element(name))
    return DocToken{.kind = Kind::open, .element = *element};
  for (const auto& [cell, kind] : kCells)
    if (name == cell) return DocToken{.kind = Kind::cell, .cell = kind};
  if (const std::optional<int16_t> number = location_number(name))
    return DocToken{.kind = Kind::location, .number = *number};
  if (name == "page_break") return DocToken{.kind = Kind::page};
  if (name.size() > 2 && name.front() == '_' && name.back() == '_') return DocToken{.kind = Kind::language};
  if (is_picture_class(name)) return DocToken{.kind = Kind::picture};
  return std::nullopt;
}

/// The beginning of a tag that is a token, and a special one, while the rest of the tag is text:
/// SmolDocling's locations.
bool is_begun_tag(std::string_view text) { return text == kLocationPrefix || text == "<_"; }

/// Whether a token may go on where so many bytes of a location are written, whatever its number.
bool may_spell(std::string_view bytes, size_t written) {
  int digits = 0;
  for (const char byte : bytes) {
    if (written < kLocationPrefix.size()) {
      if (byte != kLocationPrefix[written]) return false;
      ++written;
    } else if (is_digit(byte)) {
      if (++digits > 3) return false;
    } else {
      return byte == '>';
    }
  }
  return true;
}

bool completes(std::string_view bytes, int written) {
  for (const char byte : bytes) {
    written = location_prefix_after(written, byte);
    if (written == static_cast<int>(kLocationPrefix.size())) return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<const DocTagsVocabulary> DocTagsVocabulary::of(const Tokenizer& tokenizer) {
  const std::optional<int32_t> tag = tokenizer.token_to_id("<doctag>");
  if (!tag || !tokenizer.is_special(*tag)) return nullptr;
  std::vector<Piece> pieces(static_cast<size_t>(tokenizer.vocab_size()));
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    pieces[i] = {.bytes = tokenizer.token_bytes(id), .special = tokenizer.is_special(id)};
  }
  return of(std::move(pieces));
}

std::shared_ptr<const DocTagsVocabulary> DocTagsVocabulary::of(std::vector<Piece> pieces) {
  std::shared_ptr<const DocTagsVocabulary> made(new DocTagsVocabulary(std::move(pieces)));
  return made->elements().has(DocElement::doctag) ? made : nullptr;
}

DocTagsVocabulary::DocTagsVocabulary(std::vector<Piece> pieces)
    : pieces_(std::move(pieces)), tokens_(pieces_.size()) {
  for (std::vector<uint32_t>& mask : words_) mask.resize(static_cast<size_t>(mask_words(size())));
  for (size_t i = 0; i < pieces_.size(); ++i) add(static_cast<int32_t>(i));
  std::sort(locations_.begin(), locations_.end(),
            [](const Location& a, const Location& b) { return a.number < b.number; });
  if (!locations_.empty() && locations_.front().number == locations_.back().number) locations_.clear();
  index_spelling();
  keep_usable_elements();
}

DocToken DocTagsVocabulary::token(int32_t id) const {
  return id < 0 || id >= size() ? DocToken{} : tokens_[static_cast<size_t>(id)];
}

bool DocTagsVocabulary::is_space(int32_t id) const {
  return token(id).kind == DocToken::Kind::text && std::all_of(bytes(id).begin(), bytes(id).end(), is_white);
}

void DocTagsVocabulary::add(int32_t id) {
  const auto at = static_cast<size_t>(id);
  const Piece& piece = pieces_[at];
  if (const std::optional<DocToken> tag = tag_of(piece.bytes))
    tokens_[at] = *tag;
  else if (!piece.bytes.empty() && (!piece.special || is_begun_tag(piece.bytes)))
    tokens_[at].kind = DocToken::Kind::text;
  const DocToken& token = tokens_[at];
  switch (token.kind) {
    case DocToken::Kind::text:
      for (std::vector<uint32_t>& mask : words_) mask[at / 32] |= uint32_t{1} << (at % 32);
      if (is_space(id)) spaces_.push_back(id);
      return;  // there are many
    case DocToken::Kind::open:
      open_[static_cast<size_t>(token.element)].push_back(id);
      break;
    case DocToken::Kind::close:
      close_[static_cast<size_t>(token.element)].push_back(id);
      break;
    case DocToken::Kind::cell:
      cells_[static_cast<size_t>(token.cell)].push_back(id);
      break;
    case DocToken::Kind::location:
      locations_.push_back({.number = token.number, .id = id});
      break;
    default:
      break;
  }
  kinds_[static_cast<size_t>(token.kind)].push_back(id);
}

void DocTagsVocabulary::keep_usable_elements() {
  for (int i = 0; i < kDocElements; ++i) {
    const auto element = static_cast<DocElement>(i);
    if (!opening(element).empty() && !closing(element).empty()) elements_ = elements_ | DocElements{element};
  }
  if (!has(DocCell::line) || (!has(DocCell::text) && !has(DocCell::empty)))
    elements_.remove(DocElement::otsl);
}

void DocTagsVocabulary::index_spelling() {
  std::array<bool, 256> bytes_alone{};
  for (size_t i = 0; i < pieces_.size(); ++i)
    if (tokens_[i].kind == DocToken::Kind::text && pieces_[i].bytes.size() == 1)
      bytes_alone[static_cast<uint8_t>(pieces_[i].bytes[0])] = true;
  constexpr std::string_view kNeeded = "<loc_>0123456789";
  spells_locations_ = locations_.empty() && std::all_of(kNeeded.begin(), kNeeded.end(), [&](char byte) {
                        return bytes_alone[static_cast<uint8_t>(byte)];
                      });
  if (!spells_locations_) return;
  for (size_t i = 0; i < pieces_.size(); ++i)
    if (tokens_[i].kind == DocToken::Kind::text) add_spelling(static_cast<int32_t>(i));
}

void DocTagsVocabulary::add_spelling(int32_t id) {
  const std::string_view text = bytes(id);
  for (size_t written = 0; written < kLocationPrefix.size(); ++written)
    if (completes(text, static_cast<int>(written)))
      words_[written][static_cast<size_t>(id) / 32] &= ~(uint32_t{1} << (id % 32));
  if (text.size() <= 3 && std::all_of(text.begin(), text.end(), is_digit)) {
    Digits digits{.id = id, .value = 0, .scale = 1};
    for (const char digit : text) {
      digits.value = static_cast<int16_t>(digits.value * 10 + (digit - '0'));
      digits.scale = static_cast<int16_t>(digits.scale * 10);
    }
    digits_.push_back(digits);
    return;
  }
  for (size_t written = 0; written < spelling_.size(); ++written)
    if (may_spell(text, written)) spelling_[written].push_back(id);
}

}  // namespace galago
