// See the header.
#include "program.h"

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
#include "parse_faults.h"
#include "terminal.h"
#include "wording.h"

namespace galago::cli {
namespace {

int run(const Action& action, bool json) {
  try {
    return action();
  } catch (const Error& error) {
    return report(brief(error), json);
  } catch (const Cancelled&) {
    return interrupted_exit();
  } catch (const std::bad_alloc&) {
    return report(Error(ErrorCode::resource, {.where = "memory", .got = "no more to be had"}), json);
  } catch (const std::exception& error) {
    return report(Error(ErrorCode::internal,
                        {.where = error.what(), .hint = "this is a bug in galago: please report it"}),
                  json);
  }
}

// Of the command that was named, or of the program.
std::string shown_help(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands())
    return help_text(*command, "galago " + command->get_name());
  return help_text(app, "galago");
}

}  // namespace

int program(const std::vector<std::string>& words) {
  // A closed pipe and a limit on files' sizes are Error{output_io}, not a silent death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  guard_stderr();
  share_one_heap();
  Action action;
  const std::unique_ptr<CLI::App> parser = make_app(action);
  CLI::App& app = *parser;
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  guard_mapped_files(json);
  return run(
      [&] {
        const std::vector<std::string> in_order = arranged(app, words);
        std::vector<std::string> from_end(in_order.rbegin(), in_order.rend());
        try {
          app.parse(from_end);  // the parser takes them from the end
        } catch (const CLI::CallForHelp&) {
          print(shown_help(app));
          return 0;
        } catch (const CLI::CallForVersion& version) {
          print(std::string(version.what()) + "\n");
          return 0;
        } catch (const CLI::ParseError& error) {
          throw parse_fault(app, in_order, error);
        }
        return action();
      },
      json);
}

}  // namespace galago::cli
