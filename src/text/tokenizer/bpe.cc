// Merging keeps the word as a linked list of symbols and the possible merges in a heap, best rank first and
// leftmost first among equals. A heap entry that an earlier merge made stale is recognised when it is popped.
#include "text/tokenizer/bpe.h"

#include <queue>
#include <string>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

bool flag(const JsonField& model, const std::string& key) {
  const auto field = model.find(key);
  return field && field->boolean();  // absent: false
}

[[noreturn]] void unsupported(const JsonField& field, const std::string& expected) {
  throw Error(ErrorCode::model_unsupported,
              {.where = field.where(), .got = describe(field.value()), .expected = expected});
}

}  // namespace

/// A token in the list of the word; a merged-away right half has id -1.
struct Bpe::Symbol {
  int32_t id = 0;
  int32_t previous = -1;
  int32_t next = -1;
};

/// "The symbol at `position` and the one behind it become `id`."
struct Bpe::Candidate {
  int32_t rank = 0;
  int32_t position = 0;
  int32_t id = 0;
  bool operator<(const Candidate& other) const {  // the queue's top is its largest
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

class Bpe::Merger {
 public:
  Merger(const Bpe& bpe, const std::vector<int32_t>& ids) : bpe_(bpe), symbols_(ids.size()) {
    const auto n = static_cast<int32_t>(ids.size());
    for (int32_t i = 0; i < n; ++i) at(i) = {ids[static_cast<size_t>(i)], i - 1, i + 1 < n ? i + 1 : -1};
    for (int32_t i = 0; i + 1 < n; ++i) consider(i);
  }

  void run(std::vector<int32_t>& out) {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      if (still_valid(top)) merge(top);
    }
    for (int32_t i = symbols_.empty() ? -1 : 0; i >= 0; i = at(i).next) out.push_back(at(i).id);
  }

 private:
  Symbol& at(int32_t i) { return symbols_[static_cast<size_t>(i)]; }

  const Merge* find(int32_t left, int32_t right) const {
    const auto found = bpe_.merges_.find(pair_key(left, right));
    return found == bpe_.merges_.end() ? nullptr : &found->second;
  }

  void consider(int32_t left) {
    const int32_t right = at(left).next;
    if (right < 0) return;
    if (const Merge* m = find(at(left).id, at(right).id)) queue_.push({m->rank, left, m->id});
  }

  bool still_valid(const Candidate& c) {
    const Symbol& left = at(c.position);
    if (left.id < 0 || left.next < 0) return false;
    const Merge* m = find(left.id, at(left.next).id);
    return m != nullptr && m->id == c.id;
  }

  void merge(const Candidate& c) {
    Symbol& left = at(c.position);
    Symbol& right = at(left.next);
    left.id = c.id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) at(left.next).previous = c.position;
    if (left.previous >= 0) consider(left.previous);
    consider(c.position);
  }

  const Bpe& bpe_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Candidate> queue_;
};

Bpe Bpe::from_json(const JsonField& field) {
  // Files older than the "type" key hold a BPE model too.
  if (const auto type = field.find("type"); type && type->string() != "BPE") unsupported(*type, "\"BPE\"");
  Bpe bpe;
  bpe.read_vocabulary(field.at("vocab"));
  bpe.read_merges(field.at("merges"));
  bpe.read_options(field);
  return bpe;
}

void Bpe::read_options(const JsonField& field) {
  byte_fallback_ = flag(field, "byte_fallback");
  fuse_unknown_ = flag(field, "fuse_unk");
  ignore_merges_ = flag(field, "ignore_merges");
  if (const auto dropout = field.find("dropout"); dropout && dropout->number(0, 1) != 0)
    unsupported(*dropout, "no dropout");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto text = field.find(key); text && !text->string().empty()) unsupported(*text, "none");
  if (const auto token = field.find("unk_token")) {
    unknown_ = id_of(token->string());
    if (!unknown_) token->fail("a token of the vocabulary");
  }
  if (byte_fallback_)
    for (unsigned byte = 0; byte < 256; ++byte) bytes_[byte] = id_of(byte_token(byte));
}

