// Only the "single" template counts: galago never encodes pairs of texts.
// Reference: `tokenizers` processors/template.rs.
#include "text/tokenizer/post_processor.h"

#include "core/printable.h"
#include "galago/error.h"
#include "text/tokenizer/vocabulary.h"

namespace galago {
namespace {

/// Ids of special token `name` in the field "special_tokens".
std::vector<int32_t> ids_of(const JsonField& processor, const std::string& name) {
  std::vector<int32_t> ids;
  const JsonField list = processor.at("special_tokens").at(name).at("ids");
  for (size_t i = 0; i < list.size(); ++i)
    ids.push_back(static_cast<int32_t>(list.at(i).integer(0, kMaxTokenId)));
  return ids;
}

PostProcessor read_template(const JsonField& field) {
  PostProcessor out;
  const JsonField single = field.at("single");
  bool behind = false;
  for (size_t i = 0; i < single.size(); ++i) {
    const JsonField piece = single.at(i);
    if (const auto special = piece.find("SpecialToken")) {
      const std::vector<int32_t> ids = ids_of(field, special->at("id").string());
      auto& side = behind ? out.suffix : out.prefix;
      side.insert(side.end(), ids.begin(), ids.end());
    } else if (piece.has("Sequence") && !behind) {
      behind = true;
    } else {
      piece.fail("a SpecialToken, or the one Sequence");
    }
  }
  return out;
}

}  // namespace

PostProcessor PostProcessor::from_json(const JsonField& field) {
  const std::string& type = field.at("type").string();
  if (type == "ByteLevel") return {};
  if (type == "TemplateProcessing") return read_template(field);
  if (type != "Sequence")
    throw Error(ErrorCode::model_unsupported,
                {.where = field.where() + ".type",
                 .got = in_quotes(type),
                 .expected = "TemplateProcessing, ByteLevel or a Sequence of them"});
  PostProcessor out;
  const JsonField list = field.at("processors");
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonField entry = list.at(i);
    if (entry.at("type").string() == "Sequence") entry.fail("no sequence within a sequence");
    const PostProcessor next = from_json(entry);
    out.prefix.insert(out.prefix.begin(), next.prefix.begin(), next.prefix.end());
    out.suffix.insert(out.suffix.end(), next.suffix.begin(), next.suffix.end());
  }
  return out;
}

}  // namespace galago
