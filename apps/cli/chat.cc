// See the header.
#include "chat.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "answer_text.h"
#include "chat_line.h"
#include "console.h"
#include "core/cancelled.h"
#include "core/limits.h"
#include "io/files.h"
#include "pictures.h"
#include "terminal.h"
#include "videos.h"
#include "wording.h"

namespace galago::cli {
namespace {

constexpr const char* kPrompt = "> ";
constexpr const char* kMorePrompt = ". ";
constexpr std::string_view kQuotes = "\"\"\"";
constexpr int kPictureColumns = 56;

/// What the scheduler's thread says: there is something new.
struct Bell {
  std::mutex mutex;
  std::condition_variable rung;
  bool rings = false;

  void ring() {
    const std::lock_guard lock(mutex);
    rings = true;
    rung.notify_one();
  }
  /// Not for long: Ctrl-C does not ring.
  void wait() {
    std::unique_lock lock(mutex);
    rung.wait_for(lock, std::chrono::milliseconds(50), [this] { return rings; });
    rings = false;
  }
};

[[noreturn]] void refuse(const std::string& where, const std::string& got, const std::string& expected = "",
                         const std::string& hint = "") {
  throw Error(ErrorCode::usage, {.where = where, .got = got, .expected = expected, .hint = hint});
}

std::string progress_text(const Progress& p) {
  return p.tiles_done < p.tiles_total
             ? "encoding tile " + std::to_string(p.tiles_done) + " of " + std::to_string(p.tiles_total)
             : "reading " + std::to_string(p.prompt_tokens) + " prompt tokens";
}

/// One file that a command names.
std::string one_file(const std::string& command, const std::string& rest) {
  const std::vector<std::string> words = file_words(rest);
  if (words.size() == 1) return words[0];
  refuse(command, counted(std::ssize(words), "name"), command + " FILE",
         words.empty() ? "" : "a name with spaces in it is put into quotes");
}

[[noreturn]] void refuse_missing(const std::string& word) {
  static_cast<void>(local_file(word));  // refuses addresses
  throw Error(ErrorCode::not_found,
              {.where = shortened(word, 120),
               .got = "no such picture, at the beginning of the line",
               .expected = "a file, or a question that begins with another word",
               .hint = "nothing was asked; a name with spaces in it is put into quotes"});
}

std::string help_of_commands() {
  std::vector<std::vector<std::string>> rows;
  for (const ChatCommand& command : chat_commands())
    rows.push_back(
        {"  " + std::string(command.name) + " " + std::string(command.argument), std::string(command.help)});
  return table(rows) +
         "The name of a picture at the beginning of a line is as good as /image. A line that ends with a\n"
         "backslash goes on in the next, and one that begins with \"\"\" goes on to the next \"\"\". // "
         "begins a\n"
         "text with a slash. Ctrl-C stops an answer.\n";
}

}  // namespace

Chat::Chat(const ChatFlags& flags, const Model& model, LineSource& lines, const ChatView& view)
    : flags_(flags), model_(model), lines_(lines), view_(view), scheduler_(model), base_(flags.request) {
  forbid_words(flags.answer, model_, base_.options);
  if (!flags.messages.empty()) load(flags.messages);
  if (!flags.system.empty()) session_.set_system(flags.system);
  attach_images(flags.images);
  for (const std::string& word : flags.videos) attach_video(word);
}

int Chat::run() {
  say("/help lists the commands, Ctrl-D leaves");
  while (!leaves_) {
    const Line line = read_turn();
    if (line.kind == Line::Kind::end) break;
    if (line.kind == Line::Kind::interrupted) {
      if (!view_.person || told_to_end()) return interrupted_exit();
      forget_interrupt();
      if (line.empty) say("Ctrl-D or /quit leaves");
      continue;
    }
    try {
      if (line.kind == Line::Kind::too_long)
        throw Error(ErrorCode::input_too_large, {.where = "a line",
                                                 .got = "more characters than a line may have",
                                                 .hint = "/load reads a conversation from a file"});
      take(line.text);
    } catch (const Error& error) {
      fail(error);
    } catch (const Cancelled&) {
      if (!view_.person) return interrupted_exit();
    } catch (const std::bad_alloc&) {
      fail(Error(ErrorCode::resource, {.where = "memory", .got = "no more to be had"}));
    }
    if (!interrupted()) continue;
    if (!view_.person || told_to_end()) return interrupted_exit();
    forget_interrupt();
  }
  return view_.person ? 0 : failed_;
}

/// Told, and the conversation goes on; but what says that galago or its surroundings are broken ends it.
void Chat::fail(const Error& error) {
  constexpr std::array kFatal = {ErrorCode::output_io, ErrorCode::internal, ErrorCode::model_changed};
  if (std::find(kFatal.begin(), kFatal.end(), error.code()) != kFatal.end()) throw error;
  const int code = report(brief(error), false);
  if (failed_ == 0) failed_ = code;
}

/// A line with those that it says belong to it.
Line Chat::read_turn() {
  Line line = lines_.read(kPrompt);
  const bool quoted = line.kind == Line::Kind::text && line.text.starts_with(kQuotes);
  if (quoted) line.text.erase(0, kQuotes.size());
  const auto goes_on = [&] {
    if (quoted) return !line.text.ends_with(kQuotes);
    return line.text.ends_with('\\');
  };
  while (line.kind == Line::Kind::text && goes_on()) {
    Line more = lines_.read(kMorePrompt);
    if (more.kind == Line::Kind::end) break;
    if (!quoted) line.text.pop_back();
    more.text = line.text + "\n" + more.text;
    if (std::ssize(more.text) > limits::kPromptBytes) more = {.kind = Line::Kind::too_long, .text = {}};
    line = std::move(more);
    line.empty = false;
  }
  if (quoted && line.text.ends_with(kQuotes)) line.text.resize(line.text.size() - kQuotes.size());
  return line;
}

void Chat::take(const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return;
  lines_.remember(text);
  if (text.starts_with("//")) return ask(text.substr(1));
  if (is_command(text)) return command(text);
  const Dropped dropped = dropped_pictures(text);
  if (!dropped.missing.empty()) refuse_missing(dropped.missing);
  attach_images(dropped.pictures);
  if (dropped.rest.empty()) return;
  if (const std::string word = picture_word(dropped.rest); !word.empty() && session_.attached() == 0)
    notice(one_line(word) +
           " is a word of this question: its name at the beginning of a line, or /image, shows a picture");
  ask(dropped.rest);
}

void Chat::command(const std::string& line) {
  const auto [name, rest] = command_line(line);
  const auto all = chat_commands();
  const auto known =
      std::find_if(all.begin(), all.end(), [&name = name](const auto& one) { return one.name == name; });
  if (known == all.end()) {
    std::vector<std::string> names;
    for (const ChatCommand& one : all) names.emplace_back(one.name);
    const auto near = nearest(name, names);
    refuse("unknown command " + shortened(name, 60), "", "",
           near ? "did you mean " + *near + "?" : "/help lists the commands; // begins a text with a slash");
  }
  if (known->argument.empty() && !rest.empty()) refuse(name, "more behind it", name + " alone");
  if (!known->argument.empty() && !known->argument.starts_with('[') && rest.empty())
    refuse(name, "nothing behind it", name + " " + std::string(known->argument));
  if (name == "/image") {
    attach_images(file_words(rest));
  } else if (name == "/video") {
    attach_video(one_file(name, rest));
  } else if (name == "/system") {
    session_.set_system(rest);
    say(rest.empty() ? "no system message" : "the system message is set");
  } else if (name == "/regenerate") {
    regenerate();
  } else if (name == "/undo") {
    if (!session_.undo()) refuse(name, "a conversation without a question");
    say(counted(static_cast<long long>(session_.questions()), "question") + " left");
  } else if (name == "/clear") {
    session_.clear();
    say("a new conversation");
  } else if (name == "/save") {
    save(one_file(name, rest));
  } else if (name == "/load") {
    load(one_file(name, rest));
  } else if (name == "/stats") {
    show_stats();
  } else if (name == "/help") {
    std::cerr << help_of_commands();
  } else {
    leaves_ = true;
  }
}

void Chat::ask(const std::string& text) {
  session_.ask(text);
  try {
    answer_question();
  } catch (...) {
    session_.retract();
    throw;
  }
}

void Chat::answer_question() {
  Answer answer;
  try {
    answer = stream(session_.request(base_));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input_too_large && error.code() != ErrorCode::resource) throw;
    throw Error(error.code(), {.where = error.where(),
                               .got = error.got(),
                               .expected = error.expected(),
                               .hint = "nothing of it was kept; /undo takes back the question before, /clear "
                                       "begins anew"});
  }
  const bool stopped = answer.finish_reason == FinishReason::cancelled;
  if (stopped && answer.text.empty()) {
    session_.retract();
    say("stopped before a word was said: the question is taken back");
    return;
  }
  session_.answer(answer.text, stopped);
  if (stopped) say("stopped; what was said stays, /undo takes it back");
  say_cut(answer, base_.options, model_);
  std::cerr << logprobs_text(answer);
  last_ = std::move(answer);
  if (flags_.stats) show_stats();
}

