// galago convert: PDF files and pictures of pages as Markdown, HTML, JSON.
#include <algorithm>
#include <memory>
#include <string_view>

#include "batch_progress.h"
#include "commands.h"
#include "console.h"
#include "convert_flags.h"
#include "model_path.h"
#include "terminal.h"
#include "wording.h"

namespace galago::cli {
namespace {

constexpr double kPointsAnInch = 72;
constexpr int64_t kNotes = 20;  // that are told one by one

std::vector<convert::Format> formats(const ConvertFlags& flags) {
  const std::string& ending = flags.options.output.extension().string();
  if (flags.formats.empty()) return {convert::format_of(ending).value_or(convert::Format::markdown)};
  std::vector<convert::Format> all;
  for (std::string_view rest = flags.formats;;) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const auto format = convert::format_of(rest.substr(0, comma));
    if (!format)
      throw Error(ErrorCode::usage, {.where = "--format",
                                     .got = std::string(rest.substr(0, comma)),
                                     .expected = "md, html, json, txt or doctags"});
    if (std::ranges::find(all, *format) == all.end()) all.push_back(*format);
    if (comma == rest.size()) return all;
    rest.remove_prefix(comma + 1);
  }
}

void finish_options(ConvertFlags& flags) {
  convert::Options& options = flags.options;
  if (options.output == "-") options.output.clear();
  options.formats = formats(flags);
  if (!flags.pages.empty()) options.pages.pages = convert::PageRange::parse(flags.pages);
  if (flags.dpi > 0) options.pages.draw.scale = flags.dpi / kPointsAnInch;
  options.pages.draw.keep_going = [] { return !interrupted(); };
  options.pages.retry = !flags.no_retry;
  options.pages.draft = !flags.no_draft;
  if (flags.no_split) options.run.request.split_images = false;
  if (flags.split) options.run.request.split_images = true;
  finish_answer_flags(flags.answer, options.run.request.options);
  options.run.settings = batch::describe(flags.load);
}

/// Tells what is wrong with pages, each on a line of standard error, of many the first ones.
class Notes {
 public:
  void tell(const convert::PageNote& note) {
    if (++count_ > kNotes) return;
    const bool named = note.text.starts_with(note.page.substr(0, note.page.rfind('#')));  // as errors do
    notice(named ? note.text : note.page + ": " + note.text);
  }
  void finish() const {
    if (count_ > kNotes) notice("and " + counted(count_ - kNotes, "page") + " more");
  }

 private:
  int64_t count_ = 0;
};

void tell_end(const ConvertFlags& flags, const convert::Summary& summary, BatchProgress& progress) {
  progress.clear();
  const int64_t wrong = summary.run.failed + summary.problems;
  if (flags.quiet && wrong == 0) return;
  const std::string again =
      summary.retried > 0 ? ", " + std::to_string(summary.retried) + " of them read twice" : "";
  const std::string failed = wrong > 0 ? ", " + std::to_string(wrong) + " with problems" : "";
  const std::string corrected =
      flags.options.text_layer ? ", " + counted(summary.corrected, "element") + " corrected by the text layer"
                               : "";
  const std::string guessed = summary.accepted > 0
                                  ? ", " + grouped(summary.accepted) + " of " +
                                        counted(summary.tokens, "token") + " guessed beforehand"
                                  : "";
  notice(counted(summary.run.done, "page") + " of " + counted(summary.documents, "document") + again +
         failed + corrected + guessed + " in " + time_text(summary.run.seconds));
}

int run_convert(ConvertFlags& flags) {
  finish_options(flags);
  catch_interrupt();
  BatchProgress progress(flags.quiet, flags.progress);
  progress.show("loading the model");
  const std::filesystem::path path = model_path(flags.model, "demo-page", flags.quiet);
  const Model model = [&] {
    const EndsAtOnce loading;
    return Model::load(path, flags.load);
  }();
  progress.clear();
  if (!flags.quiet) warn(model.warnings());
  forbid_words(flags.answer, model, flags.options.run.request.options);
  if (!model.answer_defaults().doctags && !flags.quiet)
    notice("this model does not write DocTags: its answers are taken as the words of the pages");
  Notes notes;
  const convert::Summary summary =
      convert::run(model, flags.options,
                   {.stop = interrupted,
                    .progress = [&](const batch::Progress& p) { progress.tell(p); },
                    .print =
                        [&](const std::string& text) {
                          progress.clear();
                          print(text);
                        },
                    .note =
                        [&](const convert::PageNote& note) {
                          progress.clear();
                          notes.tell(note);
                        }});
  if (summary.run.stopped) {
    if (flags.options.output.empty())
      progress.clear();  // nothing is kept without an output
    else
      progress.finish(summary.run, flags.options.output.string());
    return interrupted_exit();
  }
  notes.finish();
  tell_end(flags, summary, progress);
  return summary.run.failed + summary.problems > 0 ? exit_code(ErrorCode::partial) : 0;
}

}  // namespace

void add_convert(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ConvertFlags>();
  CLI::App* command =
      app.add_subcommand("convert", "Read PDF files and pictures of pages: Markdown, HTML, JSON");
  add_convert_flags(*command, *flags);
  command->callback([flags, &action] { action = [flags] { return run_convert(*flags); }; });
}

}  // namespace galago::cli
