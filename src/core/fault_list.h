// What does not fit, as one text. In: a line for each fault. Out: their number, and the lines of an error.
#pragma once

#include <string>
#include <vector>

namespace galago {

/// "2 faults in the weights", where `place` is "in the weights", and the lines indented below it: at most 40,
/// then how many more there are. Ends with a line end.
std::string fault_list(const std::vector<std::string>& faults, const std::string& place = {});

}  // namespace galago
