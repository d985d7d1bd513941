// Sets of characters: what one element of a regular expression matches.
// In: ranges, categories and properties by name. Out: whether a code point belongs. Reference: Oniguruma 6.9
// with Unicode 16, as in tokenizers 0.23.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace galago::regex {

class Set {
 public:
  using Property = bool (*)(char32_t);

  /// The set of a name as in \p{Name} and [:name:]; nothing when it is unknown. Words have fewer characters
  /// within brackets than outside.
  static std::optional<Set> named(std::string_view name, bool in_brackets);
  static Set of(char32_t first, char32_t last);
  static Set space();
  static Set word(bool in_brackets);
  static Set digit();
  static Set hexadecimal();
  static Set line_break();

  void add(char32_t first, char32_t last) { ranges_.emplace_back(first, last); }
  void add(Set other) { parts_.push_back(std::move(other)); }
  /// Keeps what is in `other` too.
  void intersect(Set other) { also_.push_back(std::move(other)); }
  void negate() { negated_ = !negated_; }
  /// Adds what differs from a member in case only; properties stay as they are, as in the reference. False
  /// for a range of too many characters.
  bool ignore_case();
  /// Sets within this one, itself included: what asking about a character may cost.
  size_t parts() const;
  /// To be called when the set is complete.
  void finish();

  bool has(char32_t c) const { return c < 0x80 ? ascii_[c] : evaluate(c); }

 private:
  bool evaluate(char32_t c) const;
  bool in_ranges(char32_t c) const;
  void join_ranges();

  std::bitset<128> ascii_;
  uint32_t categories_ = 0;
  std::vector<std::pair<char32_t, char32_t>> ranges_;
  Property property_ = nullptr;
  uint32_t script_ = 0;
  std::vector<Set> parts_;
  std::vector<Set> also_;
  bool negated_ = false;
};

}  // namespace galago::regex
