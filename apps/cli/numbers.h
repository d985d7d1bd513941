// Numbers on the command line, which the parser takes as the nearest one it can hold. In: all flags. Out:
// flags that refuse a number that does not fit.
#pragma once

#include <CLI/CLI.hpp>

namespace galago::cli {

/// Adds to every flag that takes a number, in all commands, a check that it can be held: -n
/// 9223372036854775808, --seed -1 where only 0 or more fit, --temp 1e999 and --temp nan are usage errors.
void check_numbers(CLI::App& app);

}  // namespace galago::cli
