// See the header.
#include "answer_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>

#include "console.h"
#include "core/limits.h"
#include "flags.h"
#include "io/files.h"
#include "pictures.h"
#include "wording.h"

namespace galago::cli {
namespace {

[[noreturn]] void refuse(const std::string& where, const std::string& got, const std::string& expected,
                         const std::string& hint = "") {
  throw Error(ErrorCode::usage, {.where = where, .got = got, .expected = expected, .hint = hint});
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size()) return {};
  return number;
}

/// A flag that takes one token id each time it is given.
CLI::Option* add_ids(CLI::App& command, const std::string& name, std::vector<int32_t>& ids,
                     const std::string& help) {
  const CLI::callback_t take = [&ids, name](const CLI::results_t& words) {
    for (const std::string& word : words) {
      const auto id = number_of<int32_t>(word);
      if (!id || *id < 0) refuse(name, word, "the id of a token, a whole number of at least 0");
      ids.push_back(*id);
    }
    return true;
  };
  return command.add_option(name, take, help)->type_name("ID")->take_all()->allow_extra_args(false);
}

/// A flag with a number that is there or not.
template <class Number>
CLI::Option* add_optional(CLI::App& command, const std::string& name, std::optional<Number>& number,
                          const std::string& help) {
  return command.add_option_function<Number>(
      name, [&number](const Number& given) { number = given; }, help);
}

/// A flag with one text, any text at all: the parser would take "{}" for none.
CLI::Option* add_text(CLI::App& command, const std::string& name, std::optional<std::string>& text,
                      const std::string& help) {
  const CLI::callback_t take = [&text](const CLI::results_t& words) {
    text = words.back();
    return true;
  };
  return command.add_option(name, take, help);
}

void add_length(CLI::App& command, GenerateOptions& options) {
  const char* group = "Answer";
  add_token_limit(
      command, options.max_new_tokens,
      "Stop after this many tokens; -1: at the end of the context (default: 256, for a model that "
      "writes DocTags 8192)")
      ->group(group);
  add_optional(command, "--min-new-tokens", options.min_new_tokens,
               "Do not end before this many tokens; 0: no such limit")
      ->group(group);
  add_texts(command, "--stop", options.stop,
            "End the answer before this text, which may be that of a special token; may be given several "
            "times")
      ->group(group)
      ->type_name("TEXT");
  add_ids(command, "--stop-token-id", options.stop_token_ids,
          "End the answer with this token, too; may be given several times")
      ->group(group);
  command
      .add_flag("--ignore-eos", options.ignore_eos,
                "Take the model's end tokens as tokens like others: the answer goes on to -n tokens")
      ->group(group);
  CLI::Option* keep = command
                          .add_flag_function(
                              "--keep-special", [&options](int64_t) { options.keep_special = true; },
                              "Show special tokens in the answer, the end token too (default: none, but the "
                              "DocTags of a model "
                              "that writes them)")
                          ->group(group);
  command
      .add_flag_function(
          "--skip-special", [&options](int64_t) { options.keep_special = false; },
          "Show no special tokens, not even DocTags")
      ->group(group)
      ->excludes(keep);
}

void add_sampling(CLI::App& command, GenerateOptions& options) {
  const char* group = "Sampling";
  command.add_option("--temp", options.temperature, "Temperature; 0 always takes the likeliest token")
      ->group(group)
      ->capture_default_str();
  add_seed(command, options.seed, "The same seed gives the same answer; -1: another one each time")
      ->group(group);
  command.add_option("--top-k", options.top_k, "Sample among the k likeliest tokens; 0: all")->group(group);
  command
      .add_option("--top-p", options.top_p,
                  "Sample among the likeliest tokens that together reach this probability")
      ->group(group);
  command.add_option("--min-p", options.min_p, "Drop tokens less likely than this times the likeliest")
      ->group(group);
  command
      .add_option("--typical-p", options.typical_p,
                  "Sample among the tokens of most usual surprise that together reach this probability")
      ->group(group);
  command.add_option("--epsilon-cutoff", options.epsilon_cutoff, "Drop tokens less likely than this")
      ->group(group);
  command
      .add_option("--eta-cutoff", options.eta_cutoff, "The same, with less dropped where the model is unsure")
      ->group(group);
}

void add_penalties(CLI::App& command, GenerateOptions& options) {
  const char* group = "Repetition";
  add_optional(command, "--repetition-penalty", options.repetition_penalty,
               "Above 1: make tokens of question and answer less likely")
      ->group(group);
  command
      .add_option("--frequency-penalty", options.frequency_penalty,
                  "From -2 to 2: taken from a token's logit each time that it was answered")
      ->group(group);
  command
      .add_option("--presence-penalty", options.presence_penalty,
                  "From -2 to 2: taken once from the logits of tokens of the answer")
      ->group(group);
  add_optional(command, "--no-repeat-ngram-size", options.no_repeat_ngram_size,
               "Let no N tokens in a row come twice, question included; 0: off")
      ->group(group);
}

void add_tokens(CLI::App& command, GenerateOptions& options, AnswerFlags& flags) {
  const char* group = "Single tokens";
  const CLI::callback_t take_bias = [&options](const CLI::results_t& words) {
    for (const std::string& word : words) options.logit_bias.push_back(parse_logit_bias(word));
    return true;
  };
  command
      .add_option("--logit-bias", take_bias,
                  "Add a value from -100 to 100 to the logit of one token; may be given several times")
      ->type_name("ID=VALUE")
      ->take_all()
      ->allow_extra_args(false)
      ->group(group);
  add_texts(command, "--bad-word", flags.bad_words,
            "A text that does not come, alone or behind a space; may be given several times")
      ->type_name("TEXT")
      ->group(group);
  add_ids(command, "--suppress-token", options.suppress_tokens,
          "A token that does not come; may be given several times")
      ->group(group);
  add_optional(
      command, "--logprobs", options.logprobs,
      "Tell how likely each token of the answer was, and N of the likeliest, 0 to 20: with --json in "
      "it, else on stderr")
      ->group(group);
  add_optional(command, "--prompt-logprobs", options.prompt_logprobs, "The same of the prompt's tokens")
      ->group(group);
}

void add_form(CLI::App& command, GenerateOptions& options, AnswerFlags& flags) {
  const char* group = "Form of the answer";
  command.add_flag("--json-object", flags.json_object, "A JSON object")->group(group);
  add_text(command, "--json-schema", flags.json_schema,
           "JSON that this schema allows: a file, or the schema itself")
      ->type_name("FILE|JSON")
      ->group(group);
  add_text(command, "--regex", flags.regex, "A text that this pattern matches as a whole")
      ->type_name("TEXT")
      ->group(group);
  add_text(command, "--grammar", flags.grammar,
           "A text of this grammar (EBNF, GBNF), from its rule root: a file, or the grammar itself")
      ->type_name("FILE|TEXT")
      ->group(group);
  add_text(command, "--choices", flags.choice_list, "One of these texts, commas between them")
      ->type_name("A,B")
      ->group(group);
  add_texts(command, "--choice", flags.choices,
            "One of the texts of this flag and --choices, as it stands; to be given several times")
      ->type_name("TEXT")
      ->group(group);
  command
      .add_flag("!--no-legal-doctags", options.legal_doctags,
                "Let a model that writes DocTags write tags in places where they are not allowed")
      ->group(group);
}

bool is_file(const std::string& word) {
  std::error_code error;
  return word.size() < 4096 && std::filesystem::is_regular_file(word, error);
}

/// What the flag holds: the text itself, or that of a file.
std::string text_or_file(const std::string& flag, const std::string& given, bool looks_like_text,
                         const std::string& expected) {
  if (looks_like_text && !is_file(given)) return given;
  try {
    return read_text_file(local_file(given), limits::kPromptBytes);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::not_found, {.where = flag + " " + shortened(given, 120),
                                       .got = "no such file",
                                       .expected = expected,
                                       .hint = error.hint()});
  }
}

