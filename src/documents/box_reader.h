// Locations as a box: four numbers in 500ths of the page.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "documents/document.h"

namespace galago::documents {

class BoxReader {
 public:
  /// Further ones than four are passed over.
  void add(int value) {
    if (count_ < values_.size()) values_[count_++] = value;
  }
  bool empty() const { return count_ == 0; }
  bool incomplete() const { return count_ > 0 && count_ < values_.size(); }

  /// The box, if it is whole. `corrected`: it lay outside of the page, or its sides were exchanged.
  std::optional<Box> box(bool& corrected) const {
    if (count_ < values_.size()) return std::nullopt;
    std::array<int, 4> sides = values_;
    for (int& side : sides) side = std::min(side, Box::kUnits);
    if (sides[0] > sides[2]) std::swap(sides[0], sides[2]);
    if (sides[1] > sides[3]) std::swap(sides[1], sides[3]);
    corrected = sides != values_;
    return Box{sides[0], sides[1], sides[2], sides[3]};
  }

 private:
  std::array<int, 4> values_{};
  size_t count_ = 0;
};

}  // namespace galago::documents
