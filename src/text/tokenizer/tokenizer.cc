// The stages in order: find added tokens, normalize the text between them, cut it into pieces, merge each
// piece.
#include "text/tokenizer/tokenizer.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "formats/json.h"
#include "galago/error.h"
#include "text/growth.h"
#include "text/marked_text.h"
#include "text/tokenizer/added_tokens.h"
#include "text/tokenizer/detokenizer.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/post_processor.h"
#include "text/tokenizer/pretokenizer.h"
#include "text/tokenizer/token_model.h"
#include "text/tokenizer/tokenizer_files.h"
#include "text/unicode/unicode.h"

namespace galago {

struct Tokenizer::Impl {
  std::string where;
  TokenModel model;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokens added;
  Detokenizer detokenizer;
  PostProcessor post;
  PaddingRules padding;
  std::unordered_map<std::string, int32_t> added_ids;

  /// What decoding knows of an id.
  struct Entry {
    std::string text;  ///< as the decoder sees it
    std::string bytes;
    bool used = false;
    bool special = false;
  };
  std::vector<Entry> entries;

  explicit Impl(const JsonField& field);
  void fill_entries();
  const Entry& entry(int32_t id) const;
  std::optional<int32_t> id_of(std::string_view token) const;
  void encode(const Piece& piece, std::vector<int32_t>& ids) const;
};

Tokenizer::Impl::Impl(const JsonField& field)
    : where(field.where()), model(TokenModel::from_json(field.at("model"))) {
  if (const auto f = field.find("normalizer")) normalizer = Normalizer::from_json(*f);
  if (const auto f = field.find("pre_tokenizer")) pre_tokenizer = PreTokenizer::from_json(*f);
  if (const auto f = field.find("added_tokens")) added = AddedTokens(*f, model.vocabulary(), normalizer);
  if (const auto f = field.find("decoder")) detokenizer = Detokenizer::from_json(*f);
  if (const auto f = field.find("post_processor")) post = PostProcessor::from_json(*f);
  for (const AddedToken& token : added.all()) added_ids.emplace(token.content, token.id);
  std::unordered_set<int32_t> special;
  for (const AddedToken& token : added.all())
    if (token.special) special.insert(token.id);
  model.reserve(std::move(special));
  fill_entries();
  for (const auto* side : {&post.prefix, &post.suffix})
    for (const int32_t id : *side)
      if (std::cmp_greater_equal(id, entries.size()))
        field.at("post_processor").fail("ids of the vocabulary", std::to_string(id) + " is not one");
}

void Tokenizer::Impl::fill_entries() {
  int32_t largest = -1;
  for (const auto& [token, id] : model.vocabulary()) largest = std::max(largest, id);
  for (const AddedToken& token : added.all()) largest = std::max(largest, token.id);
  const auto tokens = static_cast<int64_t>(model.vocabulary().size() + added.all().size());
  const int64_t most = 16 * tokens + 65536;  // ids may have gaps, but their table must not dwarf the file
  if (largest >= most)
    throw Error(ErrorCode::model_invalid, {.where = where,
                                           .got = "token id " + std::to_string(largest) + " among " +
                                                  std::to_string(tokens) + " tokens",
                                           .expected = "ids below " + std::to_string(most)});
  entries.resize(static_cast<size_t>(largest + 1));
  for (const auto& [token, id] : model.vocabulary())
    entries[static_cast<size_t>(id)] = {token, detokenizer.bytes_of(token), true, false};
  std::unordered_set<std::string> special;
  for (const AddedToken& token : added.all()) {
    entries[static_cast<size_t>(token.id)] = {token.decoded, token.content, true, false};
    if (token.special) special.insert(token.content);
  }
  // The reference asks by text, after normalization: so do we.
  for (const AddedToken& token : added.all())
    entries[static_cast<size_t>(token.id)].special = special.contains(token.decoded);
}

const Tokenizer::Impl::Entry& Tokenizer::Impl::entry(int32_t id) const {
  if (id < 0 || std::cmp_greater_equal(id, entries.size()))
    throw Error(ErrorCode::input_invalid,
                {.where = "token id",
                 .got = std::to_string(id),
                 .expected = "0 to " + std::to_string(int64_t(entries.size()) - 1)});
  return entries[static_cast<size_t>(id)];
}

std::optional<int32_t> Tokenizer::Impl::id_of(std::string_view token) const {
  if (const auto found = added_ids.find(std::string(token)); found != added_ids.end()) return found->second;
  return model.id_of(token);
}

void Tokenizer::Impl::encode(const Piece& piece, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  model.encode(piece.text, ids);
  const auto first = ids.begin() + static_cast<std::ptrdiff_t>(before);
  if (piece.skip > 0 && ids.size() - before >= piece.skip)
    ids.erase(first, first + static_cast<std::ptrdiff_t>(piece.skip));
}

Tokenizer Tokenizer::from_files(const ModelFiles& files) {
  const TokenizerDocument document = read_tokenizer_document(files);
  auto impl = std::make_shared<Impl>(JsonField(document.json, document.where));
  impl->padding = document.padding;
  Tokenizer made;
  made.impl_ = std::move(impl);
  return made;
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where, {.max_bytes = limits::kTokenizerBytes});
  Tokenizer made;
  made.impl_ = std::make_shared<Impl>(JsonField(document, where));
  return made;
}

