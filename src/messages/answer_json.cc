// See the header.
#include "messages/answer_json.h"

namespace galago {
namespace {

OrderedJson token_json(const TokenLogprob& token) {
  OrderedJson bytes = OrderedJson::array();
  for (const char c : token.bytes) bytes.push_back(static_cast<unsigned char>(c));
  return {{"id", token.id}, {"text", token.text}, {"bytes", bytes}, {"logprob", token.logprob}};
}

}  // namespace

OrderedJson tokens_json(const std::vector<TokenLogprobs>& tokens) {
  OrderedJson list = OrderedJson::array();
  for (const TokenLogprobs& token : tokens) {
    list.push_back(token_json(token));
    OrderedJson top = OrderedJson::array();
    for (const TokenLogprob& other : token.top) top.push_back(token_json(other));
    list.back()["top"] = top;
  }
  return list;
}

OrderedJson confidence_json(const Confidence& confidence) {
  return {{"tokens", confidence.tokens},
          {"mean_logprob", confidence.mean_logprob},
          {"min_logprob", confidence.min_logprob},
          {"margin", confidence.margin}};
}

OrderedJson elements_json(const std::vector<AnswerElement>& elements) {
  OrderedJson list = OrderedJson::array();
  for (const AnswerElement& element : elements)
    list.push_back({{"name", element.name},
                    {"begin", element.begin},
                    {"end", element.end},
                    {"depth", element.depth},
                    {"confidence", confidence_json(element.confidence)}});
  return list;
}

OrderedJson timings_json(const Timings& t) {
  return {{"load_ms", t.load_ms},
          {"decode_image_ms", t.decode_image_ms},
          {"preprocess_ms", t.preprocess_ms},
          {"vision_ms", t.vision_ms},
          {"connector_ms", t.connector_ms},
          {"prefill_ms", t.prefill_ms},
          {"first_token_ms", t.first_token_ms},
          {"decode_ms", t.decode_ms},
          {"tokens_per_second", t.tokens_per_second}};
}

OrderedJson error_json(const Error& error) {
  return {{"error",
           {{"code", to_string(error.code())},
            {"message", error.what()},
            {"where", error.where()},
            {"got", error.got()},
            {"expected", error.expected()},
            {"hint", error.hint()}}}};
}

}  // namespace galago
