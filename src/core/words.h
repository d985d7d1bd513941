// Words of settings and names: told apart whatever their case, and listed for an error. In: ASCII.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace galago {

/// The text with A to Z as a to z; other bytes stay as they are.
std::string lower_ascii(std::string_view text);
/// "a, b or c".
std::string listed(std::span<const std::string_view> words);

}  // namespace galago
