// galago on the command line. In: a subcommand and its flags. Out: answers; exit codes after sysexits(3).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "app.h"
#include "arguments.h"
#include "console.h"
#include "core/cancelled.h"
#include "galago/galago.h"
#include "help.h"
#include "io/process_memory.h"
#include "mapped_guard.h"
#include "terminal.h"
#include "wording.h"

namespace {

int run(const galago::cli::Action& action, bool json) {
  using galago::Error;
  using galago::ErrorCode;
  try {
    return action();
  } catch (const Error& error) {
    return galago::cli::report(galago::cli::brief(error), json);
  } catch (const galago::Cancelled&) {
    return galago::cli::kInterruptedExit;
  } catch (const std::bad_alloc&) {
    return galago::cli::report(Error(ErrorCode::resource, {.where = "memory", .got = "no more to be had"}),
                               json);
  } catch (const std::exception& error) {
    return galago::cli::report(
        Error(ErrorCode::internal,
              {.where = error.what(), .hint = "this is a bug in galago: please report it"}),
        json);
  }
}

// Of the command that was named, or of the program.
std::string shown_help(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands())
    return galago::cli::help_text(*command, "galago " + command->get_name());
  return galago::cli::help_text(app, "galago");
}

}  // namespace

int main(int argc, char** argv) {
  // A closed pipe and a limit on files' sizes are Error{output_io}, not a silent death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  galago::cli::guard_stderr();
  galago::share_one_heap();
  galago::cli::Action action;
  const std::unique_ptr<CLI::App> parser = galago::cli::make_app(action);
  CLI::App& app = *parser;
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  galago::cli::guard_mapped_files(json);
  return run(
      [&] {
        std::vector<std::string> arranged = galago::cli::arranged(app, words);
        const std::string name = "galago " + arranged.front();
        std::reverse(arranged.begin(), arranged.end());  // the parser takes them from the end
        try {
          app.parse(arranged);
        } catch (const CLI::CallForHelp&) {
          galago::cli::print(shown_help(app));
          return 0;
        } catch (const CLI::CallForVersion& version) {
          galago::cli::print(std::string(version.what()) + "\n");
          return 0;
        } catch (const CLI::ParseError& error) {
          throw galago::Error(galago::ErrorCode::usage,
                              {.where = error.what(), .hint = name + " --help shows its flags"});
        }
        return action();
      },
      json);
}
