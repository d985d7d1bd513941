// Reads one directory of a TIFF block as Pillow does, since that decides which pictures are turned: numbers
// of every type count, the first of two entries counts, values that lie outside the block end the reading.
// In: bytes. Out: the orientation. Reference: Pillow 13.0 TiffImagePlugin.ImageFileDirectory_v2.load.
#include "image/exif.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string_view>
#include <vector>

namespace galago {
namespace {

using namespace std::string_view_literals;

constexpr int kOrientation = 0x0112;
constexpr int64_t kHeaderBytes = 8;
constexpr int64_t kEntryBytes = 12;
constexpr int64_t kTags = 65536;
/// Bytes of one value by the type's number; 0 where there is no such type.
constexpr std::array<int64_t, 17> kTypeBytes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8};
enum Type {
  kShort = 3,
  kLong,
  kRational,
  kSignedByte,
  kUndefined,
  kSignedShort,
  kSignedLong,
  kSignedRational
};
enum LaterType { kFloat = 11, kDouble, kDirectory, kLong8 = 16 };

using Bytes = std::span<const uint8_t>;

uint64_t number(Bytes bytes, bool big_endian) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) value = value << 8 | bytes[big_endian ? i : bytes.size() - 1 - i];
  return value;
}

/// The first value of an entry as a number; NaN for text and bytes.
double first_value(Bytes data, int type, bool big_endian) {
  const auto unsigned_at = [&](size_t at, size_t size) { return number(data.subspan(at, size), big_endian); };
  switch (type) {
    case kShort:
    case kLong:
    case kDirectory:
    case kLong8:
      return static_cast<double>(unsigned_at(0, static_cast<size_t>(kTypeBytes[type])));
    case kSignedByte:
      return static_cast<int8_t>(data[0]);
    case kSignedShort:
      return static_cast<int16_t>(unsigned_at(0, 2));
    case kSignedLong:
      return static_cast<int32_t>(unsigned_at(0, 4));
    case kRational:
      return static_cast<double>(unsigned_at(0, 4)) / static_cast<double>(unsigned_at(4, 4));
    case kSignedRational:
      return static_cast<double>(static_cast<int32_t>(unsigned_at(0, 4))) /
             static_cast<double>(static_cast<int32_t>(unsigned_at(4, 4)));
    case kFloat:
      return std::bit_cast<float>(static_cast<uint32_t>(unsigned_at(0, 4)));
    case kDouble:
      return std::bit_cast<double>(unsigned_at(0, 8));
    default:
      return std::nan("");
  }
}

bool is_tiff(std::string_view header) {
  // The second and the fourth are wrong, and read all the same.
  return header == "II*\0"sv || header == "II\0*"sv || header == "MM\0*"sv || header == "MM*\0"sv;
}

/// What an entry says before its value is looked at.
struct Entry {
  int tag = 0;
  int type = 0;
  int64_t bytes = 0;
};

/// The entries of a directory in their order.
class Directory {
 public:
  Directory(Bytes block, bool big_endian) : block_(block), big_endian_(big_endian), seen_(kTags) {}

  std::optional<int> orientation() {
    const int64_t start = at(4, 4);
    if (start > size() - 2) return std::nullopt;
    const int64_t count = at(start, 2);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t place = start + 2 + i * kEntryBytes;
      if (place > size() - kEntryBytes) return std::nullopt;
      const Entry entry = entry_at(place);
      if (seen_[entry.tag] || entry.bytes == 0) continue;
      const bool inside = entry.bytes <= 4;
      if (!inside && (outside_ += entry.bytes) > size()) continue;
      const int64_t from = inside ? place + 8 : at(place + 8, 4);
      if (from > size() - entry.bytes) return std::nullopt;
      if (entry.tag == kOrientation) return orientation_of(entry, block_.subspan(from, entry.bytes));
      seen_[entry.tag] = true;
    }
    return std::nullopt;
  }

 private:
  int64_t size() const { return static_cast<int64_t>(block_.size()); }
  int64_t at(int64_t place, int64_t bytes) const {
    return static_cast<int64_t>(number(block_.subspan(place, bytes), big_endian_));
  }

  Entry entry_at(int64_t place) const {
    Entry entry{.tag = static_cast<int>(at(place, 2)), .type = static_cast<int>(at(place + 2, 2))};
    if (entry.type < std::ssize(kTypeBytes)) entry.bytes = at(place + 4, 4) * kTypeBytes[entry.type];
    return entry;
  }

  int orientation_of(const Entry& entry, Bytes data) const {
    const double value = first_value(data, entry.type, big_endian_);
    return value >= 1 && value <= 8 && value == std::floor(value) ? static_cast<int>(value) : 0;
  }

  Bytes block_;
  bool big_endian_;
  std::vector<bool> seen_;  // by tag
  int64_t outside_ = 0;     // bytes of values that lie outside the entries
};

}  // namespace

std::optional<int> exif_orientation(Bytes exif) {
  constexpr std::array<uint8_t, 6> prefix = {'E', 'x', 'i', 'f', 0, 0};
  for (int times = 0; times < 2; ++times)  // one of the format, and one that some programs put there again
    if (exif.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), exif.begin()))
      exif = exif.subspan(prefix.size());
  if (static_cast<int64_t>(exif.size()) < kHeaderBytes) return std::nullopt;
  if (!is_tiff({reinterpret_cast<const char*>(exif.data()), 4})) return std::nullopt;
  return Directory(exif, exif[0] == 'M').orientation();
}

}  // namespace galago
