// See the header.
#include "convert/report.h"

#include <array>
#include <cstdio>
#include <string_view>

#include "documents/export.h"

namespace galago::convert {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --line: #c8ccd2; --note: #a12622; }
@media (prefers-color-scheme: dark) { :root { --line: #444a52; --note: #ff9d96; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 100rem; padding: 0 1rem; }
h1.report { font-size: 1.3rem; }
section.page { border-top: 1px solid var(--line); display: grid; gap: 1.5rem; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); padding: 1rem 0; }
section.page > h2 { font-size: 1rem; grid-column: 1 / -1; margin: 0; }
section.page > h2 span { color: var(--note); font-weight: normal; }
section.page img { background: #fff; max-width: 100%; height: auto; border: 1px solid var(--line); }
section.page article { overflow-x: auto; }
article table { border-collapse: collapse; }
article td, article th { border: 1px solid var(--line); padding: 0.2rem 0.5rem; text-align: left; }
@media (max-width: 50rem) { section.page { grid-template-columns: minmax(0, 1fr); } }
)";

// A relative address of a file.
std::string address(const std::string& path) {
  constexpr std::string_view plain = "-._~/";
  std::string out;
  for (const char c : path) {
    std::array<char, 8> code{};
    std::snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      plain.find(c) != std::string_view::npos;
    out += keep ? std::string(1, c) : code.data();
  }
  return out;
}

std::string confidence_text(const documents::Document& page) {
  if (page.pages.empty() || !page.pages.front().confidence) return "";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), ", confidence %.0f %%", 100 * *page.pages.front().confidence);
  return text.data();
}

}  // namespace

std::string report_html(const std::string& title, const std::vector<ReportPage>& pages) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' data:; "
      "style-src 'unsafe-inline'\">\n"
      "<title>" +
      documents::html_text(title) + "</title>\n<style>" + kStyle +
      "</style>\n</head>\n<body>\n<h1 class=\"report\">" + documents::html_text(title) + "</h1>\n";
  for (const ReportPage& page : pages) {
    const std::string name = "Page " + std::to_string(page.number);
    out += "<section class=\"page\">\n<h2>" + name + confidence_text(page.content);
    if (!page.note.empty()) out += " <span>" + documents::html_text(page.note) + "</span>";
    out += "</h2>\n<div>";
    if (!page.picture.empty())
      out += "<img loading=\"lazy\" alt=\"" + name + " with frames around what was read\" src=\"" +
             address(page.picture) + "\">";
    out += "</div>\n<article>\n" +
           documents::to_html(page.content, {.page_headers = true, .whole_page = false}) +
           "</article>\n</section>\n";
  }
  return out + "</body>\n</html>\n";
}

}  // namespace galago::convert
