// What guesses gain. In: a model that reads pages, pages. Out: one JSON object: tokens a second without a
// draft and with several, in turns, for one page and for several at once; and how many guesses were right.
// Fails where an answer with a draft is not the one without.
// Usage: drafts_bench MODEL [--pdf FILE | --picture FILE] [--dtype NAME] [--threads N] [--tokens N]
//                     [--at-once N] [--rounds N]
// A PDF's pages are read with their own words as drafts. A picture is for weights that say nothing sensible:
// the drafts are then the model's own answer, the answer with every other 16 tokens spoilt, and one that is
// never right. Answers of a picture go on to the token limit.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <string>
#include <vector>

#include "convert/convert.h"
#include "convert/page_file.h"
#include "convert/text_draft.h"
#include "galago/galago.h"

namespace {

using galago::Answer;
using galago::Draft;
using galago::Request;

struct Settings {
  std::string model, pdf, picture, dtype = "auto";
  int threads = 2, tokens = 400, at_once = 8, rounds = 5;
};

Settings read_settings(int count, char** words) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (!word.starts_with("--")) {
      settings.model = word;
      continue;
    }
    const std::string value = ++i < count ? words[i] : "";
    if (word == "--pdf")
      settings.pdf = value;
    else if (word == "--picture")
      settings.picture = value;
    else if (word == "--dtype")
      settings.dtype = value;
    else if (word == "--threads")
      settings.threads = std::stoi(value);
    else if (word == "--tokens")
      settings.tokens = std::stoi(value);
    else if (word == "--at-once")
      settings.at_once = std::stoi(value);
    else if (word == "--rounds")
      settings.rounds = std::stoi(value);
    else
      throw std::runtime_error("no such flag: " + word);
  }
  return settings;
}

