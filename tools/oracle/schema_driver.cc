// Drives structured answers for tools/oracle/schema_pairs.py. In: a model's directory, and on stdin one JSON object
// in a line: an AnswerFormat with texts to judge and random answers to make. Out: one JSON object in a line for each.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <map>
#include <random>

#include "formats/model_files.h"
#include "galago/error.h"
#include "structured/grammar.h"

namespace {

using galago::AnswerFormat;
using nlohmann::json;

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

AnswerFormat format_of(const json& task) {
  static const std::map<std::string, AnswerFormat::Kind> kinds = {{"json_object", AnswerFormat::Kind::json_object},
                                                                  {"json_schema", AnswerFormat::Kind::json_schema},
                                                                  {"regex", AnswerFormat::Kind::regex},
                                                                  {"choice", AnswerFormat::Kind::choice},
                                                                  {"grammar", AnswerFormat::Kind::grammar}};
  AnswerFormat format;
  format.kind = kinds.at(task.at("kind"));
  format.definition = task.value("definition", "");
  format.choices = task.value("choices", std::vector<std::string>{});
  return format;
}

class Driver {
 public:
  explicit Driver(galago::Tokenizer tokenizer)
      : tokenizer_(std::move(tokenizer)), end_(end_of(tokenizer_)), compiler_(tokenizer_, tokenizer_.vocab_size(), {end_}) {}

  json run(const json& task) {
    json result;
    const AnswerFormat format = format_of(task);
    const auto start = Clock::now();
    try {
      compiler_.constrain(format);
      result["compile_ms"] = milliseconds_since(start);
      for (const auto& text : task.value("judge", std::vector<std::string>{}))
        result["verdicts"].push_back(accepts(*compiler_.constrain(format), text));
      std::mt19937 random(task.value("seed", 0U));
      for (int i = 0; i < task.value("random", 0); ++i)
        result["answers"].push_back(answer(*compiler_.constrain(format), random, task.value("most", 400)));
    } catch (const galago::Error& error) {
      result["error"] = error.what();
      result["code"] = to_string(error.code());
    }
    result["ms"] = milliseconds_since(start);
    result["mask_us"] = masks_ == 0 ? 0 : mask_us_ / static_cast<double>(masks_);
    result["longest_mask_us"] = longest_us_;
    return result;
  }

 private:
  static int32_t end_of(const galago::Tokenizer& tokenizer) {
    for (const char* name : {"<end_of_utterance>", "<|im_end|>", "</s>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>"})
      if (const auto id = tokenizer.token_to_id(name)) return *id;
    throw std::runtime_error("no end token");
  }

  std::vector<int32_t> allowed(galago::Constraint& constraint) {
    std::vector<uint32_t> mask(static_cast<size_t>(galago::mask_words(tokenizer_.vocab_size())));
    const auto start = Clock::now();
    constraint.fill(mask);
    const double us = milliseconds_since(start) * 1000;
    mask_us_ += us;
    longest_us_ = std::max(longest_us_, us);
    ++masks_;
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < tokenizer_.vocab_size(); ++id)
      if (mask[static_cast<size_t>(id / 32)] >> (id % 32) & 1) ids.push_back(id);
    return ids;
  }

  bool accepts(galago::Constraint& constraint, const std::string& text) {
    for (const int32_t id : tokenizer_.encode({{text, true}})) {
      const auto ids = allowed(constraint);
      if (!std::binary_search(ids.begin(), ids.end(), id)) return false;
      constraint.accept(id);
    }
    const auto ids = allowed(constraint);
    return std::binary_search(ids.begin(), ids.end(), end_);
  }

  /// A model that picks any token, and those that come to an end more often.
  json answer(galago::Constraint& constraint, std::mt19937& random, int most) {
    std::string text;
    int forced = 0;
    for (int tokens = 0; tokens < most;) {
      for (const int32_t id : constraint.forced()) {
        const auto ids = allowed(constraint);
        if (!std::binary_search(ids.begin(), ids.end(), id)) throw std::runtime_error("a forced token that is not allowed");
        constraint.accept(id);
        text += tokenizer_.token_bytes(id);
        ++tokens;
        ++forced;
      }
      const bool complete = constraint.complete();
      const auto ids = allowed(constraint);
      if (complete && ids != std::vector<int32_t>{end_}) throw std::runtime_error("complete, and yet more may come");
      std::vector<int32_t> closing;
      for (const int32_t id : ids)
        if (id == end_ || std::string_view("\"]},").find(tokenizer_.token_bytes(id)[0]) != std::string_view::npos) closing.push_back(id);
      const auto& from = !closing.empty() && random() % 100 < 30 ? closing : ids;
      const int32_t id = from[random() % from.size()];
      constraint.accept(id);
      if (id == end_) return {{"text", text}, {"ended", true}, {"tokens", tokens}, {"forced", forced}};
      text += tokenizer_.token_bytes(id);
      ++tokens;
    }
    return {{"ended", false}, {"tokens", most}, {"forced", forced}};
  }

  galago::Tokenizer tokenizer_;
  int32_t end_;
  galago::GrammarCompiler compiler_;
  double mask_us_ = 0;
  double longest_us_ = 0;
  int64_t masks_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return 64;
  Driver driver(galago::Tokenizer::from_files(galago::DirectoryFiles(argv[1])));
  for (std::string line; std::getline(std::cin, line);) std::cout << driver.run(json::parse(line)).dump() << std::endl;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