Answer Chat::stream(const Request& request) {
  StatusLine status(view_.person);
  const auto bell = std::make_shared<Bell>();
  Handle handle = scheduler_.submit(request, [bell] { bell->ring(); });
  bool any = false, ends_line = false;
  for (;;) {
    if (interrupted()) handle.cancel();
    while (const auto piece = handle.poll()) {
      if (piece->text.empty()) continue;
      status.clear();
      print(piece->text);
      any = true;
      ends_line = piece->text.ends_with('\n');
    }
    if (handle.ended()) break;
    if (const auto progress = handle.progress(); progress && !any) status.show(progress_text(*progress));
    bell->wait();
  }
  status.clear();
  if (any && !ends_line) print("\n");
  return handle.wait();
}

void Chat::attach_images(const std::vector<std::string>& words) {
  if (!words.empty() && !model_.capabilities().images)
    throw Error(
        ErrorCode::input_invalid,
        {.where = "the model", .got = "a picture", .expected = "questions alone: it reads no pictures"});
  for (const std::string& word : words) {
    if (word == "-") refuse("/image -", "standard input", "a file: the conversation comes from there");
    if (std::cmp_greater_equal(session_.attached(), limits::kImagesPerPrompt))
      throw Error(ErrorCode::input_too_large,
                  {.where = shown_picture(word),
                   .got = "one picture more",
                   .expected = "at most " + std::to_string(limits::kImagesPerPrompt) + " for one question"});
    const Image image = open_image(word);
    if (view_.person)
      to_terminal(render_image(image, std::min(view_.columns, kPictureColumns), view_.colours));
    say(shown_picture(word) + ": " + std::to_string(image.width()) + "x" + std::to_string(image.height()) +
        ", goes with the next question");
    session_.attach(image, word);
  }
}

