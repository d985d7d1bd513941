// See the header.
#include "server/api/fields.h"

#include <cmath>

#include "server/api/api_error.h"

namespace galago::server {
namespace {

std::string written(double number) {
  const std::string text = OrderedJson(number).dump();
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

}  // namespace

Fields::Fields(const OrderedJson& object, std::string where) : object_(&object), where_(std::move(where)) {
  if (!object.is_object()) refuse_field(where_.empty() ? "body" : where_, shown_json(object), "an object");
}

const OrderedJson* Fields::find(const char* key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

const OrderedJson* Fields::find(std::initializer_list<const char*> keys, std::string* used) const {
  for (const char* key : keys)
    if (const OrderedJson* value = find(key)) {
      *used = key;
      return value;
    }
  return nullptr;
}

double number_of(const OrderedJson& value, const std::string& where, double least, double most) {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(number >= least && number <= most))
    refuse_field(where, shown_json(value), "a number from " + written(least) + " to " + written(most));
  return number;
}

int64_t integer_of(const OrderedJson& value, const std::string& where, int64_t least, int64_t most) {
  const auto refuse = [&] {
    const std::string range = most == INT64_MAX
                                  ? "of at least " + std::to_string(least)
                                  : "from " + std::to_string(least) + " to " + std::to_string(most);
    refuse_field(where, shown_json(value), "a whole number " + range);
  };
  constexpr double kExact = 9007199254740992.0;  // 2^53
  int64_t number = 0;
  if (value.is_number_unsigned()) {
    if (value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) refuse();
    number = value.get<int64_t>();
  } else if (value.is_number_integer()) {
    number = value.get<int64_t>();
  } else if (value.is_number_float()) {
    const double real = value.get<double>();
    if (!(std::abs(real) <= kExact) || real != std::floor(real)) refuse();
    number = static_cast<int64_t>(real);
  } else {
    refuse();
  }
  if (number < least || number > most) refuse();
  return number;
}

std::string text_of(const OrderedJson& value, const std::string& where) {
  if (!value.is_string()) refuse_field(where, shown_json(value), "a text");
  return value.get<std::string>();
}

std::optional<double> Fields::number(const char* key, double least, double most) const {
  const OrderedJson* value = find(key);
  return value ? std::optional(number_of(*value, path(key), least, most)) : std::nullopt;
}

std::optional<int64_t> Fields::integer(const char* key, int64_t least, int64_t most) const {
  const OrderedJson* value = find(key);
  return value ? std::optional(integer_of(*value, path(key), least, most)) : std::nullopt;
}

std::optional<bool> Fields::boolean(const char* key) const {
  const OrderedJson* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse_field(path(key), shown_json(*value), "true or false");
  return value->get<bool>();
}

std::optional<std::string> Fields::text(const char* key) const {
  const OrderedJson* value = find(key);
  return value ? std::optional(text_of(*value, path(key))) : std::nullopt;
}

std::vector<std::string> Fields::texts(const char* key, size_t most) const {
  const OrderedJson* value = find(key);
  if (!value) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array() || value->size() > most)
    refuse_field(path(key),
                 value->is_array() ? std::to_string(value->size()) + " entries" : shown_json(*value),
                 "a text or a list of at most " + std::to_string(most));
  std::vector<std::string> texts;
  for (size_t i = 0; i < value->size(); ++i)
    texts.push_back(text_of((*value)[i], path(key) + "[" + std::to_string(i) + "]"));
  return texts;
}

}  // namespace galago::server
