// The wire format is a list of (field number, wire type, value); messages lie in fields as bytes, so reading
// one is reading a smaller list. Unknown fields are stepped over, groups (long deprecated) are refused, and
// nothing nests deeper than the two levels read here.
#include "text/tokenizer/sentencepiece.h"

#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>

#include "core/printable.h"
#include "galago/error.h"
#include "text/tokenizer/vocabulary.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

/// Longest piece in bytes: bounds the work of finding its merges.
constexpr size_t kPieceBytes = 512;

/// A field of a message: the number, and the value in the form of its wire type.
struct WireField {
  uint64_t number = 0;
  enum class Type { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 } type = Type::varint;
  uint64_t value = 0;      ///< varint, fixed64, fixed32
  std::string_view bytes;  ///< bytes
};

/// Reads a message field by field.
class WireReader {
 public:
  WireReader(std::string_view bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}

  std::optional<WireField> next() {
    if (at_ == bytes_.size()) return std::nullopt;
    WireField field;
    const uint64_t key = varint();
    field.number = key >> 3;
    if (field.number == 0 || field.number >= uint64_t{1} << 29)
      fail("field number " + std::to_string(field.number), "1 to 536870911");
    switch (key & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = little_endian(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.value = little_endian(4);
        break;
      default:
        fail("wire type " + std::to_string(key & 7), "0, 1, 2 or 5");
    }
    field.type = static_cast<WireField::Type>(key & 7);
    return field;
  }

  [[noreturn]] void fail(const std::string& got, const std::string& expected) const {
    throw Error(ErrorCode::model_invalid, {.where = where_ + ", byte " + std::to_string(at_),
                                           .got = got,
                                           .expected = expected,
                                           .hint = "a SentencePiece model file is a protobuf message"});
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == bytes_.size()) fail("the end of the data within a number", "its last byte");
      const auto byte = static_cast<uint8_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail("a number of more than 64 bits", "at most ten bytes");
  }

  std::string_view take(uint64_t length) {
    if (length > bytes_.size() - at_)
      fail("a field of " + std::to_string(length) + " bytes",
           "at most the " + std::to_string(bytes_.size() - at_) + " that are left");
    const std::string_view taken = bytes_.substr(at_, static_cast<size_t>(length));
    at_ += taken.size();
    return taken;
  }

  uint64_t little_endian(size_t count) {
    const std::string_view raw = take(count);
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<uint8_t>(raw[i]);
    return value;
  }

  std::string_view bytes_;
  std::string where_;
  size_t at_ = 0;
};

/// Reads the messages of one file into a model.
class ModelReader {
 public:
  ModelReader(SentencePieceModel& model, const std::string& where) : model_(model), where_(where) {}

  void read_model(std::string_view bytes) {
    WireReader reader(bytes, where_);
    while (const auto field = reader.next()) {
      if (field->number == 1) read_piece(message(*field, "pieces"));
      if (field->number == 2) read_trainer(message(*field, "trainer_spec"));
      if (field->number == 3) read_normalizer(message(*field, "normalizer_spec"));
    }
  }

 private:
  [[noreturn]] void fail(const std::string& name, const std::string& got, const std::string& expected) const {
    throw Error(ErrorCode::model_invalid, {.where = where_ + ": " + name, .got = got, .expected = expected});
  }

  void expect(const WireField& field, WireField::Type type, const std::string& name) const {
    if (field.type != type)
      fail(name, "wire type " + std::to_string(static_cast<int>(field.type)),
           "wire type " + std::to_string(static_cast<int>(type)));
  }
  std::string_view message(const WireField& field, const std::string& name) const {
    expect(field, WireField::Type::bytes, name);
    return field.bytes;
  }
  std::string text(const WireField& field, const std::string& name) const {
    const std::string_view raw = message(field, name);
    if (const size_t at = unicode::find_malformed(raw); at != std::string_view::npos)
      fail(name, "a byte that is not UTF-8 at offset " + std::to_string(at), "UTF-8");
    return std::string(raw);
  }
  bool boolean(const WireField& field, const std::string& name) const {
    expect(field, WireField::Type::varint, name);
    return field.value != 0;
  }
  /// An int32, whose wire form is that of the 64-bit number.
  int32_t integer(const WireField& field, const std::string& name) const {
    expect(field, WireField::Type::varint, name);
    return static_cast<int32_t>(static_cast<uint32_t>(field.value));
  }

