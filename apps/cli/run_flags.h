// The flags of `galago run`.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "answer_flags.h"
#include "galago/galago.h"

namespace galago::cli {

struct RunFlags {
  std::string model;
  std::vector<std::string> images;
  std::vector<std::string> videos;
  std::optional<double> fps;
  std::vector<std::string> prompts;
  std::vector<std::string> prompt_files;
  std::string messages;
  LoadOptions load;
  Request request;  // of the first prompt
  AnswerFlags answer;
  int64_t answers = 1;
  bool no_split = false;
  bool split = false;
  bool json = false;
  bool stats = false;
  bool show_image = false;
};

/// Adds them, in groups, with the examples.
void add_run_flags(CLI::App& command, RunFlags& flags);

}  // namespace galago::cli
