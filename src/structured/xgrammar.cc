// See the header.
#include "structured/xgrammar.h"

#include "galago/error.h"
#include "structured/grammar.h"

#ifdef GALAGO_GRAMMAR

#include <xgrammar/compiler.h>
#include <xgrammar/matcher.h>
#include <xgrammar/tokenizer_info.h>

#include <algorithm>
#include <array>
#include <bit>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <type_traits>

namespace {

// What xgrammar would print while it compiles on this thread; nothing to keep otherwise.
thread_local std::string* warning = nullptr;

}  // namespace

namespace xgrammar {

// Called by xgrammar in place of its own: it throws what it calls fatal and prints the rest.
[[noreturn]] void LogFatalImpl(const std::string& file, int lineno, const std::string& message);
void LogMessageImpl(const std::string& file, int lineno, int level, const std::string& message);

void LogFatalImpl(const std::string&, int, const std::string& message) { throw std::runtime_error(message); }
void LogMessageImpl(const std::string&, int, int, const std::string& message) {
  if (warning && warning->empty()) *warning = message;
}

}  // namespace xgrammar

namespace galago {
namespace {

/// An xgrammar call at work on an answer; what it throws is a fault of galago.
template <typename Call>
auto guarded(const Call& call) {
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::internal, {.where = "grammar", .got = error.what()});
  }
}

// Bytes that forced() looks ahead.
constexpr size_t kForcedBytes = 128;

/// Seconds of the processor that this thread has had: a busy machine is no fault of a grammar.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

class Matcher : public Constraint {
 public:
  Matcher(const xgrammar::CompiledGrammar& grammar, std::shared_ptr<const Vocabulary> vocabulary)
      : vocabulary_(std::move(vocabulary)), matcher_(grammar) {}

  bool fill(TokenMask mask) override {
    fill_by_grammar(matcher_, mask);
    const bool any = std::any_of(mask.begin(), mask.end(), [](uint32_t word) { return word != 0; });
    if (!any && !guarded([this] { return matcher_.IsCompleted(); }))
      throw Error(ErrorCode::input_invalid,
                  {.where = "grammar",
                   .got = "a place where no character may come",
                   .expected = "a grammar whose answers can go on, or end, wherever they are"});
    return true;
  }

  void accept(int32_t id) override {
    complete_.reset();
    if (!timed([&] { return matcher_.AcceptToken(id); }))
      throw Error(ErrorCode::internal, {.where = "grammar", .got = "a token that the mask does not allow"});
  }

  /// What all allowed tokens begin with is certain. xgrammar's own search has no end where a grammar has
  /// none.
  std::vector<int32_t> forced() override {
    if (matcher_.IsTerminated()) return {};
    std::string certain;
    xgrammar::GrammarMatcher ahead = timed([this] { return matcher_.Fork(); });
    std::vector<uint32_t> mask(vocabulary_->mask().size());
    while (certain.size() < kForcedBytes) {
      fill_by_grammar(ahead, mask);
      const std::string next = vocabulary_->common_beginning(mask);
      if (next.empty() || !timed([&] { return ahead.AcceptString(next); })) break;
      certain += next;
    }
    return certain.empty() ? std::vector<int32_t>{} : vocabulary_->tokens_of(certain);
  }

  bool complete() const override {
    if (!complete_) complete_ = only_ends();
    return *complete_;
  }

 private:
  void fill_by_grammar(xgrammar::GrammarMatcher& matcher, TokenMask mask) const {
    std::fill(mask.begin(), mask.end(), 0U);
    std::array<int64_t, 1> shape = {static_cast<int64_t>(mask.size())};
    DLTensor tensor{};
    tensor.data = mask.data();
    tensor.device = {kDLCPU, 0};
    tensor.ndim = 1;
    tensor.dtype = xgrammar::GetBitmaskDLType();
    tensor.shape = shape.data();
    const bool some = timed([&] { return matcher.FillNextTokenBitmask(&tensor); });
    // It sets bits of ids that are no text where it allows any text, and none where it allows all.
    const auto& possible = vocabulary_->mask();
    for (size_t i = 0; i < mask.size(); ++i)
      mask[i] = (some ? mask[i] : ~0U) & (i < possible.size() ? possible[i] : 0);
  }

