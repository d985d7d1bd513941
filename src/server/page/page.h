// The browser page: files that were compiled into the program. In: the path of a request. Out: bytes and the
// headers that go with them. What the page does: docs/page.md.
#pragma once

#include <string_view>

#include "server/http/http.h"

namespace galago::page {

/// A file of the page. Everything lives as long as the program.
struct Asset {
  std::string_view path;          ///< of a request: "/" or "/page/NAME"
  std::string_view content_type;  ///< with its charset
  std::string_view etag;          ///< strong, in its quotes: RFC 9110, section 8.8.3
  std::string_view bytes;
};

/// The file at that path, told without query; null: none.
const Asset* find_asset(std::string_view path);

/// What every file of the page is sent with besides what tells its type and age: a policy that lets the
/// browser load and connect to nothing but this server, and turn no text into HTML. Reference: Content
/// Security Policy Level 3, Trusted Types.
const http::Headers& page_headers();

}  // namespace galago::page
