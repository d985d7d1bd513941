// See the header.
#include "help.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace galago::cli {
namespace {

constexpr size_t kColumns = 100, kNameColumn = 32;

struct ExitCode {
  int code;
  const char* meaning;
};
constexpr ExitCode kExitCodes[] = {
    {0, "done"},
    {3, "done but for some pictures (batch, embed, classify)"},
    {64, "bad flag or argument"},
    {65, "bad or too large input"},
    {66, "a file or model is missing"},
    {69, "the address of serve cannot be had, or the hub not be reached"},
    {70, "a bug in galago"},
    {71, "out of memory"},
    {74, "output could not be written"},
    {75,
     "a program that reads videos, or the hub, took too long; another process writes this output (batch)"},
    {77, "the hub wants a token, or another one"},
    {78, "the model is malformed or not supported"},
    {130, "interrupted; 143: by SIGTERM"}};

constexpr size_t kShortList = 24;  // characters of choices that stand behind a flag

/// "{f32,bf16}" of a flag that takes one of a few words, or nothing.
std::string choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t list = type.find(":{");
  return list == std::string::npos ? "" : type.substr(list + 1);
}

/// What stands behind a flag: N, X for a number with a point, its choices if they are short.
std::string value_of(const CLI::Option& option) {
  const std::string type = option.get_type_name(), choices = choices_of(option);
  if (!choices.empty()) return choices.size() > kShortList ? "NAME" : choices;
  // What follows a colon is what the parser checks, unless it lies in brackets: DIR[:SCALE].
  const std::string kind = type.substr(
      0, type.find_first_of(type.ends_with(']') && type.find(' ') == std::string::npos ? " " : ": "));
  return kind == "INT" || kind == "UINT" ? "N" : kind == "FLOAT" ? "X" : kind;
}

/// A flag with what stands behind it: "-n, --max-new-tokens N".
std::string flag_of(const CLI::Option& option) {
  std::string text;
  const auto add = [&](const std::string& name) { text += (text.empty() ? "" : ", ") + name; };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  if (option.get_positional()) add(option.get_name());
  if (option.get_items_expected_max() > 0 && !option.get_positional()) {
    text += " " + value_of(option);
  }
  return text;
}

std::string meaning_of(const CLI::Option& option) {
  std::string text = option.get_description();
  if (std::string choices = choices_of(option); choices.size() > kShortList) {
    for (size_t at = 0; (at = choices.find(',', at)) != std::string::npos; ++at) choices.insert(++at, " ");
    text += ": one of " + choices;
  }
  if (!option.get_default_str().empty()) text += " (default: " + option.get_default_str() + ")";
  if (option.get_required()) text += " (required)";
  return text;
}

std::vector<const CLI::Option*> options_in(const CLI::App& command, const std::string& group) {
  return command.get_options([&](const CLI::Option* option) { return option->get_group() == group; });
}

// In the order of the flags, the group of those that have no other last.
std::vector<std::string> groups_of(const CLI::App& command) {
  std::vector<std::string> groups = command.get_groups();
  std::erase(groups, "");
  std::stable_partition(groups.begin(), groups.end(),
                        [](const std::string& group) { return group != "Options"; });
  return groups;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// PICTURE and QUESTION without flags, the parser's own positionals by name.
std::string free_words(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* option :
       command.get_options([](const CLI::Option* o) { return o->get_positional(); }))
    text += " " + option->get_name();
  const CLI::Option* image = command.get_option_no_throw("--image");
  if (image) text += " [PICTURE...]";
  if (image && command.get_option_no_throw("--prompt")) text += " [QUESTION]";
  return text;
}

// Lines of at most kColumns, those after the first indented.
std::string wrapped(const std::string& text, size_t column, size_t indent) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find(' ', begin), text.size());
    if (column > indent && column + 1 + (end - begin) > kColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += " ";
      ++column;
    }
    out += text.substr(begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  return out;
}

std::string row(const std::string& name, const std::string& meaning, size_t width) {
  std::string text = "  " + name;
  if (text.size() + 2 > width)
    text += "\n" + std::string(width, ' ');
  else
    text.append(width - text.size(), ' ');
  return text + wrapped(meaning, width, width) + "\n";
}

std::string exit_codes() {
  std::string text = "Exit codes: ";
  for (const ExitCode& exit : kExitCodes)
    text += (exit.code ? ", " : "") + std::to_string(exit.code) + " " + exit.meaning;
  return wrapped(text, 0, 0) + ".\n";
}

// For roff: no word of the text is a request or an escape, and a hyphen is one that can be copied.
std::string roff(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((i == 0 || text[i - 1] == '\n') && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '`')
      out += "\\(ga";
    else if (c == '^')
      out += "\\(ha";
    else if (c == '~')
      out += "\\(ti";
    else
      out += c;
  }
  return out;
}

