// What the parser says against a word of the command line, as one of galago's errors. In: its exception. Out:
// which flag, what it got, what it takes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "galago/error.h"

namespace galago::cli {

/// Error{usage} for what `app` threw while it parsed `words`. A value from the environment is told by the
/// variable's name.
Error parse_fault(const CLI::App& app, const std::vector<std::string>& words, const CLI::ParseError& fault);

}  // namespace galago::cli
