// See the header.
#include "structured/doctags_box.h"

#include <algorithm>

namespace galago {
namespace {

constexpr int kPrefix = static_cast<int>(kLocationPrefix.size());

/// The highest number up to `last` whose decimal digits begin with those of `digits`; -1: none.
int highest_from(int digits, int last) {
  int highest = -1;
  int low = digits;
  for (int width = 1; low <= last; width *= 10, low = digits * width) {
    highest = std::min(last, low + width - 1);
    if (digits == 0) break;  // no number but 0 begins with a 0
  }
  return highest;
}

}  // namespace

int DocBoxReader::first() const { return count_ % 4 < 2 ? 0 : values_[count_ - 2U] + 1; }
int DocBoxReader::last() const { return count_ % 4 < 2 ? max_ - 1 : max_; }

uint64_t DocBoxReader::hash() const {
  uint64_t hash = count_;
  for (const int16_t value : values_) hash = hash * 1009 + static_cast<uint64_t>(value);
  return hash;
}

void DocBoxReader::begin() {
  at_start_ = false;
  running_ = true;
  count_ = 0;
  written_ = 0;
}

void DocBoxReader::add(int number) {
  values_[count_++] = static_cast<int16_t>(number);
  written_ = 0;
  number_ = -1;
  running_ = count_ < 4;
}

void DocBoxReader::leave() {
  at_start_ = false;
  written_ = 0;
}

bool DocBoxReader::read(std::string_view bytes, Place place) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [&](char byte) { return running_ ? read_location(byte) : read_text(byte, place); });
}

bool DocBoxReader::takes(const DocTagsVocabulary::Digits& digits) const {
  if (written_ < kPrefix || number_ == 0 || number_ > kMaxLocation) return false;
  const bool leading_zero = number_ < 0 && digits.value < digits.scale / 10 && digits.scale > 10;
  const int number = std::max<int>(number_, 0) * digits.scale + digits.value;
  return !leading_zero && highest_from(number, last()) >= first();
}

bool DocBoxReader::read_location(char byte) {
  if (written_ < kPrefix) return byte == kLocationPrefix[written_] && (++written_, true);
  if (byte == '>') {
    if (number_ < first() || number_ > last()) return false;
    add(number_);
    return true;
  }
  if (byte < '0' || byte > '9' || number_ == 0 || number_ > kMaxLocation) return false;
  number_ = static_cast<int16_t>(std::max<int>(number_, 0) * 10 + (byte - '0'));
  return highest_from(number_, last()) >= first();
}

bool DocBoxReader::read_text(char byte, Place place) {
  if (at_start_ && byte == kLocationPrefix[written_]) {
    if (++written_ < kPrefix) return true;
    at_start_ = false;
    running_ = true;
    number_ = -1;
    return true;
  }
  if (at_start_ && place.box) return false;
  if (!place.text) {
    if (written_ > 0 || !place.spaces || !is_white(byte)) return false;
    at_start_ = false;
    return true;
  }
  at_start_ = false;
  written_ = static_cast<uint8_t>(location_prefix_after(written_, byte));
  if (written_ < kPrefix) return true;
  written_ = 0;
  return place.places;
}

}  // namespace galago
