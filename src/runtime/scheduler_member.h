// What the scheduler's loop knows of one request. Only the loop's own files include it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "runtime/answer_format.h"
#include "runtime/scheduler_loop.h"

namespace galago {

/// One request among others, and how far it is. Stays where it was made: the answer refers to it.
struct SchedulerLoop::Member {
  enum class Stage { pictures, prompt, tokens };

  const GenerateRequest& request() const { return work->request(); }
  int64_t length() const { return std::ssize(work->request().ids); }
  /// Positions that it may come to.
  int64_t most_positions() const { return length() + budget - 1; }
  /// Positions of the prompt and of tokens that were chosen before it was put back.
  int64_t known_positions() const { return length() + std::max<int64_t>(0, std::ssize(chosen) - 1); }

  bool wants_scores() const { return request().scored || request().options.logprobs; }
  /// Has read nothing, and would read what others of its group read.
  bool untouched() const { return !sequence && !started && chosen.empty(); }

  std::shared_ptr<Work> work;
  int64_t number = 0;
  double turn = 0;       // smaller ones come first
  double deadline = -1;  // below 0: none
  double added_ms = 0;
  int64_t budget = 0;  // tokens that it may get

  bool seated = false;    // in work; else it waits, or its reader is slow
  bool started = false;   // its bytes beside keys and values count
  bool put_back = false;  // once
  bool ended = false;
  Stage stage = Stage::pictures;
  int64_t promised = 0;  // bytes of pages that it will take once it is opened
  std::optional<OpenSequence> sequence;
  int64_t room = 0;  // positions that its pages hold
  int64_t read = 0;  // rows of the prompt that are in the cache
  int64_t fed = 0;   // chosen tokens that are in the cache
  // Of a call that decodes: chosen tokens that go through it, and guesses behind them, which are in the cache
  // until it is known which of them are chosen.
  int64_t feeding = 0;
  std::vector<int32_t> guessed;
  int64_t drafted = 0, accepted = 0;  // guesses of the whole answer, and those that were right

  StreamCallback on_piece;
  std::optional<Sampler> sampler;
  std::optional<AnswerBuilder> answer;
  std::optional<AnswerFormatState> format;
  std::optional<Drafter> drafter;  // where the request has a draft
  std::vector<int32_t> chosen;
  std::vector<float> logprobs, margins;  // of chosen, when the request wants them
  std::vector<TokenLogprobs> tokens;
  std::vector<TokenLogprobs> prompt_tokens;
  int64_t cached_tokens = 0;
  Timings timings;
};

}  // namespace galago
