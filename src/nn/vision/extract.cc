// Names are sorted into places (prefixes), one place is chosen, then every tensor in it is accounted for.
#include "nn/vision/extract.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>
#include <vector>

#include "core/fault_list.h"
#include "core/limits.h"
#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr size_t kMostSeen = 12;    // prefixes named in an error
constexpr size_t kSeenLength = 48;  // characters of each

constexpr std::string_view kPatchWeight = "embeddings.patch_embedding.weight";
constexpr std::string_view kLayers = "encoder.layers.";
// What a prefix may be made of.
constexpr std::array<std::string_view, 5> kWrappers = {"model", "vision_tower", "vision", "vision_model",
                                                       "visual"};
// What a tower's names begin with once the prefix is gone.
constexpr std::array<std::string_view, 5> kModules = {"embeddings.", "encoder.", "pre_layrnorm.",
                                                      "post_layernorm.", "head."};
// Marks of towers that other libraries write: their patches are embedded under another name.
constexpr std::array<std::string_view, 3> kForeign = {"patch_embed.proj.weight", "patch_embed.proj.0.weight",
                                                      "conv1.weight"};

// Sizes of a tensor in terms of the tower's: hidden, intermediate, three times hidden.
enum Size : uint8_t { kNone, kHidden, kInner, kTriple };

struct Part {
  const char* name;
  Size rows;
  Size cols = kNone;
};

constexpr std::array<Part, 16> kLayerParts = {{{"layer_norm1.weight", kHidden},
                                               {"layer_norm1.bias", kHidden},
                                               {"layer_norm2.weight", kHidden},
                                               {"layer_norm2.bias", kHidden},
                                               {"self_attn.q_proj.weight", kHidden, kHidden},
                                               {"self_attn.q_proj.bias", kHidden},
                                               {"self_attn.k_proj.weight", kHidden, kHidden},
                                               {"self_attn.k_proj.bias", kHidden},
                                               {"self_attn.v_proj.weight", kHidden, kHidden},
                                               {"self_attn.v_proj.bias", kHidden},
                                               {"self_attn.out_proj.weight", kHidden, kHidden},
                                               {"self_attn.out_proj.bias", kHidden},
                                               {"mlp.fc1.weight", kInner, kHidden},
                                               {"mlp.fc1.bias", kInner},
                                               {"mlp.fc2.weight", kHidden, kInner},
                                               {"mlp.fc2.bias", kHidden}}};
constexpr std::array<Part, 2> kPostNorm = {
    {{"post_layernorm.weight", kHidden}, {"post_layernorm.bias", kHidden}}};
constexpr std::array<Part, 3> kClipParts = {{{"embeddings.class_embedding", kHidden},
                                             {"pre_layrnorm.weight", kHidden},
                                             {"pre_layrnorm.bias", kHidden}}};
constexpr std::array<Part, 10> kHeadParts = {{{"head.attention.in_proj_weight", kTriple, kHidden},
                                              {"head.attention.in_proj_bias", kTriple},
                                              {"head.attention.out_proj.weight", kHidden, kHidden},
                                              {"head.attention.out_proj.bias", kHidden},
                                              {"head.layernorm.weight", kHidden},
                                              {"head.layernorm.bias", kHidden},
                                              {"head.mlp.fc1.weight", kInner, kHidden},
                                              {"head.mlp.fc1.bias", kInner},
                                              {"head.mlp.fc2.weight", kHidden, kInner},
                                              {"head.mlp.fc2.bias", kHidden}}};

std::string name_of(const Checkpoint& checkpoint) {
  const auto files = checkpoint.files();
  if (files.empty()) return "checkpoint";
  const size_t others = files.size() - 1;
  return files.front().string() + (others ? " and " + std::to_string(others) + " more" : "");
}

/// The leading words of a name that are wrappers: "model.vision_model." of "model.vision_model.encoder...".
std::string_view wrapper_prefix(std::string_view name) {
  size_t end = 0;
  while (true) {
    const size_t dot = name.find('.', end);
    if (dot == std::string_view::npos) break;
    if (std::find(kWrappers.begin(), kWrappers.end(), name.substr(end, dot - end)) == kWrappers.end()) break;
    end = dot + 1;
  }
  return name.substr(0, end);
}

bool names_vision(std::string_view prefix) { return prefix.find("vis") != std::string_view::npos; }

template <size_t N>
bool begins_with_one(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view w) { return text.starts_with(w); });
}

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

