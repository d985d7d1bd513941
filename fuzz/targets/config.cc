// One document as every settings file of a model directory: config.json of each family, the processors'
// files.
#include "formats/config/config.h"

#include <optional>
#include <string>

#include "formats/config/llava_config.h"
#include "formats/config/siglip_config.h"
#include "support/fuzz.h"
#include "support/memory_files.h"
#include "support/mutators.h"
#include "text/prompt/chat_template.h"

using namespace galago;

GALAGO_FUZZ_MUTATOR(mutate_json_file)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::as_text(data, size));
  const std::string where = "input";
  if (!fuzz::accept([&] { parse_json(text, where); })) return 0;
  fuzz::accept([&] { parse_idefics3_config(text, where); });
  fuzz::accept([&] { parse_text_model_config(text, where); });
  fuzz::accept([&] { parse_preprocessor_config(text, where); });
  fuzz::accept([&] { parse_processor_config(text, where); });
  fuzz::accept([&] { parse_llava_next_config(text, where); });
  fuzz::accept([&] { parse_any_resolution_config(text, where); });
  fuzz::accept([&] { parse_llava_next_processor_config(text, where); });
  fuzz::accept([&] { parse_siglip_config(text, where); });
  fuzz::accept([&] { parse_fixed_size_config(text, where); });
  fuzz::accept([&] { parse_siglip2_config(text, where); });
  fuzz::accept([&] { parse_naflex_config(text, where); });
  const fuzz::MemoryFiles files({{"config.json", text},
                                 {"preprocessor_config.json", text},
                                 {"processor_config.json", text},
                                 {"video_preprocessor_config.json", text},
                                 {"tokenizer_config.json", text},
                                 {"special_tokens_map.json", text}});
  fuzz::accept([&] { read_video_config(files); });
  fuzz::accept([&] { read_processor_class(files); });
  fuzz::accept([&] { read_model_type(files); });
  fuzz::accept([&] { read_idefics3_settings(files); });
  fuzz::accept([&] { read_llava_next_settings(files); });
  fuzz::accept([&] { read_siglip_settings(files); });
  fuzz::accept([&] { read_naflex_settings(files); });
  fuzz::accept([&] { read_template_context(files); });
  return 0;
}
