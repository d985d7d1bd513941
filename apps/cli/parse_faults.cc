// See the header. The parser's own texts: CLI11's Option.hpp and Validators.hpp.
#include "parse_faults.h"

#include <algorithm>
#include <cstdlib>

namespace galago::cli {
namespace {

/// What numbers.cc found, without the value: "between 0 and 18446744073709551615".
std::string bounds_told(const std::string& text) {
  const size_t at = text.find(" is not ");
  return at == std::string::npos ? "" : text.substr(at + 8);
}

std::string expected_of(const CLI::Option& option, const std::string& told) {
  const std::string type = option.get_type_name();
  if (type.find(":SIZE") != std::string::npos) return "a number of bytes, as 500000, 64MB or 2GB";
  if (const size_t list = type.find('{'); list != std::string::npos)
    return "one of " + type.substr(list + 1, type.find('}', list) - list - 1);
  const std::string number = type.starts_with("FLOAT") ? "a number" : "a whole number";
  if (const std::string bounds = bounds_told(told); !bounds.empty())
    return bounds.starts_with("a ") ? bounds : number + " " + bounds;
  const size_t range = type.find(" in ["), to = type.find(" - ", range), end = type.find(']', range);
  if (range == std::string::npos || to == std::string::npos || end == std::string::npos) return number;
  return number + " from " + type.substr(range + 5, to - range - 5) + " to " +
         type.substr(to + 3, end - to - 3);
}

// The flag that a text is about: "--port: ..." or "Could not convert: --port = ...".
const CLI::Option* option_of(const CLI::App& command, const std::string& text) {
  const auto all = command.get_options([](const CLI::Option*) { return true; });
  const auto found = std::find_if(all.begin(), all.end(), [&](const CLI::Option* option) {
    const std::string name = option->get_name();
    return text.starts_with(name + ": ") || text.find(": " + name + " = ") != std::string::npos;
  });
  return found == all.end() ? nullptr : *found;
}

/// What an option was given, and by whom: a flag or its variable.
struct Given {
  std::string name;
  std::string value;
};

Given given_to(const CLI::Option& option, const std::vector<std::string>& words) {
  Given given{.name = option.get_name(), .value = {}};
  for (size_t i = 0; i + 1 < words.size(); ++i)
    if (option.check_name(words[i])) given.value = words[i + 1];
  const char* variable = std::getenv(option.get_envname().c_str());
  if (given.value.empty() && variable) given = {.name = option.get_envname(), .value = variable};
  return given;
}

}  // namespace

Error parse_fault(const CLI::App& app, const std::vector<std::string>& words, const CLI::ParseError& fault) {
  const std::string text = fault.what();
  const std::vector<const CLI::App*> commands = app.get_subcommands(
      [&](const CLI::App* one) { return !words.empty() && one->get_name() == words.front(); });
  const CLI::App& command = commands.empty() ? app : *commands.front();
  const std::string name = "galago" + (commands.empty() ? "" : " " + command.get_name());
  const std::string hint = name + " --help shows its flags";
  constexpr std::string_view required = " is required";
  if (text.ends_with(required))
    return {ErrorCode::usage,
            {.where = name,
             .got = "no " + text.substr(0, text.size() - required.size()),
             .expected = "one: it has no default",
             .hint = hint}};
  const CLI::Option* option = option_of(command, text);
  if (!option) return {ErrorCode::usage, {.where = text, .hint = hint}};
  const Given given = given_to(*option, words);
  return {ErrorCode::usage,
          {.where = given.name, .got = given.value, .expected = expected_of(*option, text), .hint = hint}};
}

}  // namespace galago::cli
