// Guesses from texts and from the answer itself, with the tokenizer of a tiny DocTags model; and through the
// public API: whatever a draft says, the answer is the one without it.
#include "runtime/draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <random>

#include "core/clock.h"
#include "galago/scheduler.h"
#include "models/registry.h"
#include "structured/grammar.h"
#include "support/fixtures.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;

const Tokenizer& tags() {
  static const auto frontend = load_frontend(test::data_path("models/docling"));
  return frontend->tokenizer();
}

// How many of an answer's tokens are guessed right, one by one.
struct Score {
  int64_t right = 0;
  int64_t guessed = 0;
  int64_t all = 0;
};
Score score(const Draft& draft, const std::string& answer) {
  Drafter drafter(draft, std::make_shared<DraftTexts>(draft.texts, tags()), tags().vocab_size());
  Score score;
  for (const int32_t id : tags().encode(answer)) {
    const auto guesses = drafter.guess(4);
    ++score.all;
    score.guessed += !guesses.empty();
    score.right += !guesses.empty() && guesses.front().id == id;
    drafter.observe(id);
  }
  return score;
}

const std::vector<std::string> kParagraphs = {
    "The quick brown fox jumps over the lazy dog, and nobody knows why it does so.",
    "A second paragraph follows the first one. It tells of a red house and of a green river.",
    "At last there is a third paragraph, which ends the page with a few more words than needed."};

std::string tagged(const std::vector<std::string>& paragraphs) {
  std::string text = "<doctag>";
  int place = 10;
  for (const std::string& one : paragraphs) {
    text += "<text><loc_" + std::to_string(place) + "><loc_" + std::to_string(place + 7) + "><loc_" +
            std::to_string(place + 100) + "><loc_" + std::to_string(place + 21) + ">" + one + "</text>";
    place += 31;
  }
  return text + "</doctag>";
}

TEST(Drafter, FollowsWordsBetweenTagsAndLocations) {
  const std::string answer = tagged(kParagraphs);
  const int64_t words = std::ssize(tags().encode(kParagraphs[0] + kParagraphs[1] + kParagraphs[2]));
  const Score all = score({.texts = kParagraphs}, answer);
  EXPECT_GT(all.right, words * 9 / 10) << "of " << all.all;
  // In another order it finds its place again.
  const Score other = score({.texts = {kParagraphs[2], kParagraphs[0], kParagraphs[1]}}, answer);
  EXPECT_GT(other.right, words * 8 / 10) << "of " << other.all;
  // So it does where one of the texts is missing, and where the answer leaves one out.
  EXPECT_GT(score({.texts = {kParagraphs[0], kParagraphs[2]}}, answer).right, words * 5 / 10);
  EXPECT_GT(score({.texts = kParagraphs}, tagged({kParagraphs[0], kParagraphs[2]})).right, words * 5 / 10);
}

TEST(Drafter, FollowsAnEarlierAnswerWithItsTags) {
  const std::string answer = tagged(kParagraphs);
  const Score same = score({.texts = {answer}}, answer);
  EXPECT_EQ(same.right, same.all);
  std::string other = answer;
  for (size_t at = 20; at < other.size(); at += 60)
    if (std::isalpha(static_cast<unsigned char>(other[at]))) other[at] = 'q';
  const Score damaged = score({.texts = {other}}, answer);
  EXPECT_GT(damaged.right, damaged.all * 6 / 10);
}

TEST(Drafter, LooksIntoTheAnswerItself) {
  std::string rows;
  for (int i = 0; i < 20; ++i) rows += "<fcell>total<fcell>sum of it<ecell><nl>";
  const Score all = score({.answer = true}, "<doctag><otsl>" + rows + "</otsl></doctag>");
  EXPECT_GT(all.right, all.all * 8 / 10);
}

