// The words of the command line, put into the form that the parser reads. In: what was typed. Out: a command
// and its flags by galago's own names, every value beside its flag, free words as pictures and question.
// Everything that is not known is answered here, with what may have been meant.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace galago::cli {

/// Error{usage} for an unknown command or flag, a flag without its value, a word that means nothing.
std::vector<std::string> arranged(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace galago::cli
