// galago run: one question, about pictures or without; the answer streams to stdout.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <utility>

#include "answer_text.h"
#include "block_art.h"
#include "chat_line.h"
#include "commands.h"
#include "console.h"
#include "core/limits.h"
#include "io/files.h"
#include "messages/answer_json.h"
#include "messages/conversation.h"
#include "model_path.h"
#include "pictures.h"
#include "run_flags.h"
#include "videos.h"
#include "wording.h"

namespace galago::cli {
namespace {

void show_picture(const std::string& word, const Image& image) {
  const std::string line = shown_picture(word) + ": " + std::to_string(image.width()) + "x" +
                           std::to_string(image.height()) + "\n";
  print_raw(render_image(image, 56, colours_of(STDOUT_FILENO)));
  print(line);
}

// -p and -f in one list, "-" read from standard input.
std::vector<std::string> questions(const RunFlags& flags) {
  std::vector<std::string> words = flags.prompts;
  words.insert(words.end(), flags.prompt_files.begin(), flags.prompt_files.end());
  check_standard_input(flags.images, words);
  std::vector<std::string> texts;
  for (const std::string& text : flags.prompts) texts.push_back(prompt_text(text));
  for (const std::string& file : flags.prompt_files) {
    if (file == "-") {
      texts.push_back(prompt_text(file));
      continue;
    }
    texts.push_back(read_text_file(local_file(file), limits::kPromptBytes));
    if (texts.back().ends_with('\n')) texts.back().pop_back();
  }
  if (texts.empty())
    throw Error(ErrorCode::usage,
                {.where = "galago run",
                 .got = "no question",
                 .expected = "-p, --prompt TEXT",
                 .hint = "-p - reads it from standard input; galago run --help shows examples"});
  for (const std::string& text : texts)
    if (text.empty() && !flags.request.raw)
      throw Error(ErrorCode::usage, {.where = "-p, --prompt",
                                     .got = "an empty text",
                                     .expected = "a question",
                                     .hint = "with --raw an empty text may be continued"});
  return texts;
}

void open_pictures(RunFlags& flags, StatusLine& status) {
  const std::string all = std::to_string(flags.images.size());
  for (const std::string& word : flags.images) {
    const size_t number = flags.request.images.size() + 1;
    if (flags.images.size() > 1) status.show("decoding picture " + std::to_string(number) + " of " + all);
    flags.request.images.push_back(open_image(word));
    if (!flags.show_image || flags.json) continue;
    status.clear();
    show_picture(word, flags.request.images.back());
  }
}

Asked asked_of(const RunFlags& flags) {
  Asked asked{.images = {},
              .videos = flags.videos,
              .seed = flags.request.options.seed,
              .sampled = flags.request.options.temperature > 0};
  for (const std::string& word : flags.images) asked.images.push_back(shown_picture(word));
  return asked;
}

// One that failed, where its answer would stand; the exit code.
int report_failure(const Error& error, const std::string& prompt, bool json) {
  if (json) {
    auto line = error_json(brief(error));
    line["prompt"] = prompt;
    print_json(line);
  } else {
    print("> " + prompt + "\n\n");
  }
  return report(brief(error), false);
}

// What is asked for beside the answer, on standard error.
void say_beside(const Answer& answer, const RunFlags& flags, const Asked& asked) {
  if (!flags.json && (!answer.tokens.empty() || !answer.prompt_tokens.empty()))
    std::cerr << logprobs_text(answer);
  if (flags.stats) std::fputs(stats_text(answer, asked).c_str(), stderr);
}

// Several answers to one question, one after the other.
int run_n(const RunFlags& flags, const Model& model, StatusLine& status) {
  const std::vector<Outcome> outcomes = model.ask_n(flags.request, flags.answers);
  status.clear();
  auto list = nlohmann::ordered_json::array();
  bool cancelled = false;
  int failed = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const std::string title = "> answer " + std::to_string(i + 1) + " of " + std::to_string(outcomes.size());
    try {
      outcomes[i].value();
    } catch (const Error& error) {
      if (flags.json)
        list.push_back(error_json(brief(error)));
      else
        print(title + "\n\n");
      const int code = report(brief(error), false);
      if (failed == 0) failed = code;
      continue;
    }
    const Answer& answer = outcomes[i].answer;
    Asked asked = asked_of(flags);
    asked.seed += i;
    if (flags.json)
      list.push_back(answer_json(answer, asked));
    else
      print(title + "\n" + answer.text + "\n\n");
    say_cut(answer, flags.request.options, model);
    say_beside(answer, flags, asked);
    cancelled |= answer.finish_reason == FinishReason::cancelled;
  }
  if (flags.json) print_json({{"answers", list}});
  return cancelled ? interrupted_exit() : failed;
}

// Several questions about the same pictures, answered together and printed in their order. The exit code is
// that of the first that failed.
int run_all(const RunFlags& flags, const std::vector<std::string>& prompts, const Model& model,
            StatusLine& status) {
  std::vector<Request> requests(prompts.size(), flags.request);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].prompt = prompts[i];
  const std::vector<Outcome> outcomes = model.ask_all(requests);
  status.clear();
  bool cancelled = false;
  int failed = 0;
  for (const Outcome& outcome : outcomes) {
    const std::string& prompt = requests[static_cast<size_t>(outcome.id)].prompt;
    try {
      outcome.value();
    } catch (const Error& error) {
      const int code = report_failure(error, prompt, flags.json);
      if (failed == 0) failed = code;
      continue;
    }
    const Answer& answer = outcome.answer;
    if (flags.json) {
      auto json = answer_json(answer, asked_of(flags));
      json["prompt"] = prompt;
      print_json(json);
    } else {
      print("> " + prompt + "\n" + answer.text + "\n\n");
    }
    say_cut(answer, flags.request.options, model);
    say_beside(answer, flags, asked_of(flags));
    cancelled |= answer.finish_reason == FinishReason::cancelled;
  }
  return cancelled ? interrupted_exit() : failed;
}