std::vector<int32_t> Tokenizer::encode(const Segments& segments, bool parse_special) const {
  int64_t bytes = 0;
  for (const Segment& segment : segments) bytes += static_cast<int64_t>(segment.text.size());
  if (bytes > limits::kPromptBytes)
    throw Error(ErrorCode::input_too_large, {.where = "prompt",
                                             .got = std::to_string(bytes) + " bytes",
                                             .expected = "at most " + std::to_string(limits::kPromptBytes)});
  for (const Segment& segment : segments) unicode::require_well_formed(segment.text, "prompt");
  std::vector<PromptPart> parts = impl_->added.cut(MarkedText(segments), impl_->normalizer, parse_special);
  size_t normalized = 0;
  for (const PromptPart& part : parts) normalized += part.text.size();
  PreTokenizer::Run pre_tokenizer(impl_->pre_tokenizer, most_grown(normalized));
  std::vector<int32_t> ids;
  for (PromptPart& part : parts) {
    if (part.token) {
      ids.push_back(*part.token);
      continue;
    }
    pre_tokenizer({std::move(part.text), part.at_start},
                  [&](const Piece& piece) { impl_->encode(piece, ids); });
  }
  return ids;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  return encode(Segments{{std::string(text), false}});
}

std::vector<int32_t> Tokenizer::add_special_tokens(std::vector<int32_t> ids) const {
  const auto& [prefix, suffix] = impl_->post;
  ids.insert(ids.begin(), prefix.begin(), prefix.end());
  ids.insert(ids.end(), suffix.begin(), suffix.end());
  return ids;
}

PaddedIds Tokenizer::fit(std::vector<int32_t> ids, int64_t length) const {
  const PaddingRules& rules = impl_->padding;
  const auto& [prefix, suffix] = impl_->post;
  const auto around = static_cast<int64_t>(prefix.size() + suffix.size());
  const auto pad = impl_->id_of(rules.token);
  if (rules.token.empty() || !pad)
    throw Error(ErrorCode::model_invalid, {.where = impl_->where,
                                           .got = "no padding token",
                                           .expected = "a pad_token that is in the vocabulary"});
  if (length <= around || length > limits::kConfigPositions)
    throw Error(ErrorCode::model_invalid,
                {.where = impl_->where,
                 .got = "texts of " + std::to_string(length) + " ids",
                 .expected = std::to_string(around + 1) + " to " + std::to_string(limits::kConfigPositions)});
  if (const auto most = static_cast<size_t>(length - around); ids.size() > most)
    rules.cut_left ? void(ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(most)))
                   : ids.resize(most);
  ids.insert(ids.begin(), prefix.begin(), prefix.end());
  ids.insert(ids.end(), suffix.begin(), suffix.end());
  const size_t missing = static_cast<size_t>(length) - ids.size();
  std::vector<uint8_t> mask(ids.size(), 1);
  ids.insert(rules.pad_left ? ids.begin() : ids.end(), missing, *pad);
  mask.insert(rules.pad_left ? mask.begin() : mask.end(), missing, 0);
  return {.ids = std::move(ids), .mask = std::move(mask)};
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  StreamDecoder stream(*this, skip_special);
  std::string text;
  for (const int32_t id : ids) text += stream.push(id);
  return text + stream.finish();
}

int64_t Tokenizer::vocab_size() const { return static_cast<int64_t>(impl_->entries.size()); }

std::optional<int32_t> Tokenizer::token_to_id(std::string_view token) const { return impl_->id_of(token); }

std::string Tokenizer::token_bytes(int32_t id) const { return impl_->entry(id).bytes; }

bool Tokenizer::is_special(int32_t id) const { return impl_->entry(id).special; }

struct StreamDecoder::State {
  std::shared_ptr<const Tokenizer::Impl> tokenizer;
  bool skip_special = false;
  Detokenizer::Stream stream;
};

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : state_(new State{tokenizer.impl_, skip_special, tokenizer.impl_->detokenizer.stream()}) {}
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;
StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::push(int32_t id) {
  if (std::cmp_greater_equal(id, state_->tokenizer->entries.size())) return {};
  const Tokenizer::Impl::Entry& entry = state_->tokenizer->entry(id);
  if (!entry.used || (entry.special && state_->skip_special)) return {};
  return state_->stream.push(entry.text);
}

std::string StreamDecoder::finish() { return state_->stream.finish(); }

}  // namespace galago
