// Lines without editing. See line_source.h.
#include <cstdlib>

#include "core/limits.h"
#include "input_bytes.h"
#include "line_source.h"
#include "terminal.h"

namespace galago::cli {
namespace {

class PlainLines final : public LineSource {
 public:
  explicit PlainLines(bool prompts) : prompts_(prompts) {}

  Line read(const std::string& prompt) override {
    if (prompts_) to_terminal(prompt);
    Line line;
    bool any = false;
    for (;;) {
      const int byte = bytes_.next();
      if (byte == InputBytes::kInterrupted)
        return {.kind = Line::Kind::interrupted, .text = {}, .empty = !any};
      if (byte == InputBytes::kEnd && !any) return {};
      if (byte == InputBytes::kEnd || byte == '\n') break;
      any = true;
      if (static_cast<int64_t>(line.text.size()) <= limits::kPromptBytes)
        line.text += static_cast<char>(byte);
    }
    const bool fits = static_cast<int64_t>(line.text.size()) <= limits::kPromptBytes;
    line.kind = fits ? Line::Kind::text : Line::Kind::too_long;
    if (line.text.ends_with('\r')) line.text.pop_back();
    return line;
  }

 private:
  bool prompts_;
  InputBytes bytes_;
};

}  // namespace

std::unique_ptr<LineSource> plain_lines(bool prompts) { return std::make_unique<PlainLines>(prompts); }

std::filesystem::path history_file() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state && std::filesystem::path(state).is_absolute())
    folder = state;
  else if (home && *home != '\0')
    folder = std::filesystem::path(home) / ".local/state";
  else
    return {};
  return folder / "galago/history";
}

}  // namespace galago::cli
