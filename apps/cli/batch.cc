// galago batch: one question about very many pictures; a run that can be killed and goes on.
#include <cstdio>
#include <iostream>
#include <memory>

#include "batch/output.h"
#include "batch_flags.h"
#include "batch_progress.h"
#include "chat_calls.h"
#include "commands.h"
#include "console.h"
#include "core/limits.h"
#include "core/printable.h"
#include "io/files.h"
#include "model_path.h"
#include "pictures.h"
#include "wording.h"

namespace galago::cli {
namespace {

std::string question(const BatchFlags& flags) {
  if (!flags.prompt.empty() && !flags.prompt_file.empty())
    throw Error(ErrorCode::usage, {.where = "-f, --file",
                                   .got = "-p beside it",
                                   .expected = "one question, which is asked about each picture"});
  check_standard_input(flags.inputs, {flags.prompt});
  std::string text = flags.prompt_file.empty()
                         ? prompt_text(flags.prompt)
                         : read_text_file(local_file(flags.prompt_file), limits::kPromptBytes);
  if (!flags.prompt_file.empty() && text.ends_with('\n')) text.pop_back();
  if (text.empty() && !batch::brings_questions(flags.inputs, flags.source))
    throw Error(ErrorCode::usage, {.where = "galago batch",
                                   .got = "no question",
                                   .expected = "-p, --prompt TEXT",
                                   .hint = "galago batch --help shows examples"});
  return text;
}

// Several words without a folder or a wildcard among them, and no file.
bool is_rather_a_question(const std::string& word) {
  std::error_code error;
  return word.find(' ') != std::string::npos && word.find_first_of("*[/:") == std::string::npos &&
         !std::filesystem::exists(word, error);
}

void check_inputs(const BatchFlags& flags) {
  if (flags.inputs.empty())
    throw Error(ErrorCode::usage, {.where = "galago batch",
                                   .got = "no input",
                                   .expected = "a folder, pictures or a list of them",
                                   .hint = "galago batch --help shows examples"});
  for (const std::string& input : flags.inputs)
    if (is_rather_a_question(input))
      throw Error(ErrorCode::usage, {.where = "galago batch",
                                     .got = "the word " + in_quotes(input, 80),
                                     .expected = "a folder, pictures or a list of them",
                                     .hint = "a question is given with -p: -p " + in_quotes(input, 80)});
  batch::check_output(flags.options.output);
  batch::check_form(flags.options.output);
  for (const std::string& input : flags.inputs) {
    std::error_code error;
    if (std::filesystem::equivalent(input, flags.options.output, error))
      throw Error(ErrorCode::usage,
                  {.where = "-o, --output", .got = "the input itself", .expected = "another file"});
  }
}

// What shapes the answers beside the request.
std::string settings(const BatchFlags& flags) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(batch::describe(flags.load));
  const batch::Columns& columns = flags.source.columns;
  json["image_root"] = flags.source.image_root.string();
  json["columns"] = {columns.image, columns.id, columns.prompt};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// Where file:// addresses of calls lead.
std::filesystem::path media_folder(const BatchFlags& flags) {
  if (!flags.source.image_root.empty() || flags.inputs[0] == "-" ||
      !batch::brings_questions(flags.inputs, flags.source))
    return flags.source.image_root;
  const std::filesystem::path folder = std::filesystem::path(flags.inputs[0]).parent_path();
  return folder.empty() ? "." : folder;
}

int run_batch(BatchFlags& flags) {
  batch::Options& options = flags.options;
  Request& request = options.request;
  check_inputs(flags);
  finish_answer_flags(flags.answer, request.options);
  if (flags.no_split) request.split_images = false;
  if (flags.split) request.split_images = true;
  request.prompt = question(flags);
  if (!flags.quiet) say_what_is_not_followed(request.options);
  options.settings = settings(flags);
  ChatCalls calls(media_folder(flags), request.options.max_new_tokens, options.timings);
  flags.source.read_call = [&calls](std::string line, const std::string& id, const std::string& where) {
    return calls.item(std::move(line), id, where);
  };
  const auto source = batch::open_source(flags.inputs, flags.source);
  catch_interrupt();
  BatchProgress progress(flags.quiet, flags.progress);
  progress.show("loading the model");
  const std::filesystem::path path = model_path(flags.model, "demo", flags.quiet);
  const Model model = [&] {
    const EndsAtOnce loading;
    return Model::load(path, flags.load);
  }();
  progress.clear();
  if (!flags.quiet) warn(model.warnings());
  forbid_words(flags.answer, model, request.options);
  calls.use(model, flags.model.empty() ? "galago" : flags.model);
  const batch::Summary summary =
      batch::run(model, *source, options,
                 {.stop = interrupted, .progress = [&](const batch::Progress& p) { progress.tell(p); }});
  progress.finish(summary, options.output.string());
  if (summary.stopped) return interrupted_exit();
  return summary.failed > 0 ? exit_code(ErrorCode::partial) : 0;
}

}  // namespace

void add_batch(CLI::App& app, Action& action) {
  auto flags = std::make_shared<BatchFlags>();
  CLI::App* command =
      app.add_subcommand("batch", "Ask about very many pictures; a run that is ended goes on where it was");
  add_batch_flags(*command, *flags);
  command->callback([flags, &action] { action = [flags] { return run_batch(*flags); }; });
}

}  // namespace galago::cli