int run_one(RunFlags& flags, const Model& model, StatusLine& status) {
  flags.request.on_text = [&, started = flags.request.on_text](const StreamPiece& piece) {
    started(piece);
    status.clear();
    if (!flags.json && !piece.text.empty()) print(piece.text);
    return !interrupted();
  };
  status.show("reading the prompt");
  const Answer answer = model.ask(flags.request);
  status.clear();
  if (flags.json)
    print_json(answer_json(answer, asked_of(flags)));
  else
    print("\n");
  say_cut(answer, flags.request.options, model);
  say_beside(answer, flags, asked_of(flags));
  return answer.finish_reason == FinishReason::cancelled ? interrupted_exit() : 0;
}

// A conversation has its pictures in it.
void check_messages_alone(const RunFlags& flags) {
  if (!flags.prompts.empty() || !flags.prompt_files.empty() || !flags.images.empty() ||
      !flags.videos.empty() || !flags.request.system.empty() || flags.request.raw)
    throw Error(ErrorCode::usage,
                {.where = "--messages",
                 .got = "a question, pictures, --system or --raw beside it",
                 .expected = "a conversation alone, which holds all of its texts and pictures"});
}

void read_messages(RunFlags& flags) {
  const bool piped = flags.messages == "-";
  const std::string text =
      piped ? prompt_text("-") : read_text_file(local_file(flags.messages), limits::kPromptBytes);
  const PartOpeners open = {.image =
                                [&](const std::string& word) {
                                  flags.images.push_back(word);
                                  if (std::cmp_greater(flags.images.size(), limits::kImagesPerPrompt))
                                    throw Error(
                                        ErrorCode::input_too_large,
                                        {.where = "--messages",
                                         .got = "more pictures",
                                         .expected = "at most " + std::to_string(limits::kImagesPerPrompt)});
                                  return open_image(word);
                                },
                            .video =
                                [&](const std::string& word) {
                                  flags.videos.push_back(word);
                                  return video_of(word, flags.fps);
                                }};
  read_conversation(text, piped ? "standard input" : flags.messages, open, flags.request);
  if (flags.fps && flags.videos.empty())
    throw Error(ErrorCode::usage, {.where = "--fps",
                                   .got = "no video in the conversation",
                                   .expected = "one",
                                   .hint = "it says how many frames of a video make a second"});
}