/// A weight that holds query, key and value in one, outside the pooling head, where torch has no other way.
bool is_fused(std::string_view rest) {
  if (rest.starts_with("head.")) return false;
  return rest.find(".qkv") != std::string_view::npos || rest.ends_with("attn.in_proj_weight");
}

/// What the names say about one prefix.
struct Place {
  bool tower = false;    // patches are embedded here
  bool modules = false;  // something of a tower is here
  std::string foreign;   // a name that only other layouts have
};

std::map<std::string, Place> places_in(const Checkpoint& checkpoint) {
  std::map<std::string, Place> places;
  for (const auto& [name, view] : checkpoint.tensors()) {
    const std::string_view prefix = wrapper_prefix(name);
    const std::string_view rest = std::string_view(name).substr(prefix.size());
    const bool module = begins_with_one(rest, kModules);
    const bool foreign = std::any_of(kForeign.begin(), kForeign.end(), [&](std::string_view mark) {
      return rest == mark || (names_vision(prefix) && rest.ends_with(mark));
    });
    if (!module && !foreign) continue;
    Place& place = places[std::string(prefix)];
    place.tower = place.tower || rest == kPatchWeight;
    place.modules = place.modules || module;
    if (foreign) place.foreign = name;
  }
  return places;
}

/// The first two words of every name, each once: what a checkpoint holds, at a glance.
std::string names_seen(const Checkpoint& checkpoint) {
  std::set<std::string> seen;
  for (const auto& [name, view] : checkpoint.tensors()) {
    const size_t first = name.find('.');
    const size_t second = first == std::string::npos ? first : name.find('.', first + 1);
    seen.insert(printable(std::string_view(name).substr(0, second), kSeenLength));
  }
  if (seen.empty()) return "no tensors";
  std::string list = "tensors under ";
  size_t count = 0;
  for (const std::string& name : seen) {
    if (count == kMostSeen) break;
    list += (count++ ? ", " : "") + name;
  }
  if (seen.size() > count) list += " and " + std::to_string(seen.size() - count) + " more";
  return list;
}

[[noreturn]] void refuse_none(const Checkpoint& checkpoint, const std::string& place) {
  throw Error(ErrorCode::not_found, {.where = name_of(checkpoint) + ": vision tower",
                                     .got = names_seen(checkpoint),
                                     .expected = std::string(kPatchWeight) + " " + place});
}

[[noreturn]] void refuse_layout(const Checkpoint& checkpoint, const std::string& name,
                                const std::string& why) {
  throw Error(
      ErrorCode::model_unsupported,
      {.where = name_of(checkpoint) + ": " + printable(name),
       .got = why,
       .expected = "the layout of SiglipVisionModel or CLIPVisionModel: embeddings.patch_embedding and "
                   "separate q_proj, k_proj, v_proj"});
}

std::string in_words(const std::string& prefix) { return prefix.empty() ? "no prefix" : printable(prefix); }

/// The one prefix that holds a tower.
std::string choose_place(const Checkpoint& checkpoint) {
  std::vector<std::string> towers;
  const auto places = places_in(checkpoint);
  for (const auto& [prefix, place] : places)
    if (place.tower) towers.push_back(prefix);
  if (towers.size() == 1) return towers.front();
  if (towers.size() > 1) {
    std::string list;
    for (size_t i = 0; i < std::min(towers.size(), kMostSeen); ++i)
      list += (i ? ", " : "") + in_words(towers[i]);
    throw Error(ErrorCode::model_invalid, {.where = name_of(checkpoint) + ": vision tower",
                                           .got = std::to_string(towers.size()) + " towers: " + list,
                                           .expected = "one",
                                           .hint = "name the prefix of the one that is meant"});
  }
  for (const auto& [prefix, place] : places) {
    if (!place.foreign.empty()) refuse_layout(checkpoint, place.foreign, "a tower of another layout");
    if (place.modules && names_vision(prefix))
      throw Error(ErrorCode::model_invalid, {.where = name_of(checkpoint) + ": " + printable(prefix),
                                             .got = "parts of a tower without " + std::string(kPatchWeight),
                                             .expected = "a whole tower"});
  }
  refuse_none(checkpoint, "under vision_tower, vision, vision_model, visual or model, or without prefix");
}

