// One visit for each call: the two algorithms share nothing but their vocabulary's type.
#include "text/tokenizer/token_model.h"

#include <utility>

#include "core/printable.h"
#include "galago/error.h"

namespace galago {

TokenModel TokenModel::from_json(const JsonField& field) {
  const auto type = field.find("type");
  if (!type || type->string() == "BPE") return TokenModel(Bpe::from_json(field));
  if (type->string() == "Unigram") return TokenModel(Unigram::from_json(field));
  throw Error(ErrorCode::model_unsupported,
              {.where = type->where(), .got = in_quotes(type->string()), .expected = "BPE or Unigram"});
}

void TokenModel::encode(std::string_view word, std::vector<int32_t>& out) const {
  std::visit([&](const auto& model) { model.encode(word, out); }, model_);
}

void TokenModel::reserve(std::unordered_set<int32_t> ids) {
  if (Bpe* bpe = std::get_if<Bpe>(&model_)) bpe->reserve(std::move(ids));
}

const Vocabulary& TokenModel::vocabulary() const {
  return std::visit([](const auto& model) -> const Vocabulary& { return model.vocabulary(); }, model_);
}

}  // namespace galago
