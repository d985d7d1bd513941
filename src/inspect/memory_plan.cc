// One function for each part of the table. Sizes are those that limits.h let through when the settings were
// read, so their products fit.
#include "inspect/memory_plan.h"

#include <algorithm>
#include <set>

#include "formats/weights.h"
#include "kernels/kernels.h"
#include "models/towers.h"
#include "nn/decoder/kv_cache.h"
#include "nn/decoder/llama.h"
#include "runtime/scheduler_loop.h"

namespace galago {
namespace {

constexpr int64_t kFloat = sizeof(float);

int64_t bytes_of(const TensorView& view) { return view.count() * size_of(view.dtype); }

bool has_prefix(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

// What the decoder makes of the head in the file: one of its own, beside a table of which only
// some rows are read, or a copy of the table that is never looked at again.
struct Head {
  std::string name;  // empty: there is none
  bool own = false;
  bool copy = false;
};

Head head_of(const Frontend& frontend, const Checkpoint& outline) {
  std::string table;
  Head head;
  for (const auto& [name, view] : outline.tensors()) {
    if (name.ends_with("embed_tokens.weight")) table = name;
    if (name.ends_with("lm_head.weight")) head.name = name;
  }
  if (head.name.empty()) return head;
  Binder binder(outline, frontend.device());
  head.copy = frontend.config().tie_word_embeddings && !table.empty() &&
              binder.root().repeats(head.name, binder.root(), table);
  head.own = !head.copy && !table.empty();
  return head;
}

// Everything of one plan.
class Planner {
 public:
  Planner(const Frontend& frontend, const Checkpoint& outline, const MemoryRequest& request,
          const MemoryAssumptions& assumptions)
      : config_(frontend.config()),
        tile_(frontend.tile_shape()),
        request_(request),
        assumptions_(assumptions) {
    const std::vector<ModuleShape> modules = frontend.modules();
    const Head head = head_of(frontend, outline);
    for (const auto& tensor : outline.tensors()) {
      const std::string& name = tensor.first;
      const TensorView& view = tensor.second;
      const auto module = std::find_if(modules.begin(), modules.end(),
                                       [&](const ModuleShape& s) { return has_prefix(name, s.prefixes); });
      if (module == modules.end() || (head.copy && name.starts_with(head.name))) continue;
      if (view.shape.size() == 1) copies_ += view.count() * kFloat;
      const int64_t owned = converted_bytes(outline, name, view);
      if (owned > 0)
        converted_ += owned;
      else if (module->name == kEmbeddingModule && head.own)
        table_ += bytes_of(view);
      else
        (module->stage == Stage::image ? image_weights_ : text_weights_) += bytes_of(view);
    }
    for (const ImagePlan& image : request.images) {
      decoded_ += image.size.width * image.size.height * 3;
      most_tiles_ = std::max(most_tiles_, image.tiles);
      image_tokens_ += image.tokens;
    }
    group_ = tile_.tower_rows > 0 ? std::min(tiles_per_call(tile_.tower_rows), most_tiles_) : 0;
  }

  MemoryPlan plan() const {
    MemoryPlan plan{{program(), weights(), copies(), pictures(), pixels(), tower(), image_rows(), cache(),
                     prefill(), logits(), kernels()}};
    if (request_.images.empty())
      for (MemoryPart& part : plan.parts) part.image = 0;
    return plan;
  }

 private:
  // Of a weight that is kept in memory of its own; 0: it is read where it lies.
  int64_t converted_bytes(const Checkpoint& outline, const std::string& name, const TensorView& view) const {
    const WeightView* matrix = outline.matrix(name);
    const bool floats = view.dtype == DType::f32 || view.dtype == DType::f16 || view.dtype == DType::bf16;
    const bool plane = name.ends_with(kScaleSuffix) || name.ends_with(kMinimumSuffix);
    if (!matrix && view.shape.size() != 2) return 0;
    const int64_t copied = request_.mmap ? 0 : bytes_of(view);
    if (!matrix && (!floats || plane))  // planes
      return goes_into_panels(name, WeightFormat::q8) ? bytes_of(view) : copied;
    const WeightView weight = matrix ? *matrix : WeightView(view);
    const WeightFormat format = chosen_format(request_.weights, name, weight).value_or(weight.format);
    const bool panels = goes_into_panels(name, format);
    if (format == weight.format && (weight.in_panels() || !panels)) return copied;
    return WeightView(format, weight.rows, weight.cols).bytes();
  }

  MemoryPart program() const {
    const int64_t pictures = request_.images.empty() ? 0 : assumptions_.picture_program;
    const int64_t bytes = assumptions_.program + pictures + config_.text.vocab_size * assumptions_.token;
    return {"program and tokenizer", bytes, bytes};
  }

  // Mapped weights count while they are read; converted ones stay. Of a mapped embedding table, unless it is
  // the head too, only the rows of the prompt's and the answer's tokens are touched.
  MemoryPart weights() const {
    const int64_t touched =
        std::min(table_, (groups_of_rows() + request_.max_new_tokens) * assumptions_.touched_row);
    const int64_t seen = request_.images.empty() || request_.low_memory ? 0 : image_weights_;
    return {"weights", converted_ + image_weights_, converted_ + text_weights_ + touched + seen};
  }

  // Groups of neighbouring rows in the embedding table that the prompt's tokens lie in.
  int64_t groups_of_rows() const {
    if (request_.ids.empty()) return request_.prompt_tokens - image_tokens_;
    std::set<int64_t> groups;
    const int64_t row = table_ / std::max<int64_t>(1, config_.text.vocab_size);
    for (const int32_t id : request_.ids) groups.insert(id * row / assumptions_.touched_row);
    return std::ssize(groups);
  }

  // Norms, biases and the position table, made floats when the model is loaded.
  MemoryPart copies() const {
    const int64_t side = config_.vision.num_hidden_layers > 0 ? config_.vision.patches_per_side() : 0;
    const int64_t bytes = copies_ + side * side * config_.vision.hidden_size * kFloat;
    return {"norms and biases", bytes, bytes};
  }

  MemoryPart pictures() const { return {"decoded pictures", decoded_, decoded_}; }

  // All tiles of a picture as bytes, of the next one too when there are several; the group that goes through
  // the tower as bytes and as floats.
  MemoryPart pixels() const {
    const int64_t tile = 3 * tile_.side * tile_.side;
    const int64_t pictures = std::min<int64_t>(2, std::ssize(request_.images));
    return {"tiles", (pictures * most_tiles_ + group_) * tile + group_ * tile * kFloat, 0};
  }

  // Scratch, what enters and leaves the layers, and the patch vectors.
  MemoryPart tower() const {
    const int64_t rows = group_ * tile_.tower_rows, c = config_.vision.hidden_size;
    const int64_t hidden = rows * (c + (tile_.tapped ? tile_.features : 0));
    return {"vision tower",
            tower_scratch(config_.vision, tile_, group_) + (hidden + rows * tile_.features) * kFloat, 0};
  }

  // The connector's rows of one picture, and the finished ones of all.
  MemoryPart image_rows() const {
    const int64_t finished = image_tokens_ * config_.text.hidden_size;
    return {"image rows", (most_tiles_ * tile_.rows * tile_.width + finished) * kFloat, 0};
  }

  MemoryPart cache() const {
    const TextConfig& text = config_.text;
    const KvShape shape{.layers = text.num_hidden_layers,
                        .width = text.num_key_value_heads * text.head_dim,
                        .dtype = request_.cache_dtype};
    const int64_t positions = request_.prompt_tokens + request_.max_new_tokens - 1;
    return {"key-value cache", 0, shape.bytes_of(positions)};
  }

  MemoryPart prefill() const {
    const int64_t all = request_.prompt_tokens;
    const int64_t chunk = request_.prefill_chunk > 0 ? request_.prefill_chunk : kPrefillChunk;
    const int64_t rows = std::min(chunk, all);
    return {"prompt rows and prefill", 0,
            all * config_.text.hidden_size * kFloat + decoder_scratch(config_.text, rows)};
  }

  // Logits, and what a sampler keeps of every token.
  MemoryPart logits() const { return {"logits", 0, 4 * config_.text.vocab_size * kFloat}; }

  // One head's keys and values, packed, in each thread.
  MemoryPart kernels() const {
    const auto packed = [&](int64_t keys, int64_t head_dim) {
      return request_.threads * 2 * keys * head_dim * kFloat;
    };
    const VisionConfig& vision = config_.vision;
    const int64_t vision_dim =
        vision.num_attention_heads > 0 ? vision.hidden_size / vision.num_attention_heads : 0;
    return {"packed keys and values", packed(tile_.tower_rows, vision_dim),
            packed(request_.prompt_tokens, config_.text.head_dim)};
  }

  const ModelConfig& config_;
  const TileShape tile_;
  const MemoryRequest& request_;
  const MemoryAssumptions& assumptions_;
  int64_t converted_ = 0;
  int64_t image_weights_ = 0;
  int64_t text_weights_ = 0;
  int64_t table_ = 0;   // the embedding table where only some of its rows are read
  int64_t copies_ = 0;  // of one-dimensional tensors, as floats
  int64_t decoded_ = 0;
  int64_t most_tiles_ = 0;  // of one picture
  int64_t image_tokens_ = 0;
  int64_t group_ = 0;  // tiles that go through the tower together
};

}  // namespace

int64_t MemoryPlan::image() const {
  int64_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.image;
  return sum;
}

int64_t MemoryPlan::text() const {
  int64_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.text;
  return sum;
}

int64_t MemoryPlan::peak() const { return std::max(image(), text()); }

MemoryPlan plan_memory(const Frontend& frontend, const Checkpoint& outline, const MemoryRequest& request,
                       const MemoryAssumptions& assumptions) {
  return Planner(frontend, outline, request, assumptions).plan();
}

// x, the normed rows and the rows that come out; beside them either attention's q, k, v, places and result,
// or the hidden rows of the feed-forward part.
int64_t decoder_scratch(const TextConfig& config, int64_t rows) {
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  const int64_t places = static_cast<int64_t>(sizeof(kernels::CausalRow) + 2 * sizeof(void*));
  const int64_t attention = (2 * q + 2 * kv) * kFloat + places;
  const int64_t mlp = config.intermediate_size * kFloat;
  const int64_t runs = config.rope.long_divisors.empty() ? 0 : static_cast<int64_t>(sizeof(RopeRun));
  return rows * (3 * config.hidden_size * kFloat + kFloat + runs + std::max(attention, mlp));
}

// The normed rows, and beside them either q, k, v and attention's result, or the hidden rows of the
// feed-forward part; or, tile by tile, the unfolded patches with their positions, or the connector's blocks.
int64_t tower_scratch(const VisionConfig& config, const TileShape& tile, int64_t tiles) {
  if (tiles == 0) return 0;
  const int64_t rows = tiles * tile.tower_rows, c = config.hidden_size;
  const int64_t layer = rows * (c + std::max(4 * c, config.intermediate_size));
  const int64_t embed = tile.tower_rows * (c + config.num_channels * config.patch_size * config.patch_size);
  const int64_t connector = tile.tower_rows * std::max(tile.features, tile.width);
  return std::max({layer, embed, connector}) * kFloat;
}

}  // namespace galago