// Vocabulary and merges have tens of thousands of entries: a JsonField, which carries the way to an entry as
// text, is made for a faulty one only.
void Bpe::read_vocabulary(const JsonField& field) {
  field.expect_object();
  ids_.reserve(field.value().size());
  std::unordered_map<int64_t, const std::string*> seen;
  seen.reserve(field.value().size());
  for (const auto& [token, value] : field.value().items()) {
    const auto entry = [&, &name = token, &held = value] {
      return JsonField(held, field.where() + "." + printable(name));
    };
    const bool fits = value.is_number_unsigned() && value.get<uint64_t>() <= uint64_t{kMaxTokenId};
    const int64_t id = fits ? value.get<int64_t>() : entry().integer(0, kMaxTokenId);
    const auto [first, fresh] = seen.emplace(id, nullptr);
    if (!fresh)
      entry().fail("an id of its own", "the id belongs to " + in_quotes(*first->second) + " already");
    const auto stored = ids_.emplace(token, static_cast<int32_t>(id)).first;
    first->second = &stored->first;
  }
}

void Bpe::read_merges(const JsonField& field) {
  const size_t count = field.size();
  merges_.reserve(count);
  int32_t rank = 0;
  for (size_t i = 0; i < count; ++i) {
    const Json& entry = field.value()[i];
    MergeText merge{i, {}, {}};
    if (entry.is_string()) {
      const std::string_view line = entry.get_ref<const std::string&>();
      if (line.starts_with("#version")) continue;
      const size_t space = line.find(' ');
      if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
        field.at(i).fail("two tokens with one space between them");
      merge.left = line.substr(0, space);
      merge.right = line.substr(space + 1);
    } else {
      const bool pair = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string();
      if (!pair) field.at(i).fail("a pair of tokens");
      merge.left = entry[0].get_ref<const std::string&>();
      merge.right = entry[1].get_ref<const std::string&>();
    }
    add_merge(merge, rank++, field);
  }
}

void Bpe::add_merge(const MergeText& merge, int32_t rank, const JsonField& field) {
  const auto known = [&](std::string_view token) {
    const auto id = id_of(token);
    if (!id) field.at(merge.index).fail("tokens of the vocabulary", in_quotes(token) + " is not one");
    return *id;
  };
  const int32_t a = known(merge.left);
  const int32_t b = known(merge.right);
  const int32_t merged = known(std::string(merge.left) + std::string(merge.right));
  // A pair that is listed twice counts with its last rank.
  merges_[pair_key(a, b)] = {rank, merged};
}

std::optional<int32_t> Bpe::id_of(std::string_view token) const { return id_in(ids_, token); }

bool Bpe::add_bytes(std::string_view character, std::vector<int32_t>& out) const {
  for (const char c : character)
    if (!bytes_[static_cast<uint8_t>(c)]) return false;
  for (const char c : character) out.push_back(*bytes_[static_cast<uint8_t>(c)]);
  return true;
}

std::vector<int32_t> Bpe::characters(std::string_view word) const {
  std::vector<int32_t> ids;
  bool pending = false;  // an unknown token that waits for what follows, as the reference lets it wait
  for (size_t i = 0; i < word.size();) {
    const auto length = static_cast<size_t>(unicode::decode_at(word, i).length);
    const std::string_view character = word.substr(i, length);
    i += length;
    if (const auto id = id_of(character)) {
      if (pending) ids.push_back(*unknown_);
      pending = false;
      ids.push_back(*id);
    } else if (!(byte_fallback_ && add_bytes(character, ids)) && unknown_) {
      if (pending && !fuse_unknown_) ids.push_back(*unknown_);
      pending = true;
    }
  }
  if (pending) ids.push_back(*unknown_);
  return ids;
}

void Bpe::encode(std::string_view word, std::vector<int32_t>& out) const {
  if (ignore_merges_) {
    if (const auto id = id_of(word); id && !reserved_.contains(*id)) {
      out.push_back(*id);
      return;
    }
  }
  Merger(*this, characters(word)).run(out);
}

}  // namespace galago
