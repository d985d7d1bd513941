// JSON on its way out.
#pragma once

#include "messages/ordered_json.h"
#include "server/http/http.h"

namespace galago::server {

/// One line; malformed UTF-8 is replaced.
inline std::string written(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

inline http::Response json_response(const OrderedJson& json, int status = 200) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json; charset=utf-8"}},
          .body = written(json)};
}

}  // namespace galago::server
