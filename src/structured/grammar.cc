// See the header.
#include "structured/grammar.h"

#include <list>
#include <mutex>
#include <string>

#include "galago/error.h"
#include "structured/choice.h"
#include "structured/grammar_text.h"
#include "structured/json_schema.h"
#include "structured/pattern.h"
#include "structured/vocabulary.h"
#include "structured/xgrammar.h"

namespace galago {
namespace {

using Kind = AnswerFormat::Kind;

std::string ebnf_of(const AnswerFormat& format) {
  switch (format.kind) {
    case Kind::json_object:
      return ebnf_of_json_object();
    case Kind::json_schema:
      return ebnf_of_schema(format.definition);
    case Kind::regex:
      return ebnf_of_regex(format.definition);
    case Kind::grammar:
      return checked_grammar(format.definition);
    default:
      return {};
  }
}

const char* place_of(Kind kind) {
  switch (kind) {
    case Kind::json_schema:
      return "schema";
    case Kind::regex:
      return "pattern";
    default:
      return "grammar";
  }
}

}  // namespace

struct GrammarCompiler::State {
  struct Entry {
    Kind kind;
    std::string definition;
    std::shared_ptr<const CompiledGrammar> grammar;
    int64_t bytes;
  };

  State(Tokenizer model_tokenizer, int64_t vocabulary_size, std::vector<int32_t> ends, int64_t limit)
      : tokenizer(std::move(model_tokenizer)),
        size(vocabulary_size),
        end_ids(std::move(ends)),
        cache_bytes(limit) {}

  std::shared_ptr<const Vocabulary> read_vocabulary() {
    std::call_once(read, [this] { vocabulary = std::make_shared<Vocabulary>(tokenizer, size, end_ids); });
    return vocabulary;
  }

  std::shared_ptr<const CompiledGrammar> find(const AnswerFormat& format) {
    const std::lock_guard lock(cache_mutex);
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
      if (entry->kind != format.kind || entry->definition != format.definition) continue;
      entries.splice(entries.begin(), entries, entry);
      auto grammar = entry->grammar;
      resize(*entry);  // it grows with what was asked of it
      return grammar;
    }
    return nullptr;
  }

  void keep(const AnswerFormat& format, const std::shared_ptr<const CompiledGrammar>& grammar) {
    const std::lock_guard lock(cache_mutex);
    ++compiled;
    entries.push_front({format.kind, format.definition, grammar, 0});
    resize(entries.front());
  }

  void resize(Entry& entry) {
    const auto bytes = entry.grammar->memory_bytes() + static_cast<int64_t>(entry.definition.size());
    cached += bytes - entry.bytes;
    entry.bytes = bytes;
    while (cached > cache_bytes) {
      cached -= entries.back().bytes;
      entries.pop_back();
    }
  }

  std::shared_ptr<const CompiledGrammar> compile(const AnswerFormat& format) {
    if (auto grammar = find(format)) return grammar;
    const std::string ebnf = ebnf_of(format);
    const std::lock_guard lock(compile_mutex);
    if (auto grammar = find(format)) return grammar;
    if (!backend) backend = make_grammar_backend(read_vocabulary());
    auto grammar = backend->compile(ebnf, place_of(format.kind));
    keep(format, grammar);
    return grammar;
  }

  const Tokenizer tokenizer;
  const int64_t size;
  const std::vector<int32_t> end_ids;
  const int64_t cache_bytes;
  std::once_flag read;
  std::shared_ptr<const Vocabulary> vocabulary;
  std::mutex compile_mutex;  // one grammar at a time; what is kept is found meanwhile
  std::unique_ptr<GrammarBackend> backend;
  std::mutex cache_mutex;
  std::list<Entry> entries;  // the one used last first
  int64_t cached = 0;
  int64_t compiled = 0;
};

GrammarCompiler::GrammarCompiler(Tokenizer tokenizer, int64_t vocab_size, std::vector<int32_t> end_ids,
                                 int64_t cache_bytes)
    : state_(std::make_unique<State>(std::move(tokenizer), vocab_size, std::move(end_ids), cache_bytes)) {}
GrammarCompiler::~GrammarCompiler() = default;

std::unique_ptr<Constraint> GrammarCompiler::constrain(const AnswerFormat& format) {
  if (format.kind == Kind::text) return nullptr;
  if (format.kind == Kind::choice) return make_choice(format.choices, state_->read_vocabulary());
  return state_->compile(format)->start();
}

int64_t GrammarCompiler::cached_bytes() const {
  const std::lock_guard lock(state_->cache_mutex);
  return state_->cached;
}

int64_t GrammarCompiler::compiled() const {
  const std::lock_guard lock(state_->cache_mutex);
  return state_->compiled;
}

}  // namespace galago
