// What the environment says about the hub, as huggingface_hub reads it. In: variables, the token's file.
// Out: where to ask, as whom, how long to wait.
#pragma once

#include <filesystem>
#include <string>

#include "hub/hub.h"

namespace galago::hub {

struct Settings {
  std::string endpoint;  ///< without a slash at the end: https://huggingface.co
  std::string token;     ///< empty: none
  std::filesystem::path cache;
  bool offline = false;
  double answer_seconds = 10;  ///< HF_HUB_ETAG_TIMEOUT: for an answer to begin
  double idle_seconds = 10;    ///< HF_HUB_DOWNLOAD_TIMEOUT: without a byte
  std::string certificates;    ///< a file of CA certificates; empty: the system's
};

/// Error{usage} for an endpoint that is no address and a token that cannot be sent.
Settings read_settings(const PullOptions& options);

}  // namespace galago::hub