/// The same pages with one kind of draft.
struct Variant {
  std::string name;
  std::vector<Draft> drafts;  // of each page
  std::vector<double> per_second;
  int64_t tokens = 0, drafted = 0, accepted = 0;
  double ms = 0, cpu_ms = 0;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::vector<Request> pages_of(const Settings& settings, std::vector<Draft>& layers) {
  std::vector<Request> pages;
  const auto add = [&](const galago::Image& image) {
    pages.push_back({.prompt = galago::convert::kQuestion, .images = {image}});
    pages.back().options.max_new_tokens = settings.tokens;
    pages.back().options.logprobs = 0;
  };
  if (settings.pdf.empty()) {
    add(galago::Image::open(settings.picture));
    pages.back().options.ignore_eos = true;
    pages.back().options.legal_doctags = false;
    return pages;
  }
  const auto file = galago::convert::PageFile::open(settings.pdf, {});
  for (int64_t page = 1; page <= file->pages(); ++page) {
    const galago::convert::DrawnPage drawn = file->draw(page);
    add(drawn.image);
    layers.push_back(
        {.texts = galago::convert::draft_texts(file->words(page, &drawn)), .answer = true, .source = {}});
  }
  return pages;
}

// Says what is known beforehand, token by token.
struct Known final : galago::DraftSource {
  explicit Known(std::vector<int32_t> all) : ids(std::move(all)) {}
  std::vector<int32_t> propose(std::span<const int32_t> answer, int64_t most) override {
    const auto begin = ids.begin() + std::min<int64_t>(std::ssize(answer), std::ssize(ids));
    return {begin, begin + std::min<int64_t>(most, ids.end() - begin)};
  }
  std::vector<int32_t> ids;
};

Draft known(const std::vector<int32_t>& ids) {
  return {.texts = {}, .answer = false, .source = [ids] { return std::make_unique<Known>(ids); }};
}

std::vector<Variant> variants(const galago::Model& model, const std::vector<Request>& pages,
                              const std::vector<Draft>& layers) {
  std::vector<Variant> all(1);
  all[0] = {.name = "without", .drafts = std::vector<Draft>(pages.size())};
  if (!layers.empty()) {
    all.push_back({.name = "text layer", .drafts = layers});
    Draft own;
    own.answer = true;
    all.push_back({.name = "the answer itself", .drafts = std::vector<Draft>(pages.size(), own)});
    return all;
  }
  const std::vector<int32_t> right = model.ask(pages[0]).token_ids;
  std::vector<int32_t> half = right, wrong = right;
  const auto other = [](int32_t& id) { id = id == 100 ? 101 : 100; };
  for (size_t i = 0; i < right.size(); ++i) {
    if (i / 16 % 2 == 1) other(half[i]);
    other(wrong[i]);
  }
  all.push_back({.name = "all right", .drafts = {known(right)}});
  all.push_back({.name = "half of it", .drafts = {known(half)}});
  all.push_back({.name = "never right", .drafts = {known(wrong)}});
  return all;
}

// Some pages at once, from the first token of any to the last of all. Fails where one is another answer.
void ask(const galago::Model& model, const std::vector<Request>& pages, Variant& variant, size_t first,
         int at_once, std::vector<std::vector<int32_t>>& expected) {
  std::vector<Request> asked;
  for (size_t i = first; std::ssize(asked) < at_once; ++i) {
    asked.push_back(pages[i % pages.size()]);
    asked.back().options.draft = variant.drafts[i % pages.size()];
  }
  double begin = 1e18, end = 0;
  const std::clock_t clock = std::clock();
  for (const galago::Outcome& outcome : model.ask_all(asked)) {
    const Answer& answer = outcome.value();
    begin = std::min(begin, answer.timings.first_token_ms);
    end = std::max(end, answer.timings.first_token_ms + answer.timings.decode_ms);
    variant.tokens += std::ssize(answer.token_ids);
    variant.drafted += answer.usage.drafted_tokens;
    variant.accepted += answer.usage.accepted_tokens;
    std::vector<int32_t>& known = expected[first++ % pages.size()];
    if (known.empty()) known = answer.token_ids;
    if (known != answer.token_ids) throw std::runtime_error("another answer: " + variant.name);
  }
  variant.ms += end - begin;
  variant.cpu_ms += 1000 * static_cast<double>(std::clock() - clock) / CLOCKS_PER_SEC;
}

void measure(const galago::Model& model, const Settings& settings, const std::vector<Request>& pages,
             const std::vector<Variant>& all, int at_once, std::vector<std::vector<int32_t>>& expected) {
  std::vector<Variant> some = all;
  for (int round = 0; round < settings.rounds; ++round)
    for (Variant& one : some) {
      const int64_t tokens = one.tokens;
      one.ms = 0;
      for (size_t first = 0; first < (at_once == 1 ? pages.size() : 1); ++first)
        ask(model, pages, one, first, at_once, expected);
      one.per_second.push_back(static_cast<double>(one.tokens - tokens) * 1000 / one.ms);
    }
  const double without = median(some[0].per_second);
  std::printf("\"%d at once\": {", at_once);
  for (const Variant& one : some) {
    const auto tokens = static_cast<double>(one.tokens);
    std::printf(
        "%s\"%s\": {\"tokens_per_second\": %.2f, \"least\": %.2f, \"most\": %.2f, \"times\": %.3f, "
        "\"cpu_ms_a_token\": %.4f, \"drafted\": %.4f, \"accepted\": %.4f}",
        &one == some.data() ? "" : ", ", one.name.c_str(), median(one.per_second),
        std::ranges::min(one.per_second), std::ranges::max(one.per_second), median(one.per_second) / without,
        one.cpu_ms / tokens, static_cast<double>(one.drafted) / tokens,
        static_cast<double>(one.accepted) / tokens);
  }
  std::printf("}");
}

}  // namespace

int main(int count, char** words) try {
  const Settings settings = read_settings(count, words);
  galago::LoadOptions load{.threads = settings.threads,
                           .dtype = galago::weight_dtype(settings.dtype),
                           .mmap = false,
                           .prefix_cache_bytes = int64_t{2} << 30};
  load.scheduler.max_sequences = settings.at_once;
  const auto model = galago::Model::load(settings.model, load);
  std::vector<Draft> layers;
  const std::vector<Request> pages = pages_of(settings, layers);
  const std::vector<Variant> all = variants(model, pages, layers);
  std::vector<std::vector<int32_t>> expected(pages.size());
  for (const Request& page : pages) model.ask(page);  // pictures and prompts are known from here on
  std::printf("{");
  measure(model, settings, pages, all, 1, expected);
  std::printf(", ");
  measure(model, settings, pages, all, settings.at_once, expected);
  std::printf("}\n");
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "drafts_bench: %s\n", error.what());
  return 1;
}
