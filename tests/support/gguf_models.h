// Tiny models as GGUF files, sound until a test changes them, and cases that do. In: nothing. Out: builders.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "galago/error.h"
#include "models/registry.h"
#include "support/fixtures.h"
#include "support/gguf_builder.h"

namespace galago::test {

/// A whole text model of 4 tokens, width 8 and one layer of two heads.
inline GgufBuilder tiny_text() {
  GgufBuilder b;
  b.text("general.architecture", "llama");
  b.u32("llama.embedding_length", 8).u32("llama.block_count", 1).u32("llama.feed_forward_length", 6);
  b.u32("llama.attention.head_count", 2).u32("llama.attention.head_count_kv", 1);
  b.u32("llama.context_length", 64).f32("llama.rope.freq_base", 10000);
  b.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  b.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "smollm");
  b.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<image>"});
  b.numbers<int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 1, 3});
  b.texts("tokenizer.ggml.merges", {"a b"}).u32("tokenizer.ggml.eos_token_id", 3);
  b.zeros("token_embd.weight", {8, 4}).zeros("output_norm.weight", {8});
  b.zeros("blk.0.attn_norm.weight", {8}).zeros("blk.0.ffn_norm.weight", {8});
  b.zeros("blk.0.attn_q.weight", {8, 8}).zeros("blk.0.attn_k.weight", {8, 4});
  b.zeros("blk.0.attn_v.weight", {8, 4}).zeros("blk.0.attn_output.weight", {8, 8});
  b.zeros("blk.0.ffn_gate.weight", {8, 6}).zeros("blk.0.ffn_up.weight", {8, 6});
  b.zeros("blk.0.ffn_down.weight", {6, 8});
  return b;
}

/// The eyes of an Idefics3 model over 8 columns.
inline GgufBuilder tiny_eyes(uint64_t columns = 8) {
  GgufBuilder b;
  b.text("general.architecture", "clip").text("clip.projector_type", "idefics3");
  b.u32("clip.vision.embedding_length", 4).u32("clip.vision.block_count", 1);
  b.u32("clip.vision.feed_forward_length", 4).u32("clip.vision.attention.head_count", 1);
  b.u32("clip.vision.image_size", 8).u32("clip.vision.patch_size", 4);
  b.f32("clip.vision.attention.layer_norm_epsilon", 1e-6F).u32("clip.vision.projector.scale_factor", 2);
  b.numbers<float>("clip.vision.image_mean", 6, {0.5F, 0.5F, 0.5F});
  b.numbers<float>("clip.vision.image_std", 6, {0.5F, 0.5F, 0.5F}).flag("clip.use_gelu", true);
  b.zeros("mm.model.fc.weight", {16, columns});
  return b;
}

/// What loading a model and its weights throws.
inline Error load_error(const std::filesystem::path& path) {
  return error_of([&] {
    const auto frontend = load_frontend(path);
    frontend->load_engine(frontend->files().checkpoint());
  });
}

/// One change of a tiny model, and what it throws.
struct ModelCase {
  const char* name;
  std::function<void(GgufBuilder&)> change;
  ErrorCode code;
  const char* names;
};

inline void PrintTo(const ModelCase& test, std::ostream* out) { *out << test.name; }

/// A key of the tiny model with another value.
inline std::function<void(GgufBuilder&)> u32(const char* key, uint32_t value) {
  return [=](GgufBuilder& b) { b.without(key).u32(key, value); };
}
inline std::function<void(GgufBuilder&)> text(const char* key, const std::string& value) {
  return [=](GgufBuilder& b) { b.without(key).text(key, value); };
}
inline std::function<void(GgufBuilder&)> f32(const char* key, float value) {
  return [=](GgufBuilder& b) { b.without(key).f32(key, value); };
}
inline std::function<void(GgufBuilder&)> without(const char* key) {
  return [=](GgufBuilder& b) { b.without(key); };
}

}  // namespace galago::test
