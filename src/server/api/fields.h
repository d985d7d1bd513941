// The fields of a request's body, read with their types and ranges. Every fault is an ApiError 400 that names
// the field. A field that is null counts as absent, as OpenAI's clients mean it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "messages/ordered_json.h"

namespace galago::server {

/// An object of the body. Refers to it.
class Fields {
 public:
  /// where: its path, "" for the body itself.
  explicit Fields(const OrderedJson& object, std::string where = {});

  /// Null when it is absent or null.
  const OrderedJson* find(const char* key) const;
  /// The first of these that is there; *used is its name.
  const OrderedJson* find(std::initializer_list<const char*> keys, std::string* used) const;
  bool has(const char* key) const { return find(key) != nullptr; }
  std::string path(const std::string& key) const { return where_.empty() ? key : where_ + "." + key; }

  /// A finite number within [least, most].
  std::optional<double> number(const char* key, double least, double most) const;
  /// A whole number within [least, most]; 5.0 is one.
  std::optional<int64_t> integer(const char* key, int64_t least, int64_t most) const;
  std::optional<bool> boolean(const char* key) const;
  std::optional<std::string> text(const char* key) const;
  /// A text, or a list of at most `most` texts.
  std::vector<std::string> texts(const char* key, size_t most) const;

 private:
  const OrderedJson* object_;
  std::string where_;
};

/// The same of a value that is not in an object, or has several names.
double number_of(const OrderedJson& value, const std::string& where, double least, double most);
int64_t integer_of(const OrderedJson& value, const std::string& where, int64_t least, int64_t most);
std::string text_of(const OrderedJson& value, const std::string& where);

}  // namespace galago::server