TEST(Drafter, LearnsHowOftenItIsRight) {
  Drafter drafter({}, std::make_shared<DraftTexts>(kParagraphs, tags()), tags().vocab_size());
  std::mt19937 random(1);
  double chance = 1;
  for (const int32_t id : tags().encode(kParagraphs[0] + " " + kParagraphs[1])) {
    drafter.observe(random() % 2 == 0 ? id : static_cast<int32_t>(random() % 200));
    if (const auto guesses = drafter.guess(1); !guesses.empty()) chance = guesses.front().chance;
  }
  EXPECT_LT(chance, 0.75);
  for (const Guess& guess : drafter.guess(8)) {
    EXPECT_GE(guess.chance, 0);
    EXPECT_LE(guess.chance, 1);
  }
}

// A tokenizer may know tokens that the model has no row for; a page's words may name them.
TEST(Drafter, GuessesNoTokenThatTheModelDoesNotHave) {
  const std::string name = "<end_of_utterance>";
  const int32_t beyond = tags().token_to_id(name).value();
  const auto texts = std::make_shared<DraftTexts>(std::vector<std::string>{"a fox" + name + " runs"}, tags());
  Drafter all({}, texts, beyond + 1), fewer({}, texts, beyond);
  for (const int32_t id : tags().encode("a fox")) {
    all.observe(id);
    fewer.observe(id);
  }
  ASSERT_FALSE(all.guess(7).empty());
  EXPECT_EQ(all.guess(7).front().id, beyond);
  EXPECT_TRUE(fewer.guess(7).empty());
}