void Chat::attach_video(const std::string& word) {
  if (!model_.capabilities().videos)
    throw Error(ErrorCode::model_unsupported,
                {.where = "the model", .got = "a video", .expected = "pictures or questions"});
  const Video video = video_of(word, flags_.fps);
  say(word + ": " + counted(video.frames(), "frame") + ", goes with the next question");
  session_.attach(video, word);
}

void Chat::regenerate() {
  if (!session_.drop_answer()) refuse("/regenerate", "a conversation without a question");
  if (base_.options.temperature == 0)
    notice("--temp is 0, so that the answer is the same; --temp 0.7 makes others");
  ++base_.options.seed;
  answer_question();
}

void Chat::save(const std::string& rest) {
  const std::filesystem::path file = local_file(rest);
  std::error_code error;
  if (std::filesystem::exists(file, error) && !own_files_.contains(rest))
    refuse("/save " + shortened(rest, 120), "a file that is there", "a new name");
  const std::string text = session_.save();
  AtomicFile out(file);
  out.write(std::as_bytes(std::span(text)));
  out.commit();
  own_files_.insert(rest);
  say("saved as " + rest);
}

void Chat::load(const std::string& rest) {
  const PartOpeners open{.image = [](const std::string& word) { return open_image(word); },
                         .video = [this](const std::string& word) { return video_of(word, flags_.fps); }};
  session_.load(read_text_file(local_file(rest), limits::kPromptBytes), rest, open);
  own_files_.insert(rest);
  say(counted(static_cast<long long>(session_.questions()), "question") + " loaded" +
      (session_.ends_with_question() ? "; /regenerate answers the last one" : ""));
}

void Chat::show_stats() const {
  if (!last_) {
    std::cerr << "nothing was asked yet\n";
    return;
  }
  const Usage& usage = last_->usage;
  const Asked asked{
      .images = {}, .videos = {}, .seed = base_.options.seed, .sampled = base_.options.temperature > 0};
  std::cerr << stats_text(*last_, asked) << "context: " << usage.prompt_tokens + usage.completion_tokens
            << " of " << model_.context_length() << " tokens, " << usage.cached_tokens
            << " of them known from the turns before\n";
}

/// To a person; programs read answers alone.
void Chat::say(const std::string& text) const {
  if (view_.person) std::cerr << text << "\n";
}

}  // namespace galago::cli