bool begins_like_json(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && (text[first] == '{' || text == "true" || text == "false");
}

}  // namespace

void add_answer_flags(CLI::App& command, GenerateOptions& options, AnswerFlags& flags) {
  add_length(command, options);
  add_form(command, options, flags);
  add_sampling(command, options);
  add_penalties(command, options);
  add_tokens(command, options, flags);
}

TokenBias parse_logit_bias(const std::string& text) {
  const size_t colon = text.find_first_of(":=");
  const auto id = number_of<int32_t>(std::string_view(text).substr(0, colon));
  std::string_view value = colon == std::string::npos ? "" : std::string_view(text).substr(colon + 1);
  if (value.starts_with('+')) value.remove_prefix(1);
  const auto bias = number_of<double>(value);
  if (!id || *id < 0 || !bias || !std::isfinite(*bias))
    refuse("--logit-bias", shortened(text, 60), "ID=VALUE, as 42=-100",
           "galago run --json tells the ids of an answer's tokens");
  return {.id = *id, .bias = *bias};
}

void finish_answer_flags(const AnswerFlags& flags, GenerateOptions& options) {
  using Kind = AnswerFormat::Kind;
  std::vector<std::string> given;
  const auto take = [&](bool is_given, const char* name, Kind kind) {
    if (!is_given) return;
    given.emplace_back(name);
    options.format.kind = kind;
  };
  take(flags.json_object, "--json-object", Kind::json_object);
  take(flags.json_schema.has_value(), "--json-schema", Kind::json_schema);
  take(flags.regex.has_value(), "--regex", Kind::regex);
  take(flags.grammar.has_value(), "--grammar", Kind::grammar);
  take(flags.choice_list || !flags.choices.empty(), flags.choice_list ? "--choices" : "--choice",
       Kind::choice);
  if (given.size() > 1)
    refuse(given[0], given[1] + " beside it", "one form of the answer", "leave one of them out");
  AnswerFormat& format = options.format;
  if (flags.json_schema)
    format.definition =
        text_or_file("--json-schema", *flags.json_schema, begins_like_json(*flags.json_schema),
                     "a file with a JSON schema, or the schema itself");
  if (flags.regex) format.definition = *flags.regex;
  if (flags.grammar)
    format.definition =
        text_or_file("--grammar", *flags.grammar, flags.grammar->find("::=") != std::string::npos,
                     "a file with a grammar, or the grammar itself: root ::= \"yes\" | \"no\"");
  if (flags.choice_list) format.choices = split_list(*flags.choice_list, "choice");
  format.choices.insert(format.choices.end(), flags.choices.begin(), flags.choices.end());
  if (options.min_new_tokens && options.max_new_tokens && *options.min_new_tokens > *options.max_new_tokens)
    refuse("--min-new-tokens", std::to_string(*options.min_new_tokens),
           "at most -n, which is " + std::to_string(*options.max_new_tokens));
}

void forbid_words(const AnswerFlags& flags, const Model& model, GenerateOptions& options) {
  for (const std::string& word : flags.bad_words) {
    if (word.empty()) refuse("--bad-word", "an empty text", "a text");
    for (const std::string& form : {word, " " + word}) {
      std::vector<int32_t> ids = model.tokenize(form);
      auto& all = options.bad_words_ids;
      if (!ids.empty() && std::find(all.begin(), all.end(), ids) == all.end()) all.push_back(std::move(ids));
    }
  }
}

void say_what_is_not_followed(const GenerateOptions& o) {
  if (o.temperature == 0 && (o.top_k > 0 || o.top_p < 1 || o.min_p > 0 || o.typical_p < 1 ||
                             o.epsilon_cutoff > 0 || o.eta_cutoff > 0))
    notice(
        "--temp is 0, so the likeliest token is taken: --top-k, --top-p, --min-p and their like change "
        "nothing");
}

}  // namespace galago::cli
