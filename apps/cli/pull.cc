// galago pull: models out of the Hugging Face hub, into the cache that Hugging Face's tools share.
#include <memory>

#include "commands.h"
#include "console.h"
#include "core/limits.h"
#include "flags.h"
#include "io/files.h"
#include "model_path.h"
#include "pull_progress.h"

namespace galago::cli {
namespace {

constexpr int64_t kTokenBytes = 4096;

struct PullFlags {
  std::vector<std::string> names;
  hub::PullOptions options;
  std::string token_file;
  bool json = false;
};

nlohmann::ordered_json to_json(const hub::Pulled& pulled) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const hub::PlannedFile& file : pulled.plan.files)
    files.push_back({{"path", file.path}, {"size", file.size}, {"cached", file.cached}});
  return {{"repository", pulled.plan.repository},
          {"commit", pulled.plan.commit},
          {"snapshot", pulled.snapshot.string()},
          {"model", pulled.model.string()},
          {"bytes", pulled.plan.bytes},
          {"bytes_to_fetch", pulled.plan.bytes_to_fetch},
          {"files", std::move(files)}};
}

std::string list_of(const hub::Plan& plan) {
  std::vector<std::vector<std::string>> rows;
  for (const hub::PlannedFile& file : plan.files)
    rows.push_back({file.path, bytes_text(file.size), file.cached ? "in the cache" : ""});
  return plan.repository + " at " + plan.commit + ": " + bytes_text(plan.bytes) + ", to download " +
         bytes_text(plan.bytes_to_fetch) + "\n" + table(rows);
}

int run(PullFlags& flags) {
  if (!flags.token_file.empty()) flags.options.token = read_text_file(flags.token_file, kTokenBytes);
  for (const std::string& name : flags.names) {
    const std::string address = hub_name_of_address(name);
    hub::PullOptions options = flags.options;
    const hub::Pulled pulled = [&] {
      const PullProgress shown(options, flags.json || options.plan_only);
      return hub::pull(address.empty() ? name : address, options);
    }();
    if (flags.json)
      print_json(to_json(pulled));
    else
      print(options.plan_only ? list_of(pulled.plan) : pulled.model.string() + "\n");
  }
  return 0;
}

constexpr const char* kFooter =
    "Prints where the model is, for -m; -m ORG/NAME finds it there, and pulls it if it is missing. The "
    "files\n"
    "are shared with Hugging Face's own tools, both ways: what one has, the other does not download. Ctrl-C\n"
    "and a cut line lose nothing: the next pull goes on where this one ended. Each file is checked by its\n"
    "hash.\n"
    "\n"
    "Without --include and --all: settings, tokenizer, chat templates and safetensors; of a repository of\n"
    "GGUF files the one that NAME:QUANT says (else Q4_K_M, Q8_0, or the first) and the mmproj beside it.\n"
    "\n"
    "In the environment: HF_TOKEN for private and gated models, HF_HOME or HF_HUB_CACHE for the folder,\n"
    "HF_ENDPOINT for a mirror, HF_HUB_OFFLINE=1 to ask nobody; docs/hub.md has all.\n"
    "\n"
    "Examples:\n"
    "  galago pull HuggingFaceTB/SmolVLM-256M-Instruct\n"
    "  galago pull ibm-granite/granite-docling-258M@main --dry-run\n"
    "  galago pull ggml-org/SmolVLM-256M-Instruct-GGUF:Q8_0\n"
    "  galago pull ORG/NAME --include \"*.json\" --include \"*.txt\" --exclude \"onnx/*\"\n"
    "  galago run -m \"$(galago pull ORG/NAME)\" photo.jpg \"What is it?\"\n";

}  // namespace

void add_pull(CLI::App& app, Action& action) {
  auto flags = std::make_shared<PullFlags>();
  CLI::App* command = app.add_subcommand("pull", "Download models from the Hugging Face hub");
  command->add_option("NAME", flags->names, "ORG/NAME, ORG/NAME@REVISION, ORG/NAME:QUANT, or its address")
      ->required();
  command->add_option("--revision", flags->options.revision, "A branch, a tag or a commit (default: main)")
      ->type_name("NAME");
  add_texts(*command, "--include", flags->options.include,
            "Only files that fit this pattern; several may be given")
      ->type_name("PATTERN");
  add_texts(*command, "--exclude", flags->options.exclude,
            "No files that fit this pattern; several may be given")
      ->type_name("PATTERN");
  command->add_flag("--all", flags->options.all, "All files of the repository");
  command->add_flag("--dry-run", flags->options.plan_only, "List files and sizes, download nothing");
  command->add_option("--workers", flags->options.workers, "Files at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  command
      ->add_option("--token-file", flags->token_file,
                   "A file with the token, in the place of HF_TOKEN; a flag with the token itself would be "
                   "seen by every user of the machine")
      ->type_name("FILE");
  command->add_flag("--json", flags->json, "Print one JSON object for each name");
  command->footer(kFooter);
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace galago::cli
