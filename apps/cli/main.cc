// galago on the command line. In: a subcommand and its flags. Out: answers; exit codes after sysexits(3).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <new>
#include <sstream>
#include <string_view>

#include "commands.h"
#include "console.h"
#include "core/cancelled.h"
#include "mapped_guard.h"
#include "numbers.h"
#include "terminal.h"

namespace {

constexpr const char* kAbout =
    "galago answers questions about pictures and videos with small vision-language models (SmolVLM,\n"
    "SmolVLM2, Idefics3, SmolDocling, Granite Docling, LLaVA-NeXT, Granite Vision), continues texts with\n"
    "text models alone (Llama, SmolLM2, Mistral, Granite), and compares pictures with texts (SigLIP and\n"
    "SigLIP2: embed, classify), straight from a Hugging Face model directory or a GGUF file.\n";

constexpr const char* kExamples =
    "Examples:\n"
    "  galago run --image photo.jpg -p \"What is in the picture?\"\n"
    "  galago run -m SmolVLM-256M-Instruct --image page.png -p \"What is the title?\" --stats\n"
    "  galago classify -m siglip-base-patch16-224 --image photo.jpg --labels \"cat,dog\"\n"
    "  galago inspect -m SmolVLM-256M-Instruct --image photo.jpg\n"
    "\n"
    "Exit codes: 0 done, 64 usage, 65 bad input, 66 not found, 70 a bug in galago, 71 out of memory,\n"
    "74 output failed, 78 bad or unsupported model, 130 interrupted.\n"
    "`galago COMMAND --help` explains a command.\n";

int run(const galago::cli::Action& action, bool json) {
  using galago::Error;
  using galago::ErrorCode;
  try {
    return action();
  } catch (const Error& error) {
    return galago::cli::report(error, json);
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

}  // namespace

int main(int argc, char** argv) {
  // A closed pipe and a limit on files' sizes are Error{output_io}, not a silent death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  galago::cli::guard_stderr();
  CLI::App app{kAbout, "galago"};
  app.footer(kExamples);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("galago ") + galago::version());
  galago::cli::Action action;
  galago::cli::add_run(app, action);
  galago::cli::add_inspect(app, action);
  galago::cli::add_trace(app, action);
  galago::cli::add_verify(app, action);
  galago::cli::add_export(app, action);
  galago::cli::add_quantize(app, action);
  galago::cli::add_embed(app, action);
  galago::cli::add_classify(app, action);
  galago::cli::add_bench(app, action);
  galago::cli::check_numbers(app);
  const bool json =
      std::any_of(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
  galago::cli::guard_mapped_files(json);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return run(
        [&]() -> int {
          if (error.get_exit_code() == 0) {  // --help and --version
            std::ostringstream shown;
            app.exit(error, shown, shown);
            galago::cli::print(shown.str());
            return 0;
          }
          throw galago::Error(
              galago::ErrorCode::usage,
              {.where = error.what(), .hint = "galago --help shows the commands and their flags"});
        },
        json);
  }
  return run(action, json);
}
