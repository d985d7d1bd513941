// Tensors under transformers' names and in its order. llama.cpp turns neighbours (2 i, 2 i + 1) of a head's
// row where transformers turns (i, i + d/2), so its converter has moved the rows of q and k: here they move
// back. Reference: gguf-py/gguf/tensor_mapping.py and LlamaModel.permute of llama.cpp's converter.
#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/printable.h"
#include "formats/weights.h"
#include "galago/error.h"
#include "models/gguf/parts.h"

namespace galago {
namespace {

using Renamed = std::pair<std::string_view, std::string_view>;

constexpr std::array<Renamed, 9> kTextLayer = {{{"attn_norm", "input_layernorm"},
                                                {"attn_q", "self_attn.q_proj"},
                                                {"attn_k", "self_attn.k_proj"},
                                                {"attn_v", "self_attn.v_proj"},
                                                {"attn_output", "self_attn.o_proj"},
                                                {"ffn_norm", "post_attention_layernorm"},
                                                {"ffn_gate", "mlp.gate_proj"},
                                                {"ffn_up", "mlp.up_proj"},
                                                {"ffn_down", "mlp.down_proj"}}};

constexpr std::array<Renamed, 8> kVisionLayer = {{{"ln1", "layer_norm1"},
                                                  {"ln2", "layer_norm2"},
                                                  {"attn_q", "self_attn.q_proj"},
                                                  {"attn_k", "self_attn.k_proj"},
                                                  {"attn_v", "self_attn.v_proj"},
                                                  {"attn_out", "self_attn.out_proj"},
                                                  {"ffn_up", "mlp.fc1"},
                                                  {"ffn_down", "mlp.fc2"}}};

/// Where the parts of a model begin in its checkpoint.
struct Prefixes {
  std::string text;
  std::string vision;
  std::string root;          ///< of the projector
  bool swapped_mlp = false;  ///< of the tower: ffn_down comes before ffn_up
};

/// "a.b.weight" -> "a.b", ".weight".
std::pair<std::string_view, std::string_view> without_suffix(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::pair(name, std::string_view())
                                       : std::pair(name.substr(0, dot), name.substr(dot));
}

template <size_t N>
std::string_view renamed(const std::array<Renamed, N>& table, std::string_view name) {
  for (const auto& [from, to] : table)
    if (from == name) return to;
  return {};
}

/// "blk.7.attn_q" behind its prefix -> "7" and "attn_q"; empty texts for another form.
std::pair<std::string_view, std::string_view> layer_and_part(std::string_view stem, std::string_view prefix) {
  if (!stem.starts_with(prefix)) return {};
  stem.remove_prefix(prefix.size());
  const size_t dot = stem.find('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  if (stem.substr(0, dot).find_first_not_of("0123456789") != std::string_view::npos) return {};
  return {stem.substr(0, dot), stem.substr(dot + 1)};
}

/// A name that is not known stays as it is: the loader then lists it as unused.
std::string text_name(const std::string& name, const Prefixes& prefixes) {
  if (name == "token_embd.weight") return prefixes.text + "embed_tokens.weight";
  if (name == "output_norm.weight") return prefixes.text + "norm.weight";
  if (name == "output.weight") return "lm_head.weight";
  const auto [stem, suffix] = without_suffix(name);
  const auto [layer, part] = layer_and_part(stem, "blk.");
  const std::string_view to = renamed(kTextLayer, part);
  if (to.empty()) return name;
  return prefixes.text + "layers." + std::string(layer) + "." + std::string(to) + std::string(suffix);
}

std::string vision_name(const std::string& name, const Prefixes& prefixes) {
  static constexpr std::array<Renamed, 7> kOutside = {{{"v.patch_embd", "embeddings.patch_embedding"},
                                                       {"v.position_embd", "embeddings.position_embedding"},
                                                       {"v.post_ln", "post_layernorm"},
                                                       {"v.pre_ln", "pre_layrnorm"},
                                                       {"mm.model.fc", "connector.modality_projection.proj"},
                                                       {"mm.0", "multi_modal_projector.linear_1"},
                                                       {"mm.2", "multi_modal_projector.linear_2"}}};
  if (name.starts_with("v.class_embd")) return prefixes.vision + "embeddings.class_embedding";
  if (name == "model.image_newline" || name == "v.image_newline") return prefixes.root + "image_newline";
  const auto [stem, suffix] = without_suffix(name);
  if (const std::string_view to = renamed(kOutside, stem); !to.empty())
    return (stem.starts_with("mm.") ? prefixes.root : prefixes.vision) + std::string(to) +
           std::string(suffix);
  const auto [layer, part] = layer_and_part(stem, "v.blk.");
  std::string_view to = renamed(kVisionLayer, part);
  if (to.empty()) return name;
  if (prefixes.swapped_mlp && to.starts_with("mlp.")) to = to == "mlp.fc1" ? "mlp.fc2" : "mlp.fc1";
  return prefixes.vision + "encoder.layers." + std::string(layer) + "." + std::string(to) +
         std::string(suffix);
}

/// Row 2 i + j of a head in the file is row j d/2 + i here.
void restore_rows(const std::byte* from, std::byte* to, size_t row_bytes, int64_t rows, int64_t heads) {
  const int64_t head = rows / heads;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t j = 0; j < 2; ++j)
      for (int64_t i = 0; i < head / 2; ++i)
        std::memcpy(to + static_cast<size_t>(h * head + j * (head / 2) + i) * row_bytes,
                    from + static_cast<size_t>(h * head + 2 * i + j) * row_bytes, row_bytes);
}

/// The heads whose rows the converter has moved; nothing for another tensor.
std::optional<int64_t> moved_heads(const GgufPair& pair, const std::string& name) {
  const auto [stem, suffix] = without_suffix(name);
  const auto [layer, part] = layer_and_part(stem, "blk.");
  if (part != "attn_q" && part != "attn_k") return std::nullopt;
  const std::string arch = gguf_architecture(pair.text);
  const auto all = pair.text.at(arch + ".attention.head_count");
  const auto shared = pair.text.find(arch + ".attention.head_count_kv");
  const GgufField& field = part == "attn_k" && shared ? *shared : all;
  return field.integer(1, limits::kConfigWidth);
}

/// Tensors that a model reads as floats although they are matrices.
bool is_position_table(const std::string& name) { return name.find("position_embedding") != name.npos; }

/// Where blocks keep the format that they have; else they become float32.
std::optional<WeightFormat> kept_format(const GgufTensor& tensor, const std::string& name) {
  const bool matrix = tensor.shape.size() == 2 && tensor.shape[1] % kWeightGroup == 0;
  return matrix && !is_position_table(name) ? same_format(tensor.type) : std::nullopt;
}

/// A tensor of the file, and what is to be done with it.
struct Source {
  MappedFile map;  ///< keeps the tensor's memory
  GgufTensor tensor;
  std::optional<int64_t> heads;  ///< whose rows the converter has moved

