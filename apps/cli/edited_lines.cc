// Lines edited on a terminal, by libedit. See line_source.h.
#include <fcntl.h>
#include <histedit.h>
#include <langinfo.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "console.h"
#include "core/limits.h"
#include "core/utf8.h"
#include "input_bytes.h"
#include "line_source.h"

namespace galago::cli {
namespace {

constexpr int kMostTyped = 16384;  // characters of a line that were not pasted
constexpr int kHistoryLines = 1000;
constexpr size_t kHistoryLineBytes = 16384;
constexpr int64_t kHistoryBytes = 4 << 20;  // a longer file is written anew
constexpr std::u32string_view kPasteEnds = U"\x1b[201~";

volatile std::sig_atomic_t resized = 0;
volatile std::sig_atomic_t continued = 0;

void watch(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

/// libedit writes characters by the locale; texts are UTF-8 whatever that says.
void choose_utf8() {
  if (std::setlocale(LC_CTYPE, "") && std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return;
  std::setlocale(LC_CTYPE, "C.UTF-8");
}

class EditedLines final : public LineSource {
 public:
  explicit EditedLines(const std::filesystem::path& history_path) : path_(history_path) {
    choose_utf8();
    out_ = isatty(STDOUT_FILENO) ? stdout : stderr;
    editor_ = el_init("galago", stdin, out_, stderr);
    history_ = history_init();
    if (!editor_ || !history_) throw std::bad_alloc();
    HistEvent event{};
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &EditedLines::show_prompt);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_GETCFN, &EditedLines::get);
    el_set(editor_, EL_ADDFN, "galago-paste", "Insert what is pasted", &EditedLines::paste);
    el_set(editor_, EL_ADDFN, "galago-complete", "Complete a file's name", &_el_fn_complete);
    el_set(editor_, EL_BIND, "\\e[200~", "galago-paste", nullptr);
    el_set(editor_, EL_BIND, "^I", "galago-complete", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    watch(SIGWINCH, [](int) { resized = 1; });
    watch(SIGCONT, [](int) { continued = 1; });
    open_history();
  }
  ~EditedLines() override {
    el_end(editor_);
    history_end(history_);
  }
  EditedLines(const EditedLines&) = delete;
  EditedLines& operator=(const EditedLines&) = delete;

  Line read(const std::string& prompt) override {
    prompt_ = prompt;
    typed_ = 0;
    lost_ = stopped_ = false;
    el_set(editor_, EL_PREP_TERM, 1);  // keys that come from here on are for the line
    control("\x1b[?2004h");            // pasted text comes between marks
    int count = 0;
    const wchar_t* text = el_wgets(editor_, &count);
    control("\x1b[?2004l");
    if (stopped_) {
      control("^C\n");
      return {.kind = Line::Kind::interrupted, .text = {}, .empty = nothing_typed_};
    }
    if (!text || count <= 0) {
      control("\n");
      return {};
    }
    if (lost_) return {.kind = Line::Kind::too_long, .text = {}};
    Line line{.kind = Line::Kind::text, .text = {}};
    if (text[count - 1] == L'\n') --count;
    for (int i = 0; i < count; ++i) unicode::append(line.text, static_cast<char32_t>(text[i]));
    return line;
  }

  void remember(const std::string& text) override {
    if (text.empty() || text.size() > kHistoryLineBytes || text.find('\0') != std::string::npos) return;
    HistEvent event{};
    // 0: the same as the line before.
    if (history(history_, &event, H_ENTER, text.c_str()) > 0 && !path_.empty()) append_to_history();
  }

 private:
  static EditedLines& self(EditLine* editor) {
    void* object = nullptr;
    el_get(editor, EL_CLIENTDATA, &object);
    return *static_cast<EditedLines*>(object);
  }
  static char* show_prompt(EditLine* editor) { return self(editor).prompt_.data(); }
  static int get(EditLine* editor, wchar_t* character) { return self(editor).next_character(character); }
  static unsigned char paste(EditLine* editor, int) { return self(editor).take_paste(); }

  void control(const char* sequence) {
    std::fputs(sequence, out_);
    std::fflush(out_);
  }

  int next_character(wchar_t* character) {
    while (ready_.empty()) {
      const int byte = bytes_.next([this] { after_signals(); });
      if (byte == InputBytes::kInterrupted) {
        const LineInfoW* line = el_wline(editor_);
        stopped_ = true;
        nothing_typed_ = line->lastchar == line->buffer;
        return -1;
      }
      if (byte == InputBytes::kEnd) return 0;
      pending_ += static_cast<char>(byte);
      const std::string certain = unicode::take_text(pending_, false);
      for (size_t at = 0; at < certain.size();) {
        const unicode::CodePoint point = unicode::decode_at(certain, at);
        at += static_cast<size_t>(point.length);
        if (keeps(point.value)) ready_ += point.value;
      }
    }
    *character = static_cast<wchar_t>(ready_.front());
    ready_.erase(0, 1);
    return 1;
  }

  /// Every character of a long line costs a drawing of all of it.
  bool keeps(char32_t c) {
    if (pasting_ || c < 0x20 || c == 0x7f || ++typed_ <= kMostTyped) return true;
    lost_ = true;
    return false;
  }

  void after_signals() {
    if (resized != 0) {
      resized = 0;
      el_resize(editor_);
    }
    if (continued != 0) {
      continued = 0;
      el_set(editor_, EL_PREP_TERM, 1);
      control("\x1b[?2004h");
      el_set(editor_, EL_REFRESH);
    }
  }

  unsigned char take_paste() {
    std::u32string text;
    pasting_ = true;
    wchar_t c = 0;
    int got = 0;
    while ((got = next_character(&c)) > 0) {
      text += static_cast<char32_t>(c);
      if (text.ends_with(kPasteEnds)) break;
      if (std::ssize(text) > limits::kPromptBytes) {
        lost_ = true;
        text.erase(0, text.size() - kPasteEnds.size());
      }
    }
    pasting_ = false;
    if (got <= 0) return got < 0 ? CC_ERROR : CC_EOF;
    text.resize(text.size() - kPasteEnds.size());
    std::wstring shown;
    for (const char32_t typed : text) {
      const char32_t point = typed == U'\r' ? U'\n' : typed;
      if (point >= 0x20 || point == U'\n' || point == U'\t') shown += static_cast<wchar_t>(point);
    }
    while (shown.ends_with(L'\n')) shown.pop_back();
    if (shown.empty()) return CC_NORM;
    return el_winsertstr(editor_, shown.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
  }

  void open_history() {
    if (path_.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(path_.parent_path(), error);
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat facts {};
    const bool usable = file >= 0 && fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
    const int reason = errno;
    if (file >= 0) ::close(file);
    HistEvent event{};
    if (!usable || (facts.st_size > 0 && history(history_, &event, H_LOAD, path_.c_str()) < 0)) {
      notice(path_.string() + " is no history file of galago" +
             (file < 0 ? std::string(": ") + std::strerror(reason) : "") + "; none is kept");
      path_.clear();
      return;
    }
    ::chmod(path_.c_str(), 0600);
    if (facts.st_size > kHistoryBytes) history(history_, &event, H_SAVE, path_.c_str());
  }

  void append_to_history() {
    std::FILE* file = std::fopen(path_.c_str(), "ae");
    if (!file) return;
    HistEvent event{};
    std::fseek(file, 0, SEEK_END);  // where the file is empty its heading is written
    history(history_, &event, H_NSAVE_FP, size_t{1}, file);
    std::fclose(file);
  }

  std::filesystem::path path_;
  std::FILE* out_ = nullptr;
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  std::string prompt_;
  InputBytes bytes_;
  std::string pending_;   // of a character
  std::u32string ready_;  // characters that were not taken yet
  int typed_ = 0;
  bool pasting_ = false;
  bool lost_ = false;
  bool stopped_ = false;
  bool nothing_typed_ = false;
};

}  // namespace

std::unique_ptr<LineSource> edited_lines(const std::filesystem::path& history) {
  return std::make_unique<EditedLines>(history);
}

}  // namespace galago::cli
