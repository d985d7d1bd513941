// A whole model directory, loaded and asked. In: {"base": a folder of tests/data/models, "files": {name: text
// or document}, "header": the safetensors header, "prompt": text}; what is not given is the base's own.
#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "formats/json.h"
#include "galago/embedding.h"
#include "galago/galago.h"
#include "support/fuzz.h"
#include "support/mutators.h"

using namespace galago;

GALAGO_FUZZ_MUTATOR(mutate_json_file)

namespace {

namespace fs = std::filesystem;

// More tiles are honest work of seconds.
constexpr int64_t kTiles = 8;
constexpr size_t kFiles = 16;

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A plain name, so that nothing is written elsewhere.
bool is_plain(const std::string& name) {
  return !name.empty() && name.size() < 64 && name.front() != '.' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.0123456789") == std::string::npos;
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The base's checkpoint with another header.
std::string with_header(const std::string& checkpoint, const std::string& header) {
  uint64_t length = 0;
  checkpoint.copy(reinterpret_cast<char*>(&length), sizeof length);
  const uint64_t changed = header.size();
  return std::string(reinterpret_cast<const char*>(&changed), sizeof changed) + header +
         checkpoint.substr(std::min<uint64_t>(checkpoint.size(), sizeof length + length));
}

/// Lays the directory out in the scratch folder.
fs::path lay_out(const Json& document) {
  const std::string base = document.value("base", Json("smolvlm_tiles")).is_string()
                               ? document.value("base", std::string("smolvlm_tiles"))
                               : "smolvlm_tiles";
  const fs::path from = fs::path(GALAGO_TEST_DATA) / "models" / (is_plain(base) ? base : "smolvlm_tiles");
  const fs::path to = fuzz::scratch() / "model";
  std::error_code ignored;
  fs::remove_all(to, ignored);
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from, ignored))
    fs::create_symlink(entry.path(), to / entry.path().filename(), ignored);
  const auto replace = [&](const std::string& name, const std::string& text) {
    fs::remove(to / name, ignored);
    std::ofstream(to / name, std::ios::binary) << text;
  };
  if (const auto files = document.find("files"); files != document.end() && files->is_object()) {
    size_t count = 0;
    for (const auto& [name, value] : files->items())
      if (is_plain(name) && count++ < kFiles) {
        if (value.is_null())
          fs::remove(to / name, ignored);
        else
          replace(name, text_of(value));
      }
  }
  if (const auto header = document.find("header"); header != document.end())
    replace("model.safetensors", with_header(content(from / "model.safetensors"), text_of(*header)));
  return to;
}

Image picture() {
  std::vector<uint8_t> pixels;
  for (int i = 0; i < 24 * 18 * 3; ++i) pixels.push_back(static_cast<uint8_t>(i * 37));
  return Image::from_rgb(24, 18, pixels);
}

void ask(const Model& model, const std::string& prompt, bool with_picture) {
  static const Image image = picture();
  Request request;
  request.prompt = prompt;
  request.options.max_new_tokens = 2;
  if (with_picture) {
    if (model.plan_image(image.width(), image.height()).tiles > kTiles) return;
    request.images = {image};
  }
  const Answer answer = model.ask(request);
  fuzz::require(answer.usage.completion_tokens <= 2);
}

void embed(const EmbeddingModel& model, const std::string& text) {
  const Embeddings one = model.embed_texts({text});
  fuzz::require(one.count == 1 && one.dimension == model.dimension());
  model.embed_images(std::vector<Image>{picture()});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Json document;
  if (!fuzz::accept([&] { document = parse_json(fuzz::as_text(data, size), "input"); })) return 0;
  if (!document.is_object()) return 0;
  const fs::path directory = lay_out(document);
  const auto given = document.find("prompt");
  const std::string prompt = given == document.end() ? "What is this?" : text_of(*given);
  const LoadOptions options{.threads = 1};
  fuzz::accept([&] {
    const Model model = Model::load(directory, options);
    for (const bool with_picture : {true, false}) fuzz::accept([&] { ask(model, prompt, with_picture); });
  });
  fuzz::accept([&] { embed(EmbeddingModel::load(directory, options), prompt); });
  return 0;
}
