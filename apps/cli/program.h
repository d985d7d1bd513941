// galago on the command line. In: a subcommand and its flags. Out: answers; exit codes after sysexits(3).
#pragma once

#include <string>
#include <vector>

namespace galago::cli {

/// Runs the program, with the process as its own: handlers of signals, the allocator. words: behind the
/// program's name.
int program(const std::vector<std::string>& words);

}  // namespace galago::cli
