// Checkpoints made of names and shapes alone, to be spoiled in one place each. All weights are zero.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "support/fixtures.h"

namespace galago::test {

/// Tensor names with shapes; a type other than F32 where one is set.
struct NamedShapes {
  std::map<std::string, Shape> shapes;
  std::map<std::string, DType> types;

  /// Puts everything behind a prefix.
  NamedShapes under(const std::string& prefix) const {
    NamedShapes moved;
    for (const auto& [name, shape] : shapes) moved.shapes[prefix + name] = shape;
    for (const auto& [name, type] : types) moved.types[prefix + name] = type;
    return moved;
  }
  NamedShapes& merge(const NamedShapes& other) {
    shapes.insert(other.shapes.begin(), other.shapes.end());
    types.insert(other.types.begin(), other.types.end());
    return *this;
  }
  /// Moves every tensor whose name begins with `from`.
  void rename(const std::string& from, const std::string& to) {
    std::map<std::string, Shape> moved;
    for (const auto& [name, shape] : shapes)
      moved[name.starts_with(from) ? to + name.substr(from.size()) : name] = shape;
    shapes = moved;
  }
  void erase(const std::string& beginning) {
    std::erase_if(shapes, [&](const auto& entry) { return entry.first.starts_with(beginning); });
  }

  Checkpoint checkpoint(const TempDir& directory) const {
    std::vector<NamedTensor> named;
    const std::vector<std::byte> zeros(1 << 20);
    for (const auto& [name, shape] : shapes) {
      const auto type = types.find(name);
      named.push_back({name, {type == types.end() ? DType::f32 : type->second, shape, zeros.data()}});
    }
    write_safetensors(directory.path() / "named.safetensors", named);
    return Checkpoint::open_file(directory.path() / "named.safetensors");
  }
};

struct TowerSizes {
  int64_t hidden = 8;
  int64_t inner = 12;
  int64_t layers = 2;
  int64_t patch = 2;
  int64_t side = 3;
  bool clip = false;
};

/// A whole tower without prefix.
inline NamedShapes tower_shapes(const TowerSizes& sizes = {}) {
  const int64_t c = sizes.hidden;
  NamedShapes named;
  auto& shapes = named.shapes;
  shapes["embeddings.patch_embedding.weight"] = {c, 3, sizes.patch, sizes.patch};
  shapes["embeddings.position_embedding.weight"] = {sizes.side * sizes.side + (sizes.clip ? 1 : 0), c};
  if (sizes.clip) {
    shapes["embeddings.class_embedding"] = {c};
    shapes["pre_layrnorm.weight"] = shapes["pre_layrnorm.bias"] = {c};
  } else {
    shapes["embeddings.patch_embedding.bias"] = {c};
  }
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string layer = "encoder.layers." + std::to_string(i) + ".";
    for (const char* norm : {"layer_norm1", "layer_norm2"})
      shapes[layer + norm + ".weight"] = shapes[layer + norm + ".bias"] = {c};
    for (const char* linear : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      shapes[layer + "self_attn." + linear + ".weight"] = {c, c};
      shapes[layer + "self_attn." + linear + ".bias"] = {c};
    }
    shapes[layer + "mlp.fc1.weight"] = {sizes.inner, c};
    shapes[layer + "mlp.fc1.bias"] = {sizes.inner};
    shapes[layer + "mlp.fc2.weight"] = {c, sizes.inner};
    shapes[layer + "mlp.fc2.bias"] = {c};
  }
  shapes["post_layernorm.weight"] = shapes["post_layernorm.bias"] = {c};
  return named;
}

/// SigLIP's attention-pooling head.
inline NamedShapes head_shapes(const TowerSizes& sizes = {}) {
  const int64_t c = sizes.hidden;
  NamedShapes named;
  auto& shapes = named.shapes;
  shapes["head.probe"] = {1, 1, c};
  shapes["head.attention.in_proj_weight"] = {3 * c, c};
  shapes["head.attention.in_proj_bias"] = {3 * c};
  shapes["head.attention.out_proj.weight"] = {c, c};
  shapes["head.attention.out_proj.bias"] = {c};
  shapes["head.layernorm.weight"] = shapes["head.layernorm.bias"] = {c};
  shapes["head.mlp.fc1.weight"] = {sizes.inner, c};
  shapes["head.mlp.fc1.bias"] = {sizes.inner};
  shapes["head.mlp.fc2.weight"] = {c, sizes.inner};
  shapes["head.mlp.fc2.bias"] = {c};
  return named;
}

/// Two tensors of a language model, as they lie beside a tower.
inline NamedShapes text_shapes(const std::string& prefix) {
  NamedShapes named;
  named.shapes[prefix + "embed_tokens.weight"] = {16, 8};
  named.shapes[prefix + "layers.0.self_attn.q_proj.weight"] = {8, 8};
  named.shapes["lm_head.weight"] = {16, 8};
  return named;
}

}  // namespace galago::test
