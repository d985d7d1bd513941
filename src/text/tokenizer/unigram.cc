// The best path is found from left to right: for every place the best sum that ends there and the piece that
// made it. Ties go to the piece that began first, as in the reference.
#include "text/tokenizer/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/printable.h"
#include "galago/error.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

/// Longest piece in bytes: bounds the work at each place of a text.
constexpr size_t kPieceBytes = 512;
/// An unknown character costs this much more than the least score.
constexpr double kUnknownPenalty = 10;

bool flag(const JsonField& model, const std::string& key) {
  const auto field = model.find(key);
  return field && field->boolean();  // absent: false
}

}  // namespace

/// The best way to a place: the piece that ends there.
struct Unigram::Step {
  size_t begin = 0;
  int32_t id = -1;  ///< -1: none yet
  double score = 0;
};

// Pieces that text never matches ("hidden": control and byte tokens) and sums in single precision are
// sentencepiece's own ways; the converter of its models asks for them, files do not.
Unigram Unigram::from_json(const JsonField& field) {
  Unigram made;
  made.where_ = field.where();
  made.byte_fallback_ = flag(field, "byte_fallback");
  made.single_ = flag(field, "single_precision");
  const auto count = static_cast<int64_t>(field.at("vocab").size());
  if (count == 0) field.at("vocab").fail("at least one piece");
  std::vector<bool> hidden(static_cast<size_t>(count), false);
  if (const auto list = field.find("hidden"))
    for (size_t i = 0; i < list->size(); ++i)
      hidden[static_cast<size_t>(list->at(i).integer(0, count - 1))] = true;
  made.read_pieces(field.at("vocab"), hidden);
  if (const auto unknown = field.find("unk_id"))
    made.unknown_ = static_cast<int32_t>(unknown->integer(0, count - 1));
  if (made.byte_fallback_)
    for (unsigned byte = 0; byte < 256; ++byte) made.bytes_[byte] = made.id_of(byte_token(byte));
  return made;
}

void Unigram::read_pieces(const JsonField& field, const std::vector<bool>& hidden) {
  const size_t count = field.size();
  if (std::cmp_greater(count, kMaxTokenId)) field.fail("at most " + std::to_string(kMaxTokenId) + " pieces");
  ids_.reserve(count);
  scores_.resize(count);
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < count; ++i) {
    const Json& entry = field.value()[i];
    const bool pair = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_number();
    if (!pair) field.at(i).fail("a piece and its score");
    const std::string& piece = entry[0].get_ref<const std::string&>();
    if (piece.size() > kPieceBytes)
      field.at(i).fail("a piece of at most " + std::to_string(kPieceBytes) + " bytes");
    scores_[i] = entry[1].get<double>();
    if (!std::isfinite(scores_[i])) field.at(i).fail("a finite score");
    if (!hidden[i]) least = std::min(least, scores_[i]);
    ids_[piece] = static_cast<int32_t>(i);  // of equal pieces the last one counts
  }
  unknown_score_ = (std::isfinite(least) ? least : 0) - kUnknownPenalty;
  std::vector<std::pair<std::string_view, int32_t>> sorted;
  for (const auto& [piece, id] : ids_)
    if (!hidden[static_cast<size_t>(id)] && !piece.empty()) sorted.emplace_back(piece, id);
  std::sort(sorted.begin(), sorted.end());
  trie_ = PieceTrie(sorted);
}

std::vector<Unigram::Step> Unigram::best_path(std::string_view text) const {
  std::vector<Step> best(text.size() + 1);
  const auto offer = [&](size_t begin, size_t end, int32_t id, double score) {
    score += best[begin].score;
    if (single_) score = static_cast<float>(score);
    if (best[end].id < 0 || score > best[end].score) best[end] = {begin, id, score};
  };
  const int32_t unknown = unknown_.value_or(std::numeric_limits<int32_t>::max());
  for (size_t at = 0; at < text.size();) {
    const size_t next = at + static_cast<size_t>(unicode::decode_at(text, at).length);
    bool whole_character = false;
    trie_.match(text, at, [&](size_t end, int32_t id) {
      offer(at, end, id, scores_[static_cast<size_t>(id)]);
      whole_character = whole_character || end == next;
    });
    if (!whole_character) offer(at, next, unknown, unknown_score_);
    at = next;
  }
  return best;
}

bool Unigram::add_bytes(std::string_view text, std::vector<int32_t>& out) const {
  for (const char c : text)
    if (!bytes_[static_cast<uint8_t>(c)]) return false;
  for (const char c : text) out.push_back(*bytes_[static_cast<uint8_t>(c)]);
  return true;
}

void Unigram::encode(std::string_view text, std::vector<int32_t>& out) const {
  const std::vector<Step> best = best_path(text);
  std::vector<std::pair<size_t, size_t>> pieces;  // from the last to the first, unknown ones joined
  bool in_unknown = false;
  for (size_t end = text.size(); end > 0; end = best[end].begin) {
    const Step& step = best[end];
    const bool is_unknown = unknown_ ? step.id == *unknown_ : step.id == std::numeric_limits<int32_t>::max();
    if (is_unknown && in_unknown) {
      pieces.back().first = step.begin;
    } else {
      pieces.emplace_back(step.begin, end);
    }
    in_unknown = is_unknown;
  }
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    const std::string_view part = text.substr(piece->first, piece->second - piece->first);
    if (const auto id = id_of(part)) {
      out.push_back(*id);
    } else if (!(byte_fallback_ && add_bytes(part, out))) {
      if (!unknown_)
        throw Error(ErrorCode::model_invalid, {.where = where_,
                                               .got = "text that no piece covers: " + in_quotes(part),
                                               .expected = "an unk_id for such text"});
      out.push_back(*unknown_);
    }
  }
}

}  // namespace galago
