// What an operator decides of the server's API.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "server/media/media.h"

namespace galago::server {

/// A model to serve.
struct ModelSource {
  std::filesystem::path path;
  std::vector<std::string> names;  ///< the first is the one that answers say; at least one
  LoadOptions load;
};

/// Limits and rules of requests.
struct ApiOptions {
  MediaOptions media;
  std::vector<std::string> api_keys;       ///< empty: everybody may ask
  std::vector<std::string> allowed_hosts;  ///< of the Host header; empty: any
  std::vector<std::string> cors_origins;   ///< "*": any; empty: none
  bool strict_model = false;               ///< a request has to name the one model that is there
  bool page = true;                        ///< the page at /
  int64_t max_body = int64_t{32} << 20;    ///< bytes
  int64_t max_images = 32;                 ///< of one request
  int64_t max_n = 16;                      ///< answers to one request
  int64_t max_tokens = 0;      ///< of an answer, where a request asks for none or more; 0: the context's end
  double temperature = 0;      ///< where a request names none
  double request_seconds = 0;  ///< 408 when it has not ended by then; 0: no limit
  int64_t max_queue = 64;      ///< requests that may wait; more get 429
  int64_t max_embeddings = 2048;  ///< inputs of one request for embeddings
  int intake_threads = 2;         ///< that read bodies and decode pictures
};

/// One request for the log.
struct LogRecord {
  std::string id;
  std::string trace;  ///< traceparent as sent; empty: none
  std::string peer;
  std::string method;
  std::string path;
  int status = 0;  ///< 0: the client left before there was one
  double milliseconds = 0;
  std::string model;
  std::string error;  ///< code and message; empty: none
  Usage usage;
  Timings timings;
  std::string finish;  ///< of the first answer
};

/// Called once for each request, from any thread.
using Log = std::function<void(const LogRecord&)>;

}  // namespace galago::server