void check_answers(const RunFlags& flags, size_t questions) {
  if (flags.answers == 1) return;
  if (questions > 1)
    throw Error(ErrorCode::usage, {.where = "--answers",
                                   .got = std::to_string(questions) + " questions beside it",
                                   .expected = "one question"});
  if (flags.request.options.temperature == 0)
    notice("--temp is 0, so that all answers are the same: --temp 0.7 samples");
}

// A file that is named in a question is not shown to the model.
void say_what_is_not_shown(const RunFlags& flags, const std::vector<std::string>& prompts) {
  if (!flags.images.empty() || !flags.videos.empty()) return;
  for (const std::string& prompt : prompts) {
    const std::string word = picture_word(prompt);
    std::error_code error;
    if (word.empty() || !std::filesystem::is_regular_file(word, error)) continue;
    notice(one_line(word) + " is a word of the question: -i " + one_line(word) + " shows the picture");
    return;
  }
}

int run(RunFlags& flags) {
  finish_answer_flags(flags.answer, flags.request.options);
  if (flags.no_split) flags.request.split_images = false;
  if (flags.split) flags.request.split_images = true;
  if (!flags.messages.empty()) check_messages_alone(flags);
  const std::vector<std::string> prompts =
      flags.messages.empty() ? questions(flags) : std::vector<std::string>{""};
  if (flags.messages.empty()) check_fps(flags.videos, flags.fps);
  check_answers(flags, prompts.size());
  if (flags.messages.empty()) say_what_is_not_shown(flags, prompts);
  say_what_is_not_followed(flags.request.options);
  const bool several = prompts.size() > 1;
  if (!several) flags.request.prompt = prompts[0];
  StatusLine status(!flags.json);
  open_pictures(flags, status);
  catch_interrupt();
  for (const std::string& word : flags.videos) {
    status.show("reading " + shortened(word, 60));
    flags.request.videos.push_back(video_of(word, flags.fps));
  }
  if (!flags.messages.empty()) read_messages(flags);
  flags.load.low_memory = !several;                       // one question, then the process ends
  if (!several) flags.load.image_cache.memory_bytes = 0;  // nothing would ask again
  const std::filesystem::path path = model_path(flags.model);
  status.show("loading the model");
  const Model model = [&] {
    const EndsAtOnce loading;
    return Model::load(path, flags.load);
  }();
  status.clear();
  warn(model.warnings());
  forbid_words(flags.answer, model, flags.request.options);
  auto planning = std::make_optional<EndsAtOnce>();  // until something is there to be told
  flags.request.on_text = [&](const StreamPiece&) {
    planning.reset();
    return !interrupted();
  };
  flags.request.on_progress = [&](const Progress& p) {
    planning.reset();
    status.show(p.tiles_done < p.tiles_total
                    ? "encoding tile " + std::to_string(p.tiles_done) + " of " + std::to_string(p.tiles_total)
                    : "reading " + std::to_string(p.prompt_tokens) + " prompt tokens");
    return !interrupted();
  };
  if (flags.answers > 1) return run_n(flags, model, status);
  return several ? run_all(flags, prompts, model, status) : run_one(flags, model, status);
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app.add_subcommand("run", "Answer a question, about pictures or without");
  add_run_flags(*command, *flags);
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace galago::cli
