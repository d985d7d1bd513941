// Reads of optional config keys: the value checked against its range, or the default. Internal to src/io.
#pragma once

#include <cstdint>
#include <string>

#include "io/json.h"

namespace galago {

/// Allowed integers, both ends included.
struct IntegerRange {
  int64_t least = 1;
  int64_t most = 0;
};

inline int64_t integer_or(const JsonField& object, const std::string& key, IntegerRange range,
                          int64_t fallback) {
  const auto field = object.find(key);
  return field ? field->integer(range.least, range.most) : fallback;
}

inline bool boolean_or(const JsonField& object, const std::string& key, bool fallback) {
  const auto field = object.find(key);
  return field ? field->boolean() : fallback;
}

inline std::string string_or(const JsonField& object, const std::string& key, const std::string& fallback) {
  const auto field = object.find(key);
  return field ? field->string() : fallback;
}

}  // namespace galago
