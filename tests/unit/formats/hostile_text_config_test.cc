// Broken and hostile config.json files of text models, one case a line: the exact code, and the field named
// in the text.
#include "formats/config/config.h"
#include "support/damaged_settings.h"

namespace galago {
namespace {

using test::case_name;
using test::ConfigCase;
using test::kInvalid;
using test::kTooLarge;
using test::kUnsupported;

std::string llama(const std::string& members) { return R"({"model_type":"llama",)" + members + "}"; }
std::string mistral(const std::string& members) { return R"({"model_type":"mistral",)" + members + "}"; }
std::string granite(const std::string& members) { return R"({"model_type":"granite",)" + members + "}"; }

const ConfigCase kCases[] = {
    {"Empty", "", kInvalid, "line 1"},
    {"AList", "[]", kInvalid, "got [], expected an object"},
    {"DeepNesting", "{\"model_type\":" + std::string(100'000, '['), kTooLarge,
     "got JSON nested deeper than 64"},
    {"ModelTypeMissing", "{}", kInvalid, "model_type: got nothing"},
    {"ModelTypeNumber", R"({"model_type":7})", kInvalid, "model_type: got 7"},
    {"ModelTypeOther", R"({"model_type":"qwen2"})", kUnsupported,
     "model_type: got \"qwen2\", expected one of llama, mistral, granite"},
    {"ModelTypeMixture", R"({"model_type":"granitemoe"})", kUnsupported, "model_type: got \"granitemoe\""},
    {"ModelTypeCase", R"({"model_type":"Llama"})", kUnsupported, "model_type: got \"Llama\""},
    {"HiddenZero", llama(R"("hidden_size":0)"), kInvalid, "hidden_size: got 0"},
    {"HiddenText", granite(R"("hidden_size":"2048")"), kInvalid, "hidden_size: got \"2048\""},
    {"HiddenNotDivisible", llama(R"("hidden_size":100,"num_attention_heads":3)"), kInvalid,
     "hidden_size: got 100"},
    {"HeadsNotDivisible", mistral(R"("num_attention_heads":12,"hidden_size":96)"), kInvalid,
     "num_attention_heads: got 12, expected a multiple of num_key_value_heads 8"},
    {"HeadDimOdd", mistral(R"("head_dim":5)"), kInvalid, "head_dim: got 5"},
    {"HeadDimHuge", mistral(R"("head_dim":99999999)"), kInvalid, "head_dim: got 99999999"},
    {"LayersHuge", granite(R"("num_hidden_layers":1000000)"), kInvalid, "num_hidden_layers: got 1000000"},
    {"VocabularyNegative", llama(R"("vocab_size":-1)"), kInvalid, "vocab_size: got -1"},
    {"EpsText", llama(R"("rms_norm_eps":"small")"), kInvalid, "rms_norm_eps: got \"small\""},
    {"ActivationUnknown", llama(R"("hidden_act":"swiglu")"), kUnsupported, "hidden_act: got \"swiglu\""},
    {"TiedNumber", llama(R"("tie_word_embeddings":1)"), kInvalid, "tie_word_embeddings: got 1"},
    {"WindowZero", mistral(R"("sliding_window":0)"), kInvalid,
     "sliding_window: got 0, expected an integer from 1 to"},
    {"WindowOne", mistral(R"("sliding_window":1)"), kUnsupported,
     "sliding_window: got 1, expected 2 or more"},
    {"WindowNegative", mistral(R"("sliding_window":-4096)"), kInvalid, "sliding_window: got -4096"},
    {"WindowFloat", mistral(R"("sliding_window":4096.0)"), kInvalid, "sliding_window: got 4096.0"},
    {"WindowText", mistral(R"("sliding_window":"all")"), kInvalid, "sliding_window: got \"all\""},
    {"WindowFalse", mistral(R"("sliding_window":false)"), kInvalid, "sliding_window: got false"},
    {"WindowHuge", mistral(R"("sliding_window":9223372036854775807)"), kInvalid, "sliding_window"},
    {"WindowOneOfLlama", llama(R"("sliding_window":1)"), kUnsupported, "sliding_window: got 1, expected 2"},
    {"WindowOfGranite", granite(R"("sliding_window":1)"), kUnsupported, "sliding_window: got 1"},
    {"LayerTypesMixed", mistral(R"("layer_types":["sliding_attention","full_attention"])"), kUnsupported,
     "layer_types[1]: got \"full_attention\", expected \"sliding_attention\""},
    {"LayerTypesWithoutWindow", mistral(R"("sliding_window":null,"layer_types":["sliding_attention"])"),
     kUnsupported, "layer_types[0]: got \"sliding_attention\""},
    {"LayerTypesOfLlama", llama(R"("layer_types":["chunked_attention"])"), kUnsupported,
     "layer_types[0]: got \"chunked_attention\", expected \"full_attention\""},
    {"LayerTypesText", llama(R"("layer_types":"full_attention")"), kInvalid, "layer_types: got"},
    {"LayerTypesNumbers", mistral(R"("layer_types":[0])"), kInvalid, "layer_types[0]: got 0"},
    {"EmbeddingMultiplierText", granite(R"("embedding_multiplier":"12")"), kInvalid,
     "embedding_multiplier: got \"12\""},
    {"EmbeddingMultiplierNegative", granite(R"("embedding_multiplier":-12.0)"), kInvalid,
     "embedding_multiplier: got -12.0"},
    {"ResidualMultiplierHuge", granite(R"("residual_multiplier":1e30)"), kInvalid,
     "residual_multiplier: got 1e+30"},
    {"ResidualMultiplierInfinite", granite(R"("residual_multiplier":1e999)"), kInvalid, "line 1"},
    {"AttentionMultiplierList", granite(R"("attention_multiplier":[1])"), kInvalid,
     "attention_multiplier: got [1]"},
    {"LogitsScalingZero", granite(R"("logits_scaling":0)"), kInvalid, "logits_scaling: got 0"},
    {"LogitsScalingNegative", granite(R"("logits_scaling":-8)"), kInvalid, "logits_scaling: got -8"},
    {"Quantised", llama(R"("quantization_config":{"quant_method":"hqq","bits":4})"), kUnsupported,
     "quantization_config"},
    {"RopeTypeUnknown", granite(R"("rope_scaling":{"rope_type":"axial"})"), kUnsupported,
     "rope_scaling.rope_type: got \"axial\""},
    {"RopeYarnFactorBelowOne", llama(R"("rope_scaling":{"rope_type":"yarn","factor":0.5})"), kInvalid,
     "rope_scaling.factor: got 0.5"},
    {"RopeLongNoList", llama(R"("rope_scaling":{"rope_type":"longrope","short_factor":[1]})"), kInvalid,
     "rope_scaling.long_factor: got nothing"},
    {"RopeLongListsDiffer",
     llama(R"("rope_scaling":{"rope_type":"longrope","short_factor":[1],"long_factor":[1,2]})"), kInvalid,
     "rope_scaling.long_factor: got [1, 2], expected as many as short_factor has"},
    {"RopeLongOfOnePosition", llama(R"("original_max_position_embeddings":1,
              "rope_scaling":{"rope_type":"longrope","short_factor":[1],"long_factor":[2]})"),
     kInvalid,
     "rope_scaling: got an object of 3 members, expected original_max_position_embeddings of at least 2"},
    {"RopeLlama3Reversed",
     llama(R"("rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":1})"),
     kInvalid, "rope_scaling.high_freq_factor: got 1"},
    {"RopePartial",
     llama(R"("rope_parameters":{"rope_type":"linear","factor":2,"partial_rotary_factor":0.5})"),
     kUnsupported, "rope_parameters.partial_rotary_factor"},
    {"ThetaZero", mistral(R"("rope_theta":0)"), kInvalid, "rope_theta: got 0"},
};

class HostileTextConfig : public testing::TestWithParam<ConfigCase> {};

TEST_P(HostileTextConfig, IsRefused) {
  expect_refused(GetParam(), "config.json", [] { parse_text_model_config(GetParam().json, "config.json"); });
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileTextConfig, testing::ValuesIn(kCases), case_name);

}  // namespace
}  // namespace galago
