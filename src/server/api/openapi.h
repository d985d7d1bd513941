// The description of the API for programs. Reference: OpenAPI 3.1.
#pragma once

#include <string>

namespace galago::server {

/// The document of /openapi.json.
const std::string& openapi_document();

}  // namespace galago::server
