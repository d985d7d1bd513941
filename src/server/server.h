// The server as a program starts it: an HTTP server in front of the API. In: where to listen, rules, models.
// Out: answers, until it is drained.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/api/models.h"
#include "server/api/options.h"
#include "server/http/http.h"

namespace galago::server {

class Server {
 public:
  /// Listens and answers 503 until it is ready. The errors of http::Server.
  Server(http::Options http, ApiOptions api, Log log);
  /// Ends everything at once.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string address() const;
  /// From here on it answers.
  void ready(std::vector<std::unique_ptr<ServedModel>> models);
  /// Takes nothing new, and waits for what runs: at most so many seconds, then it ends with an error. Returns
  /// earlier when `hurry` says so.
  void drain(double seconds, const std::function<bool()>& hurry = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace galago::server
