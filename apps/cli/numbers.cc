// See the header.
#include "numbers.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string>

namespace galago::cli {
namespace {

// Each gives what is wrong with the number; whether it is one at all the parser checks itself.

std::string signed_fault(const std::string& text) {
  errno = 0;
  std::strtoll(text.c_str(), nullptr, 0);
  return errno == ERANGE ? text + " is not between -9223372036854775808 and 9223372036854775807" : "";
}

std::string unsigned_fault(const std::string& text) {
  errno = 0;
  std::strtoull(text.c_str(), nullptr, 0);
  const bool negative = text.find('-') != std::string::npos;
  return errno == ERANGE || negative ? text + " is not between 0 and 18446744073709551615" : "";
}

std::string decimal_fault(const std::string& text) {
  return std::isfinite(std::strtod(text.c_str(), nullptr)) ? "" : text + " is not a finite number";
}

std::string size_fault(const std::string& text) {
  return text.starts_with('-') ? text + " is not at least 0" : "";
}

void check_option(CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.find(":SIZE") != std::string::npos) option.check(CLI::Validator(size_fault, "", "size"));
  if (type.starts_with("UINT"))
    option.check(CLI::Validator(unsigned_fault, "", "number"));
  else if (type.starts_with("INT"))
    option.check(CLI::Validator(signed_fault, "", "number"));
  else if (type.starts_with("FLOAT"))
    option.check(CLI::Validator(decimal_fault, "", "number"));
}

}  // namespace

void check_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) check_option(*option);
  for (CLI::App* command : app.get_subcommands({})) check_numbers(*command);
}

}  // namespace galago::cli
