// Names of files for items, whatever their ids are. In: ids in the order of the items. Out: relative paths
// that lead nowhere else, that are no two times the same, and that are the same for each run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

namespace galago::batch {

/// The id without a picture's ending, as a path: empty parts and those of dots alone go, "." at the beginning
/// of a part, control characters, \ : * ? " < > | % and malformed UTF-8 become %HH, a part of more than 180
/// bytes is cut and gets a digest.
std::string safe_name(std::string_view id);

class Names {
 public:
  /// safe_name, with ~2, ~3 and so on behind one that was given before.
  std::string next(std::string_view id);

 private:
  std::unordered_set<uint64_t> given_;  // digests: one that is another's costs a ~2
};

}  // namespace galago::batch
