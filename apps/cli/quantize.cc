// galago quantize: a model directory with smaller weights, which loads by itself.
#include "inspect/quantise.h"

#include <memory>

#include "commands.h"
#include "console.h"
#include "core/clock.h"
#include "flags.h"
#include "model_path.h"

namespace galago::cli {
namespace {

struct QuantizeFlags {
  std::string input;
  std::string output;
  std::string dtype;
  std::vector<std::string> lora;
  bool json = false;
};

std::string megabytes(int64_t bytes) { return grouped((bytes + 500'000) / 1'000'000) + " MB"; }

nlohmann::ordered_json to_json(const QuantizeFlags& flags, const QuantisedModel& done) {
  nlohmann::ordered_json matrices = nlohmann::ordered_json::object();
  for (const auto& [format, count] : done.matrices) matrices[to_string(format)] = count;
  return {{"from", flags.input},
          {"output", flags.output},
          {"dtype", flags.dtype},
          {"matrices", matrices},
          {"moved", done.moved},
          {"bytes", done.bytes_before},
          {"bytes_written", done.bytes_after}};
}

std::string to_text(const QuantizeFlags& flags, const QuantisedModel& done) {
  std::string matrices;
  for (const auto& [format, count] : done.matrices)
    matrices += (matrices.empty() ? "" : ", ") + grouped(count) + " " + to_string(format);
  const std::string moved =
      done.moved == 0 ? ""
                      : "; " + grouped(done.moved) + " that were quantised before now lie as they are read";
  return flags.input + ": matrices as " + matrices + "; " + megabytes(done.bytes_before) + " became " +
         megabytes(done.bytes_after) + moved + "\nwritten to " + flags.output + "\n";
}

int run(const QuantizeFlags& flags) {
  catch_interrupt();
  StatusLine status(!flags.json);
  const auto progress = [&](int64_t at, int64_t total) {
    status.show("tensor " + grouped(at) + " of " + grouped(total));
    return !interrupted();
  };
  std::vector<Lora> lora;
  for (const std::string& one : flags.lora) lora.push_back(lora_of(one));
  const QuantisedModel done =
      quantise_model(model_path(flags.input), flags.output, weight_dtype(flags.dtype), progress, lora);
  status.clear();
  if (done.bytes_after >= done.bytes_before && done.moved == 0)
    notice("no matrix could be made smaller as " + flags.dtype +
           ": the folder holds the weights as they were");
  if (flags.json)
    print_json(to_json(flags, done));
  else
    print(to_text(flags, done));
  return 0;
}

constexpr const char* kFooter =
    "The folder holds everything that the model's folder does, with one model.safetensors, and every "
    "command\n"
    "loads it without a flag. Quantised matrices of the text decoder lie as products read them, so that the\n"
    "file is mapped and nothing made of it; a folder that an older galago wrote gets there in the same way.\n"
    "q4: layers of the text decoder in 4 bits, all other matrices in 8. Norms,\n"
    "biases, position tables, patch embeddings and matrices whose rows are no multiple of 32 stay as they "
    "are.\n"
    "docs/quantisation.md has the formats and what they cost in quality.\n"
    "\n"
    "Examples:\n"
    "  galago quantize HuggingFaceTB/SmolVLM-256M-Instruct smolvlm-q8 --dtype q8\n"
    "  galago run -m smolvlm-q8 --image photo.jpg -p \"What is this?\"\n";

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto flags = std::make_shared<QuantizeFlags>();
  CLI::App* command = app.add_subcommand("quantize", "Write a model with smaller weights");
  command->add_option("IN", flags->input, "Model directory, or ORG/NAME of the Hugging Face hub")->required();
  command->add_option("OUT", flags->output, "The folder to write: new, or empty")->required();
  command->add_option("--dtype", flags->dtype, "Format of the weights")
      ->required()
      ->transform(dtype_name)
      ->check(CLI::IsMember({"q8", "q4", "bf16"}));
  command->add_option("--lora", flags->lora, kLoraHelp)->type_name("DIR[:SCALE]")->allow_extra_args(false);
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(kFooter);
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace galago::cli
