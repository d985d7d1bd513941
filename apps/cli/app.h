// The program's commands, put together.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"

namespace galago::cli {

/// The parser with every command. `action` is what the one that is parsed wants to be run.
std::unique_ptr<CLI::App> make_app(Action& action);

}  // namespace galago::cli
