// The flags of `galago convert`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "answer_flags.h"
#include "convert/convert.h"

namespace galago::cli {

struct ConvertFlags {
  std::string model;
  convert::Options options;
  LoadOptions load;
  AnswerFlags answer;
  std::string formats;
  std::string pages;
  double dpi = 0;  // 0: --scale says
  bool no_retry = false;
  bool no_draft = false;
  bool no_split = false;
  bool split = false;
  bool progress = false;
  bool quiet = false;
};

/// Adds them, in groups, with the examples.
void add_convert_flags(CLI::App& command, ConvertFlags& flags);

}  // namespace galago::cli
