// See the header.
#include "batch_flags.h"

#include <map>

#include "flags.h"
#include "run_flags.h"

namespace galago::cli {
namespace {

const std::map<std::string, batch::Form> kForms = {
    {"auto", batch::Form::by_name}, {"pictures", batch::Form::pictures}, {"list", batch::Form::list},
    {"jsonl", batch::Form::jsonl},  {"csv", batch::Form::csv},           {"tar", batch::Form::tar}};

void add_columns(CLI::App& command, batch::Columns& columns) {
  const char* group = "Input";
  command
      .add_option("--image-column", columns.image,
                  "Column or key of the picture (default: image, file_name or path)")
      ->group(group)
      ->type_name("NAME");
  command
      .add_option("--id-column", columns.id, "Column or key of the id (default: id, else the picture's name)")
      ->group(group)
      ->type_name("NAME");
  command
      .add_option("--prompt-column", columns.prompt,
                  "Column or key of a question of its own (default: prompt or question, else -p)")
      ->group(group)
      ->type_name("NAME");
}

void add_input(CLI::App& command, BatchFlags& flags) {
  const char* group = "Input";
  command
      .add_option(
          "INPUT", flags.inputs,
          "A folder (its pictures, those of folders in it too), a pattern in quotes "
          "('photos/**/*.jpg'), pictures, NAME.jsonl with an object in each line (or a request of "
          "OpenAI's batch API), NAME.csv, NAME.tsv, NAME.tar (WebDataset), NAME.txt with the name of a "
          "picture in each line, or - for standard input")
      ->group(group);
  command
      .add_option_function<std::string>(
          "--from", [&flags](const std::string& word) { flags.source.form = kForms.at(word); },
          "What the input is, when its name does not say it")
      ->group(group)
      ->check(CLI::IsMember({"auto", "pictures", "list", "jsonl", "csv", "tar"}))
      ->default_str("auto");
  add_columns(command, flags.source.columns);
  command
      .add_option("--image-root", flags.source.image_root,
                  "Folder in which relative names and file:// addresses of an input file begin (default: the "
                  "file's own, of lists the current one)")
      ->group(group)
      ->type_name("DIR");
  command.add_option("--limit", flags.options.limit, "Stop after so many items; 0: all of them")
      ->group(group)
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
}

void add_batch_question(CLI::App& command, BatchFlags& flags) {
  const char* group = "Question";
  command
      .add_option("-p,--prompt", flags.prompt,
                  "What is asked about each picture that brings no question; - reads it from standard input")
      ->group(group)
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw)
      ->type_name("TEXT");
  command.add_option("-f,--file", flags.prompt_file, "The same from a file, without its last line end")
      ->group(group)
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw)
      ->type_name("FILE");
  command.add_option("--system", flags.options.request.system, "A system message before the question")
      ->group(group)
      ->type_name("TEXT");
  add_question_reading(command, flags.load, flags.options.request, group);
  add_splitting(command, flags.no_split, flags.split, group);
}

void add_batch_output(CLI::App& command, BatchFlags& flags) {
  const char* group = "Output";
  command
      .add_option(
          "-o,--output", flags.options.output,
          "The answers in the order of the input: a line of JSON for each item; NAME.tar or a folder, "
          "NAME/: a .json and a .txt for each")
      ->group(group)
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw)
      ->type_name("FILE")
      ->required();
  command
      .add_flag("--restart", flags.options.restart,
                "Throw away what an earlier run with this output has done, and begin anew")
      ->group(group);
  command
      .add_flag("--keep-journal", flags.options.keep_journal,
                "Keep FILE.journal when the run is over: with more items behind those of the input, the next "
                "run answers only these")
      ->group(group);
  command
      .add_flag(
          "--retry-errors", flags.options.retry_errors,
          "Answer those items of an earlier run again whose records are errors; wants its journal: of a "
          "run that was ended, or had --keep-journal")
      ->group(group);
  command
      .add_flag("--timings", flags.options.timings,
                "Milliseconds of every stage in each record, which differ from run to run")
      ->group(group);
  CLI::Option* progress =
      command
          .add_flag("--progress", flags.progress,
                    "Tell every ten seconds how far it is, when standard error is no terminal")
          ->group(group);
  command.add_flag("-q,--quiet", flags.quiet, "Tell nothing but errors")->group(group)->excludes(progress);
}

void add_work(CLI::App& command, BatchFlags& flags) {
  command.add_option("--workers", flags.options.workers, "Items that are answered side by side")
      ->group(kSpeedGroup)
      ->check(CLI::Range(int64_t{1}, int64_t{1024}))
      ->capture_default_str();
  command
      .add_option("--max-memory", flags.options.max_memory,
                  "Bytes that items in work may hold beside the model, e.g. 4GB; 0: no limit")
      ->group(kSpeedGroup)
      ->transform(CLI::AsSizeValue(false))
      ->default_str("0");
}

}  // namespace

void add_batch_flags(CLI::App& command, BatchFlags& flags) {
  add_model(command, flags.model);
  add_input(command, flags);
  add_batch_question(command, flags);
  add_batch_output(command, flags);
  add_answer_flags(command, flags.options.request.options, flags.answer);
  add_loading(command, flags.load, flags.options.request.options);
  add_work(command, flags);
  command.footer(
      "What is done stands in FILE.journal until all is done. A run that was ended by whatever it was, "
      "Ctrl-C,\n"
      "kill -9, a full disk or a power failure, goes on where it was when the same command is given again. "
      "A\n"
      "picture that cannot be read is a record with an error; exit code 3 then.\n"
      "\n"
      "Examples:\n"
      "  galago batch photos -p \"What is in the picture?\" -o answers.jsonl\n"
      "  galago batch 'scans/**/*.png' -p \"What is the title?\" -o titles.jsonl -n 32\n"
      "  galago batch receipts -p \"What was paid?\" --json-schema receipt.schema.json -o paid.jsonl\n"
      "  galago batch questions.jsonl -o answers.jsonl        {\"image\": \"a.jpg\", \"prompt\": \"What is "
      "it?\"}\n"
      "  galago batch shard-0001.tar -p \"Describe it.\" -o captions-0001.tar\n"
      "  find . -name '*.jpg' -size +50k | galago batch - -p \"Is there a dog?\" --choices yes,no -o "
      "dogs.jsonl\n");
}

}  // namespace galago::cli
