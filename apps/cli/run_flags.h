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

/// --chat-template and --parse-special.
void add_question_reading(CLI::App& command, LoadOptions& load, Request& request, const std::string& group);
/// --no-split and --split.
void add_splitting(CLI::App& command, bool& no_split, bool& split, const std::string& group);
/// How the model is loaded and computes, and the image cache.
void add_loading(CLI::App& command, LoadOptions& load, GenerateOptions& options);
/// Adds them, in groups, with the examples.
void add_run_flags(CLI::App& command, RunFlags& flags);

}  // namespace galago::cli
