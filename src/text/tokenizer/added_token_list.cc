// A later token of the same text replaces the flags of an earlier one and keeps its place.
#include "text/tokenizer/added_token_list.h"

#include <algorithm>

namespace galago {

AddedTokenList::AddedTokenList(const JsonField& model) {
  const JsonField field = model.at("vocab");
  const Json& vocabulary = field.value();
  vocabulary_size_ = static_cast<int64_t>(vocabulary.size());
  if (vocabulary.is_object()) {
    ids_ = &vocabulary;
    return;
  }
  for (size_t i = 0; i < field.size(); ++i)
    if (vocabulary[i].is_array() && !vocabulary[i].empty() && vocabulary[i][0].is_string())
      pieces_[vocabulary[i][0].get_ref<const std::string&>()] = static_cast<int64_t>(i);
}

int64_t AddedTokenList::new_id(const std::string& content) const {
  if (ids_ != nullptr) {
    if (const auto found = ids_->find(content); found != ids_->end() && found->is_number_integer())
      return found->get<int64_t>();
  } else if (const auto found = pieces_.find(content); found != pieces_.end()) {
    return found->second;
  }
  return std::max(vocabulary_size_, largest_ + 1);
}

void AddedTokenList::add_with_id(Json token, int64_t id) {
  token["id"] = id;
  largest_ = std::max(largest_, id);
  const auto [place, fresh] = places_.emplace(token["content"].get<std::string>(), tokens_.size());
  if (fresh) {
    tokens_.push_back(std::move(token));
  } else {
    tokens_[place->second] = std::move(token);
  }
}

void AddedTokenList::add(Json token) {
  const std::string content = token["content"];
  if (content.empty()) return;
  // What a token does not say about itself follows from whether it is special.
  if (!token.contains("normalized")) token["normalized"] = !token.value("special", false);
  const auto found = places_.find(content);
  const int64_t id = found == places_.end() ? new_id(content) : tokens_[found->second]["id"].get<int64_t>();
  add_with_id(std::move(token), id);
}

Json AddedTokenList::list() const {
  std::vector<Json> sorted = tokens_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Json& a, const Json& b) { return a["id"] < b["id"]; });
  return sorted;
}

}  // namespace galago
