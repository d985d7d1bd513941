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
    return kInterruptedExit;
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
        std::vector<std::string> in_order = arranged(app, words);
        const std::string name = "galago " + in_order.front();
        std::reverse(in_order.begin(), in_order.end());  // the parser takes them from the end
        try {
          app.parse(in_order);
        } catch (const CLI::CallForHelp&) {
          print(shown_help(app));
          return 0;
        } catch (const CLI::CallForVersion& version) {
          print(std::string(version.what()) + "\n");
          return 0;
        } catch (const CLI::ParseError& error) {
          throw Error(ErrorCode::usage, {.where = error.what(), .hint = name + " --help shows its flags"});
        }
        return action();
      },
      json);
}

}  // namespace galago::cli
