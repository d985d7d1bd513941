// The flags of galago serve, each with a twin in the environment.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "server/api/options.h"
#include "server/http/http.h"

namespace galago::cli {

struct ServeFlags {
  std::vector<std::string> models;   ///< as given, -m
  std::vector<std::string> aliases;  ///< "a,b" of each model, in their order
  LoadOptions load;
  bool mmap = false;
  http::Options http;
  server::ApiOptions api;
  std::string api_key;             ///< "a,b"
  std::filesystem::path key_file;  ///< a key a line
  std::vector<std::string> hosts;  ///< of --allowed-host
  double drain_seconds = 30;
  std::vector<std::string> variables;  ///< of the environment, the twins of all flags
  bool log_json = false;
  bool quiet = false;
};

void add_serve_flags(CLI::App& command, ServeFlags& flags);

/// What the flags say together: keys read from their file, hosts that are meant by the address. Errors of the
/// file, Error{usage}.
void finish_serve_flags(ServeFlags& flags);

/// What may not be meant, once the flags are finished: a server that anybody may use, variables that are no
/// flag's twin. `environment`: "NAME=VALUE".
std::vector<std::string> serve_warnings(const ServeFlags& flags, const std::vector<std::string>& environment);

}  // namespace galago::cli
