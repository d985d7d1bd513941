// The flags that say how an answer is chosen, where it ends and which form it has: of every command that
// answers.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "galago/galago.h"

namespace galago::cli {

/// What these flags say beside GenerateOptions themselves.
struct AnswerFlags {
  bool json_object = false;
  std::optional<std::string> json_schema;  ///< as given: a file's name, or the schema
  std::optional<std::string> regex;
  std::optional<std::string> grammar;      ///< as given: a file's name, or the grammar
  std::optional<std::string> choice_list;  ///< "yes,no"
  std::vector<std::string> choices;        ///< each as it stands, commas too
  std::vector<std::string> bad_words;
};

/// Adds them, in groups.
void add_answer_flags(CLI::App& command, GenerateOptions& options, AnswerFlags& flags);

/// What the flags say together: the form of the answer, its file read. Error{usage} where two contradict each
/// other; errors of the file.
void finish_answer_flags(const AnswerFlags& flags, GenerateOptions& options);

/// Texts that do not come, as tokens of the model: each as it stands and behind a space.
void forbid_words(const AnswerFlags& flags, const Model& model, GenerateOptions& options);

/// On standard error, once: flags that change nothing, since the likeliest token is taken.
void say_what_is_not_followed(const GenerateOptions& options);

/// "ID=VALUE" or "ID:VALUE" of --logit-bias. Error{usage}.
TokenBias parse_logit_bias(const std::string& text);

}  // namespace galago::cli
