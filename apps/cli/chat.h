// A conversation with one model. In: lines, which are questions, pictures and commands. Out: answers on
// standard output as they come, what is said about them on standard error.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "answer_flags.h"
#include "block_art.h"
#include "chat_session.h"
#include "galago/galago.h"
#include "galago/scheduler.h"
#include "line_source.h"

namespace galago::cli {

struct ChatFlags {
  std::string model;
  std::vector<std::string> images;
  std::vector<std::string> videos;
  std::optional<double> fps;
  std::string messages;
  std::string system;
  LoadOptions load;
  Request request;
  AnswerFlags answer;
  bool no_split = false;
  bool split = false;
  bool stats = false;
  bool no_history = false;
  bool no_color = false;
};

/// Who talks, and what can be shown.
struct ChatView {
  bool person = false;  ///< a terminal: Ctrl-C stops an answer, not the program
  Colours colours = Colours::none;
  int columns = 80;
};

class Chat {
 public:
  Chat(const ChatFlags& flags, const Model& model, LineSource& lines, const ChatView& view);
  /// Until the lines end; the exit code.
  int run();

 private:
  Line read_turn();
  void take(const std::string& text);
  void command(const std::string& line);
  void ask(const std::string& text);
  void answer_question();
  Answer stream(const Request& request);
  void attach_images(const std::vector<std::string>& words);
  void attach_video(const std::string& word);
  void regenerate();
  void save(const std::string& rest);
  void load(const std::string& rest);
  void show_stats() const;
  void say(const std::string& text) const;
  void fail(const Error& error);

  const ChatFlags& flags_;
  Model model_;
  LineSource& lines_;
  ChatView view_;
  Scheduler scheduler_;
  Request base_;
  ChatSession session_;
  std::optional<Answer> last_;
  std::set<std::string> own_files_;  ///< written or read here: they may be written again
  bool leaves_ = false;
  int failed_ = 0;
};

}  // namespace galago::cli
