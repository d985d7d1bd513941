#include "server/http/response.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <cstdio>

#include "server/http/text.h"

namespace galago::http {
namespace {

std::string clean(std::string text) {
  for (char& c : text)
    if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f) c = ' ';
  return text;
}

bool is_ours(const std::string& name) {
  return equals(name, "Content-Length") || equals(name, "Transfer-Encoding") || equals(name, "Connection") ||
         equals(name, "Date");
}

// IMF-fixdate of RFC 9110, section 5.6.7.
std::string date(std::time_t now) {
  static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                days[static_cast<size_t>(parts.tm_wday)], parts.tm_mday,
                months[static_cast<size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                parts.tm_sec);
  return text.data();
}

}  // namespace

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string response_head(const Response& response, const Framing& framing, std::time_t now) {
  const int status = std::clamp(response.status, 200, 999);
  const auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  std::string head = "HTTP/1.1 " + std::to_string(status) + ' ' + std::string(reason) + "\r\n";
  for (const auto& [name, value] : response.headers)
    if (is_token(name) && !is_ours(name)) head += name + ": " + clean(value) + "\r\n";
  head += "Date: " + date(now) + "\r\n";
  if (framing.length) head += "Content-Length: " + std::to_string(*framing.length) + "\r\n";
  if (framing.chunked) head += "Transfer-Encoding: chunked\r\n";
  if (!framing.keep_alive) head += "Connection: close\r\n";
  if (framing.keep_alive && framing.minor == 0) head += "Connection: keep-alive\r\n";
  return head + "\r\n";
}

}  // namespace galago::http
