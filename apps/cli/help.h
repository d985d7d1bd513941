// The help texts and the manual page, made of the commands' own flags. In: the parser's description of them.
// Out: text for a terminal, or roff for man(1).
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace galago::cli {

/// `--help` of the program (its commands) or of a command (its flags in groups, examples, exit codes).
std::string help_text(const CLI::App& app, const std::string& name);

/// galago.1, in the man macros of groff and mandoc.
std::string manual_page(const CLI::App& app, const std::string& version);

}  // namespace galago::cli
