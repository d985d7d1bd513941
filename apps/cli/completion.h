// Scripts with which a shell completes galago's commands, flags and values. In: the parser's description of
// them. Out: a script for bash, zsh or fish.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace galago::cli {

/// shell: "bash", "zsh", "fish".
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace galago::cli