  /// guarded(), within what one step and one answer may take: the ways to read a text can grow without end.
  template <typename Call>
  std::invoke_result_t<Call> timed(const Call& call) const {
    const double start = thread_seconds();
    auto result = guarded(call);
    const double spent = thread_seconds() - start;
    spent_ += spent;
    if (spent > grammar_limits::kStepSeconds || spent_ > grammar_limits::kAnswerSeconds)
      throw Error(ErrorCode::input_too_large,
                  {.where = "grammar",
                   .got = "more ways to read the answer than can be followed",
                   .expected = "one without repetitions of what may be empty, or of what begins alike"});
    return result;
  }

  bool only_ends() const {
    if (matcher_.IsTerminated()) return true;
    if (!matcher_.IsCompleted()) return false;
    std::vector<uint32_t> mask(vocabulary_->mask().size());
    fill_by_grammar(matcher_, mask);
    size_t allowed = 0;
    for (const uint32_t word : mask) allowed += static_cast<size_t>(std::popcount(word));
    return allowed <= vocabulary_->end_ids().size();
  }

  std::shared_ptr<const Vocabulary> vocabulary_;
  mutable xgrammar::GrammarMatcher matcher_;
  mutable std::optional<bool> complete_;
  mutable double spent_ = 0;  // seconds
};

class Compiled : public CompiledGrammar {
 public:
  Compiled(xgrammar::CompiledGrammar grammar, std::shared_ptr<const Vocabulary> vocabulary)
      : grammar_(std::move(grammar)), vocabulary_(std::move(vocabulary)) {}
  std::unique_ptr<Constraint> start() const override {
    return guarded([this] { return std::make_unique<Matcher>(grammar_, vocabulary_); });
  }
  int64_t memory_bytes() const override { return static_cast<int64_t>(grammar_.MemorySizeBytes()); }

 private:
  xgrammar::CompiledGrammar grammar_;
  std::shared_ptr<const Vocabulary> vocabulary_;
};

class Backend : public GrammarBackend {
 public:
  explicit Backend(std::shared_ptr<const Vocabulary> vocabulary)
      : vocabulary_(std::move(vocabulary)),
        compiler_(
            xgrammar::TokenizerInfo(vocabulary_->bytes(), xgrammar::VocabType::RAW,
                                    static_cast<int>(vocabulary_->bytes().size()), vocabulary_->end_ids()),
            /*max_threads=*/1, /*cache_enabled=*/false, /*max_memory_bytes=*/-1,
            /*enable_dynamic_compilation=*/true) {}

  std::shared_ptr<const CompiledGrammar> compile(const std::string& ebnf, const std::string& where) override {
    std::string said;
    struct Listen {
      explicit Listen(std::string* text) { warning = text; }
      ~Listen() { warning = nullptr; }
    } listen(&said);
    std::optional<xgrammar::CompiledGrammar> grammar;
    try {
      grammar.emplace(compiler_.CompileGrammar(ebnf, "root"));
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::input_too_large,
                  {.where = where, .got = "a grammar that does not fit the memory"});
    } catch (const std::exception& error) {
      said = error.what();
    }
    if (!said.empty()) throw Error(ErrorCode::input_invalid, {.where = where, .got = said.substr(0, 500)});
    return std::make_shared<Compiled>(std::move(*grammar), vocabulary_);
  }

 private:
  std::shared_ptr<const Vocabulary> vocabulary_;
  xgrammar::GrammarCompiler compiler_;
};

}  // namespace

bool has_grammars() { return true; }

std::unique_ptr<GrammarBackend> make_grammar_backend(std::shared_ptr<const Vocabulary> vocabulary) {
  return std::make_unique<Backend>(std::move(vocabulary));
}

}  // namespace galago

#else

namespace galago {

bool has_grammars() { return false; }

std::unique_ptr<GrammarBackend> make_grammar_backend(std::shared_ptr<const Vocabulary>) {
  throw Error(ErrorCode::model_unsupported, {.where = "answer format",
                                             .got = "a form that wants xgrammar, which this build is without",
                                             .expected = "choices",
                                             .hint = "run tools/fetch_xgrammar.py and build again"});
}

}  // namespace galago

#endif
