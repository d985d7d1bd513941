// What was said in `galago chat`, and what waits to be said. In: pictures, questions, answers. Out: a
// request; the JSON that `galago run --messages` reads, pictures by their files.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "messages/conversation.h"

namespace galago::cli {

/// A message with the files that its pictures and videos came from, in the order of its parts.
struct Turn {
  Message message;
  std::vector<std::string> files;
  bool stopped = false;  ///< an answer that Ctrl-C ended
};

class ChatSession {
 public:
  /// A picture or video for the next question; `file` names it in save().
  void attach(MessagePart part, const std::string& file);
  size_t attached() const { return waiting_.files.size(); }

  /// The question joins what waits and becomes the last turn; with nothing of both nothing happens.
  void ask(const std::string& text);
  /// What the model said to the last turn.
  void answer(const std::string& text, bool stopped);
  /// Takes the last question back, its pictures too.
  void retract();

  /// "" removes it.
  void set_system(const std::string& text);
  std::string system() const;
  /// Takes back what waits, or else the last question with its answer. False: there is nothing.
  bool undo();
  /// Drops the last answer, so that its question stands at the end. False: no question was asked.
  bool drop_answer();
  /// Forgets all but the system message.
  void clear();

  bool ends_with_question() const;
  size_t questions() const;
  /// The conversation, the options of `base` with it.
  Request request(const Request& base) const;

  /// JSON for `galago run --messages`; files with their whole path. A stopped answer has finish_reason
  /// "cancelled".
  std::string save() const;
  /// Replaces everything by such a JSON. Error{input_invalid} and those of pictures; then nothing changes.
  void load(const std::string& json, const std::string& name, const PartOpeners& open);

 private:
  std::vector<Turn> turns_;
  Turn waiting_;
  std::string tools_;
  std::string template_arguments_;
};

}  // namespace galago::cli
