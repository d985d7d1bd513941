// Broken and hostile settings, one case a line: the exact code, and the file and field named in the text.
#include "formats/config/config.h"
#include "support/damaged_settings.h"

namespace galago {
namespace {

using test::case_name;
using test::ConfigCase;
using test::kInvalid;
using test::kTooLarge;
using test::kUnsupported;

/// config.json with these members in text_config, vision_config or at the top.
std::string text(const std::string& members) {
  return R"({"model_type":"x","text_config":{)" + members + "}}";
}
std::string vision(const std::string& members) {
  return R"({"model_type":"x","vision_config":{)" + members + "}}";
}
std::string top(const std::string& members) { return R"({"model_type":"x",)" + members + "}"; }
std::string rope(const std::string& members) { return text("\"rope_scaling\":{" + members + "}"); }

const ConfigCase kModelCases[] = {
    {"Empty", "", kInvalid, "line 1"},
    {"NotJson", "model_type: x", kInvalid, "line 1"},
    {"CutShort", R"({"model_type":"x",)", kInvalid, "line 1, column 19"},
    {"AList", "[]", kInvalid, "got [], expected an object"},
    {"Null", "null", kInvalid, "got null, expected an object"},
    {"DeepNesting", "{\"model_type\":" + std::string(200'000, '['), kTooLarge,
     "got JSON nested deeper than 64"},
    {"DeepUnknownKey", top("\"x\":" + std::string(64, '[') + std::string(64, ']')), kTooLarge,
     "got JSON nested deeper than 64"},
    {"TooLong", "{" + std::string(16 << 20, ' ') + "}", kTooLarge,
     "got 16777218 bytes of JSON, expected at most 16777216"},
    {"ModelTypeMissing", "{}", kInvalid, "model_type: got nothing"},
    {"ModelTypeNumber", R"({"model_type":3})", kInvalid, "model_type: got 3, expected a string"},
    {"ArchitecturesText", top(R"("architectures":"X")"), kInvalid,
     "architectures: got \"X\", expected a list"},
    {"ArchitecturesOfNumbers", top(R"("architectures":[1])"), kInvalid, "architectures[0]: got 1"},
    {"TextConfigList", top(R"("text_config":[])"), kInvalid, "text_config: got [], expected an object"},
    {"VisionConfigText", top(R"("vision_config":"siglip")"), kInvalid, "vision_config: got \"siglip\""},
    {"HiddenSizeZero", text(R"("hidden_size":0)"), kInvalid,
     "text_config.hidden_size: got 0, expected an integer from 1 to 1048576"},
    {"HiddenSizeNegative", text(R"("hidden_size":-576)"), kInvalid, "text_config.hidden_size: got -576"},
    {"HiddenSizeFloat", text(R"("hidden_size":576.0)"), kInvalid, "text_config.hidden_size: got 576.0"},
    {"HiddenSizeText", text(R"("hidden_size":"576")"), kInvalid, "text_config.hidden_size: got \"576\""},
    {"HiddenSizeTrue", text(R"("hidden_size":true)"), kInvalid, "text_config.hidden_size: got true"},
    {"HiddenSizeHuge", text(R"("hidden_size":1048577)"), kInvalid, "text_config.hidden_size: got 1048577"},
    {"HiddenSizeOver64Bits", text(R"("hidden_size":99999999999999999999)"), kInvalid,
     "text_config.hidden_size"},
    {"HiddenSizeNotDivisible", text(R"("hidden_size":65,"num_attention_heads":4)"), kInvalid,
     "text_config.hidden_size: got 65, expected a multiple of num_attention_heads 4"},
    {"HeadsZero", text(R"("num_attention_heads":0)"), kInvalid, "text_config.num_attention_heads"},
    {"HeadsNotDivisible", text(R"("hidden_size":64,"num_attention_heads":4,"num_key_value_heads":3)"),
     kInvalid, "text_config.num_attention_heads: got 4, expected a multiple of num_key_value_heads 3"},
    {"MoreKeyHeadsThanHeads", text(R"("hidden_size":64,"num_attention_heads":4,"num_key_value_heads":8)"),
     kInvalid, "text_config.num_attention_heads"},
    {"HeadDimOdd", text(R"("head_dim":7)"), kInvalid,
     "text_config.head_dim: got 7, expected a multiple of the rotary pair size 2"},
    {"HeadDimZero", text(R"("head_dim":0)"), kInvalid, "text_config.head_dim"},
    {"LayersHuge", text(R"("num_hidden_layers":1025)"), kInvalid,
     "text_config.num_hidden_layers: got 1025, expected an integer from 1 to 1024"},
    {"VocabularyHuge", text(R"("vocab_size":16777217)"), kInvalid, "text_config.vocab_size"},
    {"PositionsHuge", text(R"("max_position_embeddings":1e10)"), kInvalid,
     "text_config.max_position_embeddings"},
    {"EpsNegative", text(R"("rms_norm_eps":-1e-5)"), kInvalid, "text_config.rms_norm_eps: got -1e-05"},
    {"EpsText", text(R"("rms_norm_eps":"1e-5")"), kInvalid, "text_config.rms_norm_eps"},
    {"EpsInfinite", text(R"("rms_norm_eps":1e999)"), kInvalid, "line 1"},
    {"EpsNan", text(R"("rms_norm_eps":NaN)"), kInvalid, "text_config.rms_norm_eps: got \"NaN\""},
    {"ActivationUnknown", text(R"("hidden_act":"mish")"), kUnsupported,
     "text_config.hidden_act: got \"mish\""},
    {"ActivationNumber", text(R"("hidden_act":1)"), kInvalid, "text_config.hidden_act: got 1"},
    {"BiasNumber", text(R"("attention_bias":1)"), kInvalid,
     "text_config.attention_bias: got 1, expected true or false"},
    {"ThetaZero", text(R"("rope_theta":0)"), kInvalid, "text_config.rope_theta"},
    {"ThetaNegative", text(R"("rope_parameters":{"rope_theta":-10000.0})"), kInvalid,
     "text_config.rope_parameters.rope_theta"},
    {"RopeScalingList", text(R"("rope_scaling":[1])"), kInvalid, "text_config.rope_scaling: got [1]"},
    {"RopeTypeUnknown", rope(R"("rope_type":"axial","factor":2)"), kUnsupported,
     "text_config.rope_scaling.rope_type: got \"axial\""},
    {"RopeTypeOldSpelling", rope(R"("type":"su","factor":2)"), kUnsupported,
     "text_config.rope_scaling.type: got \"su\""},
    {"RopeLinearNoFactor", rope(R"("rope_type":"linear")"), kInvalid,
     "text_config.rope_scaling.factor: got nothing"},
    {"RopeLinearFactorZero", rope(R"("rope_type":"linear","factor":0)"), kInvalid,
     "text_config.rope_scaling.factor: got 0"},
    {"RopeLlama3NoFactors", rope(R"("rope_type":"llama3","factor":8)"), kInvalid,
     "text_config.rope_scaling.low_freq_factor"},
    {"RopeLlama3Reversed",
     rope(R"("rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":1)"), kInvalid,
     "text_config.rope_scaling.high_freq_factor: got 1, expected more than low_freq_factor"},
    {"RopePartial", text(R"("partial_rotary_factor":0.5,"rope_scaling":{"type":"linear","factor":2})"),
     kUnsupported, "text_config.partial_rotary_factor: got 0.5"},
    {"RopePartialDynamic", rope(R"("rope_type":"dynamic","factor":2,"partial_rotary_factor":0.5)"),
     kUnsupported, "text_config.rope_scaling.partial_rotary_factor: got 0.5"},
    {"VisionHeadsNotDivisible", vision(R"("hidden_size":30,"num_attention_heads":4)"), kInvalid,
     "vision_config.hidden_size: got 30"},
    {"PatchZero", vision(R"("patch_size":0)"), kInvalid, "vision_config.patch_size: got 0"},
    {"PatchLargerThanTheImage", vision(R"("image_size":16,"patch_size":17)"), kInvalid,
     "vision_config.patch_size: got 17, expected at most image_size 16"},
    {"ImageSizeHuge", vision(R"("image_size":65536)"), kInvalid, "vision_config.image_size"},
    {"ImageSizeNotSquare", vision(R"("image_size":[64,32])"), kUnsupported,
     "vision_config.image_size: got [64, 32], expected a square"},
    {"ImageSizeThree", vision(R"("image_size":[64,64,3])"), kInvalid, "vision_config.image_size"},
    {"ChannelsHuge", vision(R"("num_channels":17)"), kInvalid, "vision_config.num_channels"},
    {"VisionActivationUnknown", vision(R"("hidden_act":"gelu_fast_v2")"), kUnsupported,
     "vision_config.hidden_act"},
    {"ScaleZero", top(R"("scale_factor":0)"), kInvalid, "scale_factor: got 0"},
    {"ScaleInTextZero", text(R"("pixel_shuffle_factor":0)"), kInvalid,
     "text_config.pixel_shuffle_factor: got 0"},
    {"ImageTokenOutsideTheVocabulary", top(R"("image_token_id":500,"text_config":{"vocab_size":500})"),
     kInvalid, "image_token_id: got 500, expected an integer from -1 to 499"},
    {"ImageTokenNegative", top(R"("image_token_index":-2)"), kInvalid, "image_token_index: got -2"},
    {"TiedIsText", top(R"("tie_word_embeddings":"yes")"), kInvalid, "tie_word_embeddings: got \"yes\""},
    {"DtypeIsANumber", top(R"("torch_dtype":16)"), kInvalid, "torch_dtype: got 16"},
};

const ConfigCase kPreprocessorCases[] = {
    {"AList", "[]", kInvalid, "got [], expected an object"},
    {"ImageProcessorText", R"({"image_processor":"x"})", kInvalid, "image_processor: got \"x\""},
    {"SizeZero", R"({"size":{"longest_edge":0}})", kInvalid, "size.longest_edge: got 0"},
    {"SizeHuge", R"({"size":{"longest_edge":65536}})", kInvalid,
     "size.longest_edge: got 65536, expected an integer from 1 to 65535"},
    {"SizeOfHeightAlone", R"({"size":{"height":384}})", kInvalid, "size.width: got nothing"},
    {"SizeOfWidthZero", R"({"size":{"height":384,"width":0}})", kInvalid, "size.width: got 0"},
    {"SizeNumberZero", R"({"size":0})", kInvalid, "size: got 0"},
    {"SizeNull", R"({"size":null})", kInvalid, "size: got null, expected a value, or no such key"},
    {"TileNull", R"({"max_image_size":null})", kInvalid, "max_image_size: got null"},
    {"ResampleNull", R"({"do_resize":false,"resample":null})", kInvalid, "resample: got null"},
    {"MeanNull", R"({"image_mean":null})", kInvalid, "image_mean: got null"},
    {"DeviationNull", R"({"image_std":null})", kInvalid, "image_std: got null"},
    {"RescaleNull", R"({"rescale_factor":null})", kInvalid, "rescale_factor: got null"},
    {"SizeShortestEdge", R"({"size":{"shortest_edge":384}})", kInvalid, "size.longest_edge: got nothing"},
    {"TileNegative", R"({"max_image_size":{"longest_edge":-512}})", kInvalid,
     "max_image_size.longest_edge: got -512"},
    {"TileNested", R"({"image_processor":{"max_image_size":{"longest_edge":"512"}}})", kInvalid,
     "image_processor.max_image_size.longest_edge: got \"512\""},
    {"ResampleNine", R"({"resample":9})", kInvalid, "resample: got 9"},
    {"ResampleMks2013", R"({"resample":6})", kUnsupported, "resample: got 6"},
    {"ResampleText", R"({"resample":"lanczos"})", kInvalid, "resample: got \"lanczos\""},
    {"MeanOfTwo", R"({"image_mean":[0.5,0.5]})", kInvalid,
     "image_mean: got [0.5, 0.5], expected a list of 3 numbers"},
    {"MeanOfText", R"({"image_mean":[0.5,"0.5",0.5]})", kInvalid, "image_mean[1]: got \"0.5\""},
    {"StdZero", R"({"image_std":[0.5,0,0.5]})", kInvalid, "image_std: got [0.5, 0, 0.5]"},
    {"StdNull", R"({"image_std":[0.5,null,0.5]})", kInvalid, "image_std[1]: got null"},
    {"RescaleHuge", R"({"rescale_factor":1e300})", kInvalid, "rescale_factor: got 1e+300"},
    {"SplittingNumber", R"({"do_image_splitting":0})", kInvalid, "do_image_splitting: got 0"},
};

const ConfigCase kProcessorCases[] = {
    {"SpanZero", R"({"image_seq_len":0})", kInvalid, "image_seq_len: got 0"},
    {"SpanFloat", R"({"image_seq_len":64.5})", kInvalid, "image_seq_len: got 64.5"},
    {"SpanHuge", R"({"image_seq_len":16777217})", kInvalid, "image_seq_len: got 16777217"},
    {"AText", "\"x\"", kInvalid, "got \"x\", expected an object"},
};

const ConfigCase kGenerationCases[] = {
    {"EosText", R"({"eos_token_id":"</s>"})", kInvalid, "eos_token_id: got \"</s>\""},
    {"EosNegative", R"({"eos_token_id":[2,-5]})", kInvalid, "eos_token_id[1]: got -5"},
    {"EosHuge", R"({"eos_token_id":4294967298})", kInvalid, "eos_token_id: got 4294967298"},
    {"EosObject", R"({"eos_token_id":{"a":1}})", kInvalid, "eos_token_id: got an object of 1 members"},
    {"PadFloat", R"({"pad_token_id":2.5})", kInvalid, "pad_token_id: got 2.5"},
    {"Broken", "{", kInvalid, "line 1"},
};

class HostileModelConfig : public testing::TestWithParam<ConfigCase> {};
class HostilePreprocessorConfig : public testing::TestWithParam<ConfigCase> {};
class HostileProcessorConfig : public testing::TestWithParam<ConfigCase> {};
class HostileGenerationConfig : public testing::TestWithParam<ConfigCase> {};

TEST_P(HostileModelConfig, IsRefused) {
  expect_refused(GetParam(), "dir/config.json",
                 [] { parse_idefics3_config(GetParam().json, "dir/config.json"); });
}
TEST_P(HostilePreprocessorConfig, IsRefused) {
  expect_refused(GetParam(), "preprocessor_config.json",
                 [] { parse_preprocessor_config(GetParam().json, "preprocessor_config.json"); });
}
TEST_P(HostileProcessorConfig, IsRefused) {
  expect_refused(GetParam(), "processor_config.json",
                 [] { parse_processor_config(GetParam().json, "processor_config.json"); });
}
TEST_P(HostileGenerationConfig, IsRefused) {
  expect_refused(GetParam(), "generation_config.json",
                 [] { parse_generation_config(GetParam().json, "{}", "generation_config.json"); });
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileModelConfig, testing::ValuesIn(kModelCases), case_name);
INSTANTIATE_TEST_SUITE_P(Cases, HostilePreprocessorConfig, testing::ValuesIn(kPreprocessorCases), case_name);
INSTANTIATE_TEST_SUITE_P(Cases, HostileProcessorConfig, testing::ValuesIn(kProcessorCases), case_name);
INSTANTIATE_TEST_SUITE_P(Cases, HostileGenerationConfig, testing::ValuesIn(kGenerationCases), case_name);

}  // namespace
}  // namespace galago
