// galago chat: the command's flags and its beginning.
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string_view>

#include "chat.h"
#include "commands.h"
#include "console.h"
#include "flags.h"
#include "line_source.h"
#include "model_path.h"
#include "run_flags.h"

namespace galago::cli {
namespace {

constexpr int64_t kPrefixCacheBytes = int64_t{1} << 30;

bool plain_terminal() {
  const char* terminal = std::getenv("TERM");
  return !terminal || std::string_view(terminal).empty() || std::string_view(terminal) == "dumb";
}

void check_model(const Model& model) {
  if (model.capabilities().chat_template) return;
  throw Error(ErrorCode::model_unsupported,
              {.where = "galago chat",
               .got = "a model without a chat template",
               .expected = "one that was made for conversations",
               .hint = "--chat-template FILE gives it one; galago run --raw continues a text"});
}

int chat(ChatFlags& flags) {
  finish_answer_flags(flags.answer, flags.request.options);
  if (flags.no_split) flags.request.split_images = false;
  if (flags.split) flags.request.split_images = true;
  say_what_is_not_followed(flags.request.options);
  const bool person = isatty(STDIN_FILENO) && (isatty(STDOUT_FILENO) || isatty(STDERR_FILENO));
  const ChatView view{.person = person,
                      .colours = flags.no_color ? Colours::none : colours_of(STDERR_FILENO),
                      .columns = columns_of(STDERR_FILENO)};
  catch_interrupt();
  const std::filesystem::path path = model_path(flags.model);
  StatusLine status(true);
  status.show("loading the model");
  const Model model = [&] {
    const EndsAtOnce loading;
    return Model::load(path, flags.load);
  }();
  status.clear();
  warn(model.warnings());
  check_model(model);
  const auto history = flags.no_history ? std::filesystem::path() : history_file();
  const auto lines = person && !plain_terminal() ? edited_lines(history) : plain_lines(person);
  return Chat(flags, model, *lines, view).run();
}

void add_conversation(CLI::App& command, ChatFlags& flags) {
  const char* group = "Conversation";
  add_texts(command, "-i,--image", flags.images,
            "A picture for the first question; several may follow. Later ones: /image FILE")
      ->group(group)
      ->type_name("FILE");
  add_texts(command, "--video", flags.videos, "A video for the first question. Later ones: /video FILE")
      ->group(group)
      ->type_name("FILE");
  command.add_option("--fps", flags.fps, kFpsHelp)->group(group);
  command.add_option("--system", flags.system, "A system message")->group(group)->type_name("TEXT");
  command
      .add_option("--messages", flags.messages, "Go on with the conversation of a JSON file, as /load does")
      ->group(group)
      ->type_name("FILE");
  add_question_reading(command, flags.load, flags.request, group);
  add_splitting(command, flags.no_split, flags.split, group);
  command
      .add_flag("--no-history", flags.no_history,
                "Neither read nor keep what was typed (~/.local/state/galago/history)")
      ->group(group);
}

}  // namespace

void add_chat(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ChatFlags>();
  CLI::App* command = app.add_subcommand("chat", "Talk with a model, about pictures or without");
  flags->load.prefix_cache_bytes = kPrefixCacheBytes;
  add_model(*command, flags->model);
  add_conversation(*command, *flags);
  add_answer_flags(*command, flags->request.options, flags->answer);
  command->add_flag("--stats", flags->stats, "Print sizes and times after each answer, as /stats does")
      ->group("Output");
  command->add_flag("--no-color", flags->no_color, "Draw no pictures; so does NO_COLOR in the environment")
      ->group("Output");
  add_loading(*command, flags->load, flags->request.options);
  command
      ->add_option(
          "--prefix-cache-size", flags->load.prefix_cache_bytes,
          "Memory for the conversation so far, so that a turn reads only what is new, e.g. 500MB; 0: "
          "none (default: 1GB)")
      ->group(kSpeedGroup)
      ->transform(CLI::AsSizeValue(false));
  command->footer(
      "Examples:\n"
      "  galago chat -m HuggingFaceTB/SmolVLM-256M-Instruct\n"
      "  galago chat -m DIR photo.jpg --system \"Be brief.\" --temp 0.7\n"
      "  printf 'What is in it?\\nWhich colours?\\n' | galago chat -m DIR -i photo.jpg\n"
      "In the conversation: /help.\n");
  command->callback([flags, &action] { action = [flags] { return chat(*flags); }; });
}

}  // namespace galago::cli
