// The subcommands. Each adds its flags to the parser and sets the function that runs once they are parsed.
// In: flags. Out: text or JSON on stdout, progress and errors on stderr, a sysexits exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace galago::cli {

/// What main() runs after parsing; returns the exit code.
using Action = std::function<int()>;

void add_run(CLI::App& app, Action& action);
void add_chat(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_trace(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_embed(CLI::App& app, Action& action);
void add_classify(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_pull(CLI::App& app, Action& action);
void add_batch(CLI::App& app, Action& action);
void add_convert(CLI::App& app, Action& action);
void add_serve(CLI::App& app, Action& action);
void add_completion(CLI::App& app, Action& action);

}  // namespace galago::cli
