// See the header.
#include "app.h"

#include "console.h"
#include "galago/galago.h"
#include "help.h"
#include "numbers.h"

namespace galago::cli {
namespace {

constexpr const char* kAbout =
    "galago answers questions about pictures and videos with small vision-language models (SmolVLM,\n"
    "SmolVLM2, Idefics3, SmolDocling, Granite Docling, LLaVA-NeXT, Granite Vision), continues texts with\n"
    "text models alone (Llama, SmolLM2, Mistral, Granite), and compares pictures with texts (SigLIP and\n"
    "SigLIP2: embed, classify), straight from a Hugging Face model directory or a GGUF file; at the\n"
    "command line or over HTTP (serve).";

constexpr const char* kExamples =
    "Examples:\n"
    "  galago run photo.jpg \"What is in the picture?\"\n"
    "  galago run -m HuggingFaceTB/SmolVLM-256M-Instruct -i page.png -p \"What is the title?\" --stats\n"
    "  galago classify -m google/siglip-base-patch16-224 photo.jpg --labels \"cat,dog\"\n"
    "  galago inspect -m HuggingFaceTB/SmolVLM-256M-Instruct photo.jpg\n"
    "\n"
    "`galago COMMAND --help` explains a command.\n";

}  // namespace

std::unique_ptr<CLI::App> make_app(Action& action) {
  auto app = std::make_unique<CLI::App>(kAbout, "galago");
  app->footer(kExamples);
  app->set_version_flag("--version", std::string("galago ") + version(), "Print the version");
  app->set_help_flag("-h,--help", "Print this help");
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // a later flag replaces
  app->add_flag_callback(
      "--man",
      [&action, shown = app.get()] {
        action = [shown] {
          print(manual_page(*shown, version()));
          return 0;
        };
      },
      "Print the manual page: galago --man | man -l -");
  for (const auto add :
       {add_run, add_chat, add_inspect, add_trace, add_verify, add_export, add_quantize, add_embed,
        add_classify, add_batch, add_convert, add_serve, add_pull, add_bench, add_completion})
    add(*app, action);
  check_numbers(*app);
  return app;
}

}  // namespace galago::cli
