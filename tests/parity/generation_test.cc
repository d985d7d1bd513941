// The whole way through the public API against transformers: ids, text, chunks, sequences side by side.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "galago/galago.h"
#include "runtime/sequence.h"
#include "support/devices.h"
#include "support/model_files.h"

namespace galago {
namespace {

struct Case {
  const char* golden;
  const char* model;
};

class Generated : public testing::TestWithParam<Case> {
 protected:
  Generated() : golden_(GetParam().golden), directory_(test::data_path("models/") + GetParam().model) {}

  Request request() const {
    Request request;
    const PromptText text = golden_.text();
    request.prompt = text.prompt;
    request.system = text.system;
    request.raw = text.raw;
    request.split_images = golden_.split();
    request.options.max_new_tokens = golden_.facts["max_new_tokens"].get<int64_t>();
    for (const std::string& file : golden_.images()) request.images.push_back(Image::open(file));
    return request;
  }

  test::Golden golden_;
  std::string directory_;
};

TEST_P(Generated, TokensAndTextAreThoseOfTransformersWhateverTheChunk) {
  const Model model = Model::load(directory_, {.threads = 1});
  for (const int64_t chunk : {0, 1, 7, 64}) {
    Request ask = request();
    ask.options.prefill_chunk = chunk;
    const Answer answer = model.ask(ask);
    EXPECT_EQ(answer.prompt_token_ids, golden_.ids("input_ids"));
    EXPECT_EQ(answer.token_ids, golden_.ids("generated_ids")) << "chunk " << chunk;
    EXPECT_EQ(answer.text, golden_.facts["generated_text"].get<std::string>());
    EXPECT_EQ(answer.finish_reason,
              golden_.facts["stopped_at_eos"].get<bool>() ? FinishReason::stop : FinishReason::length);
  }
}

// log_softmax of the reference's logits [L, V]: of the prompt's own tokens; then of each of the answer's.
TEST_P(Generated, LogprobsAreThoseOfTransformers) {
  const Tensor logits = golden_.floats("logits");
  const Model model = Model::load(directory_, {.threads = 1});
  Request ask = request();
  ask.options.logprobs = ask.options.prompt_logprobs = 20;
  const Answer answer = model.ask(ask);
  const int64_t length = logits.shape()[0], width = logits.shape()[1];
  ASSERT_EQ(std::ssize(answer.prompt_tokens), length);
  for (int64_t row = 0; row < length; ++row) {
    const std::span<const float> expected(logits.data() + row * width, static_cast<size_t>(width));
    double sum = 0;
    for (const float logit : expected) sum += std::exp(static_cast<double>(logit));
    const auto& token =
        row + 1 < length ? answer.prompt_tokens[static_cast<size_t>(row) + 1] : answer.tokens.at(0);
    EXPECT_NEAR(token.logprob, expected[static_cast<size_t>(token.id)] - std::log(sum), 1e-3) << row;
    std::vector<float> order(expected.begin(), expected.end());
    std::ranges::sort(order, std::greater());
    for (size_t i = 0; i < token.top.size(); ++i)
      EXPECT_NEAR(token.top[i].logprob, order[i] - std::log(sum), 1e-3) << row << ", place " << i;
  }
  const Tensor own = golden_.floats("generated_logprobs");            // [n]
  const Tensor likeliest = golden_.floats("generated_top_logprobs");  // [n, 20]
  ASSERT_EQ(std::ssize(answer.tokens), own.shape()[0]);
  for (int64_t i = 0; i < own.shape()[0]; ++i) {
    const auto& token = answer.tokens[static_cast<size_t>(i)];
    EXPECT_NEAR(token.logprob, own.data()[i], 1e-3) << "answer's token " << i;
    ASSERT_EQ(token.top.size(), 20U);
    for (size_t k = 0; k < token.top.size(); ++k)
      EXPECT_NEAR(token.top[k].logprob, likeliest.data()[static_cast<size_t>(i) * 20 + k], 1e-3)
          << "answer's token " << i << ", place " << k;
  }
}

TEST_P(Generated, TextWithSpecialTokensIsThatOfTransformers) {
  const Tokenizer tokenizer = Tokenizer::from_files(DirectoryFiles(directory_));
  TokenizerText text(tokenizer, true);
  std::string joined;
  for (const int32_t id : golden_.ids("generated_ids")) joined += text.push(id);
  joined += text.finish();
  EXPECT_EQ(joined, golden_.facts["generated_text_with_special"].get<std::string>());
}

INSTANTIATE_TEST_SUITE_P(
    Goldens, Generated,
    testing::Values(Case{"smolvlm_tiles", "smolvlm_tiles"}, Case{"two_images", "smolvlm_tiles"},
                    Case{"no_split", "smolvlm_tiles"}, Case{"text_only", "smolvlm_tiles"},
                    Case{"smolvlm_tiles", "sharded"}, Case{"tied_head", "tied_head"},
                    Case{"grid25_llama3", "grid25_llama3"}, Case{"grid27_scale3", "grid27_scale3"},
                    Case{"text_llama2", "text_llama2"}, Case{"text_llama2_hub", "text_llama2_hub"},
                    Case{"text_llama2_raw", "text_llama2"}, Case{"text_llama3", "text_llama3"},
                    Case{"text_smollm2", "text_smollm2"}, Case{"text_granite", "text_granite"},
                    Case{"text_mistral", "text_mistral"}, Case{"text_base", "text_base"}),
    [](const auto& param) { return std::string(param.param.golden) + "_" + param.param.model; });

// Greedy tokens of several sequences that share each call of the decoder, one row a sequence after prefill.
std::vector<std::vector<int32_t>> generate_together(const test::Loaded& model,
                                                    const std::vector<test::Golden>& goldens) {
  const Decoder& decoder = model.engine->decoder();
  const int64_t width = decoder.config().hidden_size;
  KvCache cache = decoder.make_cache(std::ssize(goldens), 1024);
  Workspace workspace(decoder.device());
  std::vector<std::vector<int32_t>> answers(goldens.size());
  std::vector<Tensor> next;  // rows that each sequence still has to read
  for (const test::Golden& golden : goldens) next.push_back(golden.floats("inputs_embeds"));
  const auto wanted = [&](size_t s) { return goldens[s].ids("generated_ids").size() > answers[s].size(); };
  while (true) {
    std::vector<RowPlace> places;
    std::vector<float> rows;
    for (size_t s = 0; s < goldens.size(); ++s) {
      if (!wanted(s)) continue;
      const int64_t start = cache.length(static_cast<int64_t>(s));
      for (int64_t i = 0; i < next[s].shape()[0]; ++i)
        places.push_back({static_cast<int32_t>(s), static_cast<int32_t>(start + i)});
      rows.insert(rows.end(), next[s].data(), next[s].data() + next[s].size());
    }
    if (places.empty()) return answers;
    Tensor hidden({std::ssize(places), width});
    decoder.forward({rows.data(), std::ssize(places), width}, places, cache, workspace, hidden.matrix());
    Tensor logits({hidden.shape()[0], decoder.config().vocab_size});
    decoder.logits(hidden.matrix(), logits.matrix());
    for (size_t i = 0; i < places.size(); ++i) {
      const auto s = static_cast<size_t>(places[i].sequence);
      if (i + 1 < places.size() && places[i + 1].sequence == places[i].sequence) continue;
      const float* row = logits.matrix().row(static_cast<int64_t>(i));
      answers[s].push_back(static_cast<int32_t>(std::max_element(row, row + logits.shape()[1]) - row));
      next[s] = Tensor({1, width});
      decoder.embed({&answers[s].back(), 1}, next[s].matrix());
    }
  }
}

TEST(Together, SequencesThatShareEveryCallGiveTheTokensOfTransformers) {
  const test::Loaded model("smolvlm_tiles");
  std::vector<test::Golden> goldens;
  for (const char* name : {"smolvlm_tiles", "text_only", "two_images", "no_split"})
    goldens.emplace_back(name);
  const auto answers = generate_together(model, goldens);
  for (size_t s = 0; s < goldens.size(); ++s)
    EXPECT_EQ(answers[s], goldens[s].ids("generated_ids")) << goldens[s].directory;
}

}  // namespace
}  // namespace galago
