// A few texts that reach every stage: spaces, marks, digits, other scripts, emoji, names of tokens.
#include "support/tokenizer_checks.h"

#include <string>
#include <vector>

#include "support/fuzz.h"

namespace galago::fuzz {
namespace {

constexpr const char* kTexts[] = {
    "",
    "What is in the picture?",
    "  two  spaces\n\n\tand \xe2\x96\x81 marks ",
    "It's 12345.67, isn't it?",
    "caf\xc3\xa9 cafe\xcc\x81 \xc3\x84\xc3\x96\xef\xac\x81",
    "\xe4\xb8\xad\xe6\x96\x87 \xd0\xaf\xd0\xb7 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
    "<s></s><unk><image><|im_start|>user<0x0A>"};

constexpr size_t kLongText = 20'000;

void check_ids(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special) {
  std::string streamed;
  StreamDecoder decoder(tokenizer, skip_special);
  for (const int32_t id : ids) streamed += decoder.push(id);
  streamed += decoder.finish();
  require(streamed == tokenizer.decode(ids, skip_special));
}

}  // namespace

void check_tokenizer(const Tokenizer& tokenizer) {
  for (const char* text : kTexts)
    accept([&] {
      const std::vector<int32_t> ids = tokenizer.encode(text);
      for (const int32_t id : ids) require(id >= 0 && id < tokenizer.vocab_size());
      check_ids(tokenizer, ids, false);
      check_ids(tokenizer, tokenizer.add_special_tokens(ids), true);
      tokenizer.encode({{.text = text, .user = true}});
      tokenizer.fit(ids, 16);
    });
  // Patterns and long words may take a time that grows with the square of a text.
  accept([&] { tokenizer.encode(std::string(kLongText, 'a')); });
  accept([&] {
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < 64; ++id) ids.push_back(id);
    check_ids(tokenizer, ids, false);
    for (const int32_t id : ids) tokenizer.token_bytes(id);
  });
}

}  // namespace galago::fuzz