// Text as it stands, with its line ends.
std::string roff_lines(const std::string& text) {
  std::string body = roff(text);
  while (body.ends_with('\n')) body.pop_back();
  for (size_t at = 0; (at = body.find("\n\n", at)) != std::string::npos;) body.replace(at, 2, "\n.sp\n");
  return ".nf\n" + body + "\n.fi\n";
}

std::string roff_options(const CLI::App& command) {
  std::string text;
  for (const std::string& group : groups_of(command))
    for (const CLI::Option* option : options_in(command, group))
      text += ".TP\n.B " + roff(flag_of(*option)) + "\n" + roff(meaning_of(*option)) + "\n";
  return text;
}

}  // namespace

std::string help_text(const CLI::App& app, const std::string& name) {
  const auto commands = commands_of(app);
  std::string text = "Usage: " + name + (commands.empty() ? " [FLAGS]" + free_words(app) : " COMMAND ...") +
                     "\n\n" + app.get_description() + "\n";
  if (!commands.empty()) {
    text += "\nCommands:\n";
    for (const CLI::App* command : commands) text += row(command->get_name(), command->get_description(), 13);
  }
  for (const std::string& group : groups_of(app)) {
    const auto options = options_in(app, group);
    if (options.empty()) continue;
    text += "\n" + group + ":\n";
    for (const CLI::Option* option : options) text += row(flag_of(*option), meaning_of(*option), kNameColumn);
  }
  if (!app.get_footer().empty()) text += "\n" + app.get_footer();
  return text + "\n" + exit_codes();
}

std::string manual_page(const CLI::App& app, const std::string& version) {
  std::string text =
      ".\\\" Made by galago --man from the flags of its commands.\n.TH GALAGO 1 \"\" \"galago " +
      roff(version) +
      "\" \"User Commands\"\n.SH NAME\ngalago \\- answers questions about pictures with small "
      "vision\\-language models\n.SH SYNOPSIS\n.B galago\n.I COMMAND\n[FLAGS] [PICTURE...] "
      "[QUESTION]\n.SH DESCRIPTION\n" +
      roff(app.get_description()) + "\n.SH COMMANDS\n";
  for (const CLI::App* command : commands_of(app))
    text += ".TP\n.B " + roff(command->get_name()) + "\n" + roff(command->get_description()) + ".\n";
  for (const CLI::App* command : commands_of(app)) {
    std::string name = "galago " + command->get_name();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    text += ".SH " + name + "\n.B galago " + command->get_name() + "\n[FLAGS]" + roff(free_words(*command)) +
            "\n.PP\n" + roff(command->get_description()) + ".\n" + roff_options(*command);
    if (!command->get_footer().empty()) text += ".PP\n" + roff_lines(command->get_footer());
  }
  text += ".SH EXIT STATUS\n";
  for (const ExitCode& exit : kExitCodes)
    text += ".TP\n.B " + std::to_string(exit.code) + "\n" + roff(exit.meaning) + "\n";
  text +=
      ".PP\n.B galago verify\nends with 1 when a station does not hold.\n.SH ENVIRONMENT\n.TP\n"
      ".BR HF_HUB_CACHE \", \" HF_HOME \", \" XDG_CACHE_HOME\nwhere the Hugging Face cache is, in which\n"
      ".B \\-m\n.I ORG/NAME\nis looked up (~/.cache/huggingface/hub).\n.TP\n"
      ".BR HF_TOKEN \", \" HF_TOKEN_PATH\nthe token for private and gated models of the hub.\n.TP\n"
      ".BR HF_HUB_OFFLINE \", \" TRANSFORMERS_OFFLINE\nif 1, nothing is downloaded.\n.TP\n"
      ".B HF_ENDPOINT\nthe hub (https://huggingface.co).\n.TP\n.B NO_COLOR\nif it is not empty, "
      "no pictures are drawn "
      "in the terminal.\n.SH FILES\n.TP\n"
      "~/.local/state/galago/history\nwhat was typed in\n.B galago chat\n(in XDG_STATE_HOME if that is "
      "set)\n.TP\n"
      "\\&../share/galago/models/demo\nthe demo model, from where the program lies\n.TP\n"
      "\\&../share/doc/galago\nthe documentation\n.SH SEE ALSO\n.BR ffmpeg (1),\n.BR ffprobe (1),\n"
      ".I ../share/doc/galago/docs/cli.md\n";
  return text + ".SH EXAMPLES\n" + roff_lines(app.get_footer());
}

}  // namespace galago::cli
