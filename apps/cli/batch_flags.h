// The flags of `galago batch`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "answer_flags.h"
#include "batch/batch.h"
#include "batch/sources.h"

namespace galago::cli {

struct BatchFlags {
  std::string model;
  std::vector<std::string> inputs;
  batch::SourceOptions source;
  std::string prompt;
  std::string prompt_file;
  LoadOptions load;
  batch::Options options;
  AnswerFlags answer;
  bool no_split = false;
  bool split = false;
  bool progress = false;
  bool quiet = false;
};

/// Adds them, in groups, with the examples.
void add_batch_flags(CLI::App& command, BatchFlags& flags);

}  // namespace galago::cli