/// Collects what does not fit and throws it in one piece.
class Faults {
 public:
  void add(std::string line) { lines_.push_back(std::move(line)); }
  void finish(const std::string& where) const {
    if (lines_.empty()) return;
    throw Error(ErrorCode::model_invalid,
                {.where = where, .got = fault_list(lines_), .expected = "every tensor of one tower"});
  }

 private:
  std::vector<std::string> lines_;
};

/// Reads one place: first the sizes, then every tensor against them.
class TowerReader {
 public:
  TowerReader(const Checkpoint& checkpoint, std::string prefix)
      : checkpoint_(checkpoint), where_(name_of(checkpoint) + ": " + in_words(prefix)) {
    tower_.prefix = std::move(prefix);
  }

  ExtractedTower read() {
    collect();
    read_patches();
    read_layers();
    read_positions();
    check_parts();
    check_rest();
    faults_.finish(where_);
    return std::move(tower_);
  }

 private:
  void collect();
  void read_patches();
  void read_layers();
  void read_positions();
  void check_parts();
  void check_rest();

  const TensorView* find(const std::string& name) const {
    const auto found = tower_.tensors.find(name);
    return found == tower_.tensors.end() ? nullptr : &found->second;
  }
  Shape shape_of(const Part& part) const;
  void check(const std::string& name, const Shape& expected);
  template <size_t N>
  void check_all(const std::string& scope, const std::array<Part, N>& parts) {
    for (const Part& part : parts) check(scope + part.name, shape_of(part));
  }
  [[noreturn]] void refuse(std::string_view name, std::string got, std::string expected) const {
    throw Error(
        ErrorCode::model_invalid,
        {.where = where_ + ": " + printable(name), .got = std::move(got), .expected = std::move(expected)});
  }

  const Checkpoint& checkpoint_;
  std::string where_;
  ExtractedTower tower_;
  std::set<std::string> checked_;
  Faults faults_;
};

void TowerReader::collect() {
  const std::string& prefix = tower_.prefix;
  const auto& all = checkpoint_.tensors();
  for (auto it = all.lower_bound(prefix); it != all.end() && it->first.starts_with(prefix); ++it) {
    const std::string rest = it->first.substr(prefix.size());
    if (!begins_with_one(rest, kModules)) continue;  // a neighbour: a text model, a projector
    if (is_fused(rest)) refuse_layout(checkpoint_, it->first, "query, key and value in one weight");
    tower_.tensors[rest] = it->second;  // no more than the header says: a matrix may be large to make
  }
}

void TowerReader::read_patches() {
  const TensorView* weight = find(std::string(kPatchWeight));
  if (!weight) refuse_none(checkpoint_, "under " + in_words(tower_.prefix));
  const Shape& shape = weight->shape;
  if (shape.size() == 2)
    refuse_layout(checkpoint_, tower_.prefix + std::string(kPatchWeight),
                  "patches embedded by a product, " + to_string(shape));
  if (shape.size() != 4 || shape[2] != shape[3] ||
      std::any_of(shape.begin(), shape.end(), [](int64_t n) { return n < 1 || n > limits::kConfigWidth; }))
    refuse(kPatchWeight, to_string(shape),
           "[hidden, channels, patch, patch] with sizes of 1 to " + std::to_string(limits::kConfigWidth));
  tower_.hidden_size = shape[0];
  tower_.num_channels = shape[1];
  tower_.patch_size = shape[2];
  const bool clip = find("embeddings.class_embedding") || find("pre_layrnorm.weight");
  tower_.layout = clip ? TowerLayout::clip : TowerLayout::siglip;
}

void TowerReader::read_layers() {
  std::set<int64_t> layers;
  for (auto it = tower_.tensors.lower_bound(std::string(kLayers));
       it != tower_.tensors.end() && it->first.starts_with(kLayers); ++it) {
    const std::string_view rest = std::string_view(it->first).substr(kLayers.size());
    const std::string_view digits = rest.substr(0, rest.find('.'));
    int64_t index = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    const bool canonical = error == std::errc() && end == digits.data() + digits.size() && index >= 0 &&
                           (digits.size() == 1 || digits.front() != '0');
    if (!canonical || index >= limits::kConfigLayers)
      refuse(it->first, "layer " + in_quotes(digits, kSeenLength),
             "a number below " + std::to_string(limits::kConfigLayers));
    layers.insert(index);
  }
  if (layers.empty()) refuse(kLayers, "no layers", "at least layer 0");
  tower_.num_hidden_layers = *layers.rbegin() + 1;
  if (static_cast<int64_t>(layers.size()) != tower_.num_hidden_layers) {
    int64_t missing = 0;
    while (layers.contains(missing)) ++missing;
    refuse(kLayers,
           std::to_string(layers.size()) + " layers up to " + std::to_string(tower_.num_hidden_layers - 1) +
               ", without " + std::to_string(missing),
           "no gaps");
  }
  const std::string first = std::string(kLayers) + "0.mlp.fc1.weight";
  const TensorView* inner = find(first);
  if (!inner || inner->shape.size() != 2 || inner->shape[0] < 1)
    refuse(first, inner ? to_string(inner->shape) : "nothing",
           "[intermediate, " + std::to_string(tower_.hidden_size) + "]");
  tower_.intermediate_size = inner->shape[0];
}

