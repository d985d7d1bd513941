// What the rest of galago knows of a text backbone. In: rows of embeddings [n, D], each with its sequence and
// position. Out: hidden rows [n, D], logits on request.
#pragma once

#include <cstdint>
#include <span>

#include "formats/config/config.h"
#include "kernels/workspace.h"
#include "nn/decoder/kv_cache.h"

namespace galago {

/// Where a row belongs. Rows of one sequence come in the order of their positions, which continue its cache.
struct RowPlace {
  int32_t sequence = 0;
  int32_t position = 0;
};

/// A causal decoder. Const after construction, safe to share between threads; each caller brings cache and
/// workspace.
class Decoder {
 public:
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;

  /// Sizes, the context among them, as config.json has them.
  virtual const TextConfig& config() const = 0;
  /// What it was made for: the workspace of a pass is of the same device.
  virtual const kernels::Device& device() const = 0;
  /// Whether a row's keys and values depend on its own ids and those before it alone, and not on where its
  /// prompt ends (KvSequence::prompt).
  virtual bool rows_stand_alone() const = 0;
  /// What a position of this decoder needs in a cache of that element type, f32 or f16.
  virtual KvShape cache_shape(DType dtype = DType::f32) const = 0;
  /// Embedding rows of ids; Error{input_invalid} for an id outside the vocabulary. out [ids, D].
  virtual void embed(std::span<const int32_t> ids, Matrix out) const = 0;
  /// The one entry: rows in, final-norm hidden rows out. embeds, hidden [n, D]; one place for each row. Rows
  /// of embeds come as embed() and the connector give them. Every sequence has grown to its last row
  /// (KvSequence::grow). Error{internal} when a place does not continue its sequence or lies in a page that
  /// others hold too, Error{input_too_large} past the sequence's capacity; the cache is then as it was.
  virtual void forward(ConstMatrix embeds, std::span<const RowPlace> places, KvCache& cache,
                       Workspace& workspace, Matrix hidden) const = 0;
  /// logits [n, vocab] of hidden rows [n, D].
  virtual void logits(ConstMatrix hidden, Matrix logits) const = 0;
  /// Bytes of the matrices that every token goes through, the head's among them, in the formats in use.
  virtual int64_t weight_bytes() const = 0;

  /// A cache with sequences 0 .. sequences - 1, each with room for `positions` positions, in pages of its
  /// own.
  KvCache make_cache(int64_t sequences, int64_t positions, DType dtype = DType::f32) const;
};

}  // namespace galago
