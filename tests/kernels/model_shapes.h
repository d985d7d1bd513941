// The sizes at which the kernels matter: those of SmolVLM-256M. One list for the tests, which cut it down to
// what a scalar twin can do in a moment, and for the benchmarks, which run it whole.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace galago::kernels {

constexpr int64_t kTilePatches = 1024;  // of 512x512 pixels
constexpr int64_t kPromptRows = 1143;   // a photo of 17 tiles with a short question
constexpr HeadLayout kTowerHeads = {12, 12, 64, 0.125f};
constexpr HeadLayout kTextHeads = {9, 3, 64, 0.125f};

struct LinearShape {
  const char* name;
  int64_t rows, in, out;
  Activation activation = Activation::none;
  bool bias = false;
  bool residual = false;
};

inline std::vector<LinearShape> linear_shapes() {
  std::vector<LinearShape> shapes = {
      {"tower/patches", kTilePatches, 768, 768, Activation::none, true},
      {"tower/qkv", kTilePatches, 768, 768, Activation::none, true},
      {"tower/out", kTilePatches, 768, 768, Activation::none, true, true},
      {"tower/fc1", kTilePatches, 768, 3072, Activation::gelu_tanh, true},
      {"tower/fc2", kTilePatches, 3072, 768, Activation::none, true, true},
      {"connector", 64, 12288, 576},
  };
  const auto add_text = [&shapes](const char* q, const char* kv, const char* o, const char* up,
                                  const char* down, int64_t rows) {
    shapes.push_back({q, rows, 576, 576});
    shapes.push_back({kv, rows, 576, 192});
    shapes.push_back({o, rows, 576, 576, Activation::none, false, true});
    shapes.push_back({up, rows, 576, 1536});
    shapes.push_back({down, rows, 1536, 576, Activation::none, false, true});
  };
  add_text("prefill/q", "prefill/kv", "prefill/o", "prefill/gate_up", "prefill/down", kPromptRows);
  add_text("decode/q", "decode/kv", "decode/o", "decode/gate_up", "decode/down", 1);
  add_text("batch8/q", "batch8/kv", "batch8/o", "batch8/gate_up", "batch8/down", 8);
  shapes.push_back({"decode/head", 1, 576, 49280});
  return shapes;
}

/// Full attention among `rows` rows.
struct AttentionShape {
  const char* name;
  int64_t rows;
  HeadLayout heads;
};
constexpr AttentionShape kAttentionShapes[] = {{"tower", kTilePatches, kTowerHeads}};

/// Causal attention of the last `rows` of `length` positions.
struct CausalShape {
  const char* name;
  int64_t rows, length;
  HeadLayout heads;
};
constexpr CausalShape kCausalShapes[] = {{"prefill", kPromptRows, kPromptRows, kTextHeads},
                                         {"decode", 1, kPromptRows, kTextHeads}};

/// Kernels that go row by row.
enum class RowKernel { layer_norm, rms_norm, rope };
struct RowShape {
  const char* name;
  RowKernel kernel;
  int64_t rows, cols;
};
constexpr RowShape kRowShapes[] = {
    {"layer_norm/tower", RowKernel::layer_norm, kTilePatches, 768},
    {"rms_norm/prefill", RowKernel::rms_norm, kPromptRows, 576},
    {"rms_norm/decode", RowKernel::rms_norm, 1, 576},
    {"rope/prefill", RowKernel::rope, kPromptRows, 576},
    {"rope/decode", RowKernel::rope, 1, 576},
};

}  // namespace galago::kernels