void TowerReader::read_positions() {
  const std::string name = "embeddings.position_embedding.weight";
  const TensorView* table = find(name);
  const int64_t extra = tower_.layout == TowerLayout::clip ? 1 : 0;  // the class token's row
  const std::string expected = std::string("[") + (extra ? "1 + " : "") + "a square number, " +
                               std::to_string(tower_.hidden_size) + "]";
  if (!table || table->shape.size() != 2 || table->shape[1] != tower_.hidden_size)
    refuse(name, table ? to_string(table->shape) : "nothing", expected);
  tower_.positions = table->shape[0] - extra;
  tower_.grid_side = std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(tower_.positions, 0))));
  if (tower_.positions < 1 || tower_.positions > limits::kConfigPositions ||
      tower_.grid_side * tower_.grid_side != tower_.positions)
    refuse(name, to_string(table->shape), expected);
  check(name, {tower_.positions + extra, tower_.hidden_size});
}

Shape TowerReader::shape_of(const Part& part) const {
  Shape shape;
  for (const Size size : {part.rows, part.cols}) {
    if (size == kHidden) shape.push_back(tower_.hidden_size);
    if (size == kInner) shape.push_back(tower_.intermediate_size);
    if (size == kTriple) shape.push_back(3 * tower_.hidden_size);
  }
  return shape;
}

void TowerReader::check(const std::string& name, const Shape& expected) {
  checked_.insert(name);
  const TensorView* view = find(name);
  if (!view)
    faults_.add("missing " + name + ", expected " + to_string(expected));
  else if (view->shape != expected)
    faults_.add("shape of " + name + ": got " + to_string(view->shape) + ", expected " + to_string(expected));
  else if (!is_float(view->dtype))
    faults_.add("type of " + name + ": got " + to_string(view->dtype) + ", expected F32, F16 or BF16");
}

void TowerReader::check_parts() {
  const int64_t c = tower_.hidden_size;
  check(std::string(kPatchWeight), {c, tower_.num_channels, tower_.patch_size, tower_.patch_size});
  if (tower_.layout == TowerLayout::clip)
    check_all("", kClipParts);
  else
    check("embeddings.patch_embedding.bias", {c});
  for (int64_t i = 0; i < tower_.num_hidden_layers; ++i)
    check_all(std::string(kLayers) + std::to_string(i) + ".", kLayerParts);
  check_all("", kPostNorm);
  tower_.pooling_head = find("head.probe") != nullptr;
  if (!tower_.pooling_head) return;
  check("head.probe", {1, 1, c});
  check_all("", kHeadParts);
}

/// Old files carry the position ids 0, 1, 2, ... as a tensor; anything else that is left over is a fault, but
/// not a text model's head beside a tower that has no prefix.
void TowerReader::check_rest() {
  tower_.tensors.erase("embeddings.position_ids");
  std::erase_if(tower_.tensors, [&](const auto& entry) {
    const std::string& name = entry.first;
    if (checked_.contains(name)) return false;
    if (names_vision(tower_.prefix) || !name.starts_with("head."))
      faults_.add("unknown " + printable(name) + " " + to_string(entry.second.shape));
    return true;
  });
}

}  // namespace

const char* to_string(TowerLayout layout) noexcept { return layout == TowerLayout::clip ? "CLIP" : "SigLIP"; }

ExtractedTower extract_vision_tower_from_checkpoint(const Checkpoint& checkpoint,
                                                    const std::optional<std::string>& prefix) {
  if (!prefix) return TowerReader(checkpoint, choose_place(checkpoint)).read();
  const bool whole = prefix->empty() || prefix->ends_with('.');
  return TowerReader(checkpoint, whole ? *prefix : *prefix + ".").read();
}

}  // namespace galago