TEST(DraftTexts, FindTheNextWordBehindAnyAmountOfWhiteSpace) {
  std::vector<std::string> texts(200'000, "\n");
  texts.insert(texts.begin() + 7, "fox");
  texts.emplace_back("river");
  const auto all = std::make_shared<DraftTexts>(texts, tags());
  ASSERT_GT(all->size(), 200'000);
  const std::vector<int32_t> fox = tags().encode("fox");
  EXPECT_EQ(all->id(all->first_word(0)), fox.front());
  EXPECT_EQ(all->first_word(7), 7);
  EXPECT_EQ(all->first_word(all->size()), all->size());
  const int64_t last = all->first_word(all->size() / 2);
  EXPECT_EQ(all->id(last), tags().encode("river").front());
  EXPECT_EQ(all->first_word(7 + std::ssize(fox)), last);
  // Nothing that is looked up goes through all of it.
  const Clock clock;
  Drafter drafter({}, all, tags().vocab_size());
  for (const int32_t id : tags().encode(kParagraphs[0] + kParagraphs[1] + kParagraphs[2])) {
    drafter.guess(7);
    drafter.observe(id);
  }
  EXPECT_LT(clock.ms(), 500);
}

TEST(DraftTexts, RefusesWhatIsNoText) {
  const auto refusal = [](const std::vector<std::string>& texts) {
    return test::error_of([&] { DraftTexts(texts, tags()); });
  };
  EXPECT_EQ(refusal({"fine", "\xff"}).code(), ErrorCode::input_invalid);
  EXPECT_THAT(refusal({"fine", "\xff"}).where(), HasSubstr("draft"));
  EXPECT_EQ(refusal({std::string(size_t{9} << 20, 'a'), std::string(size_t{9} << 20, 'a')}).code(),
            ErrorCode::input_too_large);
  EXPECT_EQ(DraftTexts({}, tags()).size(), 0);
  EXPECT_EQ(DraftTexts({"", ""}, tags()).size(), 0);
}

void expect_same(const Answer& a, const Answer& b) {
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.token_ids, b.token_ids);
  EXPECT_EQ(a.finish_reason, b.finish_reason);
  ASSERT_EQ(a.tokens.size(), b.tokens.size());
  for (size_t i = 0; i < a.tokens.size(); ++i) {
    EXPECT_EQ(a.tokens[i].id, b.tokens[i].id);
    EXPECT_EQ(a.tokens[i].logprob, b.tokens[i].logprob);
    ASSERT_EQ(a.tokens[i].top.size(), b.tokens[i].top.size());
    for (size_t k = 0; k < a.tokens[i].top.size(); ++k)
      EXPECT_EQ(a.tokens[i].top[k].logprob, b.tokens[i].top[k].logprob);
  }
  ASSERT_EQ(a.elements.size(), b.elements.size());
  ASSERT_EQ(a.confidence.has_value(), b.confidence.has_value());
  if (a.confidence) {
    EXPECT_EQ(a.confidence->mean_logprob, b.confidence->mean_logprob);
  }
}

std::vector<Draft> drafts_for(const std::string& answer) {
  std::string damaged = answer;
  for (size_t at = 5; at < damaged.size(); at += 11)
    if (static_cast<unsigned char>(damaged[at]) < 0x80) damaged[at] = 'z';
  std::string half = answer.substr(0, answer.size() / 2);
  while (!half.empty() && (static_cast<unsigned char>(half.back()) >= 0x80)) half.pop_back();
  std::string huge;
  while (huge.size() < 200'000) huge += answer + " and more of it. ";
  return {{.texts = {answer}},
          {.texts = {damaged}, .answer = true},
          {.texts = {half}},
          {.texts = {huge}, .answer = true},
          {.texts = {"nothing of this will ever be said", "<doctag><end_of_utterance></doctag>"}},
          {.texts = {"", " "}},
          {.answer = true}};
}

class DraftedAnswers : public testing::TestWithParam<const char*> {};

TEST_P(DraftedAnswers, AreThoseWithoutADraft) {
  int64_t accepted = 0;
  for (const KvCacheDtype dtype : {KvCacheDtype::f32, KvCacheDtype::f16}) {
    const Model model = Model::load(test::data_path(std::string("models/") + GetParam()),
                                    {.threads = 2, .kv_cache_dtype = dtype});
    std::vector<GenerateOptions> kinds(8);
    kinds[1] = {.temperature = 0.8, .top_p = 0.9, .seed = 3};
    kinds[2] = {.repetition_penalty = 1.2, .no_repeat_ngram_size = 3};
    kinds[3] = {.frequency_penalty = 0.7, .presence_penalty = 0.3};
    kinds[4] = {.ignore_eos = true, .logprobs = 2};
    kinds[5] = {.legal_doctags = false};
    kinds[6] = {.temperature = 1, .seed = 9, .keep_special = true};
    kinds[7] = {.min_new_tokens = 20};
    for (size_t i = 0; i < kinds.size(); i += dtype == KvCacheDtype::f32 ? 1 : 4) {
      Request request{.prompt = "Convert this page to docling.", .options = kinds[i]};
      request.images = {Image::open(test::data_path("pictures/shapes_100x80.png"))};
      request.options.max_new_tokens = 48;
      Answer expected = model.ask(request);
      if (i == 0 && expected.text.size() > 12) {
        std::string stop = expected.text.substr(expected.text.size() / 2, 3);
        if (std::ranges::all_of(stop, [](char c) { return c > 0; })) {
          request.options.stop = {stop};
          expected = model.ask(request);
        }
      }
      std::vector<Request> together;
      for (const Draft& draft : drafts_for(model.detokenize(expected.token_ids, true))) {
        Request drafted = request;
        drafted.options.draft = draft;
        together.push_back(drafted);
        const Answer answer = model.ask(drafted);
        expect_same(answer, expected);
        accepted += answer.usage.accepted_tokens;
        EXPECT_LE(answer.usage.accepted_tokens, answer.usage.drafted_tokens);
      }
      for (const Outcome& outcome : model.ask_all(together)) expect_same(outcome.value(), expected);
    }
  }
  EXPECT_GT(accepted, 100);
}

INSTANTIATE_TEST_SUITE_P(Models, DraftedAnswers,
                         testing::Values("docling", "smolvlm_tiles", "llava_granite", "llava_mistral",
                                         "idefics3_llama3"));

Request question(GenerateOptions options) {
  return {.prompt = "What is this?", .options = std::move(options)};
}

// Each answer to `request` with each of the drafts, alone and beside the others; the guesses that were right.
int64_t expect_same_with_drafts(const Model& model, const Request& request) {
  const Answer expected = model.ask(request);
  std::vector<Request> together;
  int64_t accepted = 0;
  for (const Draft& draft : drafts_for(model.detokenize(expected.token_ids, true))) {
    together.push_back(request);
    together.back().options.draft = draft;
    const Answer answer = model.ask(together.back());
    expect_same(answer, expected);
    accepted += answer.usage.accepted_tokens;
  }
  for (const Outcome& outcome : model.ask_all(together)) expect_same(outcome.value(), expected);
  return accepted;
}

TEST(DraftedAnswer, HasItsForm) {
  const Model model = Model::load(test::data_path("models/smolvlm_tiles"), {.threads = 2});
  using Kind = AnswerFormat::Kind;
  std::vector<AnswerFormat> forms = {
      {.kind = Kind::choice, .choices = {"the one that is long", "the one that is not", "another one"}}};
  if (has_grammars()) {
    forms.push_back({.kind = Kind::regex, .definition = "((ab|cd){6}, (yes, it is so|no)\\. ){2,4}end"});
    forms.push_back({.kind = Kind::json_schema,
                     .definition =
                         R"({"type": "object", "properties": {"first name": {"enum": ["Ann", "Bob"]},)"
                         R"( "how many of them": {"type": "integer"}, "which": {"type": "string"}},)"
                         R"( "required": ["first name", "how many of them", "which"]})"});
  }
  int64_t accepted = 0;
  for (const AnswerFormat& form : forms)
    for (const double temperature : {0.0, 1.0})
      for (const bool scored : {false, true}) {
        GenerateOptions options{.max_new_tokens = 60, .temperature = temperature, .seed = 4};
        options.format = form;
        if (scored) options.logprobs = 1;
        accepted += expect_same_with_drafts(model, question(options));
      }
  EXPECT_GT(accepted, 0);
}

TEST(DraftedAnswer, IsOneOfSeveral) {
  const Model model = Model::load(test::data_path("models/docling"), {.threads = 2});
  int64_t accepted = 0;
  for (const int64_t n : {2, 5}) {
    Request request = question({.max_new_tokens = 40, .temperature = 0.9, .seed = 11, .logprobs = 0});
    const std::vector<Outcome> expected = model.ask_n(request, n);
    request.options.draft.answer = true;
    for (const Outcome& one : expected)
      request.options.draft.texts.push_back(model.detokenize(one.value().token_ids, true));
    const std::vector<Outcome> drafted = model.ask_n(request, n);
    for (size_t i = 0; i < drafted.size(); ++i) {
      expect_same(drafted[i].value(), expected[i].value());
      accepted += drafted[i].value().usage.accepted_tokens;
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(DraftedAnswer, GoesOnBeyondTheLengthOfShortTexts) {
  const test::ModelCopy copy;
  Request request = question({.max_new_tokens = 60, .ignore_eos = true, .logprobs = 2});
  const int64_t prompt = Model::load(copy.path(), {.threads = 1}).count_tokens(request);
  copy.edit("config.json", R"("rope_type": "default")",
            R"("rope_type": "longrope", "short_factor": [1, 1, 1, 1, 1, 1, 1, 1],)"
            R"( "long_factor": [2, 3, 4, 5, 6, 7, 8, 90], "original_max_position_embeddings": )" +
                std::to_string(prompt + 20));
  EXPECT_GT(expect_same_with_drafts(Model::load(copy.path(), {.threads = 2}), request), 0);
}

TEST(DraftedAnswer, IsNotHarmedByWordsThatNameATokenOfTheTokenizerAlone) {
  const test::ModelCopy copy("docling");
  Json tokenizer = parse_json(test::read_bytes(copy.path() / "tokenizer.json"), "tokenizer.json");
  Json added = tokenizer.at("added_tokens").back();
  const auto beyond = static_cast<int64_t>(tags().vocab_size());
  added["id"] = beyond;
  added["content"] = "<beyond>";
  tokenizer["added_tokens"].push_back(added);
  copy.write("tokenizer.json", tokenizer.dump());
  const Model model = Model::load(copy.path(), {.threads = 2});
  ASSERT_EQ(model.tokenize("<beyond>", true).back(), beyond);
  const Request request = question({.max_new_tokens = 40, .ignore_eos = true});
  const Answer expected = model.ask(request);
  std::vector<Request> together(3, request);
  for (const size_t at : {1, 9, 20}) {
    const std::vector<int32_t> said(expected.token_ids.begin(),
                                    expected.token_ids.begin() + static_cast<int64_t>(at));
    Request& drafted = together[at / 9];
    drafted.options.draft.texts = {model.detokenize(said, true) + "<beyond><beyond>"};
    expect_same(model.ask(drafted), expected);
  }
  for (const Outcome& outcome : model.ask_all(together)) expect_same(outcome.value(), expected);
}

TEST(DraftedAnswer, LeavesNothingBehindForPromptsToCome) {
  const LoadOptions load{.threads = 1, .prefix_cache_bytes = 64 << 20};
  const Model model = Model::load(test::data_path("models/smolvlm_tiles"), load);
  Request request{.prompt = "Say something long about nothing at all, please."};
  request.options.max_new_tokens = 60;
  const Answer expected = Model::load(test::data_path("models/smolvlm_tiles"), load).ask(request);
  for (int i = 0; i < 4; ++i) {
    Request drafted = request;
    std::string text = model.detokenize(expected.token_ids, true);
    drafted.options.draft.texts = {text.substr(0, text.size() / 3) + "something else" +
                                   text.substr(text.size() / 3)};
    const Answer answer = model.ask(drafted);
    if (i == 0) expect_same(answer, expected);
    // What was said goes on as if it had been said without guesses.
    Request again{.prompt = model.detokenize(answer.prompt_token_ids, true) + text,
                  .options = {.max_new_tokens = 8},
                  .parse_special = true,
                  .raw = true};
    const Answer more = model.ask(again);
    again.options.reuse_prefix = false;
    EXPECT_EQ(more.token_ids, model.ask(again).token_ids);
  }
}

// It may be the model itself, whose own thread must not be the last to let go of it.
TEST(DraftedAnswer, LetsGoOfTheCallersFunctionsBeforeItsEndIsTold) {
  using Held = std::shared_ptr<const Model>;
  struct Silent : DraftSource {
    explicit Silent(Held model) : held(std::move(model)) {}
    std::vector<int32_t> propose(std::span<const int32_t>, int64_t) override { return {}; }
    Held held;
  };
  struct Idle : LogitsProcessor {
    explicit Idle(Held model) : held(std::move(model)) {}
    void process(std::span<const int32_t>, std::span<float>) override {}
    Held held;
  };
  for (int i = 0; i < 20; ++i) {
    const auto model =
        std::make_shared<const Model>(Model::load(test::data_path("models/smolvlm_tiles"), {.threads = 1}));
    {
      Request request = question({.max_new_tokens = 3});
      request.options.processors = {[held = Held(model)] { return std::make_unique<Idle>(held); }};
      request.options.draft.source = [held = Held(model)] { return std::make_unique<Silent>(held); };
      if (i % 2 == 0) request.options.format.kind = AnswerFormat::Kind::choice;  // without one: refused
      try {
        i % 4 == 1 ? (void)model->ask_n(request, 3) : (void)model->ask(request);
      } catch (const Error&) {
      }
    }
    EXPECT_EQ(model.use_count(), 1) << i;
  }
}

TEST(DraftedAnswer, IsRefusedForATextThatIsNone) {
  const Model model = Model::load(test::data_path("models/smolvlm_tiles"), {.threads = 1});
  Request request{.prompt = "Hello?", .options = {.draft = {.texts = {"\xc3"}}}};
  EXPECT_EQ(test::error_of([&] { model.ask(request); }).code(), ErrorCode::input_invalid);
}

}  // namespace
}  // namespace galago
