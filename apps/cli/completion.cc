// See the header. bash: Programmable Completion; zsh: _arguments of zshcompsys(1); fish: complete(1).
#include "completion.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "commands.h"
#include "console.h"

namespace galago::cli {
namespace {

/// What stands behind a flag.
enum class Value { none, file, folder, choice, other };

struct Flag {
  std::vector<std::string> names;  ///< with their hyphens
  std::string help;
  Value value = Value::none;
  std::string kind;                  ///< of the value, for people
  std::vector<std::string> choices;  ///< Value::choice
};

/// The words of "TEXT:{a,b}".
std::vector<std::string> choices_in(const std::string& type) {
  const size_t begin = type.find(":{"), end = type.find('}');
  std::vector<std::string> words;
  if (begin == std::string::npos || end == std::string::npos) return words;
  for (size_t at = begin + 2; at <= end;) {
    const size_t comma = std::min(type.find(',', at), end);
    words.push_back(type.substr(at, comma - at));
    at = comma + 1;
  }
  return words;
}

Flag flag_of(const CLI::Option& option) {
  Flag flag;
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  flag.help = option.get_description();
  if (option.get_items_expected_max() == 0) return flag;
  const std::string type = option.get_type_name();
  flag.kind = type.substr(0, type.find_first_of(":[|"));
  flag.choices = choices_in(type);
  if (!flag.choices.empty())
    flag.value = Value::choice;
  else if (flag.kind == "DIR")
    flag.value = Value::folder;
  else
    flag.value = flag.kind == "FILE" || flag.kind == "MODEL" ? Value::file : Value::other;
  return flag;
}

std::vector<Flag> flags_of(const CLI::App& command) {
  std::vector<Flag> flags;
  for (const CLI::Option* option :
       command.get_options([](const CLI::Option* o) { return o->nonpositional(); }))
    flags.push_back(flag_of(*option));
  return flags;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// What a word without a flag is: one of these; none: a file, where the command takes such words at all.
std::vector<std::string> words_of(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::Option* option :
       command.get_options([](const CLI::Option* o) { return o->get_positional(); }))
    for (std::string& word : choices_in(option->get_type_name())) words.push_back(std::move(word));
  return words;
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string all_names(const std::vector<Flag>& flags) {
  std::vector<std::string> names;
  for (const Flag& flag : flags) names.insert(names.end(), flag.names.begin(), flag.names.end());
  return joined(names, " ");
}

/// For sh: within single quotes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
  return joined(names, " ");
}

std::string bash_case(const std::string& command, const Flag& flag) {
  std::vector<std::string> patterns;
  for (const std::string& name : flag.names) patterns.push_back("'" + command + " " + name + "'");
  std::string action;
  switch (flag.value) {
    case Value::none:
      return "";
    case Value::file:
      action = "_galago_files -f";
      break;
    case Value::folder:
      action = "_galago_files -d";
      break;
    case Value::choice:
      action = "_galago_words " + quoted(joined(flag.choices, " "));
      break;
    case Value::other:
      action = ":";
      break;
  }
  return "    " + joined(patterns, " | ") + ") " + action + "; return ;;\n";
}

std::string bash_script(const CLI::App& app) {
  std::string values, flags;
  for (const CLI::App* command : commands_of(app)) {
    const std::vector<Flag> all = flags_of(*command);
    for (const Flag& flag : all) values += bash_case(command->get_name(), flag);
    const std::vector<std::string> words = words_of(*command);
    flags += "    " + command->get_name() + ") flags=" + quoted(all_names(all)) +
             (words.empty() ? "" : "; words=" + quoted(joined(words, " "))) + " ;;\n";
  }
  return "# bash completion of galago; made by: galago completion bash\n"
         "# shellcheck shell=bash disable=SC2207\n"
         "_galago_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$current\")); }\n"
         "_galago_files() {\n"
         "  local IFS=$'\\n'\n"
         "  compopt -o filenames 2>/dev/null\n"
         "  COMPREPLY=($(compgen \"$1\" -- \"$current\"))\n"
         "}\n"
         "_galago() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} flags='' words=''\n"
         "  COMPREPLY=()\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    _galago_words " +
         quoted(command_names(app) + " " + all_names(flags_of(app))) +
         "\n"
         "    return\n"
         "  fi\n"
         "  # --flag=value comes as three words\n"
         "  if [[ $current == = ]]; then current=''\n"
         "  elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
         "  case \"${COMP_WORDS[1]} $before\" in\n" +
         values +
         "  esac\n"
         "  case \"${COMP_WORDS[1]}\" in\n" +
         flags +
         "  esac\n"
         "  if [[ $current == -* ]]; then _galago_words \"$flags\"\n"
         "  elif [[ -n $words ]]; then _galago_words \"$words\"\n"
         "  else _galago_files -f; fi\n"
         "}\n"
         "complete -F _galago galago\n";
}

/// For _arguments, within single quotes: brackets and colons are its own.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out;
}

std::string zsh_value(const Flag& flag) {
  const std::string kind = ":" + zsh_text(flag.kind) + ":";
  switch (flag.value) {
    case Value::none:
      return "";
    case Value::file:
      return kind + "_files";
    case Value::folder:
      return kind + "_files -/";
    case Value::choice:
      return kind + "(" + joined(flag.choices, " ") + ")";
    case Value::other:
      break;
  }
  return kind;
}

std::string zsh_flags(const std::vector<Flag>& flags) {
  std::string text;
  for (const Flag& flag : flags)
    for (const std::string& name : flag.names)
      text += " \\\n        '*" + name + (flag.value != Value::none && name.starts_with("--") ? "=" : "") +
              "[" + zsh_text(flag.help) + "]" + zsh_value(flag) + "'";
  return text;
}

std::string zsh_script(const CLI::App& app) {
  std::string names, cases;
  for (const CLI::App* command : commands_of(app)) {
    names += "    '" + command->get_name() + ":" + zsh_text(command->get_description()) + "'\n";
    const std::vector<std::string> words = words_of(*command);
    cases += "    " + command->get_name() + ")\n      _arguments" + zsh_flags(flags_of(*command)) +
             " \\\n        '*: :" + (words.empty() ? "_files" : "(" + joined(words, " ") + ")") + "' ;;\n";
  }
  return "#compdef galago\n"
         "# zsh completion of galago; made by: galago completion zsh\n"
         "_galago() {\n"
         "  local -a commands=(\n" +
         names +
         "  )\n"
         "  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then\n"
         "    _describe -t commands command commands\n"
         "    return\n"
         "  fi\n"
         "  local command=$words[2]\n"
         "  if ((CURRENT > 2)); then\n"
         "    shift words\n"
         "    ((CURRENT--))\n"
         "  fi\n"
         "  case $command in\n" +
         cases + "    *)\n      _arguments" + zsh_flags(flags_of(app)) +
         " ;;\n"
         "  esac\n"
         "}\n"
         "if [[ $funcstack[1] == _galago ]]; then _galago \"$@\"; else compdef _galago galago; fi\n";
}

/// For fish: within single quotes only the quote and the backslash are its own.
std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_flag(const std::string& when, const Flag& flag) {
  std::string text = "complete -c galago -n " + when;
  for (const std::string& name : flag.names)
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  switch (flag.value) {
    case Value::none:
      break;
    case Value::file:
      text += " -r -F";
      break;
    case Value::folder:
      text += " -x -a '(__fish_complete_directories)'";
      break;
    case Value::choice:
      text += " -x -a " + fish_quoted(joined(flag.choices, " "));
      break;
    case Value::other:
      text += " -x";
      break;
  }
  return text + " -d " + fish_quoted(flag.help) + "\n";
}

std::string fish_script(const CLI::App& app) {
  std::string text =
      "# fish completion of galago; made by: galago completion fish\n"
      "complete -c galago -f\n";
  for (const Flag& flag : flags_of(app)) text += fish_flag("__fish_use_subcommand", flag);
  for (const CLI::App* command : commands_of(app)) {
    const std::string when = fish_quoted("__fish_seen_subcommand_from " + command->get_name());
    text += "complete -c galago -n __fish_use_subcommand -a " + command->get_name() + " -d " +
            fish_quoted(command->get_description()) + "\n";
    const std::vector<std::string> words = words_of(*command);
    text += "complete -c galago -n " + when +
            (words.empty() ? std::string(" -F") : " -a " + fish_quoted(joined(words, " "))) + "\n";
    for (const Flag& flag : flags_of(*command)) text += fish_flag(when, flag);
  }
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return bash_script(app);
  return shell == "zsh" ? zsh_script(app) : fish_script(app);
}

void add_completion(CLI::App& app, Action& action) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a script with which a shell completes galago");
  command->add_option("SHELL", *shell, "The shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Examples:\n"
      "  eval \"$(galago completion bash)\"     # in ~/.bashrc; zsh alike, in ~/.zshrc behind compinit\n"
      "  galago completion fish > ~/.config/fish/completions/galago.fish\n"
      "The packages bring all three.\n");
  command->callback([shell, &app, &action] {
    action = [shell, &app] {
      print(completion_script(app, *shell));
      return 0;
    };
  });
}

}  // namespace galago::cli