  int64_t rows() const { return tensor.shape.empty() ? 1 : tensor.shape[0]; }
  /// Rows in transformers' order.
  std::vector<std::byte> in_order(std::span<const std::byte> plane) const {
    std::vector<std::byte> out(plane.begin(), plane.end());
    if (heads)
      restore_rows(plane.data(), out.data(), plane.size() / static_cast<size_t>(rows()), rows(), *heads);
    return out;
  }
  /// What was read of the file is not needed again.
  void done() const { map.release({tensor.data, static_cast<size_t>(tensor.bytes)}); }
};

void check_heads(const Source& source, const std::string& where) {
  if (source.heads && source.rows() % (2 * *source.heads) != 0)
    throw Error(ErrorCode::model_invalid,
                {.where = where,
                 .got = std::to_string(source.rows()) + " rows",
                 .expected = "a multiple of two for each of " + std::to_string(*source.heads) + " heads"});
}

/// Bytes of the file in transformers' order of rows, when somebody asks for them.
Checkpoint::Maker moved_rows(const Source& source) {
  return [source] {
    const std::span<const std::byte> bytes(source.tensor.data, static_cast<size_t>(source.tensor.bytes));
    const auto made = std::make_shared<const std::vector<std::byte>>(source.in_order(bytes));
    source.done();
    return std::shared_ptr<const std::byte>(made, made->data());
  };
}

/// Blocks that hold what q8 or q4 holds, as they lie.
void add_blocks(Checkpoint& checkpoint, const std::string& name, const Source& source, WeightFormat format) {
  WeightView matrix(format, source.tensor.shape[0], source.tensor.shape[1], WeightLayout::blocks);
  matrix.block_bytes = ggml_block(source.tensor.type).bytes;
  const TensorView view{.dtype = DType::u8,
                        .shape = {matrix.rows, matrix.groups(), matrix.block_bytes},
                        .data = source.tensor.data};
  if (source.heads)
    checkpoint.add_made(name, view, moved_rows(source));
  else
    checkpoint.add(name, view, nullptr);
  checkpoint.set_matrix(name, matrix);
}

/// Views where the tensor can be used as it lies; floats of blocks that no format holds. What is not in the
/// file as it is wanted is made when somebody asks for it.
void add_tensor(Checkpoint& checkpoint, const std::string& name, const Source& source) {
  const GgufTensor& tensor = source.tensor;
  if (const auto format = kept_format(tensor, name)) return add_blocks(checkpoint, name, source, *format);
  const auto dtype = plain_dtype(tensor.type);
  const TensorView view{.dtype = dtype.value_or(DType::f32), .shape = tensor.shape, .data = tensor.data};
  if (dtype && !source.heads) return checkpoint.add(name, view, nullptr);
  if (dtype) return checkpoint.add_made(name, view, moved_rows(source));
  checkpoint.add_made(name, view, [source, count = view.count()] {
    const auto floats = std::make_shared<Tensor>(source.tensor.shape);
    dequantise(source.tensor.type, source.tensor.data, count, floats->data());
    source.done();
    if (source.heads) {
      const Tensor stored = std::move(*floats);
      *floats = Tensor(stored.shape());
      const int64_t row = count / source.rows() * static_cast<int64_t>(sizeof(float));
      restore_rows(reinterpret_cast<const std::byte*>(stored.data()),
                   reinterpret_cast<std::byte*>(floats->data()), static_cast<size_t>(row), source.rows(),
                   *source.heads);
    }
    return std::shared_ptr<const std::byte>(floats, reinterpret_cast<const std::byte*>(floats->data()));
  });
}

/// The old converter of LLaVA's towers exchanged the names of an MLP's two layers: the widths tell.
bool has_swapped_mlp(const GgufFile& vision) {
  const GgufTensor* down = vision.tensor("v.blk.0.ffn_down.weight");
  return down != nullptr && down->shape.size() == 2 && down->shape[0] != down->shape[1] &&
         down->shape[1] == vision.at("clip.vision.embedding_length").integer(1, limits::kConfigWidth);
}

Prefixes prefixes_of(const GgufPair& pair) {
  if (!pair.vision) return {.text = "model.", .vision = {}, .root = {}};
  const bool llava = is_llava_projector(gguf_projector(*pair.vision));
  return {.text = llava ? "model.language_model." : "model.text_model.",
          .vision = llava ? "model.vision_tower." : "model.vision_model.",
          .root = "model.",
          .swapped_mlp = has_swapped_mlp(*pair.vision)};
}

/// The converter leaves out the norm behind a LLaVA tower's last layer, since no tapped state passes it. The
/// tower has a place for it all the same: here it changes nothing.
void add_last_norm(Checkpoint& checkpoint, const GgufFile& vision, const Prefixes& prefixes) {
  if (!is_llava_projector(gguf_projector(vision)) || vision.tensor("v.post_ln.weight") != nullptr) return;
  const int64_t width = vision.at("clip.vision.embedding_length").integer(1, limits::kConfigWidth);
  for (const auto& [name, value] : {std::pair("weight", 1.0F), std::pair("bias", 0.0F)}) {
    auto floats = std::make_shared<Tensor>(Shape{width});
    std::fill_n(floats->data(), width, value);
    const TensorView view{
        .dtype = DType::f32, .shape = {width}, .data = reinterpret_cast<const std::byte*>(floats->data())};
    checkpoint.add(prefixes.vision + "post_layernorm." + name, view, std::move(floats));
  }
}

}  // namespace

Checkpoint gguf_checkpoint(const GgufPair& pair) {
  const Prefixes prefixes = prefixes_of(pair);
  Checkpoint checkpoint;
  const auto add = [&](const GgufFile& file, const std::string& from, const std::string& to,
                       std::optional<int64_t> heads) {
    const Source source{
        .map = file.maps()[file.tensor(from)->part], .tensor = *file.tensor(from), .heads = heads};
    check_heads(source, file.path().string() + ": tensor " + printable(from));
    add_tensor(checkpoint, to, source);
  };
  for (const MappedFile& map : pair.text.maps()) checkpoint.add_map(map);
  for (const auto& [name, tensor] : pair.text.tensors())
    if (name != "rope_freqs.weight")  // in config.json
      add(pair.text, name, text_name(name, prefixes), moved_heads(pair, name));
  if (!pair.vision) return checkpoint;
  for (const MappedFile& map : pair.vision->maps()) checkpoint.add_map(map);
  for (const auto& [name, tensor] : pair.vision->tensors())
    if (!name.starts_with("v.head."))  // SigLIP's attention pooling, which no answer needs
      add(*pair.vision, name, vision_name(name, prefixes), std::nullopt);
  add_last_norm(checkpoint, *pair.vision, prefixes);
  return checkpoint;
}

}  // namespace galago
