// galago classify: which of some labels fits a picture, without training on them.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "console.h"
#include "flags.h"
#include "galago/embedding.h"
#include "messages/answer_json.h"
#include "model_path.h"
#include "picture_list.h"
#include "pictures.h"

namespace galago::cli {
namespace {

struct ClassifyFlags {
  std::string model;
  std::vector<std::string> images;
  std::string list;                 // "cat,dog"
  std::vector<std::string> labels;  // each as it stands, commas too
  LoadOptions load;
  ClassifyOptions options;
  bool json = false;
};

nlohmann::ordered_json result_json(const ClassifyFlags& flags, const PictureList& pictures,
                                   const EmbeddingModel& model, const std::vector<std::string>& labels,
                                   const Classification& result) {
  auto images = nlohmann::ordered_json::array();
  for (size_t i = 0; i < result.images.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    if (const Error* fault = pictures.fault(index)) {
      images.push_back(error_json(*fault));
      images.back()["path"] = pictures.name(index);
      continue;
    }
    auto scores = nlohmann::ordered_json::array();
    for (const LabelScore& score : result.images[i])
      scores.push_back({{"label", score.label}, {"probability", score.probability}, {"logit", score.logit}});
    images.push_back({{"path", pictures.name(index)}, {"scores", scores}});
  }
  return {{"template", flags.options.template_text}, {"labels", labels}, {"logit_scale", model.logit_scale()},
          {"logit_bias", model.logit_bias()},        {"images", images}, {"cancelled", result.cancelled}};
}

// One line for each label; with several pictures, a line with the file's name before them.
void print_plain(const PictureList& pictures, const Classification& result, bool several) {
  char number[32];
  for (size_t i = 0; i < result.images.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    if (pictures.fault(index)) continue;
    std::string text = several ? one_line(pictures.name(index)) + "\n" : std::string();
    for (const LabelScore& score : result.images[i]) {
      std::snprintf(number, sizeof number, "%.6f  ", static_cast<double>(score.probability));
      text += (several ? "  " : "") + std::string(number) + one_line(score.label) + "\n";
    }
    print(text);
  }
}

int classify(ClassifyFlags& flags) {
  std::vector<std::string> labels = flags.labels;
  if (!flags.list.empty()) {
    const std::vector<std::string> more = split_list(flags.list, "label");
    labels.insert(labels.begin(), more.begin(), more.end());
  }
  if (labels.empty())
    throw Error(
        ErrorCode::usage,
        {.where = "classify", .got = "no labels", .expected = "--labels \"cat,dog\", or --label for each"});
  check_standard_input(flags.images, {});
  catch_interrupt();
  StatusLine status(!flags.json);
  const std::filesystem::path path = model_path(flags.model);
  status.show("loading the model");
  const EmbeddingModel model = [&] {
    const EndsAtOnce loading;
    return EmbeddingModel::load(path, flags.load);
  }();
  status.clear();
  warn(model.warnings());
  auto planning = std::make_optional<EndsAtOnce>();
  flags.options.on_progress = [&](int64_t done, int64_t total) {
    if (done > 0) planning.reset();
    const int64_t before = static_cast<int64_t>(labels.size());
    status.show(done < before ? "encoding labels: " + std::to_string(done) + " of " + std::to_string(before)
                              : "encoding images: " + std::to_string(done - before) + " of " +
                                    std::to_string(total - before));
    return !interrupted();
  };
  PictureList pictures(flags.images);
  const Classification result = model.classify(pictures.source(), labels, flags.options);
  status.clear();
  pictures.check_some(std::ssize(result.images));
  if (flags.json)
    print_json(result_json(flags, pictures, model, labels, result));
  else
    print_plain(pictures, result, flags.images.size() > 1);
  const int faults = pictures.report_faults();
  return result.cancelled ? interrupted_exit() : faults;
}

}  // namespace

void add_classify(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ClassifyFlags>();
  CLI::App* command =
      app.add_subcommand("classify", "Say which of some labels fits a picture, without training (SigLIP)");
  add_model(*command, flags->model, kDualModelHelp)->required();
  add_texts(*command, "-i,--image", flags->images, std::string(kImageHelp) + "; several may follow")
      ->group("Pictures and labels")
      ->type_name("FILE")
      ->required();
  command->add_option("--labels", flags->list, "The labels, with commas between them")
      ->group("Pictures and labels")
      ->type_name("A,B");
  add_texts(*command, "--label", flags->labels, "One label, commas and all; may be given several times")
      ->group("Pictures and labels")
      ->type_name("TEXT");
  command
      ->add_option("--template", flags->options.template_text,
                   "The sentence that is compared with the picture; {} stands for the label")
      ->group("Pictures and labels")
      ->capture_default_str();
  command
      ->add_flag("--parse-special", flags->options.parse_special,
                 "Treat special tokens in the labels as control tokens instead of text")
      ->group("Pictures and labels");
  add_numbers(*command, flags->load);
  add_strict(*command, flags->load);
  add_model_files(*command, flags->load);
  command->add_flag("--json", flags->json, "Print one JSON object")->group("Output");
  command->footer(
      "Each label is judged alone: the numbers are probabilities that it fits, and do not sum to 1. Several\n"
      "may fit, or none.\n"
      "\n"
      "Examples:\n"
      "  galago classify -m google/siglip-base-patch16-224 photo.jpg --labels \"cat,dog,a parked car\"\n"
      "  galago classify -m google/siglip-base-patch16-224 -i a.jpg b.jpg --label indoors --label outdoors "
      "\\\n"
      "                  --template \"a picture taken {}\" --json\n");
  command->callback([flags, &action] { action = [flags] { return classify(*flags); }; });
}

}  // namespace galago::cli
