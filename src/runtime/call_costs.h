// What a row more costs in a call that decodes. In: rows and milliseconds of calls. Out: the part of a call's
// time that a row takes, which decides how likely a guess has to be before it is worth its row.
#pragma once

#include <cstdint>

namespace galago {

class CallCosts {
 public:
  void add(int64_t rows, double ms);
  /// A row's cost over what a token costs that some sequences decode one of each in a call: the chance from
  /// which on a guess gains time.
  double worth(int64_t sequences) const;

 private:
  // Sums of calls, the older the less: a line through (rows, ms).
  double n_ = 0, rows_ = 0, ms_ = 0, rows_rows_ = 0, rows_ms_ = 0;
};

}  // namespace galago
