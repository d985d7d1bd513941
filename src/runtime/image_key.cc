// Lengths and sizes go in before what they measure, so that no two contents run into the same bytes.
#include "runtime/image_key.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <span>
#include <utility>

#include "core/limits.h"
#include "galago/galago.h"

namespace galago {
namespace {

// The texts that say how pictures become tiles, pixels and rows. Whole texts instead of single numbers: no
// setting can be forgotten, and one that does not matter costs a miss at most.
constexpr std::array<const char*, 4> kSettings = {"config.json", "preprocessor_config.json",
                                                  "processor_config.json", "video_preprocessor_config.json"};
// What else answers depend on.
constexpr std::array<const char*, 10> kTexts = {
    "generation_config.json",  "tokenizer.json",     "tokenizer.model",     "spiece.model",
    "tokenizer_config.json",   "added_tokens.json",  "chat_template.jinja", "chat_template.json",
    "special_tokens_map.json", "adapter_config.json"};

std::vector<std::string> vision_prefixes(const Frontend& frontend) {
  std::vector<std::string> prefixes;
  for (const ModuleShape& module : frontend.modules())
    if (module.stage == Stage::image)
      prefixes.insert(prefixes.end(), module.prefixes.begin(), module.prefixes.end());
  return prefixes;
}

constexpr size_t kWhole = std::numeric_limits<size_t>::max();
constexpr size_t kSample = 4096;  // a page of a file

int64_t number_of(std::optional<bool> split) { return split ? (*split ? 1 : 0) : -1; }

}  // namespace

Digest picture_key(const RgbImage& image, PictureKind kind, std::optional<bool> split) {
  Sha256 hash;
  hash.add_text("picture");
  hash.add_number(static_cast<int64_t>(kind));
  hash.add_number(number_of(split));
  hash.add_number(image.width);
  hash.add_number(image.height);
  hash.add(std::as_bytes(std::span(image.pixels)));
  return hash.finish();
}

std::vector<Digest> tile_keys(const Tiles& tiles, PictureKind kind) {
  std::vector<Digest> keys;
  const std::span<const uint8_t> pixels(tiles.pixels);
  const size_t bytes = pixels.size() / static_cast<size_t>(std::max<int64_t>(tiles.count, 1));
  for (size_t i = 0; std::cmp_less(i, tiles.count); ++i) {
    Sha256 hash;
    hash.add_text("tile");
    hash.add_number(static_cast<int64_t>(kind));
    hash.add_number(tiles.height);
    hash.add_number(tiles.width);
    hash.add(std::as_bytes(pixels.subspan(i * bytes, bytes)));
    keys.push_back(hash.finish());
  }
  return keys;
}

namespace {

void add_files(Sha256& hash, const ModelFiles& files, std::span<const char* const> names, int64_t most) {
  for (const char* name : names) {
    const auto text = files.find(name, most);
    hash.add_number(text ? 1 : 0);
    hash.add_text(text.value_or(""));
  }
}

/// `most`: how many bytes of each, from its first.
void add_tensors(Sha256& hash, const Checkpoint& checkpoint, size_t most,
                 const std::function<bool(const std::string&)>& wanted) {
  for (const auto& tensor : checkpoint.tensors()) {
    const std::string& name = tensor.first;
    const TensorView& view = tensor.second;
    if (!wanted(name)) continue;
    hash.add_text(name);
    hash.add_text(to_string(view.dtype));
    hash.add_text(to_string(view.shape));
    const auto bytes = static_cast<size_t>(view.count() * size_of(view.dtype));
    hash.add({checkpoint.read(name).data, std::min(bytes, most)});
    checkpoint.unload(name);  // a picture that is found needs none of them
  }
}

Digest digest_of(const char* kind, const Frontend& frontend, const Checkpoint& checkpoint, size_t most) {
  Sha256 hash;
  hash.add_text(kind);
  add_files(hash, frontend.files(), kSettings, limits::kConfigBytes);
  add_files(hash, frontend.files(), kTexts, limits::kTokenizerBytes);
  add_tensors(hash, checkpoint, most, [](const std::string&) { return true; });
  return hash.finish();
}

}  // namespace

Digest model_key(const Frontend& frontend, const Checkpoint& checkpoint, const std::string& options) {
  Sha256 hash;
  for (const std::string& text :
       {std::string("model"), std::string(version()), options, frontend.device().name()})
    hash.add_text(text);
  add_files(hash, frontend.files(), kSettings, limits::kConfigBytes);
  const std::vector<std::string> prefixes = vision_prefixes(frontend);
  add_tensors(hash, checkpoint, kWhole, [&](const std::string& name) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const std::string& prefix) { return name.starts_with(prefix); });
  });
  return hash.finish();
}

Digest model_digest(const Frontend& frontend, const Checkpoint& checkpoint) {
  return digest_of("whole model", frontend, checkpoint, kWhole);
}

Digest model_fingerprint(const Frontend& frontend, const Checkpoint& checkpoint) {
  return digest_of("model's sample", frontend, checkpoint, kSample);
}

}  // namespace galago
