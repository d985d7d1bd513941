// Parts of elements as words: what exports share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "documents/document.h"

namespace galago::documents {

/// "bar_chart" as "Bar chart".
std::string picture_class_words(std::string_view name);

/// A line for each key, "key: value, value", and one for each value that no key has.
std::vector<std::string> key_value_lines(const KeyValues& pairs);

}  // namespace galago::documents
