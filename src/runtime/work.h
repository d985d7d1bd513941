// One request as the scheduler's loop sees it. In: nothing. Out: what generation needs of it, piece by piece
// of the work before it, and where its answer goes. runtime/request_work.* is the real one; tests use fakes.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "galago/options.h"
#include "runtime/answer.h"
#include "runtime/causal_model.h"
#include "runtime/draft.h"
#include "runtime/sampler.h"
#include "structured/constraint.h"

namespace galago {

/// What generation asks of a request.
struct GenerateRequest {
  std::span<const int32_t> ids;     ///< [L], with the placeholders: the repetition penalty sees all of them
  std::vector<int32_t> end_ids;     ///< eos of the model's generation_config.json, and the caller's
  std::vector<int32_t> stop_ids{};  ///< tokens whose text is a stop text
  int64_t image_tokens = 0;         ///< how many of the L rows come from images
  GenerateOptions options;
  TokenRules rules{};                               ///< of the model
  bool scored = false;                              ///< Generation::logprobs and margins are wanted
  std::shared_ptr<Constraint> constraint{};         ///< on the answer; null: none
  std::shared_ptr<const DraftTexts> draft_texts{};  ///< of options.draft; null: none
};

/// When a request's turn comes.
struct Turn {
  int priority = 0;      ///< larger ones come first
  double deadline = -1;  ///< milliseconds of the loop's clock at which it fails; below 0: none
};

/// One request on its way. All calls come from the loop's thread; the questions of the reader's side
/// (cancelled, has_room) may be answered differently at any time.
class Work {
 public:
  virtual ~Work() = default;

  virtual const GenerateRequest& request() const = 0;
  virtual Turn turn() const { return {}; }
  virtual TokenText& text() = 0;
  /// Works with the same one (not null) have the same prompt and were added together: the first of them that
  /// has not ended reads it, and the others begin with what it has read.
  virtual const void* prompt_group() const { return nullptr; }
  /// Bytes that it takes beside keys and values, from its admission to its end.
  virtual int64_t bytes() const { return 0; }

  /// Admitted: pictures may be made ready. Called again after release().
  virtual void start() {}
  enum class Encoding { done, more, waiting };
  /// One piece of work on pictures: done when all rows are there, more when some was done, waiting when the
  /// next piece is not ready yet (the loop is woken when it is).
  virtual Encoding encode() { return Encoding::done; }
  /// The packed prompt [L, D], once encode() said done.
  virtual ConstMatrix rows() const = 0;
  /// What the placeholders stand for, once encode() said done.
  virtual std::span<const ContentMark> content() const { return {}; }
  /// Put back: memory of pictures and rows is given back.
  virtual void release() {}

  /// The reader wants no more.
  virtual bool cancelled() const { return false; }
  /// The reader takes another piece.
  virtual bool has_room() const { return true; }
  /// False: it is wanted no more, and ends with this piece.
  virtual bool piece(const StreamPiece& piece) = 0;
  /// The last call: the answer, or what ended it. Does not throw.
  virtual void end(Generation generation) = 0;
  virtual void fail(std::exception_ptr error) = 0;
};

}  // namespace galago