  void read_piece(std::string_view bytes) {
    const std::string name = "pieces[" + std::to_string(model_.pieces.size()) + "]";
    if (std::cmp_greater(model_.pieces.size(), kMaxTokenId))
      fail(name, "more pieces", "at most " + std::to_string(kMaxTokenId));
    SentencePieceModel::Piece piece;
    WireReader reader(bytes, where_ + ": " + name);
    while (const auto field = reader.next()) {
      if (field->number == 1) piece.text = text(*field, name + ".piece");
      if (field->number == 2) {
        expect(*field, WireField::Type::fixed32, name + ".score");
        const auto bits = static_cast<uint32_t>(field->value);
        std::memcpy(&piece.score, &bits, sizeof piece.score);
      }
      if (field->number == 3) {
        const int32_t kind = integer(*field, name + ".type");
        if (kind < 1 || kind > 6) fail(name + ".type", std::to_string(kind), "1 to 6");
        piece.kind = static_cast<SentencePieceModel::Kind>(kind);
      }
    }
    if (piece.text.empty() || piece.text.size() > kPieceBytes)
      fail(name + ".piece", std::to_string(piece.text.size()) + " bytes",
           "1 to " + std::to_string(kPieceBytes));
    if (!std::isfinite(piece.score)) fail(name + ".score", "a score that is not finite", "a number");
    model_.pieces.push_back(std::move(piece));
  }

  void read_trainer(std::string_view bytes) {
    WireReader reader(bytes, where_ + ": trainer_spec");
    while (const auto field = reader.next()) {
      switch (field->number) {
        case 3:
          read_algorithm(integer(*field, "trainer_spec.model_type"));
          break;
        case 24:
          if (boolean(*field, "trainer_spec.treat_whitespace_as_suffix"))
            throw Error(ErrorCode::model_unsupported,
                        {.where = where_ + ": trainer_spec.treat_whitespace_as_suffix",
                         .got = "true",
                         .expected = "false: the space before a word belongs to it"});
          break;
        case 35:
          model_.byte_fallback = boolean(*field, "trainer_spec.byte_fallback");
          break;
        case 40:
          model_.unk_id = integer(*field, "trainer_spec.unk_id");
          break;
        case 41:
          model_.bos_id = integer(*field, "trainer_spec.bos_id");
          break;
        case 42:
          model_.eos_id = integer(*field, "trainer_spec.eos_id");
          break;
        case 45:
          model_.unk_piece = text(*field, "trainer_spec.unk_piece");
          break;
        case 46:
          model_.bos_piece = text(*field, "trainer_spec.bos_piece");
          break;
        case 47:
          model_.eos_piece = text(*field, "trainer_spec.eos_piece");
          break;
        default:
          break;
      }
    }
  }

  void read_algorithm(int32_t type) {
    if (type != 1 && type != 2)
      throw Error(ErrorCode::model_unsupported, {.where = where_ + ": trainer_spec.model_type",
                                                 .got = std::to_string(type),
                                                 .expected = "1 (unigram) or 2 (BPE)"});
    model_.algorithm = static_cast<SentencePieceModel::Algorithm>(type);
  }

  void read_normalizer(std::string_view bytes) {
    WireReader reader(bytes, where_ + ": normalizer_spec");
    while (const auto field = reader.next()) {
      switch (field->number) {
        case 2:
          model_.charsmap = message(*field, "normalizer_spec.precompiled_charsmap");
          break;
        case 3:
          model_.add_dummy_prefix = boolean(*field, "add_dummy_prefix");
          break;
        case 4:
          model_.remove_extra_whitespaces = boolean(*field, "remove_extra_whitespaces");
          break;
        case 5:
          model_.escape_whitespaces = boolean(*field, "escape_whitespaces");
          break;
        default:
          break;
      }
    }
  }

