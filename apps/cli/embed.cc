// galago embed: pictures and texts as vectors of one space.
#include <cstdio>
#include <memory>
#include <sstream>

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

struct EmbedFlags {
  std::string model;
  std::vector<std::string> images;
  std::vector<std::string> texts;
  LoadOptions load;
  bool normalize = false;
  bool parse_special = false;
  bool json = false;
};

// The texts as given; "-" stands for the lines of standard input, one text each.
std::vector<std::string> read_texts(const std::vector<std::string>& given) {
  std::vector<std::string> texts;
  for (const std::string& text : given) {
    if (text != "-") {
      texts.push_back(text);
      continue;
    }
    std::istringstream lines(prompt_text(text));
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      texts.push_back(line);
    }
  }
  return texts;
}

nlohmann::ordered_json item_json(const char* kind, const std::string& name, std::span<const float> row) {
  return {{kind, name}, {"embedding", std::vector<float>(row.begin(), row.end())}};
}

// kind, name and numbers, between tabs; a float's nine digits are all of it.
std::string line_of(const char* kind, const std::string& name, std::span<const float> row) {
  std::string line = std::string(kind) + "\t" + one_line(name) + "\t";
  char number[32];
  for (size_t i = 0; i < row.size(); ++i) {
    std::snprintf(number, sizeof number, i ? " %.9g" : "%.9g", static_cast<double>(row[i]));
    line += number;
  }
  return line + "\n";
}

void print_plain(const Embeddings& embeddings, const char* kind, const std::vector<std::string>& names) {
  for (int64_t i = 0; i < embeddings.count; ++i)
    print(line_of(kind, names[static_cast<size_t>(i)], embeddings.row(i)));
}

void print_plain(const Embeddings& embeddings, const PictureList& pictures) {
  for (int64_t i = 0; i < embeddings.count; ++i)
    if (!pictures.fault(i)) print(line_of("image", pictures.name(i), embeddings.row(i)));
}

nlohmann::ordered_json list_json(const Embeddings& embeddings, const PictureList& pictures) {
  auto list = nlohmann::ordered_json::array();
  for (int64_t i = 0; i < embeddings.count; ++i) {
    if (const Error* fault = pictures.fault(i)) {
      list.push_back(error_json(*fault));
      list.back()["path"] = pictures.name(i);
    } else {
      list.push_back(item_json("path", pictures.name(i), embeddings.row(i)));
    }
  }
  return list;
}

nlohmann::ordered_json list_json(const Embeddings& embeddings, const char* kind,
                                 const std::vector<std::string>& names) {
  auto list = nlohmann::ordered_json::array();
  for (int64_t i = 0; i < embeddings.count; ++i)
    list.push_back(item_json(kind, names[static_cast<size_t>(i)], embeddings.row(i)));
  return list;
}

void check_flags(const EmbedFlags& flags) {
  check_standard_input(flags.images, flags.texts);
  if (flags.images.empty() && flags.texts.empty())
    throw Error(ErrorCode::usage, {.where = "embed",
                                   .got = "neither --image nor --text",
                                   .expected = "at least one of them",
                                   .hint = "galago embed --help shows examples"});
}

int embed(const EmbedFlags& flags) {
  check_flags(flags);
  const std::vector<std::string> texts = read_texts(flags.texts);
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
  std::optional<EndsAtOnce> planning;
  const auto options = [&](const std::string& things) -> EmbedOptions {
    return {
        .normalize = flags.normalize,
        .parse_special = flags.parse_special,
        .on_progress = [&planning, &status, things](int64_t done, int64_t total) {
          if (done > 0) planning.reset();
          status.show("encoding " + things + ": " + std::to_string(done) + " of " + std::to_string(total));
          return !interrupted();
        }};
  };
  PictureList pictures(flags.images);
  const Embeddings images = model.embed_images(pictures.source(), options("images"));
  if (!images.cancelled && !texts.empty() && !interrupted()) planning.emplace();
  const Embeddings rows =
      images.cancelled ? Embeddings{.values = {}} : model.embed_texts(texts, options("texts"));
  const bool cancelled = images.cancelled || rows.cancelled;
  status.clear();
  pictures.check_some(images.count + rows.count);
  if (flags.json) {
    print_json({{"dimension", model.dimension()},
                {"normalized", flags.normalize},
                {"images", list_json(images, pictures)},
                {"texts", list_json(rows, "text", texts)},
                {"cancelled", cancelled}});
  } else {
    print_plain(images, pictures);
    print_plain(rows, "text", texts);
  }
  const int faults = pictures.report_faults();
  return cancelled ? interrupted_exit() : faults;
}

}  // namespace

void add_embed(CLI::App& app, Action& action) {
  auto flags = std::make_shared<EmbedFlags>();
  CLI::App* command = app.add_subcommand("embed", "Turn pictures and texts into vectors (SigLIP)");
  add_model(*command, flags->model, kDualModelHelp)->required();
  const char* group = "Pictures and texts";
  add_texts(*command, "-i,--image", flags->images, std::string(kImageHelp) + "; several may follow")
      ->group(group)
      ->type_name("FILE");
  add_texts(*command, "--text", flags->texts,
            "A text, or - for the lines of standard input, one text each; may be given several times")
      ->group(group)
      ->type_name("TEXT");
  command
      ->add_flag("--normalize", flags->normalize,
                 "Divide each vector by its length, so that a dot product is a cosine (default: off)")
      ->group(group);
  command
      ->add_flag("--parse-special", flags->parse_special,
                 "Treat special tokens in the texts as control tokens instead of text")
      ->group(group);
  add_numbers(*command, flags->load);
  add_strict(*command, flags->load);
  add_model_files(*command, flags->load);
  command->add_flag("--json", flags->json, "Print one JSON object")->group("Output");
  command->footer(
      "Plain output has one line for each picture, then one for each text: the kind, the name, the numbers,\n"
      "with tabs between the three. A picture that cannot be read is told on standard error; exit code 3 "
      "then.\n"
      "\n"
      "Examples:\n"
      "  galago embed -m google/siglip-base-patch16-224 --image cat.jpg --text \"a photo of a cat\" "
      "--normalize\n"
      "  galago embed -m google/siglip-base-patch16-224 --text - --json < sentences.txt\n");
  command->callback([flags, &action] { action = [flags] { return embed(*flags); }; });
}

}  // namespace galago::cli
