// What forms, scores and rules cost a token. In: a model. Out: one JSON object: the time of a token of plain
// answers, and how much longer it takes with each of them, in turns; what compiling a form takes.
// Usage: forms_bench MODEL [--dtype NAME] [--threads N] [--tokens N] [--rounds N]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "galago/galago.h"

namespace {

using galago::AnswerFormat;
using galago::GenerateOptions;

struct Settings {
  std::string model, dtype = "q8";
  int threads = 2, tokens = 96, rounds = 9;
};

Settings read_settings(int count, char** words) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const std::string value = i + 1 < count ? words[i + 1] : "";
    if (word == "--dtype")
      settings.dtype = value, ++i;
    else if (word == "--threads")
      settings.threads = std::stoi(value), ++i;
    else if (word == "--tokens")
      settings.tokens = std::stoi(value), ++i;
    else if (word == "--rounds")
      settings.rounds = std::stoi(value), ++i;
    else
      settings.model = word;
  }
  return settings;
}

struct Variant {
  const char* name;
  GenerateOptions options;
  std::vector<double> ratios;
};

std::vector<Variant> variants() {
  GenerateOptions letters, schema, rules;
  letters.format = {.kind = AnswerFormat::Kind::regex, .definition = "[a-zA-Z0-9 ,.]*"};
  schema.format = {.kind = AnswerFormat::Kind::json_schema,
                   .definition = R"({"type":"object","properties":{"title":{"type":"string"},
                     "items":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},
                     "price":{"type":"number"}},"required":["name","price"]}}},"required":["title","items"]})"};
  rules.repetition_penalty = 1.1;
  rules.frequency_penalty = 0.1;
  rules.no_repeat_ngram_size = 4;
  return {{"regex", letters},
          {"json_schema", schema},
          {"logprobs 0", {.logprobs = 0}},
          {"logprobs 20", {.logprobs = 20}},
          {"penalties", rules}};
}

// Milliseconds of a token, prompt and first token left out.
double token_ms(const galago::Model& model, GenerateOptions options, int tokens) {
  options.max_new_tokens = tokens;
  options.min_new_tokens = tokens;
  const galago::Answer answer = model.ask({.prompt = "List what is sold.", .options = options, .raw = true});
  return answer.timings.decode_ms / static_cast<double>(answer.token_ids.size() - 1);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// A form that no answer had before: the first answer has to compile it, the second does not.
double compile_ms(const galago::Model& model, GenerateOptions options, int number) {
  options.max_new_tokens = 1;
  const size_t name = options.format.definition.find("price");
  options.format.definition.insert(name, "p" + std::to_string(number));  // one that is not required
  const auto ask = [&] {
    const auto begin = std::chrono::steady_clock::now();
    model.ask({.prompt = "List what is sold.", .options = options, .raw = true});
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  };
  const double first = ask();
  return first - ask();
}

}  // namespace

int main(int count, char** words) try {
  const Settings settings = read_settings(count, words);
  const auto model = galago::Model::load(
      settings.model,
      {.threads = settings.threads, .dtype = galago::weight_dtype(settings.dtype), .mmap = false});
  std::vector<Variant> all = variants();
  std::vector<double> plain;
  for (const Variant& one : all) token_ms(model, one.options, settings.tokens);  // compiles, warms up
  for (int round = 0; round < settings.rounds; ++round)
    for (Variant& one : all) {
      const double before = token_ms(model, {}, settings.tokens);
      const double with = token_ms(model, one.options, settings.tokens);
      const double after = token_ms(model, {}, settings.tokens);
      plain.push_back(before);
      one.ratios.push_back(2 * with / (before + after));
    }
  std::vector<double> compiled;
  for (int i = 1; i <= 5; ++i) compiled.push_back(compile_ms(model, all[1].options, i));
  std::printf("{\"plain_ms\": %.3f, \"compile_ms\": %.1f", median(plain), median(compiled));
  for (const Variant& one : all) std::printf(", \"%s\": %.4f", one.name, median(one.ratios));
  std::printf("}\n");
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "forms_bench: %s\n", error.what());
  return 1;
}