  SentencePieceModel& model_;
  const std::string& where_;
};

[[noreturn]] void fail_pieces(const std::string& where, size_t index, const std::string& got,
                              const std::string& expected) {
  throw Error(ErrorCode::model_invalid,
              {.where = where + ": pieces[" + std::to_string(index) + "]", .got = got, .expected = expected});
}

/// What must hold between the pieces, as sentencepiece's own loader asks.
void check_pieces(const SentencePieceModel& model, const std::string& where) {
  using Kind = SentencePieceModel::Kind;
  Vocabulary seen;
  size_t bytes = 0;
  size_t unknown = 0;
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model.pieces[i];
    if (!seen.emplace(piece.text, static_cast<int32_t>(i)).second)
      fail_pieces(where, i, in_quotes(piece.text) + " a second time", "a piece of its own");
    if (piece.kind == Kind::unknown) ++unknown;
    if (piece.kind != Kind::byte) continue;
    ++bytes;
    bool is_byte = false;
    for (unsigned byte = 0; byte < 256 && !is_byte; ++byte) is_byte = piece.text == byte_token(byte);
    if (!is_byte) fail_pieces(where, i, "the byte piece " + in_quotes(piece.text), "<0x00> to <0xFF>");
  }
  const std::string where_all = where + ": pieces";
  if (unknown != 1)
    throw Error(ErrorCode::model_invalid,
                {.where = where_all, .got = std::to_string(unknown) + " unknown pieces", .expected = "one"});
  if (bytes != (model.byte_fallback ? 256U : 0U))
    throw Error(ErrorCode::model_invalid,
                {.where = where_all,
                 .got = std::to_string(bytes) + " byte pieces",
                 .expected = model.byte_fallback ? "256, for byte_fallback" : "none without byte_fallback"});
  const auto unk = static_cast<size_t>(static_cast<uint32_t>(model.unk_id));
  if (unk >= model.pieces.size() || model.pieces[unk].kind != Kind::unknown)
    throw Error(ErrorCode::model_invalid, {.where = where + ": trainer_spec.unk_id",
                                           .got = std::to_string(model.unk_id),
                                           .expected = "the id of the unknown piece"});
}

}  // namespace

SentencePieceModel SentencePieceModel::parse(std::string_view bytes, const std::string& where) {
  SentencePieceModel model;
  ModelReader(model, where).read_model(bytes);
  check_pieces(model, where);
  return model;
}

Json bpe_model_of(const SentencePieceModel& model) {
  Vocabulary ids;
  Json vocabulary = Json::object();
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    ids.emplace(model.pieces[i].text, static_cast<int32_t>(i));
    vocabulary[model.pieces[i].text] = i;
  }
  Json merges = Json::array();
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    const std::string_view text = piece.text;
    for (size_t at = 0; at < text.size();) {
      at += static_cast<size_t>(unicode::decode_at(text, at).length);
      if (at == text.size()) break;
      if (ids.contains(text.substr(0, at)) && ids.contains(text.substr(at)))
        merges.push_back(Json::array({text.substr(0, at), text.substr(at)}));
    }
  }
  return {{"type", "BPE"},
          {"unk_token", model.unk_piece},
          {"fuse_unk", true},
          {"byte_fallback", model.byte_fallback},
          {"vocab", std::move(vocabulary)},
          {"merges", std::move(merges)}};
}

Json unigram_model_of(const SentencePieceModel& model) {
  Json pieces = Json::array();
  for (const SentencePieceModel::Piece& piece : model.pieces)
    pieces.push_back(Json::array({piece.text, piece.score}));
  return {{"type", "Unigram"},
          {"unk_id", model.unk_id},
          {"byte_fallback", model.byte_fallback},
          {"vocab", std::move(pieces)}};
}

}  // namespace galago
