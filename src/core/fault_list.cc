// See the header.
#include "core/fault_list.h"

#include <algorithm>

namespace galago {

std::string fault_list(const std::vector<std::string>& faults, const std::string& place) {
  constexpr size_t kMostLines = 40;
  std::string list = std::to_string(faults.size());
  list += faults.size() == 1 ? " fault" : " faults";
  if (!place.empty()) list += " " + place;
  for (size_t i = 0; i < std::min(faults.size(), kMostLines); ++i) list += "\n  " + faults[i];
  if (faults.size() > kMostLines) list += "\n  and " + std::to_string(faults.size() - kMostLines) + " more";
  return list + "\n";
}

}  // namespace galago
